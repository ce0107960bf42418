//! How a cloud is made ready for an engine: sampled, rescaled, turned into a graph of hops.

use super::cloud::Cloud;
use super::cpu::check_size;
use super::hops::watched;
use super::metric::Metric;
use super::options::Options;
use super::order::Key;
use super::sampling::farthest_points;
use super::source::Source;
use super::task::Task;
use crate::error::{Error, Result};

/// A cloud that an engine can take.
pub(super) struct Prepared<'a> {
    given: Source<'a>,
    /// What takes its place, where it had to be changed.
    changed: Option<Cloud>,
    /// By what its distances were multiplied.
    pub factor: f32,
    /// Number of points before sampling, and how far the one is that is farthest from the sample,
    /// in the engine's lengths.
    pub sampled: Option<(usize, Key)>,
    /// How the given cloud's distances are made.
    pub metric: Metric,
}

impl Prepared<'_> {
    /// What the engine reads.
    pub fn source(&self) -> Source<'_> {
        self.changed.as_ref().map_or(self.given, Source::from)
    }
}

/// Numbers that a cloud takes in its changed form, about: none if it stays as it is. That it may
/// have to be rescaled is not counted, for hardly any has.
pub(super) fn weight(cloud: &Source<'_>, options: &Options) -> usize {
    let n = options.max_points.map_or(cloud.len(), |most| most.min(cloud.len()));
    match cloud.features() {
        Some(_) if options.metric == Metric::KnnHops => n.saturating_mul(n),
        Some(features) if n < cloud.len() => n.saturating_mul(features),
        None if n < cloud.len() => n.saturating_mul(n) / 2,
        _ => 0,
    }
}

/// Samples, counts hops, and rescales, where any of it is needed. Most clouds stay as they are.
///
/// # Errors
/// [`Error::Input`] for a coordinate that is not finite, a graph that should be sampled,
/// or too many nearest neighbours; [`Error::Interrupted`] when the task is cancelled; for fewer
/// points than are given where cycles or edges are asked for.
pub(super) fn prepare<'a>(given: Source<'a>, options: &Options, task: &Task<'_>) -> Result<Prepared<'a>> {
    let metric = given.metric(options.metric);
    let mut ready = Prepared { given, changed: None, factor: 1.0, sampled: None, metric };
    // First of all the magnitude: everything after it computes distances.
    if let Some(features) = given.features()
        && let Some((scaled, factor)) = rescaled(&given, features, options.metric)?
    {
        ready.changed = Some(scaled);
        ready.factor = factor;
    }
    if let Some(most) = options.max_points.filter(|&most| most < given.len()) {
        if options.names_simplices() {
            return Err(Error::input("points would be named that are those of a sample: take all points, or sample them before"));
        }
        let (sample, radius) = sampled(&ready.source(), most, options.metric)?;
        ready.changed = Some(sample);
        ready.sampled = Some((given.len(), Key::of_length(radius)));
    }
    if options.metric == Metric::KnnHops && given.features().is_some() {
        let n = ready.source().len();
        // So few hops that the graph is sparse need no table.
        if options.max_dim > 1 || options.threshold.is_none() {
            check_size(n, options.max_dim)?;
        }
        let most = options.threshold.map(|t| t.min(u32::MAX as f32) as u32);
        let hops = match &ready.changed {
            Some(Cloud::Points(points)) => watched(points, options.k, most, task)?,
            _ => watched(&ready.source().points(0..n)?, options.k, most, task)?,
        };
        ready.changed = Some(hops.into());
        ready.factor = 1.0;
    }
    Ok(ready)
}

/// Some of the points, and the covering radius as the engine orders lengths.
fn sampled(cloud: &Source<'_>, most: usize, metric: Metric) -> Result<(Cloud, f32)> {
    match cloud {
        Source::Points(..) => {
            // Hops are between neighbours of the sample; the sample itself is spread by distance.
            let metric = if metric == Metric::KnnHops { Metric::Euclidean } else { metric };
            let key = |i: usize, j: usize| metric.key_of_points(cloud.point(i), cloud.point(j));
            let (kept, radius) = farthest_points(cloud.len(), most, key);
            Ok((cloud.points(kept.into_iter())?.into(), radius))
        }
        Source::Distances(matrix) => {
            let (kept, radius) = farthest_points(matrix.len(), most, |i, j| matrix.between(i, j));
            Ok((matrix.among(&kept)?.into(), radius))
        }
        Source::Edges(_) => Err(Error::input("a graph cannot be sampled: give points or a distance matrix")),
    }
}

/// How large the largest coordinate may be so that neither distances nor their squares overflow,
/// and how small so that they do not vanish.
fn ordinary(metric: Metric, features: usize) -> std::ops::Range<f32> {
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
fn rescaled(points: &Source<'_>, features: usize, metric: Metric) -> Result<Option<(Cloud, f32)>> {
    let largest = points.largest()?;
    let ordinary = ordinary(metric, features);
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
    let scaled = points.points(0..points.len())?.map(|x| x * factor);
    let grown = match metric {
        Metric::SqEuclidean => factor * factor,
        // Angles and hops do not grow.
        Metric::Cosine | Metric::Correlation | Metric::KnnHops => 1.0,
        _ => factor,
    };
    Ok(Some((scaled.into(), grown)))
}
