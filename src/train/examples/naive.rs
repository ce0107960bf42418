//! Gradients of single samples by a pass for each of them: the plainest way, and the slowest.

use super::{ExampleGradients, learnables, summed_loss};
use crate::nn::{LayerWeights, Net};
use burn::module::{Module, Param};
use burn::tensor::{Gradients, Int, Tensor};

/// A network whose weights have gradients and whose norms use their running statistics.
pub(super) fn learning(net: &Net) -> Net {
    let mut net = net.clone().train();
    net.norms_mut().for_each(|n| n.training = Param::from_bool(false));
    net
}

/// Gradients by all tensors that training changes, each in a row `[1, numbers]`, in the order of
/// [`learnables`].
pub(super) fn rows_of(net: &Net, gradients: &Gradients) -> Vec<Tensor<2>> {
    fn one<const D: usize>(param: &Param<Tensor<D>>, gradients: &Gradients) -> Tensor<2> {
        let value = param.val();
        let gradient = value.grad(gradients).unwrap_or_else(|| value.inner().zeros_like());
        gradient.flatten::<1>(0, D - 1).unsqueeze()
    }
    let mut rows = Vec::new();
    for weights in net.layers.iter().flatten() {
        match weights {
            LayerWeights::Conv(conv) => {
                rows.push(one(&conv.weight, gradients));
                rows.extend(conv.bias.iter().map(|b| one(b, gradients)));
            }
            LayerWeights::Norm(norm) => rows.extend([one(&norm.gamma, gradients), one(&norm.beta, gradients)]),
            LayerWeights::Linear(linear) => {
                rows.push(one(&linear.weight, gradients));
                rows.extend(linear.bias.iter().map(|b| one(b, gradients)));
            }
            LayerWeights::Learnt(learnt) => rows.push(one(learnt, gradients)),
        }
    }
    rows
}

/// Gradients of every sample's loss.
pub(super) fn gradients(net: &Net, x: &Tensor<2>, labels: &Tensor<1, Int>) -> Vec<ExampleGradients> {
    let net = learning(net);
    let mut all: Vec<Vec<Tensor<2>>> = Vec::new();
    for sample in 0..x.dims()[0] {
        let loss = summed_loss(net.forward(x.clone().narrow(0, sample, 1)), labels.clone().narrow(0, sample, 1));
        let rows = rows_of(&net, &loss.backward());
        all.resize_with(rows.len(), Vec::new);
        all.iter_mut().zip(rows).for_each(|(all, row)| all.push(row));
    }
    let name = |(l, rows): (super::Learnable, Vec<Tensor<2>>)| ExampleGradients {
        layer: l.layer,
        which: l.which,
        rows: Tensor::cat(rows, 0),
    };
    learnables(&net).into_iter().zip(all).map(name).collect()
}
