//! What becomes of variances and of small differences in deep random networks: mean-field theory,
//! for any activation.
//!
//! In a wide network with weights of variance `sigma_w^2 / fan_in` and biases of variance
//! `sigma_b^2`, numbers before an activation `f` are normal; their variance `q` goes from layer to
//! layer by `q -> sigma_w^2 E[f(sqrt(q) z)^2] + sigma_b^2`, and a small difference between two
//! inputs grows by the slope `chi = sigma_w^2 E[f'(sqrt(q) z)^2]`. A slope
//! below 1 is order, one above 1 chaos; between them lies the edge of chaos, chi = 1. See Poole et
//! al. 2016, Schoenholz et al. 2017, and Murray, Abrol and Tanner (arXiv 2105.07741).

use super::Activation;
use super::activation::normal_mean;
use crate::error::{Error, Result};
use serde::Serialize;

/// Nodes and weights of Gauss and Hermite's rule for means over a standard normal variable, exact
/// for polynomials up to degree `2 n - 1`.
///
/// By Newton's method on the orthonormal Hermite polynomials; `n` up to about 200.
pub fn gauss_hermite(n: usize) -> Vec<(f64, f64)> {
    // Probabilists' polynomials, orthonormal: x h_k = sqrt(k + 1) h_(k + 1) + sqrt(k) h_(k - 1).
    let value_and_slope = |x: f64| {
        let (mut before, mut now) = (0.0, 1.0);
        for k in 0..n {
            (before, now) = (now, (x * now - (k as f64).sqrt() * before) / ((k + 1) as f64).sqrt());
        }
        // The derivative of h_n is sqrt(n) h_(n - 1).
        (now, (n as f64).sqrt() * before, before)
    };
    // The zeros interlace and lie within 2 sqrt(n): look for changes of sign on a fine grid, then
    // polish.
    let end = 2.0 * (n as f64).sqrt() + 1.0;
    let steps = 200 * n.max(1);
    let at = |i: usize| -end + 2.0 * end * i as f64 / steps as f64;
    let mut nodes = Vec::with_capacity(n);
    let mut left = value_and_slope(at(0)).0;
    for i in 1..=steps {
        let right = value_and_slope(at(i)).0;
        if left == 0.0 || left * right < 0.0 {
            let mut x = 0.5 * (at(i - 1) + at(i));
            for _ in 0..50 {
                let (value, slope, _) = value_and_slope(x);
                let next = (x - value / slope).clamp(at(i - 1), at(i));
                if (next - x).abs() < 1e-15 * end {
                    break;
                }
                x = next;
            }
            let before = value_and_slope(x).2;
            nodes.push((x, 1.0 / (n as f64 * before * before)));
        }
        left = right;
    }
    nodes
}

/// How a wide random network with this activation treats variances and differences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeanField {
    /// Variance of the weights times fan-in.
    pub weights: f64,
    /// Variance of the biases.
    pub biases: f64,
    /// The variance before an activation that repeats itself from layer to layer.
    pub variance: f64,
    /// How much a small difference grows in a layer, there.
    pub slope: f64,
    /// Fourth over squared second moment of the derivative: 1 where every direction is kept alike
    /// (dynamical isometry).
    pub moment_ratio: f64,
}

/// `E[f(sqrt(q) z)^2]`
fn power(f: &Activation, q: f64) -> f64 {
    normal_mean(|z| f.value(q.sqrt() * z).powi(2))
}

/// `E[f'(sqrt(q) z)^2]`
fn slope_power(f: &Activation, q: f64) -> f64 {
    normal_mean(|z| f.derivative(q.sqrt() * z).powi(2))
}

impl MeanField {
    /// What weights and biases of these variances lead to, from a variance of 1 on.
    ///
    /// # Errors
    /// [`Error::Input`] when the variance grows without bound.
    pub fn of(f: &Activation, weights: f64, biases: f64) -> Result<Self> {
        let mut q = 1.0;
        for _ in 0..10_000 {
            let next = weights * power(f, q) + biases;
            if !next.is_finite() || next > 1e12 {
                return Err(Error::input(format!(
                    "with {f} and weights of variance {weights} / fan-in, numbers grow without bound"
                )));
            }
            let done = (next - q).abs() <= 1e-12 * q.max(1e-300);
            q = next;
            if done || q < 1e-30 {
                break;
            }
        }
        Ok(Self::at(f, weights, biases, q))
    }

    fn at(f: &Activation, weights: f64, biases: f64, q: f64) -> Self {
        let second = slope_power(f, q);
        let fourth = normal_mean(|z| f.derivative(q.sqrt() * z).powi(4));
        Self { weights, biases, variance: q, slope: weights * second, moment_ratio: fourth / (second * second) }
    }

