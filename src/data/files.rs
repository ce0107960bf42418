//! Files that are there whole or not at all.

use crate::error::{Error, Result};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a file beside its place and renames it when it is complete and on the disk.
///
/// A full disk or a crash leaves the old file, if there was one, as it was.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    // A link stays and what it points to is replaced; a device or a pipe has no place beside it to
    // rename from. A link to nothing yet leads to where the file is to be.
    let ahead = || fs::read_link(path).map(|to| path.parent().map_or(to.clone(), |folder| folder.join(&to)));
    let resolved = fs::canonicalize(path).or_else(|_| ahead()).unwrap_or_else(|_| path.to_path_buf());
    if fs::metadata(&resolved).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let file = fs::OpenOptions::new().write(true).open(path).map_err(Error::io(path, "write"))?;
        let mut buffered = BufWriter::new(file);
        return write(&mut buffered).and_then(|()| buffered.flush()).map_err(Error::io(path, "write"));
    }
    replace(&resolved, path, write)
}

/// Writes beside `target` and renames; messages speak of `path`.
fn replace(target: &Path, path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let folder = match target.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(Error::input(format!("{}: the folder {} does not exist", path.display(), folder.display())));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".lacuna-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // the umask takes its share
    let mut file = builder.tempfile_in(folder).map_err(Error::io(path, "create"))?;
    {
        let mut buffered = BufWriter::new(file.as_file_mut());
        write(&mut buffered).and_then(|()| buffered.flush()).map_err(Error::io(path, "write"))?;
    }
    file.as_file().sync_all().map_err(Error::io(path, "write"))?;
    file.persist(target).map_err(|e| Error::io(path, "write")(e.error))?;
    Ok(())
}

/// [`write_atomically`] for text that is there already.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    write_atomically(path, |w| w.write_all(text.as_bytes()))
}

/// Writes a value as indented JSON.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| Error::Internal(e.to_string()))?;
    text.push('\n');
    write_text(path, &text)
}

/// Reads a JSON file into a value.
///
/// # Errors
/// [`Error::Io`], or [`Error::File`] with the line.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).map_err(Error::io(path, "read"))?;
    serde_json::from_slice(&bytes).map_err(|e| Error::line(path, e.line(), e.to_string()))
}

/// The error of a folder that holds results of other options than those of now.
#[cfg(feature = "nn")]
pub(crate) fn other_options(what: &str, folder: &Path, before: &impl serde::Serialize, now: &impl serde::Serialize) -> Error {
    let differ = differences(before, now);
    let message =
        format!("{} holds {what} with other options or of other weights ({differ}): use another folder", folder.display());
    Error::setting(message, &["out"])
}

/// What differs between two values, for messages: `name: before, now NOW`, three of them at most.
#[cfg(feature = "nn")]
pub(crate) fn differences(before: &impl serde::Serialize, now: &impl serde::Serialize) -> String {
    use serde_json::Value;
    fn collect(name: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
        if let (Value::Object(b), Value::Object(n)) = (before, now) {
            let names: std::collections::BTreeSet<&String> = b.keys().chain(n.keys()).collect();
            for key in names {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                collect(&name, b.get(key).unwrap_or(&Value::Null), n.get(key).unwrap_or(&Value::Null), found);
            }
        } else if let (Value::Array(b), Value::Array(n)) = (before, now)
            && b.len() == n.len()
        {
            b.iter().zip(n).enumerate().for_each(|(i, (b, n))| collect(&format!("{name}[{i}]"), b, n, found));
        } else if before != now {
            found.push(format!("{name}: {before}, now {now}"));
        }
    }
    let value = |v: serde_json::Result<Value>| v.unwrap_or(Value::Null);
    let mut found = Vec::new();
    collect("", &value(serde_json::to_value(before)), &value(serde_json::to_value(now)), &mut found);
    let more = found.len().saturating_sub(3);
    found.truncate(3);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", found.join("; "))
}

/// A number that stands for some bytes: FNV-1a, 64 bits, in hexadecimal digits. It finds damage,
/// not forgery.
#[cfg(feature = "nn")]
pub(crate) fn checksum(bytes: &[u8]) -> String {
    checksum_of(bytes.iter().copied())
}

/// [`checksum`] of bytes that come one by one.
#[cfg(feature = "nn")]
pub(crate) fn checksum_of(bytes: impl Iterator<Item = u8>) -> String {
    let step = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, step);
    format!("{hash:016x}")
}

/// Makes a folder and those above it.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::io(path, "create"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        write_text(&path, "old").unwrap();
        let failed = write_atomically(&path, |w| {
            w.write_all(b"half of the ne")?;
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
        });
        assert_eq!(failed.unwrap_err().exit_code(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[cfg(feature = "nn")]
    #[test]
    fn differences_are_named() {
        let old = serde_json::json!({ "a": { "lr": 0.1, "by": "l1" }, "seeds": 3, "same": [1, 2] });
        let new = serde_json::json!({ "a": { "lr": 0.2, "by": "l1" }, "same": [1, 2], "more": true });
        assert_eq!(differences(&old, &new), "a.lr: 0.1, now 0.2; more: null, now true; seeds: 3, now null");
        assert_eq!(differences(&old, &old), "");
        let many = serde_json::json!({ "a": 1, "b": 2, "c": 3, "d": 4 });
        assert!(differences(&many, &serde_json::json!({})).ends_with("; and 1 more"));
    }

    #[cfg(unix)]
    #[test]
    fn links_and_devices_stay_what_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.txt"), dir.path().join("link.txt"));
        write_text(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_text(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        fs::remove_file(&real).unwrap();
        write_text(&link, "again").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "again");
        write_text(Path::new("/dev/null"), "gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_missing_folder_is_the_users_mistake() {
        let e = write_text(Path::new("/nonexistent/folder/a.txt"), "x").unwrap_err();
        assert_eq!(e.exit_code(), 2);
        assert!(e.to_string().contains("/nonexistent/folder/a.txt"));
    }
}
