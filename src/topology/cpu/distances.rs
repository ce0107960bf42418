//! Pairwise distances as sortable keys: the twin of `shaders/distances.wgsl`.

use crate::simd::wide;
use crate::topology::metric::{Metric, cosine_key, mean, over_length};
use crate::topology::order::Key;
use rayon::prelude::*;

/// Fills the strict lower triangle of an `n x n` table with the keys of `point(i)` against
/// `point(j)`.
///
/// The rest of the table is left as it is; [`super::table`] mirrors it. A row is summed up
/// coordinate by coordinate over all its pairs at once, which vectorises and still adds each pair's
/// terms from the first to the last: the bits are those of [`Metric::key_of_points`].
pub(super) fn lower_triangle<'a>(
    table: &mut [i32],
    n: usize,
    metric: Metric,
    parallel: bool,
    point: impl Fn(usize) -> &'a [f32] + Sync,
) {
    if metric == Metric::Correlation {
        let centre = |i: usize| point(i).iter().map(|a| a - mean(point(i))).collect::<Vec<f32>>();
        let centred: Vec<Vec<f32>> = (0..n).map(centre).collect();
        return fill(table, n, Metric::Cosine, parallel, |i| &centred[i]);
    }
    fill(table, n, metric, parallel, point);
}

/// [`lower_triangle`] of any metric but correlation, which is the cosine distance of centred
/// points.
fn fill<'a>(table: &mut [i32], n: usize, metric: Metric, parallel: bool, point: impl Fn(usize) -> &'a [f32] + Sync) {
    let inverses: Vec<f32> = match metric {
        Metric::Cosine => (0..n).map(|i| over_length(point(i))).collect(),
        _ => Vec::new(),
    };
    let units: Vec<Vec<f32>> = inverses.iter().enumerate().map(|(i, by)| point(i).iter().map(|x| x * by).collect()).collect();
    let point = |i: usize| units.get(i).map_or_else(|| point(i), Vec::as_slice);
    let features = point(0).len();
    let mut columns = vec![0f32; features * n];
    for i in 0..n {
        for (k, &x) in point(i).iter().enumerate() {
            columns[k * n + i] = x;
        }
    }
    let row = |(i, row): (usize, &mut [i32])| {
        wide(|| {
            // The sums live where the keys will be.
            let sums: &mut [f32] = bytemuck::cast_slice_mut(&mut row[..i]);
            sums.fill(0.0);
            let x = point(i);
            match metric {
                Metric::Cityblock => add_up(sums, x, &columns, n, |s, d| s + d.abs()),
                Metric::Chebyshev => add_up(sums, x, &columns, n, |s, d| if d.abs() > s { d.abs() } else { s }),
                _ => add_up(sums, x, &columns, n, |s, d| s + d * d),
            }
            if metric == Metric::Cosine {
                sums.iter_mut().zip(&inverses).for_each(|(s, &b)| *s = cosine_key(*s, inverses[i], b));
            }
            // Whatever is beyond the largest finite length, NaN included, is no pair.
            row[..i].iter_mut().for_each(|key| *key = Key(*key as u32).entry());
        });
    };
    if parallel {
        table.par_chunks_mut(n).enumerate().for_each(row);
    } else {
        table.chunks_mut(n).enumerate().for_each(row);
    }
}

/// Folds the differences of `x` and every point into the point's sum, coordinate by coordinate:
/// four of them for each time that the sums are read and written.
#[inline(always)]
fn add_up(sums: &mut [f32], x: &[f32], columns: &[f32], n: usize, fold: impl Fn(f32, f32) -> f32) {
    let count = sums.len();
    for (x, columns) in x.chunks(4).zip(columns.chunks(4 * n)) {
        if let [x0, x1, x2, x3] = *x {
            let column = |k: usize| &columns[k * n..k * n + count];
            let (c0, c1, c2, c3) = (column(0), column(1), column(2), column(3));
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = fold(fold(fold(fold(*sum, x0 - c0[j]), x1 - c1[j]), x2 - c2[j]), x3 - c3[j]);
            }
            continue;
        }
        for (&x, column) in x.iter().zip(columns.chunks(n)) {
            for (sum, &y) in sums.iter_mut().zip(column) {
                *sum = fold(*sum, x - y);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Bit for bit the definition, whatever the metric.
        #[test]
        fn rows_at_once_are_pair_by_pair(data in proptest::collection::vec(-3.0f32..3.0, 23 * 7..=23 * 7), parallel: bool) {
            for metric in Metric::OF_POINTS {
                let mut table = vec![7; 23 * 23];
                let point = |i: usize| &data[7 * i..7 * i + 7];
                lower_triangle(&mut table, 23, metric, parallel, point);
                for i in 0..23 {
                    for j in 0..23 {
                        let want = if j < i { metric.key_of_points(point(i), point(j)).to_bits() as i32 } else { 7 };
                        prop_assert_eq!(table[23 * i + j], want, "{} of {} and {}", metric.name(), i, j);
                    }
                }
            }
        }
    }
}
