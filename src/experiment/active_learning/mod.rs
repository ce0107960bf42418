//! Active learning: which samples are worth a label?
//!
//! A pool of samples has no labels but a few. Networks are trained until they agree with these;
//! they stand for the version space. A query asks for the labels of some more samples, all networks
//! are trained anew, and so on. [`queries`] are by chance, by entropy, by how much of the version
//! space they may leave, and by coverage, which is ours. Also ours is the topology of the version
//! space: the mean length of the bars of dimension 0 of the networks, where the distance of two is
//! the share of samples that they answer differently.

mod queries;
mod report;

pub use queries::{Answers, Query, farthest};

use super::ledger::{Ledger, same_data, same_engine, same_subject};
use crate::data::{DataSet, Samples};
use crate::error::{Error, Result};
use crate::nn::{Activation, Arch, Compute, Init, Net, bridge};
use crate::progress::{Unwatched, Watch};
use crate::topology::{DistanceMatrix, Options};
use crate::train::{Member, Recipe, load_data, logits, probabilities, train_ensemble};
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What the experiment is to do.
#[derive(Clone, Debug)]
pub struct ActiveLearning {
    /// Folder of the results; an experiment that is there goes on.
    pub out: PathBuf,
    /// Data sets: a name, and the folder of the complete set if it is not the bundled part.
    pub sets: Vec<(String, Option<PathBuf>)>,
    /// Queries; the first is what the others are compared with.
    pub queries: Vec<Query>,
    /// Seeds of each.
    pub seeds: usize,
    /// Networks that stand for the version space.
    pub members: usize,
    /// Labels at the beginning, drawn by chance, the same ones for all queries.
    pub first: usize,
    /// Labels that are asked for at once.
    pub step: usize,
    /// Labels at the end.
    pub labels: usize,
    /// Samples of the pool; all if not given.
    pub pool: Option<usize>,
    /// Test samples; all if not given.
    pub test: Option<usize>,
}

/// What is found with so many labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActiveRow {
    /// The data set.
    pub data: String,
    /// The query, by name.
    pub query: String,
    /// What decides the first labels and the networks.
    pub seed: u64,
    /// Labels so far.
    pub labels: usize,
    /// The mean share of test samples that a network answers rightly.
    pub accuracy: f64,
    /// The share that the networks' vote answers rightly; one less this is the bias.
    pub vote: f64,
    /// The mean share of the pool that two networks answer differently.
    pub diameter: f64,
    /// The mean length of the bars of dimension 0 of the networks.
    pub bars: f64,
    /// Networks that do not agree with all labels after all steps.
    pub inconsistent: usize,
}

/// Numbers of the hidden layer.
const HIDDEN: usize = 64;
/// Steps after which a network is given up that does not agree with all labels.
const STEPS: usize = 400;
/// Learning rate of Adam.
const RATE: f64 = 0.003;
/// Samples of the pool that distances between networks are measured on.
const MEASURED: usize = 500;

impl ActiveLearning {
    /// # Errors
    /// [`Error::Input`] for numbers that make no sense.
    fn check(&self) -> Result<()> {
        if self.members < 2 {
            return Err(Error::input("one network has no diameter: at least 2 members are needed"));
        }
        if self.step == 0 || self.first == 0 || self.queries.is_empty() {
            return Err(Error::input("a query, and at least one label at the beginning and in each step, are needed"));
        }
        if self.labels < self.first + self.step {
            return Err(Error::input(format!(
                "{} labels leave no query: at least {} are needed, {} at the beginning and {} of the first query",
                self.labels,
                self.first + self.step,
                self.first,
                self.step
            )));
        }
        Ok(())
    }
}

/// At most `most` of some samples, by chance.
fn some_of(samples: &Samples, most: Option<usize>) -> Samples {
    match most {
        Some(most) if most < samples.len() => samples.select(&samples.shuffled(0)[..most]),
        _ => samples.clone(),
    }
}

/// One data set and seed, as all queries find it.
struct Pool {
    train: Samples,
    test: Samples,
    recipe: Recipe,
    classes: usize,
    /// Samples that distances are measured on.
    measured: Vec<usize>,
}

