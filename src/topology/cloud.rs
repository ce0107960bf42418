//! What the engines are given: points, distances, or a weighted graph.

use crate::error::{Error, Result};
use crate::topology::metric::Metric;
use crate::topology::source::Source;

/// `len` points in `R^features`, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct PointCloud {
    len: usize,
    features: usize,
    data: Vec<f32>,
}

impl PointCloud {
    /// Takes `len * features` coordinates, point by point.
    ///
    /// # Errors
    /// [`Error::Input`] when the count is wrong, there is no point, or a coordinate is not finite.
    pub fn new(len: usize, features: usize, data: Vec<f32>) -> Result<Self> {
        if len == 0 {
            return Err(Error::input("the point cloud is empty: at least one point is needed"));
        }
        if len.checked_mul(features) != Some(data.len()) {
            return Err(Error::input(format!("{} coordinates do not make {len} points in R^{features}", data.len())));
        }
        if let Some(at) = data.iter().position(|x| !x.is_finite()) {
            return Err(Error::input(format!(
                "point {} has the coordinate {} in column {}: every coordinate must be finite",
                at / features,
                data[at],
                at % features
            )));
        }
        Ok(Self { len, features, data })
    }

    /// Takes coordinates in double precision, for a metric, and rounds them to single precision
    /// after what the metric does not see has been taken off in double precision: the place of the
    /// cloud where only differences count, lengths for the cosine distance, means for the
    /// correlation. So points that lie close together and far from the origin keep their distances.
    ///
    /// Returns how many points became equal to another one that they differed from.
    ///
    /// # Errors
    /// As [`PointCloud::new`]; [`Error::Input`] for a coordinate that is beyond 32 bits even then.
    pub fn from_f64(len: usize, features: usize, data: &[f64], metric: Metric) -> Result<(Self, usize)> {
        if len.checked_mul(features) != Some(data.len()) || data.iter().any(|x| !x.is_finite()) {
            // The same mistakes as of single precision, in the same words.
            return Self::new(len, features, data.iter().map(|&x| x as f32).collect()).map(|cloud| (cloud, 0));
        }
        let mut data = data.to_vec();
        match metric {
            Metric::Cosine | Metric::Correlation => data.chunks_mut(features.max(1)).for_each(|point| {
                if metric == Metric::Correlation {
                    let mean = point.iter().sum::<f64>() / features as f64;
                    point.iter_mut().for_each(|x| *x -= mean);
                }
                // By a power of two, which loses nothing; the rest is the engine's.
                let largest = point.iter().fold(0.0f64, |m, x| m.max(x.abs()));
                if largest > 0.0 && !(1e-6..1e6).contains(&largest) {
                    let by = 2f64.powi((-largest.log2().floor() as i32).clamp(-1000, 1000));
                    point.iter_mut().for_each(|x| *x *= by);
                }
            }),
            _ => {
                for column in 0..features {
                    let of_column = || data.iter().skip(column).step_by(features);
                    let (least, most) = of_column().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
                    // Far away: so that rounding would cost more than three of the digits that tell
                    // points apart.
                    if least.abs().max(most.abs()) > 8.0 * (most - least) && least != most {
                        let middle = 0.5 * (least + most);
                        data.iter_mut().skip(column).step_by(features).for_each(|x| *x -= middle);
                    }
                }
            }
        }
        let narrow: Vec<f32> = data.iter().map(|&x| x as f32).collect();
        if let Some(at) = narrow.iter().position(|x| !x.is_finite()) {
            return Err(Error::input(format!(
                "point {} has the coordinate {:e} in column {}, beyond the numbers of 32 bits: scale the columns",
                at / features,
                data[at],
                at % features
            )));
        }
        let mut seen = std::collections::HashMap::new();
        let mut merged = 0;
        if !matches!(metric, Metric::Cosine | Metric::Correlation) {
            for i in 0..len {
                let of = i * features..(i + 1) * features;
                let bits: Vec<u32> = narrow[of.clone()].iter().map(|x| (x + 0.0).to_bits()).collect();
                let first = *seen.entry(bits).or_insert(i);
                merged += usize::from(data[of] != data[first * features..(first + 1) * features]);
            }
        }
        Ok((Self::new(len, features, narrow)?, merged))
    }

    /// Number of points.
    #[allow(clippy::len_without_is_empty, reason = "a cloud is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Dimension of the space that the points lie in.
    pub fn features(&self) -> usize {
        self.features
    }

    /// All coordinates, point by point.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The coordinates of point `i`.
    pub fn point(&self, i: usize) -> &[f32] {
        &self.data[i * self.features..(i + 1) * self.features]
    }

