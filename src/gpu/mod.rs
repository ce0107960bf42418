//! Devices, buffers, kernels and submissions. Knows no topology.
//!
//! Rules this module keeps so that the shaders run everywhere: limits are asked of the adapter,
//! never assumed; every creation and submission sits in an error scope and becomes an
//! [`crate::Error`]; long work is cut into short submissions (Windows resets a device that is busy
//! for about two seconds); every byte that comes back to the host is counted.

mod adapter;
mod buffer;
mod device;
mod kernel;
mod recorder;
mod source;
mod split;

pub use adapter::{AdapterChoice, AdapterRecord, adapters};
pub(crate) use adapter::{LEVELS, STORAGE_BUFFERS, can_be_shown, most_points, words_of_arrays};
#[cfg(feature = "nn")]
pub(crate) use buffer::count_read_back;
#[cfg(test)]
pub(crate) use buffer::download_now;
pub use buffer::read_back_bytes;
pub(crate) use buffer::{download, upload, zeroed};
pub use device::Gpu;
pub(crate) use kernel::Kernel;
pub(crate) use recorder::{Bound, Recorder, Work, all};
#[cfg(test)]
pub(crate) use source::expand;
pub(crate) use source::{Parts, STEP as MOST_PARTS};
pub(crate) use split::Split;
/// The version of wgpu whose devices and buffers the engine takes.
pub use wgpu;
