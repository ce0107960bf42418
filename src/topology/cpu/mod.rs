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
mod both_ends;
mod cohomology;
mod collapse;
mod columns;
mod cycles;
mod distances;
mod edge_collapse;
mod filtration;
mod levels;
mod links;
mod lists;
mod loops;
mod lunes;
pub(crate) mod named;
mod neighbours;
mod reduction;
mod table;
mod voids;

pub(crate) use cohomology::NamedCocycle;
use cycles::Cycles;
pub(crate) use cycles::KeyedCycle;
pub(crate) use filtration::Filtration;
pub(crate) use named::NamedPairs;
#[cfg(feature = "gpu")]
pub(crate) use table::key_table;

use crate::error::{Error, Result};
use crate::memory::{gib, short_of};
use crate::topology::barcode::Pairs;
use crate::topology::metric::Metric;
use crate::topology::options::Options;
use crate::topology::order::Edge;
#[cfg(feature = "gpu")]
use crate::topology::order::{EdgeName, Key};
use crate::topology::source::Source;
use crate::topology::task::Task;
use neighbours::Forest;
use rayon::prelude::*;

/// Largest cloud that is found from a table: vertices are 16 bits wide.
pub(crate) const MAX_POINTS: usize = 65_535;

/// Memory that clouds may take that are worked on side by side.
const SIDE_BY_SIDE_BYTES: u64 = 4 << 30;
/// Clouds of a batch between two reports.
const AT_ONCE: usize = 256;