    /// The edge of chaos for biases of this variance: weights such that chi is 1 at the variance
    /// that repeats itself.
    ///
    /// # Errors
    /// [`Error::Input`] when there is none that the iteration finds.
    pub fn edge_of_chaos(f: &Activation, biases: f64) -> Result<Self> {
        // Without biases, where the function is smooth at 0, it is the limit of no variance at all,
        // which the iteration nears only slowly.
        if biases == 0.0 && f.value(0.0) == 0.0 && f.derivative(1e-9) == f.derivative(-1e-9) && f.derivative(0.0) != 0.0 {
            return Ok(Self::at(f, f.derivative(0.0).powi(-2), 0.0, 0.0));
        }
        let none = || Error::input(format!("no edge of chaos found for {f} with biases of variance {biases}"));
        let mut q = 1.0;
        // Where there is none (a function with f(c x) = c f(x), and biases), the variance grows by
        // the same step for ever.
        for _ in 0..5_000 {
            let weights = 1.0 / slope_power(f, q);
            let next = weights * power(f, q) + biases;
            if !next.is_finite() || !weights.is_finite() || next > 1e9 {
                return Err(none());
            }
            // Half a step: the full one swings about the solution.
            let done = (next - q).abs() <= 1e-11 * q;
            q = 0.5 * (q + next);
            if done {
                return Ok(Self::at(f, weights, biases, q));
            }
        }
        Err(none())
    }

    /// The edge of chaos at a given variance: weights and biases such that chi is 1 and `q` repeats
    /// itself.
    ///
    /// # Errors
    /// [`Error::Input`] where that would take biases of negative variance.
    pub fn edge_at(f: &Activation, q: f64) -> Result<Self> {
        let weights = 1.0 / slope_power(f, q);
        let biases = q - weights * power(f, q);
        // A linear or positively homogeneous function needs no biases at all, up to rounding.
        if biases < -1e-6 * q {
            return Err(Error::input(format!(
                "{f} has no edge of chaos at variance {q}: biases would need variance {biases:.4}"
            )));
        }
        Ok(Self::at(f, weights, biases.max(0.0), q))
    }

    /// How the correlation of two inputs maps to that after a layer, by Gauss and Hermite's rule in
    /// two dimensions.
    pub fn correlation(&self, f: &Activation, rho: f64) -> f64 {
        let nodes = gauss_hermite(64);
        let (side, other) = (self.variance.sqrt(), (1.0 - rho * rho).max(0.0).sqrt());
        let inner = |a: f64| nodes.iter().map(|&(b, w)| w * f.value(side * (rho * a + other * b))).sum::<f64>();
        let product: f64 = nodes.iter().map(|&(a, w)| w * f.value(side * a) * inner(a)).sum();
        (self.weights * product + self.biases) / self.variance
    }
}

