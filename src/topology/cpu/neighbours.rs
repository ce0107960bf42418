//! The relative neighbourhood graph: the edges whose lune is empty, the only ones that change
//! components or open loops.
//!
//! An edge is in it if no point is closer to both of its ends than it is long, ties broken by
//! index. Nearly every other edge shows a point of its lune among the few nearest neighbours of its
//! ends, for whole rows of the table at once; only what is left looks at all points. Nothing here
//! needs a rank, so nothing here needs the edges sorted.

use super::table::Table;
use crate::simd::wide;
use crate::topology::order::{Edge, EdgeName};
use rayon::prelude::*;

/// Nearest neighbours that are kept for every point.
pub(super) const NEAR: usize = 8;

/// The nearest neighbours of every point, nearest first; where there are fewer, the point itself.
pub(super) type Near = Vec<[u32; NEAR]>;

/// Finds the nearest neighbours of all points.
pub(super) fn nearest<T: Table>(table: &T, parallel: bool) -> Near {
    nearest_few(table, parallel)
}

/// Finds the `K` nearest neighbours of all points, nearest first; where there are fewer, the point
/// itself.
pub(super) fn nearest_few<const K: usize, T: Table>(table: &T, parallel: bool) -> Vec<[u32; K]> {
    let one = |i: usize| wide!(nearest_of_row::<K, T>(table.row(i), i as u32));
    let n = table.len();
    if parallel { (0..n).into_par_iter().with_min_len(16).map(one).collect() } else { (0..n).map(one).collect() }
}

#[inline(always)]
fn nearest_of_row<const K: usize, T: Table>(row: &[T::Entry], i: u32) -> [u32; K] {
    let mut near = [(T::NO_PAIR, i); K];
    for (block, entries) in row.chunks(16).enumerate() {
        let worst = near[K - 1].0;
        if !entries.iter().fold(false, |any, &x| any | (x < worst)) {
            continue;
        }
        for (at, &x) in entries.iter().enumerate() {
            if x < near[K - 1].0 {
                let mut place = K - 1;
                while place > 0 && x < near[place - 1].0 {
                    near[place] = near[place - 1];
                    place -= 1;
                }
                near[place] = (x, (16 * block + at) as u32);
            }
        }
    }
    near.map(|(_, j)| j)
}

/// The edges with an empty lune, in filtration order. `near` holds some near points of every point.
pub(super) fn relative_neighbours<const K: usize, T: Table>(table: &T, near: &[[u32; K]], parallel: bool) -> Vec<Edge> {
    let of_row = |best: &mut Vec<T::Entry>, i: usize| {
        let mut found = Vec::new();
        wide!(of_row(table, near, i, best, &mut found));
        found
    };
    let mut graph: Vec<Edge> = if parallel {
        // Long rows first: they are the last in order.
        (0..table.len()).into_par_iter().with_min_len(8).map_init(Vec::new, of_row).flatten_iter().collect()
    } else {
        let mut best = Vec::new();
        (0..table.len()).flat_map(|i| of_row(&mut best, i)).collect()
    };
    graph.sort_unstable();
    graph
}

/// The edges from `i` to lower points. `best` is working memory.
#[inline(always)]
fn of_row<const K: usize, T: Table>(table: &T, near: &[[u32; K]], i: usize, best: &mut Vec<T::Entry>, found: &mut Vec<Edge>) {
    let (row, limit) = (&table.row(i)[..i], table.limit());
    best.clear();
    best.resize(i, T::NO_PAIR);
    for &c in &near[i][..NEAR.min(K)] {
        let to_c = table.row(i)[c as usize];
        for (best, &x) in best.iter_mut().zip(table.row(c as usize)) {
            *best = (*best).min(x.max(to_c));
        }
    }
    for (block, (entries, best)) in row.chunks(32).zip(best.chunks(32)).enumerate() {
        let mut mask = 0u32;
        for (at, (&x, &b)) in entries.iter().zip(best).enumerate() {
            mask |= u32::from((x <= limit) & (b >= x)) << at;
        }
        while mask != 0 {
            let j = 32 * block + mask.trailing_zeros() as usize;
            mask &= mask - 1;
            let seen = near[j].iter().any(|&c| table.row(j)[c as usize].max(table.row(i)[c as usize]) < row[j]);
            if !seen && lune_is_empty(table, i, j) {
                found.push(Edge::new(table.key(i, j), EdgeName::new(i, j)));
            }
        }
    }
}

