//! Sums of shifted images, and products of gradients with shifted images, by the widest vector
//! instructions of the processor.

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

/// The widest vector of any processor, in numbers.
pub(super) const WIDEST: usize = 16;
/// Filters whose sums the innermost loop keeps in registers, at most.
pub(super) const FILTERS: usize = 8;
/// Weights, likewise, where their gradients are summed up. With six of them, as registers would
/// allow, the compiler writes sums to memory and reads them back.
const WEIGHTS: usize = 4;

/// Filters whose sums the innermost loop keeps in this processor's registers.
pub(super) fn filters_at_once() -> usize {
    #[cfg(target_arch = "x86_64")]
    if pulp::x86::V4::try_new().is_none() {
        return FILTERS / 2;
    }
    FILTERS
}

/// Runs work compiled for the widest vector instructions of the processor.
pub(super) fn dispatch<W: WithSimd>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(v4) = pulp::x86::V4::try_new() {
        return v4.vectorize(On(v4, work));
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = pulp::x86::V3::try_new() {
        return v3.vectorize(On(v3, work));
    }
    Arch::new().dispatch(work)
}

/// Work, and the instructions that it is to use.
struct On<S, W>(S, W);

impl<S: Simd, W: WithSimd> NullaryFnOnce for On<S, W> {
    type Output = W::Output;

    #[inline(always)]
    fn call(self) -> W::Output {
        self.1.with_simd(self.0)
    }
}

/// Whether vectors are held by sixteen registers, as those of AVX2 are, in place of thirty-two.
#[inline(always)]
fn few_registers<S: Simd>() -> bool {
    cfg!(target_arch = "x86_64") && S::F32_LANES < 16
}

#[inline(always)]
fn load<S: Simd>(numbers: &[f32], at: usize) -> S::f32s {
    bytemuck::pod_read_unaligned(bytemuck::cast_slice(&numbers[at..at + S::F32_LANES]))
}

#[inline(always)]
fn store<S: Simd>(numbers: &mut [f32], at: usize, vector: S::f32s) {
    numbers[at..at + S::F32_LANES].copy_from_slice(bytemuck::cast_slice(std::slice::from_ref(&vector)));
}

/// What a block of filters gives at all places, `[filters, room]`.
pub(super) struct Sums<'a> {
    /// An image with its border.
    pub enclosed: &'a [f32],
    /// From a place to the number that a weight is multiplied by, for every weight.
    pub distances: &'a [usize],
    /// `[distances, size]`
    pub weights: &'a [f32],
    /// Filters of the block: 8, 4, 2 or 1.
    pub size: usize,
    pub places: usize,
    /// From the sums of a filter to those of the next.
    pub room: usize,
    pub sums: &'a mut [f32],
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.size {
            8 => self.block::<S, 8>(simd),
            4 => self.block::<S, 4>(simd),
            2 => self.block::<S, 2>(simd),
            _ => self.block::<S, 1>(simd),
        }
    }
}

impl Sums<'_> {
    #[inline(always)]
    fn block<S: Simd, const M: usize>(self, simd: S) {
        let Self { enclosed, distances, weights, places, room, sums, .. } = self;
        let weights = weights.as_chunks::<M>().0;
        let (mut at, mut left) = (0, places.div_ceil(S::F32_LANES));
        while left > 0 {
            // Three vectors at once are fastest, and two and two faster than three and one.
            let vectors = if left == 4 { 2 } else { left.min(3) };
            match vectors {
                3 => tile::<S, M, 3>(simd, enclosed, distances, weights, sums, room, at),
                2 => tile::<S, M, 2>(simd, enclosed, distances, weights, sums, room, at),
                _ => tile::<S, M, 1>(simd, enclosed, distances, weights, sums, room, at),
            }
            at += vectors * S::F32_LANES;
            left -= vectors;
        }
    }
}