/// How large the numbers of a residual network are as it is drawn: their root mean square behind
/// the last of so many blocks, where each block adds numbers of mean 0 and variance 1, which is
/// what batch norm gives, and `f` follows.
///
/// The sums are taken as normal, so this is a rough figure. ReLU gives 3 behind 9 blocks. Functions
/// that are scaled to variance 1 grow without end, because they enlarge each sum again; what a late
/// block adds is then lost beside what came before.
pub fn residual_size(f: &Activation, blocks: usize) -> f64 {
    let (mut mean, mut square) = (0.0f64, 0.0f64);
    // The first is the convolution before all blocks, with its own batch norm: it adds to nothing.
    for _ in 0..=blocks {
        let side = ((square - mean * mean).max(0.0) + 1.0).sqrt();
        let sum = |z: f64| side.mul_add(z, mean);
        (mean, square) = (normal_mean(|z| f.value(sum(z))), normal_mean(|z| f.value(sum(z)).powi(2)));
    }
    square.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activation(text: &str) -> Activation {
        Activation::parse(text).unwrap()
    }

    #[test]
    fn the_rule_integrates_polynomials_exactly() {
        for n in [1, 2, 5, 20, 100] {
            let rule = gauss_hermite(n);
            assert_eq!(rule.len(), n);
            let moment = |k: i32| rule.iter().map(|&(x, w)| w * x.powi(k)).sum::<f64>();
            assert!((moment(0) - 1.0).abs() < 1e-12 && moment(1).abs() < 1e-10, "{n}");
            for (k, want) in [(2, 1.0), (4, 3.0), (6, 15.0), (8, 105.0)] {
                assert!((k as usize) > 2 * n - 1 || (moment(k) / want - 1.0).abs() < 1e-10, "{n}, {k}: {}", moment(k));
            }
        }
        // Smooth functions: as the trapezium rule. Kinks: slower, which is why means are not taken
        // by it.
        let rule = gauss_hermite(64);
        let by_rule = |f: &dyn Fn(f64) -> f64| rule.iter().map(|&(x, w)| w * f(x)).sum::<f64>();
        assert!((by_rule(&|x| x.sin().powi(2)) - normal_mean(|x| x.sin().powi(2))).abs() < 1e-12);
        assert!((by_rule(&f64::abs) - normal_mean(f64::abs)).abs() > 1e-4);
    }

    #[test]
    fn without_biases_the_edge_is_a_limit() {
        for (name, weights) in [("tanh", 1.0), ("sine:2", 0.25), ("relu", 2.0)] {
            let found = MeanField::edge_of_chaos(&activation(name), 0.0).unwrap();
            assert!((found.weights - weights).abs() < 1e-3 && (found.slope - 1.0).abs() < 1e-3, "{name}: {found:?}");
        }
        assert!(MeanField::edge_of_chaos(&activation("relu"), 0.1).is_err());
    }

    /// Murray, Abrol and Tanner's table for S-exp with a = 1: variances of biases, weights, and
    /// before activations.
    #[test]
    fn published_edges_of_chaos() {
        let f = activation("s-exp:1");
        for (biases, weights, variance) in
            [(1.0, 1.3253, 1.4526), (0.1, 1.0408, 0.3914), (0.01, 1.0044, 0.1830), (1e-3, 1.0005, 0.1141)]
        {
            let found = MeanField::edge_of_chaos(&f, biases).unwrap();
            assert!((found.weights - weights).abs() < 2e-4, "{found:?}");
            // Near small biases the last place of the weights moves the variance by 2 %.
            assert!((found.variance / variance - 1.0).abs() < 0.02, "{found:?}");
            assert!((found.slope - 1.0).abs() < 1e-6);
        }
        // Standard deviations of weights and biases at variance 0.2.
        for (name, weights, biases) in
            [("tanh", 1.1517, 0.0691), ("s-htanh:1", 1.0129, 0.0636), ("elu", 1.1346, 0.0524), ("relu", 2f64.sqrt(), 0.0)]
        {
            let found = MeanField::edge_at(&activation(name), 0.2).unwrap();
            assert!(
                (found.weights.sqrt() - weights).abs() < 2e-4 && (found.biases.sqrt() - biases).abs() < 5e-4,
                "{name}: {found:?}"
            );
        }
    }

    /// The slopes that `activations.md` measured against: CAbs 1.65 at 0.6, normalised ReLU 1.47,
    /// 0.8-fold 1.35 at 0.5, sine 1.31.
    #[test]
    fn slopes_of_the_folding_family() {
        for (name, weights, slope) in
            [("cabs", 0.6, 1.65), ("relu-normalised", 1.0, 1.47), ("fold:0.8,1", 0.5, 1.35), ("sine", 2.313, 1.31)]
        {
            let found = MeanField::at(&activation(name), weights, 0.0, 1.0);
            assert!((found.slope - slope).abs() < 0.01, "{name}: {found:?}");
        }
        // ReLU at its edge keeps correlations' order and pushes them together.
        let relu = MeanField::of(&activation("relu"), 2.0, 0.0).unwrap();
        assert!((relu.slope - 1.0).abs() < 1e-3);
        let up = relu.correlation(&activation("relu"), 0.5);
        assert!(up > 0.55 && up < 0.75, "{up}");
        assert!(MeanField::of(&activation("relu"), 3.0, 0.0).is_err());
    }

    /// Two sizes are known: the identity adds one to the variance with every block, and the absolute
    /// value of a normal number that came through no block has a mean square of 1.
    #[test]
    fn numbers_behind_residual_blocks() {
        assert!((residual_size(&activation("identity"), 8) - 3.0).abs() < 1e-6);
        assert!((residual_size(&activation("fold:1,0"), 0) - 1.0).abs() < 1e-6);
        let sizes = |name: &str| [9, 27].map(|blocks| residual_size(&activation(name), blocks));
        for bounded in ["relu", "fold:0.2,0", "elu", "gelu", "swish", "tanh", "sine-plus-linear"] {
            assert!(sizes(bounded)[1] < 10.0, "{bounded}: {:?}", sizes(bounded));
        }
        for growing in ["cabs", "fold:0.2,1", "relu-normalised", "smooth-cabs"] {
            let [nine, more] = sizes(growing);
            assert!(nine > 20.0 && more > 1e4, "{growing}: {nine} {more}");
        }
    }

    /// `E[(cos(sqrt(q) z) + n)^2] = n^2 + 2 n e^(-q / 2) + (1 + e^(-2 q)) / 2`.
    #[test]
    fn sine_plus_linear_has_a_closed_form() {
        for (n, q) in [(1.0f64, 0.7f64), (-1.5, 2.0), (0.3, 1.0)] {
            let got = slope_power(&activation(&format!("sine-plus-linear:{n}")), q);
            let want = n * n + 2.0 * n * (-0.5 * q).exp() + 0.5 * (1.0 + (-2.0 * q).exp());
            assert!((got - want).abs() < 1e-9, "{got} {want}");
        }
    }
}
