//! Lacuna sees the holes in what a neural network knows, and prunes the network by them.

pub mod data;
pub mod error;
pub mod gpu;
pub mod topology;

pub use error::{Error, Result};
