//! The native engine: the same method as the shaders, on the cores of the host.
//!
//! One large cloud is worked on by all threads; of a batch, every thread takes one cloud at a time. Both ways give the same
//! pairs, which depend on the order of the edges alone.
//!
//! A cloud goes through [`table`] (distances), [`neighbours`] (the relative neighbourhood graph: all births and merges of
//! dimensions 0 and 1, before anything is sorted), then in blocks of edges through [`filtration`] (ranks), [`links`]
//! (components) and [`loops`] (columns), until the last loop has died. Dimension 2 goes on with all edges: [`collapse`] finds the
//! loops of links, [`voids`] what they kill. Dimension 3 is the fallback's: [`edge_collapse`], then [`cohomology`], which gives dimensions 1 and
//! 2 on the way. Links that do not collapse (cross-polytopes, Gaussian clouds in many dimensions) are no reason to fall back: their loops
//! have been faster by the same method than cohomology of the whole cloud on every input tried, the worst for links included
//! (`docs/engine.md` has the times).

mod cohomology;
mod collapse;
mod columns;
mod distances;
mod edge_collapse;
mod filtration;
mod links;
mod loops;
mod neighbours;
mod simd;
mod table;
mod voids;

pub(crate) use filtration::Filtration;
pub(crate) use table::key_table;

use crate::error::{Error, Result};
use crate::topology::barcode::Pairs;
use crate::topology::cloud::{Cloud, CloudView};
use crate::topology::metric::Metric;
use crate::topology::task::Task;
use neighbours::Forest;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Largest cloud of this engine: vertices are 16 bits wide, and the table of `4 n^2` bytes takes 16 GiB here.
pub(crate) const MAX_POINTS: usize = 65_535;

/// Bytes at the peak per pair of points: the table, and the edges while they are sorted.
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

impl Filtration {
    /// The pairs of dimensions 0 to `max_dim`, at most 3.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the task is cancelled.
    pub(crate) fn pairs(mut self, max_dim: usize, parallel: bool, task: &Task<'_>) -> Result<Pairs> {
        let near = task.stage("nearest", || neighbours::nearest(&self, parallel));
        let graph = task.stage("relative neighbours", || neighbours::relative_neighbours(&self, &near, parallel));
        let forest = task.stage("forest", || Forest::new(self.n, graph));
        let mut pairs = Pairs { merges: forest.merges(), classes: Vec::new() };
        if max_dim == 0 {
            return Ok(pairs);
        }
        if max_dim > 2 {
            task.stage("sort", || self.extend(i32::MAX, parallel));
            let mut fewer = task.stage("edge collapse", || edge_collapse::collapsed(self, task))?;
            fewer.extend(i32::MAX, parallel);
            pairs.classes = task.stage("cohomology", || cohomology::classes(&fewer, max_dim, task))?;
            return Ok(pairs);
        }
        let loops = loops::Loops::of(&mut self, &near, forest, max_dim > 1, parallel, task)?;
        pairs.classes.push(loops.pairs(&self));
        if max_dim > 1 {
            pairs.classes.push(voids::pairs(&self, &near, &loops, parallel, task)?);
        }
        Ok(pairs)
    }
}

/// Pairs of every cloud, in order, in dimensions 0 to `max_dim`.
///
/// # Errors
/// [`Error::TooLarge`] for a cloud beyond [`MAX_POINTS`], [`Error::Interrupted`] when the task is cancelled.
pub(crate) fn pairs(
    clouds: &[Source<'_>],
    metric: Metric,
    threshold: Option<f32>,
    max_dim: usize,
    task: &Task<'_>,
) -> Result<Vec<Pairs>> {
    if let Some(c) = clouds.iter().find(|c| c.len() > MAX_POINTS) {
        return Err(Error::TooLarge(format!(
            "a cloud of {} points needs {:.1} GiB of distances; the cpu engine takes up to {MAX_POINTS} points: sample the cloud",
            c.len(),
            4.0 * (c.len() as f64).powi(2) / (1u64 << 30) as f64
        )));
    }
    let threads = rayon::current_num_threads();
    let one = |cloud: &Source<'_>, parallel: bool, task: &Task<'_>| {
        let metric = cloud.metric(metric);
        let filtration = task.stage("distances", || Filtration::of(cloud, metric, threshold, parallel));
        filtration.pairs(max_dim, parallel, task)
    };
    // Fewer clouds than threads leave cores idle unless each cloud uses all of them; large ones side by side take too much memory.
    let largest = clouds.iter().map(Source::len).max().unwrap_or(0) as u64;
    let together = threads as u64 * BYTES_PER_PAIR * largest * largest;
    if clouds.len() == 1 || threads > 1 && (clouds.len() < 2 * threads || together > SIDE_BY_SIDE_BYTES) {
        return clouds.iter().map(|c| one(c, threads > 1, task)).collect();
    }
    let done = AtomicU64::new(0);
    let quiet = task.quiet();
    clouds
        .par_iter()
        .map(|c| {
            task.at("clouds", done.fetch_add(1, Relaxed), clouds.len() as u64)?;
            one(c, false, &quiet)
        })
        .collect()
}
