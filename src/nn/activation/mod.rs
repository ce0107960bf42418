//! Activation functions: what they are ([`TABLE`], one entry each), how they are named, and how
//! they are computed.

mod real;
mod single;
mod symbol;
mod table;

pub use real::{Dual, Real};
use single::Single;
pub(crate) use single::exp as fast_exp;
pub use symbol::Symbol;
use table::MOST;
pub use table::{Entry, Parameter, TABLE};

use super::Flow;
use crate::error::{Error, Result};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Other names for entries with given parameters.
pub const ALIASES: [(&str, &str); 5] = [
    ("cabs", "fold:1,1"),
    ("relu-normalised", "fold:0,1"),
    ("prelu", "leaky_relu:0.25"),
    ("sinp", "sine-plus-linear:-1"),
    ("none", "identity"),
];

/// An activation function with its parameters: `name` or `name:p1,p2` on the command line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Activation {
    entry: usize,
    parameters: Vec<f64>,
    /// The parameters, then what follows from them.
    numbers: Vec<f64>,
}

impl std::str::FromStr for Activation {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text.trim())
    }
}

impl Activation {
    /// Reads `name` or `name:p1,p2`; parameters that are left out have their defaults.
    ///
    /// # Errors
    /// [`Error::Input`] with what there is, or with the range of a parameter.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = |name: &str| name.to_lowercase().replace('_', "-");
        let text = ALIASES.iter().find(|(alias, _)| *alias == plain(text)).map_or(text, |(_, full)| full);
        let (name, given) = text.split_once(':').map_or((text, None), |(n, p)| (n, Some(p).filter(|p| !p.is_empty())));
        let entry = TABLE.iter().position(|e| plain(e.name) == plain(name)).ok_or_else(|| {
            let known: Vec<_> = TABLE.iter().map(|e| e.name).chain(ALIASES.iter().map(|a| a.0)).collect();
            Error::unknown("activation", name, &known)
        })?;
        let known = TABLE[entry].parameters;
        let mut parameters: Vec<f64> = known.iter().map(|p| p.default).collect();
        for (at, word) in given.into_iter().flat_map(|g| g.split(',')).enumerate() {
            let slot = parameters
                .get_mut(at)
                .ok_or_else(|| Error::input(format!("'{text}' has too many parameters: {name} takes {}", known.len())))?;
            // As the list shows them, NAME=VALUE, or the value alone.
            let word = match word.split_once('=') {
                Some((name, value)) if name.trim() == known[at].name => value,
                _ => word,
            };
            let value: Option<f64> = word.trim().parse().ok();
            let value =
                value.filter(|x| x.is_finite()).ok_or_else(|| Error::input(format!("'{word}' in '{text}' is not a number")))?;
            let (low, high) = known[at].range;
            if !(low..=high).contains(&value) {
                return Err(Error::input(format!("'{text}': {} of {name} must be from {low} to {high}", known[at].name)));
            }
            *slot = value;
        }
        Ok(Self::with(entry, parameters))
    }

    fn with(entry: usize, parameters: Vec<f64>) -> Self {
        let mut numbers = parameters.clone();
        numbers.extend((TABLE[entry].constants)(&parameters));
        Self { entry, parameters, numbers }
    }

    fn of(&self) -> &'static Entry {
        &TABLE[self.entry]
    }

    /// The name without parameters.
    pub fn name(&self) -> &'static str {
        self.of().name
    }

    /// The name that people know: an alias where there is one, the name alone where the parameters
    /// are the usual ones, else name and parameters.
    pub fn title(&self) -> String {
        let full = self.to_string();
        let usual = self.of().parameters.iter().zip(&self.parameters).all(|(p, x)| p.default == *x);
        let short = if usual { self.name().to_string() } else { full.clone() };
        ALIASES.iter().find(|a| a.1 == full).map_or(short, |a| a.0.to_string())
    }

    /// The value at `x`.
    pub fn value(&self, x: f64) -> f64 {
        (self.of().value)(&self.numbers, x)
    }

    /// The derivative at `x` (0 or one side's at a kink).
    pub fn derivative(&self, x: f64) -> f64 {
        (self.of().dual)(&self.duals(), Dual { value: x, slope: 1.0 }).slope
    }

    /// The derivative by parameter number `n` at `x`.
    pub fn derivative_by(&self, n: usize, x: f64) -> f64 {
        let mut numbers = self.duals();
        numbers[n].slope = 1.0;
        (self.of().dual)(&numbers, Dual { value: x, slope: 0.0 }).slope
    }

    /// Parameters and constants that do not vary.
    fn duals(&self) -> [Dual<f64>; MOST] {
        let mut duals = [Dual { value: 0.0, slope: 0.0 }; MOST];
        duals.iter_mut().zip(&self.numbers).for_each(|(d, &value)| d.value = value);
        duals
    }

    /// The function as an expression; with the parameters that a layer has learnt, if it has, in
    /// their order.
    pub fn symbol(&self, learnt: Option<&[f32]>) -> Symbol {
        let mut numbers = self.numbers.clone();
        if let Some(learnt) = learnt {
            for (n, &x) in self.trainable().into_iter().zip(learnt) {
                numbers[n] = f64::from(x);
            }
        }
        let numbers: Vec<Symbol> = numbers.into_iter().map(Symbol::Number).collect();
        (self.of().symbol)(&numbers, Symbol::Argument)
    }

    /// Which parameters can be learnt, by their numbers.
    pub fn trainable(&self) -> Vec<usize> {
        (0..self.parameters.len()).filter(|&n| self.of().parameters[n].trainable).collect()
    }

    /// The parameters' values.
    pub fn parameters(&self) -> &[f64] {
        &self.parameters
    }

    /// Parameters and constants, as [`Activation::run`] takes them.
    pub(crate) fn numbers(&self) -> Vec<f32> {
        self.numbers.iter().map(|&x| x as f32).collect()
    }

    /// Values in place of arguments, and derivatives. Both slices have the same length.
    pub(crate) fn run(&self, numbers: &[f32], z: &mut [f32], slopes: &mut [f32]) {
        (self.of().run)(numbers, z, slopes);
    }

    /// Derivatives by parameter number `n` at the arguments `z`.
    pub(crate) fn run_by_parameter(&self, numbers: &[f32], n: usize, z: &[f32], slopes: &mut [f32]) {
        (self.of().by_parameter)(numbers, n, z, slopes);
    }

    /// Applied to every element of `[batch, features]`.
    pub fn flat(&self, x: Tensor<2>) -> Tensor<2> {
        (self.of().flat)(&self.numbers, x)
    }

    /// Applied to every element of `[members, batch, features]`.
    pub fn members(&self, x: Tensor<3>) -> Tensor<3> {
        (self.of().members)(&self.numbers, x)
    }

    /// Applied to every element of `[batch, channels, height, width]`.
    pub fn maps(&self, x: Tensor<4>) -> Tensor<4> {
        (self.of().maps)(&self.numbers, x)
    }

    /// As [`Activation::flat`], with the parameters that can be learnt taken from `learnt`, in the
    /// order of [`Activation::trainable`].
    pub fn flat_learnt(&self, learnt: &Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        (self.of().learnt_flat)(&self.mixed(learnt), x)
    }

    /// As [`Activation::maps`], with the parameters that can be learnt taken from `learnt`.
    pub fn maps_learnt(&self, learnt: &Tensor<1>, x: Tensor<4>) -> Tensor<4> {
        (self.of().learnt_maps)(&self.mixed(learnt), x)
    }

    /// Applied to a batch whose samples have parameters of their own: `learnt` has a row for each
    /// sample, `[batch, parameters that can be learnt]`.
    pub fn each_learnt(&self, learnt: &Tensor<2>, flow: Flow) -> Flow {
        match flow {
            Flow::Flat(x) => Flow::Flat((self.of().learnt_flat)(&self.mixed_each(learnt), x)),
            Flow::Maps(x) => Flow::Maps((self.of().learnt_maps)(&self.mixed_each(learnt), x)),
        }
    }

    fn mixed<const D: usize>(&self, learnt: &Tensor<1>) -> Vec<Tensor<D>> {
        self.mixed_each(&learnt.clone().unsqueeze())
    }

    /// Every number, `[batch or 1, 1, ..]`: a column of `learnt`, or what does not vary.
    fn mixed_each<const D: usize>(&self, learnt: &Tensor<2>) -> Vec<Tensor<D>> {
        let trainable = self.trainable();
        let mut shape = [1; D];
        shape[0] = learnt.dims()[0];
        let of_number = |(n, &x): (usize, &f64)| match trainable.iter().position(|&t| t == n) {
            Some(at) => learnt.clone().narrow(1, at, 1).reshape(shape),
            None => Tensor::<D>::full([1; D], x, &learnt.device()),
        };
        self.numbers.iter().enumerate().map(of_number).collect()
    }

    /// Whether [`Activation::weight_variance`] is the one that preserves variance.
    pub fn preserves_variance(&self) -> bool {
        self.of().variance.is_none()
    }

    /// Variance of the weights times their fan-in: `1 / E[f(z)^2]` over a standard normal `z`, so
    /// that the variance is kept from layer to layer, unless measurements chose better.
    pub fn weight_variance(&self) -> f64 {
        match self.of().variance {
            Some(measured) => measured(&self.parameters),
            None => 1.0 / normal_mean(|z| self.value(z).powi(2)),
        }
    }
}

