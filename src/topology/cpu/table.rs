//! The table that everything is read from: for every pair of points its key, and later its rank.
//!
//! Entries are `i32` so that one signed comparison, which every vector unit has, orders all of
//! them. A pair begins as the bits of its length, which are never negative; once its rank is known
//! it becomes `rank - 2^31`, below all lengths. So a pair without a rank is longer than every pair
//! with one, and the part of the filtration that nobody looks at is never sorted.

use super::distances::Measured;
use crate::simd::wide;
use crate::topology::metric::Metric;
use crate::topology::order::{Entry, Key, NO_PAIR};
use crate::topology::source::Source;
use rayon::prelude::*;

/// A symmetric table of all pairs of points, in which a pair that is shorter than another one has
/// no larger entry.
pub(super) trait Table: Sync {
    /// What stands for a pair.
    type Entry: Copy + Ord + Send + Sync;
    /// Of a pair that never gets an edge, the diagonal included: larger than all others.
    const NO_PAIR: Self::Entry;

    /// Number of points.
    fn len(&self) -> usize;

    /// The entries of all pairs with a point.
    fn row(&self, i: usize) -> &[Self::Entry];

    /// Entry of the longest edge that enters.
    fn limit(&self) -> Self::Entry;

    /// The length of a pair.
    fn key(&self, i: usize, j: usize) -> Key;

    /// Whether one pair enters before another one with the same entry. Ends are given in any order.
    fn before_its_equal(&self, pair: (usize, usize), other: (usize, usize)) -> bool;
}

/// Whether the name of one pair is smaller than that of another.
pub(super) fn smaller_name((p, q): (usize, usize), (i, j): (usize, usize)) -> bool {
    (p.max(q), p.min(q)) < (i.max(j), i.min(j))
}

/// The symmetric table of keys of a cloud, row by row.
pub(crate) fn key_table(cloud: &Source<'_>, metric: Metric, parallel: bool) -> Vec<Entry> {
    let n = cloud.len();
    let mut table = vec![NO_PAIR; n * n];
    let entry = |d: f32| Key::of_length(d).entry();
    match cloud {
        Source::Points(data, view) => Measured::new(data, *view, metric).lower_triangle(&mut table, parallel),
        Source::Distances(d) => {
            let mut lower = d.lower();
            for i in 1..n {
                let (row, rest) = lower.split_at(i);
                table[i * n..].iter_mut().zip(row).for_each(|(key, &d)| *key = entry(d));
                lower = rest;
            }
        }
        Source::Edges(g) => {
            for &(i, j, d) in g.edges() {
                table[i as usize * n + j as usize] = entry(d);
            }
        }
    }
    mirror(&mut table, n, 0, parallel);
    table
}

/// Tiles of this many rows and columns stay in cache.
const TILE: usize = 32;

/// Copies the lower triangle onto the upper one. `rows` are whole rows of length `n` from row
/// `first` on.
pub(super) fn mirror<T: Copy + Send + Sync>(rows: &mut [T], n: usize, first: usize, parallel: bool) {
    let count = rows.len() / n.max(1);
    if count <= TILE {
        for i in 0..count {
            for j in 0..i {
                rows[j * n + first + i] = rows[i * n + first + j];
            }
        }
        return;
    }
    // The upper half takes its right part from the lower half's left part; then each half on its
    // own.
    let half = (count / 2).next_multiple_of(TILE);
    let (above, below) = rows.split_at_mut(half * n);
    let copy = |(tile, above): (usize, &mut [T])| {
        let across = tile * TILE;
        for down in (0..count - half).step_by(TILE) {
            for (j, row) in above.chunks_mut(n).enumerate() {
                for i in down..(down + TILE).min(count - half) {
                    row[first + half + i] = below[i * n + first + across + j];
                }
            }
        }
    };
    if parallel {
        above.par_chunks_mut(TILE * n).enumerate().for_each(copy);
        rayon::join(|| mirror(above, n, first, true), || mirror(below, n, first + half, true));
    } else {
        above.chunks_mut(TILE * n).enumerate().for_each(copy);
        mirror(above, n, first, false);
        mirror(below, n, first + half, false);
    }
}

/// The smallest, over all points, of the distance to the farthest point: from there on the complex
/// is a cone and nothing changes. Pairs without an edge count as infinitely far.
pub(super) fn enclosing_key(table: &[i32], n: usize, parallel: bool) -> i32 {
    let farthest = |(i, row): (usize, &[i32])| {
        let most = |part: &[i32]| part.iter().fold(i32::MIN, |m, &k| m.max(k));
        wide!(most(&row[..i]).max(most(&row[i + 1..])))
    };
    let least = if parallel {
        table.par_chunks(n).enumerate().map(farthest).min()
    } else {
        table.chunks(n).enumerate().map(farthest).min()
    };
    least.unwrap_or(0).clamp(0, Key::MAX.entry())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_a_transpose() {
        for n in [1usize, 2, 31, 32, 33, 64, 65, 100, 131] {
            for parallel in [false, true] {
                let mut table: Vec<i32> = (0..n * n).map(|at| if at % n < at / n { at as i32 } else { -1 }).collect();
                mirror(&mut table, n, 0, parallel);
                for i in 0..n {
                    for j in 0..n {
                        let (low, high) = (i.min(j), i.max(j));
                        let want = if i == j { -1 } else { (high * n + low) as i32 };
                        assert_eq!(table[i * n + j], want, "{n}: ({i},{j})");
                    }
                }
            }
        }
    }
}
