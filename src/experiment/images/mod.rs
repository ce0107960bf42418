//! Activations on real images, in mini-batches: convolutional networks with and without batch norm,
//! published networks, and plain perceptrons of several depths.
//!
//! Every activation tries each initialisation and learning rate of one grid with some screening
//! seeds, on all training images or on a part of them. What had the best median test accuracy at
//! the end is kept, and fresh seeds train with it; only they count. What counts is how many epochs,
//! and how many seconds, it takes to the accuracy that the first activation (ReLU) ends with.
//! Seconds of an epoch are measured last, for all activations in turns, so that a busy machine is
//! busy for all.

mod report;

use super::ledger::{Ledger, same, same_data, same_engine};
use super::stats::median;
use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::nn::{Activation, Arch, Compute, Init, Net, zoo};
use crate::progress::{Unwatched, Watch};
use crate::train::{Optimiser, RateSchedule, Settings, Trainer, accuracy, load_data};
use report::report;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Fresh seeds begin here.
const FRESH: u64 = 100;
/// Images of a step.
const BATCH: usize = 64;
/// Steps that are timed at once, and how often.
const PACE: (usize, usize) = (15, 7);

/// A network and what it learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageTask {
    /// Name of the set.
    pub data: String,
    /// At most so many training images, ...
    pub train: usize,
    /// ... and test images.
    pub test: usize,
    /// A network of [`zoo::NAMES`], in place of all that follows but the epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Filters of the convolution blocks; none is a perceptron.
    pub filters: Vec<usize>,
    /// Whether batch norm follows each convolution.
    pub norm: bool,
    /// Linear layers of a perceptron.
    pub depth: usize,
    /// Numbers between a perceptron's layers, or in the hidden layer.
    pub width: usize,
    /// Epochs.
    pub epochs: usize,
}

impl std::fmt::Display for ImageTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(network) = &self.network {
            return write!(f, "{}, {network}", self.data);
        }
        if self.filters.is_empty() {
            return write!(f, "{}, perceptron {}x{}", self.data, self.depth, self.width);
        }
        let filters: Vec<String> = self.filters.iter().map(ToString::to_string).collect();
        write!(f, "{}, cnn {} {} batch norm", self.data, filters.join("-"), if self.norm { "with" } else { "without" })
    }
}

/// What to compare.
#[derive(Clone, Debug)]
pub struct Images {
    /// Folder of the results; an experiment that is there goes on.
    pub out: PathBuf,
    /// Folder of a complete data set, by the set's name; what is missing is the bundled part, or
    /// left out.
    pub folders: Vec<(String, PathBuf)>,
    /// Networks and sets.
    pub tasks: Vec<ImageTask>,
    /// The activations; the first is the one that the others are compared with.
    pub activations: Vec<Activation>,
    /// Learning rates of the grid.
    pub rates: Vec<f64>,
    /// Initialisations of the grid.
    pub inits: Vec<Init>,
    /// The course of every learning rate.
    pub schedule: RateSchedule,
    /// Seeds that try every setting of the grid, ...
    pub screening: usize,
    /// ... on at most so many training images.
    pub screening_train: usize,
    /// Fresh seeds of each activation.
    pub seeds: usize,
}

impl Images {
    /// A quick one for a laptop, on what is bundled, or all of it.
    ///
    /// # Errors
    /// None in fact: the names are of the table.
    pub fn new(out: &Path, quick: bool, folders: Vec<(String, PathBuf)>) -> Result<Self> {
        let all = usize::MAX;
        let (train, test, epochs) = if quick { (3000, 4000, 4) } else { (all, all, 10) };
        let task = |data: &str| {
            let (data, network, filters) = (data.to_string(), None, Vec::new());
            ImageTask { data, train, test, network, filters, norm: false, depth: 0, width: 64, epochs }
        };
        let cnn = |data: &str, filters: &[usize], norm| ImageTask { filters: filters.to_vec(), norm, ..task(data) };
        let plain = |depth| ImageTask { depth, ..task("fashion-mnist") };
        let has = |name: &str| folders.iter().any(|f| f.0 == name || (f.0 == "cifar-10" && name == "cat-vs-dog"));
        let mut tasks = [true, false].map(|norm| cnn("fashion-mnist", &[16, 32], norm)).to_vec();
        if !quick {
            for data in ["cifar-10", "cat-vs-dog"].into_iter().filter(|d| has(d)) {
                tasks.extend([true, false].map(|norm| cnn(data, &[16, 32], norm)));
            }
            if has("cifar-10") {
                tasks.push(cnn("cifar-10", &[32, 64, 128], true));
                tasks.push(ImageTask { network: Some("resnet20".into()), ..task("cifar-10") });
            }
        }
        tasks.extend(if quick { vec![10] } else { vec![5, 10, 20, 30] }.into_iter().map(plain));
        let names = ["relu", "relu-normalised", "fold:0.2,1", "cabs", "fold:0.2,0", "tanh", "gelu", "swish"];
        let names = if quick { &names[..4] } else { &names[..] };
        Ok(Self {
            out: out.into(),
            folders,
            tasks,
            activations: names.iter().map(|n| Activation::parse(n)).collect::<Result<_>>()?,
            rates: if quick { vec![0.0005, 0.002] } else { vec![0.0005, 0.001, 0.002, 0.004] },
            inits: vec![Init::Own, Init::Edge],
            schedule: RateSchedule::Constant,
            screening: if quick { 1 } else { 3 },
            screening_train: if quick { all } else { 10_000 },
            seeds: if quick { 1 } else { 3 },
        })
    }

