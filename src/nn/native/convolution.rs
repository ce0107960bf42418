//! A convolution of one group: read straight from images with a border where that is faster, else
//! as products of matrices, filters by weights times weights by places.

use super::bordered::{Bordered, Filters};
use super::shifted::FILTERS;
use super::spare::{Held, room};
use super::{Form, Host, in_order, is_host, numbers, record, tensor};
use crate::nn::Window;
use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Parts of a batch whose gradients by the weights are added up one by one. Their number does not
/// depend on the threads, so that neither do the sums.
const PARTS: usize = 16;

/// Makes the patches of a block of rows, or shows the image where it is its own.
fn patches<'a>(form: &Form, image: &'a [f32], rows: &Range<usize>, scratch: &'a mut Vec<f32>) -> MatRef<'a, f32> {
    let (taps, places) = (form.taps(), rows.len() * form.output[2]);
    if form.is_plain() {
        let plane = form.sizes().1;
        let from = rows.start * form.output[2];
        let image = &image[from..from + (taps - 1) * plane + places];
        return MatRef::from_row_major_slice_with_stride(image, taps, places, plane);
    }
    scratch.resize(scratch.len().max(taps * places), 0.0);
    form.patches(image, 0, rows.clone(), &mut scratch[..taps * places]);
    MatRef::from_row_major_slice(&scratch[..taps * places], taps, places)
}

/// Some rows of the planes of some filters.
fn of_rows<'a>(planes: &'a [f32], form: &Form, rows: &Range<usize>) -> MatRef<'a, f32> {
    let (plane, wide) = (form.sizes().1, form.output[2]);
    let (filters, places) = (planes.len() / plane, rows.len() * wide);
    let planes = &planes[rows.start * wide..][..(filters - 1) * plane + places];
    MatRef::from_row_major_slice_with_stride(planes, filters, places, plane)
}

/// Computes what a convolution gives, sample by sample, in parallel. `work` gets scratch memory,
/// the number of a sample, that of a filter, and the planes of this filter and some that follow.
/// Where there are fewer samples than threads, several threads share the filters of one, at least
/// `together` each.
fn of_samples(form: &Form, n: usize, together: usize, work: impl Fn(&mut Vec<f32>, usize, usize, &mut [f32]) + Sync) -> Vec<f32> {
    let (filters, plane) = (form.output[0], form.sizes().1);
    let mut output = room(n * filters * plane);
    let share = filters.div_ceil(rayon::current_num_threads().div_ceil(n.max(1))).next_multiple_of(together);
    let parts = output.par_chunks_exact_mut(filters * plane).enumerate().flat_map(|(at, output)| {
        output.par_chunks_mut(share * plane).enumerate().map(move |(part, output)| (at, part * share, output))
    });
    parts.for_each_init(Vec::new, |scratch, (at, first, output)| work(scratch, at, first, output));
    output
}

/// What a convolution gives that goes from place to place.
fn directly(bordered: &Bordered, images: &[f32], filters: &Filters) -> Vec<f32> {
    let image = bordered.form().sizes().0;
    of_samples(bordered.form(), images.len() / image, FILTERS, |scratch, at, first, output| {
        bordered.forward(&images[at * image..][..image], filters, first, output, scratch);
    })
}

fn forward(form: &Form, images: &[f32], weights: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let ((image, plane), taps) = (form.sizes(), form.taps());
    if let Some(bordered) = Bordered::new(form) {
        return directly(&bordered, images, &Filters::new(weights, taps, bias));
    }
    of_samples(form, images.len() / image, 1, |scratch, at, first, output| {
        let (image, count) = (&images[at * image..][..image], output.len() / plane);
        let weights = MatRef::from_row_major_slice(&weights[first * taps..][..count * taps], count, taps);
        if let Some(bias) = bias {
            output.chunks_exact_mut(plane).zip(&bias[first..]).for_each(|(plane, b)| plane.fill(*b));
        }
        for rows in form.blocks() {
            let places = rows.len() * form.output[2];
            let patches = patches(form, image, &rows, scratch);
            let to = &mut output[rows.start * form.output[2]..][..(count - 1) * plane + places];
            // faer 0.24's constructor for rows with a stride takes them for columns.
            let to = MatMut::from_column_major_slice_with_stride_mut(to, places, count, plane).transpose_mut();
            matmul(to, if bias.is_some() { Accum::Add } else { Accum::Replace }, weights, patches, 1.0, Par::Seq);
        }
    })
}

