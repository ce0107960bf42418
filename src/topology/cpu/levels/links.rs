//! Links of many edges of large clouds: those at one point together.
//!
//! Nearly every link is in one piece, and it takes a few rows of bits to see it: those of the
//! edge's two ends, and of points of its lune that are joined to the others. In a large cloud these
//! rows are in no cache, if the edges are taken in their order. So here the edges of a block are
//! grouped by one end. Its row, and the rows of the points near it, which the flood begins with,
//! are then read once for all of them.
//!
//! The order inside a block is not lost. Rows of bits hold the edges before the block, and lists
//! those of the block. The lune of an edge lies between what the rows say alone and what both say
//! together, and so do the edges between its points: a point that only a list knows is looked up in
//! the table.

use super::table::{Levels, Measurement};
use crate::simd::widest;
use crate::topology::cpu::both_ends::BothEnds;
use crate::topology::cpu::columns::Critical;
use crate::topology::cpu::table::Table;
use crate::topology::order::EdgeName;
use rayon::prelude::*;
use std::ops::Range;

/// Edges that a thread looks at before it takes others.
const AT_ONCE: usize = 1 << 10;

/// Points near one end of an edge that a flood begins with.
pub(super) const HUBS: usize = 24;

/// Words of bits that are looked at in one step, or passed over.
const CHUNK: usize = 32;

/// For every point its neighbours among the edges before a block, as bits.
pub(super) struct Rows {
    words: usize,
    /// [`CHUNK`]. As a constant it would lead the compiler to unroll loops before it makes vectors
    /// of them, which it then cannot.
    chunk: usize,
    bits: Vec<u64>,
}

impl Rows {
    pub fn new(n: usize) -> Self {
        let words = n.div_ceil(64).next_multiple_of(CHUNK);
        Self { words, chunk: std::hint::black_box(CHUNK), bits: vec![0; n * words] }
    }

    /// Enters edges. Every thread has some of the rows, and goes through all of the edges.
    fn enter(&mut self, edges: &[EdgeName]) {
        let words = self.words;
        let rows = (self.bits.len() / words).div_ceil(rayon::current_num_threads());
        let band = |(band, bits): (usize, &mut [u64])| {
            let (first, rows) = (band * rows, bits.len() / words);
            for edge in edges {
                let (a, b) = edge.ends();
                for (v, w) in [(a, b), (b, a)] {
                    if v.wrapping_sub(first) < rows {
                        set(&mut bits[(v - first) * words..], w);
                    }
                }
            }
        };
        self.bits.par_chunks_mut(words * rows).enumerate().with_max_len(1).for_each(band);
    }

    #[inline(always)]
    fn row(&self, v: usize) -> &[u64] {
        &self.bits[v * self.words..][..self.words]
    }
}

#[inline(always)]
fn set(bits: &mut [u64], v: usize) {
    bits[v / 64] |= 1 << (v % 64);
}

#[inline(always)]
fn clear(bits: &mut [u64], v: usize) {
    bits[v / 64] &= !(1 << (v % 64));
}

#[inline(always)]
fn has(bits: &[u64], v: usize) -> bool {
    bits[v / 64] >> (v % 64) & 1 == 1
}

/// The words of a chunk of so many.
#[inline(always)]
fn chunk(at: u32, words: usize) -> Range<usize> {
    at as usize * words..(at as usize + 1) * words
}

/// Looks at the links of the edges of a block, which come by name. The rows hold the edges before
/// it, and afterwards those of it as well. `hubs` are points near every point.
pub(super) fn look_at(levels: &Levels<'_>, hubs: &[[u32; HUBS]], rows: &mut Rows, block: &[EdgeName]) -> Vec<Critical> {
    let shared = &*rows;
    let lists =
        BothEnds::new(levels.len(), block.iter().map(|e| e.ends()).map(|(a, b)| ((a as u32, b as u32), ())), |to, ()| to as u16);
    // By their larger end, and within it by the other: rows are read in their order.
    let part = |some: &[EdgeName]| {
        let mut found = Vec::new();
        let none = || vec![0u64; shared.words];
        let scratch = Scratch { of_a: none(), rest: none(), sure: none(), open: vec![0; shared.words / CHUNK], count: 0 };
        let mut group = Group { levels, hubs, rows: shared, block: &lists, edges: some, scratch, found: &mut found };
        widest!(group.look());
        found
    };
    let mut critical: Vec<Critical> = block.par_chunks(AT_ONCE).flat_map_iter(part).collect();
    critical.par_sort_unstable();
    rows.enter(block);
    critical
}

