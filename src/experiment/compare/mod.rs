//! Criteria side by side: the same network, shares, recovery and counting for all of them.

mod report;
mod rows;

use super::ledger::{Ledger, same, same_engine};
use crate::data::DataSet;
use crate::data::files::{other_options, read_json, write_json};
use crate::error::{Error, Result};
use crate::nn::{Compute, Net};
use crate::progress::{Unwatched, Watch};
use crate::prune::{Compensation, Cost, Plan, Recover, shrink};
use crate::train::{Run, Settings, Trainer, accuracy};
use report::report;
use rows::Setting;
pub use rows::{Compare, CompareRow, Rival};
use std::path::{Path, PathBuf};

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
            let (before, now) = (told(rest(&known), &old.weights, &before), told(rest(options), &weights, &now));
            return Err(other_options("a comparison", out, &before, &now));
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
