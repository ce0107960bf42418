//! Training: the loop, its checkpoints, and the folder that a run lives in.

mod checkpoint;
mod ensemble;
mod run;
mod trainer;

pub use ensemble::{Grown, Member, Recipe, train_ensemble};
pub use run::{Config, ModelKind, Run, load_data};
pub(crate) use run::{dense_data, refuse_taken};
pub use trainer::{EpochRecord, Optimiser, OptimiserKind, Settings, Trainer, accuracy, logits};
