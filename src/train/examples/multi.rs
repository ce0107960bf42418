//! Gradients of single samples by one pass in which each sample has weights of its own, all with
//! the same numbers. The samples' convolutions are the groups of one convolution.

use super::{ExampleGradients, Learnable, learnables, summed_loss};
use crate::nn::{Flow, Layer, Net, Window};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Int, Tensor};

/// A tensor of weights once for each sample, `[samples, numbers]`; its gradient holds those of the
/// samples.
pub(super) fn copies(of: &Learnable, samples: usize) -> Tensor<2> {
    Tensor::from_inner(of.row.clone().repeat_dim(0, samples)).require_grad()
}

/// The gradient of a leaf of the graph; zeros where nothing came of it.
pub(super) fn gradient_of<const D: usize>(leaf: &Tensor<D>, gradients: &burn::tensor::Gradients) -> Tensor<D> {
    leaf.grad(gradients).unwrap_or_else(|| leaf.clone().inner().zeros_like())
}

/// What layer `at` makes of `flow` if sample i has the weights in row i of `own`, in the order
/// weights, biases; nothing if the layer has no weights.
fn apply(net: &Net, at: usize, flow: Flow, own: &[Tensor<2>]) -> Flow {
    let bias = own.get(1).cloned();
    match (&net.arch.layers[at], flow) {
        (layer @ Layer::Conv { input, output, kernel, groups, .. }, Flow::Maps(x)) => {
            let ([n, _, h, w], (o, c)) = (x.dims(), (*output, *input));
            let Some(window) = Window::of(layer) else { return Flow::Maps(x) };
            let weights = own[0].clone().reshape([n * o, c / groups, kernel.rows, kernel.columns]);
            let options = ConvOptions::new(window.stride.array(), window.padding.array(), [1, 1], n * groups);
            let y = conv2d(x.reshape([1, n * c, h, w]), weights, None, options);
            let [_, _, high, wide] = y.dims();
            let y = y.reshape([n, o, high, wide]);
            Flow::Maps(match bias {
                Some(bias) => y + bias.reshape([n, o, 1, 1]),
                None => y,
            })
        }
        (Layer::Linear { input, output }, Flow::Flat(x)) => {
            let n = x.dims()[0];
            let y = x.reshape([n, 1, *input]).matmul(own[0].clone().reshape([n, *input, *output])).reshape([n, *output]);
            Flow::Flat(match bias {
                Some(bias) => y + bias,
                None => y,
            })
        }
        (Layer::BatchNorm { channels }, flow) => {
            let (norm, flat) = (net.norm(at), matches!(flow, Flow::Flat(_)));
            let x = match flow {
                Flow::Maps(x) => x,
                Flow::Flat(x) => x.unsqueeze_dims(&[2, 3]),
            };
            let n = x.dims()[0];
            let of_channels = |t: Tensor<1>| Tensor::from_inner(t.reshape([1, *channels, 1, 1]));
            let mean = of_channels(norm.running_mean.value_sync().inner());
            let deviation = of_channels((norm.running_var.value_sync().inner() + norm.epsilon).sqrt());
            let mut y = (x - mean) / deviation * own[0].clone().reshape([n, *channels, 1, 1]);
            if let Some(bias) = bias {
                y = y + bias.reshape([n, *channels, 1, 1]);
            }
            if flat { Flow::Flat(y.flatten(1, 3)) } else { Flow::Maps(y) }
        }
        (_, flow) => net.arch.activation_behind(at).each_learnt(&own[0], flow),
    }
}

/// Gradients of every sample's loss.
pub(super) fn gradients(frozen: &Net, x: Tensor<2>, labels: Tensor<1, Int>) -> Vec<ExampleGradients> {
    let samples = x.dims()[0];
    let learnables = learnables(frozen);
    let own: Vec<Tensor<2>> = learnables.iter().map(|l| copies(l, samples)).collect();
    let mut pass = frozen.begin(x);
    while pass.next < frozen.arch.layers.len() {
        let at = pass.next;
        let of_layer: Vec<Tensor<2>> =
            learnables.iter().zip(&own).filter(|(l, _)| l.layer == at).map(|(_, copies)| copies.clone()).collect();
        let flow = if of_layer.is_empty() {
            frozen.apply(at, pass.flow, &|earlier| pass.kept.get(&earlier).cloned())
        } else {
            apply(frozen, at, pass.flow, &of_layer)
        };
        pass = frozen.behind(at, flow, pass.kept);
    }
    let gradients = summed_loss(pass.flow.flat(), labels).backward();
    let found = |(l, own): (Learnable, &Tensor<2>)| ExampleGradients {
        layer: l.layer,
        which: l.which,
        rows: gradient_of(own, &gradients),
    };
    learnables.into_iter().zip(&own).map(found).collect()
}
