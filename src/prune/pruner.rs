//! From a trained run to a smaller one: score, choose, cut, recover, report.

use super::cost::Cost;
use super::outcome::{Outcome, Stage};
use super::plan::Plan;
use super::schedule::Schedule;
use super::scoring::LayerRow;
use super::shrink::{Keeper, Standing, shrink};
use crate::data::DataSet;
use crate::data::files::{create_folder, differences, read_json, write_json, write_text};
use crate::error::{Error, Result};
use crate::nn::{Arch, Compute, Net};
use crate::progress::Watch;
use crate::train::{LOADER, Run, accuracy, refuse_taken};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Prunes a run into a new folder, which is there only once the cut is complete.
///
/// Steps of a schedule that are through are kept beside it, and the same call goes on from them.
///
/// # Errors
/// [`Error::Input`] when the folder is taken or the plan makes no sense; [`Error::Interrupted`]
/// when stopped: while the first step is scored, nothing is left; later the steps that are through
/// are kept, and during the recovery the cut network and what it has recovered ([`resume_prune`]);
/// [`Error::Io`], [`Error::Device`].
pub fn prune_run(
    run: &Run,
    plan: &Plan,
    out: &Path,
    data: &DataSet,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<(Outcome, Net)> {
    plan.check(&run.arch)?;
    refuse_taken(out)?;
    let partial = partial_folder(out);
    if std::fs::read_dir(out).is_ok_and(|mut files| files.next().is_some()) {
        return Err(Error::setting(format!("{} is not empty: use another folder", out.display()), &["out"]));
    }
    let mut steps = Steps {
        folder: partial.clone(),
        plan: plan.clone(),
        from: place(&run.folder),
        weights: run.fingerprint()?,
        device: compute.device.clone(),
    };
    steps.refuse_others()?;
    create_folder(&partial)?;
    let cut = cut_into(&mut steps, run, plan, data, compute, watch)
        .and_then(|cut| std::fs::rename(&partial, out).map_err(Error::io(out, "create")).map(|()| cut));
    let cut = match cut {
        // Steps that are through are hours of work: no error takes them away.
        Err(Error::Interrupted(why)) if steps.path().exists() => {
            Err(Error::Interrupted(format!("{why}; steps that are through are kept, the same command goes on")))
        }
        Err(e) if steps.path().exists() => Err(e),
        Err(e) => {
            let _ = std::fs::remove_dir_all(&partial);
            Err(e)
        }
        Ok(cut) => Ok(cut),
    };
    let (outcome, net) = cut?;
    finish(run, outcome, net, out, data, compute, watch)
}

/// Goes on with the recovery of a pruning that was interrupted, by its own plan and on its own
/// data.
///
/// # Errors
/// [`Error::Io`] or [`Error::File`] when the folder does not hold one; [`Error::Input`] when it was
/// made from another run; as [`prune_run`].
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
    finish(run, outcome, net, out, &data, compute, watch)
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

/// Steps of a schedule, kept in the folder in which the run is built.
struct Steps {
    folder: PathBuf,
    plan: Plan,
    from: String,
    weights: String,
    device: Device,
}

/// What `steps.json` holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    plan: Plan,
    from: String,
    weights: String,
    done: usize,
    layers: Vec<LayerRow>,
    seconds: [f64; 3],
    arch: Arch,
}

impl Steps {
    fn path(&self) -> PathBuf {
        self.folder.join("steps.json")
    }

    /// Weights of each step have a name of their own, so that `steps.json` always speaks of weights
    /// that are whole.
    fn weights_of(&self, done: usize) -> PathBuf {
        self.folder.join(format!("step-{done}.safetensors"))
    }

    /// Refuses to go on with what another plan or run has left.
    fn refuse_others(&self) -> Result<()> {
        if !self.path().exists() {
            return Ok(());
        }
        let kept: Kept = read_json(&self.path())?;
        if kept.plan == self.plan && kept.from == self.from && kept.weights == self.weights {
            return Ok(());
        }
        let told = |plan: &Plan, run: &str, weights: &str| serde_json::json!({ "plan": plan, "run": run, "weights": weights });
        Err(Error::input(format!(
            "{} holds steps of a pruning with other options or of other weights ({}): finish that by its own command, or remove the folder",
            self.folder.display(),
            differences(&told(&kept.plan, &kept.from, &kept.weights), &told(&self.plan, &self.from, &self.weights))
        )))
    }

