//! Forecasts of the next frame by temporally folded networks and by recurrent ones.
//!
//! Weissenbacher (arXiv 2001.03340) treats time as one more axis of convolution, folds it until one
//! step is left, and lets a cell forecast the next step; the abstract, which is all that we know,
//! says that this may outperform LSTMs on chorales and convolutional LSTMs on images. The networks
//! are those of [`crate::nn::forecast`], and the folded one is our reading.
//!
//! Every network tries the same learning rates with its first seed. The rate with the smallest loss
//! on the validation sequences is kept, and the other seeds train with it. What is reported is the
//! loss on the test sequences after the epoch with the smallest validation loss.

mod report;
mod run;

use super::ledger::{Ledger, same_data, same_engine, same_subject};
use crate::data::sequences::{Sequence, SequenceSet, moving_images, read_chorales, rows_of_images};
use crate::error::{Error, Result};
use crate::nn::Compute;
use crate::nn::forecast::ForecasterKind;
use crate::progress::Watch;
use crate::train::load_data;
use report::report;
use run::Cell;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What the experiment is to do.
#[derive(Clone, Debug)]
pub struct FoldedNetworks {
    /// Folder of the results; an experiment that is there goes on.
    pub out: PathBuf,
    /// The file of chorales, if there is one.
    pub chorales: Option<PathBuf>,
    /// Folder of the complete Fashion-MNIST, if the bundled part is not enough.
    pub images: Option<PathBuf>,
    /// What is learnt.
    pub tasks: Vec<ForecastTask>,
    /// Learning rates that every network tries.
    pub rates: Vec<f64>,
    /// Seeds of each network.
    pub seeds: usize,
}

/// Sequences, and the networks that learn them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastTask {
    /// What the sequences are.
    pub data: ForecastData,
    /// Sequences to learn from, to choose by, and to judge by; chorales are all taken.
    pub sizes: [usize; 3],
    /// Passes over what is learnt.
    pub epochs: usize,
    /// Sequences of a step.
    pub batch: usize,
    /// The networks.
    pub networks: Vec<ForecasterKind>,
}

/// What the sequences of a task are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForecastData {
    /// Chorales by J. S. Bach as piano rolls: 88 keys a step.
    Chorales,
    /// Images of Fashion-MNIST, row by row: 28 pixels a step.
    Rows,
    /// Images of Fashion-MNIST of 14 x 14 pixels that move in frames of 24 x 24, 12 frames.
    Films,
}

/// Pixels of a film's side, and its frames.
const FILM: (usize, usize) = (24, 12);

impl std::fmt::Display for ForecastData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ForecastData::Chorales => "chorales",
            ForecastData::Rows => "image rows",
            ForecastData::Films => "moving images",
        })
    }
}

impl FoldedNetworks {
    /// A quick one for a laptop, with one seed and few epochs, or all of it.
    pub fn new(out: PathBuf, quick: bool, chorales: Option<PathBuf>, images: Option<PathBuf>) -> Self {
        let folded = |channels, kernel, folds, dropout| ForecasterKind::Folded { channels, kernel, folds, dropout };
        let lstm = |hidden, dropout| ForecasterKind::Lstm { hidden, dropout };
        let conv_lstm = |channels, kernel| ForecasterKind::ConvLstm { channels, kernel };
        let task = |data, sizes, epochs, batch, networks| ForecastTask { data, sizes, epochs, batch, networks };
        use ForecastData::{Chorales, Films, Rows};
        let rows = if quick { [1000, 200, 400] } else { [5000, 1000, 1000] };
        let films = if quick { [200, 50, 100] } else { [1000, 200, 400] };
        let mut tasks = Vec::new();
        if chorales.is_some() {
            let networks = vec![folded(24, 13, 3, 0.1), lstm(200, 0.3)];
            tasks.push(task(Chorales, [0; 3], if quick { 30 } else { 60 }, 8, networks));
        }
        tasks.push(task(Rows, rows, if quick { 5 } else { 20 }, 32, vec![folded(16, 7, 3, 0.0), lstm(200, 0.0)]));
        tasks.push(task(Films, films, if quick { 5 } else { 20 }, 8, vec![folded(16, 5, 3, 0.0), conv_lstm(16, 5)]));
        let rates = if quick { vec![0.003] } else { vec![0.001, 0.003, 0.01] };
        Self { out, chorales, images, tasks, rates, seeds: if quick { 1 } else { 3 } }
    }

