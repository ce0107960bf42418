//! Dimensions 0 and 1 of large clouds, from a table of two bytes a pair.
//!
//! The method is that of the table's engine (see [`super`]). What differs is that no edge has a
//! rank, and that the table does not hold lengths: they are rounded to 16 bits, to levels
//! ([`scale`]), so that the table is half as large and its rows are read twice as fast. Nearly all
//! comparisons of two lengths are settled by their levels; where these are equal, both pairs are
//! measured again ([`table`]). Edges are taken from the table in blocks ([`blocks`]), and inside a
//! block they need no order ([`links`]).

mod blocks;
mod links;
mod scale;
mod table;

use super::columns::{Forest, Loops};
use super::cycles::Cycles;
use super::distances::Measured;
use super::named::NamedPairs;
use super::neighbours::{nearest_few, relative_neighbours};
use super::{Wanted, awake, check_size_of};
use crate::error::Result;
use crate::topology::order::{Key, WideEdge};
use crate::topology::source::Source;
use blocks::Blocks;
use links::{HUBS, Rows};
use table::{Lengths, Levels};

/// Clouds of fewer points are faster by the table of ranks.
const LEAST_POINTS: usize = 2048;

/// Whether what is wanted of a cloud is found by levels: dimensions 0 and 1 of many points or of a
/// matrix.
pub(super) fn fit(cloud: &Source<'_>, max_dim: usize) -> bool {
    !matches!(cloud, Source::Edges(_)) && fit_of(cloud.len(), max_dim)
}

/// [`fit`] of so many points.
pub(super) fn fit_of(n: usize, max_dim: usize) -> bool {
    max_dim <= 1 && n >= LEAST_POINTS
}

/// Bytes that a cloud of `n` points takes at the peak, about: the levels; the edges before a block,
/// as bits, and as much for what is found and for copies of the points; and edges that are
/// collected at once, two copies of them.
pub(super) fn bytes(n: usize) -> u64 {
    let n = n as u64;
    2 * n * n + n * n / 4 + 8 * (n * n / 6).clamp(blocks::COLLECTED.0, blocks::COLLECTED.1) + (64 << 20)
}

/// The pairs of a cloud that is [`fit`] for it.
///
/// # Errors
/// [`crate::Error::Interrupted`] when the task is cancelled.
pub(super) fn pairs(cloud: &Source<'_>, wanted: &Wanted<'_>, cycles: Cycles) -> Result<NamedPairs> {
    check_size_of(cloud, wanted.max_dim)?;
    let find = || of(cloud, wanted, cycles);
    if rayon::current_num_threads() > 1 { awake::awake(find) } else { find() }
}

fn of(cloud: &Source<'_>, wanted: &Wanted<'_>, cycles: Cycles) -> Result<NamedPairs> {
    let Wanted { threshold, max_dim, task, .. } = *wanted;
    let (n, metric) = (cloud.len(), cloud.metric(wanted.metric));
    let limit = threshold.map_or(Key::MAX, |t| metric.threshold_key(t));
    let lengths = match cloud {
        Source::Points(data, view) => Lengths::Points(Measured::new(data, *view, metric)),
        Source::Distances(matrix) => Lengths::Matrix(matrix),
        Source::Edges(_) => unreachable!("a graph has no table of levels"),
    };
    let levels = task.stage("distances", || Levels::of(lengths, limit, task))?;
    let hubs: Vec<[u32; HUBS]> = task.stage("nearest", || nearest_few(&levels, true));
    let graph = task.stage("relative neighbours", || relative_neighbours(&levels, &hubs, true));
    let graph: Vec<WideEdge> = graph.into_iter().map(WideEdge::from).collect();
    let mut loops = Loops::new(task.stage("forest", || Forest::new(n, &graph)));
    if max_dim == 0 {
        return Ok(NamedPairs { merges: loops.forest.merges, classes: Vec::new(), cycles: Vec::new() });
    }
    let (mut blocks, mut rows) = (Blocks::new(), Rows::new(n));
    let (mut looked_at, all) = (0, (n * n / 2) as u64);
    while loops.alive > 0
        && let Some(block) = task.stage("sort", || blocks.next(&levels))
    {
        task.at("edges", looked_at, all)?;
        let critical = task.stage("links", || links::look_at(&levels, &hubs, &mut rows, &block));
        task.stage("loops", || loops.reduce(&levels, &critical, task))?;
        looked_at += block.len() as u64;
    }
    Ok(task.stage("cycles", || loops.pairs(n, cycles)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::cloud::{Cloud, DistanceMatrix, PointCloud};
    use crate::topology::cpu::cycles;
    use crate::topology::cpu::filtration::Filtration;
    use crate::topology::cpu::named;
    use crate::topology::metric::Metric;
    use crate::topology::task::Task;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        /// Edge by edge what the table of ranks finds, with many ties and with none.
        #[test]
        fn levels_find_the_pairs_of_the_table(
            numbers in prop::collection::vec(0u16..5000, 120 * 4..=120 * 4), coarse in 1u16..5000, n in 1usize..120,
            threshold in proptest::option::of(0.0f32..1.5), metric in 0usize..Metric::OF_POINTS.len(), matrix: bool,
        ) {
            let data: Vec<f32> = numbers.iter().map(|&x| f32::from(x / coarse) / f32::from(5000 / coarse)).collect();
            let cloud: Cloud = if matrix {
                DistanceMatrix::from_lower(n, data.iter().cycle().copied().take(n * (n - 1) / 2).collect()).unwrap().into()
            } else {
                PointCloud::new(n, 4, data[..4 * n].to_vec()).unwrap().into()
            };
            let source = Source::from(&cloud);
            let metric = source.metric(Metric::OF_POINTS[metric]);
            let wanted = Wanted { metric, threshold, max_dim: 1, task: &Task::unwatched() };
            let of_cycles = Cycles { count: 3, metric };
            let found = of(&source, &wanted, of_cycles).unwrap();
            let f = Filtration::of(&source, metric, threshold, false);
            let key = |v: u32, w: u32| Key::of_entry(f.row(v as usize)[w as usize]);
            cycles::check(&found.cycles, key);
            let want = named::pairs(Filtration::of(&source, metric, threshold, false), 1, of_cycles, false, wanted.task).unwrap();
            prop_assert_eq!(found.merges, want.merges);
            prop_assert_eq!(found.classes, want.classes);
            let bars = |cycles: &[super::super::KeyedCycle]| cycles.iter().map(|c| (c.0, c.1)).collect::<Vec<_>>();
            prop_assert_eq!(bars(&found.cycles), bars(&want.cycles));
        }
    }
}
