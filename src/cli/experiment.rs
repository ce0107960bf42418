//! `lacuna experiment`

use super::engine::EngineArgs;
use super::print;
use super::progress::Progress;
use clap::{Args, ValueEnum};
use lacuna::experiment::{BettiDecay, Convergence, Images, betti_decay, convergence, images};
use lacuna::nn::{Activation, Compute, Init};
use lacuna::progress::Watch;
use lacuna::{Error, Result};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Steps that activations take to learn sets of known topology, over seeds, each at its best setting of one grid
    Convergence,
    /// Betti numbers of every layer of those networks, and whether they explain the steps (runs `convergence` first, in a folder of that name beside --out)
    BettiDecay,
    /// Epochs that activations take on real images: networks with and without batch norm, plain perceptrons
    Images,
}

/// Sets of images that a folder may hold.
const SETS: [&str; 2] = ["fashion-mnist", "cifar-10"];

#[derive(Clone, Debug, Args)]
pub struct Experiment {
    #[arg(value_enum)]
    name: Name,
    /// A small one that a laptop does in minutes
    #[arg(long)]
    quick: bool,
    /// Folder of the results; what is there already is not run again [default: results/NAME, or results/NAME-quick]
    #[arg(long, short)]
    out: Option<PathBuf>,
    /// Only these activations; the first is the one to compare with
    #[arg(long, value_delimiter = ';', value_name = "A;B;...")]
    activations: Option<Vec<String>>,
    /// Only tasks whose names hold one of these, as 'disks, 10x15;rings'
    #[arg(long, value_delimiter = ';', value_name = "TEXT;TEXT;...")]
    only: Option<Vec<String>>,
    /// Fresh seeds
    #[arg(long)]
    seeds: Option<usize>,
    /// Learning rates of the grid
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    rates: Option<Vec<f64>>,
    /// Initialisations of the grid: own, edge (of chaos), glorot, or variances times fan-in
    #[arg(long, value_delimiter = ',')]
    inits: Option<Vec<String>>,
    /// Steps, or epochs, after which a run is given up
    #[arg(long)]
    limit: Option<usize>,
    /// Training images (of `images`)
    #[arg(long)]
    train: Option<usize>,
    /// Folder with complete data sets (of `images`), each in a folder of its name (fashion-mnist, cifar-10)
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Experiment {
    pub fn run(&self, quiet: bool) -> Result<()> {
        let compute = self.engine.compute(quiet)?;
        let mut progress = Progress::new(quiet);
        let name = self.name.to_possible_value().map_or(String::new(), |v| v.get_name().to_string());
        let folder = format!("{name}{}", if self.quick { "-quick" } else { "" });
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("results").join(folder));
        if let Some(bad) = self.rates.iter().flatten().find(|r| !(**r > 0.0 && r.is_finite())) {
            return Err(Error::input(format!("the learning rate must be a number above 0, not {bad}")));
        }
        self.check()?;
        match self.name {
            Name::Convergence => {
                convergence(&self.convergence(&out)?, &compute, &mut progress)?;
            }
            Name::BettiDecay => self.betti_decay(out.clone(), &compute, &mut progress)?,
            Name::Images => {
                images(&self.images(&out)?, &compute, &mut progress)?;
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
        within("--seeds", self.seeds, 1, 1000)?;
        within("--limit", self.limit, 1, 1_000_000)?;
        within("--train", self.train, 10, 10_000_000)?;
        let refuse = |given: bool, what: &str, name: &str| {
            if given { Err(Error::input(format!("{what} does not apply to {name}"))) } else { Ok(()) }
        };
        if self.name == Name::Images {
            if let Some(dir) = self.data_dir.as_ref().filter(|d| !SETS.iter().any(|s| d.join(s).is_dir())) {
                return Err(Error::input(format!("{} holds none of the folders {}", dir.display(), SETS.join(", "))));
            }
            return Ok(());
        }
        refuse(self.train.is_some(), "--train", "generated points")?;
        refuse(self.data_dir.is_some(), "--data-dir", "generated points")
    }

    fn is_wanted(&self, task: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|text| task.contains(text.trim_start())))
    }

    fn inits(&self, default: Vec<Init>) -> Result<Vec<Init>> {
        self.inits.as_ref().map_or(Ok(default), |inits| inits.iter().map(|i| Init::parse(i)).collect())
    }

    fn activations(&self, default: Vec<Activation>) -> Result<Vec<Activation>> {
        let Some(names) = &self.activations else { return Ok(default) };
        let mut all: Vec<Activation> = Vec::new();
        for name in names {
            let activation = Activation::parse(name.trim())?;
            if !all.contains(&activation) {
                all.push(activation);
            }
        }
        Ok(all)
    }

    fn convergence(&self, out: &Path) -> Result<Convergence> {
        let mut options = Convergence::new(out, self.quick)?;
        options.activations = self.activations(options.activations)?;
        options.tasks.retain(|t| self.is_wanted(&t.to_string()));
        if options.tasks.is_empty() {
            return Err(Error::input(
                "no task's name holds that; the tasks are disks, rings, spheres, disks:75 and rings:38 with depth and width, as 'disks, 10x15'",
            ));
        }
        options.fresh = self.seeds.unwrap_or(options.fresh);
        options.rates = self.rates.clone().unwrap_or(options.rates);
        options.inits = self.inits(options.inits)?;
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

    fn images(&self, out: &Path) -> Result<Images> {
        let folders = self.data_dir.iter().flat_map(|dir| SETS.map(|n| (n.to_string(), dir.join(n))));
        let mut options = Images::new(out, self.quick, folders.filter(|f| f.1.is_dir()).collect())?;
        options.activations = self.activations(options.activations)?;
        options.tasks.retain(|t| self.is_wanted(&t.to_string()));
        if options.tasks.is_empty() {
            return Err(Error::input("no task's name holds that (CIFAR-10 needs --data-dir)"));
        }
        options.seeds = self.seeds.unwrap_or(options.seeds);
        options.inits = self.inits(options.inits)?;
        options.rates = self.rates.clone().unwrap_or(options.rates);
        for task in &mut options.tasks {
            task.epochs = self.limit.unwrap_or(task.epochs);
            task.train = self.train.unwrap_or(task.train);
        }
        Ok(options)
    }
}
