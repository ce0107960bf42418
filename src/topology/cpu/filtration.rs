//! The order of the edges, found only as far as it is asked for.

use super::table::{Table, enclosing_key, key_table, smaller_name};
use crate::simd::wide;
use crate::topology::metric::Metric;
use crate::topology::order::{Edge, EdgeName, Entry, Key, NO_PAIR, Rank, entry_of_rank, rank_of_entry};
use crate::topology::source::Source;
use rayon::prelude::*;

/// The edges of one cloud in the order (length, index), ranked from the shortest up to where
/// [`Filtration::extend`] has come.
pub(crate) struct Filtration {
    /// Number of points.
    pub n: usize,
    /// Entry of every pair, row by row: see [`super::table`].
    pub table: Vec<Entry>,
    /// Entry of the longest edge that enters.
    pub limit: Entry,
    /// Key of the edge of each rank, ascending.
    pub keys: Vec<Key>,
    /// The edge of each rank.
    pub edges: Vec<EdgeName>,
    /// All edges with keys up to here have ranks.
    ranked: Entry,
    /// Every so many-th key, sorted: where to cut the next block.
    sample: Vec<Entry>,
    /// One of how many pairs was sampled.
    stride: usize,
}

impl Filtration {
    /// The edges of a cloud that are not longer than `threshold` or the enclosing radius.
    pub fn of(cloud: &Source<'_>, metric: Metric, threshold: Option<f32>, parallel: bool) -> Self {
        let table = key_table(cloud, metric, parallel);
        let enclosing = enclosing_key(&table, cloud.len(), parallel);
        let limit = threshold.map_or(Key::MAX, |t| metric.threshold_key(t)).entry();
        Self::new(cloud.len(), table, limit.min(enclosing))
    }

    /// Takes a symmetric table of keys.
    pub fn new(n: usize, table: Vec<Entry>, limit: Entry) -> Self {
        Self { n, table, limit, keys: Vec::new(), edges: Vec::new(), ranked: -1, sample: Vec::new(), stride: 1 }
    }

    /// Takes edges with their keys.
    pub fn of_edges(n: usize, keys: &[Key], edges: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut table = vec![NO_PAIR; n * n];
        for (&key, (i, j)) in keys.iter().zip(edges) {
            table[i * n + j] = key.entry();
            table[j * n + i] = key.entry();
        }
        Self::new(n, table, keys.iter().max().map_or(0, |k| k.entry()))
    }

    /// Whether every edge that enters has its rank.
    pub fn complete(&self) -> bool {
        self.ranked >= self.limit
    }

    /// The two ends of the edge of a rank.
    #[inline(always)]
    pub fn ends(&self, rank: Rank) -> (usize, usize) {
        self.edges[rank as usize].ends()
    }

    /// The edge of a rank.
    pub fn edge(&self, rank: Rank) -> Edge {
        Edge::new(self.keys[rank as usize], self.edges[rank as usize])
    }