    /// All of it as a view of its numbers.
    pub(super) fn view(&self) -> CloudView {
        CloudView { len: self.len, features: self.features, offset: 0, stride: self.features }
    }

    /// The cloud with every coordinate multiplied by a number.
    pub(crate) fn scaled(self, by: f32) -> Self {
        self.map(|x| x * by)
    }

    /// The cloud with every coordinate changed to another finite one.
    pub(super) fn map(mut self, change: impl Fn(f32) -> f32) -> Self {
        self.data.iter_mut().for_each(|x| *x = change(*x));
        self
    }
}

/// Distances between `len` things: the strict lower triangle, row by row (`d(1,0), d(2,0), d(2,1),
/// ...`).
#[derive(Clone, Debug, PartialEq)]
pub struct DistanceMatrix {
    len: usize,
    lower: Vec<f32>,
    births: Vec<f32>,
}

impl DistanceMatrix {
    /// Takes the `len (len-1) / 2` entries of the strict lower triangle. `+inf` means: never an
    /// edge.
    ///
    /// # Errors
    /// [`Error::Input`] for a wrong count, NaN or a negative distance.
    pub fn from_lower(len: usize, mut lower: Vec<f32>) -> Result<Self> {
        if len == 0 {
            return Err(Error::input("the distance matrix is empty: at least one point is needed"));
        }
        let need = len.checked_mul(len - 1).map(|both| both / 2);
        if need != Some(lower.len()) {
            return Err(Error::input(format!(
                "{} entries are not the lower triangle of a {len} x {len} distance matrix: len (len - 1) / 2 are needed",
                lower.len()
            )));
        }
        for (at, d) in lower.iter_mut().enumerate() {
            if d.is_nan() || *d < 0.0 {
                let (i, j) = row_and_column(at);
                return Err(Error::input(format!("the distance between {i} and {j} is {d}: it must be 0 or more")));
            }
            *d += 0.0; // -0.0 becomes 0.0: keys are compared by their bits
        }
        Ok(Self { len, lower, births: Vec::new() })
    }

    /// The same distances between things that enter the filtration at these lengths, and not at 0.
    /// The native engine computes the barcode then, whichever engine is asked.
    ///
    /// # Errors
    /// [`Error::Input`] for a wrong count, a birth that is not finite or negative, or a
    /// pair that is closer than one of the two is born.
    pub fn with_births(self, births: Vec<f32>) -> Result<Self> {
        let pairs = (1..self.len).flat_map(|i| (0..i).map(move |j| (i, j)));
        let births = checked_births(self.len, births, pairs.zip(&self.lower).map(|((i, j), &d)| (i, j, d)))?;
        Ok(Self { births, ..self })
    }

    /// When every thing enters; nothing if all do at 0.
    pub fn births(&self) -> &[f32] {
        &self.births
    }

    /// Takes a full square matrix, row by row.
    ///
    /// # Errors
    /// [`Error::Input`] when it is not square, not symmetric or has a non-zero diagonal.
    pub fn from_square(len: usize, square: &[f32]) -> Result<Self> {
        if len.checked_mul(len) != Some(square.len()) {
            return Err(Error::input(format!("{} entries are not a {len} x {len} matrix", square.len())));
        }
        let mut lower = Vec::with_capacity(len * len.saturating_sub(1) / 2);
        for i in 0..len {
            if square[i * len + i] != 0.0 {
                return Err(Error::input(format!(
                    "the distance matrix has {} on its diagonal (row {i}): it must be 0",
                    square[i * len + i]
                )));
            }
            for j in 0..i {
                let (d, e) = (square[i * len + j], square[j * len + i]);
                // Tables written with few digits may differ in the last place.
                let apart = (d - e).abs() > 1e-6 * d.abs().max(e.abs());
                if apart || d.is_nan() != e.is_nan() || d.is_infinite() != e.is_infinite() {
                    return Err(Error::input(format!(
                        "the distance matrix is not symmetric: ({i},{j}) is {d}, ({j},{i}) is {e}"
                    )));
                }
                lower.push(d);
            }
        }
        Self::from_lower(len, lower)
    }

    /// Number of points.
    #[allow(clippy::len_without_is_empty, reason = "a matrix is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The distance between two things.
    pub fn between(&self, i: usize, j: usize) -> f32 {
        let (i, j) = (i.max(j), i.min(j));
        if i == j { 0.0 } else { self.lower[i * (i - 1) / 2 + j] }
    }