    /// The initialisations that an activation tries: where two draw the same weights, the first.
    fn inits_of(&self, activation: &Activation) -> Vec<Init> {
        let mut kept: Vec<Init> = Vec::new();
        for init in &self.inits {
            if !kept.iter().any(|k| k.draws_like(*init, activation)) {
                kept.push(*init);
            }
        }
        kept
    }

    /// All settings that an activation tries.
    fn grid(&self, activation: &Activation) -> impl Iterator<Item = (Init, f64)> {
        self.inits_of(activation).into_iter().flat_map(|init| self.rates.iter().map(move |&rate| (init, rate)))
    }

    /// What the screening seeds learn in place of a task.
    fn screened(&self, task: &ImageTask) -> ImageTask {
        ImageTask { train: task.train.min(self.screening_train), ..task.clone() }
    }

    /// The setting of the grid whose screening seeds have the best median of last accuracies, once
    /// all of them have run.
    fn chosen(&self, rows: &[ImageRow], task: &ImageTask, activation: &Activation) -> Option<(Init, f64)> {
        Some(self.best_of(self.grid(activation), rows, task, activation)?.0)
    }

    /// The best of some settings in the same sense, and the runs of its screening seeds.
    fn best_of<'a>(
        &self,
        settings: impl Iterator<Item = (Init, f64)>,
        rows: &'a [ImageRow],
        task: &ImageTask,
        activation: &Activation,
    ) -> Option<((Init, f64), Vec<&'a ImageRow>)> {
        let screened = self.screened(task);
        let mut best: Option<(f64, (Init, f64), Vec<&ImageRow>)> = None;
        for setting in settings {
            let cell = self.cell(&screened, activation, setting);
            let runs: Vec<&ImageRow> = (0..self.screening as u64).filter_map(|seed| cell.find(rows, seed)).collect();
            if runs.len() < self.screening {
                return None;
            }
            let last = median(&runs.iter().map(|r| r.last()).collect::<Vec<_>>());
            if best.as_ref().is_none_or(|b| last > b.0) {
                best = Some((last, setting, runs));
            }
        }
        best.map(|(_, setting, runs)| (setting, runs))
    }

    fn cell(&self, task: &ImageTask, activation: &Activation, (init, rate): (Init, f64)) -> Cell {
        Cell { task: task.clone(), activation: activation.clone(), init, rate, schedule: self.schedule }
    }

    /// The runs of an activation's fresh seeds at what was chosen for it.
    fn fresh<'a>(&self, rows: &'a [ImageRow], task: &ImageTask, activation: &Activation) -> Vec<&'a ImageRow> {
        let Some(setting) = self.chosen(rows, task, activation) else { return Vec::new() };
        let cell = self.cell(task, activation, setting);
        (0..self.seeds as u64).filter_map(|seed| cell.find(rows, FRESH + seed)).collect()
    }
}

/// What a run is told apart by, but for its seed.
struct Cell {
    task: ImageTask,
    activation: Activation,
    init: Init,
    rate: f64,
    schedule: RateSchedule,
}

impl Cell {
    /// The run of a seed. One whose initialisation has another name and draws the same weights is
    /// as good.
    fn find<'a>(&self, rows: &'a [ImageRow], seed: u64) -> Option<&'a ImageRow> {
        rows.iter().find(|r| {
            let same_kind = r.task == self.task && r.activation == self.activation && r.schedule == self.schedule;
            same_kind && r.init.draws_like(self.init, &r.activation) && same(r.rate, self.rate) && r.seed == seed
        })
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageRow {
    /// What was learnt.
    pub task: ImageTask,
    /// By what.
    pub activation: Activation,
    /// How weights were drawn.
    #[serde(default)]
    pub init: Init,
    /// Learning rate of Adam.
    pub rate: f64,
    /// Its course.
    #[serde(default, skip_serializing_if = "RateSchedule::is_constant")]
    pub schedule: RateSchedule,
    /// Draws weights and the order of the images.
    pub seed: u64,
    /// Share of right answers on the test images after each epoch.
    pub test: Vec<f64>,
    /// On the training images, while each epoch went on.
    pub train: Vec<f64>,
    /// Epoch in which the loss left the numbers.
    pub diverged: Option<usize>,
    /// Seconds of training.
    pub seconds: f64,
}

