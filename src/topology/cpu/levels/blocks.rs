//! Edges in blocks, from the shortest on.

use super::scale::Level;
use super::table::Levels;
use crate::simd::wide;
use crate::topology::cpu::table::Table;
use crate::topology::order::EdgeName;
use rayon::prelude::*;
use std::collections::VecDeque;

/// A block is one for so many edges before it.
const SHARE: u64 = 64;
/// And at the least so many edges.
const LEAST_BLOCK: u64 = 64;
/// Edges that are collected at once: at the least, and at the most unless one block has more.
pub(super) const COLLECTED: (u64, u64) = (1 << 20, 1 << 27);

/// The edges of a cloud in blocks. Every edge of a block enters before those of the next ones, but
/// inside a block edges are ordered by their names.
pub(super) struct Blocks {
    /// The first level that has not been collected.
    next: usize,
    /// Edges of the levels before it.
    before: u64,
    collected: VecDeque<Vec<EdgeName>>,
}

impl Blocks {
    pub fn new() -> Self {
        Self { next: 0, before: 0, collected: VecDeque::new() }
    }

    /// The next block; nothing after the last one.
    pub fn next(&mut self, levels: &Levels<'_>) -> Option<Vec<EdgeName>> {
        while self.collected.is_empty() && self.next < levels.scale.len() {
            self.collect(levels);
        }
        self.collected.pop_front()
    }

    /// Goes through the table once for the edges of some levels.
    fn collect(&mut self, levels: &Levels<'_>) {
        let most = (self.before / 2).clamp(COLLECTED.0, COLLECTED.1);
        let first = self.next;
        // The block that every level belongs to, and about how many edges it has.
        let (mut of_level, mut sizes) = (Vec::new(), Vec::new());
        let mut all = 0;
        while self.next < levels.scale.len() && (all == 0 || all + levels.scale.count(self.next) <= most) {
            let count = levels.scale.count(self.next);
            let size = size_after(self.before + all);
            match sizes.last_mut() {
                Some(last) if *last + count <= size => *last += count,
                _ => sizes.push(count),
            }
            of_level.push(sizes.len() - 1);
            all += count;
            self.next += 1;
        }
        let range = first as Level..=(self.next - 1) as Level;
        for (block, names) in deal(levels, range, &of_level, sizes.len()).into_iter().enumerate() {
            // Pairs of one length are in order by name: they may be parted anywhere.
            let mut its = of_level.iter().zip(first..).filter(|(of, _)| **of == block).map(|(_, level)| level);
            let one_length = its.next().is_some_and(|level| levels.scale.is_one_length(level as Level)) && its.next().is_none();
            let size = if one_length { size_after(self.before) as usize } else { names.len().max(1) };
            self.before += names.len() as u64;
            self.collected.extend(names.chunks(size).map(<[EdgeName]>::to_vec));
        }
    }
}

/// How many edges a block may have, after so many others.
fn size_after(before: u64) -> u64 {
    (before / SHARE).max(LEAST_BLOCK)
}

/// The edges of some levels, those of every block by name.
fn deal(levels: &Levels<'_>, range: std::ops::RangeInclusive<Level>, of_level: &[usize], blocks: usize) -> Vec<Vec<EdgeName>> {
    let (low, width) = (*range.start(), range.end() - range.start());
    // Rows grow: they are cut where the triangle's area is even.
    let (n, parts) = (levels.len(), 8 * rayon::current_num_threads());
    let cut = |p: usize| (n as f64 * (p as f64 / parts as f64).sqrt()).round() as usize;
    let part = |p: usize| {
        let mut dealt = vec![Vec::new(); blocks];
        wide!({
            for i in cut(p)..cut(p + 1) {
                for (chunk, row) in levels.row(i)[..i].chunks(64).enumerate() {
                    if !row.iter().fold(false, |any, l| any | (l.wrapping_sub(low) <= width)) {
                        continue;
                    }
                    for (at, l) in row.iter().enumerate() {
                        let above = l.wrapping_sub(low);
                        if above <= width {
                            dealt[of_level[above as usize]].push(EdgeName::new(i, 64 * chunk + at));
                        }
                    }
                }
            }
        });
        dealt
    };
    let dealt: Vec<Vec<Vec<EdgeName>>> = (0..parts).into_par_iter().with_max_len(1).map(part).collect();
    (0..blocks).map(|b| dealt.iter().flat_map(|part| part[b].iter().copied()).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::table::Lengths;
    use super::*;
    use crate::topology::cloud::DistanceMatrix;
    use crate::topology::order::{Key, WideEdge};
    use crate::topology::task::Task;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// Every edge comes once, and none before those of an earlier block.
        #[test]
        fn blocks_ascend(lower in prop::collection::vec(0u16..5000, 1225..=1225), coarse in 1u16..2500) {
            let matrix = DistanceMatrix::from_lower(50, lower.iter().map(|&d| f32::from(d / coarse)).collect()).unwrap();
            let levels = Levels::of(Lengths::Matrix(&matrix), Key::MAX, &Task::unwatched()).unwrap();
            let mut blocks = Blocks::new();
            let mut longest: Option<WideEdge> = None;
            let mut count = 0;
            while let Some(block) = blocks.next(&levels) {
                prop_assert!(block.is_sorted());
                let mut edges: Vec<WideEdge> = block.iter().map(|e| levels.edge(e.ends())).collect();
                edges.sort_unstable();
                prop_assert!(longest.is_none_or(|l| l < edges[0]));
                longest = edges.last().copied();
                count += edges.len() as u64;
            }
            prop_assert_eq!(count, (0..50).flat_map(|i| (0..i).map(move |j| (i, j))).filter(|&(i, j)| levels.level(i, j) <= levels.limit()).count() as u64);
        }
    }
}
