//! Filters without which the samples keep their barcode: no gradients, no weights, no labels.
//!
//! Samples are points in a layer's space, the mean of each map over the cells of a 4 x 4 grid their
//! coordinates. Squared distances add up over filters, so the cloud without a filter costs one
//! subtraction. Filters go one by one, each time the one without which the barcode of the samples,
//! scaled to a total length of 1, is nearest to that of the whole layer: the sum of the differences
//! of the sorted lengths of bars (for one dimension that is the Wasserstein distance of order 1
//! between the lengths). The clouds of all candidates are one batch of distance matrices for the
//! engine.

use super::super::scoring::maps_of;
use super::{LayerScores, SampleOptions, Scoring};
use crate::error::{Error, Result};
use crate::nn::{Group, bridge};
use crate::topology::{Cloud, DistanceMatrix, Engine, Options};
use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Cells of a map, along each side, over which it is averaged.
const CELLS: usize = 4;
/// Clouds that are handed to the engine at once.
const CLOUDS: usize = 512;

/// How the samples are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplesOptions {
    /// Samples, the points of each cloud.
    pub samples: usize,
    /// Dimension of the bars that are to stay, 0 or 1.
    pub dimension: usize,
    /// Decides the samples.
    pub seed: u64,
}

impl Default for SamplesOptions {
    fn default() -> Self {
        Self { samples: 128, dimension: 0, seed: 0 }
    }
}

impl SamplesOptions {
    /// For bars of a dimension, with at most as many samples as are usual.
    pub fn of(dimension: usize, samples: usize, seed: u64) -> Self {
        Self { samples: samples.min(Self::default().samples), dimension, seed }
    }
}

/// Scores of every group: how far the barcode is from the whole one's when a filter goes, and all
/// that went before it.
pub(super) fn score(scoring: &mut Scoring<'_>, options: &SamplesOptions) -> Result<Vec<LayerScores>> {
    if options.dimension > 1 {
        return Err(Error::input("the samples' barcode is kept in dimension 0 or 1"));
    }
    let which = scoring.chosen(SampleOptions { samples: options.samples, seed: options.seed })?;
    let squares = squares(scoring, &which, true)?;
    let total: usize = scoring.groups.iter().map(|g| g.filters).sum();
    let mut done = 0;
    let groups: Vec<Group> = scoring.groups.clone();
    let mut found = Vec::new();
    for (group, squares) in groups.iter().zip(squares) {
        let engine = scoring.compute.engine.clone();
        let order = eliminate(&squares, which.len(), options.dimension, &engine, &mut |steps| {
            scoring.watch.at("filters ordered", (done + steps) as u64, total as u64);
            scoring.go_on()
        })?;
        done += group.filters;
        found.push(LayerScores::new(group.leader(), order));
    }
    Ok(found)
}

/// Maps averaged over the cells of a 4 x 4 grid, or as they are where they have no more pixels.
pub(super) fn pooled(maps: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = maps.dims();
    let side = [height.min(CELLS), width.min(CELLS)];
    if side == [height, width] { maps } else { adaptive_avg_pool2d(maps, side) }
}

/// For every group and filter the squared distances between samples, the strict lower triangle;
/// where a group is seen several times, their sum. Coarse maps are averaged over cells
/// ([`pooled`]).
pub(super) fn squares(scoring: &mut Scoring<'_>, which: &[usize], coarse: bool) -> Result<Vec<Vec<Vec<f32>>>> {
    let places = scoring.places();
    let mut seen = vec![Vec::new(); places.len()];
    let mut cells = vec![0usize; places.len()];
    for some in which.chunks(super::BATCH) {
        scoring.go_on()?;
        let mut pooled = Vec::new();
        scoring.net.forward_with(scoring.rows(some), &mut |layer, flow| {
            if let Some(place) = places.iter().position(|(at, _)| *at == layer) {
                let maps = maps_of(flow.clone(), places[place].1);
                let maps = if coarse { self::pooled(maps) } else { maps };
                pooled.push((place, maps.dims()[2] * maps.dims()[3], maps));
            }
            true
        });
        for (place, number, maps) in pooled {
            cells[place] = number;
            seen[place].extend(bridge::read(maps)?);
        }
    }
    let n = which.len();
    let mut place = 0;
    let mut found = Vec::new();
    for group in &scoring.groups {
        let of_filter = |filter: usize| {
            let mut lower = vec![0.0f32; n * (n - 1) / 2];
            for at in place..place + group.seen.len() {
                let point = |i: usize| &seen[at][(i * group.filters + filter) * cells[at]..][..cells[at]];
                let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
                for (sum, (i, j)) in lower.iter_mut().zip(pairs) {
                    *sum += point(i).iter().zip(point(j)).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
                }
            }
            lower
        };
        found.push((0..group.filters).into_par_iter().map(of_filter).collect());
        place += group.seen.len();
    }
    Ok(found)
}

