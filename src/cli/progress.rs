//! Progress on a terminal is a bar, elsewhere plain lines now and then; Ctrl-C or SIGTERM asks the
//! work to stop.

use super::say;
use indicatif::{ProgressBar, ProgressStyle};
use lacuna::progress::Watch;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static STOP: AtomicBool = AtomicBool::new(false);

/// How often a plain line may appear.
const EVERY: Duration = Duration::from_secs(10);

/// Shows progress on stderr.
pub struct Progress {
    quiet: bool,
    bar: Option<ProgressBar>,
    last: Instant,
    /// When the steps that are counted now began, how many were done by then, and of how many.
    begun: (Instant, u64, u64),
}

impl Progress {
    /// Begins to listen for Ctrl-C, and for SIGTERM, by which batch systems and containers end what
    /// they run. A second one ends the program at once.
    pub fn new(quiet: bool) -> Self {
        // An error means that somebody listens already.
        let _ = ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
            say("stopping after this step (Ctrl-C again to end at once)");
        });
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::no_length();
            if let Ok(style) = ProgressStyle::with_template("{prefix}{msg} [{bar:20}] {pos}/{len}, {eta} left") {
                bar.set_style(style);
            }
            bar
        });
        Self { quiet, bar, last: Instant::now(), begun: (Instant::now(), 0, 0) }
    }
}

impl Progress {
    /// The time left, if the rest goes as what is done went.
    fn left(&self, done: u64, total: u64) -> String {
        let (start, before, _) = self.begun;
        if done <= before || total <= done {
            return String::new();
        }
        let seconds = start.elapsed().as_secs_f64() * (total - done) as f64 / (done - before) as f64;
        match seconds {
            s if s < 90.0 => format!(", about {s:.0} s left"),
            s if s < 5400.0 => format!(", about {:.0} min left", s / 60.0),
            s => format!(", about {:.1} hours left", s / 3600.0),
        }
    }
}

impl Watch for Progress {
    fn at(&mut self, what: &str, done: u64, total: u64) {
        if done <= self.begun.1 || total != self.begun.2 {
            self.begun = (Instant::now(), done, total);
        }
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(what.to_string());
        } else if !self.quiet && self.last.elapsed() >= EVERY {
            self.last = Instant::now();
            say(&format!("{what}: {done} of {total}{}", self.left(done, total)));
        }
    }

    fn note(&mut self, line: &str) {
        self.last = Instant::now();
        match &self.bar {
            Some(bar) => bar.suspend(|| say(line)),
            None if !self.quiet => say(line),
            None => {}
        }
    }

    fn live(&mut self, lines: &str) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(format!("{lines}\n"));
        }
    }

    fn stopped(&self) -> bool {
        STOP.load(Ordering::SeqCst)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
