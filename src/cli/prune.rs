//! `lacuna prune`

use super::choice::one_of;
use super::engine::EngineArgs;
use super::list::Numbers;
use super::progress::Progress;
use super::{print, print_json};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ValueEnum};
use lacuna::data::lock_folder;
use lacuna::progress::Watch;
use lacuna::prune::{
    Aim, BettiDimension, Budget, CRITERIA, Cloud, Compensation, Criterion, CriterionRecord, Curve, FilterPoints, Limits, Plan,
    Reading, Recover, Recovery, Rule, Scale, Schedule, Sensitivity, Shares, prune_run, resume_prune, sensitivity,
};
use lacuna::report::Picture;
use lacuna::train::Run;
use lacuna::{Error, Result};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dimension {
    #[value(name = "0")]
    Zero,
    #[value(name = "1")]
    One,
    Sum,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReadBy {
    /// Its maps behind the activation
    After,
    /// Its maps before the activation
    Before,
    /// The maps of all other filters of its layer
    Others,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PointsBy {
    /// A point for each filter: its weights
    Weights,
    /// A point for each filter: the direction of its weights
    Directions,
    /// A point for each filter: its maps of some samples
    Maps,
    /// A point for each sample: what the next layers give once they are refitted
    Refitted,
}

/// The names of all criteria, each with what it is.
fn criteria() -> PossibleValuesParser {
    PossibleValuesParser::new(CRITERIA.iter().map(|c| PossibleValue::new(c.name).help(c.about)))
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShareBy {
    /// Every layer loses the same share
    Same,
    /// Filter by filter, the least effect for what is saved first
    Effect,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum When {
    /// All at once
    OneShot,
    /// In equal steps, with training between
    Linear,
    /// In steps that become smaller
    Cubic,
    /// Set to zero after every epoch, cut at the end
    Soft,
}

/// What to prune by, and its options.
#[derive(Clone, Debug, Args)]
pub struct CriterionArgs {
    /// Samples that criteria look at; points of each filter's cloud [default: 512]
    #[arg(long)]
    samples: Option<usize>,
    /// Which Betti number [default: sum]
    #[arg(long, value_enum)]
    betti: Option<Dimension>,
    /// Scale of the Betti numbers, a distance between activations [default: chosen per layer]
    #[arg(long, conflicts_with = "hops")]
    scale: Option<f32>,
    /// The scale as a quantile, from 0 to 1, of the lengths at which components merge in a layer's
    /// typical filter [default: the median]
    #[arg(long, conflicts_with_all = ["scale", "hops"], value_name = "Q")]
    quantile: Option<f64>,
    /// What a filter's points are [default: after]
    #[arg(long, value_enum)]
    reading: Option<ReadBy>,
    /// Betti numbers by steps in the graph of K nearest neighbours
    #[arg(long, value_name = "K")]
    hops: Option<usize>,
    /// A cloud for each class, and the mean over classes
    #[arg(long)]
    per_class: bool,
    /// Chromosomes or states of a search [default: 32, of energy 8]
    #[arg(long)]
    population: Option<usize>,
    /// Generations of a search [default: 30 per layer, of energy 50]
    #[arg(long)]
    generations: Option<usize>,
    /// Points of the topological search [default: weights]
    #[arg(long, value_enum)]
    points: Option<PointsBy>,
    /// What `barcode` keeps of the samples' answers: their barcode of components (barcode) or of
    /// loops (loops), the edges where classes merge (seams), or the logits themselves (logits), the
    /// control without topology. Or what it keeps of inner layers: the barcode of components in
    /// each layer that reads the filters (layers), or the layer's outputs themselves (outputs), the
    /// control of that [default: barcode]
    #[arg(long, value_parser = one_of::<Aim>(Aim::ALL.map(|(name, _)| name)))]
    aim: Option<Aim>,
    /// With --by barcode and a compensation, choose filters that one layer alone reads when the
    /// compensation comes to that layer
    #[arg(long)]
    joint: bool,
}

impl CriterionArgs {
    /// The settings that are given.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.samples.is_some(), "samples"),
            (self.betti.is_some(), "betti"),
            (self.scale.is_some(), "scale"),
            (self.quantile.is_some(), "quantile"),
            (self.reading.is_some(), "reading"),
            (self.hops.is_some(), "hops"),
            (self.per_class, "per-class"),
            (self.population.is_some(), "population"),
            (self.generations.is_some(), "generations"),
            (self.points.is_some(), "points"),
            (self.aim.is_some(), "aim"),
            (self.joint, "joint"),
        ];
        all.into_iter().filter(|(given, _)| *given).map(|(_, name)| name)
    }

    /// Whether a criterion takes a setting.
    fn takes(&self, criterion: &str, setting: &str) -> bool {
        let looks = matches!(self.points, Some(PointsBy::Maps | PointsBy::Refitted)) && criterion == "topological";
        let record = CriterionRecord::of(criterion);
        record.is_some_and(|r| r.settings.contains(&setting)) || setting == "samples" && looks
    }

    /// An error for an option that none of the criteria takes.
    pub fn check_for(&self, names: &[String]) -> Result<()> {
        let base = |name: &String| name.split(':').next().unwrap_or(name).to_string();
        match self.given().find(|setting| !names.iter().any(|n| self.takes(&base(n), setting))) {
            Some(setting) => Err(Error::input(format!("--{setting} applies to none of the criteria"))),
            None => Ok(()),
        }
    }

    /// As [`CriterionArgs::criterion`], where options for other criteria are passed over.
    pub fn for_one_of_many(&self, name: &str, most: usize) -> Result<Criterion> {
        let takes = |setting: &str| self.takes(name, setting);
        let some = Self {
            samples: self.samples.filter(|_| takes("samples")),
            betti: self.betti.filter(|_| takes("betti")),
            scale: self.scale.filter(|_| takes("scale")),
            quantile: self.quantile.filter(|_| takes("quantile")),
            reading: self.reading.filter(|_| takes("reading")),
            hops: self.hops.filter(|_| takes("hops")),
            per_class: self.per_class && takes("per-class"),
            population: self.population.filter(|_| takes("population")),
            generations: self.generations.filter(|_| takes("generations")),
            points: self.points.filter(|_| takes("points")),
            aim: self.aim.filter(|_| takes("aim")),
            joint: self.joint && takes("joint"),
        };
        some.criterion(name, 0, most)
    }

    /// The criterion of a name with these options; `most` samples can be had.
    pub fn criterion(&self, name: &str, seed: u64, most: usize) -> Result<Criterion> {
        let mut criterion = Criterion::named(name, self.samples.unwrap_or(most.min(512)), seed)?;
        if let (Criterion::SamplesBarcode(options), Some(samples)) = (&mut criterion, self.samples) {
            options.samples = samples;
        }
        if let Some(setting) = self.given().find(|setting| !self.takes(name, setting)) {
            return Err(Error::input(format!("--{setting} does not apply to --by {name}")));
        }
        match &mut criterion {
            Criterion::Betti(options) => {
                options.dimension = match self.betti {
                    Some(Dimension::Zero) => BettiDimension::Zero,
                    Some(Dimension::One) => BettiDimension::One,
                    Some(Dimension::Sum) | None => BettiDimension::Sum,
                };
                options.scale = match self.scale {
                    Some(s) if !(s >= 0.0 && s.is_finite()) => return Err(Error::input("the scale must be a number, 0 or more")),
                    Some(s) => Scale::Given(s),
                    None => self.quantile.map_or(Scale::LayerMedian, Scale::Quantile),
                };
                options.reading = match self.reading {
                    None | Some(ReadBy::After) => Reading::After,
                    Some(ReadBy::Before) => Reading::Before,
                    Some(ReadBy::Others) => Reading::Others,
                };
                options.cloud = self.hops.map_or(Cloud::Euclidean, |k| Cloud::Hops { k });
                options.per_class = self.per_class;
            }
            Criterion::Topological(options) => {
                options.population = self.population.unwrap_or(options.population);
                options.generations = self.generations.unwrap_or(options.generations);
                let samples = |usual: usize| self.samples.unwrap_or(most.min(usual));
                options.points = match self.points {
                    None | Some(PointsBy::Weights) => FilterPoints::Weights,
                    Some(PointsBy::Directions) => FilterPoints::Directions,
                    Some(PointsBy::Maps) => FilterPoints::Maps { samples: samples(512) },
                    Some(PointsBy::Refitted) => FilterPoints::Refitted { samples: samples(FilterPoints::REFITTED) },
                };
            }
            Criterion::Barcode(options) => {
                options.joint = self.joint;
                options.aim = self.aim.unwrap_or(options.aim);
            }
            Criterion::Energy(options) => {
                options.population = self.population.unwrap_or(options.population);
                options.generations = self.generations.unwrap_or(options.generations);
            }
            _ => {}
        }
        criterion.check_samples(most)?;
        Ok(criterion)
    }
}

/// Which filters stay in any case.
#[derive(Clone, Debug, Args)]
pub struct LimitArgs {
    /// Layers that stay whole, by the names of their convolutions or the beginnings of these
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Shares of single layers, as features.0=0.3
    #[arg(long, value_name = "NAME=SHARE", value_delimiter = ',')]
    layer_ratio: Vec<String>,
    /// Filters that every layer keeps
    #[arg(long, default_value_t = 1, value_name = "N")]
    min_filters: usize,
    /// Leave the filters whole that residual additions couple
    #[arg(long)]
    inner: bool,
}

impl LimitArgs {
    pub fn limits(&self) -> Result<Limits> {
        let pair = |text: &String| {
            let parsed = text.split_once('=').and_then(|(name, share)| Some((name.to_string(), share.trim().parse().ok()?)));
            parsed.ok_or_else(|| Error::input(format!("--layer-ratio '{text}': write it as NAME=SHARE, as features.0=0.3")))
        };
        Ok(Limits {
            ignore: self.ignore.clone(),
            ratios: self.layer_ratio.iter().map(pair).collect::<Result<_>>()?,
            minimum: self.min_filters,
            coupled: !self.inner,
        })
    }
}

/// How what is left is fitted to the whole network.
#[derive(Clone, Debug, Args)]
pub struct CompensateArgs {
    /// After the cut, fit the weights that are left to what the whole network gives for so many
    /// training images, without labels [default: 512 where the samples are images; 0 fits nothing]
    #[arg(long, value_name = "IMAGES")]
    compensate: Option<usize>,
    /// Pull towards the weights that are there [default: 0.1]
    #[arg(long)]
    ridge: Option<f64>,
    /// Places of each image at which a convolution is fitted [default: 32]
    #[arg(long, value_name = "N")]
    places: Option<usize>,
}

impl CompensateArgs {
    /// Whether any of them is given.
    pub fn is_given(&self) -> bool {
        self.compensate.is_some() || self.ridge.is_some() || self.places.is_some()
    }

    /// What they say for samples of a shape, of which there are `most`.
    pub fn compensation(&self, shape: &[usize], most: usize, seed: u64) -> Result<Option<Compensation>> {
        let usual = Compensation::default();
        let images = match self.compensate {
            Some(0) => {
                for (given, option) in [(self.ridge.is_some(), "--ridge"), (self.places.is_some(), "--places")] {
                    if given {
                        return Err(Error::input(format!("{option} is for a compensation, which --compensate 0 turns off")));
                    }
                }
                return Ok(None);
            }
            Some(images) if images < 2 || images > most => {
                return Err(Error::input(format!("--compensate {images}: between 2 and {most} training images can be had")));
            }
            Some(images) => images,
            None if shape.len() == 3 => usual.images.min(most),
            None => return Ok(None),
        };
        let (ridge, places) = (self.ridge.unwrap_or(usual.ridge), self.places.unwrap_or(usual.places));
        let found = Compensation { images, places, ridge, seed };
        found.check()?;
        Ok(Some(found))
    }
}

/// How a network learns after a cut.
#[derive(Clone, Debug, Args)]
pub struct RecoveryArgs {
    /// Learn the whole network's answers in place of the labels, gently: norms keep their
    /// statistics, SGD with a rate that falls to 0 [default after a compensation]
    #[arg(long, conflicts_with = "as_trained")]
    distill: bool,
    /// Learn gently from the labels
    #[arg(long, conflicts_with_all = ["as_trained", "distill"])]
    labels: bool,
    /// Learn as the run was trained: its optimiser at its rate, norms measured batch by batch
    /// [default without a compensation]
    #[arg(long)]
    as_trained: bool,
    /// Learning rate that a gentle recovery begins with [default: 0.001]
    #[arg(long, value_name = "RATE", conflicts_with = "as_trained")]
    recover_rate: Option<f64>,
}

impl RecoveryArgs {
    /// An error if a way to learn is given where nothing is to be learnt.
    fn refuse_without_training(&self) -> Result<()> {
        for (given, option) in [
            (self.distill, "--distill"),
            (self.labels, "--labels"),
            (self.as_trained, "--as-trained"),
            (self.recover_rate.is_some(), "--recover-rate"),
        ] {
            if given {
                return Err(Error::input(format!(
                    "{option} says how to learn after the cut: give --recover EPOCHS or --recover-steps STEPS"
                )));
            }
        }
        Ok(())
    }

    /// What they say after a cut that is compensated or not.
    pub fn recovery(&self, compensated: bool) -> Option<Recovery> {
        let usual = Recovery::default();
        let gentle = self.distill || self.labels || self.recover_rate.is_some() || (compensated && !self.as_trained);
        gentle.then(|| Recovery { rate: self.recover_rate.unwrap_or(usual.rate), distill: !self.labels })
    }
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  lacuna prune runs/a --target macs=0.5 --out runs/b\n  lacuna prune runs/a --by barcode --ratio 0.5 --recover-steps 30 --out runs/e"
)]
pub struct Prune {
    /// Folder of the trained run
    run: PathBuf,
    /// Folder for the smaller one
    #[arg(long, short)]
    out: PathBuf,
    /// Replace the run that is in --out
    #[arg(long, conflicts_with_all = ["resume", "sensitivity"])]
    force: bool,
    /// What a filter is worth
    #[arg(long, default_value = "effect", value_parser = criteria())]
    by: String,
    /// Remove filters whose score is above this [default for betti: 300]
    #[arg(long, conflicts_with_all = ["ratio", "below", "global"])]
    above: Option<f64>,
    /// Remove filters whose score is below this [default for bn-scale: 0.001; for energy what the
    /// search found]
    #[arg(long, conflicts_with_all = ["ratio", "global"])]
    below: Option<f64>,
    /// Remove this share of every layer's filters, the worst first [default for the others: 0.5]
    #[arg(long, conflicts_with = "global")]
    ratio: Option<f64>,
    /// Remove this share of all filters, the worst of the network first (scores over their layer's
    /// mean, but for bn-scale, apoz, taylor and effect)
    #[arg(long)]
    global: Option<f64>,
    /// Remove filters until this share of the cost is left, macs=0.5 or parameters=0.3, or until a
    /// batch of 64 samples takes so long on this machine: latency=5ms
    #[arg(long, value_name = "COST=LIMIT", conflicts_with_all = ["above", "below", "ratio", "global"])]
    target: Option<String>,
    /// How a --target is shared among the layers: the same share of each, or filter by filter where
    /// the effect on the answers is least for what is saved, which is better in deep networks and
    /// worse in shallow ones
    #[arg(long, value_enum, requires = "target")]
    shares: Option<ShareBy>,
    /// Remove the best in place of the worst, as a control
    #[arg(long)]
    reverse: bool,
    /// Keep a multiple of this many filters per layer
    #[arg(long, default_value_t = 1, value_name = "K")]
    round_to: usize,
    #[command(flatten)]
    limits: LimitArgs,
    /// When filters go; with linear and cubic the default is --ratio 0.5
    #[arg(long, value_enum, default_value = "one-shot")]
    schedule: When,
    /// Steps of a linear or cubic schedule [default: 3]
    #[arg(long)]
    steps: Option<usize>,
    /// Epochs of training between steps, or of a soft schedule [default: 1]
    #[arg(long, value_name = "EPOCHS")]
    between: Option<usize>,
    #[command(flatten)]
    compensate: CompensateArgs,
    /// Epochs of training after the cut
    #[arg(long, default_value_t = 0, value_name = "EPOCHS")]
    recover: usize,
    /// Steps of gentle training after the cut, of 128 images each
    #[arg(long, value_name = "STEPS", conflicts_with_all = ["recover", "as_trained"])]
    recover_steps: Option<usize>,
    #[command(flatten)]
    recovery: RecoveryArgs,
    #[command(flatten)]
    criterion: CriterionArgs,
    /// Decides what is left to chance [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// In place of pruning: the accuracy when each layer alone loses a share, into sensitivity.csv
    /// and .svg
    #[arg(long, conflicts_with_all = ["above", "below", "ratio", "global", "target", "recover", "recover_steps", "RecoveryArgs", "resume"])]
    sensitivity: bool,
    /// Shares for --sensitivity, as 0.1..0.9 (steps of 0.1) or a list
    #[arg(long, requires = "sensitivity", value_name = "NUMBERS", default_value = "0.1..0.9")]
    ratios: Numbers,
    /// Test images for --sensitivity [default: all]
    #[arg(long, requires = "sensitivity", value_name = "N")]
    test: Option<usize>,
    /// Go on with a recovery that was interrupted, by its own options
    #[arg(long, conflicts_with_all = [
        "CriterionArgs", "LimitArgs", "CompensateArgs", "RecoveryArgs", "by", "above", "below", "ratio", "global", "target", "shares",
        "reverse", "round_to", "schedule", "steps", "between", "recover", "recover_steps", "seed",
    ])]
    resume: bool,
    /// Print prune.json instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Shares that are all possible.
