//! `lacuna experiment`

use super::choice::one_of;
use super::engine::EngineArgs;
use super::list::Numbers;
use super::print;
use super::progress::Progress;
use clap::{Args, ValueEnum};
use lacuna::data::sequences::chorales_in;
use lacuna::experiment::{
    ActiveLearning, BettiDecay, Convergence, FoldedNetworks, Images, ImplicitSparsity, PerExampleGradients, Pruning, Query,
    active_learning, betti_decay, betti_pruning, betti_scan, convergence, folded, images, implicit_sparsity,
    per_example_gradients, pruning_comparison, topological_pruner,
};
use lacuna::nn::{Activation, Compute, Init};
use lacuna::progress::Watch;
use lacuna::train::RateSchedule;
use lacuna::{Error, Result};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Steps that activations take to learn sets of known topology, over seeds, each at its best
    /// setting of one grid
    Convergence,
    /// Betti numbers of every layer of those networks, and whether they explain the steps (runs
    /// `convergence` first, in a folder of that name beside --out)
    BettiDecay,
    /// Epochs that activations take on real images: networks with and without batch norm, plain
    /// perceptrons
    Images,
    /// The threshold of Betti numbers above which filters go, scanned; beside it as many filters by
    /// other criteria
    BettiPruning,
    /// The same rule with compensation, at every scale and in every reading
    BettiScan,
    /// The genetic search with a topological fitness against norms and chance
    TopologicalPruner,
    /// Filters that training itself switches off: seven optimisers with L2 and with decoupled
    /// regularisation
    ImplicitSparsity,
    /// Every criterion on one network, before and after recovery
    PruningComparison,
    /// Seconds that the gradients of single samples take, by three strategies
    PerExampleGradients,
    /// Which samples of a pool are worth a label: queries by chance, entropy, what they leave of
    /// the version space, and coverage
    ActiveLearning,
    /// Forecasts of the next frame by temporally folded networks and by recurrent ones: chorales
    /// (with --data-dir), images row by row, images that move
    Folded,
}

