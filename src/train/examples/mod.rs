//! Gradients of single samples, in place of their mean: per-example gradients.
//!
//! A usual backward pass adds the gradients of a batch's samples up. Three strategies keep them
//! apart (Rochette, Manoel and Tramel, "Efficient per-example gradient computations in
//! convolutional neural networks", arXiv 1912.06015):
//!
//! - *naive*: a pass for each sample ([`naive`]).
//! - *multi*: one pass in which every sample has a copy of the weights ([`multi`]).
//! - *crb*, "chain-rule-based": one pass for what every layer reads and for the gradient of the
//!   loss by what it gives; the gradient of a sample's weights is a product of the two ([`crb`]).
//!
//! All of them give the same numbers to rounding. A batch norm that uses the batch's own mean mixes
//! the samples, so that no gradient belongs to one sample; it is refused. With fixed statistics it
//! has gradients like any other layer.

mod convolution;
mod crb;
mod multi;
mod naive;

pub(crate) use crb::Clipped;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::nn::{LayerWeights, Net};
use burn::module::{Param, ParamId};
use burn::nn::loss::CrossEntropyLoss;
use burn::tensor::{Int, Tensor};

/// How gradients of single samples are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExampleStrategy {
    /// A pass for each sample.
    Naive,
    /// One pass with a copy of the weights for each sample.
    Multi,
    /// One pass, and products of what layers read with gradients of what they give.
    Crb,
}

impl ExampleStrategy {
    /// All of them by their names in the paper.
    pub const ALL: [(&'static str, ExampleStrategy); 3] =
        [("naive", ExampleStrategy::Naive), ("multi", ExampleStrategy::Multi), ("crb", ExampleStrategy::Crb)];
}

impl std::str::FromStr for ExampleStrategy {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, strategy)| *strategy);
        known.ok_or_else(|| Error::unknown("strategy", name, &Self::ALL.map(|(n, _)| n)))
    }
}

/// Which of a layer's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The weights of a convolution or a fully connected layer, the scales of a batch norm.
    Weight,
    /// The biases, the shifts of a batch norm.
    Bias,
    /// What an activation has learnt.
    Learnt,
}

/// The gradients of each sample's loss by one tensor of a network.
#[derive(Clone, Debug)]
pub struct ExampleGradients {
    /// The layer's index.
    pub layer: usize,
    /// Which of its tensors.
    pub which: Which,
    /// `[samples, numbers of the tensor]`, the numbers in row-major order.
    pub rows: Tensor<2>,
}

/// One tensor that training changes: where it is, and its numbers in a row.
pub(super) struct Learnable {
    pub layer: usize,
    pub which: Which,
    pub id: ParamId,
    pub shape: Vec<usize>,
    /// `[1, numbers]`, without gradients.
    pub row: Tensor<2>,
}

/// All tensors that training changes, in the order of the layers.
pub(super) fn learnables(net: &Net) -> Vec<Learnable> {
    fn one<const D: usize>(layer: usize, which: Which, param: &Param<Tensor<D>>) -> Learnable {
        let value = param.val().inner();
        let shape = value.dims().to_vec();
        Learnable { layer, which, id: param.id, shape, row: value.flatten::<1>(0, D - 1).unsqueeze() }
    }
    let mut found = Vec::new();
    for (layer, weights) in net.layers.iter().enumerate() {
        match weights {
            None => {}
            Some(LayerWeights::Conv(conv)) => {
                found.push(one(layer, Which::Weight, &conv.weight));
                found.extend(conv.bias.iter().map(|b| one(layer, Which::Bias, b)));
            }
            Some(LayerWeights::Norm(norm)) => {
                found.push(one(layer, Which::Weight, &norm.gamma));
                found.push(one(layer, Which::Bias, &norm.beta));
            }
            Some(LayerWeights::Linear(linear)) => {
                found.push(one(layer, Which::Weight, &linear.weight));
                found.extend(linear.bias.iter().map(|b| one(layer, Which::Bias, b)));
            }
            Some(LayerWeights::Learnt(learnt)) => found.push(one(layer, Which::Learnt, learnt)),
        }
    }
    found
}

