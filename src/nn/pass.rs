//! A pass through a network that can stop before any layer and go on later.
//!
//! Pruning looks between layers: it changes a layer's weights in the middle of a pass, or follows a
//! gradient into what a single layer reads. A [`Pass`] is what flows into the next layer, together
//! with what shortcuts come back to later.

use super::net::{Flow, Net, shortcut};
use super::{Arch, Layer, Window, native};
use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{AvgPool2dConfig, MaxPool2dConfig};
use burn::nn::{BatchNorm, DropoutConfig};
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// Where a pass stands.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Index of the layer that comes next.
    pub next: usize,
    /// What flows into it.
    pub flow: Flow,
    /// What earlier layers gave, where a later layer asks for it.
    pub kept: BTreeMap<usize, Flow>,
}

impl Arch {
    /// The last layer that comes back to what layer `at` gave, if one does.
    pub fn last_return_to(&self, at: usize) -> Option<usize> {
        let returns = |l: &Layer| matches!(l, Layer::Branch { from: i } | Layer::Add { with: i } if *i == at);
        (at + 1..self.layers.len()).rev().find(|&later| returns(&self.layers[later]))
    }

    /// The batch norm right behind a layer.
    pub fn norm_behind(&self, at: usize) -> Option<usize> {
        matches!(self.layers.get(at + 1), Some(Layer::BatchNorm { .. })).then_some(at + 1)
    }
}

impl Net {
    /// A pass that stands before the first layer, for `[batch, numbers]`.
    pub fn begin(&self, x: Tensor<2>) -> Pass {
        let batch = x.dims()[0];
        let flow = match *self.arch.input {
            [c, h, w] => Flow::Maps(x.reshape([batch, c, h, w])),
            _ => Flow::Flat(x),
        };
        Pass { next: 0, flow, kept: BTreeMap::new() }
    }

    /// One layer on.
    pub fn advance(&self, pass: Pass) -> Pass {
        let Pass { next, flow, kept } = pass;
        let flow = self.apply(next, flow, &|at| kept.get(&at).cloned());
        self.behind(next, flow, kept)
    }

    /// Where a pass stands behind layer `at`, which gave `flow`.
    pub fn behind(&self, at: usize, flow: Flow, mut kept: BTreeMap<usize, Flow>) -> Pass {
        if self.arch.last_return_to(at).is_some() {
            kept.insert(at, flow.clone());
        }
        kept.retain(|&earlier, _| self.arch.last_return_to(earlier).is_some_and(|last| last > at));
        Pass { next: at + 1, flow, kept }
    }

    /// What layer `at` makes of `flow`; `kept` gives what an earlier layer gave, where the layer
    /// comes back to one.
    pub fn apply(&self, at: usize, flow: Flow, kept: &dyn Fn(usize) -> Option<Flow>) -> Flow {
        let activation = self.arch.activation_behind(at);
        match (&self.arch.layers[at], flow) {
            (layer @ Layer::Conv { .. }, Flow::Maps(x)) => Flow::Maps(convolved(layer, self.conv(at), x)),
            (Layer::BatchNorm { .. }, Flow::Maps(x)) => Flow::Maps(normalised(self.norm(at), x)),
            (Layer::BatchNorm { .. }, Flow::Flat(x)) => Flow::Flat(normalised(self.norm(at), x)),
            (Layer::Linear { .. }, Flow::Flat(x)) => Flow::Flat(self.linear(at).forward(x)),
            (Layer::Activation { .. }, Flow::Maps(x)) => Flow::Maps(match self.learnt(at) {
                Some(learnt) => activation.maps_learnt(&learnt, x),
                None => native::activation(activation, &x).unwrap_or_else(|| activation.maps(x)),
            }),
            (Layer::Activation { .. }, Flow::Flat(x)) => Flow::Flat(match self.learnt(at) {
                Some(learnt) => activation.flat_learnt(&learnt, x),
                None => native::activation(activation, &x).unwrap_or_else(|| activation.flat(x)),
            }),
            (layer @ (Layer::MaxPool { .. } | Layer::AvgPool { .. }), Flow::Maps(x)) => Flow::Maps(pooled(layer, x)),
            (Layer::Dropout { rate }, Flow::Maps(x)) => Flow::Maps(DropoutConfig::new(*rate).init().forward(x)),
            (Layer::Dropout { rate }, Flow::Flat(x)) => Flow::Flat(DropoutConfig::new(*rate).init().forward(x)),
            (Layer::GlobalMean, Flow::Maps(x)) => Flow::Flat(x.mean_dim(3).mean_dim(2).flatten(1, 3)),
            (Layer::Flatten, Flow::Maps(x)) => Flow::Flat(x.flatten(1, 3)),
            (Layer::Branch { from }, flow) => kept(*from).unwrap_or(flow),
            (Layer::Shortcut { input, stride, channels }, Flow::Maps(x)) => Flow::Maps(shortcut(x, *input, *stride, channels)),
            (Layer::Add { with }, flow) => match kept(*with) {
                Some(other) => flow.plus(other),
                None => flow,
            },
            (_, flow) => flow,
        }
    }