/// Sets of images that a folder may hold.
const SETS: [&str; 2] = ["fashion-mnist", "cifar-10"];

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  lacuna experiment\n  lacuna experiment convergence --quick\n  lacuna experiment folded --quick --data-dir DIR"
)]
pub struct Experiment {
    /// Which one; without a name they are listed, with how long they take
    #[arg(value_enum)]
    name: Option<Name>,
    /// A small one that a laptop does in minutes
    #[arg(long)]
    quick: bool,
    /// Folder of the results; what is there already is not run again [default: results/NAME, or
    /// results/NAME-quick]
    #[arg(long, short)]
    out: Option<PathBuf>,
    /// Only these activations; the first is the one to compare with
    #[arg(long, value_delimiter = ';', value_name = "A;B;...")]
    activations: Option<Vec<Activation>>,
    /// Only tasks whose names hold one of these, as 'disks, 10x15;rings'
    #[arg(long, value_delimiter = ';', value_name = "TEXT;TEXT;...")]
    only: Option<Vec<String>>,
    /// Fresh seeds; of `per-example-gradients`, how often each is timed
    #[arg(long)]
    seeds: Option<usize>,
    /// Seeds that try every setting of the grid [default: 3; quick 1 in `images`]
    #[arg(long)]
    screening: Option<usize>,
    /// Training images that these seeds learn in `images` [default: 10000; quick: all]
    #[arg(long)]
    screening_train: Option<usize>,
    /// The course of the learning rate in `images`
    #[arg(long, value_name = "COURSE", value_parser = one_of::<RateSchedule>(RateSchedule::ALL.map(|s| s.0)))]
    schedule: Option<RateSchedule>,
    /// Learning rates of the grid
    #[arg(long, value_name = "NUMBERS")]
    rates: Option<Numbers>,
    /// Initialisations of the grid: own, edge (of chaos), glorot, or variances times fan-in
    #[arg(long, value_delimiter = ',')]
    inits: Option<Vec<Init>>,
    /// Steps, or epochs, after which a run is given up; of `active-learning`, labels in all
    #[arg(long)]
    limit: Option<usize>,
    /// Training images, of an epoch, a recovery or a pool [default: all; 3000 in the quick form of
    /// the two experiments that compare criteria]
    #[arg(long)]
    train: Option<usize>,
    /// Test images of a pruning experiment or of `active-learning` [default: all]
    #[arg(long)]
    test: Option<usize>,
    #[command(flatten)]
    compensate: super::prune::CompensateArgs,
    /// A trained run to prune, in place of one that is trained first
    #[arg(long = "run", value_name = "RUN")]
    run_folder: Option<PathBuf>,
    /// Shares of each layer's filters that go, as 0.1..0.9 or a list
    #[arg(long)]
    ratios: Option<Numbers>,
    /// Regularisations (of `implicit-sparsity`)
    #[arg(long, value_name = "NUMBERS")]
    lambdas: Option<Numbers>,
    /// Queries of `active-learning`; the first is what the others are compared with [default: all]
    #[arg(long, value_delimiter = ',')]
    queries: Option<Vec<Query>>,
    /// Networks that stand for the version space in `active-learning` [default: 16; quick 8]
    #[arg(long)]
    members: Option<usize>,
    /// Labels that `active-learning` begins with and asks for at once [default: 20]
    #[arg(long)]
    step: Option<usize>,
    /// Network of `implicit-sparsity`, as basicnet:0.25
    #[arg(long)]
    network: Option<String>,
    /// Folder with complete data sets, each in a folder of its name (fashion-mnist, mnist, cifar-10,
    /// jsb-chorales), or one of these folders itself
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Minutes that the quick form takes on two cores without a GPU, and how long the full form takes
/// there. The two that compare criteria were made shorter after they were timed; what is said of
/// them is the part of the processor time that is left.
fn times(name: Name) -> (f64, &'static str) {
    match name {
        Name::Convergence => (0.5, "hours"),
        Name::BettiDecay => (3.5, "hours"),
        Name::Images => (2.0, "hours"),
        Name::BettiPruning => (3.0, "hours"),
        Name::BettiScan => (6.0, "hours"),
        Name::TopologicalPruner => (10.0, "hours"),
        Name::ImplicitSparsity => (12.0, "hours"),
        Name::PruningComparison => (25.0, "hours"),
        Name::PerExampleGradients => (1.0, "about 4 minutes"),
        Name::ActiveLearning => (1.0, "hours"),
        Name::Folded => (4.0, "hours"),
    }
}

fn in_words(minutes: f64) -> String {
    match minutes {
        0.5 => "half a minute".into(),
        1.0 => "a minute".into(),
        _ => format!("{minutes} minutes"),
    }
}

fn name_of(name: Name) -> String {
    name.to_possible_value().map_or(String::new(), |v| v.get_name().to_string())
}

/// Lines of at most so many characters, all of them indented.
fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => *line += &format!(" {word}"),
            _ => lines.push(format!("{}{word}", " ".repeat(indent))),
        }
    }
    lines.join("\n") + "\n"
}

/// What there is, and how long it takes.
fn list() -> Result<()> {
    let mut text = String::from("Experiments:\n\n");
    for &name in Name::value_variants() {
        let about = name.to_possible_value().and_then(|v| v.get_help().map(ToString::to_string)).unwrap_or_default();
        let (minutes, full) = times(name);
        let times = format!("--quick: about {} on two cores without a GPU; in full: {full}", in_words(minutes));
        text += &format!("  {}\n{}{}", name_of(name), wrapped(&about, 6, 96), wrapped(&times, 6, 96));
    }
    print(&(text + "\nlacuna experiment NAME --quick begins one; what is through is kept, and the same command goes on.\n"))
}

impl Experiment {
    /// Which one.
    fn known(&self) -> Name {
        self.name.unwrap_or(Name::Convergence)
    }

