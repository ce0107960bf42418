//! Dimensions 0 and 1 without a table of all pairs: from lists of neighbours.
//!
//! The method is that of the table's engine (see [`super`]): the edges with an empty lune are all
//! births and merges, an edge whose link is in pieces gives columns, and a column becomes a set of
//! loops by replacing edges through points of their lunes. What differs is how points are found. A
//! weighted graph ([`graph`]) has lists of its own. A cloud of points of up to three dimensions
//! ([`cloud`]) gets lists of all edges up to a length, which grows until every loop has died; where
//! that takes too many edges, those that are on no list are searched through pairs of boxes
//! ([`long`]), most of which a single point settles.

mod cloud;
mod graph;
mod leaves;
mod links;
mod long;
mod relatives;
mod space;
mod tree;

use super::columns::{Forest, Loops};
use super::cycles::Cycles;
use super::named::{self, NamedPairs};
use super::{MAX_POINTS, Wanted, check_size};
use crate::error::{Error, Result};
use crate::memory::{gib, short_of};
use crate::topology::cloud::SparseGraph;
use crate::topology::metric::Metric;
use crate::topology::order::{Key, WideEdge};
use crate::topology::source::Source;
use cloud::Cloud;
use rayon::prelude::*;
use space::Space;
use tree::Tree;

/// Most coordinates of a point.
const MOST_FEATURES: usize = 3;
/// Points from which on lists are faster than the table.
const LEAST_POINTS: usize = 1500;
/// A graph with one edge for fewer pairs than this is faster by the table.
const DENSE: usize = 16;
/// By how much the squared length of listed edges grows.
const GROWTH: f32 = 1.35;
/// The part of the longest squared length up to which lists may go at once.
const LEAST_PART: f32 = 1e-9;
/// By how much the squared length of searched edges grows.
const STEP: f32 = 1.2;
/// And at the least, where there are many.
const LEAST_STEP: f32 = 1.01;
/// One edge for so many pairs: where more of them must be looked at one by one, the table is
/// faster.
const MOST_LOOKED_AT: usize = 16;
/// Edges that are many.
const MOST_OPEN: usize = 1 << 23;
/// Edges that are looked at between two looks at whether all loops have died.
const AT_ONCE: usize = 1 << 16;

/// How far lists go before edges are searched instead.
#[derive(Clone, Copy)]
struct Reach {
    /// Neighbours on a list at first, in the median.
    first: usize,
    /// Neighbours on a list in the end, on the average.
    most: usize,
    /// Edges that are looked at one by one before the table is taken.
    most_looked_at: usize,
}

impl Default for Reach {
    fn default() -> Self {
        Self { first: 24, most: 160, most_looked_at: usize::MAX }
    }
}

/// Whether what is wanted of a cloud is found by lists: dimensions 0 and 1, of points of few
/// dimensions by their Euclidean distances, or of a graph. Small clouds and dense graphs are faster
/// by the table.
pub(super) fn fit(cloud: &Source<'_>, wanted: &Wanted<'_>) -> bool {
    fit_of(cloud, cloud.len(), wanted)
}

/// [`fit`] of so many of its points.
pub(super) fn fit_of(cloud: &Source<'_>, n: usize, wanted: &Wanted<'_>) -> bool {
    match cloud {
        _ if wanted.max_dim > 1 => false,
        Source::Points(_, view) => {
            let euclidean = matches!(wanted.metric, Metric::Euclidean | Metric::SqEuclidean);
            euclidean && view.features <= MOST_FEATURES && n >= LEAST_POINTS
        }
        Source::Distances(_) => false,
        Source::Edges(graph) => {
            wanted.max_dim == 0 || n > MAX_POINTS || (n >= LEAST_POINTS && graph.edges().len() < n * n / DENSE)
        }
    }
}