/// Gradients by images, weights and biases, those that are wanted.
fn backward(form: &Form, images: &[f32], weights: &[f32], gradients: &[f32], wanted: [bool; 3]) -> [Option<Vec<f32>>; 3] {
    let ((image, plane), taps, filters) = (form.sizes(), form.taps(), form.output[0]);
    let n = images.len() / image;
    let by_bias = wanted[2].then(|| {
        let mut sums = vec![0.0; filters];
        for sample in gradients.chunks_exact(filters * plane) {
            sums.iter_mut().zip(sample.chunks_exact(plane)).for_each(|(s, p)| *s += p.iter().sum::<f32>());
        }
        sums
    });
    let bordered = Bordered::new(form);
    let part = n.div_ceil(PARTS).max(1);
    let by_weights = wanted[1].then(|| {
        let of_part = |scratch: &mut Vec<f32>, (images, gradients): (&[f32], &[f32])| {
            let mut sums = vec![0.0; filters * taps];
            if let Some(bordered) = bordered.as_ref().filter(|b| b.is_for_weights()) {
                bordered.by_weights(images, gradients, &mut sums, scratch);
                return sums;
            }
            for (image, gradient) in images.chunks_exact(image).zip(gradients.chunks_exact(filters * plane)) {
                for rows in form.blocks() {
                    let right = patches(form, image, &rows, scratch).transpose();
                    let to = MatMut::from_row_major_slice_mut(&mut sums, filters, taps);
                    matmul(to, Accum::Add, of_rows(gradient, form, &rows), right, 1.0, Par::Seq);
                }
            }
            sums
        };
        let parts = images.par_chunks(part * image).zip(gradients.par_chunks(part * filters * plane));
        let parts: Vec<Vec<f32>> = parts.map_init(Vec::new, of_part).collect();
        let mut sums = vec![0.0; filters * taps];
        parts.iter().for_each(|p| sums.iter_mut().zip(p).for_each(|(s, x)| *s += x));
        sums
    });
    let by_images = wanted[0].then(|| {
        if let Some((bordered, turned)) = bordered.as_ref().and_then(|b| Some((b, b.turned()?))) {
            let weights = bordered.turn(weights);
            let filters = Filters::new(&weights, filters * form.window.size.area(), None);
            return directly(&turned, gradients, &filters);
        }
        let mut found = room(images.len());
        let turned = MatRef::from_row_major_slice(weights, filters, taps).transpose();
        let samples = found.par_chunks_exact_mut(image).zip(gradients.par_chunks_exact(filters * plane));
        samples.for_each_init(Vec::new, |scratch: &mut Vec<f32>, (found, gradient)| {
            found.fill(0.0);
            for rows in form.blocks() {
                let places = rows.len() * form.output[2];
                scratch.resize(scratch.len().max(taps * places), 0.0);
                let patches = MatMut::from_row_major_slice_mut(&mut scratch[..taps * places], taps, places);
                matmul(patches, Accum::Replace, turned, of_rows(gradient, form, &rows), 1.0, Par::Seq);
                form.add_patches(&scratch[..taps * places], 0, rows, found);
            }
        });
        found
    });
    [by_images, by_weights, by_bias]
}

