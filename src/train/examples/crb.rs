//! Gradients of single samples from one pass: what every layer reads, times the gradient of the
//! loss by what it gives.

use super::multi::{copies, gradient_of};
use super::{ExampleGradients, Which, convolution, learnables, summed_loss};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::nn::{Flow, Layer, Net, Window};
use burn::tensor::{Int, Tensor};

/// What a layer with weights reads, and the gradients of the samples' losses by what it gives.
enum Tap {
    /// A convolution: `[samples, channels, height, width]` and `[samples, filters, ..]`.
    Conv { layer: usize, window: Window, groups: usize, bias: bool, input: Tensor<4>, gradient: Tensor<4> },
    /// A fully connected layer: `[samples, numbers in]` and `[samples, numbers out]`.
    Linear { layer: usize, input: Tensor<2>, gradient: Tensor<2> },
    /// A batch norm: its input, brought to mean 0 and variance 1, and the gradient, both `[samples,
    /// channels, places]`.
    Norm { layer: usize, input: Tensor<3>, gradient: Tensor<3> },
    /// A learnt activation: the gradients themselves.
    Learnt { layer: usize, rows: Tensor<2> },
}

/// All that a batch's gradients are made of.
pub(super) struct Taps {
    logits: Tensor<2>,
    loss: Tensor<1>,
    taps: Vec<Tap>,
}

/// A leaf of zeros of the shape of a tensor, whose gradient is that of what it is added to.
fn leaf<const D: usize>(like: &Tensor<D>) -> Tensor<D> {
    Tensor::from_inner(like.clone().inner().zeros_like()).require_grad()
}

/// What is waited for while a pass goes on.
enum Waiting {
    Maps { layer: usize, input: Tensor<4>, leaf: Tensor<4> },
    Flat { layer: usize, input: Tensor<2>, leaf: Tensor<2> },
    Learnt { layer: usize, copies: Tensor<2> },
}

impl Taps {
    /// Passes a batch through a network whose weights have no gradients and whose norms use their
    /// running statistics.
    pub fn new(frozen: &Net, x: Tensor<2>, labels: Tensor<1, Int>) -> Self {
        let samples = x.dims()[0];
        let learnt: Vec<_> = learnables(frozen).into_iter().filter(|l| l.which == Which::Learnt).collect();
        let mut waiting = Vec::new();
        let mut pass = frozen.begin(x);
        while pass.next < frozen.arch.layers.len() {
            let at = pass.next;
            let input = pass.flow.clone();
            let flow = match learnt.iter().find(|l| l.layer == at) {
                Some(of) => {
                    let copies = copies(of, samples);
                    waiting.push(Waiting::Learnt { layer: at, copies: copies.clone() });
                    frozen.arch.activation_behind(at).each_learnt(&copies, pass.flow)
                }
                None => frozen.apply(at, pass.flow, &|earlier| pass.kept.get(&earlier).cloned()),
            };
            let flow = match (frozen.arch.layers[at].has_weights(), input, flow) {
                (true, Flow::Maps(input), Flow::Maps(y)) => {
                    let leaf = leaf(&y);
                    waiting.push(Waiting::Maps { layer: at, input: input.inner(), leaf: leaf.clone() });
                    Flow::Maps(y + leaf)
                }
                (true, Flow::Flat(input), Flow::Flat(y)) => {
                    let leaf = leaf(&y);
                    waiting.push(Waiting::Flat { layer: at, input: input.inner(), leaf: leaf.clone() });
                    Flow::Flat(y + leaf)
                }
                (_, _, flow) => flow,
            };
            pass = frozen.behind(at, flow, pass.kept);
        }
        let logits = pass.flow.flat();
        let loss = summed_loss(logits.clone(), labels);
        let gradients = loss.clone().backward();
        let tap = |w: Waiting| match w {
            Waiting::Learnt { layer, copies } => Tap::Learnt { layer, rows: gradient_of(&copies, &gradients) },
            Waiting::Maps { layer, input, leaf } => {
                let gradient = gradient_of(&leaf, &gradients);
                match &frozen.arch.layers[layer] {
                    of @ Layer::Conv { groups, bias, .. } => {
                        let window = Window::of(of).unwrap_or(Window { size: 1.into(), stride: 1.into(), padding: 0.into() });
                        Tap::Conv { layer, window, groups: *groups, bias: *bias, input, gradient }
                    }
                    _ => normalised(frozen, layer, &input.flatten(2, 3), gradient.flatten(2, 3)),
                }
            }
            Waiting::Flat { layer, input, leaf } => {
                let gradient = gradient_of(&leaf, &gradients);
                match frozen.arch.layers[layer] {
                    Layer::Linear { .. } => Tap::Linear { layer, input, gradient },
                    _ => normalised(frozen, layer, &input.unsqueeze_dim(2), gradient.unsqueeze_dim(2)),
                }
            }
        };
        let taps = waiting.into_iter().map(tap).collect();
        Self { logits: logits.inner(), loss: loss.inner(), taps }
    }

    /// The gradients of every sample.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device fails.
    pub fn gradients(self, gpu: Option<&Gpu>) -> Result<Vec<ExampleGradients>> {
        let mut found = Vec::new();
        for tap in self.taps {
            let layer = tap.layer();
            found.extend(tap.rows(gpu)?.into_iter().map(|(which, rows)| ExampleGradients { layer, which, rows }));
        }
        Ok(found)
    }
}