/// What `M` filters give at `N` vectors of places, the first of which is `at`.
#[allow(clippy::needless_range_loop, reason = "with iterators the sums are written to memory at every weight")]
#[inline(always)]
fn tile<S: Simd, const M: usize, const N: usize>(
    simd: S,
    enclosed: &[f32],
    distances: &[usize],
    weights: &[[f32; M]],
    sums: &mut [f32],
    room: usize,
    at: usize,
) {
    let mut found = [[simd.splat_f32s(0.0); N]; M];
    for (&distance, weights) in distances.iter().zip(weights) {
        let read = &enclosed[at + distance..at + distance + N * S::F32_LANES];
        let mut x = [simd.splat_f32s(0.0); N];
        for i in 0..N {
            x[i] = load::<S>(read, i * S::F32_LANES);
        }
        for m in 0..M {
            let weight = simd.splat_f32s(weights[m]);
            for i in 0..N {
                found[m][i] = simd.mul_add_e_f32s(weight, x[i], found[m][i]);
            }
        }
    }
    for m in 0..M {
        for i in 0..N {
            store::<S>(sums, m * room + at + i * S::F32_LANES, found[m][i]);
        }
    }
}

/// Inner products of gradients and shifted images over some places, added to `[filters, weights]`.
pub(super) struct Products<'a> {
    /// Images with their borders.
    pub enclosed: &'a [f32],
    /// As in [`Sums`].
    pub distances: &'a [usize],
    /// Gradients, `[filters, places]`.
    pub spread: &'a [f32],
    /// From the gradients of a filter to those of the next.
    pub places: usize,
    /// The first place, and how many.
    pub first: usize,
    pub len: usize,
    pub filters: usize,
    pub sums: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let most = if few_registers::<S>() { 2 } else { 4 };
        let (taps, mut filter) = (self.distances.len(), 0);
        while filter < self.filters {
            let count = [most, 2, 1].into_iter().find(|f| filter + f <= self.filters).unwrap_or(1);
            let gradients = &self.spread[filter * self.places + self.first..];
            let sums = &mut self.sums[filter * taps..];
            let filters = Gradients { enclosed: &self.enclosed[self.first..], gradients, places: self.places, len: self.len };
            match count {
                4 => filters.weights::<S, 4>(simd, self.distances, sums),
                2 => filters.weights::<S, 2>(simd, self.distances, sums),
                _ => filters.weights::<S, 1>(simd, self.distances, sums),
            }
            filter += count;
        }
    }
}

/// The gradients of some filters, and the images.
#[derive(Clone, Copy)]
struct Gradients<'a> {
    enclosed: &'a [f32],
    gradients: &'a [f32],
    places: usize,
    len: usize,
}

