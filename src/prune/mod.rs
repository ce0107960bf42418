//! Filter pruning: score, choose, cut, recover, and say what it cost and gained.
//!
//! A criterion gives every filter of every convolution a score; a [`Rule`] turns scores into filters that go, never the last
//! of a layer; [`cut`] removes them physically.

mod cost;
mod criteria;
mod pruner;
mod surgery;

pub use cost::Cost;
pub use criteria::{BettiDimension, BettiOptions, Criterion, LayerScores, Scale};
pub use pruner::{LayerRow, Outcome, Plan, Rule, Stage, prune_run, resume_prune, score};
pub use surgery::{Keep, cut, mask};
