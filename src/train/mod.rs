//! Training: the loop, its checkpoints, and the folder that a run lives in.

mod augment;
mod checkpoint;
mod ensemble;
mod optimiser;
mod run;
mod trainer;

pub use ensemble::{Grown, Member, Recipe, train_ensemble};
pub use optimiser::{Optimiser, OptimiserKind};
pub use run::{Config, ModelKind, Normalisation, Run, load_data};
pub(crate) use run::{LOADER, dense_data, refuse_taken};
pub use trainer::{EpochRecord, Settings, Trainer, accuracy, logits};
