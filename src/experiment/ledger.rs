//! Raw results as lines of JSON, written one by one, so that an experiment that was stopped goes on
//! where it was.

use crate::data::files::{create_folder, other_options, read_json, write_json};
use crate::error::{Error, Result};
use crate::nn::Compute;
use crate::progress::Watch;
use crate::topology::EngineInfo;
use crate::train::refuse_run;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Whether two numbers are the same but for what one may lose in a file.
pub(super) fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs()
}

/// Notes in a folder of results which engine makes them.
///
/// # Errors
/// [`Error::Input`] when there are results of the other engine: rows of both would be reported as
/// of one.
pub(super) fn same_engine(folder: &Path, compute: &Compute) -> Result<()> {
    let (path, info) = (folder.join("engine.json"), compute.engine.info());
    refuse_run(folder)?;
    if path.exists() {
        let before: EngineInfo = read_json(&path)?;
        if before.kind != info.kind {
            let message = format!("{} holds results of the {} engine: use another folder", folder.display(), before.kind);
            return Err(Error::setting(message, &["out", "engine"]));
        }
        return Ok(());
    }
    create_folder(folder)?;
    write_json(&path, &info)
}

/// [`same_engine`] for a folder of timings: those of another adapter, or of another number of
/// threads, are not compared with them.
///
/// # Errors
/// As [`same_engine`].
pub(super) fn same_adapter(folder: &Path, compute: &Compute) -> Result<()> {
    same_engine(folder, compute)?;
    let (before, now): (EngineInfo, _) = (read_json(&folder.join("engine.json"))?, compute.engine.info());
    if before.adapter != now.adapter {
        let message = format!(
            "{} holds timings made on {}, and here are {}: use another folder",
            folder.display(),
            before.adapter,
            now.adapter
        );
        return Err(Error::setting(message, &["out", "threads"]));
    }
    Ok(())
}

/// Notes in a folder of results which data they are of, by a fingerprint of all samples. `has_runs`
/// says whether the folder holds runs of these data; runs that were made before fingerprints were
/// kept are taken to be of the same data, and that is said.
///
/// # Errors
/// [`Error::Input`] when the folder holds results of other data of that name.
pub(super) fn same_data(folder: &Path, name: &str, fingerprint: String, has_runs: bool, watch: &mut dyn Watch) -> Result<()> {
    let path = folder.join("data.json");
    let mut known: BTreeMap<String, String> = if path.exists() { read_json(&path)? } else { BTreeMap::new() };
    match known.get(name) {
        Some(before) if *before != fingerprint => {
            let message = format!("{} holds results of other samples of {name}: use another folder", folder.display());
            Err(Error::setting(message, &["out", "data-dir"]))
        }
        Some(_) => Ok(()),
        None => {
            if has_runs {
                watch.note(&format!(
                    "{} does not say which samples of {name} its runs learnt: they are taken to be these",
                    folder.display()
                ));
            }
            known.insert(name.into(), fingerprint);
            write_json(&path, &known)
        }
    }
}

/// Notes in a folder of results what they are of.
///
/// # Errors
/// [`Error::Input`] when there are results of something else.
pub(super) fn same_subject(folder: &Path, subject: &impl Serialize) -> Result<()> {
    let path = folder.join("settings.json");
    let now = serde_json::to_value(subject).map_err(|e| Error::Internal(e.to_string()))?;
    if path.exists() {
        let before: serde_json::Value = read_json(&path)?;
        if before != now {
            return Err(other_options("results", folder, &before, &now));
        }
        return Ok(());
    }
    create_folder(folder)?;
    write_json(&path, subject)
}

/// A file of results, one a line.
#[derive(Debug)]
pub(super) struct Ledger<T> {
    path: PathBuf,
    file: File,
    /// What the file holds.
    pub rows: Vec<T>,
}

impl<T: Serialize + DeserializeOwned> Ledger<T> {
    /// Opens or makes the file. A last line that is not whole, as a full disk leaves it, is
    /// dropped.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::File`] naming a line that is no result.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        let mut rows = Vec::new();
        if path.exists() {
            let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
            let whole = text.rfind('\n').map_or(0, |at| at + 1);
            for (i, line) in text[..whole].lines().enumerate() {
                rows.push(serde_json::from_str(line).map_err(|e| Error::line(path, i + 1, e.to_string()))?);
            }
            if whole < text.len() {
                crate::data::files::write_text(path, &text[..whole])?;
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(Error::io(path, "open"))?;
        Ok(Self { path: path.into(), file, rows })
    }

    /// Adds a result.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&mut self, row: T) -> Result<()> {
        let line = serde_json::to_string(&row).map_err(|e| Error::Internal(e.to_string()))? + "\n";
        self.file.write_all(line.as_bytes()).map_err(Error::io(&self.path, "write"))?;
        self.rows.push(row);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_other_data_or_another_machine_are_not_mixed() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, mut notes) = (dir.path(), crate::progress::Unwatched);
        let mut of = |name: &str, fingerprint: &str| same_data(folder, name, fingerprint.into(), false, &mut notes);
        of("fashion-mnist", "a").unwrap();
        of("mnist", "b").unwrap();
        of("fashion-mnist", "a").unwrap();
        let why = of("fashion-mnist", "b").unwrap_err().to_string();
        assert!(why.contains("other samples of fashion-mnist"), "{why}");
        let compute = Compute::cpu();
        same_adapter(folder, &compute).unwrap();
        same_adapter(folder, &compute).unwrap();
        let other = EngineInfo { adapter: "999 threads".into(), ..compute.engine.info() };
        write_json(&folder.join("engine.json"), &other).unwrap();
        same_engine(folder, &compute).unwrap();
        let why = same_adapter(folder, &compute).unwrap_err().to_string();
        assert!(why.contains("made on 999 threads"), "{why}");
    }

    #[test]
    fn a_torn_line_is_dropped_and_a_wrong_one_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub").join("r.jsonl");
        let mut ledger = Ledger::<(u32, f64)>::open(&path).unwrap();
        ledger.add((1, 0.5)).unwrap();
        ledger.add((2, 1.5)).unwrap();
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "[3,").unwrap();
        let mut again = Ledger::<(u32, f64)>::open(&path).unwrap();
        assert_eq!(again.rows, [(1, 0.5), (2, 1.5)]);
        again.add((3, 2.5)).unwrap();
        assert_eq!(Ledger::<(u32, f64)>::open(&path).unwrap().rows.len(), 3);
        std::fs::write(&path, "[1,0.5]\nnonsense\n").unwrap();
        let e = Ledger::<(u32, f64)>::open(&path).unwrap_err().to_string();
        assert!(e.contains("line 2"), "{e}");
    }
}
