//! What is to be computed, and how the input is made ready for it.

use super::cloud::{Cloud, DistanceMatrix, PointCloud};
use super::cpu::check_size;
use super::hops::knn_hops;
use super::metric::Metric;
use super::sampling::farthest_points;
use crate::error::{Error, Result};

/// What is to be computed.
#[derive(Clone, Copy, Debug, PartialEq)]
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
}

impl Default for Options {
    fn default() -> Self {
        Self { max_dim: 1, metric: Metric::Euclidean, k: 14, threshold: None, max_points: None, profile: false }
    }
}

impl Options {
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
        Ok(())
    }

    /// The metric of a cloud's barcode.
    pub fn metric_of(&self, cloud: &Cloud) -> Metric {
        match cloud {
            Cloud::Points(_) => self.metric,
            Cloud::Distances(_) => Metric::Precomputed,
            Cloud::Edges(_) => Metric::Sparse,
        }
    }
}

/// A cloud that had to be changed before an engine can take it.
pub(super) struct Prepared {
    pub cloud: Cloud,
    /// By what its distances were multiplied.
    pub factor: f32,
    /// Number of points before sampling.
    pub sampled_from: Option<usize>,
}

/// Samples, counts hops, and rescales, where any of it is needed; `None` for most input.
///
/// # Errors
/// [`Error::Input`] for a graph that should be sampled, or too many nearest neighbours.
pub(super) fn prepare(cloud: &Cloud, options: &Options) -> Result<Option<Prepared>> {
    // First of all the magnitude: everything after it computes distances.
    let mut ready = match cloud {
        Cloud::Points(points) => {
            rescaled(points, options.metric)?.map(|(cloud, factor)| Prepared { cloud, factor, sampled_from: None })
        }
        _ => None,
    };
    let factor = ready.as_ref().map_or(1.0, |r| r.factor);
    if let Some(most) = options.max_points.filter(|&most| most < cloud.len()) {
        let all = ready.as_ref().map_or(cloud, |r| &r.cloud);
        ready = Some(Prepared { cloud: sampled(all, most, options.metric)?, factor, sampled_from: Some(cloud.len()) });
    }
    if options.metric == Metric::KnnHops
        && let Cloud::Points(points) = ready.as_ref().map_or(cloud, |r| &r.cloud)
    {
        check_size(points.len(), options.max_dim)?;
        let most = options.threshold.map(|t| t.min(u32::MAX as f32) as u32);
        let hops = knn_hops(points, options.k, most)?.into();
        ready = Some(Prepared { cloud: hops, factor: 1.0, sampled_from: ready.and_then(|r| r.sampled_from) });
    }
    Ok(ready)
}

fn sampled(cloud: &Cloud, most: usize, metric: Metric) -> Result<Cloud> {
    match cloud {
        Cloud::Points(p) => {
            // Hops are between neighbours of the sample; the sample itself is spread by distance.
            let metric = if metric == Metric::KnnHops { Metric::Euclidean } else { metric };
            let kept = farthest_points(p.len(), most, |i, j| metric.key_of_points(p.point(i), p.point(j)));
            let data = kept.iter().flat_map(|&i| p.point(i).to_vec()).collect();
            Ok(PointCloud::new(kept.len(), p.features(), data)?.into())
        }
        Cloud::Distances(d) => {
            let kept = farthest_points(d.len(), most, |i, j| d.between(i, j));
            let lower = (1..kept.len()).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| d.between(kept[i], kept[j]));
            Ok(DistanceMatrix::from_lower(kept.len(), lower.collect())?.into())
        }
        Cloud::Edges(_) => Err(Error::input("a graph cannot be sampled: give points or a distance matrix")),
    }
}

/// How large the largest coordinate may be so that neither distances nor their squares overflow,
/// and how small so that they do not vanish.
pub(super) fn ordinary(metric: Metric, features: usize) -> std::ops::Range<f32> {
    // A distance is at most this many times what one coordinate gives.
    let terms = 4.0 * features.max(1) as f32;
    match metric {
        Metric::Cityblock | Metric::Chebyshev => 1e-30..1e38 / terms,
        _ => 1e-12..(1e37 / terms).sqrt().min(1e16),
    }
}

/// The cloud multiplied by a power of two that brings its largest coordinate to the upper end of
/// the ordinary range, and the factor by which its distances grew; `None` for all ordinary data.
///
/// Multiplying by a power of two is exact; what was too small beside the largest coordinate to have
/// a square before still is.
fn rescaled(points: &PointCloud, metric: Metric) -> Result<Option<(Cloud, f32)>> {
    let largest = points.data().iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let ordinary = ordinary(metric, points.features());
    if largest == 0.0 || ordinary.contains(&largest) {
        return Ok(None);
    }
    // Squared distances are the engine's result then, and their factor has to be a number as well.
    let most = if metric == Metric::SqEuclidean { 60 } else { 120 };
    let factor = 2.0f32.powi((ordinary.end.log2() as i32 - 1 - largest.log2().floor() as i32).clamp(-most, most));
    if largest * factor >= ordinary.end || largest * factor < 1e-5 * ordinary.start {
        return Err(Error::input(format!(
            "coordinates up to {largest:e} have squared distances beyond the numbers of 32 bits: multiply them by {}",
            if largest > 1.0 { "1e-20" } else { "1e20" }
        )));
    }
    let data = points.data().iter().map(|x| x * factor).collect();
    let scaled = PointCloud::new(points.len(), points.features(), data)?;
    let grown = match metric {
        Metric::SqEuclidean => factor * factor,
        // Angles and hops do not grow.
        Metric::Cosine | Metric::Correlation | Metric::KnnHops => 1.0,
        _ => factor,
    };
    Ok(Some((scaled.into(), grown)))
}
