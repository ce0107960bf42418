//! What a network costs.

use super::latency::latency_ms;
use crate::error::Result;
use crate::nn::Net;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

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
    /// [`crate::Error::Device`] when the device fails.
    pub fn of(net: &Net, accuracy: f64, device: &Device) -> Result<Self> {
        let channels: usize = net.norms().map(|n| n.gamma.val().dims()[0]).sum();
        Ok(Self {
            accuracy,
            parameters: net.parameters(),
            macs: crate::nn::macs_of(&net.arch)?,
            bytes: 4 * (net.parameters() + 2 * channels),
            latency_ms: latency_ms(net, device)?,
        })
    }
}