pub fn shares(numbers: &Numbers) -> Result<Vec<f64>> {
    if numbers.0.iter().any(|r| !(0.0..1.0).contains(r)) {
        return Err(Error::input("shares must be at least 0 and below 1: every layer keeps a filter"));
    }
    Ok(numbers.0.clone())
}

impl Prune {
    /// What `--target` says.
    fn target(&self) -> Result<Option<Rule>> {
        let Some(text) = &self.target else { return Ok(None) };
        let bad = || {
            Error::input(format!(
                "--target '{text}': write it as macs=0.5 or parameters=0.3, the share that is to be left, or latency=5ms"
            ))
        };
        let (what, share) = text.split_once('=').ok_or_else(bad)?;
        let shares = match self.shares {
            Some(ShareBy::Effect) => Shares::Effect,
            Some(ShareBy::Same) | None => Shares::Same,
        };
        if what.trim() == "latency" {
            let ms = share.trim().strip_suffix("ms").and_then(|ms| ms.trim().parse().ok()).ok_or_else(bad)?;
            return Ok(Some(Rule::Latency { ms, shares }));
        }
        let budget = [Budget::Macs, Budget::Parameters].into_iter().find(|b| b.name() == what.trim()).ok_or_else(bad)?;
        let share = share.trim().parse().map_err(|_| bad())?;
        Ok(Some(Rule::Target { budget, share, shares }))
    }

