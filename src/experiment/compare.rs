//! Criteria side by side: the same network, shares, recovery and counting for all of them.

use super::compare_report::report;
use super::ledger::{Ledger, same, same_engine};
use crate::data::DataSet;
use crate::data::files::{differences, read_json, write_json};
use crate::error::{Error, Result};
use crate::nn::{Compute, Net};
use crate::progress::{Unwatched, Watch};
use crate::prune::{Aim, Compensation, Cost, Criterion, FilterPoints, Limits, Plan, Recover, Recovery, shrink};
use crate::train::{Run, Settings, Trainer, accuracy};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A criterion under comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// What it is called in results.
    pub label: String,
    /// What it is.
    pub criterion: Criterion,
    /// Whether the best go, as a control.
    #[serde(default)]
    pub reverse: bool,
}

impl Rival {
    /// A criterion by its name, with `:reverse` behind it as the control in which the best go;
    /// behind `barcode` there may be another of its aims, as in `barcode:logits`, the control
    /// without topology, or `joint` and a dash before it for a joint choice; `topological:refitted`
    /// asks for the fitness after refitting.
    ///
    /// # Errors
    /// As [`Criterion::named`].
    pub fn named(name: &str, samples: usize) -> Result<Self> {
        Self::labelled(name, |base| Criterion::named(base, samples, 0))
    }

    /// As [`Rival::named`], with the criterion that `make` gives for the name without `:reverse`.
    ///
    /// # Errors
    /// Whatever `make` returns.
    pub fn labelled(name: &str, make: impl FnOnce(&str) -> Result<Criterion>) -> Result<Self> {
        let (base, reverse) = name.strip_suffix(":reverse").map_or((name, false), |base| (base, true));
        let (plain, variant) = match base.split_once(':') {
            Some((plain @ ("barcode" | "topological"), variant)) => (plain, Some(variant)),
            _ => (base, None),
        };
        let mut criterion = make(plain)?;
        match (&mut criterion, variant) {
            (_, None) => {}
            (Criterion::Barcode(options), Some(variant)) => {
                let (joint, aim) =
                    variant.strip_prefix("joint").map_or((false, variant), |rest| (true, rest.trim_start_matches('-')));
                options.joint = joint;
                options.aim = if aim.is_empty() { options.aim } else { Aim::named(aim)? };
            }
            (Criterion::Topological(options), Some("refitted")) => {
                options.points = FilterPoints::Refitted { samples: FilterPoints::REFITTED }
            }
            _ => {
                return Err(Error::input(format!(
                    "unknown criterion '{base}': topological has the variant topological:refitted"
                )));
            }
        }
        Ok(Self { label: name.into(), criterion, reverse })
    }

    /// The label of the same reconstruction without topology, where this is one with it.
    pub fn control(&self) -> Option<String> {
        let Criterion::Barcode(options) = &self.criterion else { return None };
        let control = options.aim.control();
        let joint = if options.joint { "joint-" } else { "" };
        (options.aim != control && !self.reverse).then(|| format!("barcode:{joint}{}", control.name()))
    }

    /// Chance is run with three seeds at least: it is what the others are compared with.
    fn seeds(&self, seeds: usize) -> usize {
        if matches!(self.criterion, Criterion::Random { .. }) { seeds.max(3) } else { seeds }
    }
}

/// What to compare, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compare {
    /// Folder of the trained run.
    pub run: PathBuf,
    /// The criteria.
    pub rivals: Vec<Rival>,
    /// Shares of each layer's filters that go.
    pub ratios: Vec<f64>,
    /// Seeds of each.
    pub seeds: usize,
    /// Epochs of training after the cut.
    pub recover: usize,
    /// Training samples of such an epoch, and of the criteria; all if not given.
    pub train: Option<usize>,
    /// Test samples; all if not given.
    pub test: Option<usize>,
    /// Filters kept per layer are a multiple of this.
    pub round_to: usize,
    /// Which filters never go.
    pub limits: Limits,
    /// How much less than before counts as recovered.
    pub slack: f64,
    /// How the recovery learns; its number of epochs is [`Compare::recover`].
    pub settings: Settings,
    /// How what is left is fitted to the whole network after each cut, if it is. Each seed draws
    /// images of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensate: Option<Compensation>,
    /// A gentle recovery in place of one by `settings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// Steps of a gentle recovery, in place of epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover_steps: Option<usize>,
}