/// Bytes that so many points of a cloud take at the peak, about: the tree and the forest, and the
/// lists, as long as they may become; of a graph, its edges.
pub(super) fn bytes(cloud: &Source<'_>, n: usize) -> u64 {
    match cloud {
        Source::Edges(graph) => graph::Lists::bytes(n, 2 * graph.edges().len()),
        _ => (200 + 8 * Reach::default().most as u64) * n as u64,
    }
}

/// The pairs of a cloud that is [`fit`] for it; nothing, where it turns out on the way that the
/// table is faster, and there is room for one. Surfaces in space with wide holes are such clouds:
/// links of their long edges are rings, which no single point covers.
///
/// # Errors
/// [`Error::TooLarge`] for lists that do not fit, [`Error::Interrupted`] when the task is
/// cancelled.
pub(super) fn pairs(cloud: &Source<'_>, wanted: &Wanted<'_>, cycles: Cycles) -> Result<Option<NamedPairs>> {
    match cloud {
        Source::Edges(graph) if wanted.max_dim == 0 => Ok(Some(named::forest(graph, wanted.threshold))),
        Source::Edges(graph) => Ok(Some(of_graph(graph, wanted, cycles)?)),
        points => {
            let n = points.len();
            let table = check_size(n, wanted.max_dim).is_ok();
            let most = if table { n * n / 2 / MOST_LOOKED_AT } else { usize::MAX };
            of_points(points, wanted, cycles, Reach { most_looked_at: most, ..Reach::default() })
        }
    }
}

/// The pairs of dimensions 0 and 1 of a graph.
///
/// # Errors
/// [`Error::TooLarge`] for lists that do not fit, [`Error::Interrupted`] when the task is
/// cancelled.
fn of_graph(graph: &SparseGraph, wanted: &Wanted<'_>, cycles: Cycles) -> Result<NamedPairs> {
    let Wanted { threshold, task, .. } = *wanted;
    let limit = threshold.map_or(Key::MAX, |t| Metric::Sparse.threshold_key(t));
    if graph.edges().len() >= 1 << 31 {
        return Err(Error::TooLarge(format!("a graph of {} edges: up to 2^31 can be counted", graph.edges().len())));
    }
    check_room(graph::Lists::bytes(graph.len(), graph.edges().len()))?;
    let lists = task.stage("neighbours", || graph::Lists::of(graph, limit));
    let looks = task.stage("links", || links::look_at(&lists, None, task))?;
    let mut loops = Loops::new(task.stage("forest", || Forest::new(graph.len(), &looks.empty)));
    task.stage("loops", || loops.reduce(&lists, &looks.critical, task))?;
    Ok(task.stage("cycles", || loops.pairs(graph.len(), cycles)))
}

/// The pairs of dimensions 0 and 1 of points of at most [`MOST_FEATURES`] coordinates, by their
/// Euclidean distances.
///
/// # Errors
/// As [`of_graph`].
fn of_points(cloud: &Source<'_>, wanted: &Wanted<'_>, cycles: Cycles, reach: Reach) -> Result<Option<NamedPairs>> {
    if cloud.features().is_some_and(|f| f < MOST_FEATURES) {
        of_points_in::<2>(cloud, wanted, cycles, reach)
    } else {
        of_points_in::<MOST_FEATURES>(cloud, wanted, cycles, reach)
    }
}

