//! What filters respond to, and what they contribute.
//!
//! Qin, Yu, Liu and Chen ("Interpretable convolutional filter pruning", arXiv 1810.07322; no code
//! was published, this is our reading). For each filter an input is found that it responds to most
//! strongly, by climbing its mean activation's gradient from noise. Filters of a layer whose inputs
//! are alike (k-means, by the distance of pixels) have the same function. Within a function,
//! filters are ordered by their contribution, the mean absolute gradient of the loss by their
//! activations. The least contributing filter of the largest function goes first, and so on:
//! functions with many filters lose more, and each loses its last filter only when all others are
//! down to one.

use super::taps::taps;
use super::{LayerScores, SampleOptions, Scoring, maps_of};
use crate::error::{Error, Result};
use crate::nn::{Flow, Net, bridge};
use burn::tensor::{Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// How functions are found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionalityOptions {
    /// Samples for the contributions.
    pub samples: usize,
    /// Decides samples, noise and first centres.
    pub seed: u64,
    /// Steps of the climb.
    pub steps: usize,
    /// Length of a step, over the number of pixels' root.
    pub rate: f64,
    /// Filters per function, on average.
    pub per_function: usize,
}

impl Default for FunctionalityOptions {
    fn default() -> Self {
        Self { samples: 512, seed: 0, steps: 20, rate: 0.1, per_function: 4 }
    }
}

/// Filters whose inputs are climbed at once.
const AT_ONCE: usize = 64;
/// Rounds of k-means.
const ROUNDS: usize = 50;

/// Scores by function and contribution.
pub(super) fn score(scoring: &mut Scoring<'_>, options: &FunctionalityOptions) -> Result<Vec<LayerScores>> {
    if options.per_function == 0 || options.steps == 0 {
        return Err(Error::input("functionality needs at least one step and one filter per function"));
    }
    let which = scoring.chosen(SampleOptions { samples: options.samples, seed: options.seed })?;
    let net = scoring.net.frozen();
    let places: Vec<(usize, usize)> = scoring.groups.iter().map(|g| (g.seen[0], g.filters)).collect();
    let mut contributions: Vec<Vec<f64>> = places.iter().map(|&(_, filters)| vec![0.0; filters]).collect();
    for some in which.chunks(super::BATCH) {
        scoring.go_on()?;
        for (sums, tap) in contributions.iter_mut().zip(taps(&net, scoring, some, &places)?) {
            let of_filters = bridge::read(tap.gradient.abs().flatten::<3>(2, 3).mean_dim(2).sum_dim(0))?;
            // The gradient is of the batch's mean loss.
            let weight = some.len() as f64 / which.len() as f64;
            sums.iter_mut().zip(of_filters).for_each(|(s, x)| *s += f64::from(x) * weight);
        }
    }
    let mut found = Vec::new();
    for (nth, (&(at, filters), contributions)) in places.iter().zip(&contributions).enumerate() {
        let mut patterns = Vec::new();
        for first in (0..filters).step_by(AT_ONCE) {
            scoring.go_on()?;
            patterns.extend(favourites(&net, scoring, at, filters, first..filters.min(first + AT_ONCE), options)?);
        }
        let functions = k_means(&patterns, filters.div_ceil(options.per_function), options.seed);
        found.push(order(&functions, contributions));
        scoring.watch.at("functions of layers", nth as u64 + 1, places.len() as u64);
    }
    let mut next = found.into_iter();
    scoring.by_group(|_| Ok(next.next().unwrap_or_default()))
}

/// For some filters of a layer, inputs that they respond to strongly.
fn favourites(
    net: &Net,
    scoring: &Scoring<'_>,
    at: usize,
    filters: usize,
    some: std::ops::Range<usize>,
    options: &FunctionalityOptions,
) -> Result<Vec<Vec<f32>>> {
    let device = scoring.compute.device.clone().autodiff();
    let (count, width) = (some.len(), scoring.samples.width());
    // The same noise for all: what differs is the filters' doing.
    let mut rng = StdRng::seed_from_u64(options.seed);
    let noise: Vec<f32> = (0..width).map(|_| rng.random_range(-0.1..0.1)).collect();
    let mut x = Tensor::<2>::from_data(TensorData::new(noise, [1, width]), &device).repeat_dim(0, count);
    let mut own = vec![0.0f32; count * filters];
    some.clone().enumerate().for_each(|(row, filter)| own[row * filters + filter] = 1.0);
    let own = Tensor::<4>::from_data(TensorData::new(own, [count, filters, 1, 1]), &device);
    for _ in 0..options.steps {
        let leaf = Tensor::<2>::from_inner(x.clone().inner()).require_grad();
        let mut responses = None;
        net.forward_changed(leaf.clone(), &mut |layer, flow| {
            if layer < at {
                return ControlFlow::Continue(flow);
            }
            let maps = maps_of(flow, filters);
            let [_, _, height, wide] = maps.dims();
            responses = Some((maps * own.clone()).sum() / (height * wide) as f64);
            ControlFlow::Break(Flow::Flat(leaf.clone()))
        });
        let responses = responses.ok_or_else(|| Error::Internal(format!("the pass never came to layer {at}")))?;
        let Some(gradient) = leaf.grad(&responses.backward()) else { break };
        let lengths = gradient.clone().powi_scalar(2).sum_dim(1).sqrt() + 1e-12;
        let step = gradient / lengths * (options.rate * (width as f64).sqrt());
        x = Tensor::from_inner(leaf.inner() + step);
    }
    Ok(bridge::read(x.inner())?.chunks(width).map(<[f32]>::to_vec).collect())
}

