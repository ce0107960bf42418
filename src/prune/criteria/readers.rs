//! Gradients through what reads the filters.
//!
//! A filter of a residual stream is read by several layers, and carried on by the shortcut. What is
//! followed here is what flows into each reader, through that reader alone, so that what the
//! shortcut carries is counted where it is read.

use super::super::scoring::Scoring;
use super::taps::{gradient_of, with_leaf};
use crate::nn::{Group, Net};
use burn::tensor::{Tensor, TensorData};

/// What a reader reads, `[samples, filters, height, width]`, and the gradients of an aim by that,
/// through this reader, and by what the reader gives, `[samples, outputs, height, width]`, if that
/// was asked for.
pub(super) struct ReaderTap {
    pub input: Tensor<4>,
    pub by_input: Tensor<4>,
    pub by_output: Option<Tensor<4>>,
}

/// All readers of the groups: their layers, ascending, with the number of filters that each reads.
pub(super) fn readers_of(groups: &[Group]) -> Vec<(usize, usize)> {
    let mut readers: Vec<(usize, usize)> = groups.iter().flat_map(|g| g.readers.iter().map(|r| (r.layer(), g.filters))).collect();
    readers.sort_unstable();
    readers
}

/// Where a group's readers stand among all of them ([`readers_of`]).
pub(super) fn places_of<'a>(group: &'a Group, readers: &'a [(usize, usize)]) -> impl Iterator<Item = usize> + 'a {
    group.readers.iter().filter_map(|r| readers.iter().position(|(layer, _)| *layer == r.layer()))
}

/// Follows some samples through a network that gradients pass ([`super::taps::frozen`]). The aim is
/// the sum over samples of their logits times `cotangents`, one row per sample; `readers` are
/// layers with the number of filters that they read, in ascending order of layers; `outputs` asks
/// for the gradients by what they give.
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
    while pass.next < frozen.arch.layers.len() {
        let at = pass.next;
        let Some(&(_, filters)) = readers.iter().find(|(layer, _)| *layer == at) else {
            pass = frozen.advance(pass);
            continue;
        };
        let (flow, input, read) = with_leaf(pass.flow, filters);
        let mut given = frozen.apply(at, flow, &|_| None);
        let mut gave = None;
        if outputs {
            let channels = given.channels();
            let (flow, _, leaf) = with_leaf(given, channels);
            (given, gave) = (flow, Some(leaf));
        }
        seen.push((input, read, gave));
        pass = frozen.behind(at, given, pass.kept);
    }
    let logits = pass.flow.flat();
    let weights = TensorData::new(cotangents.to_vec(), logits.dims());
    let gradients = (logits * Tensor::<2>::from_data(weights, &device)).sum().backward();
    let of = |leaf: &Tensor<4>| gradient_of(leaf, &gradients);
    let tap = |(input, read, gave): (Tensor<4>, Tensor<4>, Option<Tensor<4>>)| ReaderTap {
        input,
        by_input: of(&read),
        by_output: gave.as_ref().map(of),
    };
    seen.into_iter().map(tap).collect()
}
