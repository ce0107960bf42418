//! Filters as points: their weights, or the mean maps that they make of samples.

use super::scoring::{BATCH, SampleOptions, Scoring, maps_of};
use crate::error::Result;
use crate::nn::{Group, Net, bridge};
use burn::tensor::Tensor;
use rayon::prelude::*;

/// The weights of a group's filters, one row each; where several convolutions are coupled, one
/// behind the other.
pub(super) fn weights(net: &Net, group: &Group) -> Tensor<2> {
    let of_conv = |at: &usize| net.conv(*at).weight.val().flatten::<2>(1, 3);
    let rows: Vec<Tensor<2>> = group.convs.iter().map(of_conv).collect();
    Tensor::cat(rows, 1)
}

/// Distances between rows of `width` numbers, the strict lower triangle. Differences of rows, not
/// of products, so that equal filters are at distance 0.
pub(super) fn distances(rows: &[f32], width: usize) -> Vec<f32> {
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

/// For every group, the mean map of each filter over samples, row by row, and its number of pixels.
pub(super) fn means_of_maps(scoring: &mut Scoring<'_>, samples: usize, seed: u64) -> Result<Vec<(Vec<f32>, usize)>> {
    let which = scoring.chosen(SampleOptions { samples, seed })?;
    let mut sums: Vec<Option<Tensor<4>>> = vec![None; scoring.groups.len()];
    for some in which.chunks(BATCH) {
        scoring.go_on()?;
        scoring.net.forward_with(scoring.rows(some), &mut |layer, flow| {
            if let Some(g) = scoring.groups.iter().position(|g| g.seen[0] == layer) {
                let sum = maps_of(flow.clone(), scoring.groups[g].filters).sum_dim(0) / samples as f64;
                sums[g] = Some(sums[g].take().map_or(sum.clone(), |s| s + sum));
            }
            true
        });
    }
    sums.into_iter().flatten().map(|s| (s.dims()[2] * s.dims()[3], s)).map(|(n, s)| Ok((bridge::read(s)?, n))).collect()
}
