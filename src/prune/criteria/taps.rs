//! Gradients by what flows between layers.

use super::{Scoring, maps_of};
use crate::error::Result;
use crate::nn::{Flow, Net};
use crate::train::labelled;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLoss;
use burn::tensor::Tensor;
use std::ops::ControlFlow;

/// What came out of a layer, and the gradient of the loss by it, both `[samples, filters, height, width]`.
pub(super) struct Tap {
    pub values: Tensor<4>,
    pub gradient: Tensor<4>,
}

/// A network that gradients pass through and that does not change: norms use their running statistics, weights have no gradients.
pub(super) fn frozen(net: &Net) -> Net {
    net.clone().train().freeze()
}

/// Values and gradients of the mean loss of some samples behind the layers `at`, in that order.
pub(super) fn taps(frozen: &Net, scoring: &Scoring<'_>, which: &[usize], at: &[(usize, usize)]) -> Result<Vec<Tap>> {
    let device = scoring.compute.device.clone().autodiff();
    let (x, y) = labelled(scoring.samples, which, &device);
    let mut seen: Vec<Option<(Tensor<4>, Tensor<4>)>> = vec![None; at.len()];
    let logits = frozen.forward_changed(x, &mut |layer, flow| {
        let Some(place) = at.iter().position(|(l, _)| *l == layer) else { return ControlFlow::Continue(flow) };
        // Zeros whose gradient is that of what they are added to.
        let flat = matches!(flow, Flow::Flat(_));
        let maps = maps_of(flow, at[place].1);
        let leaf = Tensor::<4>::zeros(maps.dims(), &device).require_grad();
        seen[place] = Some((maps.clone().inner(), leaf.clone()));
        let sum = maps + leaf;
        ControlFlow::Continue(if flat { Flow::Flat(sum.flatten(1, 3)) } else { Flow::Maps(sum) })
    });
    let gradients = CrossEntropyLoss::new(None, &device).forward(logits, y).backward();
    let tap = |(values, leaf): (Tensor<4>, Tensor<4>)| {
        let gradient = leaf.grad(&gradients).unwrap_or_else(|| Tensor::zeros(values.dims(), &values.device()));
        Tap { values, gradient }
    };
    Ok(seen.into_iter().flatten().map(tap).collect())
}
