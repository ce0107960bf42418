//! Training: the loop, its checkpoints, and the folder that a run lives in.

mod checkpoint;
mod ensemble;
mod run;
mod trainer;

pub(crate) use run::refuse_taken;
pub use ensemble::{Grown, Member, Recipe, train_ensemble};
pub use run::{Config, ModelKind, Run, load_data};
pub use trainer::{EpochRecord, Optimiser, OptimiserKind, Settings, Trainer, accuracy, logits};
