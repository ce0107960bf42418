//! One cloud as the engines read it.

use super::cloud::{Cloud, CloudView, DistanceMatrix, PointCloud, SparseGraph};
use super::metric::Metric;
use crate::error::{Error, Result};
use std::collections::HashMap;

/// Where a cloud's numbers are on the host.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// Points among these numbers.
    Points(&'a [f32], CloudView),
    /// A distance matrix.
    Distances(&'a DistanceMatrix),
    /// A weighted graph.
    Edges(&'a SparseGraph),
}

impl<'a> From<&'a PointCloud> for Source<'a> {
    fn from(points: &'a PointCloud) -> Self {
        Source::Points(points.data(), points.view())
    }
}

impl<'a> From<&'a Cloud> for Source<'a> {
    fn from(cloud: &'a Cloud) -> Self {
        match cloud {
            Cloud::Points(points) => points.into(),
            Cloud::Distances(matrix) => Source::Distances(matrix),
            Cloud::Edges(graph) => Source::Edges(graph),
        }
    }
}

impl<'a> Source<'a> {
    /// Number of points.
    pub fn len(&self) -> usize {
        match self {
            Source::Points(_, view) => view.len,
            Source::Distances(matrix) => matrix.len(),
            Source::Edges(graph) => graph.len(),
        }
    }

    /// When every point enters; nothing if all do at 0.
    pub fn births(&self) -> &'a [f32] {
        match self {
            Source::Points(..) => &[],
            Source::Distances(matrix) => matrix.births(),
            Source::Edges(graph) => graph.births(),
        }
    }

    /// Coordinates of a point; nothing where only distances are known.
    pub fn features(&self) -> Option<usize> {
        if let Source::Points(_, view) = self { Some(view.features) } else { None }
    }

    /// The coordinates of a point; none where only distances are known.
    pub fn point(&self, i: usize) -> &'a [f32] {
        if let Source::Points(data, view) = self { view.point(data, i) } else { &[] }
    }

    /// How its distances are made, given the metric for points: matrices and graphs bring their own
    /// lengths.
    pub fn metric(&self, of_points: Metric) -> Metric {
        match self {
            Source::Points(..) => of_points,
            Source::Distances(_) => Metric::Precomputed,
            Source::Edges(_) => Metric::Sparse,
        }
    }

    /// Some of the points in a cloud of their own, in this order.
    ///
    /// # Errors
    /// As [`PointCloud::new`].
    pub fn points(&self, which: impl ExactSizeIterator<Item = usize>) -> Result<PointCloud> {
        let len = which.len();
        let data = which.flat_map(|i| self.point(i).iter().copied()).collect();
        PointCloud::new(len, self.features().unwrap_or(0), data)
    }

    /// At most `most` of the points, evenly by their numbers, with what joins them.
    ///
    /// # Errors
    /// As [`PointCloud::new`].
    pub fn every_so_many(&self, most: usize) -> Result<Cloud> {
        let n = self.len();
        let most = most.clamp(1, n);
        let kept: Vec<usize> = (0..most).map(|i| i * n / most).collect();
        match self {
            Source::Points(..) => Ok(self.points(kept.into_iter())?.into()),
            Source::Distances(matrix) => Ok(matrix.among(&kept)?.into()),
            Source::Edges(graph) => {
                let number: HashMap<u32, u32> = kept.iter().zip(0u32..).map(|(&v, i)| (v as u32, i)).collect();
                let inside = |&(i, j, d): &(u32, u32, f32)| Some((*number.get(&i)?, *number.get(&j)?, d));
                let few = SparseGraph::new(most, graph.edges().iter().filter_map(inside).collect())?;
                let births: Vec<f32> = kept.iter().filter_map(|&v| graph.births().get(v).copied()).collect();
                Ok(if births.is_empty() { few } else { few.with_births(births)? }.into())
            }
        }
    }

    /// The largest magnitude of any coordinate.
    ///
    /// # Errors
    /// [`Error::Input`] for a coordinate that is not finite.
    pub fn largest(&self) -> Result<f32> {
        // The bits of magnitudes are ordered as the magnitudes are, and what is not finite is above
        // all others.
        let bits = |i: usize| self.point(i).iter().fold(0u32, |m, x| m.max(x.abs().to_bits()));
        let largest = f32::from_bits((0..self.len()).map(bits).max().unwrap_or(0));
        if largest.is_finite() {
            return Ok(largest);
        }
        let bad = (0..self.len()).find_map(|i| Some((i, self.point(i).iter().position(|x| !x.is_finite())?)));
        let (i, column) = bad.unwrap_or((0, 0));
        Err(Error::input(format!(
            "point {i} has the coordinate {} in column {column}: every coordinate must be finite",
            self.point(i)[column]
        )))
    }
}