    fn plan(&self, shape: &[usize], most: usize) -> Result<Plan> {
        let seed = self.seed.unwrap_or(0);
        let criterion = self.criterion.criterion(&self.by, seed, most)?;
        let compensate = self.compensate.compensation(shape, most, seed)?;
        if self.seed.is_some() && !criterion.is_seeded() && compensate.is_none() {
            return Err(Error::input(format!("--seed does not apply to --by {}", self.by)));
        }
        if self.criterion.joint && (compensate.is_none() || self.reverse) {
            return Err(Error::input("--joint chooses in the middle of a compensation, and has no reverse"));
        }
        let target = self.target()?;
        let rule = match (self.above, self.below, self.ratio, self.global) {
            (Some(limit), ..) => Rule::Above(limit),
            (_, Some(limit), ..) => Rule::Below(limit),
            (_, _, Some(ratio), _) => Rule::Ratio(ratio),
            (.., Some(ratio)) => Rule::Global(ratio),
            _ if target.is_some() => target.unwrap_or(Rule::Ratio(0.5)),
            _ => match (&criterion, self.schedule) {
                (criterion, When::OneShot | When::Soft) => criterion.record().usual.unwrap_or(Rule::Ratio(0.5)),
                _ => Rule::Ratio(0.5),
            },
        };
        let refuse = |given: bool, what: &str| {
            if given { Err(Error::input(format!("{what} does not apply to this schedule"))) } else { Ok(()) }
        };
        let (steps, between) = (self.steps.unwrap_or(3), self.between.unwrap_or(1));
        let schedule = match self.schedule {
            When::OneShot => {
                refuse(self.between.is_some(), "--between")?;
                refuse(self.steps.is_some(), "--steps")?;
                Schedule::OneShot
            }
            When::Linear => Schedule::Iterative { steps, curve: Curve::Linear, between },
            When::Cubic => Schedule::Iterative { steps, curve: Curve::Cubic, between },
            When::Soft => {
                refuse(self.steps.is_some(), "--steps")?;
                Schedule::Soft { epochs: between }
            }
        };
        let limits = self.limits.limits()?;
        let recover = self.recover_steps.map_or(Recover::Epochs(self.recover), |steps| Recover::Steps { steps });
        let recovery = self.recovery.recovery(compensate.is_some() || self.recover_steps.is_some());
        if recover.is_none() && !matches!(schedule, Schedule::Iterative { between: 1.., .. }) {
            self.recovery.refuse_without_training()?;
        }
        let (round_to, reverse) = (self.round_to, self.reverse);
        Ok(Plan { criterion, rule, round_to, recover, recovery, compensate, limits, schedule, reverse })
    }