/// Mean of `f(z)` over a standard normal `z`, by the midpoint rule, which converges fast for smooth
/// integrands that vanish at both ends, and as the square of its step, 0.005, at kinks; Gauss and
/// Hermite's rule is slow there ([`crate::nn::mean_field`]).
pub(crate) fn normal_mean(f: impl Fn(f64) -> f64) -> f64 {
    let (steps, end) = (4000, 10.0);
    let h = 2.0 * end / f64::from(steps);
    let weight = |z: f64| (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    // No node is at 0, where the derivatives of half of these functions jump.
    (0..steps).map(|i| -end + h * (f64::from(i) + 0.5)).map(|z| h * weight(z) * f(z)).sum()
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
            [
                "fold:0.8,1",
                "fold:0,1",
                "fold:0.5,0",
                "sine-plus-linear:-1.5",
                "sine:2.5",
                "parametric-split:0.3,-0.7",
                "s-saw:0.4",
            ]
            .map(|t| Activation::parse(t).unwrap()),
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
                // The error function is good to 1.5e-7 only.
                let tolerance = if a.name() == "gelu" { 1e-4 } else { 1e-5 };
                assert!((finite - a.derivative(x)).abs() < tolerance, "{a} at {x}: {finite} against {}", a.derivative(x));
                assert!((f64::from(v) - a.value(x)).abs() < 1e-5 && (f64::from(g) - a.derivative(x)).abs() < 1e-4, "{a} at {x}");
            }
        }
    }

    /// Whole slices, by the argument and by every parameter, against numbers one by one; and
    /// learnt parameters' gradients against burn's.
    #[test]
    fn every_way_of_computing_agrees() {
        let device = Device::flex().autodiff();
        let at: Vec<f32> = (-48..48).map(|i| i as f32 * 0.0837 + 0.013).collect();
        for a in samples() {
            let numbers = a.numbers();
            let (mut z, mut slopes) = (at.clone(), vec![0.0; at.len()]);
            a.run(&numbers, &mut z, &mut slopes);
            for (i, &x) in at.iter().enumerate() {
                let x = f64::from(x);
                let near = |got: f32, want: f64| (f64::from(got) - want).abs() < 2e-6 * want.abs().max(1.0);
                assert!(near(z[i], a.value(x)) && near(slopes[i], a.derivative(x)), "{a} at {x}: {} and {}", z[i], slopes[i]);
            }
            let learnt = a.trainable();
            if learnt.is_empty() {
                continue;
            }
            let values: Vec<f32> = learnt.iter().map(|&n| a.parameters()[n] as f32).collect();
            let parameters = Tensor::<1>::from_data(values.as_slice(), &device).require_grad();
            let x = Tensor::<1>::from_data(at.as_slice(), &device).reshape([8, 12]);
            let y = a.flat_learnt(&parameters, x.clone());
            let fixed: Vec<f32> = a.flat(x).try_into_vec_as().unwrap();
            for (p, q) in y.clone().try_into_vec_as::<f32>().unwrap().into_iter().zip(fixed) {
                assert!((p - q).abs() < 1e-5, "{a}: {p} learnt, {q} fixed");
            }
            let gradient: Vec<f32> = parameters.grad(&y.sum().backward()).unwrap().try_into_vec_as().unwrap();
            for (k, &n) in learnt.iter().enumerate() {
                let want: f64 = at.iter().map(|&x| a.derivative_by(n, f64::from(x))).sum();
                a.run_by_parameter(&numbers, n, &at, &mut slopes);
                let got: f64 = slopes.iter().map(|&s| f64::from(s)).sum();
                assert!((got - want).abs() < 1e-4 * want.abs().max(1.0), "{a}, parameter {n}: {got} against {want}");
                assert!((f64::from(gradient[k]) - want).abs() < 1e-3 * want.abs().max(1.0), "{a}, parameter {n} in burn");
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
        assert_eq!(Activation::parse("Leaky-ReLU:slope=0.3").unwrap(), Activation::parse("leaky_relu:0.3").unwrap());
        assert!(Activation::parse("leaky_relu:a=0.3").is_err() && Activation::parse("swish:").is_ok());
        assert!(Activation::parse("sine:x").is_err() && Activation::parse("relu:1").is_err());
        assert!(Activation::parse("parametric-split:3").unwrap_err().to_string().contains("from 0 to 1.57"));
        assert_eq!(Activation::parse("fold").unwrap().title(), "cabs");
    }
}