/// Whether no point has shorter edges to both of `i` and `j` than `(i, j)` is, by the definition.
#[inline(always)]
fn lune_is_empty<T: Table>(table: &T, i: usize, j: usize) -> bool {
    let (a, b) = (table.row(i), table.row(j));
    let entry = a[j];
    let shorter = |p: usize, q: usize, x: T::Entry| x < entry || (x == entry && table.before_its_equal((p, q), (i, j)));
    let mut ties = Vec::new();
    for (chunk, (x, y)) in a.chunks(CHUNK).zip(b.chunks(CHUNK)).enumerate() {
        let longer = || x.iter().zip(y).map(|(&x, &y)| x.max(y));
        if longer().fold(false, |hit, l| hit | (l < entry)) {
            return false;
        }
        if longer().fold(false, |hit, l| hit | (l == entry)) {
            ties.push(chunk * CHUNK);
        }
    }
    let tied = ties.into_iter().flat_map(|first| first..a.len().min(first + CHUNK));
    !tied.into_iter().any(|z| shorter(i, z, a[z]) && shorter(j, z, b[z]))
}

/// Points that are looked at in one step.
const CHUNK: usize = 64;

/// What the edges of the relative neighbourhood graph do.
pub(super) struct Forest {
    /// The edges, in order.
    pub edges: Vec<Edge>,
    /// For each of them the number of the loop that it opens; `None`: it merges two components.
    pub opens: Vec<Option<u32>>,
    /// Number of loops.
    pub loops: usize,
}

impl Forest {
    /// Kruskal's algorithm. The minimum spanning forest is part of the relative neighbourhood
    /// graph.
    pub fn new(n: usize, edges: Vec<Edge>) -> Self {
        let mut parent: Vec<u32> = (0..n as u32).collect();
        let mut loops = 0;
        let opens = edges.iter().map(|&e| {
            if union(&mut parent, e.name().ends()) {
                return None;
            }
            loops += 1;
            Some(loops - 1)
        });
        let opens = opens.collect();
        Self { edges, opens, loops: loops as usize }
    }

    /// The edges that merge components, in order.
    pub fn merges(&self) -> impl Iterator<Item = Edge> + '_ {
        self.edges.iter().zip(&self.opens).filter(|(_, o)| o.is_none()).map(|(&e, _)| e)
    }

    /// The loop-opening edges, in order.
    pub fn births(&self) -> Vec<Edge> {
        self.edges.iter().zip(&self.opens).filter(|(_, o)| o.is_some()).map(|(&e, _)| e).collect()
    }
}

/// Joins the components of the two ends; false if they were one already.
pub(super) fn union(parent: &mut [u32], (a, b): (usize, usize)) -> bool {
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
    use super::*;
    use crate::topology::cloud::{Cloud, DistanceMatrix};
    use crate::topology::cpu::filtration::Filtration;
    use crate::topology::metric::Metric;
    use crate::topology::order::Key;
    use crate::topology::source::Source;
    use proptest::prelude::*;

    proptest! {
        /// By the definition, with many ties and with none.
        #[test]
        fn the_graph_is_its_definition(lower in prop::collection::vec(0u16..5000, 630..=630), coarse in 1u16..2500, parallel: bool) {
            let lower = lower.iter().map(|&d| f32::from(d / coarse)).collect();
            let cloud: Cloud = DistanceMatrix::from_lower(36, lower).unwrap().into();
            let f = Filtration::of(&Source::from(&cloud), Metric::Precomputed, None, false);
            let order = |p: usize, q: usize| (f.row(p)[q], p.max(q), p.min(q));
            let mut want = Vec::new();
            for i in 1..36 {
                for j in (0..i).filter(|&j| f.row(i)[j] <= f.limit) {
                    let other = |z: &usize| *z != i && *z != j;
                    if !(0..36).filter(other).any(|z| order(i, z) < order(i, j) && order(j, z) < order(i, j)) {
                        want.push(Edge::new(Key::of_entry(f.row(i)[j]), EdgeName::new(i, j)));
                    }
                }
            }
            want.sort_unstable();
            prop_assert_eq!(relative_neighbours(&f, &nearest(&f, parallel), parallel), want);
        }
    }
}
