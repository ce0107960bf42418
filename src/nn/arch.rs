//! Architectures as data: what `arch.json` holds, so that a pruned network can be built again.

use super::{Activation, Sides, Window};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Weights that a network may have: 2 GiB of them.
const MOST_PARAMETERS: usize = 1 << 29;

/// Fully connected layers that a perceptron may have.
const MOST_LAYERS: usize = 100_000;

/// What flows between two layers, per sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A vector of this many numbers.
    Flat(usize),
    /// Channels, height, width.
    Maps(usize, usize, usize),
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shape::Flat(n) => write!(f, "a vector of {n} numbers"),
            Shape::Maps(c, h, w) => write!(f, "{c} channels of {h} x {w}"),
        }
    }
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

fn one() -> usize {
    1
}

fn is_one(n: &usize) -> bool {
    *n == 1
}

fn one_each() -> Sides {
    Sides::both(1)
}

fn is_one_each(sides: &Sides) -> bool {
    sides.is(1)
}

fn none_each() -> Sides {
    Sides::both(0)
}

fn is_none_each(sides: &Sides) -> bool {
    sides.is(0)
}

/// One layer. Layers stand in the order of computing; each takes what the one before gives, unless
/// it says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// Convolution with zeros around the plane.
    Conv {
        /// Channels in.
        input: usize,
        /// Filters.
        output: usize,
        /// Rows and columns of the kernel.
        kernel: Sides,
        /// Steps between the places where it is taken.
        #[serde(default = "one_each", skip_serializing_if = "is_one_each")]
        stride: Sides,
        /// Zeros on each side. If they are not given, half of the kernel, which then has to be odd:
        /// stride 1 keeps the plane's size.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        padding: Option<Sides>,
        /// Parts that the channels in and the filters are divided into: a filter reads the channels
        /// of its own part. A depthwise convolution has as many parts as channels.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        groups: usize,
        /// Whether it has a bias.
        bias: bool,
    },
    /// Batch normalisation of each channel, or of each number of a vector.
    BatchNorm {
        /// Channels.
        channels: usize,
    },
    /// An activation function.
    Activation {
        /// Which one, if it is not the network's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<Activation>,
    },
    /// Largest number in a window.
    MaxPool {
        /// Rows and columns of the window.
        size: Sides,
        /// Its steps; its size if they are not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<Sides>,
        /// Rows and columns around the plane, which are never the largest.
        #[serde(default = "none_each", skip_serializing_if = "is_none_each")]
        padding: Sides,
    },
    /// Mean of a window.
    AvgPool {
        /// Rows and columns of the window.
        size: Sides,
        /// Its steps; its size if they are not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<Sides>,
        /// Zeros around the plane, which count.
        #[serde(default = "none_each", skip_serializing_if = "is_none_each")]
        padding: Sides,
    },
    /// While training, numbers are set to zero by chance and the others enlarged so that the mean
    /// stays; otherwise nothing.
    Dropout {
        /// Share that is set to zero, below 1.
        rate: f64,
    },
    /// Mean of each channel's plane: maps to a vector of channels.
    GlobalMean,
    /// Maps to a vector, channel by channel.
    Flatten,
    /// Fully connected, with a bias.
    Linear {
        /// Numbers in.
        input: usize,
        /// Numbers out.
        output: usize,
    },
    /// Goes on with what an earlier layer gave: the beginning of a shortcut.
    Branch {
        /// That layer's index.
        from: usize,
    },
    /// A shortcut without weights: every `stride`-th row and column, and for each channel out the
    /// channel in that it takes, if any; zeros otherwise (option A of He et al., arXiv 1512.03385).
    Shortcut {
        /// Channels in.
        input: usize,
        /// Steps between rows and between columns.
        stride: usize,
        /// Channel in of each channel out.
        channels: Vec<Option<usize>>,
    },
    /// Adds what an earlier layer gave.
    Add {
        /// That layer's index.
        with: usize,
    },
}

impl Layer {
    /// A convolution of stride 1 that keeps the plane's size.
    pub fn conv(input: usize, output: usize, kernel: usize, bias: bool) -> Self {
        Layer::Conv { input, output, kernel: kernel.into(), stride: one_each(), padding: None, groups: 1, bias }
    }

    /// The same convolution or pooling with another stride.
    pub fn with_stride(mut self, steps: usize) -> Self {
        match &mut self {
            Layer::Conv { stride, .. } => *stride = steps.into(),
            Layer::MaxPool { stride, .. } | Layer::AvgPool { stride, .. } => *stride = Some(steps.into()),
            _ => {}
        }
        self
    }

