//! Networks of the pruning literature, by name.
//!
//! - `vgg11`, `vgg16`, and with `-bn` (Simonyan and Zisserman, arXiv 1409.1556, for small images):
//!   3 x 3 convolutions and 2 x 2 pooling, then one fully connected layer. With batch norm
//!   convolutions have no bias, without it they have one.
//! - `resnet20`, `resnet56` (He et al., arXiv 1512.03385, section 4.2): shortcuts without weights
//!   (option A).
//! - `basicnet` (Mehta, Kim and Theobalt, arXiv 1811.12495): seven convolutions and two fully
//!   connected layers. Where its planes shrink is our reading: by pooling after the third, fifth
//!   and seventh.
//! - `mobilenet` (Howard et al., arXiv 1704.04861): thirteen depthwise convolutions, each followed
//!   by one of kernel 1. For small images it halves the plane three times, not five: the first
//!   convolution and the first depthwise one with stride 2 have stride 1 here.
//!
//! `NAME:FACTOR` multiplies all widths, as in `vgg16-bn:0.25`, for machines without a GPU.

use super::{Activation, Arch, Layer};
use crate::error::{Error, Result};

/// Names that [`named`] knows.
pub const NAMES: [&str; 8] = ["vgg11", "vgg11-bn", "vgg16", "vgg16-bn", "resnet20", "resnet56", "basicnet", "mobilenet"];

/// A pooling in a list of widths.
const POOL: usize = 0;
const VGG_11: [usize; 13] = [64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL];
const VGG_16: [usize; 18] = [64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL, 512, 512, 512, POOL];
const BASIC: [usize; 10] = [64, 128, 128, POOL, 256, 256, POOL, 512, 512, POOL];

/// Width and stride of each pair.
const MOBILE: [(usize, usize); 13] = [
    (64, 1),
    (128, 1),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

/// What may differ between networks of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// Fully connected layers between the convolutions and the logits, by their widths.
    pub head: Vec<usize>,
    /// Batch norm in those layers.
    pub head_norm: bool,
    /// Biases in convolutions that a batch norm follows.
    pub conv_bias: bool,
}

/// A network of [`NAMES`], for images of `input` (channels, height, width).
///
/// # Errors
/// [`Error::Input`] for an unknown name, a factor that is not above 0 and at most 4, or images that
/// are too small.
pub fn named(name: &str, input: [usize; 3], classes: usize, activation: Activation) -> Result<Arch> {
    variant(name, &Variant::default(), input, classes, activation)
}

/// As [`named`], with another head or other biases; only VGG networks have such.
///
/// # Errors
/// As [`named`].
pub fn variant(name: &str, variant: &Variant, input: [usize; 3], classes: usize, activation: Activation) -> Result<Arch> {
    let (base, factor) = name.split_once(':').map_or((name, "1"), |(base, factor)| (base, factor));
    let factor: f64 = factor
        .parse()
        .ok()
        .filter(|f| *f > 0.0 && *f <= 4.0)
        .ok_or_else(|| Error::input(format!("'{name}': the factor of the widths must be a number above 0 and at most 4")))?;
    let scaled = |width: usize| if width == POOL { POOL } else { ((width as f64 * factor).round() as usize).max(1) };
    let widths = |plan: &[usize]| plan.iter().map(|&w| scaled(w)).collect::<Vec<_>>();
    let (plan, norm) = match base {
        "vgg11" | "vgg11-bn" => (widths(&VGG_11), base.ends_with("-bn")),
        "vgg16" | "vgg16-bn" => (widths(&VGG_16), base.ends_with("-bn")),
        "basicnet" => (widths(&BASIC), true),
        "resnet20" | "resnet56" if *variant == Variant::default() => {
            let blocks = if base == "resnet20" { 3 } else { 9 };
            let mut arch = Builder::new(input).resnet(blocks, [16, 32, 64].map(scaled), classes, activation);
            arch.name = name.into();
            arch.shapes()?;
            return Ok(arch);
        }
        "mobilenet" if *variant == Variant::default() => {
            let mut arch = Builder::new(input).mobilenet(scaled(32), scaled, classes, activation);
            arch.name = name.into();
            arch.shapes()?;
            return Ok(arch);
        }
        "resnet20" | "resnet56" | "mobilenet" => {
            return Err(Error::input(format!("{base} has one form: other heads and biases are for VGG")));
        }
        _ => {
            let known = Error::unknown("network", base, &NAMES);
            return Err(Error::input(format!("{known}; with a factor for the widths as in vgg16-bn:0.25")));
        }
    };
    let pools = plan.iter().filter(|w| **w == POOL).count();
    if input[1].min(input[2]) >> pools == 0 {
        let (h, w, side) = (input[1], input[2], 1usize << pools);
        return Err(Error::input(format!(
            "{base} halves images {pools} times: {side} x {side} pixels are needed at least, these have {h} x {w}"
        )));
    }
    let mut variant = variant.clone();
    if base == "basicnet" && variant.head.is_empty() {
        variant.head.push(scaled(512));
    }
    let mut arch = Builder::new(input).chain(&plan, norm, &variant, classes, activation);
    arch.name = name.into();
    arch.shapes()?;
    Ok(arch)
}