/// Some edges of a block.
struct Group<'a, 'b> {
    levels: &'a Levels<'b>,
    hubs: &'a [[u32; HUBS]],
    rows: &'a Rows,
    /// The points that every point has edges to in the block.
    block: &'a BothEnds<u16>,
    edges: &'a [EdgeName],
    scratch: Scratch,
    found: &'a mut Vec<Critical>,
}

/// Sets of points, as bits.
struct Scratch {
    /// The neighbours of the one end, those in the block as well.
    of_a: Vec<u64>,
    /// What is left of the lune, and maybe of some more points.
    rest: Vec<u64>,
    /// Points that are in the lune by the edges before the block.
    sure: Vec<u64>,
    /// Which chunks of `rest` are not empty: the first `count`.
    open: Vec<u32>,
    count: usize,
}

impl Group<'_, '_> {
    /// Looks at all its edges.
    #[inline(always)]
    fn look(&mut self) {
        let mut last = usize::MAX;
        for &name in self.edges {
            let (a, b) = name.ends();
            if a != last {
                self.scratch.of_a.copy_from_slice(self.rows.row(a));
                self.block.at(a as u32).iter().for_each(|&v| set(&mut self.scratch.of_a, v.into()));
                last = a;
            }
            self.lune((a, b));
            let seen = self.by_hubs((a, b));
            if seen == Some(true) {
                continue;
            }
            let mut edge = self.levels.unmeasured((a, b));
            if seen.is_none() || !self.in_one_piece(&mut edge) {
                self.pieces(&mut edge);
            }
        }
    }
}

impl Group<'_, '_> {
    /// Writes the lune of an edge into `rest` and `sure`.
    #[inline(always)]
    fn lune(&mut self, (a, b): (usize, usize)) {
        let Scratch { of_a, rest, sure, .. } = &mut self.scratch;
        let row_b = self.rows.row(b);
        for ((rest, of_a), b) in rest.iter_mut().zip(of_a.iter()).zip(row_b) {
            *rest = of_a & b;
        }
        for ((sure, a), b) in sure.iter_mut().zip(self.rows.row(a)).zip(row_b) {
            *sure = a & b;
        }
        for &v in self.block.at(b as u32) {
            let word = usize::from(v) / 64;
            rest[word] |= of_a[word] & 1 << (v % 64);
        }
    }

    /// Whether points near one of the edge's ends show that its link is empty or in one piece;
    /// nothing if there is none of them to begin with.
    #[inline(always)]
    fn by_hubs(&mut self, (a, b): (usize, usize)) -> Option<bool> {
        let Scratch { rest, sure, open, count, .. } = &mut self.scratch;
        let words = self.rows.chunk;
        let mut begun = false;
        for hub in self.hubs[a].iter().chain(&self.hubs[b][..HUBS / 2]).map(|&hub| hub as usize) {
            // It has to be joined to what is reached.
            if !has(sure, hub) || begun && has(rest, hub) {
                continue;
            }
            clear(rest, hub);
            let row = self.rows.row(hub);
            if !begun {
                begun = true;
                open.iter_mut().zip(0..).for_each(|(open, at)| *open = at);
                *count = open.len();
            }
            let mut kept = 0;
            for at in 0..*count {
                let left = remove(rest, row, chunk(open[at], words));
                open[kept] = open[at];
                kept += usize::from(left);
            }
            *count = kept;
            if kept == 0 {
                return Some(true);
            }
        }
        if begun { Some(false) } else { (rest.iter().fold(0, |any, w| any | w) == 0).then_some(true) }
    }

    /// Whether a link is in one piece. What is left after [`Self::by_hubs`] may not be in the lune,
    /// or is joined to something that was reached.
    #[inline(always)]
    fn in_one_piece(&mut self, edge: &mut Measurement) -> bool {
        let (a, b) = edge.ends;
        let Scratch { rest, sure, open, count, .. } = &mut self.scratch;
        let words = self.rows.chunk;
        let (row_a, row_b) = (self.levels.row(a), self.levels.row(b));
        loop {
            let mut changed = false;
            for at in 0..*count {
                for word in chunk(open[at], words) {
                    let mut bits = rest[word];
                    while bits != 0 {
                        let v = 64 * word + bits.trailing_zeros() as usize;
                        bits &= bits - 1;
                        if !self.levels.in_lune(v, row_a[v].max(row_b[v]), edge) {
                            clear(rest, v);
                            continue;
                        }
                        let row = self.rows.row(v);
                        if !meets(row, sure, rest) {
                            continue;
                        }
                        // It is reached, and with it all that it is joined to, if it is in the lune
                        // for sure; that it is was looked up.
                        open[..*count].iter().for_each(|&at| {
                            remove(rest, row, chunk(at, words));
                        });
                        clear(rest, v);
                        bits &= rest[word];
                        changed = true;
                    }
                }
            }
            let mut kept = 0;
            for at in 0..*count {
                open[kept] = open[at];
                kept += usize::from(rest[chunk(open[at], words)].iter().fold(0, |any, w| any | w) != 0);
            }
            *count = kept;
            if kept == 0 {
                return true;
            }
            if !changed {
                return false;
            }
        }
    }

