//! Experiments: short recipes over the rest. Raw results are kept line by line, so that what was
//! stopped goes on.

mod active_learning;
mod betti_decay;
mod betti_pruning;
mod betti_scan;
mod compare;
mod convergence;
mod demo;
mod folded;
mod images;
mod implicit_sparsity;
mod ledger;
mod per_example_gradients;
mod pruning;
pub mod stats;

pub use active_learning::{ActiveLearning, ActiveRow, Answers, Query, active_learning, farthest};
pub use betti_decay::{BettiDecay, Decay, DecayRow, betti_decay};
pub use betti_pruning::{ThresholdRow, betti_pruning};
pub use betti_scan::{ScanRow, betti_scan};
pub use compare::{Compare, CompareRow, Rival, compare};
pub use convergence::{Convergence, RunRow, Task, Verdict, convergence};
pub use demo::{DemoOptions, demo};
pub use folded::{EpochLoss, FoldedNetworks, ForecastData, ForecastRow, ForecastTask, folded};
pub use images::{ImageRow, ImageTask, Images, images};
pub use implicit_sparsity::{ImplicitSparsity, Off, SparsityRow, implicit_sparsity};
pub use per_example_gradients::{PerExampleGradients, TimingRow, per_example_gradients};
pub use pruning::{Pruning, pruning_comparison, topological_pruner};