impl Gradients<'_> {
    /// Adds the products of `M` filters with all weights to their sums.
    #[inline(always)]
    fn weights<S: Simd, const M: usize>(self, simd: S, distances: &[usize], sums: &mut [f32]) {
        let (taps, mut tap) = (distances.len(), 0);
        while tap < taps {
            let (distances, sums) = (&distances[tap..], &mut sums[tap..]);
            tap += match taps - tap {
                WEIGHTS.. => self.product::<S, M, WEIGHTS>(simd, distances, sums, taps),
                3.. => self.product::<S, M, 3>(simd, distances, sums, taps),
                2 => self.product::<S, M, 2>(simd, distances, sums, taps),
                _ => self.product::<S, M, 1>(simd, distances, sums, taps),
            };
        }
    }

    /// The same with `N` weights; `taps` is what lies between the sums of a filter and the next.
    /// Gives back `N`.
    #[allow(clippy::needless_range_loop, reason = "as for `tile`")]
    #[inline(always)]
    fn product<S: Simd, const M: usize, const N: usize>(
        self,
        simd: S,
        distances: &[usize],
        sums: &mut [f32],
        taps: usize,
    ) -> usize {
        let vectors = self.len / S::F32_LANES;
        let images: [&[S::f32s]; N] = std::array::from_fn(|i| &S::as_simd_f32s(&self.enclosed[distances[i]..]).0[..vectors]);
        let gradients: [&[S::f32s]; M] =
            std::array::from_fn(|m| &S::as_simd_f32s(&self.gradients[m * self.places..]).0[..vectors]);
        let mut found = [[simd.splat_f32s(0.0); N]; M];
        for at in 0..vectors {
            let mut gradient = [simd.splat_f32s(0.0); M];
            for m in 0..M {
                gradient[m] = gradients[m][at];
            }
            for i in 0..N {
                let x = images[i][at];
                for m in 0..M {
                    found[m][i] = simd.mul_add_e_f32s(gradient[m], x, found[m][i]);
                }
            }
        }
        for m in 0..M {
            for i in 0..N {
                sums[m * taps + i] += simd.reduce_sum_f32s(found[m][i]);
            }
        }
        N
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use pulp::Scalar;

    fn wave(len: usize, k: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * k).sin()).collect()
    }

    /// Kinds of vector instructions.
    #[derive(Clone, Copy, Debug)]
    enum Level {
        None,
        #[cfg(target_arch = "x86_64")]
        Avx2(pulp::x86::V3),
        #[cfg(target_arch = "x86_64")]
        Avx512(pulp::x86::V4),
        Widest,
    }

    /// Those that this processor has.
    fn levels() -> Vec<Level> {
        #[cfg(target_arch = "x86_64")]
        let own = [pulp::x86::V3::try_new().map(Level::Avx2), pulp::x86::V4::try_new().map(Level::Avx512)];
        #[cfg(not(target_arch = "x86_64"))]
        let own = [None, None];
        [Some(Level::None), Some(Level::Widest)].into_iter().chain(own).flatten().collect()
    }

    fn run(level: Level, work: impl WithSimd<Output = ()>) {
        match level {
            Level::None => work.with_simd(Scalar::new()),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(v3) => v3.vectorize(On(v3, work)),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(v4) => v4.vectorize(On(v4, work)),
            Level::Widest => dispatch(work),
        }
    }

    fn near(found: &[f32], wanted: &[f64]) -> bool {
        let scale = wanted.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
        found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| (f64::from(*f) - w).abs() < 1e-5 * scale)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
        /// Blocks of filters of every size, and numbers of places that fill no vector.
        #[test]
        fn sums_are_those_of_a_plain_loop(
            distances in prop::collection::vec(0usize..90, 1..40), size in prop::sample::select(vec![1usize, 2, 4, 8]),
            places in 1usize..200,
        ) {
            let (room, taps) = (places.next_multiple_of(WIDEST), distances.len());
            let (enclosed, weights) = (wave(90 + room, 0.37), wave(taps * size, 0.71));
            let sum = |m: usize, at: usize| (0..taps).map(|k| f64::from(weights[k * size + m]) * f64::from(enclosed[at + distances[k]])).sum();
            let wanted: Vec<f64> = (0..size).flat_map(|m| (0..places).map(move |at| (m, at))).map(|(m, at)| sum(m, at)).collect();
            for level in levels() {
                let mut sums = vec![f32::NAN; size * room];
                run(level, Sums { enclosed: &enclosed, distances: &distances, weights: &weights, size, places, room, sums: &mut sums });
                let found: Vec<f32> = sums.chunks_exact(room).flat_map(|s| &s[..places]).copied().collect();
                prop_assert!(near(&found, &wanted), "{level:?}");
            }
        }

        /// Numbers of filters and weights that are no multiples of what the loops take at once, and
        /// places from the middle on.
        #[test]
        fn products_are_those_of_a_plain_loop(
            distances in prop::collection::vec(0usize..90, 1..20), filters in 1usize..12, vectors in 1usize..9, skipped in 0usize..4,
        ) {
            let (first, len, taps) = (skipped * WIDEST, vectors * WIDEST, distances.len());
            let places = first + len;
            let (enclosed, spread) = (wave(90 + places, 0.37), wave(filters * places, 0.71));
            let before = wave(filters * taps, 1.1);
            let product = |m: usize, k: usize| -> f64 {
                (first..places).map(|at| f64::from(spread[m * places + at]) * f64::from(enclosed[at + distances[k]])).sum()
            };
            let wanted: Vec<f64> = (0..filters * taps).map(|i| f64::from(before[i]) + product(i / taps, i % taps)).collect();
            for level in levels() {
                let mut sums = before.clone();
                let work = Products { enclosed: &enclosed, distances: &distances, spread: &spread, places, first, len, filters, sums: &mut sums };
                run(level, work);
                prop_assert!(near(&sums, &wanted), "{level:?}");
            }
        }
    }
}
