//! Activation functions: one entry each.
//!
//! An entry holds the function's name, its parameters, its formula, the expression itself and its derivative. The expression
//! is written once and compiled for numbers (tests, plots, gains) and for tensors of both ranks that occur.

use crate::error::{Error, Result};
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// What an activation may be made of, besides `+`, `*`, `abs`, `sin`, `cos`, `tanh`, `exp` and `clone`, which numbers and tensors
/// have by the same names.
pub trait Elementwise: Sized + std::ops::Mul<f64, Output = Self> {
    /// `1 / (1 + exp(-x))`
    fn sigmoid(self) -> Self;
    /// `max(0, x)`
    fn relu(self) -> Self;
    /// `min(0, x)`
    fn negative_part(self) -> Self {
        (self * -1.0).relu() * -1.0
    }
}

impl Elementwise for f64 {
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + (-self).exp())
    }
    fn relu(self) -> Self {
        self.max(0.0)
    }
}

impl<const D: usize> Elementwise for Tensor<D> {
    fn sigmoid(self) -> Self {
        activation::sigmoid(self)
    }
    fn relu(self) -> Self {
        activation::relu(self)
    }
}

/// One activation function.
pub struct Entry {
    /// Name on the command line and in `arch.json`.
    pub name: &'static str,
    /// Its parameters with their defaults, in the order of the command line.
    pub parameters: &'static [(&'static str, f64)],
    /// The formula, for people.
    pub formula: &'static str,
    value: fn(&[f64], f64) -> f64,
    derivative: fn(&[f64], f64) -> f64,
    flat: fn(&[f64], Tensor<2>) -> Tensor<2>,
    maps: fn(&[f64], Tensor<4>) -> Tensor<4>,
    /// Weight variance times fan-in where measurements chose it; otherwise it preserves the variance.
    variance: Option<fn(&[f64]) -> f64>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! entry {
    ($name:literal, $parameters:expr, $formula:literal, |$p:ident, $x:ident| $value:expr, $derivative:expr, $variance:expr) => {
        Entry {
            name: $name,
            parameters: $parameters,
            formula: $formula,
            value: |$p, $x| $value,
            derivative: $derivative,
            flat: |$p, $x| $value,
            maps: |$p, $x| $value,
            variance: $variance,
        }
    };
}

/// Mean of `|z|` for a standard normal `z`: the square root of 2 / pi.
const MEAN_ABS: f64 = 0.797_884_560_802_865_4;

/// Shift and scale that give `max(x, -a x)` mean 0 and variance 1 on a standard normal input.
fn fold_centre(p: &[f64]) -> (f64, f64) {
    let (a, centred) = (p[0], p[1] != 0.0);
    if !centred {
        return (0.0, 1.0);
    }
    let (even, odd) = ((1.0 + a) / 2.0, (1.0 - a) / 2.0);
    (-even * MEAN_ABS, 1.0 / (even * even * (1.0 - MEAN_ABS * MEAN_ABS) + odd * odd).sqrt())
}

