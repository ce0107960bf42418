//! How long work tells how far it is, and hears that it should stop.

/// Watches long work. The library calls it; the command line shows it.
pub trait Watch: Send {
    /// `done` of `total` steps of what `what` names.
    fn at(&mut self, what: &str, done: u64, total: u64);
    /// Something worth a line of its own.
    fn note(&mut self, line: &str);
    /// Lines that stand in the place of the ones shown before, where there is a terminal that can
    /// do so.
    fn live(&mut self, _lines: &str) {}
    /// Whether the user wants to stop.
    fn stopped(&self) -> bool {
        false
    }
}

/// Watches nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn at(&mut self, _what: &str, _done: u64, _total: u64) {}
    fn note(&mut self, _line: &str) {}
}

/// Stops at the n-th step that it hears of.
#[cfg(all(test, feature = "nn"))]
pub(crate) struct StopAt(pub usize);

#[cfg(all(test, feature = "nn"))]
impl Watch for StopAt {
    fn at(&mut self, _: &str, _: u64, _: u64) {
        self.0 = self.0.saturating_sub(1);
    }
    fn note(&mut self, _: &str) {}
    fn stopped(&self) -> bool {
        self.0 == 0
    }
}
