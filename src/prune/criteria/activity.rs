//! What a filter says about the samples: how often it is silent, how loud it is, how selective.
//!
//! - APoZ, the average percentage of zeros (Hu et al., "Network trimming", arXiv 1607.03250).
//! - The mean absolute activation (Molchanov et al., arXiv 1611.06440).
//! - Universality (Mehta, Kim and Theobalt, arXiv 1811.12495): the largest absolute activation of
//!   each sample's map, over the largest of all samples, averaged. Low is selective: the filter
//!   answers few samples.
//!
//! Coupled filters are seen behind several activations; their scores are the means over them.

use super::{LayerScores, SampleOptions, Scoring, maps_of};
use crate::error::Result;
use crate::nn::bridge;
use burn::tensor::Tensor;

/// Absolute activations up to this are zeros.
pub(crate) const ZERO: f64 = 1e-12;

/// Shares of zeros.
pub(super) fn apoz(scoring: &mut Scoring<'_>, options: SampleOptions) -> Result<Vec<LayerScores>> {
    averaged(scoring, options, |maps| maps.abs().lower_equal_scalar(ZERO).float())
}

/// Mean absolute activations.
pub(super) fn mean(scoring: &mut Scoring<'_>, options: SampleOptions) -> Result<Vec<LayerScores>> {
    averaged(scoring, options, Tensor::abs)
}

/// Mean of the samples' largest activations over the largest of all.
pub(super) fn universality(scoring: &mut Scoring<'_>, options: SampleOptions) -> Result<Vec<LayerScores>> {
    let largest = |maps: Tensor<4>| maps.abs().flatten::<3>(2, 3).max_dim(2).squeeze_dim::<2>(2);
    gathered(scoring, options, largest, |rows, filters| {
        let mut scores = vec![0.0; filters];
        for (f, score) in scores.iter_mut().enumerate() {
            let of_filter = || rows.iter().skip(f).step_by(filters).map(|&x| f64::from(x));
            let most = of_filter().fold(0.0, f64::max);
            *score = if most > ZERO { of_filter().sum::<f64>() / most / (rows.len() / filters) as f64 } else { 0.0 };
        }
        scores
    })
}

/// The mean of `number` over samples and places.
fn averaged(
    scoring: &mut Scoring<'_>,
    options: SampleOptions,
    number: impl Fn(Tensor<4>) -> Tensor<4>,
) -> Result<Vec<LayerScores>> {
    let of_samples = |maps: Tensor<4>| number(maps).flatten::<3>(2, 3).mean_dim(2).squeeze_dim::<2>(2);
    gathered(scoring, options, of_samples, |rows, filters| {
        let mut scores = vec![0.0; filters];
        for row in rows.chunks(filters) {
            scores.iter_mut().zip(row).for_each(|(s, &x)| *s += f64::from(x));
        }
        scores.iter().map(|s| s * filters as f64 / rows.len() as f64).collect()
    })
}

/// Numbers `[samples, filters]` of every place where a group is seen, put together by `finish` and
/// averaged over the places.
fn gathered(
    scoring: &mut Scoring<'_>,
    options: SampleOptions,
    number: impl Fn(Tensor<4>) -> Tensor<2>,
    finish: impl Fn(&[f32], usize) -> Vec<f64>,
) -> Result<Vec<LayerScores>> {
    let which = scoring.chosen(options)?;
    let places = scoring.places();
    let mut rows: Vec<Vec<f32>> = vec![Vec::new(); places.len()];
    for (done, some) in which.chunks(super::BATCH).enumerate() {
        scoring.go_on()?;
        let mut found = vec![None; places.len()];
        scoring.net.forward_with(scoring.rows(some), &mut |layer, flow| {
            if let Some(place) = places.iter().position(|(at, _)| *at == layer) {
                found[place] = Some(number(maps_of(flow.clone(), places[place].1)));
            }
            true
        });
        for (rows, numbers) in rows.iter_mut().zip(found) {
            rows.extend(numbers.map(bridge::read).transpose()?.unwrap_or_default());
        }
        scoring.watch.at("looking at samples", (done * super::BATCH + some.len()) as u64, which.len() as u64);
    }
    scoring.over_places(rows.iter().zip(&places).map(|(r, &(_, filters))| finish(r, filters)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{scores, waves};
    use super::*;
    use crate::nn::{Activation, Arch, Compute, Flow, Net};
    use crate::prune::Criterion;

    #[test]
    fn scores_are_what_one_counts_by_hand() {
        let compute = Compute::cpu();
        let arch = Arch::cnn([1, 8, 8], &[4], 5, 3, Activation::parse("relu").unwrap()).unwrap();
        let net = Net::new(&arch, 1, &compute.device).unwrap();
        let samples = waves(200);
        let options = SampleOptions { samples: 200, seed: 3 };
        let all: Vec<usize> = (0..200).collect();
        let x = Tensor::<2>::from_data(burn::tensor::TensorData::new(samples.gather(&all), [200, 64]), &compute.device);
        let Some(Flow::Maps(maps)) = net.after_layer(x, 2) else { panic!("no maps") };
        let numbers: Vec<f32> = maps.try_into_vec_as().unwrap();
        let of = |f: usize| numbers.chunks(64).skip(f).step_by(4).collect::<Vec<_>>();
        let score = |c: Criterion| scores(&c, &net, &samples, &compute).unwrap()[0].scores.clone();
        let (zeros, means, universal) =
            (score(Criterion::Apoz(options)), score(Criterion::MeanActivation(options)), score(Criterion::Selectivity(options)));
        for f in 0..4 {
            let maps = of(f);
            let all = || maps.iter().flat_map(|m| m.iter());
            let want = all().filter(|x| **x == 0.0).count() as f64 / (200.0 * 64.0);
            assert!((zeros[f] - want).abs() < 1e-6 && want > 0.1);
            let want = all().map(|x| f64::from(*x)).sum::<f64>() / (200.0 * 64.0);
            assert!((means[f] - want).abs() < 1e-5);
            let largest: Vec<f64> = maps.iter().map(|m| f64::from(m.iter().copied().fold(0.0, f32::max))).collect();
            let want = largest.iter().sum::<f64>() / 200.0 / largest.iter().copied().fold(0.0, f64::max);
            assert!((universal[f] - want).abs() < 1e-6);
        }
        let e = scores(&Criterion::Apoz(SampleOptions { samples: 201, seed: 0 }), &net, &samples, &compute).unwrap_err();
        assert!(e.to_string().contains("between 2 and 200"));
    }
}
