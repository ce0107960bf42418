//! One error type for the library. Every message names what, where and what to do.

use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, grouped by who has to act on it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value, a shape or an option that the caller has to change.
    #[error("{0}")]
    Input(String),
    /// A training whose loss is not a number any more.
    #[error("{0}")]
    Diverged(String),
    /// A file whose contents are not what they should be.
    #[error("{}{}: {message}", path.display(), line.map(|l| format!(", line {l}")).unwrap_or_default())]
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, where the format has lines.
        line: Option<usize>,
        /// What is wrong and what was expected.
        message: String,
    },
    /// Reading or writing failed in the operating system.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// "read", "write", "create", ...
        action: &'static str,
        /// The system's own reason.
        source: std::io::Error,
    },
    /// The work does not fit the memory, the device's included, or a limit of the engine that was
    /// asked to do it.
    #[error("{0}")]
    TooLarge(String),
    /// A cloud has more points than an engine takes, or than fit the memory.
    #[error("{message}")]
    TooManyPoints {
        /// What is too large for what.
        message: String,
        /// About how many points would do.
        most: usize,
        /// Whether it is the GPU engine that cannot take more.
        on_device: bool,
    },
    /// No adapter fits what was asked for.
    #[error("{0}")]
    NoAdapter(String),
    /// The device failed: lost, or it refused a shader or a command.
    #[error("{0}")]
    Device(String),
    /// Stopped by the user; what was finished has been kept.
    #[error("{0}")]
    Interrupted(String),
    /// Another error, and the settings that the caller can change against it.
    #[error("{error}")]
    Settings {
        /// What is wrong.
        #[source]
        error: Box<Error>,
        /// Names of settings as `ratio`, or a name and a value as `shares same`. A program shows
        /// them as its own options.
        settings: &'static [&'static str],
    },
    /// A promise of ours that did not hold.
    #[error("internal error: {0} (please report this)")]
    Internal(String),
}

impl Error {
    /// An [`Error::Input`] from anything printable.
    pub fn input(message: impl Into<String>) -> Self {
        Error::Input(message.into())
    }

    /// An [`Error::Input`] with the settings that can be changed against it.
    pub fn setting(message: impl Into<String>, settings: &'static [&'static str]) -> Self {
        Error::input(message).settings(settings)
    }

    /// The error itself, where settings were given with it. Functions that say which variant they
    /// return may return it inside [`Error::Settings`], so match on this.
    pub fn root(&self) -> &Self {
        if let Error::Settings { error, .. } = self { error.root() } else { self }
    }

    /// The same error with the settings that can be changed against it.
    #[must_use]
    pub fn settings(self, settings: &'static [&'static str]) -> Self {
        Error::Settings { error: Box::new(self), settings }
    }

    /// An [`Error::Input`] about a word that is none of those that are known, with the one that was
    /// probably meant.
    pub fn unknown(what: &str, word: &str, known: &[&str]) -> Self {
        let near = known.iter().map(|k| (edits(&word.to_lowercase(), &k.to_lowercase()), k)).min();
        let meant = match near {
            Some((far, k)) if far <= k.chars().count().max(word.chars().count()) / 3 => format!("did you mean '{k}'? There are"),
            _ => "use one of".into(),
        };
        Error::Input(format!("unknown {what} '{word}': {meant} {}", known.join(", ")))
    }

    /// An [`Error::File`] about a whole file.
    pub fn file(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Error::File { path: path.as_ref().into(), line: None, message: message.into() }
    }

    /// An [`Error::File`] about one line of it (counted from 1).
    pub fn line(path: impl AsRef<Path>, line: usize, message: impl Into<String>) -> Self {
        Error::File { path: path.as_ref().into(), line: Some(line), message: message.into() }
    }

    /// Wraps an [`std::io::Error`] with the path and what was being done.
    pub fn io(path: impl AsRef<Path>, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, action, source }
    }

    /// The process exit code: 2 for what the user can mend, 130 for an interruption, 1 for the
    /// rest.
    pub fn exit_code(&self) -> u8 {
        use std::io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, NotFound, PermissionDenied};
        match self {
            Error::Input(_)
            | Error::Diverged(_)
            | Error::File { .. }
            | Error::TooLarge(_)
            | Error::TooManyPoints { .. }
            | Error::NoAdapter(_) => 2,
            Error::Io { source, .. } => match source.kind() {
                NotFound | PermissionDenied | IsADirectory | NotADirectory | AlreadyExists => 2,
                _ => 1,
            },
            Error::Interrupted(_) => 130,
            Error::Settings { error, .. } => error.exit_code(),
            Error::Device(_) | Error::Internal(_) => 1,
        }
    }
}

/// How many letters have to be put in, taken out or changed to make one word of another
/// (Levenshtein's distance).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let here = row[j + 1].min(row[j]) + 1;
            (before, row[j + 1]) = (row[j + 1], here.min(before + usize::from(x != *y)));
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_named() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        let known = ["euclidean", "cosine", "cityblock"];
        assert!(Error::unknown("metric", "euclidian", &known).to_string().contains("did you mean 'euclidean'?"));
        assert!(Error::unknown("metric", "Cosine", &known).to_string().contains("did you mean 'cosine'?"));
        assert_eq!(
            Error::unknown("metric", "xyz", &known).to_string(),
            "unknown metric 'xyz': use one of euclidean, cosine, cityblock"
        );
    }
}