    /// [`Net::advance`] by several layers at once, where one operation of the processor does the
    /// work of all of them.
    pub(super) fn advance_joined(&self, pass: Pass) -> Pass {
        let joined = self.arch.joined(pass.next).filter(|joined| self.learnt(joined.activation).is_none());
        let (Some(joined), Flow::Maps(x)) = (joined, &pass.flow) else { return self.advance(pass) };
        let other = match joined.with.map(|with| pass.kept.get(&with)) {
            None => None,
            Some(Some(Flow::Maps(other))) => Some(other),
            Some(_) => return self.advance(pass),
        };
        let activation = Some(self.arch.activation_behind(joined.activation));
        match native::norm(self.norm(pass.next), x, native::Behind { other, activation }) {
            Some(y) => self.behind(joined.activation, Flow::Maps(y), pass.kept),
            None => self.advance(pass),
        }
    }
}

/// A batch norm, the sum of a residual block if there is one, and an activation, one right behind
/// the other.
struct Joined {
    /// The layer whose output is added.
    with: Option<usize>,
    /// The index of the activation.
    activation: usize,
}

impl Arch {
    /// What begins with the batch norm `at`, if nothing later comes back to what lies within.
    fn joined(&self, at: usize) -> Option<Joined> {
        let Layer::BatchNorm { .. } = self.layers.get(at)? else { return None };
        let with = match self.layers.get(at + 1)? {
            Layer::Add { with } if *with < at => Some(*with),
            _ => None,
        };
        let activation = at + 1 + usize::from(with.is_some());
        let Layer::Activation { .. } = self.layers.get(activation)? else { return None };
        (at..activation).all(|inner| self.last_return_to(inner).is_none()).then_some(Joined { with, activation })
    }
}

/// A convolution of maps: in our own way on the processor, if it has one group.
fn convolved(layer: &Layer, conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let bias = conv.bias.as_ref().map(Param::val);
    let ours = match (layer, Window::of(layer)) {
        (Layer::Conv { groups: 1, .. }, Some(window)) => native::convolution(&x, &conv.weight.val(), bias.as_ref(), window),
        _ => None,
    };
    ours.unwrap_or_else(|| conv.forward(x))
}

/// Batch norm: in our own way on the processor.
fn normalised<const D: usize>(norm: &BatchNorm, x: Tensor<D>) -> Tensor<D> {
    native::norm(norm, &x, native::Behind::default()).unwrap_or_else(|| norm.forward(x))
}

/// A pooling of maps.
fn pooled(layer: &Layer, x: Tensor<4>) -> Tensor<4> {
    let Some(window) = Window::of(layer) else { return x };
    let (size, stride, padding) = (window.size.array(), window.stride.array(), window.around());
    if matches!(layer, Layer::MaxPool { .. }) {
        native::largest(&x, window)
            .unwrap_or_else(|| MaxPool2dConfig::new(size).with_strides(stride).with_padding(padding).init().forward(x))
    } else {
        AvgPool2dConfig::new(size).with_strides(stride).with_padding(padding).with_count_include_pad(true).init().forward(x)
    }
}
