//! Filters near the others can be replaced by them.
//!
//! FPGM (He et al., "Filter pruning via geometric median for deep convolutional neural networks
//! acceleration", CVPR 2019, arXiv 1811.00250): a filter's score is the sum of its Euclidean
//! distances to all filters of the layer; those with the smallest sum lie nearest to the geometric
//! median and go. The soft form, in which filters that are set to zero go on learning and may come
//! back, is a schedule ([`crate::prune::Schedule::Soft`]) and works with every criterion.

use super::{LayerScores, Scoring};
use crate::error::Result;
use crate::nn::bridge;
use crate::prune::weights::{distances, weights};

/// Sums of distances to the other filters.
pub(super) fn score(scoring: &Scoring<'_>) -> Result<Vec<LayerScores>> {
    scoring.by_group(|group| {
        let rows = weights(scoring.net, group);
        let [filters, width] = rows.dims();
        Ok(distance_sums(&bridge::read(rows)?, filters, width))
    })
}

/// Each row's sum of distances to all rows.
fn distance_sums(rows: &[f32], filters: usize, width: usize) -> Vec<f64> {
    let lower = distances(rows, width);
    let mut sums = vec![0.0; filters];
    for i in 0..filters {
        for j in 0..i {
            let length = f64::from(lower[i * (i - 1) / 2 + j]);
            sums[i] += length;
            sums[j] += length;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_goes_first() {
        // On a line at 0, 1, 2, 10 and a second 1.
        let sums = distance_sums(&[0.0, 3.0, 1.0, 3.0, 2.0, 3.0, 10.0, 3.0, 1.0, 3.0], 5, 2);
        assert_eq!(sums, [14.0, 11.0, 12.0, 36.0, 11.0]);
    }
}
