//! From a trained run to a smaller one: score, choose, cut, recover, report.

use super::cost::Cost;
use super::criteria::{Criterion, LayerScores};
use super::surgery::{Keep, cut};
use crate::data::files::{create_folder, read_json, write_json};
use crate::data::{DataSet, Samples};
use crate::error::{Error, Result};
use crate::nn::{Compute, Net};
use crate::progress::Watch;
use crate::report::{Pairs, Table};
use crate::topology::EngineInfo;
use crate::train::{Run, accuracy, refuse_taken};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Which filters go, given their scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Those whose score is above this; for criteria whose high scores go.
    Above(f64),
    /// This share of each layer, the worst first.
    Ratio(f64),
}

/// How a run is pruned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What filters are worth.
    pub criterion: Criterion,
    /// Which of them go.
    pub rule: Rule,
    /// Filters kept per layer are a multiple of this where the layer has that many.
    pub round_to: usize,
    /// Epochs of training after the cut.
    pub recover: usize,
}

/// Filters of one convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRow {
    /// Scores of its filters before the cut.
    #[serde(flatten)]
    pub scores: LayerScores,
    /// Filters that stayed.
    pub kept: Vec<usize>,
}

/// How far a pruning has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Cut and saved; recovery is not through.
    Cut,
    /// Through.
    Done,
}

/// What `prune.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The run that was pruned.
    pub from: String,
    /// How.
    pub plan: Plan,
    /// What computed the Betti numbers.
    pub engine: EngineInfo,
    /// Layer by layer.
    pub layers: Vec<LayerRow>,
    /// The network before.
    pub before: Cost,
    /// Right after the cut.
    pub after_cut: Cost,
    /// After the recovery, if there was one.
    pub recovered: Option<Cost>,
    /// Seconds for scoring, cutting and recovery (its training alone).
    pub seconds: [f64; 3],
    /// How far it has come.
    pub stage: Stage,
}

impl Outcome {
    /// Filters of every layer before and after, with the spread of their scores.
    pub fn layer_table(&self) -> Table {
        let mut table = Table::new(&["layer", "filters", "kept", "lowest score", "median", "highest", "scale"]);
        for row in &self.layers {
            let mut sorted = row.scores.scores.clone();
            sorted.sort_by(f64::total_cmp);
            let number = |x: Option<&f64>| {
                x.map_or(String::new(), |x| format!("{x:.4}").trim_end_matches('0').trim_end_matches('.').into())
            };
            table.row([
                format!("conv at {}", row.scores.layer),
                sorted.len().to_string(),
                row.kept.len().to_string(),
                number(sorted.first()),
                number(sorted.get(sorted.len() / 2)),
                number(sorted.last()),
                number(row.scores.scale.as_ref()),
            ]);
        }
        table
    }

    /// Accuracy and costs before, after the cut, and after recovery.
    pub fn cost_table(&self) -> Table {
        let mut table = Table::new(&["network", "accuracy", "parameters", "MACs", "bytes", "ms per 64"]);
        let recovered = self.recovered.as_ref().map(|c| ("recovered", c));
        for (name, c) in [("before", &self.before), ("after the cut", &self.after_cut)].into_iter().chain(recovered) {
            table.row([
                name.into(),
                format!("{:.2} %", 100.0 * c.accuracy),
                c.parameters.to_string(),
                c.macs.to_string(),
                c.bytes.to_string(),
                format!("{:.2}", c.latency_ms),
            ]);
        }
        table
    }

    /// Filters per layer, before and after.
    pub fn filters_picture(&self) -> Pairs {
        let entry = |r: &LayerRow| (format!("conv at {}", r.scores.layer), r.scores.scores.len() as f64, r.kept.len() as f64);
        Pairs {
            title: format!("Filters per layer, pruned by {}", self.plan.criterion.name()),
            y: "filters".into(),
            names: ["before".into(), "kept".into()],
            entries: self.layers.iter().map(entry).collect(),
        }
    }
}

impl Plan {
    fn check(&self) -> Result<()> {
        match self.rule {
            Rule::Above(_) if !self.criterion.high_goes() => {
                Err(Error::input(format!("--above is a Betti number; with --by {} give a --ratio", self.criterion.name())))
            }
            Rule::Above(limit) if !limit.is_finite() => Err(Error::input("--above must be a number")),
            Rule::Ratio(r) if !(0.0..1.0).contains(&r) => {
                Err(Error::input(format!("the ratio {r} must be at least 0 and below 1: every layer keeps a filter")))
            }
            _ if self.round_to == 0 => Err(Error::input("--round-to must be at least 1")),
            _ => Ok(()),
        }
    }

