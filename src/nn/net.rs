//! A network of weights for an architecture.

use super::{Arch, Init, Layer, LayerWeights, Window, counts::parameters_of, draw};
use crate::error::{Error, Result};
use burn::module::{Module, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::{BatchNormConfig, LinearConfig};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use std::ops::ControlFlow;

/// A network: an architecture with the tensors of its layers.
#[derive(Module, Debug)]
pub struct Net {
    /// For every layer of the architecture its tensors, if it has any.
    pub layers: Vec<Option<LayerWeights>>,
    /// What the layers are.
    #[module(skip)]
    pub arch: Arch,
}

/// What flows between two layers, for a batch.
#[derive(Clone, Debug)]
pub enum Flow {
    /// `[batch, numbers]`
    Flat(Tensor<2>),
    /// `[batch, channels, height, width]`
    Maps(Tensor<4>),
}

impl Net {
    /// Builds a network with weights drawn uniformly with variance `gain / fan_in`
    /// ([`super::Activation::weight_variance`]), and biases of zero. The draw depends on `seed`
    /// alone, not on the device.
    ///
    /// # Errors
    /// [`Error::Input`] when the architecture does not fit together.
    pub fn new(arch: &Arch, seed: u64, device: &Device) -> Result<Self> {
        Self::with_init(arch, seed, Init::Own, None, device)
    }

    /// As [`Net::new`], with weights drawn by a scheme. `power` is the mean square of an input
    /// number, which some schemes use for the first layer.
    ///
    /// # Errors
    /// As [`Net::new`].
    pub fn with_init(arch: &Arch, seed: u64, init: Init, power: Option<f64>, device: &Device) -> Result<Self> {
        let mut net = Self::empty(arch, device)?;
        let mut drawn = draw(arch, seed, init, power).into_iter();
        for (at, layer) in arch.layers.iter().enumerate() {
            match *layer {
                Layer::Conv { input, output, kernel, groups, .. } => {
                    let shape = [output, input / groups, kernel.rows, kernel.columns];
                    let data = TensorData::new(drawn.next().unwrap_or_default(), shape);
                    net.conv_mut(at).weight = Param::from_tensor(Tensor::from_data(data, device));
                }
                Layer::Linear { input, output } => {
                    let data = TensorData::new(drawn.next().unwrap_or_default(), [input, output]);
                    net.linear_mut(at).weight = Param::from_tensor(Tensor::from_data(data, device));
                }
                _ => {}
            }
        }
        Ok(net)
    }

    /// The right tensors with zeros for weights; what [`Net::new`] and loading begin with.
    pub(super) fn empty(arch: &Arch, device: &Device) -> Result<Self> {
        arch.shapes()?;
        let learnt: Vec<f32> = arch.activation.trainable().into_iter().map(|n| arch.activation.parameters()[n] as f32).collect();
        if arch.learn_activation && learnt.is_empty() {
            return Err(Error::input(format!("{} has no parameters that can be learnt", arch.activation)));
        }
        let zeros = burn::module::Initializer::Zeros;
        let of_layer = |layer: &Layer| {
            Some(match *layer {
                Layer::Conv { input, output, groups, bias, .. } => {
                    let window = Window::of(layer)?;
                    let config = Conv2dConfig::new([input, output], window.size.array())
                        .with_stride(window.stride.array())
                        .with_padding(window.around())
                        .with_groups(groups)
                        .with_bias(bias)
                        .with_initializer(zeros.clone());
                    LayerWeights::Conv(config.init(device))
                }
                Layer::BatchNorm { channels } => LayerWeights::Norm(BatchNormConfig::new(channels).init(device)),
                Layer::Linear { input, output } => {
                    LayerWeights::Linear(LinearConfig::new(input, output).with_initializer(zeros.clone()).init(device))
                }
                Layer::Activation { .. } if arch.learn_activation => {
                    LayerWeights::Learnt(Param::from_tensor(Tensor::from_data(learnt.as_slice(), device)))
                }
                _ => return None,
            })
        };
        let net = Self { layers: arch.layers.iter().map(of_layer).collect(), arch: arch.clone() };
        // Weights are made on first use, in whatever order; make them now.
        let _ = net.valid();
        Ok(net)
    }

    /// Logits `[batch, classes]` of `[batch, numbers]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut pass = self.begin(x);
        while pass.next < self.arch.layers.len() {
            pass = self.advance_joined(pass);
        }
        pass.flow.flat()
    }

    /// [`Net::forward`], showing `see` what comes out of every layer, by the layer's index. The
    /// pass ends early, with what there is, when `see` returns false.
    pub fn forward_with(&self, x: Tensor<2>, see: &mut dyn FnMut(usize, &Flow) -> bool) -> Tensor<2> {
        self.forward_changed(x, &mut |at, flow| {
            if see(at, &flow) { ControlFlow::Continue(flow) } else { ControlFlow::Break(flow) }
        })
    }

    /// [`Net::forward`], where `change` may put something of the same shape in the place of what
    /// comes out of a layer, or end the pass.
    pub fn forward_changed(&self, x: Tensor<2>, change: &mut dyn FnMut(usize, Flow) -> ControlFlow<Flow, Flow>) -> Tensor<2> {
        let mut pass = self.begin(x);
        while pass.next < self.arch.layers.len() {
            let at = pass.next;
            let flow = self.apply(at, pass.flow, &|earlier| pass.kept.get(&earlier).cloned());
            pass = match change(at, flow) {
                ControlFlow::Continue(flow) => self.behind(at, flow, pass.kept),
                ControlFlow::Break(flow) => return flow.flat(),
            };
        }
        pass.flow.flat()
    }

    /// What comes out of layer `at`, for a batch.
    pub fn after_layer(&self, x: Tensor<2>, at: usize) -> Option<Flow> {
        let mut kept = None;
        self.forward_with(x, &mut |layer, flow| {
            if layer == at {
                kept = Some(flow.clone());
            }
            layer < at
        });
        kept
    }

    /// A network that gradients pass through and that does not change: norms use their running
    /// statistics, weights have no gradients.
    pub(crate) fn frozen(&self) -> Self {
        self.clone().train().freeze()
    }

    /// Number of weights that training changes (running statistics are not among them).
    pub fn parameters(&self) -> usize {
        parameters_of(&self.arch)
    }
}

