//! Gradients of each sample's loss by the weights of a convolution: `shaders/example_weights.wgsl`
//! where the tensors lie on a GPU. On the processor every sample's gradient is made of inner
//! products with its image, which has a border of zeros, as in the usual backward pass. Where that
//! is slower it is a product of two matrices, of which the second, the patches that the convolution
//! reads, is made piece by piece in the cache.

use crate::error::Result;
use crate::gpu::{Gpu, Kernel, Parts, Recorder, Work, all, upload};
use crate::nn::{Bordered, Form, Sides, Window, bridge};
use crate::topology::SHARED_SHADERS;
use burn::tensor::{Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::slice::from_ref;

/// Side of the square of weights that a workgroup of the shader computes.
const TILE: usize = 32;
/// Places that are added up in one dispatch; in step with the shader. More would be too many turns
/// of its loops for some drivers.
const PLACES: usize = 16_384;

/// `[samples, filters * channels of a group * kernel rows * kernel columns]`, from what the
/// convolution reads, `[samples, channels, height, width]`, and the gradients of the samples'
/// losses by what it gives, `[samples, filters, ..]`.
///
/// # Errors
/// [`crate::Error::Device`] when the device fails.
pub(super) fn rows(input: Tensor<4>, gradient: Tensor<4>, window: Window, groups: usize, gpu: Option<&Gpu>) -> Result<Tensor<2>> {
    match gpu {
        Some(gpu) if bridge::is_wgpu(&input.device()) => on_device(input, gradient, window, groups, gpu),
        _ => on_host(input, gradient, window, groups),
    }
}

/// The gradients of one sample, by as many filters of each group as `weights` has room for, the
/// first of which has the first `gradient`.
fn sample(form: &Form, image: &[f32], gradient: &[f32], weights: &mut [f32], scratch: &mut Vec<f32>) {
    let ((_, plane), taps, [_, high, wide]) = (form.sizes(), form.taps(), form.output);
    let outputs = weights.len() / (taps * form.groups);
    let of_these = Form { output: [outputs * form.groups, high, wide], ..*form };
    if let Some(bordered) = Bordered::new(&of_these).filter(Bordered::is_for_weights) {
        bordered.by_weights(image, &gradient[..outputs * plane], weights, scratch);
        return;
    }
    for (group, weights) in weights.chunks_exact_mut(outputs * taps).enumerate() {
        for rows in form.blocks() {
            let places = rows.len() * wide;
            scratch.resize(scratch.len().max(taps * places), 0.0);
            form.patches(image, group, rows.clone(), &mut scratch[..taps * places]);
            // Of every filter the places of these rows.
            let gradient = &gradient[group * outputs * plane + rows.start * wide..][..(outputs - 1) * plane + places];
            let left = MatRef::from_row_major_slice_with_stride(gradient, outputs, places, plane);
            let right = MatRef::from_row_major_slice(&scratch[..taps * places], taps, places).transpose();
            let sums = MatMut::from_row_major_slice_mut(weights, outputs, taps);
            matmul(sums, if rows.start == 0 { Accum::Replace } else { Accum::Add }, left, right, 1.0, Par::Seq);
        }
    }
}

fn on_host(input: Tensor<4>, gradient: Tensor<4>, window: Window, groups: usize) -> Result<Tensor<2>> {
    let ([n, channels, height, width], [_, filters, high, wide]) = (input.dims(), gradient.dims());
    let form = Form { window, groups, input: [channels, height, width], output: [filters, high, wide] };
    let device = input.device();
    let (images, gradients) = (bridge::read(input)?, bridge::read(gradient)?);
    let numbers = filters * form.taps();
    let mut rows = vec![0.0; n * numbers];
    let (image, plane) = (channels * height * width, filters * high * wide);
    // Where there are fewer samples than threads, several threads share the filters of one, and
    // each makes the patches for itself.
    let shares = if groups == 1 { rayon::current_num_threads().div_ceil(n.max(1)) } else { 1 };
    let share = filters.div_ceil(shares) * form.taps();
    let parts = rows
        .par_chunks_exact_mut(numbers)
        .enumerate()
        .flat_map(|(at, weights)| weights.par_chunks_mut(share).enumerate().map(move |(part, weights)| (at, part, weights)));
    parts.for_each_init(Vec::new, |scratch, (at, part, weights)| {
        let first = part * share / form.taps() * high * wide;
        sample(&form, &images[at * image..][..image], &gradients[at * plane..][first..plane], weights, scratch);
    });
    Ok(Tensor::from_data(TensorData::new(rows, [n, numbers]), &device))
}

fn on_device(input: Tensor<4>, gradient: Tensor<4>, window: Window, groups: usize, gpu: &Gpu) -> Result<Tensor<2>> {
    let ([n, channels, height, width], [_, filters, high, wide]) = (input.dims(), gradient.dims());
    let (inputs, outputs) = (channels / groups * window.size.area(), filters / groups);
    let form = [channels, height, width, filters, high, wide, groups].into_iter();
    let form = form.chain([window.size, window.stride, window.padding].into_iter().flat_map(Sides::array));
    let form = upload(gpu, "form of a convolution", &form.map(|x| x as u32).collect::<Vec<_>>())?;
    let kernel = Kernel::new(
        gpu,
        "example_weights",
        include_str!("../../../shaders/example_weights.wgsl"),
        &SHARED_SHADERS,
        &Parts::default(),
        &[],
    )?;
    let device = input.device();
    let (input, gradient) = (bridge::buffer_of(input)?, bridge::buffer_of(gradient)?);
    let bytes = (4 * n * filters * inputs) as u64;
    bridge::tensor_from(&device, gpu, [n, filters * inputs], |gpu, out, offset| {
        let shown = |t: &bridge::TensorBuffer| (t.offset(), t.bytes());
        let ((i, ib), (g, gb)) = (shown(&input), shown(&gradient));
        let bindings =
            [all(&form), (from_ref(input.buffer()), i, ib), (from_ref(gradient.buffer()), g, gb), (from_ref(out), offset, bytes)];
        let workgroups = n * groups * outputs.div_ceil(TILE) * inputs.div_ceil(TILE);
        let cost = 16.0 * (TILE * (high * wide).min(PLACES)) as f64 + 64.0;
        let mut recorder = Recorder::new(gpu, false)?;
        for first in (0..high * wide).step_by(PLACES) {
            let (a, b) = (workgroups as u32, first as u32);
            let work = Work { first: 0, groups: a, clouds: 1, a, b, cost, most_groups: 0 };
            pollster::block_on(recorder.dispatch(&kernel, &bindings, work))?;
        }
        recorder.submit()
    })
}
