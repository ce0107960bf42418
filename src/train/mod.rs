//! Training: the loop, its checkpoints, and the folder that a run lives in.

mod augment;
pub(crate) mod checkpoint;
mod ensemble;
mod evaluation;
mod examples;
mod optimiser;
mod panel;
mod private;
mod rate;
mod run;
mod trainer;

pub(crate) use crate::data::sets::dense_data;
pub use crate::data::sets::{is_generated, load_data};
pub use ensemble::{Grown, Member, Recipe, train_ensemble};
pub use evaluation::{Evaluation, largest, probabilities};
pub(crate) use examples::Clipped;
pub use examples::{ExampleGradients, ExampleStrategy, Which, example_gradients, example_norms};
pub use optimiser::{Optimiser, OptimiserKind};
pub use private::Private;
pub use rate::RateSchedule;
pub use run::{Config, ModelKind, Normalisation, Run};
pub(crate) use run::{LOADER, refuse_run, refuse_taken};
pub(crate) use trainer::labelled;
pub use trainer::{EpochRecord, Gentle, Settings, Trainer, accuracy, logits};
