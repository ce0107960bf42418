//! One process at a time for every folder that results go to.

use crate::error::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Keeps others from writing to a folder for as long as it lives. It ends with the process, however
/// that ends.
#[derive(Debug)]
#[must_use = "the folder is free again when the lock is dropped"]
pub struct FolderLock {
    path: PathBuf,
    _file: File,
}

/// Where the lock of a folder lies: beside it, since the folder itself may not be there yet, or be
/// replaced by another.
fn place(folder: &Path) -> PathBuf {
    let real = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    match real.file_name() {
        Some(name) => real.with_file_name(format!(".{}.lacuna-lock", name.to_string_lossy())),
        None => real.join(".lacuna-lock"),
    }
}

/// Locks a folder of a run or of results, which need not be there yet.
///
/// # Errors
/// [`Error::Input`] when another process works on it; [`Error::Io`] when the lock cannot be
/// written.
pub fn lock_folder(folder: &Path) -> Result<FolderLock> {
    let path = place(folder);
    if let Some(above) = path.parent() {
        super::files::create_folder(above)?;
    }
    loop {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io(&path, "create"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = file.read_to_string(&mut owner);
                let owner = owner.trim();
                let by = if owner.is_empty() { "another process".into() } else { format!("process {owner}") };
                let message = format!("{} is being worked on by {by}: wait for it, or use another folder", folder.display());
                return Err(Error::setting(message, &["out"]));
            }
            Err(TryLockError::Error(e)) => return Err(Error::io(&path, "lock")(e)),
        }
        // Its last owner may have removed the file between our opening and our locking it.
        if !is_still(&file, &path) {
            continue;
        }
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        written.map_err(Error::io(&path, "write"))?;
        return Ok(FolderLock { path, _file: file });
    }
}

#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |m: std::fs::Metadata| (m.dev(), m.ino());
    file.metadata().ok().map(place) == std::fs::metadata(path).ok().map(place)
}

#[cfg(not(unix))]
fn is_still(_: &File, path: &Path) -> bool {
    path.exists()
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let lock = lock_folder(&run).unwrap();
        let refused = lock_folder(&run).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
        assert!(refused.to_string().contains(&format!("worked on by process {}", std::process::id())), "{refused}");
        drop(lock_folder(&dir.path().join("other")).unwrap());
        drop(lock);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
        drop(lock_folder(&run).unwrap());
    }
}
