//! How the loss would change without a filter, to first order.
//!
//! Molchanov et al. ("Pruning convolutional neural networks for resource efficient inference",
//! arXiv 1611.06440): the absolute value of the mean, over a filter's map, of activation times
//! gradient, averaged over samples, and divided by the layer's Euclidean norm of such scores, so
//! that layers can be compared. Coupled filters are averaged over the places where they are seen.

use super::taps::taps;
use super::{LayerScores, SampleOptions, Scoring};
use crate::error::Result;
use crate::nn::bridge;

/// Scores of every group.
pub(super) fn score(scoring: &mut Scoring<'_>, options: SampleOptions) -> Result<Vec<LayerScores>> {
    let which = scoring.chosen(options)?;
    let places = scoring.places();
    let mut sums: Vec<Vec<f64>> = places.iter().map(|&(_, filters)| vec![0.0; filters]).collect();
    let net = scoring.net.frozen();
    for (done, some) in which.chunks(super::BATCH).enumerate() {
        scoring.go_on()?;
        for (sums, tap) in sums.iter_mut().zip(taps(&net, scoring, some, &places)?) {
            let products = (tap.values * tap.gradient).flatten::<3>(2, 3).mean_dim(2);
            // The gradient is of the batch's mean loss.
            let of_filters = bridge::read(products.abs().sum_dim(0))?;
            sums.iter_mut().zip(of_filters).for_each(|(s, x)| *s += f64::from(x) * some.len() as f64 / which.len() as f64);
        }
        scoring.watch.at("gradients of samples", (done * super::BATCH + some.len()) as u64, which.len() as u64);
    }
    let mut found = scoring.over_places(sums)?;
    for layer in &mut found {
        let norm = layer.scores.iter().map(|s| s * s).sum::<f64>().sqrt();
        if norm > 0.0 {
            layer.scores.iter_mut().for_each(|s| *s /= norm);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{scores, waves};
    use super::*;
    use crate::nn::{Activation, Arch, Compute, Net};
    use crate::prune::{Criterion, Keep, mask};
    use burn::tensor::{Tensor, TensorData};

    /// Where a filter's part in the loss is small, the score is the change of the loss without it,
    /// sample by sample.
    #[test]
    fn scores_predict_the_change_of_the_loss() {
        let compute = Compute::cpu();
        let arch = Arch::cnn([1, 8, 8], &[5], 6, 3, Activation::parse("tanh").unwrap()).unwrap();
        let mut net = Net::new(&arch, 1, &compute.device).unwrap();
        // Filters that hardly matter: first-order terms rule.
        let linear = net.linears_mut().next().unwrap();
        linear.weight = burn::module::Param::from_tensor(linear.weight.val() * 1e-2);
        let samples = waves(60);
        let got = scores(&Criterion::Taylor(SampleOptions { samples: 60, seed: 1 }), &net, &samples, &compute).unwrap();
        let loss = |net: &Net, i: usize| {
            let x = Tensor::<2>::from_data(TensorData::new(samples.gather(&[i]), [1, 64]), &compute.device);
            let logits: Vec<f32> = net.forward(x).try_into_vec_as().unwrap();
            let sum: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
            sum.ln() - f64::from(logits[usize::from(samples.labels[i])])
        };
        let mut want: Vec<f64> = (0..5)
            .map(|f| {
                let keep = Keep::from([(0, (0..5).filter(|&k| k != f).collect())]);
                let without = mask(&net, &keep, &compute.device).unwrap();
                (0..60).map(|i| (loss(&without, i) - loss(&net, i)).abs()).sum::<f64>()
            })
            .collect();
        let norm = want.iter().map(|w| w * w).sum::<f64>().sqrt();
        want.iter_mut().for_each(|w| *w /= norm);
        for (g, w) in got[0].scores.iter().zip(&want) {
            assert!((g - w).abs() < 0.03 * w.max(0.1), "{:?} against {want:?}", got[0].scores);
        }
    }
}