/// What a batch norm with fixed statistics multiplies its scales by.
fn normalised(net: &Net, layer: usize, input: &Tensor<3>, gradient: Tensor<3>) -> Tap {
    let norm = net.norm(layer);
    let of_channels = |t: Tensor<1>| t.reshape([1, input.dims()[1], 1]);
    let mean = of_channels(norm.running_mean.value_sync().inner());
    let deviation = of_channels((norm.running_var.value_sync().inner() + norm.epsilon).sqrt());
    Tap::Norm { layer, input: (input.clone() - mean) / deviation, gradient }
}

/// Sums over the last dimension: `[samples, channels]`.
fn over_places(x: Tensor<3>) -> Tensor<2> {
    x.sum_dim(2).squeeze_dim(2)
}

impl Tap {
    fn layer(&self) -> usize {
        match *self {
            Tap::Conv { layer, .. } | Tap::Linear { layer, .. } | Tap::Norm { layer, .. } | Tap::Learnt { layer, .. } => layer,
        }
    }

    /// Every sample's gradients, tensor by tensor.
    fn rows(self, gpu: Option<&Gpu>) -> Result<Vec<(Which, Tensor<2>)>> {
        Ok(match self {
            Tap::Learnt { rows, .. } => vec![(Which::Learnt, rows)],
            Tap::Linear { input, gradient, .. } => {
                let [n, out] = gradient.dims();
                let outer = input.clone().unsqueeze_dim::<3>(2).matmul(gradient.clone().unsqueeze_dim(1));
                vec![(Which::Weight, outer.reshape([n, input.dims()[1] * out])), (Which::Bias, gradient)]
            }
            Tap::Norm { input, gradient, .. } => {
                vec![(Which::Weight, over_places(input * gradient.clone())), (Which::Bias, over_places(gradient))]
            }
            Tap::Conv { window, groups, bias, input, gradient, .. } => {
                let of_bias = bias.then(|| (Which::Bias, over_places(gradient.clone().flatten(2, 3))));
                let weight = convolution::rows(input, gradient, window, groups, gpu)?;
                std::iter::once((Which::Weight, weight)).chain(of_bias).collect()
            }
        })
    }
}

/// A sum of gradients of single samples, none of which is longer than the clip.
pub(crate) struct Clipped {
    /// The sum by every tensor that training changes: layer, which, and numbers `[1, numbers]`.
    pub sums: Vec<(usize, Which, Tensor<2>)>,
    /// How long the gradient of each sample was, over all tensors: `[samples]`.
    pub norms: Tensor<1>,
    /// The sum of the samples' losses: `[1]`.
    pub loss: Tensor<1>,
    /// The logits.
    pub logits: Tensor<2>,
}

impl Clipped {
    /// Gradients of a batch's samples, each shortened to `clip` where it is longer, added up.
    ///
    /// The gradients by the weights of fully connected layers are never made: their squared length
    /// is the product of the squared lengths of what the layer reads and of the gradient by what it
    /// gives (Goodfellow, arXiv 1510.01799), and their sum is one product of matrices.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device fails.
    pub fn of(frozen: &Net, x: Tensor<2>, labels: Tensor<1, Int>, clip: f64, gpu: Option<&Gpu>) -> Result<Self> {
        let Taps { logits, loss, taps } = Taps::new(frozen, x, labels);
        let square = |rows: &Tensor<2>| rows.clone().powi_scalar(2).sum_dim(1);
        let mut squares = Tensor::<2>::zeros([logits.dims()[0], 1], &logits.device());
        let mut parts = Vec::new();
        for tap in taps {
            let layer = tap.layer();
            if let Tap::Linear { input, gradient, .. } = tap {
                squares = squares + square(&gradient) * (square(&input) + 1.0);
                parts.push((layer, Part::Dense { input, gradient }));
                continue;
            }
            for (which, rows) in tap.rows(gpu)? {
                squares = squares + square(&rows);
                parts.push((layer, Part::Rows(which, rows)));
            }
        }
        let norms = squares.sqrt();
        // Not above 1; a gradient of length 0 stays what it is.
        let factors = (norms.clone() / clip).clamp_min(1.0).recip();
        let turned = factors.clone().transpose();
        let mut sums = Vec::new();
        for (layer, part) in parts {
            match part {
                Part::Rows(which, rows) => sums.push((layer, which, turned.clone().matmul(rows))),
                Part::Dense { input, gradient } => {
                    let gradient = gradient * factors.clone();
                    let weight = input.transpose().matmul(gradient.clone());
                    sums.push((layer, Which::Weight, weight.flatten::<1>(0, 1).unsqueeze()));
                    sums.push((layer, Which::Bias, gradient.sum_dim(0)));
                }
            }
        }
        Ok(Self { sums, norms: norms.squeeze_dim(1), loss, logits })
    }
}

/// What the sum of a layer's clipped gradients is made of.
#[allow(clippy::large_enum_variant, reason = "a network has a few dozen of them")]
enum Part {
    Rows(Which, Tensor<2>),
    Dense { input: Tensor<2>, gradient: Tensor<2> },
}
