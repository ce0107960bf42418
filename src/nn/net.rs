//! A network of weights for an architecture.

use super::{Arch, Init, Layer, Shape, draw};
use crate::error::{Error, Result};
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::store::{ModuleSnapshot, SafetensorsStore};
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::path::Path;

/// A network: the layers with weights, in the order of the architecture.
#[derive(Module, Debug)]
pub struct Net {
    /// The convolutions, weights `[output, input, kernel, kernel]`.
    pub convs: Vec<Conv2d>,
    /// The batch norms.
    pub norms: Vec<BatchNorm>,
    /// The fully connected layers, weights `[input, output]`.
    pub linears: Vec<Linear>,
    /// The activation's learnt parameters, for every activation in turn; empty where they are fixed.
    pub shapes: Vec<Param<Tensor<1>>>,
    /// What connects them.
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
    /// Builds a network with weights drawn uniformly with variance `gain / fan_in` ([`super::Activation::weight_variance`]), and
    /// biases of zero. The draw depends on `seed` alone, not on the device.
    ///
    /// # Errors
    /// [`Error::Input`] when the architecture does not fit together.
    pub fn new(arch: &Arch, seed: u64, device: &Device) -> Result<Self> {
        Self::with_init(arch, seed, Init::Own, None, device)
    }

    /// As [`Net::new`], with weights drawn by a scheme. `power` is the mean square of an input number, which some schemes use for the
    /// first layer.
    ///
    /// # Errors
    /// As [`Net::new`].
    pub fn with_init(arch: &Arch, seed: u64, init: Init, power: Option<f64>, device: &Device) -> Result<Self> {
        let mut net = Self::empty(arch, device)?;
        let mut drawn = draw(arch, seed, init, power).into_iter();
        let (mut convs, mut linears) = (net.convs.iter_mut(), net.linears.iter_mut());
        for layer in &arch.layers {
            let values = match layer {
                Layer::Conv { .. } | Layer::Linear { .. } => drawn.next().unwrap_or_default(),
                _ => continue,
            };
            match *layer {
                Layer::Conv { input, output, kernel, .. } => {
                    let data = TensorData::new(values, [output, input, kernel, kernel]);
                    convs.by_ref().take(1).for_each(|c| c.weight = Param::from_tensor(Tensor::from_data(data.clone(), device)));
                }
                Layer::Linear { input, output } => {
                    let data = TensorData::new(values, [input, output]);
                    linears.by_ref().take(1).for_each(|l| l.weight = Param::from_tensor(Tensor::from_data(data.clone(), device)));
                }
                _ => {}
            }
        }
        Ok(net)
    }

    /// The right tensors with zeros for weights; what [`Net::new`] and loading begin with.
    fn empty(arch: &Arch, device: &Device) -> Result<Self> {
        arch.shapes()?;
        let (mut convs, mut norms, mut linears, mut shapes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let learnt: Vec<f32> = arch.activation.trainable().into_iter().map(|n| arch.activation.parameters()[n] as f32).collect();
        if arch.learn_activation && learnt.is_empty() {
            return Err(Error::input(format!("{} has no parameters that can be learnt", arch.activation)));
        }
        let zeros = burn::module::Initializer::Zeros;
        for layer in &arch.layers {
            match *layer {
                Layer::Conv { input, output, kernel, bias } => {
                    let side = kernel / 2;
                    let config = Conv2dConfig::new([input, output], [kernel, kernel])
                        .with_padding(PaddingConfig2d::Explicit(side, side, side, side))
                        .with_bias(bias)
                        .with_initializer(zeros.clone());
                    convs.push(config.init(device));
                }
                Layer::BatchNorm { channels } => norms.push(BatchNormConfig::new(channels).init(device)),
                Layer::Linear { input, output } => {
                    linears.push(LinearConfig::new(input, output).with_initializer(zeros.clone()).init(device));
                }
                Layer::Activation if arch.learn_activation => {
                    shapes.push(Param::from_tensor(Tensor::from_data(learnt.as_slice(), device)));
                }
                Layer::Activation | Layer::MaxPool { .. } | Layer::Flatten => {}
            }
        }
        let net = Self { convs, norms, linears, shapes, arch: arch.clone() };
        // Weights are made on first use, in whatever order; make them now.
        let _ = net.valid();
        Ok(net)
    }

    /// Logits `[batch, classes]` of `[batch, numbers]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.forward_with(x, &mut |_, _| true)
    }