impl Pool {
    fn new(data: &DataSet, options: &ActiveLearning) -> Result<Self> {
        let (train, test) = (some_of(&data.train, options.pool), some_of(&data.test, options.test));
        if train.len() < options.labels {
            let message =
                format!("{} labels are asked for, and the pool of {} has {} samples", options.labels, data.name, train.len());
            return Err(Error::setting(message, &["limit", "train"]));
        }
        if test.is_empty() {
            return Err(Error::input(format!("no test samples of {} are left to judge by", data.name)));
        }
        let classes = data.classes.len();
        let arch = Arch::mlp_for(&train.shape, 2, HIDDEN, classes, Activation::parse("relu")?)?;
        let recipe = Recipe {
            arch,
            init: Init::Own,
            learn_activation: false,
            steps: STEPS,
            batch: 0,
            half_life: None,
            targets: vec![1.0],
            check_every: 0,
            keep_at: Vec::new(),
        };
        let measured = train.shuffled(1).into_iter().take(MEASURED).collect();
        Ok(Self { train, test, recipe, classes, measured })
    }

    /// Networks that agree with the labels, and how many do not.
    fn networks(&self, labelled: &[usize], seed: u64, members: usize, compute: &Compute) -> Result<(Vec<Net>, usize)> {
        let members: Vec<Member> = (0..members as u64).map(|k| Member { seed: seed * 1000 + k, rate: RATE }).collect();
        let known = self.train.select(labelled);
        let mut grown = vec![None; members.len()];
        // The test samples are not looked at here: one is enough.
        let one = self.test.select(&[0]);
        train_ensemble(&self.recipe, &members, &known, &one, compute, &mut Unwatched, &mut |at, g| {
            grown[at] = Some(g);
            Ok(())
        })?;
        let grown: Vec<_> = grown.into_iter().flatten().collect();
        let inconsistent = grown.iter().filter(|g| g.reached.iter().any(Option::is_none)).count();
        let nets = grown.iter().map(|g| g.net(&self.recipe, &compute.device)).collect::<Result<_>>()?;
        Ok((nets, inconsistent))
    }

    /// What networks answer to samples.
    fn answers(&self, nets: &[Net], samples: &Samples, compute: &Compute) -> Result<Answers> {
        let mut found = Answers { classes: self.classes, of: Vec::new(), mean: vec![0.0; samples.len() * self.classes] };
        for net in nets {
            let numbers = logits(net, samples, &compute.device, &mut Unwatched)?;
            let mut answers = Vec::with_capacity(samples.len());
            for (row, mean) in numbers.chunks(self.classes).zip(found.mean.chunks_mut(self.classes)) {
                let p = probabilities(row);
                mean.iter_mut().zip(&p).for_each(|(m, p)| *m += *p as f32 / nets.len() as f32);
                answers.push(crate::train::largest(&p) as u8);
            }
            found.of.push(answers);
        }
        Ok(found)
    }

    /// The hidden layer's activations of all samples of the pool, behind the activation function.
    fn hidden(&self, net: &Net, compute: &Compute) -> Result<Vec<f32>> {
        let at = net.arch.layers.len() - 2;
        let mut rows = Vec::new();
        for which in (0..self.train.len()).collect::<Vec<_>>().chunks(1000) {
            let x = TensorData::new(self.train.gather(which), [which.len(), self.train.width()]);
            let flow = net.after_layer(Tensor::from_data(x, &compute.device), at);
            rows.extend(flow.map(|f| bridge::read(f.flat())).transpose()?.unwrap_or_default());
        }
        Ok(rows)
    }

    /// What is found with some labels.
    fn row(&self, answers: &Answers, tested: &Answers, compute: &Compute) -> Result<(f64, f64, f64, f64)> {
        let right = |given: &[u8]| {
            let right = given.iter().zip(&self.test.labels).filter(|(a, b)| a == b).count();
            right as f64 / self.test.len().max(1) as f64
        };
        let accuracy = tested.of.iter().map(|a| right(a)).sum::<f64>() / tested.of.len() as f64;
        let distances = answers.distances(&self.measured);
        let k = distances.len();
        let lower: Vec<f32> = (0..k).flat_map(|i| distances[i][..i].to_vec()).collect();
        let diameter = lower.iter().map(|&d| f64::from(d)).sum::<f64>() / lower.len() as f64;
        let cloud = crate::topology::Cloud::from(DistanceMatrix::from_lower(k, lower)?);
        let barcode = compute.engine.barcode(&cloud, &Options { max_dim: 0, ..Options::default() })?;
        let finite =
            barcode.bars[0].iter().filter(|b| b.death.is_finite()).fold(0.0, |sum, b| sum + f64::from(b.death - b.birth));
        Ok((accuracy, right(&tested.votes()), diameter, finite / (k - 1) as f64))
    }
}

