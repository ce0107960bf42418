//! What columns are made from, wherever the lengths of pairs come from.

use crate::topology::order::{Key, WideEdge};

/// Points with the lunes of their edges.
pub(super) trait Lunes: Sync {
    /// The length of the edge between two points, or what is ordered as lengths are but may be the
    /// same for two that differ; [`Key::NO_EDGE`] where there is none.
    fn key(&self, p: u32, q: u32) -> Key;

    /// A point of the lune of an edge whose longer edge to the ends is shortest; nothing if the
    /// lune is empty.
    fn apex(&self, edge: WideEdge) -> Option<u32>;
}
