//! How a computation tells how far it is, hears that it should stop, and says where its time went.

use super::barcode::Seconds;
use crate::clock::Instant;
use crate::error::{Error, Result};
use std::sync::{Mutex, PoisonError};

/// A computation that somebody may watch or cancel.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    report: Option<Report<'a>>,
    stages: Option<&'a Mutex<Seconds>>,
    /// How many clouds were finished before those that are worked on, and how many there are.
    clouds: (usize, usize),
    /// Whether clouds are all that is reported.
    clouds_alone: bool,
}

/// Told what is being done, how many steps of how many are done; returns whether to go on.
type Report<'a> = &'a (dyn Fn(&str, u64, u64) -> bool + Sync);

impl<'a> Task<'a> {
    /// Nobody watches.
    pub fn unwatched() -> Self {
        Self { report: None, stages: None, clouds: (0, 1), clouds_alone: false }
    }

    /// `report` is called now and then, from any thread, with what is being done and how many steps
    /// of how many are done. When it returns `false` the computation ends with
    /// [`Error::Interrupted`].
    pub fn watched(report: &'a (dyn Fn(&str, u64, u64) -> bool + Sync)) -> Self {
        Self { report: Some(report), stages: None, clouds: (0, 1), clouds_alone: false }
    }

    /// The same task for a part of all clouds: those that come after `before` of `total`.
    pub fn among(self, before: usize, total: usize) -> Self {
        Self { clouds: (before, total), ..self }
    }

    /// The same task for one of several clouds, of which so many are finished: it reports that
    /// number, whatever it is at.
    pub fn of_cloud(self, done: usize) -> Self {
        Self { clouds: (self.clouds.0 + done, self.clouds.1), clouds_alone: true, ..self }
    }

    /// The same task, whose stages add their seconds here.
    pub fn timed(self, stages: &'a Mutex<Seconds>) -> Self {
        Self { stages: Some(stages), ..self }
    }

    /// The same task without reports.
    pub fn quiet(self) -> Self {
        Self { report: None, ..self }
    }

    /// Reports.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the watcher wants to stop.
    pub fn at(&self, what: &str, done: u64, total: u64) -> Result<()> {
        let clouds = ("clouds", self.clouds.0 as u64, self.clouds.1 as u64);
        let (what, done, total) = if self.clouds_alone { clouds } else { (what, done, total) };
        match self.report {
            Some(report) if !report(what, done, total) => {
                Err(Error::Interrupted(format!("stopped at {what}: {done} of {total}")))
            }
            _ => Ok(()),
        }
    }

    /// Reports that so many of the clouds that are worked on are finished.
    ///
    /// # Errors
    /// As [`Task::at`].
    pub fn clouds(&self, done: usize) -> Result<()> {
        self.at("clouds", (self.clouds.0 + done) as u64, self.clouds.1 as u64)
    }

    /// Does a stage, and takes its time if somebody wants to know.
    pub fn stage<R>(&self, name: &str, work: impl FnOnce() -> R) -> R {
        let Some(stages) = self.stages else { return work() };
        let start = Instant::now();
        let result = work();
        add_seconds(&mut stages.lock().unwrap_or_else(PoisonError::into_inner), name, start.elapsed().as_secs_f64());
        result
    }
}

/// Adds to the time of a stage, which comes last if it is new.
pub(crate) fn add_seconds(seconds: &mut Seconds, name: &str, more: f64) {
    match seconds.iter_mut().find(|(n, _)| n == name) {
        Some((_, total)) => *total += more,
        None => seconds.push((name.to_string(), more)),
    }
}