impl ImageRow {
    fn last(&self) -> f64 {
        // A run whose loss left the numbers has learnt nothing.
        if self.diverged.is_some() { 0.0 } else { self.test.last().copied().unwrap_or(0.0) }
    }

    /// Epochs until the test accuracy was that high, with the straight line between two epochs.
    fn epochs_to(&self, accuracy: f64) -> Option<f64> {
        let at = self.test.iter().position(|a| *a >= accuracy)?;
        let before = if at == 0 { 0.0 } else { self.test[at - 1] };
        Some(at as f64 + (accuracy - before) / (self.test[at] - before).max(1e-12))
    }
}

/// The time of a step, measured for all activations in turns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PaceRow {
    task: ImageTask,
    activation: Activation,
    /// Seconds of a step, the median of some measurements.
    step: f64,
}

/// Runs what is missing; writes images.jsonl, paces.jsonl, report.md, report.html and pictures.
///
/// # Errors
/// [`Error::Interrupted`] when stopped, with all finished runs kept; [`Error::Io`]; as
/// [`load_data`].
pub fn images(options: &Images, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<ImageRow>> {
    same_engine(&options.out, compute)?;
    let mut ledger = Ledger::<ImageRow>::open(&options.out.join("images.jsonl"))?;
    let mut paces = Ledger::<PaceRow>::open(&options.out.join("paces.jsonl"))?;
    let mut tasks = Vec::new();
    for task in &options.tasks {
        let own = if task.data == "cat-vs-dog" { "cifar-10" } else { &task.data };
        let folder = options.folders.iter().find(|f| f.0 == own).map(|f| f.1.as_path());
        let data = load_data(&task.data, folder, 0)?;
        let has_runs = ledger.rows.iter().any(|r| r.task.data == task.data);
        same_data(&options.out, &task.data, data.fingerprint(), has_runs, watch)?;
        let data = data.with_at_most(task.train, task.test, 0);
        // What there really is: the bundled part has fewer images.
        let task = &ImageTask { train: data.train.len(), test: data.test.len(), ..task.clone() };
        let screened = options.screened(task);
        let part = data.with_at_most(screened.train, task.test, 1);
        tasks.push(task.clone());
        for activation in &options.activations {
            for setting in options.grid(activation) {
                let cell = options.cell(&screened, activation, setting);
                for seed in 0..options.screening as u64 {
                    run(&cell, seed, &part, &mut ledger, compute, watch)?;
                }
            }
            let Some(setting) = options.chosen(&ledger.rows, task, activation) else { continue };
            let cell = options.cell(task, activation, setting);
            for seed in 0..options.seeds as u64 {
                run(&cell, FRESH + seed, &data, &mut ledger, compute, watch)?;
            }
        }
        let is_timed = |a: &Activation| paces.rows.iter().any(|r| r.task == *task && r.activation == *a);
        if !options.activations.iter().all(is_timed) {
            time_steps(options, task, &data, &mut paces, compute, watch)?;
        }
        report(options, &tasks, &ledger.rows, &paces.rows, compute)?;
    }
    Ok(ledger.rows)
}

fn run(
    cell: &Cell,
    seed: u64,
    data: &DataSet,
    ledger: &mut Ledger<ImageRow>,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<()> {
    if cell.find(&ledger.rows, seed).is_some() {
        return Ok(());
    }
    let Cell { task, activation, init, rate, schedule } = cell;
    let net = Net::with_init(&arch(task, activation, data)?, seed, *init, None, &compute.device)?;
    let settings = Settings { schedule: *schedule, ..Settings::new(task.epochs, BATCH, Optimiser::adam(*rate), seed) };
    let mut trainer = Trainer::new(net, settings, &compute.device);
    let mut row = ImageRow {
        task: task.clone(),
        activation: activation.clone(),
        init: *init,
        rate: *rate,
        schedule: *schedule,
        seed,
        test: Vec::new(),
        train: Vec::new(),
        diverged: None,
        seconds: 0.0,
    };
    while trainer.epochs_done() < task.epochs {
        match trainer.epoch(&data.train, watch) {
            Ok(record) => {
                row.train.push(record.train_accuracy);
                row.seconds += record.seconds;
            }
            Err(Error::Diverged(_)) => {
                row.diverged = Some(row.test.len() + 1);
                break;
            }
            Err(other) => return Err(other),
        }
        row.test.push(accuracy(&trainer.network(), &data.test, &compute.device, &mut Unwatched)?);
    }
    watch.note(&format!(
        "{task}, {} images: {} with {init} at {rate}, seed {seed}: {:.2} % after {} epochs",
        task.train,
        activation.title(),
        100.0 * row.last(),
        row.test.len()
    ));
    row.seconds = (1e3 * row.seconds).round() / 1e3;
    ledger.add(row)
}

/// Times some steps of every activation in turns, several times; the first turn only warms up.
fn time_steps(
    options: &Images,
    task: &ImageTask,
    data: &DataSet,
    paces: &mut Ledger<PaceRow>,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<()> {
    let few = data.with_at_most(PACE.0 * BATCH, 1, 0);
    let steps = few.train.len().div_ceil(BATCH) as f64;
    let mut trainers = Vec::new();
    for activation in &options.activations {
        let net = Net::new(&arch(task, activation, data)?, 0, &compute.device)?;
        // A small rate: what counts is the time.
        let settings = Settings::new(PACE.1 + 1, BATCH, Optimiser::adam(1e-5), 0);
        trainers.push((activation, Trainer::new(net, settings, &compute.device), Vec::new()));
    }
    for turn in 0..=PACE.1 {
        for (_, trainer, times) in &mut trainers {
            let record = trainer.epoch(&few.train, watch)?;
            if turn > 0 {
                times.push(record.seconds / steps);
            }
        }
    }
    for (activation, _, times) in trainers {
        paces.add(PaceRow { task: task.clone(), activation: activation.clone(), step: median(&times) })?;
    }
    Ok(())
}

fn arch(task: &ImageTask, activation: &Activation, data: &DataSet) -> Result<Arch> {
    let classes = data.classes.len();
    if let (Some(name), &[c, h, w]) = (&task.network, &*data.train.shape) {
        return zoo::named(name, [c, h, w], classes, activation.clone());
    }
    if task.filters.is_empty() {
        return Arch::mlp_for(&data.train.shape, task.depth, task.width, classes, activation.clone());
    }
    let [c, h, w] = *data.train.shape else { return Err(Error::input("a cnn needs images")) };
    let arch = Arch::cnn([c, h, w], &task.filters, task.width, classes, activation.clone())?;
    Ok(if task.norm { arch } else { arch.without_norms() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_comparison_is_complete_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Images::new(dir.path(), true, Vec::new()).unwrap();
        for task in &mut options.tasks {
            (task.train, task.epochs, task.width) = (200, 2, 8);
            task.filters.iter_mut().for_each(|f| *f = 3);
        }
        options.activations.truncate(2);
        (options.seeds, options.tasks[2].depth) = (2, 3);
        let rows = images(&options, &Compute::cpu(), &mut Unwatched).unwrap();
        // Two rates and two initialisations, which are one for ReLU, then two fresh seeds.
        assert_eq!(rows.len(), 3 * (2 + 2) + 3 * (4 + 2));
        assert_eq!(options.inits_of(&options.activations[0]), [Init::Own]);
        let found = |activation, init| options.cell(&rows[0].task, activation, (init, options.rates[0])).find(&rows, 0);
        let [relu, normalised] = &options.activations[..] else { panic!("two activations") };
        assert!(found(relu, Init::Edge).is_some_and(|r| r.init == Init::Own));
        assert!(found(normalised, Init::Edge).is_some_and(|r| r.init == Init::Edge) && found(relu, Init::Glorot).is_none());
        let paces = std::fs::read_to_string(dir.path().join("paces.jsonl")).unwrap();
        assert_eq!(paces.lines().count(), 3 * 2);
        assert!(rows.iter().all(|r| r.test.len() == 2 && r.last() > 0.05));
        assert_eq!(images(&options, &Compute::cpu(), &mut Unwatched).unwrap(), rows);
        let report = std::fs::read_to_string(dir.path().join("report.md")).unwrap();
        assert!(report.contains("without batch norm") && report.contains("perceptron 3x8") && report.contains("relu-normalised"));
        assert!(report.contains("seconds an epoch") && !report.contains("NaN"), "{report}");
        let row = ImageRow { test: vec![0.4, 0.8], ..rows[0].clone() };
        assert_eq!((row.epochs_to(0.2), row.epochs_to(0.6), row.epochs_to(0.9)), (Some(0.5), Some(1.5), None));
    }
}
