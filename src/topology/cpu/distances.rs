//! Pairwise distances as sortable keys: the twin of `shaders/distances.wgsl`.

use crate::simd::wide;
use crate::topology::cloud::CloudView;
use crate::topology::metric::{Metric, cosine_key, mean, over_length};
use crate::topology::order::{Entry, Key};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::borrow::Cow;

/// Points, as their distances are summed up from: for the cosine distance those of length 1, for
/// the correlation distance those whose coordinates have the mean 0 besides.
pub(super) struct Measured<'a> {
    metric: Metric,
    data: Cow<'a, [f32]>,
    view: CloudView,
    /// 1 over the length of every point, for the cosine distance.
    inverses: Vec<f32>,
}

impl<'a> Measured<'a> {
    pub fn new(data: &'a [f32], view: CloudView, metric: Metric) -> Self {
        let point = |i: usize| view.point(data, i);
        let CloudView { len, features, .. } = view;
        let alone = CloudView { len, features, offset: 0, stride: features };
        match metric {
            Metric::Correlation => {
                let centred: Vec<f32> =
                    (0..len).flat_map(|i| point(i).iter().map(|a| a - mean(point(i))).collect::<Vec<f32>>()).collect();
                let Measured { data, inverses, .. } = Measured::new(&centred, alone, Metric::Cosine);
                Self { metric: Metric::Cosine, data: data.into_owned().into(), view: alone, inverses }
            }
            Metric::Cosine => {
                let inverses: Vec<f32> = (0..len).map(|i| over_length(point(i))).collect();
                let units: Vec<f32> =
                    (0..len).flat_map(|i| point(i).iter().map(|x| x * inverses[i]).collect::<Vec<f32>>()).collect();
                Self { metric, data: units.into(), view: alone, inverses }
            }
            _ => Self { metric, data: data.into(), view, inverses: Vec::new() },
        }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.view.len
    }

    fn point(&self, i: usize) -> &[f32] {
        self.view.point(&self.data, i)
    }

    /// The key of one pair: the bits of [`Metric::key_of_points`].
    pub fn key(&self, i: usize, j: usize) -> Key {
        let sum = match self.metric {
            Metric::Cosine => Metric::SqEuclidean.key_of_points(self.point(i), self.point(j)),
            metric => metric.key_of_points(self.point(i), self.point(j)),
        };
        Key::of_length(if self.metric == Metric::Cosine { cosine_key(sum, self.inverses[i], self.inverses[j]) } else { sum })
    }

    /// The points in blocks of as many as are summed up at once, coordinate by coordinate; the last
    /// block is filled up with zeros.
    pub fn blocks(&self, parallel: bool) -> Vec<f32> {
        let (n, features, width) = (self.len(), self.view.features, Arch::new().dispatch(Width));
        let mut blocks = vec![0f32; n.div_ceil(width) * width * features];
        let fill = |(at, block): (usize, &mut [f32])| {
            for (lane, i) in (at * width..n.min((at + 1) * width)).enumerate() {
                block.chunks_mut(width).zip(self.point(i)).for_each(|(lanes, &x)| lanes[lane] = x);
            }
        };
        let size = (width * features).max(1);
        if parallel {
            blocks.par_chunks_mut(size).enumerate().for_each(fill);
        } else {
            blocks.chunks_mut(size).enumerate().for_each(fill);
        }
        blocks
    }

    /// Writes the entries of some points with all points of smaller numbers than `first`, `first +
    /// 1` and so on into rows of as many entries as there are points. `blocks` are
    /// [`Self::blocks`].
    ///
    /// The sums of four rows and two vectors of columns are kept in registers while the coordinates
    /// go by, and each pair's terms are still added from the first to the last.
    pub fn rows(&self, blocks: &[f32], which: impl Iterator<Item = usize> + Clone, first: usize, rows: &mut [Entry]) {
        let n = self.len();
        let points: Vec<&[f32]> = which.clone().map(|i| self.point(i)).collect();
        let some = Rows { rows: &mut *rows, n, first, points: &points, blocks, features: self.view.features };
        match self.metric {
            Metric::Cityblock => Arch::new().dispatch(Fill(some, Sums)),
            Metric::Chebyshev => Arch::new().dispatch(Fill(some, Largest)),
            _ => Arch::new().dispatch(Fill(some, Squares)),
        }
        for ((at, i), row) in (first..).zip(which).zip(rows.chunks_mut(n)) {
            wide!({
                let row = &mut row[..at.min(n)];
                if self.metric == Metric::Cosine {
                    let sums: &mut [f32] = bytemuck::cast_slice_mut(row);
                    sums.iter_mut().zip(&self.inverses).for_each(|(s, &b)| *s = cosine_key(*s, self.inverses[i], b));
                }
                // Whatever is beyond the largest finite length, NaN included, is no pair.
                row.iter_mut().for_each(|key| *key = Key(*key as u32).entry());
            });
        }
    }

    /// Fills the strict lower triangle of a table of all pairs. The rest of it is left as it is;
    /// [`super::table`] mirrors it.
    pub fn lower_triangle(&self, table: &mut [Entry], parallel: bool) {
        let n = self.len();
        let blocks = self.blocks(parallel);
        let band = |(band, rows): (usize, &mut [Entry])| {
            let first = band * BAND;
            self.rows(&blocks, first..first + rows.len() / n, first, rows);
        };
        if parallel {
            table.par_chunks_mut(BAND * n).enumerate().for_each(band);
        } else {
            table.chunks_mut(BAND * n).enumerate().for_each(band);
        }
    }
}

