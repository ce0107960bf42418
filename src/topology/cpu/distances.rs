//! Pairwise distances as sortable keys: the twin of `shaders/distances.wgsl`.

use crate::topology::cloud::key_of_length;
use crate::topology::metric::Metric;
use rayon::prelude::*;

/// Fills the strict lower triangle of an `n x n` table with the keys of `point(i)` against `point(j)`.
///
/// The rest of the table is left as it is; [`super::filtration`] mirrors it.
pub(super) fn lower_triangle<'a>(
    table: &mut [u32],
    n: usize,
    metric: Metric,
    parallel: bool,
    point: impl Fn(usize) -> &'a [f32] + Sync,
) {
    let row = |(i, row): (usize, &mut [u32])| {
        let x = point(i);
        for (j, key) in row[..i].iter_mut().enumerate() {
            *key = key_of_length(metric.key_of_points(x, point(j)));
        }
    };
    if parallel {
        table.par_chunks_mut(n).enumerate().for_each(row);
    } else {
        table.chunks_mut(n).enumerate().for_each(row);
    }
}
