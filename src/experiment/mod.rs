//! Experiments: short recipes over the rest.

mod demo;

pub use demo::{DemoOptions, demo};
