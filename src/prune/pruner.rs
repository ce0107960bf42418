//! From a trained run to a smaller one: score, choose, cut, recover, report.

use super::cost::Cost;
use super::outcome::{Outcome, Stage};
use super::plan::Plan;
use super::schedule::shrink;
use crate::data::DataSet;
use crate::data::files::{create_folder, read_json, write_json, write_text};
use crate::error::{Error, Result};
use crate::nn::{Compute, Net};
use crate::progress::Watch;
use crate::train::{LOADER, Run, accuracy, refuse_taken};
use std::path::{Path, PathBuf};

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
    plan.check(&run.arch)?;
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
    let found = shrink(&net, data, plan, &run.config.settings, compute, watch)?;
    let (cut, layers, [scored, cut_seconds, between]) = (found.net, found.layers, found.seconds);
    let after_cut = Cost::of(&cut, accuracy(&cut, &data.test, &compute.device, watch)?, &compute.device)?;
    let outcome = Outcome {
        from: place(&run.folder),
        plan: plan.clone(),
        engine: compute.engine.info(),
        layers,
        before,
        after_cut,
        recovered: None,
        seconds: [scored, cut_seconds, between],
        stage: Stage::Cut,
    };
    let mut config = run.config.clone();
    config.settings.epochs = plan.recover;
    write_json(&folder.join("arch.json"), &cut.arch)?;
    write_json(&folder.join("config.json"), &config)?;
    write_text(&folder.join(LOADER.0), LOADER.1)?;
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
        outcome.seconds[2] += metrics.iter().map(|m| m.seconds).sum::<f64>();
        net
    };
    outcome.stage = Stage::Done;
    write_json(&out.join("prune.json"), &outcome)?;
    Ok((outcome, net))
}