/// The cluster of every point, by Lloyd's algorithm from centres that lie far apart (k-means++).
fn k_means(points: &[Vec<f32>], k: usize, seed: u64) -> Vec<usize> {
    let square = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from((x - y) * (x - y))).sum::<f64>();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut centres = vec![points[rng.random_range(0..points.len())].clone()];
    while centres.len() < k {
        let nearest = |p: &Vec<f32>| centres.iter().map(|c| square(p, c)).fold(f64::INFINITY, f64::min);
        let weights: Vec<f64> = points.iter().map(nearest).collect();
        let mut left = rng.random_range(0.0..1.0) * weights.iter().sum::<f64>();
        let next = weights.iter().position(|w| {
            left -= w;
            left <= 0.0 && *w > 0.0
        });
        // All points are centres already.
        let Some(next) = next else { break };
        centres.push(points[next].clone());
    }
    let mut of = vec![usize::MAX; points.len()];
    for _ in 0..ROUNDS {
        let nearest = |p: &Vec<f32>| {
            (0..centres.len()).min_by(|&a, &b| square(p, &centres[a]).total_cmp(&square(p, &centres[b]))).unwrap_or(0)
        };
        let now: Vec<usize> = points.iter().map(nearest).collect();
        if now == of {
            break;
        }
        of = now;
        for (c, centre) in centres.iter_mut().enumerate() {
            let members: Vec<&Vec<f32>> = points.iter().zip(&of).filter(|(_, o)| **o == c).map(|(p, _)| p).collect();
            if !members.is_empty() {
                for (i, x) in centre.iter_mut().enumerate() {
                    *x = members.iter().map(|m| m[i]).sum::<f32>() / members.len() as f32;
                }
            }
        }
    }
    of
}

/// Scores in whose order the filters go: minus the size that the filter's function has when it
/// goes, then its contribution.
fn order(functions: &[usize], contributions: &[f64]) -> Vec<f64> {
    let most = contributions.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut scores = vec![0.0; functions.len()];
    for function in 0..functions.len() {
        let mut members: Vec<usize> = (0..functions.len()).filter(|&f| functions[f] == function).collect();
        members.sort_by(|&a, &b| contributions[a].total_cmp(&contributions[b]).then(b.cmp(&a)));
        for (gone, &filter) in members.iter().enumerate() {
            scores[filter] = 0.5 * contributions[filter] / most - (members.len() - gone) as f64;
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::super::testing::{scores, waves};
    use super::*;
    use crate::nn::{Activation, Arch, Compute};
    use crate::prune::Criterion;

    #[test]
    fn functions_lose_their_last_filter_last() {
        // Three of one function, two of another, one of a third.
        let scores = order(&[0, 0, 0, 1, 1, 2], &[0.3, 0.1, 0.2, 0.9, 0.8, 0.01]);
        let mut by: Vec<usize> = (0..6).collect();
        by.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        assert_eq!(by, [1, 2, 4, 5, 0, 3]);
    }

    #[test]
    fn points_that_lie_together_are_a_cluster() {
        let points: Vec<Vec<f32>> = (0..12).map(|i| vec![(i % 3) as f32 * 10.0 + (i / 3) as f32 * 0.1, 0.0]).collect();
        let of = k_means(&points, 3, 1);
        for i in 0..12 {
            assert_eq!(of[i], of[i % 3]);
        }
        assert!(of[0] != of[1] && of[1] != of[2] && of[0] != of[2]);
        assert_eq!(k_means(&vec![vec![1.0]; 4], 2, 0), [0; 4], "equal points are one cluster");
    }

    /// A filter and its copy have one function: one of them goes before all filters that are alone
    /// in theirs.
    #[test]
    fn copies_have_the_same_function() {
        let compute = Compute::cpu();
        let arch = Arch::cnn([1, 8, 8], &[6], 6, 3, Activation::parse("relu").unwrap()).unwrap();
        let mut net = Net::new(&arch, 2, &compute.device).unwrap();
        let mut w: Vec<f32> = net.conv(0).weight.val().try_into_vec_as().unwrap();
        w.copy_within(0..9, 4 * 9);
        net.conv_mut(0).weight =
            burn::module::Param::from_tensor(Tensor::from_data(TensorData::new(w, [6, 1, 3, 3]), &compute.device));
        let options = FunctionalityOptions { samples: 60, per_function: 2, ..FunctionalityOptions::default() };
        let net_frozen = net.frozen();
        let samples = waves(60);
        let mut watch = crate::progress::Unwatched;
        let scoring = Scoring { stays: vec![3], ..Scoring::new(&net, &samples, &compute, &mut watch).unwrap() };
        let patterns = favourites(&net_frozen, &scoring, 2, 6, 0..6, &options).unwrap();
        assert!(patterns[0] == patterns[4] && patterns[0] != patterns[1]);
        let got = scores(&Criterion::Functionality(options), &net, &samples, &compute).unwrap();
        let worst = (0..6).min_by(|&a, &b| got[0].scores[a].total_cmp(&got[0].scores[b])).unwrap();
        assert!(got[0].scores[0] <= -2.0 || got[0].scores[4] <= -2.0, "{:?} {worst}", got[0].scores);
    }
}
