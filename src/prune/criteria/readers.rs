//! Gradients through what reads the filters.
//!
//! A filter of a residual stream is read by several layers, and carried on by the shortcut. What is followed here is what flows into each reader,
//! through that reader alone, so that what the shortcut carries is counted where it is read.

use super::super::scoring::{Scoring, maps_of};
use crate::nn::{Flow, Group, Net};
use burn::tensor::{Tensor, TensorData};

/// What a reader reads, `[samples, filters, height, width]`, and the gradients of an aim by that, through this reader, and by what the reader gives,
/// `[samples, outputs, height, width]`, if that was asked for.
pub(super) struct ReaderTap {
    pub input: Tensor<4>,
    pub by_input: Tensor<4>,
    pub by_output: Option<Tensor<4>>,
}

/// A group's readers: their layers.
pub(super) fn layers_of(group: &Group) -> impl Iterator<Item = usize> + '_ {
    group.readers.iter().map(|r| r.layer())
}

/// Follows some samples through a network that gradients pass ([`super::taps::frozen`]). The aim is the sum over samples of their logits times `cotangents`, one row per
/// sample; `readers` are layers with the number of filters that they read, in ascending order of layers; `outputs` asks for the gradients by what they give.
pub(super) fn reader_taps(
    frozen: &Net,
    scoring: &Scoring<'_>,
    which: &[usize],
    cotangents: &[f32],
    readers: &[(usize, usize)],
    outputs: bool,
) -> Vec<ReaderTap> {
    let device = scoring.compute.device.clone().autodiff();
    let data = TensorData::new(scoring.samples.gather(which), [which.len(), scoring.samples.width()]);
    let mut pass = frozen.begin(Tensor::from_data(data, &device));
    let mut seen = Vec::new();
    // Zeros whose gradient is that of what they are added to.
    let leaf = |like: &Tensor<4>| Tensor::<4>::zeros(like.dims(), &device).require_grad();
    while pass.next < frozen.arch.layers.len() {
        let at = pass.next;
        let Some(&(_, filters)) = readers.iter().find(|(layer, _)| *layer == at) else {
            pass = frozen.advance(pass);
            continue;
        };
        let flat = matches!(pass.flow, Flow::Flat(_));
        let input = maps_of(pass.flow, filters);
        let read = leaf(&input);
        let sum = input.clone() + read.clone();
        let given = frozen.apply(at, if flat { Flow::Flat(sum.flatten(1, 3)) } else { Flow::Maps(sum) }, &|_| None);
        let (given, gave) = if outputs { tapped(given, &leaf) } else { (given, None) };
        seen.push((input.inner(), read, gave));
        pass = frozen.behind(at, given, pass.kept);
    }
    let logits = pass.flow.flat();
    let weights = TensorData::new(cotangents.to_vec(), logits.dims());
    let gradients = (logits * Tensor::<2>::from_data(weights, &device)).sum().backward();
    let of = |leaf: &Tensor<4>| leaf.grad(&gradients).unwrap_or_else(|| Tensor::zeros(leaf.dims(), &device).inner());
    let tap = |(input, read, gave): (Tensor<4>, Tensor<4>, Option<Tensor<4>>)| ReaderTap {
        input,
        by_input: of(&read),
        by_output: gave.as_ref().map(of),
    };
    seen.into_iter().map(tap).collect()
}

/// What a layer gives with a leaf added to it, and the leaf.
fn tapped(given: Flow, leaf: &impl Fn(&Tensor<4>) -> Tensor<4>) -> (Flow, Option<Tensor<4>>) {
    let (flat, outputs) = match &given {
        Flow::Flat(x) => (true, x.dims()[1]),
        Flow::Maps(x) => (false, x.dims()[1]),
    };
    let given = maps_of(given, outputs);
    let gave = leaf(&given);
    let sum = given + gave.clone();
    (if flat { Flow::Flat(sum.flatten(1, 3)) } else { Flow::Maps(sum) }, Some(gave))
}
