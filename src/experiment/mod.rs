//! Experiments: short recipes over the rest. Raw results are kept line by line, so that what was stopped goes on.

mod betti_decay;
mod compare;
mod compare_report;
mod convergence;
mod convergence_report;
mod demo;
mod images;
mod ledger;
pub mod stats;

pub use betti_decay::{BettiDecay, Decay, DecayRow, betti_decay};
pub use compare::{Compare, CompareRow, Rival, compare};
pub use convergence::{Convergence, RunRow, Task, Verdict, convergence};
pub use demo::{DemoOptions, demo};
pub use images::{ImageRow, ImageTask, Images, images};