struct Builder {
    input: [usize; 3],
    channels: usize,
    layers: Vec<Layer>,
    names: Vec<String>,
}

impl Builder {
    fn new(input: [usize; 3]) -> Self {
        Self { input, channels: input[0], layers: Vec::new(), names: Vec::new() }
    }

    fn named(&mut self, name: String, layer: Layer) {
        self.layers.push(layer);
        self.names.push(name);
    }

    fn finish(self, activation: Activation) -> Arch {
        let (layers, names) = (self.layers, self.names);
        Arch { name: String::new(), input: self.input.to_vec(), activation, learn_activation: false, layers, names }
    }

    /// `features.N` and `classifier.N`, numbered as torchvision numbers them.
    fn chain(mut self, plan: &[usize], norm: bool, variant: &Variant, classes: usize, activation: Activation) -> Arch {
        for &width in plan {
            let at = self.layers.len();
            if width == POOL {
                self.layers.push(Layer::max_pool(2));
                continue;
            }
            self.named(format!("features.{at}"), Layer::conv(self.channels, width, 3, !norm || variant.conv_bias));
            if norm {
                self.named(format!("features.{}", at + 1), Layer::BatchNorm { channels: width });
            }
            self.layers.push(Layer::activation());
            self.channels = width;
        }
        let pools = plan.iter().filter(|w| **w == POOL).count();
        let mut width = self.channels * (self.input[1] >> pools) * (self.input[2] >> pools);
        self.layers.push(Layer::Flatten);
        let first = self.layers.len();
        for &next in &variant.head {
            self.named(format!("classifier.{}", self.layers.len() - first), Layer::Linear { input: width, output: next });
            if variant.head_norm {
                self.named(format!("classifier.{}", self.layers.len() - first), Layer::BatchNorm { channels: next });
            }
            self.layers.push(Layer::activation());
            width = next;
        }
        let last =
            if variant.head.is_empty() { "classifier".into() } else { format!("classifier.{}", self.layers.len() - first) };
        self.named(last, Layer::Linear { input: width, output: classes });
        self.finish(activation)
    }

    /// Pairs of a depthwise convolution and one of kernel 1, all with batch norm and activation.
    fn mobilenet(mut self, first: usize, scaled: impl Fn(usize) -> usize, classes: usize, activation: Activation) -> Arch {
        let behind = |this: &mut Self, name: &str, channels| {
            this.named(format!("{name}.1"), Layer::BatchNorm { channels });
            this.layers.push(Layer::activation());
            this.channels = channels;
        };
        self.named("stem.0".into(), Layer::conv(self.channels, first, 3, false));
        behind(&mut self, "stem", first);
        for (block, (width, stride)) in MOBILE.into_iter().enumerate() {
            let (input, width) = (self.channels, scaled(width));
            let [depthwise, pointwise] = ["depthwise", "pointwise"].map(|part| format!("blocks.{block}.{part}"));
            self.named(format!("{depthwise}.0"), Layer::depthwise(input, stride));
            behind(&mut self, &depthwise, input);
            self.named(format!("{pointwise}.0"), Layer::conv(input, width, 1, false));
            behind(&mut self, &pointwise, width);
        }
        self.layers.push(Layer::GlobalMean);
        self.named("classifier".into(), Layer::Linear { input: self.channels, output: classes });
        self.finish(activation)
    }

    /// A convolution and its batch norm; returns the index of the latter.
    fn conv(&mut self, prefix: &str, n: usize, output: usize, stride: usize) -> usize {
        let conv = Layer::conv(self.channels, output, 3, false).with_stride(stride);
        self.named(format!("{prefix}conv{n}"), conv);
        self.named(format!("{prefix}bn{n}"), Layer::BatchNorm { channels: output });
        self.channels = output;
        self.layers.len() - 1
    }

