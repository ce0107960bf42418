//! The same inputs through every engine that can be had here, one process each: medians, peak
//! memory, tables.
//!
//! `lacuna bench --suite` runs our engines, and with `--peers` the packages that `benches/peers.py`
//! installs; `cargo bench --bench suite` adds the original Ripser. Every measurement is a process
//! of its own, so that peak memory is one engine's; what is timed is the call alone, from float32
//! input in memory to bars, distances included.

mod cases;
mod child;
mod machine;
mod suite;

pub use cases::{Case, Kind, all_cases, scaling_cases};
pub use child::{Measured, Request, measure_ours, peak_bytes, serve};
pub use machine::Machine;
pub use suite::{Row, Runner, Suite, plot_scaling};