    /// [`Net::forward`], showing `see` what comes out of every layer, by the layer's index. The pass ends early, with what
    /// there is, when `see` returns false.
    pub fn forward_with(&self, x: Tensor<2>, see: &mut dyn FnMut(usize, &Flow) -> bool) -> Tensor<2> {
        let batch = x.dims()[0];
        let mut flow = match *self.arch.input {
            [c, h, w] => Flow::Maps(x.reshape([batch, c, h, w])),
            _ => Flow::Flat(x),
        };
        let (mut convs, mut norms, mut linears) = (self.convs.iter(), self.norms.iter(), self.linears.iter());
        let mut shapes = self.shapes.iter();
        let activation = &self.arch.activation;
        for (at, layer) in self.arch.layers.iter().enumerate() {
            flow = match (layer, flow) {
                (Layer::Conv { .. }, Flow::Maps(x)) => Flow::Maps(convs.next().map_or(x.clone(), |c| c.forward(x))),
                (Layer::BatchNorm { .. }, Flow::Maps(x)) => Flow::Maps(norms.next().map_or(x.clone(), |n| n.forward(x))),
                (Layer::Linear { .. }, Flow::Flat(x)) => Flow::Flat(linears.next().map_or(x.clone(), |l| l.forward(x))),
                (Layer::Activation, Flow::Maps(x)) => Flow::Maps(match shapes.next() {
                    Some(learnt) => activation.maps_learnt(&learnt.val(), x),
                    None => activation.maps(x),
                }),
                (Layer::Activation, Flow::Flat(x)) => Flow::Flat(match shapes.next() {
                    Some(learnt) => activation.flat_learnt(&learnt.val(), x),
                    None => activation.flat(x),
                }),
                (Layer::MaxPool { size }, Flow::Maps(x)) => {
                    Flow::Maps(MaxPool2dConfig::new([*size, *size]).with_strides([*size, *size]).init().forward(x))
                }
                (Layer::Flatten, Flow::Maps(x)) => Flow::Flat(x.flatten(1, 3)),
                (_, flow) => flow,
            };
            if !see(at, &flow) {
                break;
            }
        }
        match flow {
            Flow::Flat(x) => x,
            Flow::Maps(x) => x.flatten(1, 3),
        }
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

    /// Writes the weights as safetensors, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn save(&self, path: &Path) -> Result<()> {
        // burn's metadata come in an order that changes from run to run; without them equal weights are equal files.
        let mut store = SafetensorsStore::from_bytes(None).clear_metadata();
        // Only a plain copy holds the last update of the running statistics.
        self.valid().save_into(&mut store).map_err(|e| Error::Internal(format!("encoding the weights: {e}")))?;
        let bytes = store.get_bytes().map_err(|e| Error::Internal(format!("encoding the weights: {e}")))?;
        crate::data::files::write_atomically(path, |w| w.write_all(&bytes))
    }