    /// The entries of all pairs with `i`.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &[Entry] {
        &self.table[i * self.n..(i + 1) * self.n]
    }

    /// The rank of the edge between two points, which must have one.
    #[inline(always)]
    pub fn rank(&self, i: usize, j: usize) -> Rank {
        rank_of_entry(self.table[i * self.n + j])
    }

    /// A key with about `count` edges up to it: the limit if there are not so many.
    pub fn key_after(&mut self, count: usize) -> Entry {
        self.take_sample();
        let at = (count / self.stride).max(self.sample.partition_point(|&k| k <= self.ranked));
        self.sample.get(at).map_or(self.limit, |&k| k)
    }

    /// Samples the keys, once. Both triangles, for their rows are of one length; ranked pairs count
    /// as the shortest.
    fn take_sample(&mut self) {
        if self.sample.is_empty() {
            let pairs = self.n * self.n / 2;
            self.stride = (pairs / 4096).max(self.n / 8) | 1;
            self.sample.extend(self.table.iter().step_by(2 * self.stride).copied().filter(|&k| k <= self.limit));
            self.sample.sort_unstable();
        }
    }

    /// Gives ranks to all edges with keys up to `upto`; those of one key are never parted.
    pub fn extend(&mut self, upto: Entry, parallel: bool) {
        let upto = upto.min(self.limit);
        if upto <= self.ranked {
            return;
        }
        let above = std::mem::replace(&mut self.ranked, upto);
        if parallel {
            return self.extend_in_parallel(above, upto);
        }
        let (n, table) = (self.n, &self.table);
        let mut found: Vec<Edge> = Vec::new();
        wide!({
            for i in 0..n {
                collect(&table[i * n..i * n + i], i, above, upto, |edge| found.push(edge));
            }
        });
        sort_by_key(&mut found);
        self.keys.reserve_exact(found.len());
        self.edges.reserve_exact(found.len());
        for edge in found {
            let (i, j) = edge.name().ends();
            let entry = entry_of_rank(self.edges.len() as Rank);
            self.table[i * n + j] = entry;
            self.table[j * n + i] = entry;
            self.keys.push(edge.key());
            self.edges.push(edge.name());
        }
    }

    /// [`Filtration::extend`] in three steps, each by all threads: rows deal their edges into
    /// ranges of keys, ranges are sorted, and bands of the table are given the ranks.
    fn extend_in_parallel(&mut self, above: Entry, upto: Entry) {
        self.take_sample();
        let (n, table) = (self.n, &self.table);
        let threads = rayon::current_num_threads();
        let inside = &self.sample[self.sample.partition_point(|&k| k <= above)..self.sample.partition_point(|&k| k <= upto)];
        let wanted = (inside.len() * self.stride / RANGE).max(2 * threads).min(MOST_RANGES);
        let ranges = wanted.min(inside.len() + 1);
        let cuts: Vec<Key> = (1..ranges).map(|r| Key::of_entry(inside[r * inside.len() / ranges])).collect();
        // Rows grow: cut them where the triangle's area is even.
        let parts = 2 * threads;
        let cut = |p: usize| (n as f64 * (p as f64 / parts as f64).sqrt()).round() as usize;
        let deal = |p: usize| {
            let mut dealt = vec![Vec::new(); ranges];
            wide!({
                for i in cut(p)..cut(p + 1) {
                    collect(&table[i * n..i * n + i], i, above, upto, |edge| {
                        let key = edge.key();
                        dealt[cuts.iter().map(|&c| usize::from(c <= key)).sum::<usize>()].push(edge);
                    });
                }
            });
            dealt
        };
        let dealt: Vec<Vec<Vec<Edge>>> = (0..parts).into_par_iter().with_max_len(1).map(deal).collect();
        let counts: Vec<usize> = (0..ranges).map(|r| dealt.iter().map(|part| part[r].len()).sum()).collect();
        let first = self.edges.len();
        let end = first + counts.iter().sum::<usize>();
        self.keys.resize(end, Key::default());
        self.edges.resize(end, EdgeName::default());
        let (mut keys, mut edges) = (&mut self.keys[first..], &mut self.edges[first..]);
        let mut places = Vec::with_capacity(ranges);
        for (r, &count) in counts.iter().enumerate() {
            places.push((r, keys.split_off_mut(..count).unwrap_or_default(), edges.split_off_mut(..count).unwrap_or_default()));
        }
        places.into_par_iter().with_max_len(1).for_each(|(r, keys, edges)| {
            let mut mine: Vec<Edge> = Vec::with_capacity(keys.len());
            dealt.iter().for_each(|part| mine.extend_from_slice(&part[r]));
            sort_by_key(&mut mine);
            for ((edge, key), name) in mine.into_iter().zip(keys).zip(edges) {
                (*key, *name) = (edge.key(), edge.name());
            }
        });
        // Each band takes what is its own out of all edges: to read them is cheap, to write all
        // over the table is not. What is another's goes to a place on the diagonal, for which
        // nobody asks meanwhile: to write it in vain costs less than to guess wrongly whose it is.
        let edges = &self.edges[first..];
        let rows = n.div_ceil(threads).max(1);
        self.table.par_chunks_mut(rows * n).enumerate().with_max_len(1).for_each(|(band, table)| {
            let (top, rows) = (band * rows, table.len() / n);
            let place = |i: usize, j: usize| if i.wrapping_sub(top) < rows { (i - top) * n + j } else { top };
            for (at, &edge) in edges.iter().enumerate() {
                let (i, j) = edge.ends();
                let entry = entry_of_rank((first + at) as Rank);
                table[place(i, j)] = entry;
                table[place(j, i)] = entry;
            }
            table[top] = NO_PAIR;
        });
    }
}

/// As long as the table holds keys, not ranks.
impl Table for Filtration {
    type Entry = Entry;
    const NO_PAIR: Entry = NO_PAIR;

    fn len(&self) -> usize {
        self.n
    }

    #[inline(always)]
    fn row(&self, i: usize) -> &[Entry] {
        self.row(i)
    }

    fn limit(&self) -> Entry {
        self.limit
    }

    fn key(&self, i: usize, j: usize) -> Key {
        Key::of_entry(self.table[i * self.n + j])
    }

    fn before_its_equal(&self, pair: (usize, usize), other: (usize, usize)) -> bool {
        smaller_name(pair, other)
    }
}

