//! Architectures as data: what `arch.json` holds, so that a pruned network can be built again.

use super::Activation;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Weights that a network may have: 2 GiB of them.
const MOST_PARAMETERS: usize = 1 << 29;

/// What flows between two layers, per sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A vector of this many numbers.
    Flat(usize),
    /// Channels, height, width.
    Maps(usize, usize, usize),
}

impl Shape {
    /// Numbers per sample.
    pub fn numbers(self) -> usize {
        match self {
            Shape::Flat(n) => n,
            Shape::Maps(c, h, w) => c.saturating_mul(h).saturating_mul(w),
        }
    }
}

/// One layer of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Layer {
    /// Square convolution, stride 1, zeros around so that the plane keeps its size; a bias unless a norm follows.
    Conv {
        /// Channels in.
        input: usize,
        /// Filters.
        output: usize,
        /// Odd side of the kernel.
        kernel: usize,
        /// Whether it has a bias.
        bias: bool,
    },
    /// Batch normalisation of each channel.
    BatchNorm {
        /// Channels.
        channels: usize,
    },
    /// The network's activation function.
    Activation,
    /// Largest of each `size x size` square.
    MaxPool {
        /// Side and stride.
        size: usize,
    },
    /// Maps to a vector, channel by channel.
    Flatten,
    /// Fully connected, with a bias.
    Linear {
        /// Numbers in.
        input: usize,
        /// Numbers out.
        output: usize,
    },
}

/// A network as a chain of layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arch {
    /// Its family: `mlp` or `cnn`.
    pub name: String,
    /// Channels, height, width of the input; `[features]` for vectors.
    pub input: Vec<usize>,
    /// The activation function between the layers.
    pub activation: Activation,
    /// Whether its parameters are learnt, each layer's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub learn_activation: bool,
    /// From input to logits.
    pub layers: Vec<Layer>,
}

impl Arch {
    /// A multilayer perceptron: `depth` linear layers in all, `width` numbers between them.
    ///
    /// # Errors
    /// [`Error::Input`] for a depth or width of 0.
    pub fn mlp(features: usize, depth: usize, width: usize, classes: usize, activation: Activation) -> Result<Self> {
        if depth == 0 || width == 0 {
            return Err(Error::input("a network needs a depth and a width of at least 1"));
        }
        let mut layers = Vec::new();
        let mut input = features;
        for _ in 1..depth {
            layers.push(Layer::Linear { input, output: width });
            layers.push(Layer::Activation);
            input = width;
        }
        layers.push(Layer::Linear { input, output: classes });
        Ok(Self { name: "mlp".into(), input: vec![features], activation, learn_activation: false, layers })
    }

    /// A small convolutional network: one block (3 x 3 convolution, batch norm, activation, 2 x 2 pooling) per entry of
    /// `filters`, then a hidden layer and the logits.
    ///
    /// # Errors
    /// [`Error::Input`] when the planes are too small for that many blocks.
    pub fn cnn(input: [usize; 3], filters: &[usize], hidden: usize, classes: usize, activation: Activation) -> Result<Self> {
        let [mut channels, mut height, mut width] = input;
        let mut layers = Vec::new();
        for &output in filters {
            layers.push(Layer::Conv { input: channels, output, kernel: 3, bias: false });
            layers.push(Layer::BatchNorm { channels: output });
            layers.push(Layer::Activation);
            layers.push(Layer::MaxPool { size: 2 });
            (channels, height, width) = (output, height / 2, width / 2);
        }
        layers.push(Layer::Flatten);
        layers.push(Layer::Linear { input: channels * height * width, output: hidden });
        layers.push(Layer::Activation);
        layers.push(Layer::Linear { input: hidden, output: classes });
        let arch = Self { name: "cnn".into(), input: input.to_vec(), activation, learn_activation: false, layers };
        arch.shapes()?;
        Ok(arch)
    }

    /// The same without batch norms; convolutions get biases instead.
    pub fn without_norms(mut self) -> Self {
        self.layers.retain(|l| !matches!(l, Layer::BatchNorm { .. }));
        for layer in &mut self.layers {
            if let Layer::Conv { bias, .. } = layer {
                *bias = true;
            }
        }
        self
    }

    /// What it is called in reports: its family and the widths of its layers.
    pub fn title(&self) -> String {
        let filters: Vec<usize> =
            self.layers.iter().filter_map(|l| if let Layer::Conv { output, .. } = l { Some(*output) } else { None }).collect();
        let linear: Vec<usize> =
            self.layers.iter().filter_map(|l| if let Layer::Linear { input, .. } = l { Some(*input) } else { None }).collect();
        match filters.as_slice() {
            [] => format!("{} {}x{}", self.name, linear.len(), linear.last().copied().unwrap_or(0)),
            _ => format!("{} {filters:?}", self.name),
        }
    }

