//! What is to be computed.

use super::metric::Metric;
use crate::error::{Error, Result};

/// What is to be computed.
///
/// ```
/// use lacuna::topology::{Metric, Options};
/// let options = Options::default().max_dim(2).metric(Metric::Cosine).threshold(0.5);
/// assert_eq!((options.max_dim, options.threshold), (2, Some(0.5)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Highest dimension, 0 to 3.
    pub max_dim: usize,
    /// Metric for clouds of points; matrices and graphs bring their own lengths.
    pub metric: Metric,
    /// Nearest neighbours in the graph of [`Metric::KnnHops`], the point itself among them.
    pub k: usize,
    /// Longest edge that enters, as a distance; `None` is the whole filtration.
    pub threshold: Option<f32>,
    /// Clouds with more points are replaced by so many of them, by farthest-point sampling.
    pub max_points: Option<usize>,
    /// Take the time of every stage.
    pub profile: bool,
    /// Also find cycles that stand for so many longest bars of dimension 1. The native engine
    /// finds them, and computes the barcode then, whichever engine is asked.
    pub cycles: usize,
    /// Also say between which simplices every bar lies. The native engine does so, and computes the
    /// barcode then, whichever engine is asked. In dimension 3 this takes longer than the bars do.
    pub edges: bool,
    /// Also find a cocycle for every bar of dimension 1 and above. The native engine finds them, by
    /// cohomology, which takes longer than the bars do.
    pub cocycles: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_dim: 1,
            metric: Metric::Euclidean,
            k: 14,
            threshold: None,
            max_points: None,
            profile: false,
            cycles: 0,
            edges: false,
            cocycles: false,
        }
    }
}

impl Options {
    /// With another [`Options::max_dim`].
    #[must_use]
    pub fn max_dim(self, max_dim: usize) -> Self {
        Self { max_dim, ..self }
    }

    /// With another [`Options::metric`].
    #[must_use]
    pub fn metric(self, metric: Metric) -> Self {
        Self { metric, ..self }
    }

    /// By hops between `k` nearest neighbours: [`Metric::KnnHops`] and its [`Options::k`].
    #[must_use]
    pub fn hops(self, k: usize) -> Self {
        Self { metric: Metric::KnnHops, k, ..self }
    }

    /// With another [`Options::k`].
    #[must_use]
    pub fn k(self, k: usize) -> Self {
        Self { k, ..self }
    }

    /// With another [`Options::threshold`], a number or `None`.
    #[must_use]
    pub fn threshold(self, threshold: impl Into<Option<f32>>) -> Self {
        Self { threshold: threshold.into(), ..self }
    }

    /// With another [`Options::max_points`], a number or `None`.
    #[must_use]
    pub fn max_points(self, max_points: impl Into<Option<usize>>) -> Self {
        Self { max_points: max_points.into(), ..self }
    }

    /// With or without [`Options::profile`].
    #[must_use]
    pub fn profile(self, profile: bool) -> Self {
        Self { profile, ..self }
    }

    /// With so many [`Options::cycles`].
    #[must_use]
    pub fn cycles(self, cycles: usize) -> Self {
        Self { cycles, ..self }
    }

    /// With or without [`Options::edges`].
    #[must_use]
    pub fn edges(self, edges: bool) -> Self {
        Self { edges, ..self }
    }

    /// With or without [`Options::cocycles`].
    #[must_use]
    pub fn cocycles(self, cocycles: bool) -> Self {
        Self { cocycles, ..self }
    }

    /// Whether more than bars is asked for, which the native engine alone knows.
    pub(super) fn names_simplices(&self) -> bool {
        self.edges || self.cycles > 0 || self.cocycles
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.max_dim > 3 {
            return Err(Error::input(format!(
                "dimension {} is not available: the engines compute dimensions 0 to 3",
                self.max_dim
            )));
        }
        if self.threshold.is_some_and(|t| t.is_nan() || t < 0.0) {
            return Err(Error::input("the threshold must be a number, 0 or more"));
        }
        if self.max_points == Some(0) {
            return Err(Error::input("at least one point must be kept"));
        }
        if !Metric::OF_POINTS.contains(&self.metric) && self.metric != Metric::KnnHops {
            return Err(Error::input(format!("'{}' is not a metric on points", self.metric.name())));
        }
        if self.cycles > 0 && self.max_dim == 0 {
            return Err(Error::input("cycles are of dimension 1, and only dimension 0 is asked for"));
        }
        if self.cocycles && self.max_dim == 0 {
            return Err(Error::input("cocycles are of dimension 1 and above, and only dimension 0 is asked for"));
        }
        Ok(())
    }
}
