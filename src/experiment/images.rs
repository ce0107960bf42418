//! Activations on real images, in mini-batches: convolutional networks with and without batch norm,
//! and plain perceptrons of several depths.
//!
//! Every activation trains at each learning rate of one grid, with a first seed; the rate with the
//! best test accuracy at the end is kept and the other seeds train at it. What counts is how many
//! epochs it takes to the accuracy that the first activation (ReLU) ends with.

use super::ledger::{Ledger, same, same_engine};
use super::stats::median;
use crate::data::DataSet;
use crate::data::files::{write_json, write_text};
use crate::error::{Error, Result};
use crate::nn::{Activation, Arch, Compute, Init, Net};
use crate::progress::{Unwatched, Watch};
use crate::report::{Lines, Page, Picture, Table};
use crate::train::{Optimiser, Settings, Trainer, accuracy, load_data};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A network and what it learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageTask {
    /// Name of the set.
    pub data: String,
    /// At most so many training images, ...
    pub train: usize,
    /// ... and test images.
    pub test: usize,
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
    /// Seeds of each activation.
    pub seeds: usize,
}

impl Images {
    /// A quick one for a laptop, on what is bundled, or all of it.
    ///
    /// # Errors
    /// None in fact: the names are of the table.
    pub fn new(out: &Path, quick: bool, folders: Vec<(String, PathBuf)>) -> Result<Self> {
        let cnn = |data: &str, norm, train, epochs| ImageTask {
            data: data.into(),
            train,
            test: 4000,
            filters: vec![16, 32],
            norm,
            depth: 0,
            width: 64,
            epochs,
        };
        let plain = |depth, train, epochs| ImageTask {
            data: "fashion-mnist".into(),
            train,
            test: 4000,
            filters: Vec::new(),
            norm: false,
            depth,
            width: 64,
            epochs,
        };
        let has = |name: &str| folders.iter().any(|f| f.0 == name || (f.0 == "cifar-10" && name == "cat-vs-dog"));
        let (train, epochs) = if quick { (3000, 4) } else { (5000, 8) };
        let mut tasks = vec![cnn("fashion-mnist", true, train, epochs), cnn("fashion-mnist", false, train, epochs)];
        if !quick {
            for data in ["cifar-10", "cat-vs-dog"].into_iter().filter(|d| has(d)) {
                tasks.extend([true, false].map(|norm| cnn(data, norm, train, epochs)));
            }
        }
        tasks.extend(if quick { vec![10] } else { vec![5, 10, 20, 30] }.into_iter().map(|depth| plain(depth, train, epochs)));
        let names = ["relu", "relu-normalised", "cabs", "fold:0.5,1", "tanh", "sine"];
        let names = if quick { &names[..3] } else { &names[..] };
        Ok(Self {
            out: out.into(),
            folders,
            tasks,
            activations: names.iter().map(|n| Activation::parse(n)).collect::<Result<_>>()?,
            rates: vec![0.0005, 0.002],
            inits: vec![Init::Own],
            seeds: if quick { 1 } else { 3 },
        })
    }
}

