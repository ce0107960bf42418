//! The largest number under a window, and where it was, row by row.

use super::spare::{Held, room};
use super::{Host, in_order, is_host, numbers, record, tensor};
use crate::nn::Window;
use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;
use bytemuck::{cast_slice, cast_slice_mut};
use rayon::prelude::*;
use std::sync::Arc;

/// The place of a window that saw no number.
const NOWHERE: u32 = u32::MAX;

/// Planes that a window moves over.
#[derive(Clone, Copy)]
struct Planes {
    window: Window,
    /// Height and width of what is read, ...
    input: [usize; 2],
    /// ... and of what is given.
    output: [usize; 2],
}

impl Planes {
    /// Puts the largest numbers of a plane, and their places in it, in the place of infinitely
    /// small ones that are [`NOWHERE`]. A number that is none is the largest.
    fn largest(&self, x: &[f32], best: &mut [f32], places: &mut [u32]) {
        let Window { size, stride, padding } = self.window;
        let ([height, width], wide) = (self.input, self.output[1]);
        for (at, (best, places)) in best.chunks_exact_mut(wide).zip(places.chunks_exact_mut(wide)).enumerate() {
            for down in 0..size.rows {
                let row = (at * stride.rows + down).wrapping_sub(padding.rows);
                if row >= height {
                    continue;
                }
                let line = &x[row * width..][..width];
                for right in 0..size.columns {
                    // The places whose window has a number here, and the first of these numbers.
                    let first = padding.columns.saturating_sub(right).div_ceil(stride.columns);
                    let from = first * stride.columns + right - padding.columns;
                    if first >= wide || from >= width {
                        continue;
                    }
                    let count = (wide - first).min((width - from).div_ceil(stride.columns));
                    let (best, places) = (&mut best[first..][..count], &mut places[first..][..count]);
                    let place = (row * width + from) as u32;
                    match stride.columns {
                        1 => step::<1>(&line[from..], best, places, place),
                        2 => step::<2>(&line[from..], best, places, place),
                        3 => step::<3>(&line[from..], best, places, place),
                        other => {
                            for (i, x) in line[from..].iter().step_by(other).take(count).enumerate() {
                                take(*x, place + (i * other) as u32, &mut best[i], &mut places[i]);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Keeps the larger number and its place. Bits are chosen by a mask: a branch would be guessed
/// wrong at every second number.
fn take(x: f32, place: u32, best: &mut f32, at: &mut u32) {
    let mask = u32::from((x > *best) | x.is_nan()).wrapping_neg();
    *best = f32::from_bits((x.to_bits() & mask) | (best.to_bits() & !mask));
    *at = (place & mask) | (*at & !mask);
}

/// Numbers that are taken side by side.
const WIDTH: usize = 8;

/// The same for every `STEP`th number of a line. The compiler makes vector instructions of it for a
/// known step and count.
fn step<const STEP: usize>(line: &[f32], best: &mut [f32], places: &mut [u32], place: u32) {
    let whole = best.len() / WIDTH * WIDTH;
    let (best, last) = best.split_at_mut(whole);
    let (places, last_places) = places.split_at_mut(whole);
    for (at, (best, places)) in best.chunks_exact_mut(WIDTH).zip(places.chunks_exact_mut(WIDTH)).enumerate() {
        let from = at * WIDTH * STEP;
        let line = &line[from..][..(WIDTH - 1) * STEP + 1];
        let numbers: [f32; WIDTH] = std::array::from_fn(|i| line[i * STEP]);
        for i in 0..WIDTH {
            take(numbers[i], place + (from + i * STEP) as u32, &mut best[i], &mut places[i]);
        }
    }
    for (i, (best, at)) in last.iter_mut().zip(last_places).enumerate() {
        let from = (whole + i) * STEP;
        take(line[from], place + from as u32, best, at);
    }
}

/// Max pooling on the processor: `[samples, channels, height, width]`. Nothing where the tensor is
/// not the processor's, or the window does not fit.
pub fn largest(x: &Tensor<4>, window: Window) -> Option<Tensor<4>> {
    let [n, channels, height, width] = x.dims();
    let output = window.over([height, width])?;
    if !is_host(&x.device()) || x.dims().contains(&0) {
        return None;
    }
    let planes = Planes { window, input: [height, width], output };
    let (shape, given) = ([n, channels, output[0], output[1]], output[0] * output[1]);
    let apply = |x: &Host| {
        let x = in_order(x);
        let count = n * channels * given;
        let (mut best, mut places) = (room(count), room(count));
        let rows = best.par_chunks_exact_mut(given).zip(cast_slice_mut::<f32, u32>(&mut places).par_chunks_exact_mut(given));
        rows.zip(numbers(&x).par_chunks_exact(height * width)).with_min_len(16).for_each(|((best, places), x)| {
            best.fill(f32::NEG_INFINITY);
            places.fill(NOWHERE);
            planes.largest(x, best, places);
        });
        (tensor(best, shape), places)
    };
    if !x.device().is_autodiff() {
        let x = x.clone().try_into_primitive::<Flex>().ok()?;
        return Some(Tensor::from_primitive::<Flex>(apply(&x).0));
    }
    let (x, node) = x.clone().try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let (output, places) = apply(&x);
    let places = Held::new(tensor(places, [n * channels * given]));
    let rule = move |gradient: &Host, _: [bool; 1]| {
        let mut by_x = room(n * channels * height * width);
        let read = numbers(gradient).par_chunks_exact(given).zip(cast_slice::<f32, u32>(&places).par_chunks_exact(given));
        by_x.par_chunks_exact_mut(height * width).zip(read).with_min_len(16).for_each(|(by_x, (gradient, places))| {
            by_x.fill(0.0);
            for (g, &place) in gradient.iter().zip(places) {
                if let Some(to) = by_x.get_mut(place as usize) {
                    *to += g;
                }
            }
        });
        [Some(tensor(by_x, [n, channels, height, width]))]
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(record([node], output, Arc::new(rule))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Sides;
    use burn::nn::pool::MaxPool2dConfig;
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]
        /// Values and gradients against burn's own.
        #[test]
        fn values_and_gradients_are_those_of_burn(
            rows in 1usize..5, columns in 1usize..5, down in 1usize..5, right in 1usize..6, above in 0usize..3, beside in 0usize..3,
            height in 4usize..12, width in 4usize..40, samples in 1usize..4,
        ) {
            let window = Window {
                size: Sides { rows, columns }, stride: Sides { rows: down, columns: right },
                padding: Sides { rows: above.min(rows / 2), columns: beside.min(columns / 2) },
            };
            let shape = [samples, 3, height, width];
            let at = |device: &Device, k: f32, shape: [usize; 4]| {
                let data = (0..shape.iter().product()).map(|i| (i as f32 * k).sin()).collect::<Vec<f32>>();
                Tensor::<4>::from_data(TensorData::new(data, shape), device)
            };
            let theirs = || MaxPool2dConfig::new(window.size.array()).with_strides(window.stride.array()).with_padding(window.around()).init();
            let read = |t: Tensor<4>| t.try_into_vec_as::<f32>().unwrap();
            let plain = at(&Device::flex(), 0.37, shape);
            let want = theirs().forward(plain.clone());
            let weights = at(&Device::flex(), 0.51, want.dims());
            prop_assert_eq!(read(largest(&plain, window).unwrap()), read(want));
            let gradient = |f: &dyn Fn(Tensor<4>) -> Tensor<4>| {
                let x = at(&Device::flex().autodiff(), 0.37, shape).require_grad();
                read(x.grad(&(f(x.clone()) * Tensor::from_inner(weights.clone())).sum().backward()).unwrap())
            };
            let (ours, theirs) = (gradient(&|x| largest(&x, window).unwrap()), gradient(&|x| theirs().forward(x)));
            // Windows that overlap add their gradients in some order.
            prop_assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-5), "{:?} {:?}", ours, theirs);
        }
    }

    #[test]
    fn a_number_that_is_none_is_seen() {
        let data = vec![1.0, f32::NAN, 2.0, 3.0, f32::NEG_INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
        let x = Tensor::<4>::from_data(TensorData::new(data, [2, 1, 2, 2]), &Device::flex());
        let window = Window { size: 2.into(), stride: 2.into(), padding: 0.into() };
        let got = largest(&x, window).unwrap().try_into_vec_as::<f32>().unwrap();
        assert!(got[0].is_nan() && got[1] == f32::NEG_INFINITY);
    }
}
