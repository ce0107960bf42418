//! The order of the edges: thresholded, sorted by (length, index), and ranked.

use super::{Source, distances};
use crate::topology::cloud::{Cloud, key_of_length};
use crate::topology::metric::{MAX_KEY, Metric, NO_EDGE};

/// The symmetric `n x n` table of keys of a cloud; the diagonal is [`NO_EDGE`].
pub(crate) fn key_table(cloud: &Source<'_>, metric: Metric, parallel: bool) -> Vec<u32> {
    let n = cloud.len();
    let mut table = vec![NO_EDGE; n * n];
    match cloud {
        Source::Cloud(Cloud::Points(p)) => distances::lower_triangle(&mut table, n, metric, parallel, |i| p.point(i)),
        Source::View(data, view) => distances::lower_triangle(&mut table, n, metric, parallel, |i| view.point(data, i)),
        Source::Cloud(Cloud::Distances(d)) => {
            let mut lower = d.lower();
            for i in 1..n {
                let (row, rest) = lower.split_at(i);
                for (key, &d) in table[i * n..].iter_mut().zip(row) {
                    *key = key_of_length(d);
                }
                lower = rest;
            }
        }
        Source::Cloud(Cloud::Edges(g)) => {
            for &(i, j, d) in g.edges() {
                table[i as usize * n + j as usize] = key_of_length(d);
            }
        }
    }
    mirror(&mut table, n);
    table
}

/// Copies the lower triangle onto the upper one, in tiles that stay in cache.
fn mirror(table: &mut [u32], n: usize) {
    const TILE: usize = 32;
    for bi in (0..n).step_by(TILE) {
        for bj in (0..=bi).step_by(TILE) {
            for i in bi..(bi + TILE).min(n) {
                for j in bj..(bj + TILE).min(i) {
                    table[j * n + i] = table[i * n + j];
                }
            }
        }
    }
}

/// The smallest, over all points, of the distance to the farthest point: from there on the complex is a cone and
/// nothing changes. Pairs without an edge count as infinitely far.
fn enclosing_key(table: &[u32], n: usize) -> u32 {
    let farthest = |(i, row): (usize, &[u32])| row.iter().enumerate().filter(|&(j, _)| j != i).map(|(_, &k)| k).max();
    table.chunks(n).enumerate().filter_map(farthest).min().unwrap_or(0).min(MAX_KEY)
}

/// Bits of a key that one pass of the sort looks at.
const DIGIT: u32 = 11;

/// Sorts `key << 32 | index` by the keys; equal keys keep their order, which is that of the indices. A radix sort from the lowest digit
/// up, over the digits in which the keys differ. Twin of `shaders/sort_*.wgsl`.
fn sort_by_key(edges: &mut Vec<u64>) {
    let keys = || edges.iter().map(|e| (e >> 32) as u32);
    let (Some(low), Some(high)) = (keys().min(), keys().max()) else { return };
    let mut spare = vec![0u64; edges.len()];
    let mut shift = 0;
    while shift < 32 && (high - low) >> shift != 0 {
        let digit = |e: u64| (((e >> 32) as u32 - low) >> shift) as usize & ((1 << DIGIT) - 1);
        let mut places = [0u32; 1 << DIGIT];
        for &e in edges.iter() {
            places[digit(e)] += 1;
        }
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        for &e in edges.iter() {
            let place = &mut places[digit(e)];
            spare[*place as usize] = e;
            *place += 1;
        }
        std::mem::swap(edges, &mut spare);
        shift += DIGIT;
    }
}

/// The edges of one cloud in filtration order, with the rank of every pair.
pub(crate) struct Filtration {
    /// Number of points.
    pub n: usize,
    /// Key of the edge of each rank, ascending.
    pub keys: Vec<u32>,
    /// The edge of each rank as `i * n + j`, `i > j`.
    pub edges: Vec<u32>,
    /// Rank of the edge between `i` and `j` at `i * n + j`, both ways; [`NO_EDGE`] where there is none.
    pub ranks: Vec<u32>,
}

impl Filtration {
    /// Sorts the edges of a key table that are not longer than `threshold` or the enclosing radius.
    pub fn new(n: usize, table: Vec<u32>, metric: Metric, threshold: Option<f32>) -> Self {
        let limit = threshold.map_or(MAX_KEY, |t| metric.threshold_key(t)).min(enclosing_key(&table, n));
        let mut keyed: Vec<u64> = Vec::new();
        for i in 1..n {
            for j in 0..i {
                let key = table[i * n + j];
                if key <= limit {
                    keyed.push((u64::from(key) << 32) | (i * n + j) as u64);
                }
            }
        }
        sort_by_key(&mut keyed);
        let keys = keyed.iter().map(|e| (e >> 32) as u32).collect();
        let edges = keyed.iter().map(|&e| e as u32).collect();
        Self::from_sorted(n, keys, edges, table)
    }

    /// Takes edges that are in order already; `table` is reused for the ranks.
    pub fn from_sorted(n: usize, keys: Vec<u32>, edges: Vec<u32>, mut table: Vec<u32>) -> Self {
        table.clear();
        table.resize(n * n, NO_EDGE);
        for (rank, &e) in edges.iter().enumerate() {
            let (i, j) = (e as usize / n, e as usize % n);
            table[i * n + j] = rank as u32;
            table[j * n + i] = rank as u32;
        }
        Self { n, keys, edges, ranks: table }
    }

    /// The two ends of the edge of a rank.
    pub fn ends(&self, rank: usize) -> (usize, usize) {
        let e = self.edges[rank] as usize;
        (e / self.n, e % self.n)
    }

    /// The ranks of all pairs with `i`.
    pub fn row(&self, i: usize) -> &[u32] {
        &self.ranks[i * self.n..(i + 1) * self.n]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::cloud::{DistanceMatrix, PointCloud};

    #[test]
    fn ties_are_broken_by_index_and_the_radius_cuts() {
        // A path 0-1-2 with a far pair (0,2): the middle point encloses all at 1.
        let d: Cloud = DistanceMatrix::from_lower(3, vec![1.0, 2.0, 1.0]).unwrap().into();
        let f = Filtration::new(3, key_table(&Source::Cloud(&d), Metric::Precomputed, false), Metric::Precomputed, None);
        assert_eq!(f.edges, [3, 7]);
        assert_eq!(f.row(0), &[NO_EDGE, 0, NO_EDGE]);
        assert_eq!(f.ends(1), (2, 1));
    }

    proptest::proptest! {
        #[test]
        fn the_sort_is_the_standard_librarys(keys in proptest::collection::vec(proptest::prelude::any::<u32>(), 0..300), mask: u32) {
            let mut edges: Vec<u64> = keys.iter().enumerate().map(|(i, k)| u64::from(k & mask) << 32 | i as u64).collect();
            let mut want = edges.clone();
            want.sort_unstable();
            sort_by_key(&mut edges);
            proptest::prop_assert_eq!(edges, want);
        }
    }

    #[test]
    fn one_point_and_far_points() {
        let p: Cloud = PointCloud::new(1, 2, vec![0.0, 0.0]).unwrap().into();
        let f = Filtration::new(1, key_table(&Source::Cloud(&p), Metric::Euclidean, false), Metric::Euclidean, None);
        assert!(f.edges.is_empty());
        let d: Cloud = DistanceMatrix::from_lower(3, vec![1.0, f32::INFINITY, f32::INFINITY]).unwrap().into();
        let f = Filtration::new(3, key_table(&Source::Cloud(&d), Metric::Precomputed, false), Metric::Precomputed, None);
        assert_eq!(f.edges, [3]);
    }
}