    /// A convolution of kernel 3 whose filters read one channel each.
    pub fn depthwise(channels: usize, stride: usize) -> Self {
        let (kernel, stride) = (Sides::both(3), stride.into());
        Layer::Conv { input: channels, output: channels, kernel, stride, padding: None, groups: channels, bias: false }
    }

    /// The network's own activation.
    pub fn activation() -> Self {
        Layer::Activation { of: None }
    }

    /// Largest of each `size x size` square.
    pub fn max_pool(size: usize) -> Self {
        Layer::MaxPool { size: size.into(), stride: None, padding: none_each() }
    }

    /// Whether each filter reads the one channel of its own number: such a convolution hands its
    /// channels on, one by one.
    pub fn is_depthwise(&self) -> bool {
        matches!(self, Layer::Conv { input, output, groups, .. } if input == output && input == groups && *groups > 1)
    }

    /// Whether it has weights of its own besides an activation's parameters.
    pub fn has_weights(&self) -> bool {
        matches!(self, Layer::Conv { .. } | Layer::BatchNorm { .. } | Layer::Linear { .. })
    }
}

/// A network as a list of layers with shortcuts.
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
    /// Names of the layers with weights in PyTorch, in order; `layers.INDEX`, as
    /// `torch.nn.Sequential` has it, if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
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
            layers.push(Layer::activation());
            input = width;
        }
        layers.push(Layer::Linear { input, output: classes });
        Ok(Self { name: "mlp".into(), input: vec![features], activation, learn_activation: false, layers, names: Vec::new() })
    }

    /// [`Arch::mlp`] for samples of a shape: images are flattened first.
    ///
    /// # Errors
    /// As [`Arch::mlp`].
    pub fn mlp_for(shape: &[usize], depth: usize, width: usize, classes: usize, activation: Activation) -> Result<Self> {
        if depth > MOST_LAYERS {
            return Err(Error::input(format!("an mlp of {depth} layers: at most {MOST_LAYERS} are possible")));
        }
        let mut arch = Self::mlp(shape.iter().product(), depth, width, classes, activation)?;
        arch.input = shape.to_vec();
        if shape.len() > 1 {
            arch.layers.insert(0, Layer::Flatten);
        }
        Ok(arch)
    }

    /// A small convolutional network: one block (3 x 3 convolution, batch norm, activation, 2 x 2
    /// pooling) per entry of `filters`, then a hidden layer and the logits.
    ///
    /// # Errors
    /// [`Error::Input`] when the planes are too small for that many blocks.
    pub fn cnn(input: [usize; 3], filters: &[usize], hidden: usize, classes: usize, activation: Activation) -> Result<Self> {
        let [mut channels, mut height, mut width] = input;
        let mut layers = Vec::new();
        for &output in filters {
            layers.push(Layer::conv(channels, output, 3, false));
            layers.push(Layer::BatchNorm { channels: output });
            layers.push(Layer::activation());
            layers.push(Layer::max_pool(2));
            (channels, height, width) = (output, height / 2, width / 2);
        }
        layers.push(Layer::Flatten);
        layers.push(Layer::Linear { input: channels * height * width, output: hidden });
        layers.push(Layer::activation());
        layers.push(Layer::Linear { input: hidden, output: classes });
        let arch =
            Self { name: "cnn".into(), input: input.to_vec(), activation, learn_activation: false, layers, names: Vec::new() };
        arch.shapes()?;
        Ok(arch)
    }

    /// A chain without its batch norms; convolutions get biases instead.
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
        if !matches!(self.name.as_str(), "mlp" | "cnn") {
            return self.name.clone();
        }
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
        if !self.names.is_empty() && self.names.len() != self.layers.iter().filter(|l| l.has_weights()).count() {
            return Err(Error::input(format!(
                "{} has {} names, but not as many layers with weights",
                self.name,
                self.names.len()
            )));
        }
        if let Some((at, name)) = self.names.iter().enumerate().find(|(at, name)| self.names[..*at].contains(name)) {
            return Err(Error::input(format!(
                "{} has the name '{name}' twice: entry {at} of its names needs another",
                self.name
            )));
        }
        for (at, layer) in self.layers.iter().enumerate() {
            let earlier = |i: usize| (i < at).then(|| shapes[i + 1]);
            let next = match (layer, shape) {
                (Layer::Conv { input, output, kernel, padding, groups, .. }, Shape::Maps(c, h, w)) if *input == c => {
                    let divides = *groups > 0 && input % groups == 0 && output % groups == 0;
                    let centred = padding.is_some() || kernel.array().iter().all(|side| side % 2 == 1);
                    let plane = Window::of(layer).and_then(|window| window.over([h, w]));
                    plane.filter(|_| divides && centred).map(|[h, w]| Shape::Maps(*output, h, w))
                }
                (Layer::BatchNorm { channels }, Shape::Maps(c, ..) | Shape::Flat(c)) if *channels == c => Some(shape),
                (Layer::Activation { of }, _) => Some(shape).filter(|_| of.is_none() || !self.learn_activation),
                (Layer::Dropout { rate }, _) => Some(shape).filter(|_| (0.0..1.0).contains(rate)),
                (Layer::MaxPool { size, padding, .. } | Layer::AvgPool { size, padding, .. }, Shape::Maps(c, h, w)) => {
                    // A window that lies outside of the plane altogether has no largest number.
                    let inside = padding.rows <= size.rows / 2 && padding.columns <= size.columns / 2;
                    let plane = Window::of(layer).and_then(|window| window.over([h, w]));
                    plane.filter(|_| inside).map(|[h, w]| Shape::Maps(c, h, w))
                }
                (Layer::GlobalMean, Shape::Maps(c, ..)) => Some(Shape::Flat(c)),
                (Layer::Flatten, Shape::Maps(..)) => Some(Shape::Flat(shape.numbers())),
                (Layer::Linear { input, output }, Shape::Flat(n)) if *input == n => Some(Shape::Flat(*output)),
                (Layer::Branch { from }, _) => earlier(*from),
                (Layer::Shortcut { input, stride, channels }, Shape::Maps(c, h, w))
                    if *input == c && *stride > 0 && channels.iter().flatten().all(|&i| i < c) =>
                {
                    Some(Shape::Maps(channels.len(), h.div_ceil(*stride), w.div_ceil(*stride)))
                }
                (Layer::Add { with }, _) => earlier(*with).filter(|s| *s == shape),
                _ => None,
            };
            shape = next.filter(|s| s.numbers() > 0).ok_or_else(|| {
                let written = serde_json::to_string(layer).unwrap_or_default();
                Error::input(format!("layer {at} of {}, {written}, does not fit what comes in, {shape}", self.name))
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

    /// The activation at layer `at`, or the first one behind it. Where that has no function of its
    /// own, or there is none, the network's.
    pub fn activation_behind(&self, at: usize) -> &Activation {
        match self.layers[at..].iter().find(|l| matches!(l, Layer::Activation { .. })) {
            Some(Layer::Activation { of: Some(activation) }) => activation,
            _ => &self.activation,
        }
    }

    /// Names of all layers with weights in PyTorch, by their indices.
    pub fn weight_names(&self) -> Vec<(usize, String)> {
        let with_weights = self.layers.iter().enumerate().filter(|(_, l)| l.has_weights());
        let name = |(nth, (at, _)): (usize, (usize, &Layer))| {
            (at, self.names.get(nth).cloned().unwrap_or_else(|| format!("layers.{at}")))
        };
        with_weights.enumerate().map(name).collect()
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
        assert!(Arch::mlp_for(&[2], 4_000_000_000, 4, 2, relu()).unwrap_err().to_string().contains("at most"));
        let mut wide = Arch::cnn([1, 8, 8], &[4], 6, 3, relu()).unwrap();
        wide.names = ["a", "b", "a", "c"].map(String::from).to_vec();
        assert!(wide.shapes().unwrap_err().to_string().contains("'a' twice"));
        wide.names.clear();
        // Twice this padding wraps around to 2.
        let conv = |kernel: Sides, padding: Option<usize>, groups| {
            let (stride, padding) = (1.into(), padding.map(Sides::from));
            Layer::Conv { input: 1, output: 4, kernel, stride, padding, groups, bias: false }
        };
        let even = || Sides { rows: 3, columns: 2 };
        for bad in
            [conv(3.into(), Some((1 << 63) + 1), 1), conv(even(), None, 1), conv(3.into(), None, 2), conv(3.into(), None, 0)]
        {
            wide.layers[0] = bad;
            assert!(wide.shapes().unwrap_err().to_string().contains("layer 0"));
        }
        wide.layers[0] = conv(even(), Some(1), 1);
        assert_eq!(wide.shapes().unwrap()[1], Shape::Maps(4, 8, 9));
    }

    #[test]
    fn json_comes_back() {
        let arch = Arch::cnn([3, 32, 32], &[8], 16, 10, Activation::parse("fold:0.8,1").unwrap()).unwrap();
        let text = serde_json::to_string(&arch).unwrap();
        assert_eq!(serde_json::from_str::<Arch>(&text).unwrap(), arch);
    }
}
