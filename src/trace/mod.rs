//! Betti numbers of a network's layers: what becomes of the shape of the data on its way through.

mod layers;

pub use layers::{LayerBetti, Procedure, trace_class};
