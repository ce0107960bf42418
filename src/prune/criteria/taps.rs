//! Gradients by what flows between layers.

use super::{Scoring, maps_of};
use crate::error::Result;
use crate::nn::{Flow, Net};
use crate::train::labelled;
use burn::nn::loss::CrossEntropyLoss;
use burn::tensor::{Gradients, Tensor};
use std::ops::ControlFlow;

/// What came out of a layer, and the gradient of the loss by it, both `[samples, filters, height,
/// width]`.
pub(super) struct Tap {
    pub values: Tensor<4>,
    pub gradient: Tensor<4>,
}

/// What flows with a leaf of zeros added to it; what flowed, as maps of so many channels without
/// gradients; and the leaf, whose gradient is that of what it was added to ([`gradient_of`]).
pub(super) fn with_leaf(flow: Flow, channels: usize) -> (Flow, Tensor<4>, Tensor<4>) {
    let flat = matches!(flow, Flow::Flat(_));
    let maps = maps_of(flow, channels);
    let leaf = Tensor::<4>::zeros(maps.dims(), &maps.device()).require_grad();
    let sum = maps.clone() + leaf.clone();
    (if flat { Flow::Flat(sum.flatten(1, 3)) } else { Flow::Maps(sum) }, maps.inner(), leaf)
}

/// The gradient of a leaf; zeros where nothing came of it.
pub(super) fn gradient_of(leaf: &Tensor<4>, gradients: &Gradients) -> Tensor<4> {
    leaf.grad(gradients).unwrap_or_else(|| Tensor::zeros(leaf.dims(), &leaf.clone().inner().device()))
}

/// Values and gradients of the mean loss of some samples behind the layers `at`, in that order.
pub(super) fn taps(frozen: &Net, scoring: &Scoring<'_>, which: &[usize], at: &[(usize, usize)]) -> Result<Vec<Tap>> {
    let device = scoring.compute.device.clone().autodiff();
    let (x, y) = labelled(scoring.samples, which, &device);
    let mut seen: Vec<Option<(Tensor<4>, Tensor<4>)>> = vec![None; at.len()];
    let logits = frozen.forward_changed(x, &mut |layer, flow| {
        let Some(place) = at.iter().position(|(l, _)| *l == layer) else { return ControlFlow::Continue(flow) };
        let (flow, maps, leaf) = with_leaf(flow, at[place].1);
        seen[place] = Some((maps, leaf));
        ControlFlow::Continue(flow)
    });
    let gradients = CrossEntropyLoss::new(None, &device).forward(logits, y).backward();
    let tap = |(values, leaf): (Tensor<4>, Tensor<4>)| Tap { values, gradient: gradient_of(&leaf, &gradients) };
    Ok(seen.into_iter().flatten().map(tap).collect())
}
