//! Levels: lengths rounded to 16 bits.

use crate::topology::order::Key;
use rayon::prelude::*;

/// What stands for a length: longer pairs have no smaller level.
pub(in crate::topology::cpu) type Level = u16;

/// Of a pair that never gets an edge.
pub(super) const NO_PAIR: Level = Level::MAX;

/// Levels that are cut from a sample. Lengths that many pairs have get a level each besides, which
/// are at the most as many again.
const MOST: usize = 16_000;
/// Cells in which lengths are looked up.
const CELLS: u32 = 1 << 17;
/// Bounds in one cell.
const IN_CELL: usize = 2;
/// One of so many of the shortest lengths is below all cells.
const BELOW: usize = 10_000;

/// Which lengths are of which level. Level `l` goes from bound `l - 1` up to bound `l`, without it.
pub(super) struct Scale {
    /// The first is 1, so that pairs of the length 0 have a level of their own; the last is no
    /// bound, but larger than all keys.
    bounds: Vec<u32>,
    /// Key of the longest edges that enter.
    limit: u32,
    /// Where cells begin.
    low: u32,
    /// Keys from `low + (cell << shift)` on have at least the level `cells[cell]`, and at most
    /// [`IN_CELL`] more if they are in the cell.
    cells: Vec<Level>,
    shift: u32,
    /// How many of the sampled keys are of each level.
    sampled: Vec<u32>,
    /// The part of all pairs that was sampled.
    part: f64,
}

impl Scale {
    /// Levels up to a limit with about as many of the sampled keys each; a key that is as frequent
    /// as that gets a level of its own. The keys are this part of all.
    pub fn new(mut sample: Vec<Key>, limit: Key, part: f64) -> Self {
        let limit = limit.min(Key::MAX);
        sample.retain(|&k| k <= limit);
        sample.par_sort_unstable();
        let above_zero = &sample[sample.partition_point(|k| k.0 == 0)..];
        let stride = (above_zero.len() / MOST).max(1);
        let low = above_zero.get(above_zero.len() / BELOW).map_or(1, |k| k.0);
        let mut shift = 0;
        while (limit.0.max(low) - low) >> shift >= CELLS {
            shift += 1;
        }
        let mut bounds = vec![1];
        let mut add = |bound: u32| {
            let cell = |b: u32| (b.max(low) - low) >> shift;
            let full = bounds.iter().rev().take_while(|b| cell(**b) == cell(bound) && **b >= low).count() >= IN_CELL;
            if bound > bounds[bounds.len() - 1] && !full {
                bounds.push(bound);
            }
        };
        add(low);
        let picked: Vec<Key> = above_zero.iter().step_by(stride).copied().filter(|k| k.0 >= low).collect();
        for same in picked.chunk_by(|a, b| a == b) {
            add(same[0].0);
            if same.len() > 1 {
                add(same[0].0 + 1);
            }
        }
        let of_cell = |cell: u32| bounds.partition_point(|&b| b <= low.saturating_add(cell << shift)) as Level;
        let cells = (0..=(limit.0.max(low) - low) >> shift).map(of_cell).collect();
        let levels = bounds.len() + 1;
        bounds.extend([u32::MAX; IN_CELL]);
        let mut scale = Self { bounds, limit: limit.0, low, cells, shift, sampled: vec![0; levels], part };
        for key in sample {
            let level = scale.level(key);
            scale.sampled[level as usize] += 1;
        }
        scale
    }

    /// Number of levels.
    pub fn len(&self) -> usize {
        self.sampled.len()
    }

    /// About how many pairs are of a level.
    pub fn count(&self, level: usize) -> u64 {
        (f64::from(self.sampled[level]) / self.part) as u64
    }

    /// The level of a key. There are no branches in it, which would often be guessed wrong.
    #[inline(always)]
    pub fn level(&self, key: Key) -> Level {
        let inside = key.0.clamp(self.low, self.limit.max(self.low));
        let mut level = self.cells[((inside - self.low) >> self.shift) as usize];
        for _ in 0..IN_CELL {
            level += Level::from(self.bounds[level as usize] <= inside);
        }
        let level = if key.0 < self.low { Level::from(key.0 > 0) } else { level };
        if key.0 > self.limit { NO_PAIR } else { level }
    }

    /// Whether all pairs of a level are of one length.
    #[inline(always)]
    pub fn is_one_length(&self, level: Level) -> bool {
        level == 0 || self.bounds[level as usize] == self.bounds[level as usize - 1] + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Levels are ordered as keys are, and there are not too many of them.
        #[test]
        fn levels_ascend(
            mut keys in prop::collection::vec(0u32..2_000_000_000, 1..300), mask: u32, limit in 0u32..2_000_000_000, sampled in 1usize..300,
        ) {
            keys.iter_mut().for_each(|k| *k &= mask);
            let scale = Scale::new(keys.iter().take(sampled).map(|&k| Key(k)).collect(), Key(limit), 1.0);
            prop_assert!(scale.len() < NO_PAIR as usize);
            keys.extend([0, limit, limit + 1, u32::MAX]);
            keys.sort_unstable();
            let levels: Vec<Level> = keys.iter().map(|&k| scale.level(Key(k))).collect();
            prop_assert!(levels.is_sorted());
            for (k, l) in keys.iter().zip(&levels) {
                prop_assert_eq!(*l == NO_PAIR, *k > limit);
                prop_assert!(*l == NO_PAIR || (*l as usize) < scale.len());
            }
            for (k, l) in keys.windows(2).zip(levels.windows(2)) {
                prop_assert!(l[0] != l[1] || l[0] == NO_PAIR || k[0] == k[1] || !scale.is_one_length(l[0]));
            }
        }
    }

    #[test]
    fn frequent_lengths_have_levels_of_their_own() {
        let sample: Vec<Key> = (0..200_000u32).map(|i| Key(10 * (i % 7))).collect();
        let scale = Scale::new(sample, Key(50), 0.5);
        for k in 1..6 {
            assert!(scale.is_one_length(scale.level(Key(10 * k))), "{k}");
            assert_eq!(scale.count(scale.level(Key(10 * k)) as usize) / 1000, 57);
        }
        assert_eq!(scale.level(Key(60)), NO_PAIR);
        assert!(scale.level(Key(9)) < scale.level(Key(10)) && scale.level(Key(10)) < scale.level(Key(11)));
    }
}
