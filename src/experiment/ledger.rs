//! Raw results as lines of JSON, written one by one, so that an experiment that was stopped goes on
//! where it was.

use crate::data::files::{create_folder, other_options, read_json, write_json};
use crate::error::{Error, Result};
use crate::nn::Compute;
use crate::topology::EngineInfo;
use crate::train::refuse_run;
use serde::Serialize;
use serde::de::DeserializeOwned;
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
