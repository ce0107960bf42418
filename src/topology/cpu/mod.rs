//! The native engine: the same method as the shaders, on the cores of the host.
//!
//! One large cloud is worked on by all threads; of a batch, every thread takes one cloud at a time.
//! Both ways give the same pairs, which depend on the order of the edges alone.
//!
//! A cloud goes through [`table`] (distances), [`neighbours`] (the relative neighbourhood graph:
//! all births and merges of dimensions 0 and 1, before anything is sorted), then in blocks of edges
//! through [`filtration`] (ranks), [`links`] (components) and [`loops`] (columns), until the last
//! loop has died. Dimension 2 goes on with all edges: [`collapse`] finds the loops of links,
//! [`voids`] what they kill. Dimension 3 is the fallback's: [`edge_collapse`], then [`cohomology`],
//! which gives dimensions 1 and 2 on the way. Links that do not collapse are no reason to fall
//! back: on Gaussian clouds in R^64 and on random matrices, whose links collapse least, links are
//! 2.7 to 270 times faster still. Cross-polytopes are the one family found where cohomology wins
//! (four times at 128 points), and no rule that would catch them is worth what it would cost where
//! it is wrong (`docs/engine.md` has the times).

mod awake;
mod cohomology;
mod collapse;
mod cycles;
mod distances;
mod edge_collapse;
mod filtration;
mod links;
mod loops;
pub(crate) mod named;
mod neighbours;
mod reduction;
mod table;
mod voids;

pub(crate) use cycles::KeyedCycle;
pub(crate) use filtration::Filtration;
#[cfg(feature = "gpu")]
pub(crate) use table::key_table;

use crate::error::{Error, Result};
use crate::topology::barcode::Pairs;
use crate::topology::cloud::{Cloud, CloudView};
use crate::topology::metric::Metric;
use crate::topology::task::Task;
use neighbours::Forest;
use rayon::prelude::*;

/// Largest cloud of this engine: vertices are 16 bits wide, and the table of `4 n^2` bytes takes 16
/// GiB here.
pub(crate) const MAX_POINTS: usize = 65_535;

/// Memory that clouds may take that are worked on side by side.
const SIDE_BY_SIDE_BYTES: u64 = 4 << 30;
/// Clouds of a batch between two reports.
const AT_ONCE: usize = 256;

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

    /// [`check_size`], with advice that fits: a graph cannot be sampled.
    fn check_size(&self, max_dim: usize) -> Result<()> {
        check_size(self.len(), max_dim).map_err(|e| match (self, e) {
            (Source::Cloud(Cloud::Edges(graph)), Error::TooManyPoints { .. }) => {
                let mut used: Vec<u32> = graph.edges().iter().flat_map(|&(i, j, _)| [i, j]).collect();
                used.sort_unstable();
                used.dedup();
                Error::TooLarge(format!(
                    "a graph of {} vertices, of which {} have edges, needs a table of all pairs that does not fit: number the vertices anew without those \
                     that have no edge (each is a component of its own)",
                    graph.len(),
                    used.len()
                ))
            }
            (_, e) => e,
        })
    }

    /// What the keys mean, given the metric for points: matrices and graphs bring their own
    /// lengths.
    pub fn metric(&self, of_points: Metric) -> Metric {
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
        if max_dim <= 2 {
            return Ok(named::pairs(self, max_dim, parallel, task)?.keys());
        }
        let near = task.stage("nearest", || neighbours::nearest(&self, parallel));
        let graph = task.stage("relative neighbours", || neighbours::relative_neighbours(&self, &near, parallel));
        let forest = task.stage("forest", || Forest::new(self.n, graph));
        let merges = forest.merges().map(|edge| (edge >> 32) as u32).collect();
        task.stage("sort", || self.extend(i32::MAX, parallel));
        let mut fewer = task.stage("edge collapse", || edge_collapse::collapsed(self, task))?;
        fewer.extend(i32::MAX, parallel);
        let classes = task.stage("cohomology", || cohomology::classes(&fewer, max_dim, task))?;
        Ok(Pairs { merges, classes })
    }
}

/// What a device has found out about the links of a cloud. Edges are named `i << 16 | j`, `i > j`.
#[cfg(feature = "gpu")]
pub(crate) struct Half {
    /// Critical triangles: the edge, the root that it is paired with, the root of this component,
    /// whether it killed a loop.
    pub critical: Vec<(u32, u32, u32, bool)>,
    /// Edges whose links may hold loops.
    pub open: Vec<u32>,
}

#[cfg(feature = "gpu")]
impl Half {
    /// Keys of birth and death of every void.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the task is cancelled.
    pub fn voids(self, mut f: Filtration, parallel: bool, task: &Task<'_>) -> Result<Vec<(u32, Option<u32>)>> {
        let near = neighbours::nearest(&f, parallel);
        f.extend(i32::MAX, parallel);
        let rank = |name: u32| f.rank((name >> 16) as usize, (name & 0xffff) as usize);
        let with_rank = |(name, apex, root, killed)| (links::Critical { rank: rank(name), apex, root }, killed);
        let mut critical: Vec<(links::Critical, bool)> = self.critical.into_iter().map(with_rank).collect();
        critical.sort_unstable_by_key(|(c, _)| (c.rank, c.root));
        let (critical, killed): (Vec<_>, Vec<_>) = critical.into_iter().unzip();
        let mut open: Vec<u32> = self.open.into_iter().map(rank).collect();
        open.sort_unstable();
        voids::pairs(&f, &near, voids::Links { critical: &critical, killed: &killed, open: &open }, parallel, task)
    }
}