impl Images {
    /// All settings that every activation tries.
    fn grid(&self) -> impl Iterator<Item = (Init, f64)> {
        self.inits.iter().flat_map(|&init| self.rates.iter().map(move |&rate| (init, rate)))
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

/// Runs what is missing; writes images.jsonl, report.md, report.html and pictures.
///
/// # Errors
/// [`Error::Interrupted`] when stopped, with all finished runs kept; [`Error::Io`]; as
/// [`load_data`].
pub fn images(options: &Images, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<ImageRow>> {
    same_engine(&options.out, compute)?;
    let mut ledger = Ledger::<ImageRow>::open(&options.out.join("images.jsonl"))?;
    let mut tasks = Vec::new();
    for task in &options.tasks {
        let own = if task.data == "cat-vs-dog" { "cifar-10" } else { &task.data };
        let folder = options.folders.iter().find(|f| f.0 == own).map(|f| f.1.as_path());
        let data = load_data(&task.data, folder, 0)?.with_at_most(task.train, task.test, 0);
        // What there really is: the bundled part has fewer images.
        let task = &ImageTask { train: data.train.len(), test: data.test.len(), ..task.clone() };
        tasks.push(task.clone());
        for activation in &options.activations {
            let mut best: Option<(f64, Init, f64)> = None;
            for (init, rate) in options.grid() {
                let row = run(task, activation, (init, rate), 0, &data, &mut ledger, compute, watch)?;
                if best.is_none_or(|(accuracy, ..)| row.last() > accuracy) {
                    best = Some((row.last(), init, rate));
                }
            }
            let Some((_, init, rate)) = best else { continue };
            for seed in 1..options.seeds as u64 {
                run(task, activation, (init, rate), seed, &data, &mut ledger, compute, watch)?;
            }
        }
        report(options, &tasks, &ledger.rows, compute)?;
    }
    Ok(ledger.rows)
}

#[allow(clippy::too_many_arguments, reason = "what a cell of the experiment is made of")]
fn run(
    task: &ImageTask,
    activation: &Activation,
    (init, rate): (Init, f64),
    seed: u64,
    data: &DataSet,
    ledger: &mut Ledger<ImageRow>,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<ImageRow> {
    let is_it =
        |r: &&ImageRow| r.task == *task && r.activation == *activation && r.init == init && same(r.rate, rate) && r.seed == seed;
    if let Some(row) = ledger.rows.iter().find(is_it) {
        return Ok(row.clone());
    }
    let arch = arch(task, activation, data)?;
    let net = Net::with_init(&arch, seed, init, None, &compute.device)?;
    let settings = Settings::new(task.epochs, 64, Optimiser::adam(rate), seed);
    let mut trainer = Trainer::new(net, settings, &compute.device);
    let mut row = ImageRow {
        task: task.clone(),
        activation: activation.clone(),
        init,
        rate,
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
        "{task}: {} at {rate}, seed {seed}: {:.2} % after {} epochs",
        activation.title(),
        100.0 * row.last(),
        row.test.len()
    ));
    row.seconds = (1e3 * row.seconds).round() / 1e3;
    ledger.add(row.clone())?;
    Ok(row)
}

fn arch(task: &ImageTask, activation: &Activation, data: &DataSet) -> Result<Arch> {
    let classes = data.classes.len();
    if task.filters.is_empty() {
        return Arch::mlp_for(&data.train.shape, task.depth, task.width, classes, activation.clone());
    }
    let [c, h, w] = *data.train.shape else { return Err(Error::input("a cnn needs images")) };
    let arch = Arch::cnn([c, h, w], &task.filters, task.width, classes, activation.clone())?;
    Ok(if task.norm { arch } else { arch.without_norms() })
}

/// The runs of an activation at the rate that was kept: the one that has the most seeds.
fn kept<'a>(rows: &'a [ImageRow], task: &ImageTask, activation: &Activation, options: &Images) -> Vec<&'a ImageRow> {
    let of = |init: Init, rate: f64| {
        let is = |r: &&ImageRow| r.task == *task && r.activation == *activation && r.init == init && same(r.rate, rate);
        rows.iter().filter(is).collect::<Vec<_>>()
    };
    let better = |a: &Vec<&ImageRow>, b: &Vec<&ImageRow>| {
        let first = |rows: &Vec<&ImageRow>| rows.iter().find(|r| r.seed == 0).map_or(0.0, |r| r.last());
        a.len().cmp(&b.len()).then(first(a).total_cmp(&first(b)))
    };
    options.grid().map(|(init, rate)| of(init, rate)).max_by(better).unwrap_or_default()
}

fn report(options: &Images, tasks: &[ImageTask], rows: &[ImageRow], compute: &Compute) -> Result<()> {
    let info = compute.engine.info();
    let about = format!(
        "Adam in batches of 64, rates {:?} and initialisations {} chosen for each activation by its first seed's last test accuracy, then {} seeds at them. Trained by the {} engine's device on {}. Epochs to the median accuracy that {} ends with, straight lines between epochs.",
        options.rates,
        options.inits.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        options.seeds,
        info.kind,
        info.adapter,
        options.activations.first().map_or(String::new(), Activation::title)
    );
    let mut text = format!("# Activations on real images\n\n{about}\n");
    let mut page = Page::new("Activations on real images");
    page.paragraph(&about);
    for task in tasks {
        let first = options.activations.first().map(|a| kept(rows, task, a, options)).unwrap_or_default();
        if first.is_empty() {
            continue;
        }
        let goal = median(&first.iter().map(|r| r.last()).collect::<Vec<_>>());
        let mut table = Table::new(&[
            "activation",
            "init",
            "rate",
            "seeds",
            "last test accuracy",
            "range",
            "epochs to the first's last",
            "range",
            "times fewer",
            "seconds an epoch",
        ]);
        let mut series = Vec::new();
        let mut reference = None;
        for activation in &options.activations {
            let of = kept(rows, task, activation, options);
            let Some(one) = of.first() else { continue };
            let last: Vec<f64> = of.iter().map(|r| r.last()).collect();
            let to: Vec<f64> = of.iter().map(|r| r.epochs_to(goal).unwrap_or(f64::INFINITY)).collect();
            let range = |v: &[f64], scale: f64| {
                let (low, high) = v.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &x| (l.min(x), h.max(x)));
                let number = |x: f64| if x.is_finite() { format!("{:.2}", scale * x) } else { format!("> {}", task.epochs) };
                format!("{} to {}", number(low), number(high))
            };
            let epochs = median(&to);
            let reference = *reference.get_or_insert(epochs);
            let shown = if epochs.is_finite() { format!("{epochs:.2}") } else { format!("> {}", task.epochs) };
            let ratio =
                if epochs.is_finite() && reference.is_finite() { format!("{:.2}", reference / epochs) } else { "-".into() };
            let pace = of.iter().map(|r| r.seconds / r.test.len().max(1) as f64).sum::<f64>() / of.len() as f64;
            table.row([
                activation.title(),
                one.init.to_string(),
                one.rate.to_string(),
                of.len().to_string(),
                format!("{:.2} %", 100.0 * median(&last)),
                range(&last, 100.0),
                shown,
                range(&to, 1.0),
                ratio,
                format!("{pace:.1}"),
            ]);
            let mean = |e: usize| {
                let seen: Vec<f64> = of.iter().filter_map(|r| r.test.get(e).copied()).collect();
                (!seen.is_empty()).then(|| (e as f64 + 1.0, 100.0 * seen.iter().sum::<f64>() / seen.len() as f64))
            };
            series.push((activation.title(), (0..task.epochs).filter_map(mean).collect()));
        }
        let picture = Lines {
            title: format!("{task}: test accuracy, mean of seeds"),
            x: "epoch".into(),
            y: "right answers, %".into(),
            series,
        };
        let name: String = task.to_string().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        picture.save(&options.out.join(format!("{name}.svg")))?;
        text += &format!("\n## {task} ({} training, {} test images)\n\n{}", task.train, task.test, table.markdown());
        page.heading(&format!("{task} ({} training, {} test images)", task.train, task.test));
        page.table(&table);
        page.picture(&picture)?;
    }
    write_json(
        &options.out.join("settings.json"),
        &(tasks, &options.activations, &options.rates, &options.inits, options.seeds),
    )?;
    write_text(&options.out.join("report.md"), &text)?;
    page.save(&options.out.join("report.html"))
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
        assert_eq!(rows.len(), 3 * 2 * 3, "two rates, and a second seed at one of them");
        assert!(rows.iter().all(|r| r.test.len() == 2 && r.last() > 0.05));
        assert_eq!(images(&options, &Compute::cpu(), &mut Unwatched).unwrap(), rows);
        let report = std::fs::read_to_string(dir.path().join("report.md")).unwrap();
        assert!(report.contains("without batch norm") && report.contains("perceptron 3x8") && report.contains("relu-normalised"));
        let row = ImageRow { test: vec![0.4, 0.8], ..rows[0].clone() };
        assert_eq!((row.epochs_to(0.2), row.epochs_to(0.6), row.epochs_to(0.9)), (Some(0.5), Some(1.5), None));
    }
}
