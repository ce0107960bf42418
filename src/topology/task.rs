//! How a computation tells how far it is and hears that it should stop.

use crate::error::{Error, Result};

/// A computation that somebody may watch or cancel.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    report: Option<Report<'a>>,
}

/// Told what is being done, how many steps of how many are done; returns whether to go on.
type Report<'a> = &'a (dyn Fn(&str, u64, u64) -> bool + Sync);

impl std::fmt::Debug for Task<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("watched", &self.report.is_some()).finish()
    }
}

impl<'a> Task<'a> {
    /// Nobody watches.
    pub fn unwatched() -> Self {
        Self { report: None }
    }

    /// `report` is called now and then, from any thread, with what is being done and how many steps of how many are done. When it returns
    /// `false` the computation ends with [`Error::Interrupted`].
    pub fn watched(report: &'a (dyn Fn(&str, u64, u64) -> bool + Sync)) -> Self {
        Self { report: Some(report) }
    }

    /// Reports.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the watcher wants to stop.
    pub(crate) fn at(&self, what: &str, done: u64, total: u64) -> Result<()> {
        match self.report {
            Some(report) if !report(what, done, total) => {
                Err(Error::Interrupted(format!("stopped at {what}: {done} of {total}")))
            }
            _ => Ok(()),
        }
    }
}