/// Lengths of bars, the shortest first, over their sum.
fn lengths(clouds: Vec<Vec<f32>>, n: usize, dimension: usize, engine: &Engine) -> Result<Vec<Vec<f64>>> {
    let wanted = Options::default().max_dim(dimension);
    let clouds: Vec<Cloud> =
        clouds.into_par_iter().map(|lower| Ok(DistanceMatrix::from_lower(n, lower)?.into())).collect::<Result<_>>()?;
    let barcodes = engine.barcodes(&clouds, &wanted)?;
    let of = |barcode: &crate::topology::Barcode| {
        let bars = barcode.bars[dimension].iter().filter(|b| b.death.is_finite());
        let mut lengths: Vec<f64> = bars.map(|b| f64::from(b.death) - f64::from(b.birth)).collect();
        lengths.sort_by(f64::total_cmp);
        let sum: f64 = lengths.iter().sum();
        lengths.iter_mut().for_each(|l| *l /= sum.max(f64::MIN_POSITIVE));
        lengths
    };
    Ok(barcodes.par_iter().map(of).collect())
}

/// The sum of differences of sorted lengths; bars that one has more than the other are matched with
/// none.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let more = long.len() - short.len();
    long[..more].iter().sum::<f64>() + long[more..].iter().zip(short).map(|(x, y)| (x - y).abs()).sum::<f64>()
}

/// Lets filters go one by one and returns for each how far the barcode had come when it went: a
/// little more than the one before it at least, so that the order is kept.
fn eliminate(
    squares: &[Vec<f32>],
    n: usize,
    dimension: usize,
    engine: &Engine,
    step: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Vec<f64>> {
    let pairs = n * (n - 1) / 2;
    // Sums in double precision: filters are taken off one after the other.
    let mut total = vec![0.0f64; pairs];
    squares.iter().for_each(|s| total.iter_mut().zip(s).for_each(|(t, x)| *t += f64::from(*x)));
    let root = |x: f64| x.max(0.0).sqrt() as f32;
    let whole = lengths(vec![total.iter().map(|&t| root(t)).collect()], n, dimension, engine)?.remove(0);
    let mut left: Vec<usize> = (0..squares.len()).collect();
    let (mut scores, mut last) = (vec![0.0; squares.len()], 0.0f64);
    while left.len() > 1 {
        step(squares.len() - left.len())?;
        let mut best: Option<(f64, usize)> = None;
        for (chunk, some) in left.chunks(CLOUDS).enumerate() {
            let without = |&filter: &usize| -> Vec<f32> {
                total.iter().zip(&squares[filter]).map(|(&t, &x)| root(t - f64::from(x))).collect()
            };
            let clouds: Vec<Vec<f32>> = some.par_iter().map(without).collect();
            for (i, lengths) in lengths(clouds, n, dimension, engine)?.iter().enumerate() {
                let apart = apart(lengths, &whole);
                if best.is_none_or(|(least, _)| apart < least) {
                    best = Some((apart, chunk * CLOUDS + i));
                }
            }
        }
        let Some((apart, at)) = best else { break };
        let filter = left.remove(at);
        total.iter_mut().zip(&squares[filter]).for_each(|(t, &x)| *t -= f64::from(x));
        last = apart.max(last + 1e-9);
        scores[filter] = last;
    }
    if let Some(&filter) = left.first() {
        scores[filter] = last + 1.0;
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_matched_from_the_longest() {
        assert_eq!(apart(&[0.25, 0.75], &[1.0]), 0.5);
        assert_eq!(apart(&[1.0], &[0.25, 0.75]), 0.5);
        assert_eq!(apart(&[], &[]), 0.0);
    }

    /// Two heaps of samples that one filter tells apart: it stays to the last, and filters that are
    /// copies of one another go before it.
    #[test]
    fn the_filter_that_tells_samples_apart_stays() {
        let n = 16;
        let engine = Engine::cpu();
        let value = |filter: usize, i: usize| -> f32 {
            match filter {
                0 => 0.01 * ((i * 7 % 16) as f32),
                1 => {
                    if i < n / 2 {
                        0.0
                    } else {
                        10.0
                    }
                }
                2 => 0.01 * ((i * 5 % 16) as f32),
                _ => 0.0,
            }
        };
        let squares: Vec<Vec<f32>> =
            (0..4).map(|f| (0..n).flat_map(|i| (0..i).map(move |j| (value(f, i) - value(f, j)).powi(2))).collect()).collect();
        for dimension in [0, 1] {
            let scores = eliminate(&squares, n, dimension, &engine, &mut |_| Ok(())).unwrap();
            assert_eq!((0..4).filter(|&f| scores[f] < scores[3]).count(), 0, "a constant filter goes first: {scores:?}");
            if dimension == 0 {
                assert!(scores[1] > scores[0] && scores[1] > scores[2], "{scores:?}");
            }
        }
    }
}