    /// The distances between some of the things, which are numbered in this order.
    ///
    /// # Errors
    /// As [`DistanceMatrix::from_lower`].
    pub(super) fn among(&self, kept: &[usize]) -> Result<Self> {
        let pairs = (1..kept.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        let among = Self::from_lower(kept.len(), pairs.map(|(i, j)| self.between(kept[i], kept[j])).collect())?;
        let births = if self.births.is_empty() { Vec::new() } else { kept.iter().map(|&i| self.births[i]).collect() };
        Ok(Self { births, ..among })
    }

    /// The strict lower triangle, row by row.
    pub fn lower(&self) -> &[f32] {
        &self.lower
    }
}

/// A weighted graph on `len` vertices. Pairs that are not listed never get an edge.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseGraph {
    len: usize,
    edges: Vec<(u32, u32, f32)>,
    births: Vec<f32>,
}

impl SparseGraph {
    /// Takes edges `(i, j, length)` in any order and direction.
    ///
    /// # Errors
    /// [`Error::Input`] for a loop, a vertex out of range, a bad length, or the same pair with two
    /// lengths.
    pub fn new(len: usize, edges: Vec<(u32, u32, f32)>) -> Result<Self> {
        if len == 0 {
            return Err(Error::input("the graph is empty: at least one vertex is needed"));
        }
        let mut sorted = Vec::with_capacity(edges.len());
        for (i, j, d) in edges {
            if i == j {
                return Err(Error::input(format!("the edge ({i},{j}) is a loop")));
            }
            if i.max(j) as usize >= len {
                return Err(Error::input(format!("the edge ({i},{j}) names a vertex beyond the {len} of the graph")));
            }
            if d.is_nan() || d < 0.0 {
                return Err(Error::input(format!("the edge ({i},{j}) has the length {d}: it must be 0 or more")));
            }
            sorted.push((i.max(j), i.min(j), d + 0.0));
        }
        sorted.sort_by_key(|e| (e.0, e.1));
        let mut edges: Vec<(u32, u32, f32)> = Vec::with_capacity(sorted.len());
        for e in sorted {
            match edges.last() {
                Some(last) if (last.0, last.1) == (e.0, e.1) => {
                    if last.2 != e.2 {
                        return Err(Error::input(format!(
                            "the edge ({},{}) is listed with two lengths, {} and {}",
                            e.0, e.1, last.2, e.2
                        )));
                    }
                }
                _ => edges.push(e),
            }
        }
        Ok(Self { len, edges, births: Vec::new() })
    }

    /// The same graph with vertices that enter the filtration at these lengths, and not at 0. The
    /// native engine computes the barcode then, whichever engine is asked.
    ///
    /// # Errors
    /// [`Error::Input`] for a wrong count, a birth that is not finite or negative, or an edge that
    /// is shorter than one of its ends is born.
    pub fn with_births(self, births: Vec<f32>) -> Result<Self> {
        let edges = self.edges.iter().map(|&(i, j, d)| (i as usize, j as usize, d));
        let births = checked_births(self.len, births, edges)?;
        Ok(Self { births, ..self })
    }

    /// When every vertex enters; nothing if all do at 0.
    pub fn births(&self) -> &[f32] {
        &self.births
    }

    /// Number of vertices.
    #[allow(clippy::len_without_is_empty, reason = "a graph is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Edges `(i, j, length)` with `i > j`, ordered by `(i, j)`.
    pub fn edges(&self) -> &[(u32, u32, f32)] {
        &self.edges
    }
}

/// Any input of the engines.
#[derive(Clone, Debug, PartialEq)]
pub enum Cloud {
    /// Coordinates; the metric is an option of the computation.
    Points(PointCloud),
    /// A distance matrix.
    Distances(DistanceMatrix),
    /// A weighted graph.
    Edges(SparseGraph),
}

impl Cloud {
    /// Number of points or vertices.
    #[allow(clippy::len_without_is_empty, reason = "a cloud is never empty")]
    pub fn len(&self) -> usize {
        match self {
            Cloud::Points(p) => p.len(),
            Cloud::Distances(d) => d.len(),
            Cloud::Edges(g) => g.len(),
        }
    }

    /// How its distances are made, given the metric for points: matrices and graphs bring their own
    /// lengths.
    pub fn metric(&self, of_points: Metric) -> Metric {
        Source::from(self).metric(of_points)
    }
}

impl From<PointCloud> for Cloud {
    fn from(points: PointCloud) -> Self {
        Cloud::Points(points)
    }
}

impl From<DistanceMatrix> for Cloud {
    fn from(matrix: DistanceMatrix) -> Self {
        Cloud::Distances(matrix)
    }
}

impl From<SparseGraph> for Cloud {
    fn from(graph: SparseGraph) -> Self {
        Cloud::Edges(graph)
    }
}

