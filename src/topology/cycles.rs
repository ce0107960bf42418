//! Representative cycles of dimension 1.

/// A closed walk, or several, that is born with a bar and dies with it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cycle {
    /// Length of its longest edge.
    pub birth: f32,
    /// From here on it is a boundary; `None` if never.
    pub death: Option<f32>,
    /// Its edges as pairs of point numbers. Every point is on an even number of them.
    pub edges: Vec<[u32; 2]>,
}
