//! Norms of a filter's own weights. Coupled filters count together.

use super::{LayerScores, Scoring};
use crate::error::Result;
use crate::nn::bridge;
use crate::prune::weights::weights;

/// Sum of the absolute weights of each filter (Li et al., "Pruning filters for efficient convnets",
/// arXiv 1608.08710).
pub(super) fn l1(scoring: &Scoring<'_>) -> Result<Vec<LayerScores>> {
    scoring.by_group(|group| {
        let sums = bridge::read(weights(scoring.net, group).abs().sum_dim(1))?;
        Ok(sums.into_iter().map(f64::from).collect())
    })
}

/// Euclidean norm of each filter's weights.
pub(super) fn l2(scoring: &Scoring<'_>) -> Result<Vec<LayerScores>> {
    scoring.by_group(|group| {
        let sums = bridge::read(weights(scoring.net, group).powi_scalar(2).sum_dim(1))?;
        Ok(sums.into_iter().map(|s| f64::from(s).sqrt()).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{scores, waves};
    use crate::nn::{Activation, Arch, Compute, Net, zoo};
    use crate::prune::Criterion;
    use burn::tensor::Device;

    #[test]
    fn sums_are_of_each_filter() {
        let relu = || Activation::parse("relu").unwrap();
        let arch = Arch::cnn([2, 8, 8], &[3, 4], 5, 2, relu()).unwrap();
        let net = Net::new(&arch, 1, &Device::flex()).unwrap();
        let (samples, compute) = (waves(2), Compute::cpu());
        let l1 = scores(&Criterion::L1, &net, &samples, &compute).unwrap();
        assert_eq!(l1.iter().map(|s| (s.layer, s.scores.len())).collect::<Vec<_>>(), [(0, 3), (4, 4)]);
        let w: Vec<f32> = net.conv(0).weight.val().try_into_vec_as().unwrap();
        let want: f64 = w[18..36].iter().map(|x| f64::from(x.abs())).sum();
        assert!((l1[0].scores[1] - want).abs() < 1e-5);
        let l2 = scores(&Criterion::L2, &net, &samples, &compute).unwrap();
        let want = w[18..36].iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
        assert!((l2[0].scores[1] - want).abs() < 1e-5);
        // Coupled filters: the sum over the convolutions that are added.
        let arch = zoo::named("resnet20:0.25", [1, 8, 8], 2, relu()).unwrap();
        let net = Net::new(&arch, 1, &Device::flex()).unwrap();
        let l1 = scores(&Criterion::L1, &net, &samples, &compute).unwrap();
        let first = &net.arch.groups().unwrap()[0];
        let of = |nth: usize| -> f64 {
            let w: Vec<f32> =
                net.convs().nth(nth).unwrap().weight.val().abs().sum_dim(3).sum_dim(2).sum_dim(1).try_into_vec_as().unwrap();
            f64::from(w[2])
        };
        assert_eq!(first.convs.len(), 4);
        assert!((l1[0].scores[2] - of(0) - of(2) - of(4) - of(6)).abs() < 1e-5);
    }
}
