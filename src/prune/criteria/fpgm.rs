//! Filters near the others can be replaced by them.
//!
//! FPGM (He et al., "Filter pruning via geometric median for deep convolutional neural networks acceleration", CVPR 2019, arXiv 1811.00250):
//! a filter's score is the sum of its Euclidean distances to all filters of the layer; those with the smallest sum lie nearest to
//! the geometric median and go. The soft form, in which filters that are set to zero go on learning and may come back, is a schedule
//! ([`crate::prune::Schedule::Soft`]) and works with every criterion.

use super::{LayerScores, Scoring, taps::weights};
use crate::error::Result;
use crate::nn::bridge;

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

/// Distances between rows of `width` numbers, the strict lower triangle. Differences of rows, not of products, so that equal filters are
/// at distance 0.
pub(in crate::prune) fn distances(rows: &[f32], width: usize) -> Vec<f32> {
    use rayon::prelude::*;
    let row = |i: usize| &rows[i * width..(i + 1) * width];
    let distance = |i: usize, j: usize| {
        // Eight sums, so that the processor adds several numbers at a time.
        let mut sums = [0.0f32; 8];
        for (a, b) in row(i).chunks(8).zip(row(j).chunks(8)) {
            sums.iter_mut().zip(a.iter().zip(b)).for_each(|(s, (x, y))| *s += (x - y) * (x - y));
        }
        sums.iter().sum::<f32>().sqrt()
    };
    let of_row = |i: usize| (0..i).map(|j| distance(i, j)).collect::<Vec<f32>>();
    (0..rows.len() / width.max(1)).into_par_iter().map(of_row).collect::<Vec<_>>().concat()
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
