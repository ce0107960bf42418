//! The weights that training begins with: a function of architecture, scheme and seed alone, not of
//! the device.

use super::{Activation, Arch, Layer};
use crate::error::{Error, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// How large weights are drawn. Biases begin at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Init {
    /// The activation's own: variance times fan-in is [`super::Activation::weight_variance`].
    #[default]
    Own,
    /// At the edge of chaos: variance times fan-in such that small differences keep their size, 1 /
    /// E[f'(z)^2] over a standard normal z.
    Edge,
    /// Glorot's: variance 2 / (fan-in + fan-out).
    Glorot,
    /// This variance times fan-in, in all layers.
    Variance(f64),
}

impl std::str::FromStr for Init {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl Init {
    /// Reads `own`, `edge`, `glorot` or a number, the variance times fan-in.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn parse(text: &str) -> Result<Self> {
        match (text, text.parse::<f64>()) {
            ("own", _) => Ok(Init::Own),
            ("edge", _) => Ok(Init::Edge),
            ("glorot", _) => Ok(Init::Glorot),
            (_, Ok(a)) if a > 0.0 && a.is_finite() => Ok(Init::Variance(a)),
            _ => Err(Error::input(format!(
                "unknown initialisation '{text}': use own, edge, glorot, or a variance times fan-in above 0"
            ))),
        }
    }

    /// Variance times fan-in of the weights before such an activation; none for Glorot's, which
    /// depends on the layer.
    fn per_input(self, activation: &Activation) -> Option<f64> {
        match self {
            Init::Glorot => None,
            Init::Variance(a) => Some(a),
            Init::Edge => Some(1.0 / super::activation::normal_mean(|z| activation.derivative(z).powi(2))),
            Init::Own => Some(activation.weight_variance()),
        }
    }

    /// Whether both draw the same weights, to rounding, in a network of such activations: ReLU's
    /// own are those of its edge of chaos. A given variance is like neither, for it holds for the
    /// layer of the logits too.
    pub fn draws_like(self, other: Init, activation: &Activation) -> bool {
        match (self, other) {
            (Init::Own, Init::Edge) | (Init::Edge, Init::Own) => {
                let (a, b) = (self.per_input(activation), other.per_input(activation));
                a.zip(b).is_some_and(|(a, b)| (a - b).abs() <= 1e-6 * a.max(b))
            }
            _ => self == other,
        }
    }
}

impl std::fmt::Display for Init {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Init::Own => f.write_str("own"),
            Init::Edge => f.write_str("edge"),
            Init::Glorot => f.write_str("glorot"),
            Init::Variance(a) => write!(f, "{a}"),
        }
    }
}

impl From<Init> for String {
    fn from(init: Init) -> Self {
        init.to_string()
    }
}

impl TryFrom<String> for Init {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

/// Weights of every convolution (`[output, input / groups, rows, columns]`) and linear layer
/// (`[input, output]`), in order, drawn uniformly.
///
/// `power` is the mean square of an input number where it is known: where the scheme is to preserve
/// variance, the first layer then brings the input to variance 1.
pub(crate) fn draw(arch: &Arch, seed: u64, init: Init, power: Option<f64>) -> Vec<Vec<f32>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let last = arch.layers.iter().rposition(|l| matches!(l, Layer::Linear { .. }));
    let mut drawn = Vec::new();
    for (at, layer) in arch.layers.iter().enumerate() {
        let (fan_in, fan_out, count) = match *layer {
            Layer::Conv { input, output, kernel, groups, .. } => {
                let (input, taps) = (input / groups, kernel.area());
                (input * taps, output / groups * taps, output * input * taps)
            }
            Layer::Linear { input, output } => (input, output, input * output),
            _ => continue,
        };
        let activation = arch.activation_behind(at);
        let per_input = match init {
            // The logits go through no activation.
            Init::Own | Init::Edge if last == Some(at) => 1.0,
            Init::Own if drawn.is_empty() && activation.preserves_variance() => {
                power.filter(|p| *p > 0.0).map_or(activation.weight_variance(), f64::recip)
            }
            _ => init.per_input(activation).unwrap_or(2.0 / (fan_in + fan_out) as f64 * fan_in as f64),
        };
        let end = (3.0 * per_input / fan_in as f64).sqrt() as f32;
        drawn.push((0..count).map(|_| rng.random_range(-end..=end)).collect());
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_draws_the_same_weights_is_known() {
        let same = |name: &str| Init::Own.draws_like(Init::Edge, &Activation::parse(name).unwrap());
        assert!(same("relu") && same("leaky_relu") && same("fold:0.2,0"));
        assert!(!same("relu-normalised") && !same("fold:0.2,1") && !same("tanh"));
        let relu = Activation::parse("relu").unwrap();
        assert!(!Init::Variance(2.0).draws_like(Init::Own, &relu) && !Init::Variance(1.0).draws_like(Init::Own, &relu));
        assert!(Init::Variance(2.0).draws_like(Init::Variance(2.0), &relu));
        assert!(Init::Glorot.draws_like(Init::Glorot, &relu) && !Init::Glorot.draws_like(Init::Own, &relu));
        // The same weights indeed.
        let arch = Arch::cnn([1, 8, 8], &[3], 4, 2, relu).unwrap();
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-6 * a.abs());
        let [own, edge, two] = [Init::Own, Init::Edge, Init::Variance(2.0)].map(|init| draw(&arch, 1, init, None));
        assert!(own.iter().zip(&edge).all(|(a, b)| near(a, b)));
        assert!(!own.iter().zip(&two).all(|(a, b)| near(a, b)));
    }
}
