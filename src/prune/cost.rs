//! What a network costs.

use crate::error::Result;
use crate::nn::{Net, bridge};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Samples in the batch whose time is taken.
const LATENCY_BATCH: usize = 64;
/// Times it is taken; the least counts, for other work on the machine only ever adds.
const LATENCY_RUNS: usize = 11;

/// What a network costs, and how well it does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Share of right answers on the test samples.
    pub accuracy: f64,
    /// Weights that training changes.
    pub parameters: usize,
    /// Multiply-accumulates of one sample, in convolutions and fully connected layers.
    pub macs: usize,
    /// Bytes of the weights as f32, running statistics included.
    pub bytes: usize,
    /// Milliseconds for a batch of 64 samples on this device: the least of 11 runs.
    pub latency_ms: f64,
}

impl Cost {
    /// Counts and times a network.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn of(net: &Net, accuracy: f64, device: &Device) -> Result<Self> {
        let width: usize = net.arch.input.iter().product();
        let x = Tensor::<2>::ones([LATENCY_BATCH, width], device);
        let mut times = Vec::new();
        // The first run compiles kernels and warms caches; it is not counted.
        for run in 0..=LATENCY_RUNS {
            let start = Instant::now();
            // Reading the sum waits for the pass.
            bridge::read(net.forward(x.clone()).sum())?;
            if run > 0 {
                times.push(1e3 * start.elapsed().as_secs_f64());
            }
        }
        let channels: usize = net.norms.iter().map(|n| n.gamma.val().dims()[0]).sum();
        Ok(Self {
            accuracy,
            parameters: net.parameters(),
            macs: crate::nn::macs_of(&net.arch)?,
            bytes: 4 * (net.parameters() + 2 * channels),
            latency_ms: times.into_iter().fold(f64::INFINITY, f64::min),
        })
    }
}
