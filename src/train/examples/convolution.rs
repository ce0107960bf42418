//! Gradients of each sample's loss by the weights of a convolution: `shaders/example_weights.wgsl`
//! where the tensors lie on a GPU, else products of matrices.

use crate::error::Result;
use crate::gpu::{Gpu, Kernel, Parts, Recorder, Work, all, upload};
use crate::nn::{Window, bridge};
use crate::topology::SHARED_SHADERS;
use burn::tensor::{Slice, Tensor};
use std::slice::from_ref;

/// Side of the square of weights that a workgroup of the shader computes.
const TILE: usize = 32;
/// Places that are added up in one dispatch; in step with the shader. More would be too many turns
/// of its loops for some drivers.
const PLACES: usize = 16_384;

/// `[samples, filters * channels of a group * kernel rows * kernel columns]`, from what the
/// convolution reads, `[samples, channels, height, width]`, and the gradients of the samples' losses
/// by what it gives, `[samples, filters, ..]`.
///
/// # Errors
/// [`crate::Error::Device`] when the device fails.
pub(super) fn rows(input: Tensor<4>, gradient: Tensor<4>, window: Window, groups: usize, gpu: Option<&Gpu>) -> Result<Tensor<2>> {
    match gpu {
        Some(gpu) if bridge::is_wgpu(&input.device()) => on_device(input, gradient, window, groups, gpu),
        _ => Ok(by_products(input, gradient, window, groups)),
    }
}

/// What each weight is multiplied by: `[samples, channels * kernel rows * kernel columns, places]`.
fn patches(input: Tensor<4>, window: Window, [high, wide]: [usize; 2]) -> Tensor<3> {
    let Window { size, stride, padding } = window;
    let padded = match padding.array() {
        [0, 0] => input,
        // In the order left, right, top, bottom.
        [rows, columns] => input.pad((columns, columns, rows, rows), 0.0),
    };
    let [n, channels, ..] = padded.dims();
    let along = |first: usize, count: usize, step: usize| {
        Slice::new(first as isize, Some((first + (count - 1) * step + 1) as isize), step as isize)
    };
    let full = Slice::new(0, None, 1);
    let tap = |tap: usize| {
        let (row, column) = (tap / size.columns, tap % size.columns);
        let part = padded.clone().slice([full, full, along(row, high, stride.rows), along(column, wide, stride.columns)]);
        part.reshape([n, channels, 1, high * wide])
    };
    Tensor::cat((0..size.area()).map(tap).collect(), 2).reshape([n, channels * size.area(), high * wide])
}

fn by_products(input: Tensor<4>, gradient: Tensor<4>, window: Window, groups: usize) -> Tensor<2> {
    let [n, filters, high, wide] = gradient.dims();
    let patches = patches(input, window, [high, wide]);
    let (inputs, places) = (patches.dims()[1] / groups, high * wide);
    let gradient = gradient.reshape([n * groups, filters / groups, places]);
    gradient.matmul(patches.reshape([n * groups, inputs, places]).swap_dims(1, 2)).reshape([n, filters * inputs])
}

fn on_device(input: Tensor<4>, gradient: Tensor<4>, window: Window, groups: usize, gpu: &Gpu) -> Result<Tensor<2>> {
    let ([n, channels, height, width], [_, filters, high, wide]) = (input.dims(), gradient.dims());
    let (inputs, outputs) = (channels / groups * window.size.area(), filters / groups);
    let form = [channels, height, width, filters, high, wide, groups].into_iter();
    let form = form.chain([window.size, window.stride, window.padding].into_iter().flat_map(|s| s.array()));
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