/// A convolution of one group on the processor: `[samples, channels, height, width]` by `[filters,
/// channels, rows, columns]`, and a bias for each filter. Nothing where a tensor is not the
/// processor's, or the window does not fit.
pub fn convolution(x: &Tensor<4>, weight: &Tensor<4>, bias: Option<&Tensor<1>>, window: Window) -> Option<Tensor<4>> {
    let ([n, channels, height, width], [filters, ..]) = (x.dims(), weight.dims());
    let [high, wide] = window.over([height, width])?;
    let form = Form { window, groups: 1, input: [channels, height, width], output: [filters, high, wide] };
    let shape = [n, filters, high, wide];
    if n == 0 || !is_host(&x.device()) {
        return None;
    }
    if !x.device().is_autodiff() {
        let host = |t: Tensor<4>| t.try_into_primitive::<Flex>().ok().map(|t| in_order(&t));
        let (x, weight) = (host(x.clone())?, host(weight.clone())?);
        let bias = match bias {
            Some(bias) => Some(in_order(&bias.clone().try_into_primitive::<Flex>().ok()?)),
            None => None,
        };
        let output = forward(&form, numbers(&x), numbers(&weight), bias.as_ref().map(numbers));
        return Some(Tensor::from_primitive::<Flex>(tensor(output, shape)));
    }
    // A convolution without a bias has one of zeros here, which nobody asks the gradient of.
    let has_bias = bias.is_some();
    let bias = bias.map_or_else(|| Tensor::zeros([filters], &x.device()), Tensor::clone);
    let (x, x_node) = x.clone().try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let (weight, weight_node) = weight.clone().try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let (bias, bias_node) = bias.try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let (x, weight, bias) = (in_order(&x), in_order(&weight), in_order(&bias));
    let output = forward(&form, numbers(&x), numbers(&weight), has_bias.then(|| numbers(&bias)));
    let weight_shape = [filters, channels, window.size.rows, window.size.columns];
    let x = Held::new(x);
    let rule = move |gradient: &Host, wanted: [bool; 3]| {
        let [by_x, by_weight, by_bias] = backward(&form, &x, numbers(&weight), numbers(gradient), wanted);
        [
            by_x.map(|g| tensor(g, [n, channels, height, width])),
            by_weight.map(|g| tensor(g, weight_shape)),
            by_bias.map(|g| tensor(g, [filters])),
        ]
    };
    let output = record([x_node, weight_node, bias_node], tensor(output, shape), Arc::new(rule));
    Some(Tensor::from_primitive::<Autodiff<Flex>>(output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Sides;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;

    fn wave<const D: usize>(shape: [usize; D], k: f32, device: &Device) -> Tensor<D> {
        let data = (0..shape.iter().product()).map(|i| (i as f32 * k).sin()).collect::<Vec<f32>>();
        Tensor::from_data(TensorData::new(data, shape), device)
    }

    fn near(a: &[f32], b: &[f32]) -> f32 {
        let scale = b.iter().fold(1f32, |m, x| m.max(x.abs()));
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).fold(0.0, |m, (a, b)| m.max((a - b).abs() / scale))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
        /// What it gives, and all three gradients, against burn's own.
        #[test]
        fn values_and_gradients_are_those_of_burn(
            channels in 1usize..20, filters in 1usize..40, rows in 1usize..5, columns in 1usize..5, down in 1usize..4,
            right in 1usize..4, above in 0usize..3, beside in 0usize..3, height in 5usize..30, width in 5usize..30,
            samples in prop::sample::select(vec![1usize, 2, 3, 17, 40]), with_bias in any::<bool>(),
        ) {
            let window = Window {
                size: Sides { rows, columns }, stride: Sides { rows: down, columns: right },
                padding: Sides { rows: above.min(rows), columns: beside.min(columns) },
            };
            let shape = [samples, channels, height, width];
            let read = |t: Tensor<4>| t.try_into_vec_as::<f32>().unwrap();
            let options = || ConvOptions::new(window.stride.array(), window.padding.array(), [1, 1], 1);
            let plain = Device::flex();
            let (x, w, b) = (wave(shape, 0.37, &plain), wave([filters, channels, rows, columns], 0.71, &plain), wave([filters], 1.3, &plain));
            let bias = with_bias.then_some(&b);
            let want = conv2d(x.clone(), w.clone(), bias.cloned(), options());
            let weights = wave(want.dims(), 0.51, &plain);
            prop_assert!(near(&read(convolution(&x, &w, bias, window).unwrap()), &read(want)) < 1e-4);
            let gradients = |ours: bool| {
                let learning = Device::flex().autodiff();
                let x = wave(shape, 0.37, &learning).require_grad();
                let w = wave([filters, channels, rows, columns], 0.71, &learning).require_grad();
                let b = wave([filters], 1.3, &learning).require_grad();
                let bias = with_bias.then_some(&b);
                let y = if ours { convolution(&x, &w, bias, window).unwrap() } else { conv2d(x.clone(), w.clone(), bias.cloned(), options()) };
                let g = (y * Tensor::from_inner(weights.clone())).sum().backward();
                let by_bias = if with_bias { b.grad(&g).unwrap().try_into_vec_as::<f32>().unwrap() } else { Vec::new() };
                [read(x.grad(&g).unwrap()), read(w.grad(&g).unwrap()), by_bias]
            };
            for (ours, theirs) in gradients(true).into_iter().zip(gradients(false)) {
                // Sums of some hundred numbers in another order.
                let off = near(&ours, &theirs);
                prop_assert!(off < 1e-4, "{off}");
            }
        }
    }
}
