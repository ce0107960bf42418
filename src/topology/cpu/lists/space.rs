//! What lists of neighbours are read from.

use crate::topology::cpu::lunes::Lunes;
use crate::topology::order::{Key, WideEdge};

/// A point on the list of another one, and how far it is from there: `key << 32 | point`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub(super) struct Neighbour(u64);

impl Neighbour {
    #[inline(always)]
    pub fn new(key: Key, point: u32) -> Self {
        Neighbour(u64::from(key.0) << 32 | u64::from(point))
    }

    #[inline(always)]
    pub fn key(self) -> Key {
        Key((self.0 >> 32) as u32)
    }

    #[inline(always)]
    pub fn point(self) -> u32 {
        self.0 as u32
    }
}

/// Points with lists of their neighbours. Every list holds all edges at its point that are not
/// longer than some length, so an edge on a list is on those of both of its ends.
pub(super) trait Space: Lunes {
    /// Whether lists ascend by key.
    const ASCENDING: bool;

    /// Number of points.
    fn len(&self) -> usize;

    /// The neighbours of a point.
    fn list(&self, point: u32) -> &[Neighbour];

    /// Whether every point of the lune of an edge is certainly closer to `z` than the edge is long,
    /// for a point `z` of the lune that is so far from the edge's ends. `false` where nothing is
    /// known.
    fn covers(edge: Key, to_a: Key, to_b: Key) -> bool;
}

/// Whether the edge of this key between `p` and `q` enters before `edge` does.
#[inline(always)]
pub(super) fn before(key: Key, p: u32, q: u32, edge: &WideEdge) -> bool {
    key < edge.key || (key == edge.key && WideEdge::new(key, p, q) < *edge)
}