/// Many clouds of points inside one array of numbers, without copying them out of it.
///
/// Point `i` of a cloud is the `features` numbers from `offset + i * stride`. An activation tensor
/// `[samples, channels, height, width]` is `channels` such clouds: offset `c h w`, stride `channels
/// h w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloudView {
    /// Number of points.
    pub len: usize,
    /// Numbers per point.
    pub features: usize,
    /// Where the first point begins.
    pub offset: usize,
    /// From the beginning of a point to that of the next.
    pub stride: usize,
}

impl CloudView {
    /// One past the last number that the view reads.
    pub fn end(&self) -> usize {
        let last = self.len.saturating_sub(1).saturating_mul(self.stride).saturating_add(self.offset);
        if self.len == 0 { 0 } else { last.saturating_add(self.features) }
    }

    /// The coordinates of point `i` in `data`.
    pub fn point<'a>(&self, data: &'a [f32], i: usize) -> &'a [f32] {
        &data[self.offset + i * self.stride..][..self.features]
    }

    /// Every channel of a `[samples, channels, plane]` tensor as one cloud of `samples` points.
    pub fn of_channels(samples: usize, channels: usize, plane: usize) -> Vec<CloudView> {
        (0..channels).map(|c| CloudView { len: samples, features: plane, offset: c * plane, stride: channels * plane }).collect()
    }
}

/// Births of vertices that make a filtration with these edges; nothing if all are 0.
fn checked_births(len: usize, births: Vec<f32>, mut edges: impl Iterator<Item = (usize, usize, f32)>) -> Result<Vec<f32>> {
    if births.len() != len {
        return Err(Error::input(format!("{} births are given for {len} points", births.len())));
    }
    if let Some(v) = births.iter().position(|b| !(b.is_finite() && *b >= 0.0)) {
        return Err(Error::input(format!("point {v} is born at {}: it must be a finite number, 0 or more", births[v])));
    }
    if let Some((i, j, d)) = edges.find(|&(i, j, d)| d < births[i].max(births[j])) {
        let v = if births[i] > births[j] { i } else { j };
        return Err(Error::input(format!(
            "the distance between {i} and {j} is {d}, and point {v} is born at {}: no edge enters before its ends",
            births[v]
        )));
    }
    Ok(if births.iter().all(|&b| b == 0.0) { Vec::new() } else { births })
}

/// Row and column of an entry of a strict lower triangle.
fn row_and_column(at: usize) -> (usize, usize) {
    let mut i = ((((8 * at + 1) as f64).sqrt() + 1.0) / 2.0) as usize;
    while i * (i - 1) / 2 > at {
        i -= 1;
    }
    while i * (i + 1) / 2 <= at {
        i += 1;
    }
    (i, at - i * (i - 1) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_numbers_are_named() {
        let e = PointCloud::new(2, 2, vec![0.0, 1.0, f32::NAN, 0.0]).unwrap_err().to_string();
        assert!(e.contains("point 1") && e.contains("column 0"), "{e}");
        assert!(PointCloud::new(0, 2, vec![]).is_err());
        let e = DistanceMatrix::from_lower(4, vec![1.0, 1.0, 1.0, 1.0, -2.0, 1.0]).unwrap_err().to_string();
        assert!(e.contains("between 3 and 1"), "{e}");
        let e = DistanceMatrix::from_square(2, &[0.0, 1.0, 2.0, 0.0]).unwrap_err().to_string();
        assert!(e.contains("not symmetric"), "{e}");
        assert!(DistanceMatrix::from_square(2, &[0.0, f32::INFINITY, 1.0, 0.0]).is_err());
        assert!(DistanceMatrix::from_square(2, &[0.0, f32::INFINITY, f32::INFINITY, 0.0]).is_ok());
        assert!(SparseGraph::new(3, vec![(0, 3, 1.0)]).is_err());
        assert!(SparseGraph::new(3, vec![(0, 1, 1.0), (1, 0, 2.0)]).is_err());
        assert_eq!(SparseGraph::new(3, vec![(0, 1, 1.0), (1, 0, 1.0)]).unwrap().edges(), &[(1, 0, 1.0)]);
    }

    #[test]
    fn lower_triangle_positions() {
        let mut at = 0;
        for i in 1..40 {
            for j in 0..i {
                assert_eq!(row_and_column(at), (i, j));
                at += 1;
            }
        }
    }

    #[test]
    fn channel_views_reach_exactly_the_tensor() {
        let views = CloudView::of_channels(5, 3, 4);
        assert_eq!(views.iter().map(CloudView::end).max(), Some(60));
        let data: Vec<f32> = (0..60).map(|x| x as f32).collect();
        assert_eq!(views[2].point(&data, 4), &[56.0, 57.0, 58.0, 59.0]);
    }
}
