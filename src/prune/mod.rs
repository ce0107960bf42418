//! Filter pruning: score, choose, cut, recover, and say what it cost and gained.
//!
//! Filters that share their channels are a [`crate::nn::Group`]. A criterion gives every filter of every group a score; a [`Rule`] turns scores into
//! filters that go, never the last of a group; [`cut`] removes them physically; a [`Schedule`] does so in one step or in several.

mod cost;
mod criteria;
mod fold;
mod outcome;
mod plan;
mod pruner;
mod schedule;
mod search;
mod sensitivity;
mod surgery;

pub use cost::Cost;
pub use criteria::{
    BettiDimension, BettiOptions, Cloud, Criterion, FunctionalityOptions, LayerScores, SampleOptions, Scale, Scoring, count_holes,
};
pub use fold::cut_and_fold;
pub use outcome::{Outcome, Stage};
pub use plan::{Limits, Plan, Rule};
pub use pruner::{prune_run, resume_prune};
pub use schedule::{Curve, Cut, Keeper, LayerRow, Schedule, Standing, score, shrink, shrink_kept};
pub use search::{EnergyOptions, FilterPoints, TopologicalOptions, Topology};
pub use sensitivity::{Point, Sensitivity, sensitivity};
pub use surgery::{Keep, cut, mask};
