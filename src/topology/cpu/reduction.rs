//! From the lunes to the pairs: which edge kills which loop.
//!
//! Only critical triangles need a column: `{e, root}` for every component of the link of `e` but the first. Its boundary,
//! together with that of `{e, apex}`, is a chain of four edges. An edge with an empty lune is either in the minimum
//! spanning forest, where it bounds nothing and is dropped, or it opens a loop and stays. Every other edge `{x, y}` with
//! apex `z` equals `{x, z} + {y, z}` up to a boundary, so a column becomes a set of loop-opening edges: a short row of
//! bits. Those rows are reduced left to right, with the youngest loop as the pivot.

use super::Filtration;
use super::lunes::{self, Adjacency, Scratch};
use crate::topology::barcode::Pairs;
use rayon::prelude::*;
use std::collections::BinaryHeap;

/// What an edge does when it enters; a number below [`LOOP`] is the apex of its lune.
type Role = u32;
/// Its lune has points, which have not been looked at yet.
const UNSEEN: Role = u32::MAX;
/// It merges two components.
const MERGE: Role = u32::MAX - 1;
/// It opens the loop of number `role - LOOP`.
const LOOP: Role = 1 << 31;

/// Edges per block when all threads work on one cloud: their adjacency is frozen while they are looked at.
const BLOCK: usize = 2048;

impl Filtration {
    /// The pairs of dimension 0, and of dimension 1 if `max_dim` is 1.
    pub(crate) fn pairs(&self, max_dim: usize, parallel: bool) -> Pairs {
        let (mut roles, mut pairs, births) = self.merges_and_births(max_dim, parallel);
        if max_dim == 0 {
            return pairs;
        }
        let mut columns = Columns::new(births.len());
        let mut adjacency = Adjacency::new(self.n);
        let mut scratch = Scratch::default();
        let block = if parallel { BLOCK } else { 1 };
        let mut start = 0;
        // Once every loop has died the rest of the edges can only open and close voids.
        while start < self.edges.len() && columns.deaths < births.len() {
            let end = (start + block).min(self.edges.len());
            if parallel {
                self.reduce_block(start..end, &mut roles, &adjacency, &mut columns);
            } else if roles[start] == UNSEEN {
                lunes::components(self, &adjacency, start, start, &mut scratch);
                roles[start] = scratch.roots[0];
                for &root in &scratch.roots[1..] {
                    let column = self.expand(&roles, start, root, births.len(), &mut columns.heap);
                    columns.reduce(start, column);
                }
            }
            for rank in start..end {
                adjacency.insert(self.ends(rank));
            }
            start = end;
        }
        pairs.loops = births
            .iter()
            .zip(&columns.killer)
            .map(|(&birth, &killer)| (self.keys[birth as usize], killer.map(|r| self.keys[r as usize])))
            .collect();
        pairs
    }

    /// Tests every lune for emptiness, then runs Kruskal over the edges with an empty one (the relative neighbourhood
    /// graph). Gives each edge's role, the merges, and the ranks of the edges that open loops.
    fn merges_and_births(&self, max_dim: usize, parallel: bool) -> (Vec<Role>, Pairs, Vec<u32>) {
        let m = self.edges.len();
        let mut pairs = Pairs::default();
        let mut births = Vec::new();
        let mut parent: Vec<u32> = (0..self.n as u32).collect();
        if max_dim == 0 {
            for rank in 0..m {
                if pairs.merges.len() + 1 == self.n {
                    break;
                }
                if union(&mut parent, self.ends(rank)) {
                    pairs.merges.push(self.keys[rank]);
                }
            }
            return (Vec::new(), pairs, births);
        }
        let empty: Vec<bool> = if parallel {
            (0..m).into_par_iter().with_min_len(256).map(|rank| lunes::is_empty(self, rank)).collect()
        } else {
            (0..m).map(|rank| lunes::is_empty(self, rank)).collect()
        };
        let mut roles = vec![UNSEEN; m];
        for rank in (0..m).filter(|&rank| empty[rank]) {
            if union(&mut parent, self.ends(rank)) {
                roles[rank] = MERGE;
                pairs.merges.push(self.keys[rank]);
            } else {
                roles[rank] = LOOP + births.len() as u32;
                births.push(rank as u32);
            }
        }
        (roles, pairs, births)
    }