    /// The sequences of a task.
    fn load(&self, task: &ForecastTask) -> Result<SequenceSet> {
        if task.data == ForecastData::Chorales {
            let path = self.chorales.as_ref().ok_or_else(|| Error::input("the chorales need the folder of their file"))?;
            return read_chorales(path);
        }
        let images = load_data("fashion-mnist", self.images.as_deref(), 0)?;
        let [train, valid, test] = task.sizes;
        if train.saturating_add(valid) > images.train.len() || test > images.test.len() || task.sizes.contains(&0) {
            return Err(Error::input(format!(
                "{train} sequences to learn from, {valid} to choose by and {test} to judge by cannot be made of {} training and {} test images",
                images.train.len(),
                images.test.len()
            )));
        }
        let order = images.train.shuffled(0);
        let test: Vec<usize> = (0..test).collect();
        let parts = [(&images.train, &order[..train]), (&images.train, &order[train..train + valid]), (&images.test, &test[..])];
        let make = |part: usize| -> Result<Vec<Sequence>> {
            let (samples, which) = parts[part];
            match task.data {
                ForecastData::Films => moving_images(samples, which, FILM.0, FILM.1, part as u64),
                _ => rows_of_images(samples, which),
            }
        };
        let frame = if task.data == ForecastData::Films { [FILM.0; 2] } else { [1, images.train.shape[2]] };
        let [train, valid, test] = [make(0)?, make(1)?, make(2)?];
        Ok(SequenceSet { frame, train, valid, test })
    }
}

/// Losses after an epoch, in nats a frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochLoss {
    /// While it went on.
    pub train: f64,
    /// On the sequences to choose by.
    pub valid: f64,
    /// On the sequences to judge by, if the loss on those to choose by was the smallest so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<f64>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastRow {
    /// What was learnt.
    pub data: ForecastData,
    /// By which network; none stands for a control that learns two numbers, or one for each place.
    pub network: Option<ForecasterKind>,
    /// The control's name, or the network's kind.
    pub name: String,
    /// Learning rate of Adam.
    pub rate: f64,
    /// Draws weights and the order of the sequences.
    pub seed: u64,
    /// Numbers that are learnt.
    pub parameters: usize,
    /// One for each epoch.
    pub losses: Vec<EpochLoss>,
    /// Seconds of training.
    pub seconds: f64,
}

impl ForecastRow {
    /// The epoch with the smallest validation loss, counted from 0, that loss, and the test loss.
    pub fn best(&self) -> Option<(usize, f64, f64)> {
        let best = self.losses.iter().enumerate().min_by(|a, b| a.1.valid.total_cmp(&b.1.valid));
        best.and_then(|(epoch, loss)| Some((epoch, loss.valid, loss.test?)))
    }
}

