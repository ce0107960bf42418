//! Pairs with the edges that make them, in dimensions 0 to 2.

use super::cycles::{self, Cycles, KeyedCycle, Reduced};
use super::filtration::Filtration;
use super::loops::Loops;
use super::neighbours::{Forest, nearest, relative_neighbours, union};
use super::voids;
use crate::error::Result;
use crate::topology::barcode::Pairs;
use crate::topology::cloud::SparseGraph;
use crate::topology::metric::Metric;
use crate::topology::order::{Key, Rank, WideEdge};
use crate::topology::task::Task;
use rayon::prelude::*;

/// What [`Pairs`] holds, with edges in the place of keys. A class of dimension 2 is born with a
/// triangle and dies with a tetrahedron; their longest edges stand for them.
pub(crate) struct NamedPairs {
    /// Edges that merge components, ascending.
    pub merges: Vec<WideEdge>,
    /// Birth and death of every class of dimensions 1 and 2; `None` never dies.
    pub classes: Vec<Vec<(WideEdge, Option<WideEdge>)>>,
    /// The cycles that were asked for.
    pub cycles: Vec<KeyedCycle>,
}

impl NamedPairs {
    /// The keys alone.
    pub fn keys(&self) -> Pairs {
        let keys = |class: &(WideEdge, Option<WideEdge>)| (class.0.key, class.1.map(|e| e.key));
        Pairs {
            merges: self.merges.iter().map(|m| m.key).collect(),
            classes: self.classes.iter().map(|classes| classes.iter().map(keys).collect()).collect(),
        }
    }
}

/// The pairs of dimension 0 of a graph, by Kruskal's algorithm: memory for its edges, and no table.
pub(crate) fn forest(graph: &SparseGraph, threshold: Option<f32>) -> NamedPairs {
    let limit = threshold.map_or(Key::MAX, |t| Metric::Sparse.threshold_key(t));
    let edge = |&(i, j, d): &(u32, u32, f32)| WideEdge { key: Key::of_length(d), ends: (i, j) };
    let mut merges: Vec<WideEdge> = graph.edges().iter().map(edge).filter(|e| e.key <= limit).collect();
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
    let merges = forest.merges().map(WideEdge::from).collect();
    let mut pairs = NamedPairs { merges, classes: Vec::new(), cycles: Vec::new() };
    if max_dim == 0 {
        return Ok(pairs);
    }
    let loops = Loops::of(&mut f, &near, forest, max_dim > 1, parallel, task)?;
    let births: Vec<WideEdge> = loops.forest.births().into_iter().map(WideEdge::from).collect();
    let deaths: Vec<Option<WideEdge>> = loops.columns.killer.iter().map(|k| k.map(|rank| f.edge(rank).into())).collect();
    pairs.cycles = task.stage("cycles", || {
        let column = |class: usize| loops.columns.column(class);
        let reduced = Reduced {
            n: f.n,
            merges: &pairs.merges,
            births: &births,
            deaths: deaths.iter().map(|d| d.map(|e| e.key)).collect(),
            members: |class| (0..=class).filter(|&l| column(class)[l / 64] >> (l % 64) & 1 == 1).collect(),
        };
        cycles::longest(reduced, wanted)
    });
    pairs.classes.push(births.into_iter().zip(deaths).collect());
    if max_dim > 1 {
        let links = voids::Links { critical: &loops.critical, killed: &loops.killed, open: &loops.open };
        let ranks = voids::ranks(&f, &near, links, parallel, task)?;
        let edge = |rank: Rank| WideEdge::from(f.edge(rank));
        pairs.classes.push(ranks.into_iter().map(|(birth, death)| (edge(birth), death.map(edge))).collect());
    }
    Ok(pairs)
}
