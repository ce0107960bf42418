//! Pairs with the edges that make them, in dimensions 0 to 2.

use super::cycles::{self, KeyedCycle};
use super::filtration::Filtration;
use super::loops::Loops;
use super::neighbours::{Forest, nearest, relative_neighbours, union};
use super::voids;
use crate::error::Result;
use crate::topology::barcode::Pairs;
use crate::topology::cloud::SparseGraph;
use crate::topology::metric::Metric;
use crate::topology::order::{Edge, Key, Rank};
use crate::topology::task::Task;
use rayon::prelude::*;

/// An edge that merges two components. A graph may have more vertices than the name of an
/// [`Edge`] has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Merge {
    /// Its length.
    pub key: Key,
    /// Its ends, the larger number first.
    pub ends: (u32, u32),
}

impl From<Edge> for Merge {
    fn from(edge: Edge) -> Self {
        let (i, j) = edge.name().ends();
        Self { key: edge.key(), ends: (i as u32, j as u32) }
    }
}

/// What [`Pairs`] holds, with edges in the place of keys. A class of dimension 2 is born with a
/// triangle and dies with a tetrahedron; their longest edges stand for them.
pub(crate) struct NamedPairs {
    /// Edges that merge components, ascending.
    pub merges: Vec<Merge>,
    /// Birth and death of every class of dimensions 1 and 2; `None` never dies.
    pub classes: Vec<Vec<(Edge, Option<Edge>)>>,
    /// The cycles that were asked for.
    pub cycles: Vec<KeyedCycle>,
}

impl NamedPairs {
    /// The keys alone.
    pub fn keys(&self) -> Pairs {
        let keys = |class: &(Edge, Option<Edge>)| (class.0.key(), class.1.map(Edge::key));
        Pairs {
            merges: self.merges.iter().map(|m| m.key).collect(),
            classes: self.classes.iter().map(|classes| classes.iter().map(keys).collect()).collect(),
        }
    }
}

/// Which cycles are wanted.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cycles {
    /// Of how many longest bars of dimension 1.
    pub count: usize,
    /// What the keys mean, which says how long a bar is.
    pub metric: Metric,
}

/// The pairs of dimension 0 of a graph, by Kruskal's algorithm: memory for its edges, and no table.
pub(crate) fn forest(graph: &SparseGraph, threshold: Option<f32>) -> NamedPairs {
    let limit = threshold.map_or(Key::MAX, |t| Metric::Sparse.threshold_key(t));
    let edge = |&(i, j, d): &(u32, u32, f32)| Merge { key: Key::of_length(d), ends: (i, j) };
    let mut merges: Vec<Merge> = graph.edges().iter().map(edge).filter(|e| e.key <= limit).collect();
    merges.par_sort_unstable();
    let mut parent: Vec<u32> = (0..graph.len() as u32).collect();
    merges.retain(|e| union(&mut parent, (e.ends.0 as usize, e.ends.1 as usize)));
    merges.shrink_to_fit();
    NamedPairs { merges, classes: Vec::new(), cycles: Vec::new() }
}

/// The pairs of dimensions 0 to `max_dim`, at most 2, and the cycles of the longest bars of
/// dimension 1, if any are asked for.
///
/// # Errors
/// [`crate::Error::Interrupted`] when the task is cancelled.
pub(crate) fn pairs(mut f: Filtration, max_dim: usize, wanted: Cycles, parallel: bool, task: &Task<'_>) -> Result<NamedPairs> {
    let near = task.stage("nearest", || nearest(&f, parallel));
    let graph = task.stage("relative neighbours", || relative_neighbours(&f, &near, parallel));
    let forest = task.stage("forest", || Forest::new(f.n, graph));
    let merges = forest.merges().map(Merge::from).collect();
    let mut pairs = NamedPairs { merges, classes: Vec::new(), cycles: Vec::new() };
    if max_dim == 0 {
        return Ok(pairs);
    }
    let loops = Loops::of(&mut f, &near, forest, max_dim > 1, parallel, task)?;
    let births = loops.forest.births().into_iter();
    let named = |(birth, killer): (Edge, &Option<u32>)| (birth, killer.map(|rank| f.edge(rank)));
    pairs.classes.push(births.zip(&loops.columns.killer).map(named).collect());
    if wanted.count > 0 {
        pairs.cycles = task.stage("cycles", || cycles::longest(&f, &loops, wanted.count, wanted.metric));
    }
    if max_dim > 1 {
        let links = voids::Links { critical: &loops.critical, killed: &loops.killed, open: &loops.open };
        let ranks = voids::ranks(&f, &near, links, parallel, task)?;
        let edge = |rank: Rank| f.edge(rank);
        pairs.classes.push(ranks.into_iter().map(|(birth, death)| (edge(birth), death.map(edge))).collect());
    }
    Ok(pairs)
}