/// Gradients of the loss of every sample by every tensor that training changes.
///
/// `x` is `[samples, numbers]` and `labels` their classes, both on an autodiff device; `gpu` is the
/// engine on the same wgpu device, if it is one. Batch norms use the statistics that they have
/// learnt.
///
/// # Errors
/// [`Error::Device`] when the device fails.
pub fn example_gradients(
    net: &Net,
    x: Tensor<2>,
    labels: Tensor<1, Int>,
    strategy: ExampleStrategy,
    gpu: Option<&Gpu>,
) -> Result<Vec<ExampleGradients>> {
    let frozen = net.frozen();
    match strategy {
        ExampleStrategy::Naive => Ok(naive::gradients(net, &x, &labels)),
        ExampleStrategy::Multi => Ok(multi::gradients(&frozen, x, labels)),
        ExampleStrategy::Crb => crb::Taps::new(&frozen, x, labels).gradients(gpu),
    }
}

/// How long the gradient of every sample's loss is, over all that training changes: `[samples]`.
/// The arguments are those of [`example_gradients`]; the gradients by the weights of fully
/// connected layers are not made.
///
/// # Errors
/// As [`example_gradients`].
pub fn example_norms(net: &Net, x: Tensor<2>, labels: Tensor<1, Int>, gpu: Option<&Gpu>) -> Result<Tensor<1>> {
    Ok(Clipped::of(&net.frozen(), x, labels, 1.0, gpu)?.norms)
}

