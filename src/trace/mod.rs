//! Betti numbers of a network's layers: the instrument.
//!
//! A sample goes through the network; what every layer makes of each class is a cloud of points,
//! whose Betti numbers say in how many pieces and around how many holes it lies. Naitzat, Zhitnikov
//! and Lim (JMLR 21, 2020) watched them fall from layer to layer.

mod layers;
mod projection;
mod record;
mod report;

pub use layers::{LayerBetti, Measure, Procedure, Split, trace_class, trace_nets};
pub use projection::{Projection, project};
pub use record::{ClassTrace, Snapshot, Trace};
pub use report::{heat, lines, save_report};
