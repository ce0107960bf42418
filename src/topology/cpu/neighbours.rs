//! The relative neighbourhood graph: the edges whose lune is empty, the only ones that change
//! components or open loops.
//!
//! An edge is in it if no point is closer to both of its ends than it is long, ties broken by
//! index. Nearly every other edge shows a point of its lune among the few nearest neighbours of its
//! ends, for whole rows of the table at once; only what is left looks at all points. Nothing here
//! needs a rank, so nothing here needs the edges sorted.

use super::filtration::Filtration;
use crate::simd::wide;
use crate::topology::order::{Edge, EdgeName, Key, NO_PAIR};
use rayon::prelude::*;

/// Nearest neighbours that are kept for every point.
pub(super) const NEAR: usize = 8;

/// The nearest neighbours of every point, nearest first; where there are fewer, the point itself.
pub(super) type Near = Vec<[u32; NEAR]>;

/// Finds the nearest neighbours of all points.
pub(super) fn nearest(f: &Filtration, parallel: bool) -> Near {
    let one = |i: usize| wide(|| nearest_of_row(f.row(i), i as u32));
    if parallel { (0..f.n).into_par_iter().with_min_len(16).map(one).collect() } else { (0..f.n).map(one).collect() }
}

#[inline(always)]
fn nearest_of_row(row: &[i32], i: u32) -> [u32; NEAR] {
    let mut near = [(NO_PAIR, i); NEAR];
    for (block, entries) in row.chunks(16).enumerate() {
        let worst = near[NEAR - 1].0;
        if !entries.iter().fold(false, |any, &x| any | (x < worst)) {
            continue;
        }
        for (at, &x) in entries.iter().enumerate() {
            if x < near[NEAR - 1].0 {
                let mut place = NEAR - 1;
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

/// The edges with an empty lune, in filtration order. The table must hold keys, not ranks.
pub(super) fn relative_neighbours(f: &Filtration, near: &Near, parallel: bool) -> Vec<Edge> {
    let of_row = |best: &mut Vec<i32>, i: usize| {
        let mut found = Vec::new();
        wide(|| of_row(f, near, i, best, &mut found));
        found
    };
    let mut graph: Vec<Edge> = if parallel {
        // Long rows first: they are the last in order.
        (0..f.n).into_par_iter().with_min_len(8).map_init(Vec::new, of_row).flatten_iter().collect()
    } else {
        let mut best = Vec::new();
        (0..f.n).flat_map(|i| of_row(&mut best, i)).collect()
    };
    graph.sort_unstable();
    graph
}

/// The edges from `i` to lower points. `best` is working memory.
#[inline(always)]
fn of_row(f: &Filtration, near: &Near, i: usize, best: &mut Vec<i32>, found: &mut Vec<Edge>) {
    let row = &f.row(i)[..i];
    best.clear();
    best.resize(i, NO_PAIR);
    for &c in &near[i] {
        let to_c = f.row(i)[c as usize];
        for (best, &x) in best.iter_mut().zip(f.row(c as usize)) {
            *best = (*best).min(x.max(to_c));
        }
    }
    for (block, (keys, best)) in row.chunks(32).zip(best.chunks(32)).enumerate() {
        let mut mask = 0u32;
        for (at, (&k, &b)) in keys.iter().zip(best).enumerate() {
            mask |= u32::from((k <= f.limit) & (b >= k)) << at;
        }
        while mask != 0 {
            let j = 32 * block + mask.trailing_zeros() as usize;
            mask &= mask - 1;
            let key = row[j];
            let seen = near[j].iter().any(|&c| f.row(j)[c as usize].max(f.row(i)[c as usize]) < key);
            if !seen && lune_is_empty(f, i, j) {
                found.push(Edge::new(Key(key as u32), EdgeName::new(i, j)));
            }
        }
    }
}

/// Whether no point has shorter edges to both of `i > j` than `(i, j)` is, by the definition.
#[inline(always)]
fn lune_is_empty(f: &Filtration, i: usize, j: usize) -> bool {
    let (a, b) = (f.row(i), f.row(j));
    let key = a[j];
    let mut ties = false;
    for (x, y) in a.chunks(64).zip(b.chunks(64)) {
        let longer = || x.iter().zip(y).map(|(&x, &y)| x.max(y));
        if longer().fold(false, |hit, l| hit | (l < key)) {
            return false;
        }
        ties |= longer().fold(false, |hit, l| hit | (l == key));
    }
    // An edge of the same length is shorter if its index is.
    let shorter = |p: usize, q: usize, k: i32| k < key || (k == key && (p.max(q), p.min(q)) < (i, j));
    !ties || !(0..f.n).any(|z| shorter(i, z, a[z]) && shorter(j, z, b[z]))
}

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
    use crate::topology::metric::Metric;
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