impl Compare {
    /// Every share of 0.1 to 0.9, three seeds, as the run was trained.
    pub fn new(run: &Run, rivals: Vec<Rival>) -> Self {
        Self {
            run: run.folder.clone(),
            rivals,
            ratios: (1..10).map(|i| f64::from(i) / 10.0).collect(),
            seeds: 3,
            recover: 1,
            train: None,
            test: None,
            round_to: 1,
            limits: Limits::default(),
            slack: 0.005,
            settings: run.config.settings,
            compensate: None,
            recovery: None,
            recover_steps: None,
        }
    }
}

/// One cut and its recovery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompareRow {
    /// Label of the criterion.
    pub by: String,
    /// Share of each layer's filters that went.
    pub ratio: f64,
    /// Decides what is left to chance, and the order of samples.
    pub seed: u64,
    /// The network right after the cut.
    pub cost: Cost,
    /// Accuracy after each epoch of the recovery.
    pub recovery: Vec<f64>,
    /// Seconds for scoring, cutting, and each epoch of the recovery on average.
    pub seconds: [f64; 3],
}

impl CompareRow {
    /// Accuracy at the end.
    pub fn last(&self) -> f64 {
        self.recovery.last().copied().unwrap_or(self.cost.accuracy)
    }

    /// Epochs until the accuracy is at least `goal`, 0 if it is right after the cut.
    pub fn epochs_to(&self, goal: f64) -> Option<usize> {
        std::iter::once(&self.cost.accuracy).chain(&self.recovery).position(|&a| a >= goal)
    }
}

/// What `settings.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Setting {
    pub compare: Compare,
    pub network: String,
    pub data: String,
    pub test_samples: usize,
    pub train_samples: usize,
    /// Stands for the weights before.
    pub weights: String,
    pub before: Cost,
}

