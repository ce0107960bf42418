//! Lacuna sees the holes in what a neural network knows, and prunes the network by them.

pub mod data;
pub mod error;
#[cfg(feature = "nn")]
pub mod experiment;
pub mod gpu;
#[cfg(feature = "nn")]
pub mod nn;
pub mod progress;
#[cfg(feature = "nn")]
pub mod prune;
pub mod report;
pub mod topology;
#[cfg(feature = "nn")]
pub mod trace;
#[cfg(feature = "nn")]
pub mod train;

pub use error::{Error, Result};