    /// The filters of a layer that stay, ascending: at least one, the best of the layer.
    pub fn keep(&self, scores: &[f64]) -> Vec<usize> {
        // The worst first; of equals the later.
        let mut order: Vec<usize> = (0..scores.len()).collect();
        let worth = |i: usize| if self.criterion.high_goes() { -scores[i] } else { scores[i] };
        order.sort_by(|&a, &b| worth(a).total_cmp(&worth(b)).then(b.cmp(&a)));
        let goes = match self.rule {
            Rule::Above(limit) => scores.iter().filter(|&&s| s > limit).count(),
            Rule::Ratio(r) => (r * scores.len() as f64 + 1e-9).floor() as usize,
        };
        let stays = (scores.len() - goes).max(1).next_multiple_of(self.round_to).min(scores.len());
        let mut kept = order.split_off(scores.len() - stays);
        kept.sort_unstable();
        kept
    }
}

/// Scores a network's filters and says which of them stay.
///
/// # Errors
/// [`Error::Input`] for a plan that makes no sense; whatever the criterion says.
pub fn score(net: &Net, samples: &Samples, plan: &Plan, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<LayerRow>> {
    plan.check()?;
    if net.arch.prunable().is_empty() {
        return Err(Error::input(format!("{} has no convolution whose filters could be removed", net.arch.name)));
    }
    let scored = plan.criterion.score(net, samples, compute, watch)?;
    Ok(scored.into_iter().map(|scores| LayerRow { kept: plan.keep(&scores.scores), scores }).collect())
}

/// Prunes a run into a new folder, which is there only once the cut is complete.
///
/// # Errors
/// [`Error::Input`] when the folder is taken or the plan makes no sense; [`Error::Interrupted`] when stopped: while scoring, nothing is
/// left, and during the recovery the cut network and what it has recovered are saved ([`resume_prune`]); [`Error::Io`], [`Error::Device`].
pub fn prune_run(
    run: &Run,
    plan: &Plan,
    out: &Path,
    data: &DataSet,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<(Outcome, Net)> {
    plan.check()?;
    refuse_taken(out)?;
    let partial = partial_folder(out);
    if partial.exists() {
        std::fs::remove_dir_all(&partial).map_err(Error::io(&partial, "remove"))?;
    }
    create_folder(&partial)?;
    let cut = cut_into(&partial, run, plan, data, compute, watch)
        .and_then(|cut| std::fs::rename(&partial, out).map_err(Error::io(out, "create")).map(|()| cut));
    if cut.is_err() {
        let _ = std::fs::remove_dir_all(&partial);
    }
    let (outcome, net) = cut?;
    finish(outcome, net, out, data, compute, watch)
}

/// Goes on with the recovery of a pruning that was interrupted, by its own plan and on its own data.
///
/// # Errors
/// [`Error::Io`] or [`Error::File`] when the folder does not hold one; [`Error::Input`] when it was made from another run; as [`prune_run`].
pub fn resume_prune(run: &Run, out: &Path, compute: &Compute, watch: &mut dyn Watch) -> Result<(Outcome, Net)> {
    let pruned = Run::open(out)?;
    if !out.join("prune.json").exists() {
        return Err(Error::file(out, "was not made by `lacuna prune`: there is no recovery to go on with"));
    }
    let outcome: Outcome = read_json(&out.join("prune.json"))?;
    if outcome.from != place(&run.folder) {
        return Err(Error::input(format!("{} was made from {}, not from {}", out.display(), outcome.from, run.folder.display())));
    }
    if outcome.stage == Stage::Done {
        let net = pruned.network(compute)?;
        return Ok((outcome, net));
    }
    let data = pruned.data()?;
    let net = Net::load(&pruned.arch, &out.join(CUT), &compute.device)?;
    finish(outcome, net, out, &data, compute, watch)
}

/// Name of the weights right after the cut.
const CUT: &str = "cut.safetensors";

/// Where a run is, in a form that does not depend on how it was named.
fn place(folder: &Path) -> String {
    std::fs::canonicalize(folder).unwrap_or_else(|_| folder.into()).display().to_string()
}

/// Where a pruned run is built, beside its final place.
fn partial_folder(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    out.with_file_name(name)
}

/// Scores, cuts, and writes everything into a folder.
fn cut_into(
    folder: &Path,
    run: &Run,
    plan: &Plan,
    data: &DataSet,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<(Outcome, Net)> {
    let net = run.network(compute)?;
    let before = Cost::of(&net, accuracy(&net, &data.test, &compute.device, watch)?, &compute.device)?;
    let start = Instant::now();
    let layers = score(&net, &data.train, plan, compute, watch)?;
    let scored = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let keep: Keep = layers.iter().map(|l| (l.scores.layer, l.kept.clone())).collect();
    let cut = cut(&net, &keep, &compute.device)?;
    let cut_seconds = start.elapsed().as_secs_f64();
    let after_cut = Cost::of(&cut, accuracy(&cut, &data.test, &compute.device, watch)?, &compute.device)?;
    let outcome = Outcome {
        from: place(&run.folder),
        plan: plan.clone(),
        engine: compute.engine.info(),
        layers,
        before,
        after_cut,
        recovered: None,
        seconds: [scored, cut_seconds, 0.0],
        stage: Stage::Cut,
    };
    let mut config = run.config.clone();
    config.settings.epochs = plan.recover;
    write_json(&folder.join("arch.json"), &cut.arch)?;
    write_json(&folder.join("config.json"), &config)?;
    cut.save(&folder.join(CUT))?;
    cut.save(&folder.join("weights.safetensors"))?;
    write_json(&folder.join("prune.json"), &outcome)?;
    Ok((outcome, cut))
}

/// Recovers if the plan says so, and completes `prune.json`.
fn finish(
    mut outcome: Outcome,
    cut: Net,
    out: &Path,
    data: &DataSet,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<(Outcome, Net)> {
    let net = if outcome.plan.recover == 0 {
        cut
    } else {
        let pruned = Run::open(out)?;
        let net = pruned.train(Some(cut), data, compute, watch)?;
        let metrics = pruned.metrics()?;
        let right = metrics.last().and_then(|m| m.test_accuracy).unwrap_or(0.0);
        outcome.recovered = Some(Cost::of(&net, right, &compute.device)?);
        outcome.seconds[2] = metrics.iter().map(|m| m.seconds).sum();
        net
    };
    outcome.stage = Stage::Done;
    write_json(&out.join("prune.json"), &outcome)?;
    Ok((outcome, net))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::BettiOptions;

    fn plan(criterion: Criterion, rule: Rule, round_to: usize) -> Plan {
        Plan { criterion, rule, round_to, recover: 0 }
    }

    #[test]
    fn rules_keep_the_right_filters() {
        let scores = [300.0, 301.0, 10.0, 400.0];
        let betti = || Criterion::Betti(BettiOptions::default());
        assert_eq!(plan(betti(), Rule::Above(300.0), 1).keep(&scores), [0, 2]);
        assert_eq!(plan(betti(), Rule::Above(5.0), 1).keep(&scores), [2], "the best stays");
        assert_eq!(plan(betti(), Rule::Ratio(0.5), 1).keep(&scores), [0, 2]);
        assert_eq!(plan(Criterion::L1, Rule::Ratio(0.5), 1).keep(&scores), [1, 3]);
        assert_eq!(plan(Criterion::L1, Rule::Ratio(0.3), 1).keep(&scores).len(), 3);
        assert_eq!(plan(Criterion::L1, Rule::Ratio(0.75), 2).keep(&scores), [1, 3]);
        assert_eq!(plan(Criterion::L1, Rule::Ratio(0.5), 8).keep(&scores).len(), 4);
        assert_eq!(plan(Criterion::L1, Rule::Ratio(0.5), 1).keep(&[1.0; 4]), [0, 1], "of equals the later go");
    }

    #[test]
    fn senseless_plans_are_refused() {
        for bad in [
            plan(Criterion::L1, Rule::Above(300.0), 1),
            plan(Criterion::L1, Rule::Ratio(1.0), 1),
            plan(Criterion::L1, Rule::Ratio(0.5), 0),
        ] {
            assert_eq!(bad.check().unwrap_err().exit_code(), 2);
        }
    }
}