/// Prunes a run by every criterion, share and seed into `out`: raw results line by line, tables and
/// pictures. Goes on where it was interrupted.
///
/// # Errors
/// [`Error::Input`] when the folder holds results of other options, or a plan makes no sense;
/// [`Error::Interrupted`], after saving.
pub fn compare(options: &Compare, out: &Path, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<CompareRow>> {
    let run = Run::open(&options.run)?;
    if options.seeds == 0 || options.train == Some(0) || options.test == Some(0) || options.rivals.is_empty() {
        return Err(Error::input("a comparison needs at least one criterion, one seed, one training sample and one test sample"));
    }
    for rival in &options.rivals {
        for &ratio in &options.ratios {
            plan(options, rival, ratio, 0).check(&run.arch)?;
        }
    }
    let data = run.data()?;
    let data = data.with_at_most(options.train.unwrap_or(data.train.len()), options.test.unwrap_or(data.test.len()), 0);
    let net = run.network(compute)?;
    for rival in &options.rivals {
        rival.criterion.check_samples(data.train.len())?;
    }
    same_engine(out, compute)?;
    let setting = setting(options, out, &run, &net, &data, compute, watch)?;
    let mut ledger = Ledger::<CompareRow>::open(&out.join("compare.jsonl"))?;
    let total: usize = options.rivals.iter().map(|r| r.seeds(options.seeds) * options.ratios.len()).sum();
    let mut done = 0;
    for &ratio in &options.ratios {
        for rival in &options.rivals {
            for seed in 0..rival.seeds(options.seeds) as u64 {
                done += 1;
                if ledger.rows.iter().any(|r| r.by == rival.label && same(r.ratio, ratio) && r.seed == seed) {
                    continue;
                }
                let row = cell(options, rival, ratio, seed, &net, &data, compute, watch)?;
                watch.note(&format!(
                    "{} of {total}: {} at {ratio}, seed {seed}: {:.2} % after the cut, {:.2} % recovered",
                    done,
                    rival.label,
                    100.0 * row.cost.accuracy,
                    100.0 * row.last()
                ));
                ledger.add(row)?;
                watch.at("cuts", done as u64, total as u64);
            }
        }
    }
    report(out, &setting, &ledger.rows, compute)?;
    Ok(ledger.rows)
}

fn plan(options: &Compare, rival: &Rival, ratio: f64, seed: u64) -> Plan {
    let criterion = rival.criterion.clone().seeded(seed);
    let compensate = options.compensate.map(|c| Compensation { seed, ..c });
    let recover = options.recover_steps.map_or(Recover::Epochs(options.recover), |steps| Recover::Steps { steps });
    Plan {
        round_to: options.round_to,
        limits: options.limits.clone(),
        reverse: rival.reverse,
        compensate,
        recover,
        recovery: options.recovery,
        ..Plan::ratio(criterion, ratio)
    }
}

/// The network before, measured once, and a guard against results of other options.
fn setting(
    options: &Compare,
    out: &Path,
    run: &Run,
    net: &Net,
    data: &DataSet,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<Setting> {
    let path = out.join("settings.json");
    if path.exists() {
        let mut old: Setting = read_json(&path)?;
        // Criteria, shares and seeds may be added to what is there; what was asked before stays in
        // the report.
        let known = old.compare.clone();
        // Where the run lies is no matter; its weights are.
        let rest = |c: &Compare| Compare { run: PathBuf::new(), rivals: Vec::new(), ratios: Vec::new(), seeds: 0, ..c.clone() };
        let weights = run.fingerprint()?;
        let twin = |r: &Rival| known.rivals.iter().find(|k| k.label == r.label && *k != r).cloned();
        let changed: Vec<(Rival, &Rival)> = options.rivals.iter().filter_map(|r| Some((twin(r)?, r))).collect();
        if rest(&known) != rest(options) || !changed.is_empty() || old.weights != weights {
            let (before, now): (Vec<Rival>, Vec<Rival>) = changed.into_iter().map(|(b, n)| (b, n.clone())).unzip();
            let told = |options: Compare, weights: &str, criteria: &[Rival]| serde_json::json!({ "options": options, "weights": weights, "criteria": criteria });
            return Err(Error::input(format!(
                "{} holds a comparison with other options or of other weights ({}): use another --out",
                out.display(),
                differences(&told(rest(&known), &old.weights, &before), &told(rest(options), &weights, &now))
            )));
        }
        old.compare.rivals.extend(options.rivals.iter().filter(|r| !known.rivals.contains(r)).cloned());
        old.compare.ratios.extend(options.ratios.iter().filter(|r| !known.ratios.contains(r)));
        old.compare.ratios.sort_by(f64::total_cmp);
        old.compare.seeds = known.seeds.max(options.seeds);
        write_json(&path, &old)?;
        return Ok(old);
    }
    let before = Cost::of(net, accuracy(net, &data.test, &compute.device, watch)?, &compute.device)?;
    let setting = Setting {
        compare: options.clone(),
        network: run.arch.title(),
        data: data.name.clone(),
        test_samples: data.test.len(),
        train_samples: data.train.len(),
        weights: run.fingerprint()?,
        before,
    };
    write_json(&path, &setting)?;
    Ok(setting)
}

#[allow(clippy::too_many_arguments, reason = "a cell of a grid is all of its coordinates")]
fn cell(
    options: &Compare,
    rival: &Rival,
    ratio: f64,
    seed: u64,
    net: &Net,
    data: &DataSet,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<CompareRow> {
    let stopped = || Error::Interrupted("stopped; what is through is saved, run it again to go on".into());
    if watch.stopped() {
        return Err(stopped());
    }
    let plan = plan(options, rival, ratio, seed);
    let settings = plan.recovery_settings(&Settings { seed, ..options.settings }, data.train.len());
    let cut = shrink(net, data, &plan, &settings, compute, watch, &mut ())?;
    let after = accuracy(&cut.net, &data.test, &compute.device, &mut Unwatched)?;
    let cost = Cost::of(&cut.net, after, &compute.device)?;
    let mut trainer = Trainer::new(cut.net, settings, &compute.device).taught_by(net);
    let (mut recovery, mut seconds) = (Vec::new(), 0.0);
    for _ in 0..settings.epochs {
        match trainer.epoch(&data.train, watch) {
            Ok(record) => seconds += record.seconds,
            // A loss that is not finite any more is a result too.
            Err(Error::Diverged(why)) => {
                watch.note(&why);
                recovery.push(0.0);
                break;
            }
            Err(Error::Interrupted(_)) => return Err(stopped()),
            Err(other) => return Err(other),
        }
        recovery.push(accuracy(&trainer.network(), &data.test, &compute.device, &mut Unwatched)?);
    }
    let milli = |s: f64| (1e3 * s).round() / 1e3;
    let per_epoch = seconds / recovery.len().max(1) as f64;
    let seconds = [cut.seconds[0], cut.seconds[1], per_epoch].map(milli);
    Ok(CompareRow { by: rival.label.clone(), ratio, seed, cost, recovery, seconds })
}
