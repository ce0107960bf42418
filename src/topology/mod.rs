//! Vietoris-Rips persistent homology of point clouds, distance matrices and weighted graphs.
//!
//! [`Engine`] is the way in. Behind it are a native engine and one of compute shaders (with the
//! feature `gpu`). They follow one method and give one answer: from the same distances the same
//! bars, bit for bit.
//!
//! # Method
//! Edges are totally ordered by (length, index). When an edge enters, only its *link* matters: the
//! flag complex on its lune, the points closer to both ends than the edge is long. An empty link
//! merges two components or opens a loop; a link of `k` components gives `k - 1` critical
//! triangles, columns of four edges each, which kill loops (or open voids). After Koyama, Memoli,
//! Robins and Turner (arXiv 2307.16333).

#[cfg(feature = "ndarray")]
mod arrays;
mod barcode;
mod bottleneck;
mod cloud;
mod cpu;
mod cycles;
mod edges;
mod engine;
mod estimate;
mod found;
#[cfg(feature = "gpu")]
mod gpu;
mod hops;
mod input;
#[cfg(feature = "serde")]
mod json;
mod metric;
mod options;
mod order;
pub mod picture;
mod prepare;
mod sampling;
mod source;
mod task;
mod wasserstein;
#[cfg(feature = "nn")]
pub(crate) use gpu::SHARED as SHARED_SHADERS;

/// Name, among the seconds of an answer of the GPU engine, of the time that the host took: for what
/// outgrew the device memory set aside for columns, and for the columns of dimensions 2 and 3.
/// Absent when it had nothing to do.
pub const FINISHED_ON_HOST: &str = "finished on the host";

pub use barcode::{Answer, Bar, Barcode, BettiCurve, EngineInfo, Seconds};
pub use bottleneck::{bottleneck, bottleneck_of};
pub use cloud::{Cloud, CloudView, DistanceMatrix, PointCloud, SparseGraph};
pub use cycles::{Cocycle, Cycle};
pub use edges::BarEdges;
pub use engine::Engine;
#[cfg(feature = "gpu")]
pub use engine::EngineKind;
pub use estimate::Estimate;
pub use hops::knn_hops;
#[cfg(feature = "gpu")]
pub use input::DeviceNumbers;
pub use input::Input;
pub use metric::Metric;
pub use options::Options;
pub use wasserstein::{wasserstein, wasserstein_of};