    /// Reads weights for an architecture.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::File`] naming the tensor that does not fit.
    pub fn load(arch: &Arch, path: &Path, device: &Device) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        arch.shapes()?;
        if bytes.len() < 4 * parameters_of(arch) {
            let need = 4 * parameters_of(arch);
            return Err(Error::file(
                path,
                format!("{} bytes are too few for the {need} of arch.json's weights: truncated?", bytes.len()),
            ));
        }
        let mut net = Self::empty(arch, device)?;
        let mut store = SafetensorsStore::from_bytes(Some(bytes));
        let result =
            net.load_from(&mut store).map_err(|e| Error::file(path, format!("the weights do not fit arch.json: {e}")))?;
        if let Some(extra) = result.unused.first() {
            return Err(Error::file(path, format!("holds the tensor '{extra}', which the network of arch.json does not have")));
        }
        let floats = net.convs.iter().map(|c| c.weight.val().dtype()).chain(net.linears.iter().map(|l| l.weight.val().dtype()));
        let floats = floats.chain(net.norms.iter().map(|n| n.gamma.val().dtype()));
        if let Some(other) = floats.into_iter().find(|d| *d != DType::F32) {
            return Err(Error::file(path, format!("holds weights of type {other:?}; save them as float32")));
        }
        Ok(net)
    }

    /// Number of weights that training changes (running statistics are not among them).
    pub fn parameters(&self) -> usize {
        parameters_of(&self.arch)
    }
}

/// Number of weights that training changes in a network of this architecture.
pub(crate) fn parameters_of(arch: &Arch) -> usize {
    let product = |factors: &[usize]| factors.iter().fold(1usize, |p, &f| p.saturating_mul(f));
    let of_layer = |layer: &Layer| match *layer {
        Layer::Conv { input, output, kernel, bias } => {
            product(&[output, product(&[input, kernel, kernel]).saturating_add(usize::from(bias))])
        }
        Layer::BatchNorm { channels } => product(&[2, channels]),
        Layer::Linear { input, output } => product(&[output, input.saturating_add(1)]),
        Layer::Activation | Layer::MaxPool { .. } | Layer::Flatten => 0,
    };
    let learnt = if arch.learn_activation { arch.activation.trainable().len() } else { 0 };
    let activations = arch.layers.iter().filter(|l| matches!(l, Layer::Activation)).count();
    arch.layers.iter().map(of_layer).fold(learnt * activations, usize::saturating_add)
}

/// Multiply-accumulates of one sample: convolutions and fully connected layers, as the literature counts them.
pub(crate) fn macs_of(arch: &Arch) -> Result<usize> {
    let shapes = arch.shapes()?;
    let of_layer = |(layer, out): (&Layer, &Shape)| match (layer, out) {
        (Layer::Conv { input, kernel, .. }, shape) => shape.numbers() * input * kernel * kernel,
        (Layer::Linear { input, output }, _) => input * output,
        _ => 0,
    };
    Ok(arch.layers.iter().zip(&shapes[1..]).map(of_layer).sum())
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
    fn a_saved_network_gives_the_same_logits() {
        let device = Device::flex();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.safetensors");
        let net = Net::new(&small(), 3, &device).unwrap();
        net.save(&path).unwrap();
        let again = Net::load(&small(), &path, &device).unwrap();
        let logits = |n: &Net| -> Vec<f32> { n.forward(input(&device)).try_into_vec_as().unwrap() };
        assert_eq!(logits(&net), logits(&again));
        assert!(logits(&net).iter().any(|x| x.abs() > 1e-3));
        let other = Arch::cnn([1, 8, 8], &[4, 7], 12, 3, Activation::parse("relu").unwrap()).unwrap();
        let e = Net::load(&other, &path, &device).unwrap_err();
        assert_eq!(e.exit_code(), 2, "{e}");
        let shallow = Arch::cnn([1, 8, 8], &[4], 12, 3, Activation::parse("relu").unwrap()).unwrap();
        assert!(Net::load(&shallow, &path, &device).is_err());
    }

    #[test]
    fn seeds_give_weights_of_the_right_variance() {
        let device = Device::flex();
        let arch = Arch::mlp(300, 3, 400, 2, Activation::parse("cabs").unwrap()).unwrap();
        let weights =
            |seed| -> Vec<f32> { Net::new(&arch, seed, &device).unwrap().linears[1].weight.val().try_into_vec_as().unwrap() };
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
        assert_eq!(macs_of(&small()).unwrap(), 64 * 9 * 4 + 16 * 9 * 4 * 6 + 24 * 12 + 12 * 3);
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