/// Takes the pairs of row `i` with entries in `above + 1 ..= upto`.
#[inline(always)]
fn collect(row: &[Entry], i: usize, above: Entry, upto: Entry, mut take: impl FnMut(Edge)) {
    for (block, keys) in row.chunks(32).enumerate() {
        let mut mask = 0u32;
        for (at, &k) in keys.iter().enumerate() {
            mask |= u32::from((k > above) & (k <= upto)) << at;
        }
        while mask != 0 {
            let at = mask.trailing_zeros();
            mask &= mask - 1;
            let name = EdgeName::new(i, 32 * block + at as usize);
            take(Edge::new(Key(keys[at as usize] as u32), name));
        }
    }
}

/// Edges of a range of keys that is sorted apart, about: they shall fit a core's cache.
const RANGE: usize = 1 << 15;
/// Ranges at the most: every edge is compared with all their ends.
const MOST_RANGES: usize = 16;
/// Bits of a key that one pass of the sort looks at.
const DIGIT: u32 = 11;

/// Sorts edges by their keys; equal keys keep their order, which is that of the names. A radix sort
/// from the lowest digit up, over the digits in which the keys differ.
fn sort_by_key(edges: &mut Vec<Edge>) {
    if edges.len() < 256 {
        edges.sort_unstable(); // names ascend within a key, so this is the same order
        return;
    }
    let keys = || edges.iter().map(|e| e.key().0);
    let (Some(low), Some(high)) = (keys().min(), keys().max()) else { return };
    let mut spare = vec![Edge::default(); edges.len()];
    let mut shift = 0;
    while shift < 32 && (high - low) >> shift != 0 {
        let digit = |e: Edge| ((e.key().0 - low) >> shift) as usize & ((1 << DIGIT) - 1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::cloud::{Cloud, DistanceMatrix, PointCloud};
    use proptest::prelude::*;

    fn of(cloud: &Cloud) -> Filtration {
        Filtration::of(&Source::from(cloud), Metric::Precomputed, None, false)
    }

    #[test]
    fn ties_are_broken_by_index_and_the_radius_cuts() {
        // A path 0-1-2 with a far pair (0,2): the middle point encloses all at 1.
        let d: Cloud = DistanceMatrix::from_lower(3, vec![1.0, 2.0, 1.0]).unwrap().into();
        let mut f = of(&d);
        f.extend(i32::MAX, false);
        assert_eq!(f.edges, [EdgeName::new(1, 0), EdgeName::new(2, 1)]);
        assert_eq!(f.row(0), &[NO_PAIR, entry_of_rank(0), 2f32.to_bits() as i32]);
        assert_eq!(f.ends(1), (2, 1));
    }

    #[test]
    fn one_point_and_far_points() {
        let p: Cloud = PointCloud::new(1, 2, vec![0.0, 0.0]).unwrap().into();
        let mut f = of(&p);
        f.extend(i32::MAX, false);
        assert!(f.edges.is_empty() && f.complete());
        let d: Cloud = DistanceMatrix::from_lower(3, vec![1.0, f32::INFINITY, f32::INFINITY]).unwrap().into();
        let mut f = of(&d);
        f.extend(i32::MAX, true);
        assert_eq!(f.edges, [EdgeName::new(1, 0)]);
    }

    proptest! {
        #[test]
        fn the_sort_is_the_standard_librarys(keys in prop::collection::vec(any::<u32>(), 0..700), mask: u32) {
            let mut edges: Vec<Edge> = keys.iter().zip(0u32..).map(|(k, i)| Edge::new(Key(k & mask), EdgeName(i))).collect();
            let mut want = edges.clone();
            want.sort_unstable();
            sort_by_key(&mut edges);
            prop_assert_eq!(edges, want);
        }

        /// Block by block, with or without threads, the order is that of (length, index).
        #[test]
        fn blocks_give_the_whole_order(lower in prop::collection::vec(0u8..9, 190..=190), cuts in prop::collection::vec(0f32..9.0, 0..4), parallel: bool) {
            let d: Cloud = DistanceMatrix::from_lower(20, lower.iter().map(|&d| f32::from(d)).collect()).unwrap().into();
            let mut f = of(&d);
            let mut want: Vec<(Key, EdgeName)> = Vec::new();
            for i in 1..20 {
                want.extend((0..i).map(|j| (Key::of_entry(f.table[20 * i + j]), EdgeName::new(i, j))).filter(|e| e.0.entry() <= f.limit));
            }
            want.sort_unstable();
            for cut in cuts {
                f.extend(cut.to_bits() as i32, parallel);
            }
            while !f.complete() {
                let next = f.key_after(f.edges.len() + 30);
                f.extend(next, parallel);
            }
            prop_assert_eq!(f.keys.iter().copied().zip(f.edges.iter().copied()).collect::<Vec<_>>(), want);
            for (rank, _) in f.edges.iter().enumerate() {
                let (i, j) = f.ends(rank as u32);
                prop_assert_eq!((f.rank(i, j), f.rank(j, i)), (rank as u32, rank as u32));
            }
        }
    }
}