/// All activation functions. A new one is one entry here.
///
/// The folding family is our own: `a = 0` is the normalised ReLU, `a = 1` the centred absolute value (CAbs). Its variance
/// times fan-in lies on the plateau that we measured, 0.5 to 0.7, from `a = 1/2` on; `sine`'s is the variance-preserving one.
#[allow(clippy::clone_on_copy, reason = "the expressions are compiled for numbers and for tensors")]
pub static TABLE: &[Entry] = &[
    entry!("identity", &[], "x", |_p, x| x, |_, _| 1.0, None),
    entry!("relu", &[], "max(0, x)", |_p, x| x.relu(), |_, x| f64::from(x > 0.0), None),
    entry!(
        "leaky_relu",
        &[("slope", 0.2)],
        "max(x, slope x)",
        |p, x| x.clone().relu() + x.negative_part() * p[0],
        |p, x| if x > 0.0 { 1.0 } else { p[0] },
        None
    ),
    entry!("tanh", &[], "tanh x", |_p, x| x.tanh(), |_, x| 1.0 - x.tanh().powi(2), None),
    entry!(
        "sigmoid",
        &[],
        "1 / (1 + exp(-x))",
        |_p, x| x.sigmoid(),
        |_, x| Elementwise::sigmoid(x) * (1.0 - Elementwise::sigmoid(x)),
        None
    ),
    entry!(
        "elu",
        &[],
        "x for x > 0, else exp(x) - 1",
        |_p, x| x.clone().relu() + (x.negative_part().exp() + -1.0),
        |_, x| if x > 0.0 { 1.0 } else { x.exp() },
        None
    ),
    entry!(
        "swish",
        &[],
        "x / (1 + exp(-x))",
        |_p, x| x.clone() * x.sigmoid(),
        |_, x| {
            let s = Elementwise::sigmoid(x);
            s + x * s * (1.0 - s)
        },
        None
    ),
    entry!("sine", &[("omega", 1.0)], "sin(omega x)", |p, x| (x * p[0]).sin(), |p, x| p[0] * (p[0] * x).cos(), None),
    entry!(
        "sine-plus-linear",
        &[("n", 1.0)],
        "sin x + n x (n < 0 gives Chan et al.'s SinP)",
        |p, x| x.clone().sin() + x * p[0],
        |p, x| x.cos() + p[0],
        None
    ),
    entry!(
        "fold",
        &[("a", 1.0), ("centred", 1.0)],
        "max(x, -a x), shifted and scaled to mean 0 and variance 1 on a standard normal input if centred",
        |p, x| {
            let (shift, scale) = fold_centre(p);
            (x.clone().abs() * ((1.0 + p[0]) / 2.0) + x * ((1.0 - p[0]) / 2.0) + shift) * scale
        },
        |p, x| fold_centre(p).1 * if x > 0.0 { 1.0 } else { -p[0] },
        Some(|p| if p[1] == 0.0 { 2.0 / (1.0 + p[0] * p[0]) } else { 1.0 - 0.4 * (2.0 * p[0]).clamp(0.0, 1.0) })
    ),
];

/// Other names for entries with given parameters.
const ALIASES: [(&str, &str); 3] = [("cabs", "fold:1,1"), ("relu-normalised", "fold:0,1"), ("none", "identity")];

/// An activation function with its parameters: `name` or `name:p1,p2` on the command line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Activation {
    entry: usize,
    parameters: Vec<f64>,
}

impl Activation {
    /// Reads `name` or `name:p1,p2`; parameters that are left out have their defaults.
    ///
    /// # Errors
    /// [`Error::Input`] with what there is.
    pub fn parse(text: &str) -> Result<Self> {
        let text = ALIASES.iter().find(|(alias, _)| *alias == text).map_or(text, |(_, full)| full);
        let (name, given) = text.split_once(':').map_or((text, None), |(n, p)| (n, Some(p)));
        let entry = TABLE.iter().position(|e| e.name == name).ok_or_else(|| {
            let known: Vec<_> = TABLE.iter().map(|e| e.name).chain(ALIASES.iter().map(|a| a.0)).collect();
            Error::input(format!("unknown activation '{name}': use one of {}", known.join(", ")))
        })?;
        let mut parameters: Vec<f64> = TABLE[entry].parameters.iter().map(|p| p.1).collect();
        for (at, word) in given.into_iter().flat_map(|g| g.split(',')).enumerate() {
            let slot = parameters.get_mut(at).ok_or_else(|| {
                Error::input(format!("'{text}' has too many parameters: {name} takes {}", TABLE[entry].parameters.len()))
            })?;
            let value: Option<f64> = word.trim().parse().ok();
            *slot =
                value.filter(|x| x.is_finite()).ok_or_else(|| Error::input(format!("'{word}' in '{text}' is not a number")))?;
        }
        Ok(Self { entry, parameters })
    }

    fn of(&self) -> &'static Entry {
        &TABLE[self.entry]
    }

    /// The name without parameters.
    pub fn name(&self) -> &'static str {
        self.of().name
    }

    /// The value at `x`.
    pub fn value(&self, x: f64) -> f64 {
        (self.of().value)(&self.parameters, x)
    }

    /// The derivative at `x` (0 or one side's at a kink).
    pub fn derivative(&self, x: f64) -> f64 {
        (self.of().derivative)(&self.parameters, x)
    }

    /// Applied to every element of `[batch, features]`.
    pub fn flat(&self, x: Tensor<2>) -> Tensor<2> {
        (self.of().flat)(&self.parameters, x)
    }

    /// Applied to every element of `[batch, channels, height, width]`.
    pub fn maps(&self, x: Tensor<4>) -> Tensor<4> {
        (self.of().maps)(&self.parameters, x)
    }

    /// Variance of the weights times their fan-in: `1 / E[f(z)^2]` over a standard normal `z`, so that the variance is
    /// kept from layer to layer, unless measurements chose better.
    pub fn weight_variance(&self) -> f64 {
        match self.of().variance {
            Some(measured) => measured(&self.parameters),
            None => 1.0 / normal_mean(|z| self.value(z).powi(2)),
        }
    }
}

