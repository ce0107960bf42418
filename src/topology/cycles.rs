//! Representative cycles of dimension 1, and cocycles of any.

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

/// A cocycle over Z/2 that stands for a bar: the simplices on which it is 1.
///
/// In the complex at any scale from the birth up to the death, every simplex of one dimension more
/// has an even number of these among its facets.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cocycle {
    /// Diameter of its first simplex.
    pub birth: f32,
    /// From here on it is no cocycle; `None` if it always is.
    pub death: Option<f32>,
    /// Its simplices, each by the numbers of its points.
    pub simplices: Vec<Vec<u32>>,
}