fn of_points_in<const D: usize>(
    source: &Source<'_>,
    wanted: &Wanted<'_>,
    cycles: Cycles,
    reach: Reach,
) -> Result<Option<NamedPairs>> {
    let Wanted { metric, threshold, max_dim, task } = *wanted;
    let limit = threshold.map_or(Key::MAX, |t| metric.threshold_key(t));
    let (distinct, equal) = task.stage("tree", || distinct::<D>(source));
    let mut cloud = Cloud::new(task.stage("tree", || Tree::new(distinct)));
    let numbers = |cloud: &Cloud<D>, e: WideEdge| {
        let of = |p: u32| cloud.tree.numbers[p as usize];
        WideEdge::new(e.key, of(e.ends.0), of(e.ends.1))
    };
    let n = cloud.len();
    // Lists up to a first length: all edges of the relative neighbourhood graph but a few.
    let mut listed = first_length(&cloud.tree, reach.first).min(limit);
    check_room((16.0 * n as f64 * average(&cloud.tree, listed)) as u64)?;
    task.at("neighbours", 0, n as u64)?;
    task.stage("neighbours", || cloud.list_up_to(listed));
    let looks = task.stage("links", || links::look_at(&cloud, None, task))?;
    let mut edges = looks.empty;
    edges.extend(task.stage("relative neighbours", || relatives::longer_than_listed(&cloud, limit, task))?);
    let mut loops = Loops::new(task.stage("forest", || Forest::new(n, &edges)));
    if max_dim == 0 {
        loops.alive = 0;
    }
    let all = loops.forest.births.len() as u64;
    task.stage("loops", || loops.reduce(&cloud, &looks.critical, task))?;
    let report = |loops: &Loops| task.at("loops", all - loops.alive as u64, all);
    let longest = cloud.tree.node(cloud.tree.root()).most(cloud.tree.node(cloud.tree.root())).min(limit);
    // What is shorter is nothing beside the longest edges, however short the first ones are.
    let least = longest.length() * LEAST_PART;
    // Longer lists, while they are not too long.
    while loops.alive > 0 && listed < limit {
        report(&loops)?;
        let last = longer(listed, GROWTH, least).min(limit);
        if average(&cloud.tree, last) > reach.most as f64 {
            break;
        }
        check_room(10 * n as u64 * reach.most as u64)?;
        task.stage("neighbours", || cloud.list_up_to(last));
        let looks = task.stage("links", || links::look_at(&cloud, Some(listed), task))?;
        task.stage("loops", || loops.reduce(&cloud, &looks.critical, task))?;
        listed = last;
    }
    // What is on no list.
    let (mut searched, mut looked_at) = (None, 0);
    let mut later: Vec<WideEdge> = Vec::new();
    let mut step = STEP;
    while loops.alive > 0 && searched.unwrap_or(listed) < longest {
        report(&loops)?;
        let from = searched.unwrap_or(listed);
        let upto = longer(from, step, if step == STEP { least } else { 0.0 }).min(longest);
        // The last death may be anywhere in the range, and edges beyond it are looked for in vain:
        // a range with very many is cut.
        let can_cut = step > LEAST_STEP;
        let most = if can_cut { MOST_OPEN } else { most_open() };
        match task.stage("long edges", || long::open_edges(&cloud, (searched, upto), longest, most, task))? {
            Some(open) => later.extend(open),
            None if can_cut => {
                step = step.sqrt();
                continue;
            }
            None => {
                return Err(Error::TooLarge(format!(
                    "more than {most} edges around {} have links that no single point covers, and they do not fit the memory: use a \
                     threshold, or a sample",
                    metric.distance(from)
                )));
            }
        }
        step = (step * step.sqrt()).min(STEP);
        let mut open = later.extract_if(.., |e| e.key <= upto).collect::<Vec<_>>();
        open.par_sort_unstable();
        for some in open.chunks(AT_ONCE) {
            report(&loops)?;
            looked_at += some.len();
            if looked_at > reach.most_looked_at {
                return Ok(None);
            }
            let critical = task.stage("long links", || long::look_at(&cloud, some));
            task.stage("loops", || loops.reduce(&cloud, &critical, task))?;
            if loops.alive == 0 {
                break;
            }
        }
        searched = Some(upto);
    }
    let mut pairs = task.stage("cycles", || loops.pairs(n, cycles));
    pairs.merges.iter_mut().for_each(|e| *e = numbers(&cloud, *e));
    pairs.classes.iter_mut().flatten().for_each(|(birth, death)| {
        *birth = numbers(&cloud, *birth);
        *death = death.map(|e| numbers(&cloud, e));
    });
    for end in pairs.cycles.iter_mut().flat_map(|c| &mut c.2) {
        *end = end.map(|p| cloud.tree.numbers[p as usize]);
        end.sort_unstable();
    }
    pairs.cycles.iter_mut().for_each(|c| c.2.sort_unstable());
    // Points at the same place merge before all others.
    let merges = std::mem::take(&mut pairs.merges);
    pairs.merges = equal.into_iter().map(|(p, q)| WideEdge::new(Key(0), p, q)).chain(merges).collect();
    pairs.classes.truncate(max_dim);
    Ok(Some(pairs))
}

