//! How many steps networks with different activations take to learn sets of known topology.
//!
//! Every activation chooses learning rate and initialisation from one grid for all alike, by the
//! median steps of a few screening seeds; then fresh seeds train with what was chosen, and only
//! they count. A run that does not get there counts as infinitely long.

mod report;
mod rows;

use super::ledger::{Ledger, same, same_engine};
use super::stats::{median, ratio_interval};
use crate::data::DataSet;
use crate::error::Result;
use crate::nn::{Activation, Arch, Compute, Init};
use crate::progress::Watch;
use crate::train::{Member, Recipe, load_data, train_ensemble};
use report::report;
use rows::TARGETS;
pub use rows::{Convergence, RunRow, Task, Verdict};
pub(super) use rows::{HALF_LIFE, file_name};

/// Fresh seeds begin here.
const FRESH: u64 = 100;
/// The sets whose points are fixed: the seeds are the networks'.
const DATA_SEED: u64 = 0;

/// Runs what is missing, writes results.jsonl, verdicts.json, report.md, steps.svg and report.html,
/// and returns the verdicts.
///
/// # Errors
/// [`crate::Error::Interrupted`] when stopped, with all finished runs kept; [`crate::Error::Io`].
pub fn convergence(options: &Convergence, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<Verdict>> {
    same_engine(&options.out, compute)?;
    let mut ledger = Ledger::<RunRow>::open(&options.out.join("results.jsonl"))?;
    let mut verdicts = Vec::new();
    for task in &options.tasks {
        let data = load_data(&task.data, None, DATA_SEED)?;
        let mut reference: Option<Vec<f64>> = None;
        for activation in &options.activations {
            let mut best: Option<(f64, f64, Init, f64)> = None;
            for &init in &options.inits {
                for &rate in &options.rates {
                    let members: Vec<Member> = (0..options.screening as u64).map(|seed| Member { seed, rate }).collect();
                    let rows = run(task, activation, init, &members, &data, &mut ledger, compute, watch)?;
                    let steps: Vec<f64> = rows.iter().map(|r| r.steps_to(3)).collect();
                    // Where hardly any seed got there, the one that came nearer.
                    let near = rows.iter().map(|r| r.grown.train_accuracy).sum::<f64>() / rows.len() as f64;
                    let score = (median(&steps), 1.0 - near);
                    if best.is_none_or(|(m, n, ..)| score.0 < m || (score.0 == m && score.1 < n)) {
                        best = Some((score.0, score.1, init, rate));
                    }
                }
            }
            let Some((.., init, rate)) = best else { continue };
            let members: Vec<Member> = (0..options.fresh as u64).map(|s| Member { seed: FRESH + s, rate }).collect();
            let rows = run(task, activation, init, &members, &data, &mut ledger, compute, watch)?;
            let verdict = judge(task, activation, init, rate, &rows, &mut reference);
            watch.note(&format!(
                "{task}: {}: median steps to 99.9 %: {}, {} of {} seeds, held out {:.2} %",
                activation.title(),
                task.shown(verdict.medians[3]),
                rows.iter().filter(|r| r.steps_to(3).is_finite()).count(),
                rows.len(),
                100.0 * verdict.held_out
            ));
            verdicts.push(verdict);
            report(options, &verdicts, compute)?;
        }
    }
    Ok(verdicts)
}

/// The rows of some members: from the ledger, or trained now.
#[allow(clippy::too_many_arguments, reason = "what a cell of the experiment is made of")]
fn run(
    task: &Task,
    activation: &Activation,
    init: Init,
    members: &[Member],
    data: &DataSet,
    ledger: &mut Ledger<RunRow>,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<Vec<RunRow>> {
    let is = |r: &RunRow, m: &Member| {
        r.task == *task
            && r.activation == *activation
            && r.init == init
            && r.grown.member.seed == m.seed
            && same(r.grown.member.rate, m.rate)
    };
    let missing: Vec<Member> = members.iter().filter(|m| !ledger.rows.iter().any(|r| is(r, m))).copied().collect();
    if !missing.is_empty() {
        let recipe = recipe(task, activation, init, data)?;
        train_ensemble(&recipe, &missing, &data.train, &data.test, compute, watch, &mut |_, grown| {
            ledger.add(RunRow { task: task.clone(), activation: activation.clone(), init, grown })
        })?;
    }
    for row in ledger.rows.iter().filter(|r| missing.iter().any(|m| is(r, m))) {
        if let Some(step) = row.grown.diverged {
            let Member { seed, rate } = row.grown.member;
            watch.note(&format!("{task}: {} with {init} at {rate}: seed {seed} diverged at step {step}", activation.title()));
        }
    }
    Ok(members.iter().filter_map(|m| ledger.rows.iter().find(|r| is(r, m)).cloned()).collect())
}

/// How a task is learnt: all samples a step.
pub(super) fn recipe(task: &Task, activation: &Activation, init: Init, data: &DataSet) -> Result<Recipe> {
    Ok(Recipe {
        arch: Arch::mlp(data.train.width(), task.depth, task.width, data.classes.len(), activation.clone())?,
        init,
        learn_activation: false,
        steps: task.steps,
        batch: 0,
        half_life: Some(HALF_LIFE),
        targets: TARGETS.to_vec(),
        check_every: 0,
        keep_at: Vec::new(),
    })
}

fn judge(
    task: &Task,
    activation: &Activation,
    init: Init,
    rate: f64,
    rows: &[RunRow],
    reference: &mut Option<Vec<f64>>,
) -> Verdict {
    let finite = |x: f64| x.is_finite().then_some(x);
    let to = |target: usize| rows.iter().map(|r| r.steps_to(target)).collect::<Vec<f64>>();
    let steps = to(3);
    // For the interval a run that was given up counts with the limit: its ratios are then bounds.
    let bounded: Vec<f64> = steps.iter().map(|s| s.min(task.steps as f64)).collect();
    let reference = reference.get_or_insert_with(|| steps.clone());
    let limit = task.steps as f64;
    let bounded_reference: Vec<f64> = reference.iter().map(|s| s.min(limit)).collect();
    let medians: Vec<Option<f64>> = (0..TARGETS.len()).map(|t| finite(median(&to(t)))).collect();
    Verdict {
        task: task.clone(),
        activation: activation.clone(),
        init,
        rate,
        steps: steps.iter().map(|&s| finite(s)).collect(),
        success: steps.iter().filter(|s| s.is_finite()).count() as f64 / rows.len().max(1) as f64,
        diverged: rows.iter().filter(|r| r.grown.diverged.is_some()).count(),
        held_out: median(&rows.iter().map(|r| r.grown.test_accuracy).collect::<Vec<_>>()),
        ratio: medians[3].map(|m| median(reference).min(limit) / m.max(1.0)),
        at_least: median(reference).is_infinite(),
        interval: ratio_interval(&bounded, &bounded_reference, 1),
        medians,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Unwatched;
    use std::path::Path;

    fn tiny(out: &Path) -> Convergence {
        Convergence {
            out: out.into(),
            tasks: vec![Task { data: "disks".into(), depth: 3, width: 12, steps: 60 }],
            activations: ["relu", "cabs"].map(|n| Activation::parse(n).unwrap()).to_vec(),
            rates: vec![0.01, 0.02],
            inits: vec![Init::Own],
            screening: 1,
            fresh: 2,
        }
    }

    struct StopAt(usize);

    impl Watch for StopAt {
        fn at(&mut self, _: &str, _: u64, _: u64) {}
        fn note(&mut self, _: &str) {
            self.0 = self.0.saturating_sub(1);
        }
        fn stopped(&self) -> bool {
            self.0 == 0
        }
    }

    #[test]
    fn an_experiment_goes_on_where_it_was_and_ends_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
        let verdicts = convergence(&tiny(&whole), &Compute::cpu(), &mut Unwatched).unwrap();
        assert_eq!(verdicts.len(), 2);
        assert!(verdicts.iter().all(|v| v.steps.len() == 2 && v.held_out > 0.5));
        assert!(verdicts[0].ratio.is_none_or(|r| r == 1.0));
        // Two screening cells and one of fresh seeds for each activation.
        let rows = Ledger::<RunRow>::open(&whole.join("results.jsonl")).unwrap().rows;
        assert_eq!(rows.len(), 2 * (2 + 2));
        let _ = convergence(&tiny(&parts), &Compute::cpu(), &mut StopAt(1));
        let again = convergence(&tiny(&parts), &Compute::cpu(), &mut Unwatched).unwrap();
        let json = |v: &[Verdict]| serde_json::to_string(v).unwrap();
        assert_eq!(json(&again), json(&verdicts));
        let report = std::fs::read_to_string(whole.join("report.md")).unwrap();
        assert!(report.contains("cabs") && whole.join("disks-3x12.svg").exists());
    }
}
