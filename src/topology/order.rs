//! The order in which edges enter a filtration, and the numbers that stand for an edge.
//!
//! Edges enter by their lengths, and those of one length by their ends. [`Key`] is a length,
//! [`EdgeName`] the two ends, and [`Edge`] both in one word, so that words are ordered as edges
//! are. [`Rank`] is the place of an edge in that order. [`Entry`] is what the table of all pairs
//! holds: the key of a pair at first, and its rank once that is known. The shaders use the same
//! keys and names: `shaders/shared/cloud.wgsl`.

/// The bits of a length, which is never negative: they are ordered as lengths are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "gpu", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(transparent)]
pub(crate) struct Key(pub u32);

impl Key {
    /// Of the longest finite length.
    pub const MAX: Key = Key(0x7F7F_FFFF);
    /// Of a pair that never gets an edge: beyond any length.
    pub const NO_EDGE: Key = Key(u32::MAX);

    /// Of a length; an infinite one is no edge.
    #[inline(always)]
    pub fn of_length(length: f32) -> Self {
        let key = Key(length.to_bits());
        if key > Key::MAX { Key::NO_EDGE } else { key }
    }

    /// The length.
    #[inline(always)]
    pub fn length(self) -> f32 {
        f32::from_bits(self.0)
    }

    /// As the table of pairs holds it.
    #[inline(always)]
    pub fn entry(self) -> Entry {
        if self > Key::MAX { NO_PAIR } else { self.0 as i32 }
    }

    /// Of a pair without a rank, from the table.
    #[inline(always)]
    pub fn of_entry(entry: Entry) -> Self {
        if entry == NO_PAIR { Key::NO_EDGE } else { Key(entry as u32) }
    }
}

/// The two ends of an edge: `i << 16 | j`, `i > j`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub(crate) struct EdgeName(pub u32);

impl EdgeName {
    /// Of the ends `i > j`.
    #[inline(always)]
    pub fn new(i: usize, j: usize) -> Self {
        debug_assert!(i > j && i <= usize::from(u16::MAX));
        EdgeName((i << 16 | j) as u32)
    }

    /// The ends, the larger number first.
    #[inline(always)]
    pub fn ends(self) -> (usize, usize) {
        ((self.0 >> 16) as usize, (self.0 & 0xffff) as usize)
    }
}

/// An edge: `key << 32 | name`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub(crate) struct Edge(pub u64);

impl Edge {
    /// Of a length and two ends.
    #[inline(always)]
    pub fn new(key: Key, name: EdgeName) -> Self {
        Edge(u64::from(key.0) << 32 | u64::from(name.0))
    }

    /// Its length.
    #[inline(always)]
    pub fn key(self) -> Key {
        Key((self.0 >> 32) as u32)
    }

    /// Its ends.
    #[inline(always)]
    pub fn name(self) -> EdgeName {
        EdgeName(self.0 as u32)
    }
}

/// An edge between any two points: the name of an [`Edge`] has no room for numbers above 65,535.
/// They are in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WideEdge {
    /// Its length.
    pub key: Key,
    /// Its ends, the larger number first.
    pub ends: (u32, u32),
}

impl WideEdge {
    /// Of a length and two ends in any order.
    #[inline(always)]
    pub fn new(key: Key, a: u32, b: u32) -> Self {
        Self { key, ends: (a.max(b), a.min(b)) }
    }
}

impl From<Edge> for WideEdge {
    fn from(edge: Edge) -> Self {
        let (i, j) = edge.name().ends();
        Self { key: edge.key(), ends: (i as u32, j as u32) }
    }
}

/// The place of an edge in the order, from 0 on.
pub(crate) type Rank = u32;

/// What the table holds for a pair of points: its key, or, once it is known, its rank less `2^31`,
/// which is below all keys. Signed numbers, since every vector unit compares those.
pub(crate) type Entry = i32;

/// Entry of a pair that never gets an edge, the diagonal included.
pub(crate) const NO_PAIR: Entry = i32::MAX;

/// The entry of a pair of this rank.
#[inline(always)]
pub(crate) fn entry_of_rank(rank: Rank) -> Entry {
    rank as i32 ^ i32::MIN
}

/// The rank that an entry stands for; of an entry that has none, nothing sensible.
#[inline(always)]
pub(crate) fn rank_of_entry(entry: Entry) -> Rank {
    (entry ^ i32::MIN) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ordered_as_edges_are() {
        let edge = |length: f32, i, j| Edge::new(Key::of_length(length), EdgeName::new(i, j));
        let ordered = [edge(0.0, 1, 0), edge(0.5, 2, 1), edge(0.5, 3, 0), edge(0.75, 1, 0), edge(f32::INFINITY, 2, 0)];
        assert!(ordered.is_sorted());
        assert_eq!((ordered[2].key().length(), ordered[2].name().ends()), (0.5, (3, 0)));
        assert_eq!(ordered[4].key(), Key::NO_EDGE);
        assert_eq!((Key::NO_EDGE.entry(), Key::of_entry(NO_PAIR)), (NO_PAIR, Key::NO_EDGE));
        assert!(entry_of_rank(7) < Key(0).entry() && entry_of_rank(6) < entry_of_rank(7));
        assert_eq!(rank_of_entry(entry_of_rank(7)), 7);
    }
}