/// A length by some times longer, and at the least this long.
fn longer(key: Key, by: f32, least: f32) -> Key {
    Key((key.length() * by).max(least).to_bits()).max(Key(key.0 + 1))
}

/// Edges that fit the memory that is free, while they are collected and sorted.
fn most_open() -> usize {
    crate::memory::available().map_or(usize::MAX, |free| (free / 36) as usize)
}

/// One point of every place, with its number, and those that are at the place of another one.
type Distinct<const D: usize> = (Vec<([f32; D], u32)>, Vec<(u32, u32)>);

fn distinct<const D: usize>(cloud: &Source<'_>) -> Distinct<D> {
    let point = |i: usize| {
        let p = cloud.point(i);
        // A sum with 0 turns -0 into 0, which is the same place.
        (std::array::from_fn(|k| p.get(k).map_or(0.0, |x| x + 0.0)), i as u32)
    };
    let mut points: Vec<([f32; D], u32)> = (0..cloud.len()).into_par_iter().map(point).collect();
    let bits = |p: &([f32; D], u32)| (p.0.map(f32::to_bits), p.1);
    points.par_sort_unstable_by_key(bits);
    let mut equal = Vec::new();
    points.dedup_by(|p, kept| {
        let same = p.0 == kept.0;
        if same {
            equal.push((p.1, kept.1));
        }
        same
    });
    (points, equal)
}

/// Points whose neighbours are counted.
const SAMPLE: usize = 512;

/// Some of the points, all over the tree.
fn sample<const D: usize>(tree: &Tree<D>) -> impl Iterator<Item = u32> {
    let n = tree.points.len();
    let some = n.min(SAMPLE);
    (0..some).map(move |i| (i * n / some) as u32)
}

/// A length within which points have `few` neighbours in the median; less, where that would be many
/// more on the average, because some of the points lie close together.
fn first_length<const D: usize>(tree: &Tree<D>, few: usize) -> Key {
    let farthest = |p: u32| tree.nearest_few(p, few).first().map_or(Key(0), |f| f.0);
    let mut keys: Vec<Key> = sample(tree).map(farthest).collect();
    keys.sort_unstable();
    let mut at = keys.len() / 2;
    while at > 0 && average(tree, keys[at]) > (4 * few) as f64 {
        at /= 2;
    }
    keys[at]
}

/// How many neighbours points have within a length on the average. Of a point with very many not
/// all are counted.
fn average<const D: usize>(tree: &Tree<D>, within: Key) -> f64 {
    let counts: Vec<usize> = sample(tree).map(|p| tree.count(p, within, MOST_COUNTED)).collect();
    counts.iter().sum::<usize>() as f64 / counts.len() as f64
}

/// Neighbours of a point that are counted.
const MOST_COUNTED: usize = 1 << 16;

