//! How far apart two points are, and the order-preserving key that the engines sort by.

use super::order::Key;
use crate::error::{Error, Result};

/// A dissimilarity between points, or how the input already gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Metric {
    /// `sqrt(sum (x-y)^2)`, the default.
    #[default]
    Euclidean,
    /// `sum (x-y)^2`.
    SqEuclidean,
    /// `sum |x-y|`.
    Cityblock,
    /// `max |x-y|`.
    Chebyshev,
    /// `1 - <x,y> / (|x| |y|)`. Not a metric (no triangle inequality); the barcode needs none. A
    /// zero vector is at distance 1 from everything. It is computed as half of the squared distance
    /// between the points brought to length 1: a difference from 1 would leave no digits of the
    /// distance of two near neighbours.
    Cosine,
    /// `1 - r` with Pearson's correlation coefficient `r`: the cosine distance of the points
    /// without their means.
    Correlation,
    /// Number of hops in the graph that joins every point with its nearest: see
    /// [`crate::topology::knn_hops`].
    #[cfg_attr(feature = "serde", serde(rename = "knn-hops"))]
    KnnHops,
    /// The input is a distance matrix.
    Precomputed,
    /// The input is a weighted graph; an edge that is not listed never enters.
    Sparse,
}

impl std::str::FromStr for Metric {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        Self::parse(name)
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Metric {
    /// The metrics that are computed from the coordinates of two points.
    pub const OF_POINTS: [Metric; 6] =
        [Metric::Euclidean, Metric::SqEuclidean, Metric::Cityblock, Metric::Chebyshev, Metric::Cosine, Metric::Correlation];

    /// The name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Euclidean => "euclidean",
            Metric::SqEuclidean => "sqeuclidean",
            Metric::Cityblock => "cityblock",
            Metric::Chebyshev => "chebyshev",
            Metric::Cosine => "cosine",
            Metric::Correlation => "correlation",
            Metric::KnnHops => "knn-hops",
            Metric::Precomputed => "precomputed",
            Metric::Sparse => "sparse",
        }
    }

    /// Whether no way over a third point is shorter than the direct one. Of distance matrices it is
    /// assumed.
    pub fn obeys_triangles(self) -> bool {
        matches!(self, Metric::Euclidean | Metric::Cityblock | Metric::Chebyshev | Metric::Precomputed)
    }

    /// Other names that are understood.
    pub fn synonyms(self) -> &'static [&'static str] {
        match self {
            Metric::Euclidean => &["l2"],
            Metric::Cityblock => &["manhattan", "l1"],
            Metric::Chebyshev => &["max", "linf"],
            _ => &[],
        }
    }

    /// Finds a metric on points by its name.
    ///
    /// # Errors
    /// [`Error::Input`] with the known names.
    pub fn parse(name: &str) -> Result<Self> {
        let known = || Self::OF_POINTS.into_iter().chain([Metric::KnnHops]);
        known().find(|m| m.name() == name || m.synonyms().contains(&name)).ok_or_else(|| {
            let known: Vec<_> = known().map(Metric::name).collect();
            Error::unknown("metric", name, &known)
        })
    }

    /// The value that the engines order by, by its definition: what both are tested against.
    /// Euclidean distances are ordered by their squares: the root is taken once, at a bar's ends,
    /// on the host, so no adapter's square root can reorder two edges.
    ///
    /// Every sum runs from the first coordinate to the last by differences (never by the Gram
    /// trick, which loses all digits far from the origin), the same as the shader does.
    pub(crate) fn key_of_points(self, x: &[f32], y: &[f32]) -> f32 {
        let pairs = x.iter().zip(y);
        match self {
            Metric::Cityblock => pairs.fold(0.0, |s, (a, b)| s + (a - b).abs()),
            Metric::Chebyshev => pairs.fold(0.0, |s: f32, (a, b)| s.max((a - b).abs())),
            Metric::Cosine => {
                let (a, b) = (over_length(x), over_length(y));
                cosine_key(pairs.fold(0.0, |s, (x, y)| s + (x * a - y * b) * (x * a - y * b)), a, b)
            }
            Metric::Correlation => {
                let centred = |x: &[f32]| x.iter().map(|a| a - mean(x)).collect::<Vec<f32>>();
                Metric::Cosine.key_of_points(&centred(x), &centred(y))
            }
            _ => pairs.fold(0.0, |s, (a, b)| s + (a - b) * (a - b)),
        }
    }

    /// The distance between two points by a metric on points.
    pub(crate) fn distance_of_points(self, x: &[f32], y: &[f32]) -> f32 {
        self.distance(Key::of_length(self.key_of_points(x, y)))
    }

    /// From the ordered value (as bits) back to a distance.
    pub(crate) fn distance(self, key: Key) -> f32 {
        let value = key.length();
        if self == Metric::Euclidean { value.sqrt() } else { value }
    }

    /// The largest key whose distance is not above `threshold`: an edge as long as the threshold is
    /// in.
    pub(crate) fn threshold_key(self, threshold: f32) -> Key {
        if threshold.is_nan() || threshold < 0.0 {
            return Key(0);
        }
        if self != Metric::Euclidean {
            return Key((threshold + 0.0).to_bits()).min(Key::MAX); // -0.0 is 0.0
        }
        // The square may round either way; step to the last key whose root still fits.
        let mut key = Key((threshold * threshold).to_bits()).min(Key::MAX);
        while key < Key::MAX && self.distance(Key(key.0 + 1)) <= threshold {
            key.0 += 1;
        }
        while key.0 > 0 && self.distance(key) > threshold {
            key.0 -= 1;
        }
        key
    }
}

/// The mean of a point's coordinates, summed from the first to the last.
pub(crate) fn mean(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |s, a| s + a) / x.len() as f32
}

/// One over the length of a point; 0 for the zero vector.
pub(crate) fn over_length(x: &[f32]) -> f32 {
    let square = x.iter().fold(0.0, |s, a| s + a * a);
    if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 }
}

/// The cosine distance from the squared distance of two points brought to length 1, and what
/// brought them there ([`over_length`]).
pub(crate) fn cosine_key(square: f32, a: f32, b: f32) -> f32 {
    if a > 0.0 && b > 0.0 { (0.5 * square).min(2.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threshold_key_is_the_last_key_that_fits() {
        for t in [0.0f32, 1e-12, 0.1, 0.35, 0.9, 1.0, 1.2, 3.0, 1234.567, 1e18] {
            let key = Metric::Euclidean.threshold_key(t);
            assert!(Metric::Euclidean.distance(key) <= t);
            assert!(Metric::Euclidean.distance(Key(key.0 + 1)) > t);
        }
        assert_eq!(Metric::Euclidean.threshold_key(f32::INFINITY), Key::MAX);
        assert_eq!(Metric::Cityblock.threshold_key(-0.0), Key(0));
        assert_eq!(Metric::Cityblock.threshold_key(2.5), Key(2.5f32.to_bits()));
    }

    #[test]
    fn names_come_back() {
        for m in Metric::OF_POINTS {
            assert_eq!(Metric::parse(m.name()).unwrap(), m);
        }
        assert_eq!(Metric::parse("manhattan").unwrap(), Metric::Cityblock);
        assert!(Metric::parse("taxi").unwrap_err().to_string().contains("cityblock"));
    }
}
