//! The native engine: the same method as the shaders, on the cores of the host.
//!
//! One large cloud is worked on by all threads, block by block of its sorted edges; of a batch, every thread takes
//! one cloud at a time. Both ways give the same pairs, which depend on the order of the edges alone.

mod distances;
mod filtration;
mod lunes;
mod reduction;

pub(crate) use filtration::{Filtration, key_table};

use crate::error::{Error, Result};
use crate::topology::barcode::Pairs;
use crate::topology::cloud::{Cloud, CloudView};
use crate::topology::metric::Metric;
use rayon::prelude::*;

/// Largest cloud of this engine: its rank table takes `4 n^2` bytes, 4 GiB here.
pub(crate) const MAX_POINTS: usize = 32_768;

/// Bytes at the peak per pair of points: the rank table, and the edges while they are sorted.
const BYTES_PER_PAIR: u64 = 16;
/// Memory that clouds may take that are worked on side by side.
const SIDE_BY_SIDE_BYTES: u64 = 4 << 30;

/// Where a cloud's numbers are.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// A cloud of its own.
    Cloud(&'a Cloud),
    /// A view of shared numbers.
    View(&'a [f32], CloudView),
}

impl Source<'_> {
    /// Number of points.
    pub fn len(&self) -> usize {
        match self {
            Source::Cloud(c) => c.len(),
            Source::View(_, v) => v.len,
        }
    }

    /// What the keys mean, given the metric for points: matrices and graphs bring their own lengths.
    fn metric(&self, of_points: Metric) -> Metric {
        match self {
            Source::Cloud(Cloud::Points(_)) | Source::View(..) => of_points,
            Source::Cloud(_) => Metric::Precomputed,
        }
    }
}

/// Pairs of every cloud, in order, in dimensions 0 to `max_dim` (0 or 1).
///
/// # Errors
/// [`Error::TooLarge`] for a cloud whose rank table would pass 4 GiB.
pub(crate) fn pairs(clouds: &[Source<'_>], metric: Metric, threshold: Option<f32>, max_dim: usize) -> Result<Vec<Pairs>> {
    if let Some(c) = clouds.iter().find(|c| c.len() > MAX_POINTS) {
        return Err(Error::TooLarge(format!(
            "a cloud of {} points needs {:.1} GiB of ranks; the cpu engine takes up to {MAX_POINTS} points: sample the cloud",
            c.len(),
            4.0 * (c.len() as f64).powi(2) / (1u64 << 30) as f64
        )));
    }
    let threads = rayon::current_num_threads();
    let one = |cloud: &Source<'_>, parallel: bool| {
        let metric = cloud.metric(metric);
        let table = key_table(cloud, metric, parallel);
        let filtration = Filtration::new(cloud.len(), table, metric, threshold);
        filtration.pairs(max_dim, parallel)
    };
    // Fewer clouds than threads leave cores idle unless each cloud uses all of them; large ones side by side take too much memory.
    let largest = clouds.iter().map(Source::len).max().unwrap_or(0) as u64;
    let together = threads as u64 * BYTES_PER_PAIR * largest * largest;
    Ok(if threads > 1 && (clouds.len() < 2 * threads || together > SIDE_BY_SIDE_BYTES) {
        clouds.iter().map(|c| one(c, true)).collect()
    } else {
        clouds.par_iter().map(|c| one(c, false)).collect()
    })
}