/// Refuses what does not fit the memory that is free.
fn check_room(need: u64) -> Result<()> {
    match short_of(need) {
        Some(free) => Err(Error::TooLarge(format!(
            "lists of neighbours of about {:.1} GiB are needed, and {:.1} GiB are free: use a threshold, or fewer points",
            gib(need),
            gib(free)
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::cloud::PointCloud;
    use crate::topology::cpu::cycles::{self, KeyedCycle};
    use crate::topology::cpu::filtration::Filtration;
    use crate::topology::task::Task;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// Bars that have a length: all that does not depend on how ties are broken.
    fn bars(pairs: &NamedPairs) -> (Vec<Key>, Vec<(Key, Option<Key>)>) {
        let keys = pairs.keys();
        let mut merges = keys.merges;
        merges.retain(|&k| k > Key(0));
        let mut loops: Vec<_> = keys.classes.into_iter().flatten().filter(|&(birth, death)| death != Some(birth)).collect();
        merges.sort_unstable();
        loops.sort_unstable();
        (merges, loops)
    }

    fn by_table(source: &Source<'_>, wanted: &Wanted<'_>) -> NamedPairs {
        let f = Filtration::of(source, source.metric(wanted.metric), wanted.threshold, false);
        named::pairs(f, 1, Cycles { count: 3, metric: source.metric(wanted.metric) }, false, wanted.task).unwrap()
    }

    /// Points of one kind or another: anywhere, on a lattice, in clumps, around a hole, on a line.
    fn points(kind: usize, features: usize, n: usize, mut random: impl FnMut() -> f32) -> Vec<f32> {
        let mut points: Vec<f32> = Vec::new();
        for i in 0..n {
            let p: Vec<f32> = match kind {
                0 => (0..features).map(|_| random()).collect(),
                1 => (0..features).map(|_| (5.0 * random()).floor()).collect(),
                2 => (0..features).map(|k| ((i * (k + 1)) % 3) as f32 * 10.0 + 0.01 * random()).collect(),
                3 => {
                    let (turn, far) = (std::f32::consts::TAU * random(), 1.0 + 0.2 * random());
                    let ring = [far * turn.cos(), far * turn.sin(), 0.2 * random()];
                    (0..features).map(|k| ring[k]).collect()
                }
                _ => (0..features).map(|k| if k == 0 { random() } else { 1000.0 }).collect(),
            };
            points.extend(p);
            // Some of them twice.
            if random() < 0.1 {
                let again = (random() * (points.len() / features) as f32) as usize * features;
                points.extend_from_within(again..again + features);
            }
        }
        points
    }

    /// First lists of nothing but lengths that round to 0, and a cloud with a dense part.
    #[test]
    fn close_points_are_no_obstacle() {
        let ring = (0..80).flat_map(|i| {
            let turn = i as f32 * std::f32::consts::TAU / 80.0;
            (0..25).flat_map(move |k| [turn.cos(), turn.sin(), k as f32 * 1e-25])
        });
        let mut state = 1u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        let clump = (0..2400).flat_map(|i| [random(), random(), random()].map(|x| if i % 5 < 2 { 0.5 + 0.001 * x } else { x }));
        for data in [ring.collect::<Vec<f32>>(), clump.collect()] {
            let cloud = PointCloud::new(data.len() / 3, 3, data).unwrap();
            let wanted = Wanted { metric: Metric::Euclidean, threshold: None, max_dim: 1, task: &Task::unwatched() };
            let found = of_points(&Source::from(&cloud), &wanted, Cycles::default(), Reach::default()).unwrap().unwrap();
            assert_eq!(bars(&found), bars(&by_table(&Source::from(&cloud), &wanted)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the reach of the lists, the bars are the table's.
        #[test]
        fn lists_find_the_bars_of_the_table(
            (kind, features, n, seed) in (0usize..5, 1usize..=3, 1usize..240, any::<u64>()),
            (first, most) in (1usize..12, 0usize..24),
            threshold in proptest::option::of(0.0f32..1.5),
            squared: bool,
        ) {
            let mut state = seed | 1;
            let random = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1u64 << 24) as f32
            };
            let data = points(kind, features, n, random);
            let cloud = PointCloud::new(data.len() / features, features, data).unwrap();
            let metric = if squared { Metric::SqEuclidean } else { Metric::Euclidean };
            let wanted = Wanted { metric, threshold, max_dim: 1, task: &Task::unwatched() };
            let reach = Reach { first, most, ..Reach::default() };
            let found = of_points(&Source::from(&cloud), &wanted, Cycles { count: 3, metric }, reach).unwrap().unwrap();
            let table = by_table(&Source::from(&cloud), &wanted);
            prop_assert_eq!(bars(&found), bars(&table));
            cycles::check(&found.cycles, |v, w| Key::of_length(metric.key_of_points(cloud.point(v as usize), cloud.point(w as usize))));
            let lengths = |cycles: &[KeyedCycle]| -> Vec<f32> {
                let length = |c: &KeyedCycle| c.1.map_or(f32::INFINITY, |d| metric.distance(d)) - metric.distance(c.0);
                cycles.iter().map(length).collect()
            };
            prop_assert_eq!(lengths(&found.cycles), lengths(&table.cycles));
        }

        /// A graph's vertices keep their numbers, so all edges are the table's, even where there
        /// are ties.
        #[test]
        fn graphs_have_the_pairs_of_the_table(
            n in 1u32..40,
            edges in prop::collection::vec((any::<u32>(), any::<u32>(), 0u8..9), 0..300),
            threshold in proptest::option::of(0u8..9),
        ) {
            let mut edges: Vec<(u32, u32, f32)> = edges
                .into_iter()
                .map(|(i, j, d)| ((i % n).max(j % n), (i % n).min(j % n), f32::from(d)))
                .filter(|e| e.0 != e.1)
                .collect();
            edges.sort_by_key(|e| (e.0, e.1));
            edges.dedup_by_key(|e| (e.0, e.1));
            let graph = SparseGraph::new(n as usize, edges).unwrap();
            let threshold = threshold.map(f32::from);
            let wanted = Wanted { metric: Metric::Sparse, threshold, max_dim: 1, task: &Task::unwatched() };
            let found = of_graph(&graph, &wanted, Cycles { count: 3, metric: Metric::Sparse }).unwrap();
            let table = by_table(&Source::Edges(&graph), &wanted);
            prop_assert_eq!(found.merges, table.merges);
            // The table ends at the enclosing radius; so many edges as that make a cone.
            prop_assert_eq!(found.classes, table.classes);
            let of = |cycles: &[KeyedCycle]| cycles.iter().map(|c| (c.0, c.1)).collect::<Vec<_>>();
            prop_assert_eq!(of(&found.cycles), of(&table.cycles));
            let keys: HashMap<(u32, u32), f32> = graph.edges().iter().map(|&(i, j, d)| ((j, i), d)).collect();
            cycles::check(&found.cycles, |v, w| Key::of_length(keys[&(v, w)]));
        }

        /// No point of the lune is as far from a point that covers it as the edge is long.
        #[test]
        fn what_covers_a_lune_is_close_to_all_of_it(
            a in prop::array::uniform3(-1.0f32..1.0), b in prop::array::uniform3(-1.0f32..1.0),
            (t, off) in (0.0f32..1.0, prop::array::uniform3(-0.15f32..0.15)),
            others in prop::collection::vec(prop::array::uniform3(-1.0f32..1.0), 200),
        ) {
            let r = tree::key(&a, &b);
            let size = r.length().sqrt();
            let z: [f32; 3] = std::array::from_fn(|k| a[k] + t * (b[k] - a[k]) + off[k] * size);
            if Cloud::<3>::covers(r, tree::key(&a, &z), tree::key(&b, &z)) {
                for p in others {
                    // Close to the rim of the lune as well as inside.
                    for far in [0.5f32, 0.866, 0.9, 1.0] {
                        let p: [f32; 3] = std::array::from_fn(|k| (a[k] + b[k]) / 2.0 + p[k] * far * size);
                        if tree::key(&a, &p) <= r && tree::key(&b, &p) <= r {
                            prop_assert!(tree::key(&z, &p) < r);
                        }
                    }
                }
            }
        }
    }
}
