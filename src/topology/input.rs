//! Where the numbers of clouds lie.

use super::cloud::{Cloud, CloudView};
#[cfg(feature = "gpu")]
use super::engine::DeviceNumbers;

/// Many clouds in one array of numbers.
#[derive(Clone, Copy, Debug)]
pub enum Batch<'a> {
    /// On the host.
    Host(&'a [f32], &'a [CloudView]),
    /// On the engine's device.
    #[cfg(feature = "gpu")]
    Device(DeviceNumbers<'a>, &'a [CloudView]),
}

impl<'a> Batch<'a> {
    /// The clouds.
    pub fn views(self) -> &'a [CloudView] {
        match self {
            Batch::Host(_, views) => views,
            #[cfg(feature = "gpu")]
            Batch::Device(_, views) => views,
        }
    }

    /// How many numbers there are.
    pub fn numbers(self) -> usize {
        match self {
            Batch::Host(data, _) => data.len(),
            #[cfg(feature = "gpu")]
            Batch::Device(numbers, _) => (numbers.bytes / 4) as usize,
        }
    }
}

/// What an engine is given.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    /// Clouds of their own on the host.
    Clouds(&'a [&'a Cloud]),
    /// Many clouds in one array.
    Batch(Batch<'a>),
}
