//! `lacuna runs`

use super::{print, print_json};
use clap::Args;
use lacuna::data::files::read_json;
use lacuna::nn::counts_of;
use lacuna::report::Table;
use lacuna::train::Run;
use lacuna::{Error, Result};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  lacuna runs runs")]
pub struct Runs {
    /// Folder that holds runs, in folders of their own at any depth
    #[arg(default_value = "runs")]
    folder: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Folders of runs below a folder, and itself, by name; links are not followed.
fn find(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    if folder.join("config.json").is_file() && folder.join("arch.json").is_file() {
        found.push(folder.into());
    }
    let mut below = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
        let entry = entry.map_err(Error::io(folder, "read"))?;
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            below.push(entry.path());
        }
    }
    below.sort();
    below.iter().try_for_each(|b| find(b, found))
}

/// The accuracy that a pruned run ended with, and the run that it was cut from.
fn pruned(run: &Run) -> (Option<f64>, Option<String>) {
    let Ok(outcome) = read_json::<serde_json::Value>(&run.folder.join("prune.json")) else { return (None, None) };
    let end = ["recovered", "after_cut"].iter().find_map(|k| outcome[k]["accuracy"].as_f64());
    let from = outcome["from"].as_str().and_then(|f| Path::new(f).file_name()).map(|f| f.to_string_lossy().into_owned());
    (end, from)
}

impl Runs {
    pub fn run(&self) -> Result<()> {
        if !self.folder.is_dir() {
            return Err(Error::file(&self.folder, "there is no such folder"));
        }
        let mut folders = Vec::new();
        find(&self.folder, &mut folders)?;
        if folders.is_empty() {
            return Err(Error::file(&self.folder, "holds no runs: `lacuna train --out FOLDER` makes one"));
        }
        let mut rows = Vec::new();
        for folder in &folders {
            let run = Run::open(folder)?;
            let metrics = run.metrics()?;
            let (after, from) = pruned(&run);
            let epsilon = metrics.last().and_then(|m| m.epsilon);
            let accuracy = after.or_else(|| metrics.last().and_then(|m| m.test_accuracy));
            let counts = counts_of(&run.arch)?;
            let (parameters, macs) =
                (counts.iter().map(|c| c.parameters).sum::<usize>(), counts.iter().map(|c| c.macs).sum::<usize>());
            rows.push((run, metrics.len(), accuracy, parameters, macs, from, epsilon));
        }
        if self.json {
            let row = |(run, epochs, accuracy, parameters, macs, from, epsilon): &(
                Run,
                usize,
                Option<f64>,
                usize,
                usize,
                Option<String>,
                Option<f64>,
            )| {
                json!({"run": run.folder, "data": run.config.data, "network": run.arch.title(), "activation": run.arch.activation.to_string(),
                       "epochs": epochs, "accuracy": accuracy, "parameters": parameters, "macs": macs, "pruned_from": from, "epsilon": epsilon})
            };
            return print_json(&rows.iter().map(row).collect::<Vec<_>>());
        }
        let best = rows.iter().filter_map(|r| r.2).fold(0.0, f64::max);
        let mut head = vec!["run", "data", "network", "epochs", "test accuracy", "parameters", "MACs", "cut from"];
        // Of private runs: what they have spent.
        let some_private = rows.iter().any(|r| r.6.is_some());
        head.extend(some_private.then_some("epsilon"));
        let mut table = Table::new(&head);
        for (run, epochs, accuracy, parameters, macs, from, epsilon) in &rows {
            let name = run.folder.strip_prefix(&self.folder).ok().filter(|p| !p.as_os_str().is_empty()).unwrap_or(&run.folder);
            let mark = if *accuracy == Some(best) { " *" } else { "" };
            let mut cells = vec![
                name.display().to_string(),
                Path::new(&run.config.data).file_name().unwrap_or_default().to_string_lossy().into_owned(),
                run.arch.title(),
                epochs.to_string(),
                accuracy.map_or("none yet".into(), |a| format!("{:.2} %{mark}", 100.0 * a)),
                parameters.to_string(),
                macs.to_string(),
                from.clone().unwrap_or_default(),
            ];
            cells.extend(some_private.then(|| epsilon.map_or(String::new(), |e| format!("{e:.3}"))));
            table.row(cells);
        }
        print(&table.markdown())
    }
}
