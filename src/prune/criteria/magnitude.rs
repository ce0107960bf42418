//! Norms of a filter's own weights.

use super::LayerScores;
use crate::error::Result;
use crate::nn::{Net, bridge};

/// Sum of the absolute weights of each filter (Li et al., "Pruning filters for efficient convnets", arXiv 1608.08710).
pub(super) fn l1(net: &Net) -> Result<Vec<LayerScores>> {
    let of_layer = |((layer, _), conv): ((usize, usize), &burn::nn::conv::Conv2d)| {
        let sums = conv.weight.val().abs().flatten::<2>(1, 3).sum_dim(1);
        Ok(LayerScores { layer, scores: bridge::read(sums)?.into_iter().map(f64::from).collect(), scale: None })
    };
    net.arch.prunable().into_iter().zip(&net.convs).map(of_layer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Arch};
    use burn::tensor::Device;

    #[test]
    fn sums_are_of_each_filter() {
        let arch = Arch::cnn([2, 8, 8], &[3, 4], 5, 2, Activation::parse("relu").unwrap()).unwrap();
        let net = Net::new(&arch, 1, &Device::flex()).unwrap();
        let scores = l1(&net).unwrap();
        assert_eq!(scores.iter().map(|s| (s.layer, s.scores.len())).collect::<Vec<_>>(), [(0, 3), (4, 4)]);
        let w: Vec<f32> = net.convs[0].weight.val().try_into_vec_as().unwrap();
        let want: f64 = w[18..36].iter().map(|x| f64::from(x.abs())).sum();
        assert!((scores[0].scores[1] - want).abs() < 1e-5);
    }
}
