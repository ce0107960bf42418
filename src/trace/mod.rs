//! Betti numbers of a network's layers: what becomes of the shape of the data on its way through.

mod hops;
mod layers;

pub use hops::knn_hops;
pub use layers::{LayerBetti, Procedure, trace_class};
