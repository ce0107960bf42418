//! Lacuna sees the holes in what a neural network knows, and prunes the network by them.
//!
//! # The pieces
//! - [`topology`]: exact Vietoris-Rips barcodes of point clouds, distance matrices and weighted
//!   graphs. [`topology::Engine`] is the way in; behind it are a native engine and one of compute
//!   shaders.
//! - `gpu`: adapters, devices, buffers, submissions. It knows no topology.
//! - `nn`: activations, architectures and networks in burn, and the bridge by which the shaders
//!   read a network's activations where they lie.
//! - `train`, `trace`, `prune`: training into the folder of a run; Betti numbers of every layer;
//!   removing filters.
//! - `experiment`: recipes that use all of these.
//! - `data`, `report`: files that are read; tables, pictures and pages that are written.
//!
//! # Features
//! Without any feature the crate is the native topology engine alone. `gpu` adds the engine of
//! compute shaders, `nn` the networks (burn), `cli` the program and its benchmarks; these are on by
//! default. `serde` and `ndarray` connect with the crates of these names. `data` and `report` come
//! with `cli` and with `nn`.
//!
//! # Example
//! ```
//! use lacuna::topology::{Cloud, Engine, Options, PointCloud};
//!
//! // Twelve points of a circle, and the same twice as large: one call for both.
//! let circle = |radius: f32| {
//!     let turn = |i| i as f32 * std::f32::consts::TAU / 12.0;
//!     let data = (0..12).map(turn).flat_map(|t| [radius * t.cos(), radius * t.sin()]).collect();
//!     PointCloud::new(12, 2, data).map(Cloud::from)
//! };
//! let engine = Engine::cpu();
//! let barcodes = engine.barcodes(&[circle(1.0)?, circle(2.0)?], &Options::default())?;
//! assert_eq!(barcodes[0].betti_numbers(1.0), [1, 1]); // one piece, one hole
//! assert!((barcodes[1].bars[1][0].birth / barcodes[0].bars[1][0].birth - 2.0).abs() < 1e-5);
//! # Ok::<(), lacuna::Error>(())
//! ```

#[cfg(feature = "cli")]
pub mod bench;
mod clock;
#[cfg(feature = "files")]
pub mod data;
pub mod error;
#[cfg(feature = "nn")]
pub mod experiment;
#[cfg(feature = "gpu")]
pub mod gpu;
mod memory;
#[cfg(feature = "nn")]
pub mod nn;
pub mod progress;
#[cfg(feature = "nn")]
pub mod prune;
#[cfg(feature = "files")]
pub mod report;
mod simd;
pub mod topology;
#[cfg(feature = "nn")]
pub mod trace;
#[cfg(feature = "nn")]
pub mod train;

pub use error::{Error, Result};

/// The examples of the README are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