/// Rows of the table that are summed up at once. With two vectors of columns their sums fit the
/// registers.
const ROWS: usize = 4;
/// Vectors of columns.
const VECTORS: usize = 2;
/// Rows of the table that one thread works on at a time.
pub(super) const BAND: usize = 32;

/// How many columns are summed up at once, on this processor.
struct Width;

impl WithSimd for Width {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        VECTORS * S::F32_LANES
    }
}

/// Adds the difference of two coordinates to a sum, for the pairs of one vector.
trait Fold {
    fn add<S: Simd>(simd: S, sum: S::f32s, difference: S::f32s) -> S::f32s;
}

struct Squares;
struct Sums;
struct Largest;

impl Fold for Squares {
    // Not fused: the result is that of the definition on any processor.
    #[inline(always)]
    fn add<S: Simd>(simd: S, sum: S::f32s, difference: S::f32s) -> S::f32s {
        simd.add_f32s(sum, simd.mul_f32s(difference, difference))
    }
}

impl Fold for Sums {
    #[inline(always)]
    fn add<S: Simd>(simd: S, sum: S::f32s, difference: S::f32s) -> S::f32s {
        simd.add_f32s(sum, simd.abs_f32s(difference))
    }
}

impl Fold for Largest {
    #[inline(always)]
    fn add<S: Simd>(simd: S, sum: S::f32s, difference: S::f32s) -> S::f32s {
        simd.max_f32s(sum, simd.abs_f32s(difference))
    }
}

/// Some rows of the table.
struct Rows<'a> {
    /// The rows, of `n` entries each.
    rows: &'a mut [i32],
    n: usize,
    /// The number of the first one.
    first: usize,
    /// Their points.
    points: &'a [&'a [f32]],
    /// All points: see [`Measured::blocks`].
    blocks: &'a [f32],
    features: usize,
}

/// Rows of the table to be filled.
struct Fill<'a, F>(Rows<'a>, F);

impl<F: Fold> WithSimd for Fill<'_, F> {
    type Output = ();

    /// Fills every row up to its diagonal. A block of points stays in a core's cache while it is
    /// compared with all rows.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Rows { rows, n, first, points, blocks, features } = self.0;
        let width = VECTORS * S::F32_LANES;
        // The rows' points, four at a time, coordinate by coordinate.
        let mut groups = vec![[0f32; ROWS]; points.len().div_ceil(ROWS) * features];
        for (i, point) in points.iter().enumerate() {
            let group = &mut groups[i / ROWS * features..][..features];
            group.iter_mut().zip(*point).for_each(|(group, &x)| group[i % ROWS] = x);
        }
        for start in (0..n.min(first + points.len())).step_by(width) {
            let (block, _) = S::as_simd_f32s(&blocks[start * features..][..width * features]);
            for from in (0..points.len()).step_by(ROWS) {
                let count = ROWS.min(points.len() - from);
                if start + 1 >= first + from + count {
                    continue;
                }
                let sums = tile::<S, F>(simd, &groups[from / ROWS * features..][..features], block);
                for (row, sums) in (from..from + count).zip(&sums) {
                    let until = n.min(first + row).min(start + width);
                    if start < until {
                        let keys: &mut [f32] = bytemuck::cast_slice_mut(&mut rows[row * n + start..row * n + until]);
                        let sums: &[f32] = bytemuck::cast_slice(sums);
                        keys.copy_from_slice(&sums[..keys.len()]);
                    }
                }
            }
        }
    }
}

/// The sums of [`ROWS`] points and [`VECTORS`] of others, each from the first coordinate to the
/// last.
#[inline(always)]
fn tile<S: Simd, F: Fold>(simd: S, group: &[[f32; ROWS]], block: &[S::f32s]) -> [[S::f32s; VECTORS]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (x, y) in group.iter().zip(block.chunks_exact(VECTORS)) {
        for (sums, &x) in sums.iter_mut().zip(x) {
            let x = simd.splat_f32s(x);
            for (sum, &y) in sums.iter_mut().zip(y) {
                *sum = F::add(simd, *sum, simd.sub_f32s(x, y));
            }
        }
    }
    sums
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
                let points = Measured::new(&data, CloudView { len: 23, features: 7, offset: 0, stride: 7 }, metric);
                points.lower_triangle(&mut table, parallel);
                for i in 0..23 {
                    for j in 0..23 {
                        let want = if j < i { metric.key_of_points(point(i), point(j)).to_bits() as i32 } else { 7 };
                        prop_assert_eq!(table[23 * i + j], want, "{} of {} and {}", metric.name(), i, j);
                        prop_assert_eq!(points.key(i, j).0, metric.key_of_points(point(i), point(j)).to_bits());
                    }
                }
                // Whole rows of some points.
                let mut rows = vec![7; 2 * 23];
                points.rows(&points.blocks(parallel), [20, 3].into_iter(), 23, &mut rows);
                for (i, row) in [20, 3].into_iter().zip(rows.chunks(23)) {
                    let want: Vec<i32> = (0..23).map(|j| metric.key_of_points(point(i), point(j)).to_bits() as i32).collect();
                    prop_assert_eq!(row, want);
                }
            }
        }
    }
}
