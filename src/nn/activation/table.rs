//! The table of activation functions: one entry each.
//!
//! An entry holds the function's name, its parameters, its formula for people, and the expression
//! itself, once. The expression is compiled for numbers, for slices of them, for both with derivatives (by dual numbers, with respect to the argument or to a parameter), and for
//! tensors, with parameters fixed or learnt.

use super::real::{Dual, Real};
use super::single::Single;
use super::symbol::Symbol;
use crate::simd::widest;
use burn::tensor::{Tensor, activation};

/// One parameter of an activation function.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name, for people.
    pub name: &'static str,
    /// Its value where none is given.
    pub default: f64,
    /// The least and the largest value that make sense.
    pub range: (f64, f64),
    /// Whether it can be learnt.
    pub trainable: bool,
}

/// Expressions over a slice of numbers: see [`super::Activation::run`].
pub(super) type Run = fn(&[f32], &mut [f32], &mut [f32]);

/// One activation function.
pub struct Entry {
    /// Name on the command line and in `arch.json`.
    pub name: &'static str,
    /// Its parameters, in the order of the command line.
    pub parameters: &'static [Parameter],
    /// The formula, for people.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Constants that the expression needs besides the parameters, from which they follow; they
    /// come behind them.
    pub(super) constants: fn(&[f64]) -> Vec<f64>,
    /// Weight variance times fan-in where measurements chose it; otherwise it preserves the
    /// variance.
    pub(super) variance: Option<fn(&[f64]) -> f64>,
    pub(super) value: fn(&[f64], f64) -> f64,
    pub(super) dual: fn(&[Dual<f64>], Dual<f64>) -> Dual<f64>,
    /// From parameters and arguments (in place) to values, and to derivatives by the argument.
    pub(super) run: Run,
    /// The same, but to derivatives by parameter number `n`, where the numbers before are.
    pub(super) by_parameter: fn(&[f32], usize, &[f32], &mut [f32]),
    pub(super) flat: fn(&[f64], Tensor<2>) -> Tensor<2>,
    pub(super) members: fn(&[f64], Tensor<3>) -> Tensor<3>,
    pub(super) maps: fn(&[f64], Tensor<4>) -> Tensor<4>,
    pub(super) learnt_flat: fn(&[Tensor<2>], Tensor<2>) -> Tensor<2>,
    pub(super) learnt_maps: fn(&[Tensor<4>], Tensor<4>) -> Tensor<4>,
    pub(super) symbol: fn(&[Symbol], Symbol) -> Symbol,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What tensors call otherwise than numbers do.
trait Sigmoid: Sized {
    fn sigmoid(self) -> Self;
    fn relu(self) -> Self;
    fn error_function(self) -> Self;
}

impl<const D: usize> Sigmoid for Tensor<D> {
    fn sigmoid(self) -> Self {
        activation::sigmoid(self)
    }
    fn relu(self) -> Self {
        activation::relu(self)
    }
    fn error_function(self) -> Self {
        self.erf()
    }
}

/// Most numbers that an expression needs: parameters and constants.
pub(super) const MOST: usize = 4;

#[inline(always)]
fn singles(p: &[f32]) -> [Single; MOST] {
    let mut out = [Single(0.0); MOST];
    for (o, &x) in out.iter_mut().zip(p) {
        *o = Single(x);
    }
    out
}

macro_rules! entry {
    (
        $name:literal, [$(($p_name:literal, $default:expr, $low:expr, $high:expr, $trainable:expr)),*], $formula:literal, $source:literal,
        |$p:ident, $x:ident| $value:expr $(, variance: $variance:expr)? $(, constants: $constants:expr)?
    ) => {
        Entry {
            name: $name,
            parameters: &[$(Parameter { name: $p_name, default: $default, range: ($low, $high), trainable: $trainable }),*],
            formula: $formula,
            source: $source,
            constants: { let _none: fn(&[f64]) -> Vec<f64> = |_| Vec::new(); $(let _none: fn(&[f64]) -> Vec<f64> = $constants;)? _none },
            variance: { let _none: Option<fn(&[f64]) -> f64> = None; $(let _none: Option<fn(&[f64]) -> f64> = Some($variance);)? _none },
            value: |$p, $x| $value,
            dual: |$p, $x| $value,
            run: |p, z, slopes| widest!({
                let $p = &singles(p);
                for (z, slope) in z.iter_mut().zip(slopes) {
                    let $x = Dual { value: Single(*z), slope: Single(1.0) };
                    let y: Dual<Single> = $value;
                    (*z, *slope) = (y.value.0, y.slope.0);
                }
            }),
            by_parameter: |p, n, z, slopes| widest!({
                let mut p = singles(p).map(|value| Dual { value, slope: Single(0.0) });
                p[n].slope = Single(1.0);
                let $p = &p;
                for (z, slope) in z.iter().zip(slopes) {
                    let $x = Dual { value: Single(*z), slope: Single(0.0) };
                    let y: Dual<Single> = $value;
                    *slope = y.slope.0;
                }
            }),
            flat: |$p, $x| $value,
            members: |$p, $x| $value,
            maps: |$p, $x| $value,
            learnt_flat: |$p, $x| $value,
            learnt_maps: |$p, $x| $value,
            symbol: |$p, $x| $value,
        }
    };
}

/// Mean of `|z|` for a standard normal `z`: the square root of 2 / pi.
pub(super) const MEAN_ABS: f64 = 0.797_884_560_802_865_4;

/// All activation functions. A new one is one entry here.
#[allow(clippy::clone_on_copy, reason = "the expressions are compiled for numbers and for tensors")]
#[allow(unused_variables, reason = "some functions have no parameters")]
pub static TABLE: &[Entry] = &[
    entry!("identity", [], "x", "classic", |p, x| x),
    entry!("relu", [], "max(0, x)", "classic", |p, x| x.relu()),
    entry!("leaky_relu", [("slope", 0.2, -10.0, 1.0, true)], "max(x, slope x)", "classic; learnt, He et al.'s PReLU", |p, x| x
        .clone()
        .relu()
        - (-x).relu() * p[0].clone()),
    entry!("tanh", [], "tanh x", "classic", |p, x| x.tanh()),
    entry!("sigmoid", [], "1 / (1 + exp(-x))", "classic", |p, x| x.sigmoid()),
    entry!("elu", [], "x for x > 0, else exp(x) - 1", "Clevert et al. 2015", |p, x| {
        x.clone().relu() + (-(-x).relu()).exp() + -1.0
    }),
    entry!("gelu", [], "x (1 + erf(x / sqrt 2)) / 2", "Hendrycks and Gimpel 2016", |p, x| {
        x.clone() * ((x * std::f64::consts::FRAC_1_SQRT_2).error_function() + 1.0) * 0.5
    }),
    entry!("swish", [], "x / (1 + exp(-x))", "Ramachandran et al. 2017", |p, x| x.clone() * x.sigmoid()),
    entry!("clip", [], "min(max(0, x), 1)", "Naitzat et al.'s 'Custom'", |p, x| x.clone().relu() - (x + -1.0).relu()),
    entry!("sine", [("omega", 1.0, 1e-3, 100.0, true)], "sin(omega x)", "Sitzmann et al. 2020 and before", |p, x| {
        (x * p[0].clone()).sin()
    }),
    entry!(
        "sine-plus-linear",
        [("n", 1.0, -10.0, 10.0, true)],
        "sin x + n x; n below 0 is Chan et al.'s SinP",
        "a candidate for the function of arXiv 2109.01572, whose formula is not public",
        |p, x| x.clone().sin() + x * p[0].clone()
    ),
    entry!("gcu", [], "x cos x", "Noel et al. 2021", |p, x| x.clone() * x.cos()),
    entry!(
        "sinlu",
        [("a", 1.0, -10.0, 10.0, true), ("b", 1.0, -10.0, 10.0, true)],
        "(x + a sin(b x)) / (1 + exp(-x))",
        "Paul et al. 2022",
        |p, x| (x.clone() + (x.clone() * p[1].clone()).sin() * p[0].clone()) * x.sigmoid()
    ),
    entry!(
        "parametric-split",
        [("a", std::f64::consts::FRAC_PI_4, 0.0, 1.57, true), ("b", 0.5, -10.0, 10.0, true)],
        "b x + b cos a - sin a below -cos a, x tan a between, x + sin a - cos a above cos a",
        "Snopov and Musin 2025",
        |p, x| {
            let (sine, cosine) = (p[0].clone().sin(), p[0].clone().cos());
            let tangent = sine * cosine.clone().recip();
            let above = (x.clone() + -cosine.clone()).relu();
            let below = (-x.clone() + -cosine).relu();
            x.clone() * tangent.clone() + above * (-tangent.clone() + 1.0) - below * (p[1].clone() - tangent)
        }
    ),
    entry!(
        "smooth-split",
        [("c", 1.0, -10.0, 10.0, true), ("alpha", 1.0, -100.0, 100.0, true)],
        "x + c tanh(alpha x)",
        "Snopov and Musin 2025",
        |p, x| x.clone() + (x * p[1].clone()).tanh() * p[0].clone()
    ),
    entry!(
        "s-htanh",
        [("a", 1.0, 1e-3, 100.0, false)],
        "x within [-a, a], else sign(x) a",
        "Murray, Abrol and Tanner 2021",
        |p, x| x.clone() - (x.clone().abs() + -p[0].clone()).relu() * x.sign()
    ),
    entry!(
        "s-sin",
        [("a", 1.0, 1e-3, 100.0, false)],
        "x within [-a, a], else sign(x) (a - 1 + cos(|x| - a))",
        "Murray, Abrol and Tanner 2021",
        |p, x| {
            let beyond = (x.clone().abs() + -p[0].clone()).relu();
            x.clone() + (beyond.clone().cos() + -1.0 - beyond) * x.sign()
        }
    ),
    entry!(
        "s-exp",
        [("a", 1.0, 1e-3, 100.0, false)],
        "x within [-a, a], else sign(x) (a - 1 + exp(a - |x|))",
        "Murray, Abrol and Tanner 2021",
        |p, x| {
            let beyond = (x.clone().abs() + -p[0].clone()).relu();
            x.clone() + ((-beyond.clone()).exp() + -1.0 - beyond) * x.sign()
        }
    ),
    entry!(
        "s-saw",
        [("a", 1.0, 1e-3, 100.0, false)],
        "x within [-a, a], sign(x) (2 a - |x|) up to 2 a, then 0",
        "Murray, Abrol and Tanner 2021",
        |p, x| {
            let beyond = (x.clone().abs() + -p[0].clone()).relu();
            let far = (x.clone().abs() + p[0].clone() * -2.0).relu();
            x.clone() + (far - beyond * 2.0) * x.sign()
        }
    ),
    // a = 0 is the normalised ReLU, a = 1 the centred absolute value (CAbs). Its variance times
    // fan-in lies on the plateau that we measured, 0.5 to 0.7, from a = 1/2 on.
    entry!(
        "fold",
        [("a", 1.0, -1.0, 10.0, true), ("centred", 1.0, 0.0, 1.0, false)],
        "max(x, -a x), shifted and scaled to mean 0 and variance 1 on a standard normal input if centred",
        "ours",
        |p, x| {
            // In units of (1 + a) / 2: the even part |x| less its mean, and the odd part.
            let (even, odd) = ((p[0].clone() + 1.0) * 0.5, (-p[0].clone() + 1.0) * 0.5);
            let variance = even.clone() * even.clone() * (1.0 - MEAN_ABS * MEAN_ABS) + odd.clone() * odd.clone();
            let scale = (variance.sqrt().recip() + -1.0) * p[1].clone() + 1.0;
            x.clone().abs() * (even.clone() * scale.clone()) + x * (odd * scale.clone()) + even * scale * p[1].clone() * -MEAN_ABS
        },
        variance: |p| if p[1] == 0.0 { 2.0 / (1.0 + p[0] * p[0]) } else { 1.0 - 0.4 * (2.0 * p[0]).clamp(0.0, 1.0) }
    ),
    entry!(
        "smooth-cabs",
        [("sharpness", 4.0, 0.1, 100.0, false)],
        "x tanh(sharpness x), shifted and scaled to mean 0 and variance 1 on a standard normal input",
        "ours",
        |p, x| (x.clone() * (x * p[0].clone()).tanh() + -p[1].clone()) * p[2].clone(),
        variance: |_| 0.6,
        constants: |p| {
            let fold = |z: f64| z * (p[0] * z).tanh();
            let mean = super::normal_mean(fold);
            vec![mean, 1.0 / (super::normal_mean(|z| fold(z).powi(2)) - mean * mean).sqrt()]
        }
    ),
];