    fn sensitivity(&self, run: &Run, quiet: bool) -> Result<()> {
        let mut data = run.data()?;
        let criterion = self.criterion.criterion(&self.by, self.seed.unwrap_or(0), data.train.len())?;
        for (given, option) in [
            (self.round_to != 1, "--round-to"),
            (!self.limits.layer_ratio.is_empty(), "--layer-ratio"),
            (!matches!(self.schedule, When::OneShot), "--schedule"),
            (self.steps.is_some(), "--steps"),
            (self.between.is_some(), "--between"),
            (self.seed.is_some() && !criterion.is_seeded(), "--seed"),
        ] {
            if given {
                return Err(Error::input(format!("{option} does not apply to --sensitivity by {}", self.by)));
            }
        }
        let compensate = self.compensate.compensation(&data.train.shape, data.train.len(), self.seed.unwrap_or(0))?;
        let plan = Plan { limits: self.limits.limits()?, reverse: self.reverse, compensate, ..Plan::ratio(criterion, 0.5) };
        let ratios = shares(&self.ratios)?;
        if let Some(most) = self.test {
            data = data.with_at_most(data.train.len(), most, 0);
        }
        let compute = self.engine.compute(quiet)?;
        let mut progress = Progress::new(quiet);
        let found: Sensitivity = sensitivity(run, &plan, &ratios, &self.out, &data, &compute, &mut progress)?;
        drop(progress);
        if self.json {
            return print_json(&found);
        }
        print(&found.table().markdown())
    }