    /// Three stages of `blocks` blocks of two convolutions.
    fn resnet(mut self, blocks: usize, widths: [usize; 3], classes: usize, activation: Activation) -> Arch {
        self.conv("", 1, widths[0], 1);
        self.layers.push(Layer::activation());
        for (stage, &width) in widths.iter().enumerate() {
            for block in 0..blocks {
                let (prefix, before, input) = (format!("layer{}.{block}.", stage + 1), self.layers.len() - 1, self.channels);
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                self.conv(&prefix, 1, width, stride);
                self.layers.push(Layer::activation());
                let body = self.conv(&prefix, 2, width, 1);
                if stride == 1 {
                    self.layers.push(Layer::Add { with: before });
                } else {
                    // A quarter of the channels out are zero on each side.
                    let side = width.saturating_sub(input) / 2;
                    let channels = (0..width).map(|c| c.checked_sub(side).filter(|&i| i < input)).collect();
                    self.layers.push(Layer::Branch { from: before });
                    self.layers.push(Layer::Shortcut { input, stride, channels });
                    self.layers.push(Layer::Add { with: body });
                }
                self.layers.push(Layer::activation());
            }
        }
        self.layers.push(Layer::GlobalMean);
        self.named("linear".into(), Layer::Linear { input: widths[2], output: classes });
        self.finish(activation)
    }
}

#[cfg(test)]
mod tests {
    use super::super::counts::{macs_of, parameters_of};
    use super::*;

    fn cifar(name: &str, v: &Variant) -> (usize, usize) {
        let arch = variant(name, v, [3, 32, 32], 10, Activation::parse("relu").unwrap()).unwrap();
        (parameters_of(&arch), macs_of(&arch).unwrap())
    }

    /// The published counts: "14.72 M", "14.73 M", "14.98 M", "14.99 M", "15.25 M", "313 M".
    #[test]
    fn counts_are_the_published_ones() {
        let plain = Variant::default();
        assert_eq!(cifar("vgg16-bn", &plain), (14_724_042, 313_201_664));
        assert_eq!(cifar("vgg16-bn", &Variant { conv_bias: true, ..plain.clone() }).0, 14_728_266);
        let one = Variant { head: vec![512], ..plain.clone() };
        assert_eq!(cifar("vgg16", &one), (14_982_474, 313_463_808));
        let two = Variant { head: vec![512, 512], conv_bias: true, ..plain.clone() };
        assert_eq!(cifar("vgg16-bn", &two).1, 313_725_952);
        // NNI's: no biases in convolutions, a hidden layer with batch norm.
        assert_eq!(cifar("vgg16-bn", &Variant { head_norm: true, ..one }).0, 14_987_722);
        assert_eq!(cifar("resnet20", &plain), (269_722, 40_551_040));
        assert_eq!(cifar("resnet56", &plain).0, 853_018);
        assert_eq!(cifar("vgg11", &plain).0, 9_225_610);
        // Howard et al. count 4.2 M with 1,000 classes: 990 fewer rows of 1,025 weights here.
        assert_eq!(cifar("mobilenet", &plain).0, 4_231_976 - 990 * 1025);
    }

    #[test]
    fn names_and_factors() {
        let relu = || Activation::parse("relu").unwrap();
        let arch = named("resnet20", [3, 32, 32], 10, relu()).unwrap();
        let names = arch.weight_names();
        assert_eq!(names.len(), 39);
        assert_eq!(names[3].1, "layer1.0.conv2".replace("conv2", "bn1"));
        assert_eq!(names.last().unwrap().1, "linear");
        let arch = named("vgg16-bn:0.125", [1, 32, 32], 10, relu()).unwrap();
        assert_eq!(arch.weight_names()[2].1, "features.3");
        assert_eq!(arch.layers[0], Layer::conv(1, 8, 3, false));
        for (name, says) in [("vgg17", "unknown network"), ("vgg16:0", "factor"), ("vgg16:x", "factor")] {
            assert!(named(name, [3, 32, 32], 10, relu()).unwrap_err().to_string().contains(says));
        }
        assert!(named("vgg16", [3, 16, 16], 10, relu()).is_err(), "five poolings of 16 x 16");
    }
}