/// [`check_size`] for all clouds.
pub(crate) fn check_sizes(clouds: &[Source<'_>], max_dim: usize) -> Result<()> {
    clouds.iter().try_for_each(|c| check_size_of(c, max_dim))
}

/// [`check_size`], with advice that fits: a graph cannot be sampled.
fn check_size_of(cloud: &Source<'_>, max_dim: usize) -> Result<()> {
    let graph = matches!(cloud, Source::Edges(_));
    let need = if graph { bytes_of_table(cloud.len(), max_dim.min(2)) } else { bytes(cloud.len(), max_dim.min(2)) };
    check_room(cloud.len(), max_dim, need).map_err(|e| match (cloud, e) {
        (Source::Edges(graph), Error::TooManyPoints { .. }) => {
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

impl Filtration {
    /// The pairs of dimensions 0 to `max_dim`, at most 3.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the task is cancelled.
    pub(crate) fn pairs(mut self, max_dim: usize, parallel: bool, task: &Task<'_>) -> Result<Pairs> {
        if max_dim <= 2 {
            return Ok(named::pairs(self, max_dim, Cycles::default(), parallel, task)?.keys());
        }
        let near = task.stage("nearest", || neighbours::nearest(&self, parallel));
        let graph = task.stage("relative neighbours", || neighbours::relative_neighbours(&self, &near, parallel));
        let forest = task.stage("forest", || Forest::new(self.n, graph));
        let merges = forest.merges().map(Edge::key).collect();
        task.stage("sort", || self.extend(i32::MAX, parallel));
        let mut fewer = task.stage("edge collapse", || edge_collapse::collapsed(self, task))?;
        fewer.extend(i32::MAX, parallel);
        let classes = task.stage("cohomology", || cohomology::classes(&fewer, max_dim, task))?;
        Ok(Pairs { merges, classes })
    }
}

/// What a device has found out about the links of a cloud.
#[cfg(feature = "gpu")]
pub(crate) struct Half {
    /// The critical triangles.
    pub critical: Vec<FoundTriangle>,
    /// Edges whose links may hold loops.
    pub open: Vec<EdgeName>,
}

/// A critical triangle that a device has found.
#[cfg(feature = "gpu")]
pub(crate) struct FoundTriangle {
    /// Its longest edge.
    pub edge: EdgeName,
    /// The root that the edge is paired with.
    pub apex: u32,
    /// The root of this component of the edge's link.
    pub root: u32,
    /// Whether it killed a loop.
    pub killed: bool,
}

#[cfg(feature = "gpu")]
impl Half {
    /// Keys of birth and death of every void.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the task is cancelled.
    pub fn voids(self, mut f: Filtration, parallel: bool, task: &Task<'_>) -> Result<Vec<(Key, Option<Key>)>> {
        let near = neighbours::nearest(&f, parallel);
        f.extend(i32::MAX, parallel);
        let rank = |name: EdgeName| {
            let (i, j) = name.ends();
            f.rank(i, j)
        };
        let with_rank = |t: FoundTriangle| (links::Critical { rank: rank(t.edge), apex: t.apex, root: t.root }, t.killed);
        let mut critical: Vec<(links::Critical, bool)> = self.critical.into_iter().map(with_rank).collect();
        critical.sort_unstable_by_key(|(c, _)| (c.rank, c.root));
        let (critical, killed): (Vec<_>, Vec<_>) = critical.into_iter().unzip();
        let mut open: Vec<u32> = self.open.into_iter().map(rank).collect();
        open.sort_unstable();
        voids::pairs(&f, &near, voids::Links { critical: &critical, killed: &killed, open: &open }, parallel, task)
    }
}

/// What is wanted of every cloud.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// For clouds of points.
    pub metric: Metric,
    /// Longest edge that enters.
    pub threshold: Option<f32>,
    /// Highest dimension, at most 3; at most 2 where edges are named.
    pub max_dim: usize,
    /// Hears how far it is, and can stop it.
    pub task: &'a Task<'a>,
}

/// Hands over the pairs of every cloud, in order.
///
/// # Errors
/// [`Error::TooLarge`] for a cloud that does not fit, [`Error::Interrupted`] when the task is
/// cancelled.
pub(crate) fn pairs(clouds: &[Source<'_>], wanted: Wanted<'_>, take: &mut dyn FnMut(Pairs)) -> Result<()> {
    let by_table = |some: &[Source<'_>], wanted: Wanted<'_>, take: &mut dyn FnMut(Pairs)| {
        each(some, wanted, |f, _, parallel, task| f.pairs(wanted.max_dim, parallel, task), take)
    };
    by_the_best_way(clouds, wanted, 0, |found| found.keys(), by_table, take)
}

/// Whether the pairs of a cloud are found without a table of all pairs, so that neither memory nor
/// [`MAX_POINTS`] bounds it.
pub(crate) fn needs_no_table(cloud: &Source<'_>, options: &Options) -> bool {
    let Options { metric, threshold, max_dim, cocycles, max_points, .. } = *options;
    let n = max_points.map_or(cloud.len(), |most| most.min(cloud.len()));
    !cocycles && lists::fit_of(cloud, n, &Wanted { metric, threshold, max_dim, task: &Task::unwatched() })
}

/// Bytes that a cloud takes that [`needs_no_table`], about.
pub(crate) fn bytes_of_lists(cloud: &Source<'_>, points: usize) -> u64 {
    lists::bytes(cloud, points)
}

/// How the pairs of a cloud are found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From lists of neighbours: [`lists`].
    Lists,
    /// From a table of levels: [`levels`].
    Levels,
    /// From a table of keys and ranks: [`Filtration`].
    Table,
}

impl Way {
    fn of(cloud: &Source<'_>, wanted: &Wanted<'_>) -> Self {
        match cloud {
            _ if lists::fit(cloud, wanted) => Way::Lists,
            _ if levels::fit(cloud, wanted.max_dim) => Way::Levels,
            _ => Way::Table,
        }
    }
}

/// Hands over the pairs of every cloud, in order, found in the way that is the best for it.
fn by_the_best_way<T>(
    clouds: &[Source<'_>],
    wanted: Wanted<'_>,
    cycles: usize,
    of: impl Fn(NamedPairs) -> T,
    by_table: impl Fn(&[Source<'_>], Wanted<'_>, &mut dyn FnMut(T)) -> Result<()>,
    take: &mut dyn FnMut(T),
) -> Result<()> {
    let mut done = 0;
    for some in clouds.chunk_by(|a, b| Way::of(a, &wanted) == Way::of(b, &wanted)) {
        let way = Way::of(&some[0], &wanted);
        if way == Way::Table {
            let task = if some.len() < clouds.len() { wanted.task.of_cloud(done) } else { *wanted.task };
            by_table(some, Wanted { task: &task, ..wanted }, take)?;
            done += some.len();
            continue;
        }
        for cloud in some {
            if clouds.len() > 1 {
                wanted.task.clouds(done)?;
            }
            let task = if clouds.len() > 1 { wanted.task.of_cloud(done) } else { *wanted.task };
            let wanted = Wanted { task: &task, ..wanted };
            let cycles = Cycles { count: cycles, metric: cloud.metric(wanted.metric) };
            let found = if way == Way::Lists { lists::pairs(cloud, &wanted, cycles)? } else { None };
            match found {
                Some(found) => take(of(found)),
                None if levels::fit(cloud, wanted.max_dim) => take(of(levels::pairs(cloud, &wanted, cycles)?)),
                None => by_table(std::slice::from_ref(cloud), wanted, take)?,
            }
            done += 1;
        }
    }
    Ok(())
}

/// Hands over the pairs of every cloud, in order, with the edges that make them, in dimensions up
/// to 2, and as many cycles of longest bars.
///
/// # Errors
/// As [`pairs`].
pub(crate) fn named_pairs(
    clouds: &[Source<'_>],
    wanted: Wanted<'_>,
    cycles: usize,
    take: &mut dyn FnMut(NamedPairs),
) -> Result<()> {
    let one = |f: Filtration, metric, parallel, task: &Task<'_>| {
        named::pairs(f, wanted.max_dim, Cycles { count: cycles, metric }, parallel, task)
    };
    let by_table = |some: &[Source<'_>], wanted: Wanted<'_>, take: &mut dyn FnMut(NamedPairs)| each(some, wanted, one, take);
    by_the_best_way(clouds, wanted, cycles, |found| found, by_table, take)
}

/// Hands over cocycles of every class of every cloud in dimensions 1 to [`Wanted::max_dim`], in
/// order.
///
/// # Errors
/// As [`pairs`].
pub(crate) fn cocycles(clouds: &[Source<'_>], wanted: Wanted<'_>, take: &mut dyn FnMut(Vec<Vec<NamedCocycle>>)) -> Result<()> {
    let one = |mut f: Filtration, _, parallel, task: &Task<'_>| {
        task.stage("sort", || f.extend(i32::MAX, parallel));
        task.stage("cocycles", || cohomology::cocycles(&f, wanted.max_dim, task))
    };
    each(clouds, wanted, one, take)
}

/// Hands over what `one` makes of the filtration of every cloud, in order.
fn each<T: Send>(
    clouds: &[Source<'_>],
    wanted: Wanted<'_>,
    one: impl Fn(Filtration, Metric, bool, &Task<'_>) -> Result<T> + Sync,
    take: &mut dyn FnMut(T),
) -> Result<()> {
    let Wanted { metric, threshold, max_dim, task } = wanted;
    check_sizes(clouds, max_dim)?;
    let threads = rayon::current_num_threads();
    let one = |cloud: &Source<'_>, parallel: bool, task: &Task<'_>| {
        let metric = cloud.metric(metric);
        let filtration = task.stage("distances", || Filtration::of(cloud, metric, threshold, parallel));
        one(filtration, metric, parallel, task)
    };
    // Fewer clouds than threads leave cores idle unless each cloud uses all of them; large ones
    // side by side take too much memory.
    let largest = clouds.iter().map(Source::len).max().unwrap_or(0);
    let together = threads as u64 * bytes_of_table(largest, max_dim);
    if clouds.len() == 1 || threads > 1 && (clouds.len() < 2 * threads || together > SIDE_BY_SIDE_BYTES) {
        for (i, cloud) in clouds.iter().enumerate() {
            let task = if clouds.len() > 1 { task.of_cloud(i) } else { *task };
            let found = if threads > 1 { awake::awake(|| one(cloud, true, &task)) } else { one(cloud, false, &task) };
            take(found?);
        }
        return Ok(());
    }
    let quiet = task.quiet();
    let mut done = 0;
    for some in clouds.chunks(AT_ONCE.max(8 * threads)) {
        task.clouds(done)?;
        let found: Result<Vec<T>> = some.par_iter().map(|c| one(c, false, &quiet)).collect();
        found?.into_iter().for_each(&mut *take);
        done += some.len();
    }
    Ok(())
}

/// Bytes that a cloud of `n` points takes at the peak, about.
pub(crate) fn bytes(n: usize, max_dim: usize) -> u64 {
    if levels::fit_of(n, max_dim) { levels::bytes(n) } else { bytes_of_table(n, max_dim) }
}

/// [`bytes`] of what is found from a table of keys and ranks: the table; sets of neighbours for
/// every thread; the edges, while they are sorted, of which dimension 1 needs a third at most,
/// higher dimensions all, and dimension 3 their simplices as well.
fn bytes_of_table(n: usize, max_dim: usize) -> u64 {
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
    // What dimension 3 needs depends on the input more than on its size.
    check_room(n, max_dim, bytes(n, max_dim.min(2)))
}

/// [`check_size`] of a table of keys and ranks, where there is no other way.
#[cfg(feature = "gpu")]
pub(crate) fn check_table(n: usize, max_dim: usize) -> Result<()> {
    check_room(n, max_dim, bytes_of_table(n, max_dim.min(2)))
}

/// [`check_size`] of what needs so many bytes.
fn check_room(n: usize, max_dim: usize, need: u64) -> Result<()> {
    if n > MAX_POINTS {
        let message = format!(
            "a cloud of {n} points: what takes a table of all pairs can have up to {MAX_POINTS}; dimensions 0 and 1 of points with up to three \
             coordinates, Euclidean, take none"
        );
        return Err(Error::TooManyPoints { message, most: MAX_POINTS, on_device: false });
    }
    if max_dim > 2 {
        cohomology::check_points(n, max_dim)?;
    }
    match short_of(need) {
        Some(free) => {
            let most = (n as f64 * (free as f64 / need as f64).sqrt() * 0.95) as usize;
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