    /// What flows into each layer, and out of the last: one more than there are layers.
    ///
    /// # Errors
    /// [`Error::Input`] naming the first layer that does not fit the one before.
    pub fn shapes(&self) -> Result<Vec<Shape>> {
        let mut shape = match *self.input {
            [features] => Shape::Flat(features),
            [c, h, w] => Shape::Maps(c, h, w),
            _ => return Err(Error::input(format!("an input of {} dimensions: 1 or 3 are needed", self.input.len()))),
        };
        let mut shapes = vec![shape];
        if super::parameters_of(self) > MOST_PARAMETERS {
            return Err(Error::input(format!(
                "{} would have more than {MOST_PARAMETERS} weights: use fewer or narrower layers",
                self.name
            )));
        }
        for (at, layer) in self.layers.iter().enumerate() {
            let next = match (layer, shape) {
                (Layer::Conv { input, output, kernel, .. }, Shape::Maps(c, h, w)) if *input == c && kernel % 2 == 1 => {
                    Some(Shape::Maps(*output, h, w))
                }
                (Layer::BatchNorm { channels }, Shape::Maps(c, ..)) if *channels == c => Some(shape),
                (Layer::Activation, _) => Some(shape),
                (Layer::MaxPool { size }, Shape::Maps(c, h, w)) if *size > 0 => Some(Shape::Maps(c, h / size, w / size)),
                (Layer::Flatten, Shape::Maps(..)) => Some(Shape::Flat(shape.numbers())),
                (Layer::Linear { input, output }, Shape::Flat(n)) if *input == n => Some(Shape::Flat(*output)),
                _ => None,
            };
            shape = next.filter(|s| s.numbers() > 0).ok_or_else(|| {
                Error::input(format!("layer {at} of {} ({layer:?}) does not fit what comes in, {shape:?}", self.name))
            })?;
            shapes.push(shape);
        }
        Ok(shapes)
    }

    /// Number of classes.
    ///
    /// # Errors
    /// As [`Arch::shapes`], or when the chain does not end in a vector.
    pub fn classes(&self) -> Result<usize> {
        match self.shapes()?.last() {
            Some(Shape::Flat(n)) => Ok(*n),
            _ => Err(Error::input(format!("{} does not end in a vector of logits", self.name))),
        }
    }

    /// Indices of the convolutions whose filters can be removed, each with the index of the layer after which its filters
    /// are seen: the activation that follows, or the convolution itself if none does before the next layer of weights.
    pub fn prunable(&self) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (at, _) in self.layers.iter().enumerate().filter(|(_, l)| matches!(l, Layer::Conv { .. })) {
            let mut seen = at;
            for (later, layer) in self.layers.iter().enumerate().skip(at + 1) {
                match layer {
                    Layer::BatchNorm { .. } => seen = later,
                    Layer::Activation => {
                        seen = later;
                        break;
                    }
                    _ => break,
                }
            }
            found.push((at, seen));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relu() -> Activation {
        Activation::parse("relu").unwrap()
    }

    #[test]
    fn shapes_follow_the_chain() {
        let arch = Arch::cnn([1, 28, 28], &[16, 32], 64, 10, relu()).unwrap();
        let shapes = arch.shapes().unwrap();
        assert_eq!(shapes[4], Shape::Maps(16, 14, 14));
        assert_eq!(shapes[9], Shape::Flat(32 * 49));
        assert_eq!(arch.classes().unwrap(), 10);
        assert_eq!(arch.prunable(), [(0, 2), (4, 6)]);
        assert_eq!(arch.title(), "cnn [16, 32]");
        let mlp = Arch::mlp(2, 10, 15, 2, relu()).unwrap();
        assert_eq!((mlp.layers.len(), mlp.title()), (19, "mlp 10x15".into()));
        assert!(Arch::mlp(2, 3, 1_000_000, 2, relu()).unwrap().shapes().unwrap_err().to_string().contains("weights"));
    }

    #[test]
    fn misfits_are_named() {
        let mut arch = Arch::mlp(2, 3, 4, 2, relu()).unwrap();
        arch.layers[2] = Layer::Linear { input: 5, output: 4 };
        assert!(arch.shapes().unwrap_err().to_string().contains("layer 2"));
        assert!(Arch::cnn([1, 4, 4], &[8, 8, 8], 16, 10, relu()).is_err());
    }

    #[test]
    fn json_comes_back() {
        let arch = Arch::cnn([3, 32, 32], &[8], 16, 10, Activation::parse("fold:0.8,1").unwrap()).unwrap();
        let text = serde_json::to_string(&arch).unwrap();
        assert_eq!(serde_json::from_str::<Arch>(&text).unwrap(), arch);
    }
}