/// Mean of `f(z)` over a standard normal `z`, by the trapezium rule, which converges fast for smooth integrands that vanish
/// at both ends.
fn normal_mean(f: impl Fn(f64) -> f64) -> f64 {
    let (steps, end) = (4000, 10.0);
    let h = 2.0 * end / f64::from(steps);
    let weight = |z: f64| (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (0..=steps).map(|i| -end + h * f64::from(i)).map(|z| h * weight(z) * f(z)).sum()
}

impl std::fmt::Display for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())?;
        for (i, p) in self.parameters.iter().enumerate() {
            write!(f, "{}{p}", if i == 0 { ':' } else { ',' })?;
        }
        Ok(())
    }
}

impl From<Activation> for String {
    fn from(a: Activation) -> Self {
        a.to_string()
    }
}

impl TryFrom<String> for Activation {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn samples() -> Vec<Activation> {
        let mut all: Vec<_> = TABLE.iter().map(|e| Activation::parse(e.name).unwrap()).collect();
        all.extend(
            ["fold:0.8,1", "fold:0,1", "fold:0.5,0", "sine-plus-linear:-1.5", "sine:2.5"].map(|t| Activation::parse(t).unwrap()),
        );
        all
    }

    #[test]
    fn derivatives_are_those_of_finite_differences_and_of_burn() {
        let device = Device::flex().autodiff();
        let at: Vec<f32> = (-40..40).map(|i| i as f32 * 0.0837 + 0.01).collect();
        for a in samples() {
            let x = Tensor::<1>::from_data(at.as_slice(), &device).reshape([8, 10]).require_grad();
            let y = a.flat(x.clone());
            let values: Vec<f32> = y.clone().inner().try_into_vec_as().unwrap();
            let gradients: Vec<f32> = x.grad(&y.sum().backward()).unwrap().try_into_vec_as().unwrap();
            for ((&x, v), g) in at.iter().zip(values).zip(gradients) {
                let x = f64::from(x);
                let h = 1e-5;
                let finite = (a.value(x + h) - a.value(x - h)) / (2.0 * h);
                assert!((finite - a.derivative(x)).abs() < 1e-5, "{a} at {x}: {finite} against {}", a.derivative(x));
                assert!((f64::from(v) - a.value(x)).abs() < 1e-5 && (f64::from(g) - finite).abs() < 1e-4, "{a} at {x}");
            }
        }
    }

    #[test]
    fn centred_folds_are_normalised_and_gains_are_those_measured() {
        for text in ["fold:0,1", "fold:0.8,1", "cabs"] {
            let a = Activation::parse(text).unwrap();
            assert!(normal_mean(|z| a.value(z)).abs() < 1e-4, "{text}");
            assert!((normal_mean(|z| a.value(z).powi(2)) - 1.0).abs() < 1e-3, "{text}");
        }
        let variance = |t: &str| Activation::parse(t).unwrap().weight_variance();
        let cabs = Activation::parse("cabs").unwrap();
        assert!((cabs.value(0.0) + 0.797_885 * 1.658_897).abs() < 1e-5 && (cabs.derivative(1.0) - 1.658_897).abs() < 1e-6);
        assert!((variance("relu") - 2.0).abs() < 1e-4);
        assert!((variance("sine") - 2.313).abs() < 1e-3);
        assert!((variance("cabs") - 0.6).abs() < 1e-9 && (variance("relu-normalised") - 1.0).abs() < 1e-9);
    }

    #[test]
    fn names_and_parameters_come_back() {
        for a in samples() {
            assert_eq!(Activation::parse(&a.to_string()).unwrap(), a);
        }
        assert!(Activation::parse("rleu").unwrap_err().to_string().contains("leaky_relu"));
        assert!(Activation::parse("sine:x").is_err() && Activation::parse("relu:1").is_err());
    }
}