/// Runs what is missing; writes forecasts.jsonl, report.md, report.html and pictures.
///
/// # Errors
/// [`Error::Interrupted`] when stopped, with all finished epochs kept; [`Error::Io`];
/// [`Error::File`] for chorales that are none.
pub fn folded(options: &FoldedNetworks, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<ForecastRow>> {
    if options.seeds == 0 || options.rates.is_empty() {
        return Err(Error::input("at least one seed and one learning rate are needed"));
    }
    // What is wrong with a file is said before hours of training.
    let sets = options.tasks.iter().map(|task| options.load(task)).collect::<Result<Vec<_>>>()?;
    same_engine(&options.out, compute)?;
    same_subject(&options.out, &serde_json::json!({"tasks": options.tasks, "rates": options.rates}))?;
    let mut ledger = Ledger::<ForecastRow>::open(&options.out.join("forecasts.jsonl"))?;
    for (task, set) in options.tasks.iter().zip(&sets) {
        let has_runs = ledger.rows.iter().any(|r| r.data == task.data);
        same_data(&options.out, &task.data.to_string(), set.fingerprint(), has_runs, watch)?;
        for row in run::controls(task, set) {
            if !ledger.rows.iter().any(|r| r.data == row.data && r.name == row.name) {
                ledger.add(row)?;
            }
        }
        for network in &task.networks {
            let cell = |rate, seed| Cell { task, network, rate, seed };
            for &rate in &options.rates {
                cell(rate, 0).run(set, &options.out, &mut ledger, compute, watch)?;
            }
            let Some(rate) = chosen(&ledger.rows, &options.rates, task, network) else { continue };
            for seed in 1..options.seeds as u64 {
                cell(rate, seed).run(set, &options.out, &mut ledger, compute, watch)?;
            }
        }
        report(options, &ledger.rows, &sets, compute)?;
    }
    Ok(ledger.rows)
}

/// The rate whose first seed has the smallest validation loss.
fn chosen(rows: &[ForecastRow], rates: &[f64], task: &ForecastTask, network: &ForecasterKind) -> Option<f64> {
    let of = |&rate: &f64| {
        let row = Cell { task, network, rate, seed: 0 }.find(rows)?;
        Some((row.best()?.1, rate))
    };
    rates.iter().filter_map(of).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, rate)| rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::StopAt;
    use crate::progress::Unwatched;
    use std::path::Path;

    fn small(out: &Path) -> FoldedNetworks {
        let mut options = FoldedNetworks::new(out.into(), true, None, None);
        for task in &mut options.tasks {
            (task.sizes, task.epochs, task.batch) = ([40, 10, 10], 3, 8);
            for network in &mut task.networks {
                match network {
                    ForecasterKind::Folded { channels, dropout, .. } => (*channels, *dropout) = (3, 0.2),
                    ForecasterKind::Lstm { hidden, dropout } => (*hidden, *dropout) = (8, 0.2),
                    ForecasterKind::ConvLstm { channels, .. } => *channels = 3,
                }
            }
        }
        options.seeds = 2;
        options
    }

    #[test]
    fn networks_learn_and_a_stopped_experiment_ends_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, parts) = (small(&dir.path().join("whole")), small(&dir.path().join("parts")));
        let compute = Compute::cpu();
        let rows = folded(&whole, &compute, &mut Unwatched).unwrap();
        // Two tasks of two controls, and two networks with two seeds.
        assert_eq!(rows.len(), 2 * (2 + 2 * 2));
        for row in rows.iter().filter(|r| r.network.is_some()) {
            assert!(row.losses.len() == 3 && row.losses[2].train < row.losses[0].train && row.parameters > 100, "{row:?}");
        }
        // In the middle of an epoch, the first of a run or a later one.
        for after in [3, 8, 13, 21] {
            assert!(matches!(folded(&parts, &compute, &mut StopAt(after)), Err(Error::Interrupted(_))));
        }
        let again = folded(&parts, &compute, &mut Unwatched).unwrap();
        // A number may lose its last digit in a file.
        let losses = |rows: &[ForecastRow]| -> Vec<f64> {
            rows.iter().flat_map(|r| &r.losses).flat_map(|l| [l.train, l.valid, l.test.unwrap_or(0.0)]).collect()
        };
        let (again, rows) = (losses(&again), losses(&rows));
        assert!(
            again.len() == rows.len() && again.iter().zip(&rows).all(|(a, b)| (a - b).abs() <= 1e-12 * b),
            "{again:?} {rows:?}"
        );
        let text = std::fs::read_to_string(dir.path().join("parts/report.md")).unwrap();
        assert!(text.contains("| folded") && text.contains("| conv-lstm") && !text.contains("NaN"), "{text}");
        assert!(!dir.path().join("parts/checkpoint").exists());
        // Other sizes are other results.
        let mut other = small(&dir.path().join("parts"));
        other.tasks[0].epochs = 4;
        let why = folded(&other, &compute, &mut Unwatched).unwrap_err().to_string();
        assert!(why.contains("tasks[0].epochs: 3, now 4"), "{why}");
        // And so are other sequences, which is seen by their numbers.
        let path = parts.out.join("data.json");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\": \"", "\": \"0", 1)).unwrap();
        let why = folded(&parts, &compute, &mut Unwatched).unwrap_err().to_string();
        assert!(why.contains("other samples of"), "{why}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let compute = Compute::cpu();
        let mut options = small(dir.path());
        options.tasks[0].sizes = [6000, 10, 10];
        let why = folded(&options, &compute, &mut Unwatched).unwrap_err().to_string();
        assert!(why.contains("cannot be made of 6000 training and 1000 test images"), "{why}");
        let path = dir.path().join("jsb-chorales-quarter.json");
        std::fs::write(&path, r#"{"train": [[[60], [200]]], "valid": [], "test": []}"#).unwrap();
        let options = FoldedNetworks::new(dir.path().join("out"), true, Some(path), None);
        let why = folded(&options, &compute, &mut Unwatched).unwrap_err().to_string();
        assert!(why.contains("note 200") && !dir.path().join("out").exists(), "{why}");
    }
}