    /// The pieces of a link, by the definition.
    fn pieces(&mut self, edge: &mut Measurement) {
        let (a, b) = edge.ends;
        let mut lune: Vec<u32> = Vec::new();
        self.levels.each_up_to((a, b), edge.level, |v| {
            let larger = self.levels.level(a, v).max(self.levels.level(b, v));
            if self.levels.in_lune(v, larger, edge) {
                lune.push(v as u32);
            }
        });
        let mut apex = None;
        let mut front = Vec::new();
        while let Some(root) = lune.pop() {
            match apex {
                None => apex = Some(root),
                Some(apex) => {
                    let measured = *edge.measured.get_or_insert_with(|| self.levels.edge(edge.ends));
                    self.found.push(Critical { edge: measured, apex, root });
                }
            }
            front.push(root);
            while let Some(v) = front.pop() {
                lune.retain(|&w| {
                    let joined = self.levels.before(v as usize, w as usize, edge);
                    if joined {
                        front.push(w);
                    }
                    !joined
                });
            }
        }
    }
}

/// Takes what a point is joined to from a chunk of what is left. Says whether anything is left
/// then.
#[inline(always)]
fn remove(rest: &mut [u64], joined: &[u64], all: Range<usize>) -> bool {
    let mut left = 0;
    for (rest, joined) in rest[all.clone()].iter_mut().zip(&joined[all]) {
        *rest &= !joined;
        left |= *rest;
    }
    left != 0
}

/// Whether two sets have a point in common that is not left.
#[inline(always)]
fn meets(x: &[u64], y: &[u64], rest: &[u64]) -> bool {
    x.iter().zip(y).zip(rest).fold(0, |any, ((x, y), rest)| any | (x & y & !rest)) != 0
}

#[cfg(test)]
mod tests {
    use super::super::blocks::Blocks;
    use super::super::table::Lengths;
    use super::*;
    use crate::topology::cloud::{Cloud, PointCloud};
    use crate::topology::cpu::distances::Measured;
    use crate::topology::cpu::filtration::Filtration;
    use crate::topology::cpu::links::{Adjacency, Looks};
    use crate::topology::cpu::neighbours::{nearest, nearest_few};
    use crate::topology::metric::Metric;
    use crate::topology::order::{Key, WideEdge};
    use crate::topology::source::Source;
    use crate::topology::task::Task;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// The same links are in pieces, and in as many, as when the edges are taken in their
        /// order; with many ties and with none.
        #[test]
        fn links_are_those_in_order(numbers in prop::collection::vec(0u16..5000, 90 * 4..=90 * 4), coarse in 1u16..2500) {
            let data: Vec<f32> = numbers.iter().map(|&x| f32::from(x / coarse)).collect();
            let cloud: Cloud = PointCloud::new(90, 4, data).unwrap().into();
            let source = Source::from(&cloud);
            let mut f = Filtration::of(&source, Metric::Euclidean, None, false);
            let near = nearest(&f, false);
            f.extend(i32::MAX, false);
            let end = f.edges.len() as u32;
            let want = Looks::at(&f, &near, &mut Adjacency::new(90), 0..end, false, false).critical;
            let Source::Points(data, view) = source else { unreachable!() };
            let limit = Key::of_entry(f.limit);
            let levels = Levels::of(Lengths::Points(Measured::new(data, view, Metric::Euclidean)), limit, &Task::unwatched()).unwrap();
            let hubs = nearest_few(&levels, false);
            let (mut rows, mut blocks, mut found) = (Rows::new(90), Blocks::new(), Vec::new());
            while let Some(block) = blocks.next(&levels) {
                found.extend(look_at(&levels, &hubs, &mut rows, &block));
            }
            prop_assert!(found.is_sorted_by_key(|c| c.edge));
            let wanted: Vec<WideEdge> = want.iter().map(|c| f.edge(c.rank).into()).collect();
            prop_assert_eq!(found.iter().map(|c| c.edge).collect::<Vec<_>>(), wanted);
            // Every root is in the lune, and in another piece than the apex.
            for c in &found {
                let (a, b) = (c.edge.ends.0 as usize, c.edge.ends.1 as usize);
                for v in [c.apex as usize, c.root as usize] {
                    prop_assert!(levels.edge((a, v)) < c.edge && levels.edge((b, v)) < c.edge);
                }
                prop_assert!(levels.edge((c.apex as usize, c.root as usize)) > c.edge);
            }
        }
    }
}
