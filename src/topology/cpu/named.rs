//! Pairs with the edges that make them, in dimensions 0 to 2.

use super::filtration::{Filtration, ends_of};
use super::loops::Loops;
use super::neighbours::{Forest, nearest, relative_neighbours};
use super::voids;
use crate::error::Result;
use crate::topology::barcode::Pairs;
use crate::topology::task::Task;

/// An edge by its ends, with the key of its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// Key of its length.
    pub key: u32,
    /// Its ends as `i << 16 | j`, `i > j`.
    pub name: u32,
}

impl Edge {
    fn of_rank(f: &Filtration, rank: u32) -> Self {
        Self { key: f.keys[rank as usize], name: f.edges[rank as usize] }
    }

    /// Of `key << 32 | i << 16 | j`.
    fn of_word(word: u64) -> Self {
        Self { key: (word >> 32) as u32, name: word as u32 }
    }

    /// Its ends, the smaller first.
    pub fn ends(self) -> [u32; 2] {
        let (i, j) = ends_of(self.name);
        [j as u32, i as u32]
    }
}

/// What [`Pairs`] holds, with edges in the place of keys. A class of dimension 2 is born with a
/// triangle and dies with a tetrahedron; their longest edges stand for them.
pub(crate) struct NamedPairs {
    /// Edges that merge components, ascending.
    pub merges: Vec<Edge>,
    /// Birth and death of every class of dimensions 1 and 2; `None` never dies.
    pub classes: Vec<Vec<(Edge, Option<Edge>)>>,
}

impl NamedPairs {
    /// The keys alone.
    pub fn keys(&self) -> Pairs {
        let keys = |class: &(Edge, Option<Edge>)| (class.0.key, class.1.map(|e| e.key));
        Pairs {
            merges: self.merges.iter().map(|e| e.key).collect(),
            classes: self.classes.iter().map(|classes| classes.iter().map(keys).collect()).collect(),
        }
    }
}

/// The pairs of dimensions 0 to `max_dim`, at most 2.
///
/// # Errors
/// [`crate::Error::Interrupted`] when the task is cancelled.
pub(crate) fn pairs(mut f: Filtration, max_dim: usize, parallel: bool, task: &Task<'_>) -> Result<NamedPairs> {
    let near = task.stage("nearest", || nearest(&f, parallel));
    let graph = task.stage("relative neighbours", || relative_neighbours(&f, &near, parallel));
    let forest = task.stage("forest", || Forest::new(f.n, graph));
    let merges = forest.merges().map(Edge::of_word).collect();
    let mut pairs = NamedPairs { merges, classes: Vec::new() };
    if max_dim == 0 {
        return Ok(pairs);
    }
    let loops = Loops::of(&mut f, &near, forest, max_dim > 1, parallel, task)?;
    let births = loops.forest.births().into_iter().map(Edge::of_word);
    let named = |(birth, killer): (Edge, &Option<u32>)| (birth, killer.map(|rank| Edge::of_rank(&f, rank)));
    pairs.classes.push(births.zip(&loops.columns.killer).map(named).collect());
    if max_dim > 1 {
        let links = voids::Links { critical: &loops.critical, killed: &loops.killed, open: &loops.open };
        let ranks = voids::ranks(&f, &near, links, parallel, task)?;
        let edge = |rank| Edge::of_rank(&f, rank);
        pairs.classes.push(ranks.into_iter().map(|(birth, death)| (edge(birth), death.map(edge))).collect());
    }
    Ok(pairs)
}