    /// Looks at a block of edges with all threads, then reduces its columns in order.
    fn reduce_block(&self, block: std::ops::Range<usize>, roles: &mut [Role], adjacency: &Adjacency, columns: &mut Columns) {
        let known = block.start;
        let seen: Vec<(usize, Vec<u32>)> = block
            .into_par_iter()
            .with_min_len(16)
            .filter(|&rank| roles[rank] == UNSEEN)
            .map_init(Scratch::default, |s, rank| {
                lunes::components(self, adjacency, known, rank, s);
                (rank, s.roots.clone())
            })
            .collect();
        for (rank, roots) in &seen {
            roles[*rank] = roots[0];
        }
        let critical: Vec<(usize, u32)> =
            seen.iter().flat_map(|(rank, roots)| roots[1..].iter().map(move |&root| (*rank, root))).collect();
        let roles = &*roles;
        let births = columns.killer.len();
        let expanded: Vec<Vec<u64>> = critical
            .par_iter()
            .with_min_len(8)
            .map_init(BinaryHeap::new, |heap, &(rank, root)| self.expand(roles, rank, root, births, heap))
            .collect();
        for ((rank, _), column) in critical.into_iter().zip(expanded) {
            columns.reduce(rank, column);
        }
    }

    /// The critical triangle `{e, root}` as a set of loop-opening edges. Twin of `shaders/columns.wgsl`.
    fn expand(&self, roles: &[Role], rank: usize, root: u32, births: usize, heap: &mut BinaryHeap<u32>) -> Vec<u64> {
        let mut column = vec![0u64; births.div_ceil(64)];
        let (a, b) = self.ends(rank);
        let mut add = |v: usize, w: u32, heap: &mut BinaryHeap<u32>| {
            let edge = self.ranks[v * self.n + w as usize];
            match roles[edge as usize] {
                MERGE => {}
                role if role < LOOP => heap.push(edge),
                role => column[(role - LOOP) as usize / 64] ^= 1 << ((role - LOOP) % 64),
            }
        };
        heap.clear();
        for (v, w) in [(a, roles[rank]), (b, roles[rank]), (a, root), (b, root)] {
            add(v, w, heap);
        }
        while let Some(edge) = heap.pop() {
            if heap.peek() == Some(&edge) {
                heap.pop();
                continue;
            }
            let (x, y) = self.ends(edge as usize);
            let apex = roles[edge as usize];
            add(x, apex, heap);
            add(y, apex, heap);
        }
        column
    }
}

/// Reduced columns over the loops, one per loop that has died.
struct Columns {
    /// `killer[l]`: rank of the edge that killed loop `l`.
    killer: Vec<Option<u32>>,
    /// `reduced[l]`: the column with pivot `l`, without its words above the pivot.
    reduced: Vec<Vec<u64>>,
    deaths: usize,
    heap: BinaryHeap<u32>,
}

impl Columns {
    fn new(births: usize) -> Self {
        Self { killer: vec![None; births], reduced: vec![Vec::new(); births], deaths: 0, heap: BinaryHeap::new() }
    }

    /// Adds earlier columns until the youngest loop is one that is still alive, and kills it; or until nothing is
    /// left, and the edge opens a void instead.
    fn reduce(&mut self, rank: usize, mut column: Vec<u64>) {
        while let Some(word) = column.iter().rposition(|&w| w != 0) {
            column.truncate(word + 1);
            let pivot = word * 64 + 63 - column[word].leading_zeros() as usize;
            if self.killer[pivot].is_none() {
                self.killer[pivot] = Some(rank as u32);
                self.reduced[pivot] = column;
                self.deaths += 1;
                return;
            }
            for (x, y) in column.iter_mut().zip(&self.reduced[pivot]) {
                *x ^= y;
            }
        }
    }
}

/// Joins the components of the two ends; false if they were one already.
fn union(parent: &mut [u32], (a, b): (usize, usize)) -> bool {
    fn find(parent: &mut [u32], mut v: u32) -> u32 {
        while parent[v as usize] != v {
            parent[v as usize] = parent[parent[v as usize] as usize];
            v = parent[v as usize];
        }
        v
    }
    let (a, b) = (find(parent, a as u32), find(parent, b as u32));
    parent[a as usize] = b;
    a != b
}

#[cfg(test)]
mod tests {
    use crate::topology::cloud::{Cloud, DistanceMatrix};
    use crate::topology::cpu::{Filtration, Source, key_table};
    use crate::topology::metric::Metric;
    use proptest::prelude::*;

    proptest! {
        /// Blocks with a frozen adjacency and one edge at a time are the same computation.
        #[test]
        fn parallel_equals_serial(lower in proptest::collection::vec(0u8..12, 45..=45)) {
            let lower = lower.into_iter().map(f32::from).collect();
            let cloud: Cloud = DistanceMatrix::from_lower(10, lower).unwrap().into();
            let table = key_table(&Source::Cloud(&cloud), Metric::Precomputed, false);
            let f = Filtration::new(10, table, Metric::Precomputed, Some(100.0));
            prop_assert_eq!(f.pairs(1, true), f.pairs(1, false));
        }
    }
}
