//! Filter pruning: score, choose, cut, recover, and say what it cost and gained.
//!
//! Filters that share their channels are a [`crate::nn::Group`]. A criterion gives every filter of
//! every group a score; a [`Rule`] turns scores into filters that go, never the last of a group;
//! [`cut`] removes them physically; a [`Schedule`] does so in one step or in several.

mod budget;
mod compensate;
mod cost;
mod criteria;
mod fold;
mod gram;
mod latency;
mod outcome;
mod patches;
mod plan;
mod pruner;
mod rule;
mod schedule;
mod scoring;
mod search;
mod sensitivity;
mod shrink;
mod surgery;
mod weights;

pub use budget::{Budget, Shares};
pub use compensate::{Compensation, Refit, compensate, cut_and_compensate};
pub use cost::Cost;
pub use criteria::{
    Aim, BettiDimension, BettiOptions, CRITERIA, Cloud, Criterion, CriterionRecord, FunctionalityOptions, Reading,
    ReconstructionOptions, SamplesOptions, Scale, count_holes,
};
pub use fold::cut_and_fold;
pub use outcome::{Outcome, Stage};
pub use plan::{Plan, Recover, Recovery};
pub use pruner::{prune_run, resume_prune};
pub use rule::{Limits, Rule};
pub use schedule::{Curve, Schedule};
pub use scoring::{LayerRow, LayerScores, SampleOptions, Scoring};
pub use search::{EnergyOptions, FilterPoints, TopologicalOptions, Topology};
pub use sensitivity::{Point, Sensitivity, sensitivity};
pub use shrink::{Cut, Keeper, Standing, score, shrink};
pub use surgery::{Keep, cut, cut_arch, mask};
