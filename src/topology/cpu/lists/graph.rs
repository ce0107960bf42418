//! A weighted graph as lists of neighbours: memory for its edges.

use super::space::{Neighbour, Space, before};
use crate::topology::cloud::SparseGraph;
use crate::topology::cpu::both_ends::BothEnds;
use crate::topology::cpu::lunes::Lunes;
use crate::topology::order::{Key, WideEdge};
use rayon::prelude::*;

/// The edges of a graph up to a length, at both of their ends, by the number of the other end.
pub(super) struct Lists(BothEnds<Neighbour>);

impl Lists {
    /// Bytes that this takes for a graph.
    pub fn bytes(vertices: usize, edges: usize) -> u64 {
        (40 + 4 * rayon::current_num_threads() as u64) * vertices as u64 + 16 * edges as u64
    }

    pub fn of(graph: &SparseGraph, limit: Key) -> Self {
        let edges = graph.edges().iter().map(|&(i, j, d)| ((i, j), Key::of_length(d))).filter(|e| e.1 <= limit);
        let mut near = BothEnds::new(graph.len(), edges, |to, key| Neighbour::new(key, to));
        near.all_mut().into_par_iter().for_each(|list| list.sort_unstable_by_key(|n| n.point()));
        Self(near)
    }
}

impl Lunes for Lists {
    #[inline(always)]
    fn key(&self, p: u32, q: u32) -> Key {
        let (list, other) = self.0.at_fewer(p, q);
        list.binary_search_by_key(&other, |n| n.point()).map_or(Key::NO_EDGE, |at| list[at].key())
    }

    fn apex(&self, edge: WideEdge) -> Option<u32> {
        let (mut x, mut y) = edge.ends;
        if self.list(x).len() > self.list(y).len() {
            (x, y) = (y, x);
        }
        let longer = |n: &Neighbour| {
            let other = self.key(y, n.point());
            let inside = before(n.key(), x, n.point(), &edge) && before(other, y, n.point(), &edge);
            inside.then(|| (n.key().max(other), n.point()))
        };
        self.list(x).iter().filter_map(longer).min().map(|(_, z)| z)
    }
}

impl Space for Lists {
    const ASCENDING: bool = false;

    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn list(&self, point: u32) -> &[Neighbour] {
        self.0.at(point)
    }

    #[inline(always)]
    fn covers(_: Key, _: Key, _: Key) -> bool {
        false
    }
}