    /// Removes what was kept.
    fn clear(&self, done: usize) {
        let _ = std::fs::remove_file(self.path());
        (0..=done).for_each(|d| {
            let _ = std::fs::remove_file(self.weights_of(d));
        });
    }
}

impl Keeper for Steps {
    fn load(&mut self) -> Result<Option<Standing>> {
        if !self.path().exists() {
            return Ok(None);
        }
        let kept: Kept = read_json(&self.path())?;
        let net = Net::load(&kept.arch, &self.weights_of(kept.done), &self.device)?;
        Ok(Some(Standing { done: kept.done, layers: kept.layers, seconds: kept.seconds, net }))
    }

    fn save(&mut self, standing: &Standing) -> Result<()> {
        standing.net.save(&self.weights_of(standing.done))?;
        let kept = Kept {
            plan: self.plan.clone(),
            from: self.from.clone(),
            weights: self.weights.clone(),
            done: standing.done,
            layers: standing.layers.clone(),
            seconds: standing.seconds,
            arch: standing.net.arch.clone(),
        };
        write_json(&self.path(), &kept)
    }
}

/// Scores, cuts, and writes everything into a folder.
fn cut_into(
    steps: &mut Steps,
    run: &Run,
    plan: &Plan,
    data: &DataSet,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<(Outcome, Net)> {
    let net = run.network(compute)?;
    let before = Cost::of(&net, accuracy(&net, &data.test, &compute.device, watch)?, &compute.device)?;
    let found = shrink(&net, data, plan, &run.config.settings, compute, watch, steps)?;
    let (cut, layers, [scored, cut_seconds, between]) = (found.net, found.layers, found.seconds);
    let after_cut = Cost::of(&cut, accuracy(&cut, &data.test, &compute.device, watch)?, &compute.device)?;
    let outcome = Outcome {
        from: place(&run.folder),
        plan: plan.clone(),
        engine: compute.engine.info(),
        layers,
        refits: found.refits,
        before,
        after_cut,
        recovered: None,
        seconds: [scored, cut_seconds, between],
        stage: Stage::Cut,
    };
    let folder = steps.folder.clone();
    let mut config = run.config.clone();
    config.settings = plan.recovery_settings(&run.config.settings, data.train.len());
    write_json(&folder.join("arch.json"), &cut.arch)?;
    write_json(&folder.join("config.json"), &config)?;
    write_text(&folder.join(LOADER.0), LOADER.1)?;
    cut.save(&folder.join(CUT))?;
    cut.save(&folder.join("weights.safetensors"))?;
    write_json(&folder.join("prune.json"), &outcome)?;
    let most = match plan.schedule {
        Schedule::OneShot => 0,
        Schedule::Iterative { steps, .. } => steps,
        Schedule::Soft { epochs } => epochs,
    };
    steps.clear(most);
    Ok((outcome, cut))
}

/// Recovers if the plan says so, and completes `prune.json`.
fn finish(
    run: &Run,
    mut outcome: Outcome,
    cut: Net,
    out: &Path,
    data: &DataSet,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<(Outcome, Net)> {
    let net = if outcome.plan.recover.is_none() {
        cut
    } else {
        let pruned = Run::open(out)?;
        let teacher = match pruned.config.settings.gentle {
            Some(gentle) if gentle.distill => Some(run.network(compute)?),
            _ => None,
        };
        let net = pruned.train_observed(Some(cut), teacher.as_ref(), data, compute, watch, &mut |_, _| Ok(()))?;
        let metrics = pruned.metrics()?;
        let right = metrics.last().and_then(|m| m.test_accuracy);
        let right = right.ok_or_else(|| Error::file(out.join("metrics.jsonl"), "the last epoch has no test accuracy"))?;
        outcome.recovered = Some(Cost::of(&net, right, &compute.device)?);
        outcome.seconds[2] += metrics.iter().map(|m| m.seconds).sum::<f64>();
        net
    };
    outcome.stage = Stage::Done;
    write_json(&out.join("prune.json"), &outcome)?;
    Ok((outcome, net))
}