impl Flow {
    /// One row per sample.
    pub fn flat(self) -> Tensor<2> {
        match self {
            Flow::Flat(x) => x,
            Flow::Maps(x) => x.flatten(1, 3),
        }
    }

    /// Channels of maps, numbers of a vector.
    pub fn channels(&self) -> usize {
        match self {
            Flow::Flat(x) => x.dims()[1],
            Flow::Maps(x) => x.dims()[1],
        }
    }

    /// The sum of two of one shape.
    pub fn plus(self, other: Flow) -> Flow {
        match (self, other) {
            (Flow::Maps(x), Flow::Maps(y)) => Flow::Maps(x + y),
            (Flow::Flat(x), Flow::Flat(y)) => Flow::Flat(x + y),
            (flow, _) => flow,
        }
    }
}

/// [`Layer::Shortcut`] as a convolution with a kernel of one pixel, of zeros and ones.
pub(super) fn shortcut(x: Tensor<4>, input: usize, stride: usize, channels: &[Option<usize>]) -> Tensor<4> {
    let mut kernel = vec![0.0f32; channels.len() * input];
    for (out, from) in channels.iter().enumerate() {
        if let Some(from) = from {
            kernel[out * input + from] = 1.0;
        }
    }
    let kernel = Tensor::from_data(TensorData::new(kernel, [channels.len(), input, 1, 1]), &x.device());
    conv2d(x, kernel, None, ConvOptions::new([stride, stride], [0, 0], [1, 1], 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Activation;

    fn small() -> Arch {
        Arch::cnn([1, 8, 8], &[4, 6], 12, 3, Activation::parse("relu").unwrap()).unwrap()
    }

    fn input(device: &Device) -> Tensor<2> {
        let data: Vec<f32> = (0..5 * 64).map(|i| (i as f32 * 0.37).sin()).collect();
        Tensor::from_data(TensorData::new(data, [5, 64]), device)
    }

    #[test]
    fn seeds_give_weights_of_the_right_variance() {
        let device = Device::flex();
        let arch = Arch::mlp(300, 3, 400, 2, Activation::parse("cabs").unwrap()).unwrap();
        let weights = |seed| -> Vec<f32> {
            Net::new(&arch, seed, &device).unwrap().linears().nth(1).unwrap().weight.val().try_into_vec_as().unwrap()
        };
        let w = weights(1);
        assert_eq!(w, weights(1));
        assert_ne!(w, weights(2));
        let variance = w.iter().map(|x| f64::from(x * x)).sum::<f64>() / w.len() as f64;
        assert!((variance * 400.0 - 0.6).abs() < 0.01, "{variance}");
    }

    #[test]
    fn counts_agree_with_the_tensors() {
        let net = Net::new(&small(), 0, &Device::flex()).unwrap();
        let statistics = 2 * (4 + 6);
        assert_eq!(net.parameters() + statistics, net.num_params());
        assert_eq!(crate::nn::counts::macs_of(&small()).unwrap(), 64 * 9 * 4 + 16 * 9 * 4 * 6 + 24 * 12 + 12 * 3);
    }

    /// A residual block against the same by hand.
    #[test]
    fn shortcuts_are_added() {
        let device = Device::flex();
        let mut arch = crate::nn::zoo::named("resnet20:0.25", [1, 8, 8], 3, Activation::parse("relu").unwrap()).unwrap();
        arch.input = vec![1, 8, 8];
        let net = Net::new(&arch, 4, &device).unwrap();
        let at = arch.layers.iter().position(|l| matches!(l, Layer::Shortcut { .. })).unwrap();
        let Layer::Branch { from } = arch.layers[at - 1] else { panic!("a shortcut begins with a branch") };
        let maps = |at| match net.after_layer(input(&device), at) {
            Some(Flow::Maps(x)) => x,
            other => panic!("{other:?}"),
        };
        let (before, body, sum) = (maps(from), maps(at - 2), maps(at + 1));
        assert_eq!((before.dims(), sum.dims()), ([5, 4, 8, 8], [5, 8, 4, 4]));
        let values = |x: Tensor<4>| -> Vec<f32> { x.try_into_vec_as().unwrap() };
        let (before, body, sum) = (values(before), values(body), values(sum));
        for (i, &got) in sum.iter().enumerate() {
            let (sample, channel, row, column) = (i / 128, i / 16 % 8, i / 4 % 4, i % 4);
            let carried =
                if (2..6).contains(&channel) { before[((sample * 4 + channel - 2) * 8 + 2 * row) * 8 + 2 * column] } else { 0.0 };
            assert!((got - body[i] - carried).abs() < 1e-6, "{i}");
        }
    }

    /// What several layers at once give against what they give one by one, and their gradients.
    #[test]
    fn layers_that_one_operation_joins_give_what_they_give_one_by_one() {
        let device = Device::flex().autodiff();
        let mut arch = crate::nn::zoo::named("resnet20:0.25", [1, 8, 8], 3, Activation::parse("fold:0.2").unwrap()).unwrap();
        arch.input = vec![1, 8, 8];
        let all = |at_once: bool| {
            let net = Net::new(&arch, 4, &device).unwrap();
            let x = input(&device).require_grad();
            let logits = if at_once { net.forward(x.clone()) } else { net.forward_with(x.clone(), &mut |_, _| true) };
            let gradients = logits.clone().powi_scalar(2).sum().backward();
            let first = net.conv(0).weight.val().grad(&gradients).unwrap();
            let values: [Vec<f32>; 2] = [logits, x.grad(&gradients).unwrap()].map(|t| t.try_into_vec_as().unwrap());
            let kept = net.norm(1).running_mean.value_sync().try_into_vec_as::<f32>().unwrap();
            [values.concat(), first.try_into_vec_as().unwrap(), kept]
        };
        for (one, other) in all(true).iter().zip(&all(false)) {
            let scale = other.iter().fold(0f32, |m, x| m.max(x.abs()));
            assert!(scale > 0.0 && one.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-4 * scale), "{one:?} {other:?}");
        }
    }

    #[test]
    fn any_layer_can_be_seen() {
        let device = Device::flex();
        let net = Net::new(&small(), 0, &device).unwrap();
        match net.after_layer(input(&device), 6) {
            Some(Flow::Maps(x)) => assert_eq!(x.dims(), [5, 6, 4, 4]),
            other => panic!("{other:?}"),
        }
    }
}