/// Runs every query on every set and seed, and writes raw results, tables and pictures.
///
/// # Errors
/// [`Error::Input`] for numbers that make no sense, or a pool that is too small;
/// [`Error::Interrupted`], after saving; [`Error::Device`] when the device fails; [`Error::Io`].
pub fn active_learning(options: &ActiveLearning, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<ActiveRow>> {
    options.check()?;
    let sets = options.sets.iter().map(|(name, folder)| load_data(name, folder.as_deref(), 0)).collect::<Result<Vec<_>>>()?;
    let pools = sets.iter().map(|data| Pool::new(data, options)).collect::<Result<Vec<_>>>()?;
    same_engine(&options.out, compute)?;
    let sizes: Vec<_> = sets.iter().zip(&pools).map(|(data, pool)| (&data.name, pool.train.len(), pool.test.len())).collect();
    let subject = serde_json::json!({
        "samples": sizes, "members": options.members, "labels at first": options.first, "labels in a step": options.step,
    });
    same_subject(&options.out, &subject)?;
    let mut ledger = Ledger::<ActiveRow>::open(&options.out.join("rounds.jsonl"))?;
    for data in &sets {
        let has_runs = ledger.rows.iter().any(|r| r.data == data.name);
        same_data(&options.out, &data.name, data.fingerprint(), has_runs, watch)?;
    }
    let rounds = 1 + (options.labels - options.first) / options.step;
    let most = options.first + (rounds - 1) * options.step;
    if most < options.labels {
        watch.note(&format!("steps of {} labels end at {most}, not at {}", options.step, options.labels));
    }
    let total = sets.len() * options.seeds * options.queries.len() * rounds;
    let mut done = 0;
    for (data, pool) in sets.iter().zip(&pools) {
        for seed in 0..options.seeds as u64 {
            for &query in &options.queries {
                let of = |r: &ActiveRow| r.data == data.name && r.query == query.name() && r.seed == seed;
                if ledger.rows.iter().any(|r| of(r) && r.labels >= most) {
                    done += rounds;
                    continue;
                }
                // What is asked for follows from what was found: a path that was cut off is walked
                // again, and only its new rows are kept.
                let mut labelled: Vec<usize> = pool.train.shuffled(seed).into_iter().take(options.first).collect();
                let mut rng = StdRng::seed_from_u64(seed);
                for _ in 0..rounds {
                    if watch.stopped() {
                        return Err(Error::Interrupted("stopped; what is through is saved, run it again to go on".into()));
                    }
                    done += 1;
                    watch.at(&format!("{}, {}, seed {seed}", data.name, query.name()), done as u64, total as u64);
                    let (nets, inconsistent) = pool.networks(&labelled, seed, options.members, compute)?;
                    let answers = pool.answers(&nets, &pool.train, compute)?;
                    if !ledger.rows.iter().any(|r| of(r) && r.labels == labelled.len()) {
                        let tested = pool.answers(&nets, &pool.test, compute)?;
                        let (accuracy, vote, diameter, bars) = pool.row(&answers, &tested, compute)?;
                        let (data, query, labels) = (data.name.clone(), query.name().to_string(), labelled.len());
                        ledger.add(ActiveRow { data, query, seed, labels, accuracy, vote, diameter, bars, inconsistent })?;
                    }
                    if labelled.len() >= most {
                        break;
                    }
                    let mut is_known = vec![false; pool.train.len()];
                    labelled.iter().for_each(|&i| is_known[i] = true);
                    let candidates: Vec<usize> = (0..pool.train.len()).filter(|&i| !is_known[i]).collect();
                    let next = match query {
                        Query::Coverage => {
                            farthest(&pool.hidden(&nets[0], compute)?, HIDDEN, &labelled, &candidates, options.step)
                        }
                        Query::PixelCoverage => {
                            let all: Vec<usize> = (0..pool.train.len()).collect();
                            farthest(&pool.train.gather(&all), pool.train.width(), &labelled, &candidates, options.step)
                        }
                        _ => answers.best(query, &candidates, options.step, &pool.measured, &mut rng),
                    };
                    labelled.extend(next);
                }
                let last = ledger.rows.iter().rfind(|r| of(r));
                if let Some(r) = last {
                    watch.note(&format!(
                        "{}, {}, seed {seed}: {:.1} % with {} labels, diameter {:.3}",
                        data.name,
                        query.name(),
                        100.0 * r.vote,
                        r.labels,
                        r.diameter
                    ));
                }
            }
        }
    }
    // A folder may hold more than was asked for now.
    let asked = |r: &&ActiveRow| {
        let known = sets.iter().any(|d| d.name == r.data) && options.queries.iter().any(|q| q.name() == r.query);
        known && r.seed < options.seeds as u64 && r.labels <= most
    };
    let rows: Vec<ActiveRow> = ledger.rows.iter().filter(asked).cloned().collect();
    report::report(options, &rows, compute)?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::StopAt;

    fn small(out: &std::path::Path) -> ActiveLearning {
        ActiveLearning {
            out: out.into(),
            sets: vec![("fashion-mnist".into(), None)],
            queries: vec![Query::Random, Query::Entropy],
            seeds: 2,
            members: 2,
            first: 10,
            step: 10,
            labels: 30,
            pool: Some(120),
            test: Some(60),
        }
    }

    #[test]
    fn a_stopped_comparison_ends_the_same_and_reports_what_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, parts) = (small(&dir.path().join("whole")), small(&dir.path().join("parts")));
        let compute = Compute::cpu();
        let rows = active_learning(&whole, &compute, &mut Unwatched).unwrap();
        // Two queries with two seeds, at 10, 20 and 30 labels.
        assert_eq!(rows.len(), 2 * 2 * 3);
        assert!(rows.iter().all(|r| r.vote > 0.15 && (0.0..1.0).contains(&r.diameter)), "{rows:?}");
        for after in [1, 5, 8] {
            assert!(matches!(active_learning(&parts, &compute, &mut StopAt(after)), Err(Error::Interrupted(_))));
        }
        let again = active_learning(&parts, &compute, &mut Unwatched).unwrap();
        // Right answers of 60: a share may lose its last digit in a file.
        let right = |r: &ActiveRow| (60.0 * r.vote).round() as usize;
        let votes = |rows: &[ActiveRow]| rows.iter().map(|r| (r.query.clone(), r.seed, r.labels, right(r))).collect::<Vec<_>>();
        assert_eq!(votes(&again), votes(&rows));
        // Fewer seeds and labels, and a query more: all of the table is there.
        let fewer = ActiveLearning { queries: vec![Query::Random, Query::Coverage], seeds: 1, labels: 25, ..small(&parts.out) };
        assert_eq!(active_learning(&fewer, &compute, &mut Unwatched).unwrap().len(), 2 * 2);
        let text = std::fs::read_to_string(parts.out.join("report.md")).unwrap();
        assert!(text.contains("| coverage") && !text.contains("entropy") && text.contains("over 1 seed,"), "{text}");
        assert!(!text.contains("NaN") && !text.contains("inf") && !text.contains("-0.0"), "{text}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let usual = || small(&dir.path().join("out"));
        for (options, want) in [
            (ActiveLearning { members: 1, ..usual() }, "at least 2 members"),
            (ActiveLearning { labels: 15, ..usual() }, "leave no query"),
            (ActiveLearning { pool: Some(20), ..usual() }, "has 20 samples"),
            (ActiveLearning { test: Some(0), ..usual() }, "no test samples"),
        ] {
            let why = active_learning(&options, &Compute::cpu(), &mut Unwatched).unwrap_err().to_string();
            assert!(why.contains(want) && !options.out.exists(), "{why}");
        }
    }
}