    pub fn run(&self, quiet: bool) -> Result<()> {
        let Some(name) = self.name else { return list() };
        let compute = self.engine.compute(quiet)?;
        let mut progress = Progress::new(quiet);
        let (minutes, full) = times(name);
        let takes = if self.quick { format!("about {}", in_words(minutes)) } else { full.into() };
        progress.note(&format!("on two cores without a GPU this takes {takes}; it can be stopped, and the same command goes on"));
        let name = name_of(name);
        let folder = format!("{name}{}", if self.quick { "-quick" } else { "" });
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("results").join(folder));
        if let Some(bad) = self.rates.iter().flat_map(|r| &r.0).find(|r| !(**r > 0.0 && r.is_finite())) {
            return Err(Error::input(format!("the learning rate must be a number above 0, not {bad}")));
        }
        self.check()?;
        let _lock = lacuna::data::lock_folder(&out)?;
        match self.known() {
            Name::Convergence => {
                convergence(&self.convergence(&out)?, &compute, &mut progress)?;
            }
            Name::BettiDecay => self.betti_decay(out.clone(), &compute, &mut progress)?,
            Name::Images => {
                images(&self.images(&out)?, &compute, &mut progress)?;
            }
            Name::BettiPruning => {
                betti_pruning(&self.pruning(&out)?, &compute, &mut progress)?;
            }
            Name::BettiScan => {
                betti_scan(&self.pruning(&out)?, &compute, &mut progress)?;
            }
            Name::TopologicalPruner => {
                topological_pruner(&self.pruning(&out)?, &compute, &mut progress)?;
            }
            Name::PruningComparison => {
                pruning_comparison(&self.pruning(&out)?, &compute, &mut progress)?;
            }
            Name::ActiveLearning => {
                active_learning(&self.active_learning(&out, &mut progress), &compute, &mut progress)?;
            }
            Name::Folded => {
                folded(&self.folded(&out, &mut progress)?, &compute, &mut progress)?;
            }
            Name::PerExampleGradients => {
                let options = PerExampleGradients { out: out.clone(), quick: self.quick, repeats: self.seeds.unwrap_or(3) };
                per_example_gradients(&options, &compute, &mut progress)?;
            }
            Name::ImplicitSparsity => {
                implicit_sparsity(&self.implicit_sparsity(&out)?, &compute, &mut progress)?;
            }
        }
        drop(progress);
        let report = out.join("report.md");
        let text = std::fs::read_to_string(&report).map_err(Error::io(&report, "read"))?;
        print(&format!("{text}\nPage: {}\n", out.join("report.html").display()))
    }

    /// Numbers that make sense, and options that the experiment knows.
    fn check(&self) -> Result<()> {
        let within = |what: &str, value: Option<usize>, low: usize, high: usize| match value {
            Some(v) if !(low..=high).contains(&v) => Err(Error::input(format!("{what} must be from {low} to {high}, not {v}"))),
            _ => Ok(()),
        };
        let name = self.known();
        within("--seeds", self.seeds, 1, 1000)?;
        within("--screening", self.screening, 1, 1000)?;
        within("--screening-train", self.screening_train, 10, 10_000_000)?;
        within("--limit", self.limit, 1, 1_000_000)?;
        within("--train", self.train, 10, 10_000_000)?;
        within("--test", self.test, 1, 10_000_000)?;
        use Name::{
            ActiveLearning, BettiDecay, BettiPruning, BettiScan, Convergence, Folded, Images, ImplicitSparsity,
            PerExampleGradients, PruningComparison, TopologicalPruner,
        };
        let of_pruning = [BettiPruning, BettiScan, TopologicalPruner, PruningComparison];
        let of_activations = [Convergence, BettiDecay, Images];
        let compared = [TopologicalPruner, PruningComparison];
        let with_images = [Images, ImplicitSparsity, TopologicalPruner, PruningComparison, ActiveLearning];
        for (given, option, known) in [
            (self.activations.is_some(), "--activations", &of_activations[..]),
            (self.only.is_some(), "--only", &[Convergence, BettiDecay, Images, Folded]),
            (self.rates.is_some(), "--rates", &[Convergence, BettiDecay, Images, Folded]),
            (self.screening.is_some(), "--screening", &of_activations),
            (self.screening_train.is_some(), "--screening-train", &[Images]),
            (self.schedule.is_some(), "--schedule", &[Images]),
            (self.inits.is_some(), "--inits", &of_activations),
            (self.run_folder.is_some(), "--run", &of_pruning),
            (self.ratios.is_some(), "--ratios", &compared),
            (self.lambdas.is_some(), "--lambdas", &[ImplicitSparsity]),
            (self.network.is_some(), "--network", &[ImplicitSparsity]),
            (self.train.is_some(), "--train", &with_images),
            (self.test.is_some(), "--test", &[Images, BettiScan, TopologicalPruner, PruningComparison, ActiveLearning]),
            (self.queries.is_some(), "--queries", &[ActiveLearning]),
            (self.members.is_some(), "--members", &[ActiveLearning]),
            (self.step.is_some(), "--step", &[ActiveLearning]),
            (self.compensate.is_given(), "--compensate, --ridge and --places", &compared),
            (self.seeds.is_some() && name == BettiScan, "--seeds", &[]),
            (self.limit.is_some() && name == BettiScan, "--limit", &[]),
            (self.limit.is_some() && name == BettiPruning, "--limit", &[]),
            (
                self.data_dir.is_some() && (self.quick && !matches!(name, Images | ActiveLearning | Folded)),
                "--data-dir with --quick",
                &[],
            ),
            (self.limit.is_some() && name == PerExampleGradients, "--limit", &[]),
            (self.data_dir.is_some() && matches!(name, Convergence | BettiDecay | PerExampleGradients), "--data-dir", &[]),
        ] {
            if given && !known.contains(&name) {
                let name = name_of(name);
                return Err(Error::input(format!("{option} does not apply to {name}")));
            }
        }
        if let Some(dir) = self.data_dir.as_ref().filter(|_| name == Images && SETS.iter().all(|s| self.held(s).is_none())) {
            return Err(Error::input(format!("{} holds none of the folders {}", dir.display(), SETS.join(", "))));
        }
        Ok(())
    }

    /// The folder of a data set: in `--data-dir`, or itself, which its name tells.
    fn held(&self, name: &str) -> Option<PathBuf> {
        let dir = self.data_dir.as_ref()?;
        let itself = std::fs::canonicalize(dir).is_ok_and(|d| d.file_name().is_some_and(|n| n == name));
        let inside = dir.join(name);
        if inside.is_dir() { Some(inside) } else { itself.then(|| dir.clone()) }
    }

    fn is_wanted(&self, task: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|text| task.contains(text.trim_start())))
    }

    fn inits(&self, default: Vec<Init>) -> Vec<Init> {
        self.inits.clone().unwrap_or(default)
    }

    /// Each once.
    fn activations(&self, default: &[Activation]) -> Vec<Activation> {
        let mut all: Vec<Activation> = Vec::new();
        for activation in self.activations.as_deref().unwrap_or(default) {
            if !all.contains(activation) {
                all.push(activation.clone());
            }
        }
        all
    }

    fn convergence(&self, out: &Path) -> Result<Convergence> {
        let mut options = Convergence::new(out, self.quick)?;
        options.activations = self.activations(&options.activations);
        options.tasks.retain(|t| self.is_wanted(&t.to_string()));
        if options.tasks.is_empty() {
            return Err(Error::input(
                "no task's name holds that; the tasks are disks, rings, spheres, disks:75 and rings:38 with depth and width, as 'disks, 10x15'",
            ));
        }
        options.fresh = self.seeds.unwrap_or(options.fresh);
        options.screening = self.screening.unwrap_or(options.screening);
        options.rates = self.rates.clone().map_or(options.rates, |r| r.0);
        options.inits = self.inits(options.inits);
        if let Some(limit) = self.limit {
            options.tasks.iter_mut().for_each(|t| t.steps = limit);
        }
        Ok(options)
    }

    fn betti_decay(&self, out: PathBuf, compute: &Compute, progress: &mut Progress) -> Result<()> {
        // What a convergence experiment beside it has found already is taken from it.
        let beside = format!("convergence{}", if self.quick { "-quick" } else { "" });
        let first = self.convergence(&out.parent().map_or(PathBuf::from(&beside), |p| p.join(&beside)))?;
        progress.note(&format!("the settings are those of the convergence experiment in {}", first.out.display()));
        let verdicts = convergence(&first, compute, progress)?;
        let options = BettiDecay { out, seeds: self.seeds.unwrap_or(if self.quick { 2 } else { 5 }) };
        betti_decay(&options, &verdicts, compute, progress)?;
        Ok(())
    }

    /// The folder of CIFAR-10, in `--data-dir` or itself.
    fn cifar(&self) -> Option<PathBuf> {
        let dir = self.data_dir.clone()?;
        let inside = dir.join("cifar-10");
        Some(if inside.is_dir() { inside } else { dir })
    }

    fn pruning(&self, out: &Path) -> Result<Pruning> {
        Ok(Pruning {
            out: out.into(),
            quick: self.quick,
            run: self.run_folder.clone(),
            data_dir: self.cifar().map(|d| std::fs::canonicalize(&d).unwrap_or(d)),
            seeds: self.seeds,
            train: self.train,
            limit: self.limit,
            ratios: self.ratios.as_ref().map(super::prune::shares).transpose()?,
            test: self.test,
            // The images are those of the run or of the data set, more than a compensation asks for
            // in any case.
            compensate: self.compensate.compensation(&[1, 1, 1], usize::MAX, 0)?,
        })
    }

    fn folded(&self, out: &Path, watch: &mut dyn Watch) -> Result<FoldedNetworks> {
        let (chorales, images) = (self.held("jsb-chorales"), self.held("fashion-mnist"));
        match &self.data_dir {
            Some(dir) if chorales.is_none() && images.is_none() => {
                return Err(Error::input(format!("{} holds neither jsb-chorales nor fashion-mnist", dir.display())));
            }
            _ if chorales.is_none() => {
                watch.note("the chorales are left out: --data-dir names the folder that holds jsb-chorales");
            }
            _ => {}
        }
        let chorales = chorales.map(|folder| chorales_in(&folder)).transpose()?;
        let mut options = FoldedNetworks::new(out.into(), self.quick, chorales, images);
        options.tasks.retain(|t| self.is_wanted(&t.data.to_string()));
        if options.tasks.is_empty() {
            return Err(Error::input(
                "no task's name holds that: there are chorales (with --data-dir), image rows and moving images",
            ));
        }
        options.seeds = self.seeds.unwrap_or(options.seeds);
        options.rates = self.rates.clone().map_or(options.rates, |r| r.0);
        for task in &mut options.tasks {
            task.epochs = self.limit.unwrap_or(task.epochs);
        }
        Ok(options)
    }

    fn active_learning(&self, out: &Path, watch: &mut dyn Watch) -> ActiveLearning {
        // Of a folder those sets that it holds, else the bundled part of Fashion-MNIST.
        let held = |name: &str| Some((name.to_string(), Some(self.held(name)?)));
        let mut sets: Vec<_> = ["fashion-mnist", "mnist"].into_iter().filter_map(held).collect();
        if sets.is_empty() {
            if let Some(dir) = &self.data_dir {
                watch.note(&format!(
                    "the images in {} are taken for Fashion-MNIST's; those of MNIST belong in a folder of that name",
                    dir.display()
                ));
            }
            sets.push(("fashion-mnist".into(), self.data_dir.clone()));
        }
        let mut queries: Vec<Query> = Vec::new();
        for query in self.queries.clone().unwrap_or_else(|| Query::ALL.map(|q| q.1).to_vec()) {
            if !queries.contains(&query) {
                queries.push(query);
            }
        }
        let step = self.step.unwrap_or(20);
        let (seeds, members, labels) = if self.quick { (3, 8, 200) } else { (5, 16, 400) };
        ActiveLearning {
            out: out.into(),
            sets,
            queries,
            seeds: self.seeds.unwrap_or(seeds),
            members: self.members.unwrap_or(members),
            first: step,
            step,
            labels: self.limit.unwrap_or(labels),
            pool: self.train,
            test: self.test,
        }
    }

    fn implicit_sparsity(&self, out: &Path) -> Result<ImplicitSparsity> {
        let mut options = ImplicitSparsity::new(out.into(), self.quick, self.cifar());
        options.epochs = self.limit.unwrap_or(options.epochs);
        options.seeds = self.seeds.unwrap_or(options.seeds);
        options.samples.0 = self.train.map_or(options.samples.0, |n| n as u32);
        let given = self.lambdas.as_ref().map(|l| l.0.iter().map(|&x| x as f32).collect());
        options.lambdas = given.unwrap_or(options.lambdas);
        if options.lambdas.iter().any(|l| !(*l > 0.0 && *l < 1.0)) {
            return Err(Error::input("--lambdas must be above 0 and below 1"));
        }
        if let Some(network) = &self.network {
            options.network.clone_from(network);
        }
        Ok(options)
    }

    fn images(&self, out: &Path) -> Result<Images> {
        let folders = SETS.into_iter().filter_map(|name| Some((name.to_string(), self.held(name)?)));
        let mut options = Images::new(out, self.quick, folders.collect())?;
        options.activations = self.activations(&options.activations);
        options.tasks.retain(|t| self.is_wanted(&t.to_string()));
        if options.tasks.is_empty() {
            return Err(Error::input("no task's name holds that (CIFAR-10 needs --data-dir)"));
        }
        options.seeds = self.seeds.unwrap_or(options.seeds);
        options.inits = self.inits(options.inits);
        options.rates = self.rates.clone().map_or(options.rates, |r| r.0);
        options.screening = self.screening.unwrap_or(options.screening);
        options.screening_train = self.screening_train.unwrap_or(options.screening_train);
        options.schedule = self.schedule.unwrap_or(options.schedule);
        for task in &mut options.tasks {
            task.test = self.test.unwrap_or(task.test);
            task.epochs = self.limit.unwrap_or(task.epochs);
            task.train = self.train.unwrap_or(task.train);
        }
        Ok(options)
    }
}