    pub fn run(&self, quiet: bool) -> Result<()> {
        let run = Run::open(&self.run)?;
        let _lock = lock_folder(&self.out)?;
        if self.sensitivity {
            return self.sensitivity(&run, quiet);
        }
        if run.config.settings.private.is_some() {
            Progress::new(quiet).note(
                "this run was trained privately; what pruning measures on training samples, fits to them or learns from them is not \
                 covered by its epsilon",
            );
        }
        let (outcome, progress) = if self.resume {
            let compute = self.engine.compute(quiet)?;
            let mut progress = Progress::new(quiet);
            (resume_prune(&run, &self.out, &compute, &mut progress).map_err(super::resumable)?.0, progress)
        } else {
            let data = run.data()?;
            let plan = self.plan(&data.train.shape, data.train.len())?;
            let compute = self.engine.compute(quiet)?;
            if self.force {
                if run.folder.canonicalize().ok() == self.out.canonicalize().ok() {
                    return Err(Error::input("the run to be pruned and --out are the same"));
                }
                Run::remove(&self.out)?;
            }
            let mut progress = Progress::new(quiet);
            let found = prune_run(&run, &plan, &self.out, &data, &compute, &mut progress);
            // Before the cut is through there is no run that could be resumed.
            let found = if Run::open(&self.out).is_ok() { found.map_err(super::resumable) } else { found };
            (found?.0, progress)
        };
        drop(progress);
        outcome.filters_picture().save(&self.out.join("filters.svg"))?;
        if self.json {
            return print_json(&outcome);
        }
        print(&format!("{}\n\n{}\n{}", outcome.summary(), outcome.layer_table().markdown(), outcome.cost_table().markdown()))
    }
}