/// Hands over the pairs of every cloud, in order, in dimensions 0 to `max_dim`.
///
/// # Errors
/// [`Error::TooLarge`] for a cloud that does not fit, [`Error::Interrupted`] when the task is
/// cancelled.
pub(crate) fn pairs(
    clouds: &[Source<'_>],
    metric: Metric,
    threshold: Option<f32>,
    max_dim: usize,
    task: &Task<'_>,
    take: &mut dyn FnMut(Pairs),
) -> Result<()> {
    clouds.iter().try_for_each(|c| c.check_size(max_dim))?;
    let threads = rayon::current_num_threads();
    let one = |cloud: &Source<'_>, parallel: bool, task: &Task<'_>| {
        let metric = cloud.metric(metric);
        let filtration = task.stage("distances", || Filtration::of(cloud, metric, threshold, parallel));
        filtration.pairs(max_dim, parallel, task)
    };
    // Fewer clouds than threads leave cores idle unless each cloud uses all of them; large ones
    // side by side take too much memory.
    let largest = clouds.iter().map(Source::len).max().unwrap_or(0);
    let together = threads as u64 * bytes(largest, max_dim);
    if clouds.len() == 1 || threads > 1 && (clouds.len() < 2 * threads || together > SIDE_BY_SIDE_BYTES) {
        for cloud in clouds {
            let found = if threads > 1 { awake::awake(|| one(cloud, true, task)) } else { one(cloud, false, task) };
            take(found?);
        }
        return Ok(());
    }
    let quiet = task.quiet();
    let mut done = 0;
    for some in clouds.chunks(AT_ONCE.max(8 * threads)) {
        task.at("clouds", done, clouds.len() as u64)?;
        let found: Result<Vec<Pairs>> = some.par_iter().map(|c| one(c, false, &quiet)).collect();
        found?.into_iter().for_each(&mut *take);
        done += some.len() as u64;
    }
    Ok(())
}

/// The pairs of one cloud with the edges that make them, in dimensions 0 to `max_dim`, at most 2.
///
/// # Errors
/// As [`pairs`].
pub(crate) fn named_pairs(
    cloud: &Source<'_>,
    metric: Metric,
    threshold: Option<f32>,
    max_dim: usize,
    task: &Task<'_>,
) -> Result<named::NamedPairs> {
    cloud.check_size(max_dim)?;
    let parallel = rayon::current_num_threads() > 1;
    named::pairs(Filtration::of(cloud, cloud.metric(metric), threshold, parallel), max_dim, parallel, task)
}

/// Representatives of the `k` longest bars of dimension 1; see [`cycles`].
///
/// # Errors
/// As [`pairs`].
pub(crate) fn cycles(
    cloud: &Source<'_>,
    metric: Metric,
    threshold: Option<f32>,
    k: usize,
    length: impl Fn(u32, Option<u32>) -> f32,
    task: &Task<'_>,
) -> Result<Vec<KeyedCycle>> {
    cloud.check_size(1)?;
    let parallel = rayon::current_num_threads() > 1;
    cycles::longest(Filtration::of(cloud, cloud.metric(metric), threshold, parallel), k, length, parallel, task)
}

/// Bytes that a cloud of `n` points takes at the peak, about: the table; sets of neighbours for
/// every thread; the edges, while they are sorted, of which dimension 1 needs a third at most,
/// higher dimensions all, and dimension 3 their simplices as well.
pub(crate) fn bytes(n: usize, max_dim: usize) -> u64 {
    let (n, threads) = (n as u64, rayon::current_num_threads() as u64);
    let edges = n * n / 2;
    let of_edges = match max_dim {
        0 => 0,
        1 => 32 * edges / 3,
        2 => (40 + 4 * threads) * edges,
        _ => 40 * edges + 32 * edges * n / 8,
    };
    4 * n * n + (threads + 1) * n * n / 8 + of_edges
}

/// Refuses what is beyond the engine or this machine's memory.
///
/// # Errors
/// [`Error::TooManyPoints`].
pub(crate) fn check_size(n: usize, max_dim: usize) -> Result<()> {
    if n > MAX_POINTS {
        let message = format!("a cloud of {n} points: the native engine takes up to {MAX_POINTS}");
        return Err(Error::TooManyPoints { message, most: MAX_POINTS, on_device: false });
    }
    if max_dim > 2 {
        cohomology::check_points(n, max_dim)?;
    }
    // What dimension 3 needs depends on the input more than on its size.
    let need = bytes(n, max_dim.min(2));
    match crate::memory::available_for(need) {
        Some(free) if need > free => {
            let most = (n as f64 * (free as f64 / need as f64).sqrt() * 0.95) as usize;
            let gib = |bytes: u64| bytes as f64 / (1u64 << 30) as f64;
            let message = format!(
                "a cloud of {n} points in dimension {max_dim} needs about {:.1} GiB, and {:.1} GiB are free: about {most} points would \
                 fit",
                gib(need),
                gib(free)
            );
            Err(Error::TooManyPoints { message, most, on_device: false })
        }
        _ => Ok(()),
    }
}
