//! What a filter does to the network's answers, to first order: the variance of its effect.
//!
//! A filter's effect on an aim is the sum over its readers and their places of activation times
//! gradient, summed over places *before* it is squared: what cancels in the mean over pixels is no
//! effect. The aim is a random projection of each sample's logits, so labels are not needed, and
//! the score is the variance over samples: what does the same to all of them can be put into a bias
//! by [`crate::prune::compensate`]. It is Taylor's criterion (Molchanov et al., arXiv 1611.06440)
//! with the logits in place of the loss, signed. Scores mean the same in every layer.

use super::readers::{places_of, reader_taps, readers_of};
use super::{LayerScores, SampleOptions, Scoring};
use crate::error::Result;
use crate::nn::bridge;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Numbers by chance of mean 0 and variance 1, which a seed decides.
pub(super) fn normal(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut pair = || {
        // Box and Muller.
        let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
        let (radius, angle) = ((-2.0 * u.ln()).sqrt(), std::f64::consts::TAU * v);
        [radius * angle.cos(), radius * angle.sin()]
    };
    std::iter::repeat_with(&mut pair).flatten().take(count).map(|x| x as f32).collect()
}

/// Scores of every group.
pub(super) fn score(scoring: &mut Scoring<'_>, options: SampleOptions) -> Result<Vec<LayerScores>> {
    let which = scoring.chosen(options)?;
    let classes = scoring.net.arch.classes()?;
    let projections = normal(which.len() * classes, options.seed ^ 0xEFFE);
    let readers = readers_of(&scoring.groups);
    // For every group, sums over samples of effects and of their squares.
    let mut sums: Vec<[Vec<f64>; 2]> = scoring.groups.iter().map(|g| [vec![0.0; g.filters], vec![0.0; g.filters]]).collect();
    let net = scoring.net.frozen();
    for (done, some) in which.chunks(super::BATCH).enumerate() {
        scoring.go_on()?;
        let from = done * super::BATCH * classes;
        let taps = reader_taps(&net, scoring, some, &projections[from..from + some.len() * classes], &readers, false);
        let effects: Vec<_> =
            taps.into_iter().map(|t| (t.input * t.by_input).flatten::<3>(2, 3).sum_dim(2).flatten::<2>(1, 2)).collect();
        for (group, sums) in scoring.groups.iter().zip(&mut sums) {
            let mine = places_of(group, &readers).map(|i| effects[i].clone());
            let Some(effect) = mine.reduce(|a, b| a + b) else { continue };
            for row in bridge::read(effect)?.chunks(group.filters) {
                for (filter, &e) in row.iter().enumerate() {
                    sums[0][filter] += f64::from(e);
                    sums[1][filter] += f64::from(e) * f64::from(e);
                }
            }
        }
        scoring.watch.at("gradients of samples", (done * super::BATCH + some.len()) as u64, which.len() as u64);
    }
    let n = which.len() as f64;
    let mut sums = sums.into_iter();
    scoring.by_group(|group| {
        let [first, second] = sums.next().unwrap_or_else(|| [vec![0.0; group.filters], vec![0.0; group.filters]]);
        Ok(first.iter().zip(&second).map(|(s, q)| (q / n - (s / n) * (s / n)).max(0.0)).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{scores, waves};
    use super::*;
    use crate::nn::{Activation, Arch, Compute, Net};
    use crate::prune::{Criterion, Keep, mask};
    use burn::tensor::{Tensor, TensorData};

    #[test]
    fn normal_numbers_are_normal() {
        let x = normal(20_001, 4);
        let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;
        let moment = |k: i32| x.iter().map(|&x| f64::from(x).powi(k)).sum::<f64>() / x.len() as f64;
        assert!(mean.abs() < 0.03 && (moment(2) - 1.0).abs() < 0.04 && (moment(4) - 3.0).abs() < 0.3);
        assert_eq!(x[..10], normal(10, 4)[..]);
    }

    /// Where everything behind the filters is linear, the effect is what the logits lose without
    /// the filter.
    #[test]
    fn effects_are_what_the_logits_lose() {
        let compute = Compute::cpu();
        let arch = Arch::cnn([1, 8, 8], &[5], 6, 3, Activation::parse("identity").unwrap()).unwrap();
        let net = Net::new(&arch, 1, &compute.device).unwrap();
        let samples = waves(40);
        let options = SampleOptions { samples: 40, seed: 1 };
        let got = scores(&Criterion::Effect(options), &net, &samples, &compute).unwrap();
        let order = {
            let mut order = samples.shuffled(1);
            order.truncate(40);
            order
        };
        let logits = |net: &Net| -> Vec<f32> {
            let x = Tensor::<2>::from_data(TensorData::new(samples.gather(&order), [40, 64]), &compute.device);
            net.forward(x).try_into_vec_as().unwrap()
        };
        let (whole, projections) = (logits(&net), normal(120, 1 ^ 0xEFFE));
        for filter in 0..5 {
            let keep = Keep::from([(0, (0..5).filter(|&k| k != filter).collect())]);
            let without = logits(&mask(&net, &keep, &compute.device).unwrap());
            let effects: Vec<f64> =
                (0..40).map(|s| (3 * s..3 * s + 3).map(|i| f64::from((whole[i] - without[i]) * projections[i])).sum()).collect();
            let mean = effects.iter().sum::<f64>() / 40.0;
            let want = effects.iter().map(|e| (e - mean) * (e - mean)).sum::<f64>() / 40.0;
            assert!((got[0].scores[filter] - want).abs() < 1e-3 * want.max(1e-6), "{} {want}", got[0].scores[filter]);
        }
    }
}