/// The sum of the samples' losses: its gradient by what belongs to one sample is that of this
/// sample's loss.
fn summed_loss(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let count = logits.dims()[0] as f64;
    CrossEntropyLoss::new(None, &logits.device()).forward(logits, labels) * count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::AdapterChoice;
    use crate::nn::{Activation, Arch, Compute, Layer, Sides, bridge, zoo};
    use crate::topology::EngineKind;
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;

    fn batch(net: &Net, samples: usize, device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        let width: usize = net.arch.input.iter().product();
        let data: Vec<f32> = (0..samples * width).map(|i| (i as f32 * 0.37).sin() + (i as f32 * 0.0113).cos()).collect();
        let classes = net.arch.classes().unwrap();
        let labels: Vec<i32> = (0..samples).map(|i| (i * 7 % classes) as i32).collect();
        let device = device.clone().autodiff();
        let x = Tensor::from_data(TensorData::new(data, [samples, width]), &device);
        (x, Tensor::from_data(TensorData::new(labels, [samples]), &device))
    }

    fn numbers(found: Vec<ExampleGradients>) -> Vec<(usize, Which, Vec<f32>)> {
        found.into_iter().map(|g| (g.layer, g.which, bridge::read(g.rows).unwrap())).collect()
    }

    /// The gradient of the summed loss, by burn alone.
    fn of_batch(net: &Net, x: Tensor<2>, labels: Tensor<1, Int>) -> Vec<Vec<f32>> {
        let net = naive::learning(net);
        let gradients = summed_loss(net.forward(x), labels).backward();
        naive::rows_of(&net, &gradients).into_iter().map(|r| bridge::read(r).unwrap()).collect()
    }

    fn near(got: &[f32], want: &[f32]) -> f32 {
        let scale = want.iter().fold(1e-3f32, |m, x| m.max(x.abs()));
        assert_eq!(got.len(), want.len());
        got.iter().zip(want).fold(0.0, |m, (g, w)| m.max((g - w).abs() / scale))
    }

    /// Every kind of layer: strides, paddings, groups, biases, norms, shortcuts, poolings, learnt
    /// activations.
    fn networks() -> Vec<Arch> {
        let relu = || Activation::parse("relu").unwrap();
        let mut odd = Arch::cnn([3, 9, 7], &[4], 5, 3, Activation::parse("fold:0.5,1").unwrap()).unwrap();
        let conv = |input, output, rows, columns, groups| Layer::Conv {
            input,
            output,
            kernel: Sides { rows, columns },
            stride: Sides { rows: 2, columns: 1 },
            padding: Some(Sides { rows: 0, columns: columns - 1 }),
            groups,
            bias: true,
        };
        odd.layers = vec![
            conv(3, 6, 2, 3, 3),
            Layer::BatchNorm { channels: 6 },
            Layer::activation(),
            conv(6, 4, 1, 2, 2),
            Layer::activation(),
            Layer::AvgPool { size: 2.into(), stride: None, padding: 0.into() },
            Layer::GlobalMean,
            Layer::BatchNorm { channels: 4 },
            // One that drops nothing, for what others drop is left to chance.
            Layer::Dropout { rate: 0.0 },
            Layer::Linear { input: 4, output: 3 },
        ];
        odd.learn_activation = true;
        let mut learnt = Arch::mlp(5, 3, 7, 2, Activation::parse("fold:0.5,1").unwrap()).unwrap();
        learnt.learn_activation = true;
        vec![
            odd,
            learnt,
            Arch::cnn([1, 8, 8], &[4, 6], 12, 3, relu()).unwrap().without_norms(),
            zoo::named("resnet20:0.25", [1, 8, 8], 3, relu()).unwrap(),
            // So deep a network with kinks shows rounding as jumps of its gradients.
            zoo::named("mobilenet:0.125", [3, 32, 32], 3, Activation::parse("tanh").unwrap()).unwrap(),
        ]
    }

    fn agree(compute: &Compute, tolerance: f32) {
        for arch in networks() {
            let net = Net::new(&arch, 3, &compute.device).unwrap();
            let (x, y) = batch(&net, 3, &compute.device);
            let of = |s| numbers(example_gradients(&net, x.clone(), y.clone(), s, compute.engine.gpu()).unwrap());
            let (naive, multi, crb) = (of(ExampleStrategy::Naive), of(ExampleStrategy::Multi), of(ExampleStrategy::Crb));
            let sums = of_batch(&net, x.clone(), y.clone());
            assert_eq!(naive.len(), sums.len());
            for (((n, m), c), sum) in naive.iter().zip(&multi).zip(&crb).zip(&sums) {
                assert_eq!((n.0, n.1), (m.0, m.1));
                assert_eq!((n.0, n.1), (c.0, c.1));
                let title = format!("{} layer {} {:?}", arch.name, n.0, n.1);
                assert!(near(&m.2, &n.2) < tolerance, "{title}: multi is {} off", near(&m.2, &n.2));
                assert!(near(&c.2, &n.2) < tolerance, "{title}: crb is {} off", near(&c.2, &n.2));
                let added: Vec<f32> = (0..sum.len()).map(|i| c.2.iter().skip(i).step_by(sum.len()).sum()).collect();
                assert!(near(&added, sum) < tolerance, "{title}: the sum is {} off", near(&added, sum));
                assert!(n.2.iter().any(|g| *g != 0.0), "{title}");
            }
        }
    }

    #[test]
    fn strategies_agree_on_the_processor() {
        agree(&Compute::cpu(), 1e-5);
    }

    #[test]
    fn strategies_agree_on_the_gpu() {
        let gpu = Compute::new(EngineKind::Gpu, &AdapterChoice::Best).unwrap();
        agree(&gpu, 1e-5);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        /// The shader and the host's way against each other, whatever the convolution's form.
        #[test]
        fn convolutions_agree(
            groups in 1usize..4, inputs in 1usize..20, outputs in 1usize..40, rows in 1usize..5, columns in 1usize..5,
            stride in 1usize..4, padding in 0usize..3, height in 5usize..20, width in 5usize..12, samples in 1usize..4,
        ) {
            let gpu = Compute::new(EngineKind::Gpu, &AdapterChoice::Best).unwrap();
            let layer = Layer::Conv {
                input: inputs * groups, output: outputs * groups, kernel: Sides { rows, columns }, stride: stride.into(),
                padding: Some(Sides { rows: padding.min(rows), columns: padding.min(columns) }), groups, bias: false,
            };
            let window = crate::nn::Window::of(&layer).unwrap();
            let [high, wide] = window.over([height, width]).unwrap();
            let wave = |shape: [usize; 4], k: f32, device: &Device| {
                let data = (0..shape.iter().product()).map(|i| (i as f32 * k).sin()).collect::<Vec<f32>>();
                Tensor::<4>::from_data(TensorData::new(data, shape), device)
            };
            let read = |device: &Device, gpu: Option<&Gpu>| {
                let x = wave([samples, inputs * groups, height, width], 0.37, device);
                let dy = wave([samples, outputs * groups, high, wide], 0.71, device);
                bridge::read(convolution::rows(x, dy, window, groups, gpu).unwrap()).unwrap()
            };
            let want = read(&Device::flex(), None);
            let got = read(&gpu.device, gpu.engine.gpu());
            // Sums of some hundred numbers in another order.
            prop_assert!(near(&got, &want) < 1e-4, "{}", near(&got, &want));
        }
    }
}
