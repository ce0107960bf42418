//! What a computation will take, before it is begun.

use super::cloud::Cloud;
use super::engine::Engine;
use super::options::Options;
use super::{cpu, wgsl};
use crate::error::Result;
use serde::Serialize;
use std::time::Instant;

/// How much memory and time a barcode will take, about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Number of points, after sampling.
    pub points: usize,
    /// Bytes at the peak, on the engine's device; of the GPU engine before its columns, which are a small part.
    pub bytes: u64,
    /// Bytes that are free where they are needed, if the system says.
    pub free: Option<u64>,
    /// Seconds.
    pub seconds: f64,
    /// Points of the larger of the two samples that were timed.
    pub timed: usize,
    /// The power of the number of points by which the time grew between them.
    pub exponent: f64,
}

/// Points of the larger sample.
const SAMPLE: usize = 512;

impl Engine {
    /// Times two samples of a cloud, one of twice the points of the other, and goes on from them. The bytes are counted, not measured. Takes a
    /// fraction of a second where the cloud's size is what makes it slow; links of many dimensions may grow faster than their
    /// samples show.
    ///
    /// # Errors
    /// As [`Engine::barcodes`], on the samples.
    pub fn estimate(&self, cloud: &Cloud, options: &Options) -> Result<Estimate> {
        options.check()?;
        let points = options.max_points.map_or(cloud.len(), |most| most.min(cloud.len()));
        let bytes = match self.gpu() {
            // Above dimension 1 the host has its part.
            Some(_) => wgsl::bytes(points) + if options.max_dim > 1 { cpu::bytes(points, options.max_dim) } else { 0 },
            None => cpu::bytes(points, options.max_dim),
        };
        let free = if self.gpu().is_some() { None } else { crate::memory::available() };
        let time = |most: usize| -> Result<f64> {
            let sample = cloud.every_so_many(most);
            // The first run pays for what is set up once.
            let options = Options { max_points: None, profile: false, k: options.k.min(sample.len()), ..*options };
            self.barcode(&sample, &options)?;
            let start = Instant::now();
            self.barcode(&sample, &options)?;
            Ok(start.elapsed().as_secs_f64().max(1e-6))
        };
        let timed = points.min(SAMPLE);
        let large = time(timed)?;
        if timed == points {
            return Ok(Estimate { points, bytes, free, seconds: large, timed, exponent: 1.0 });
        }
        let exponent = (large / time(timed / 2)?).log2().clamp(1.5, 4.0);
        let seconds = large * (points as f64 / timed as f64).powf(exponent);
        Ok(Estimate { points, bytes, free, seconds, timed, exponent })
    }
}
