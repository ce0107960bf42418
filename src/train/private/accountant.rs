//! How much privacy a training has spent: epsilon and delta of the sampled Gaussian mechanism.
//!
//! Every step draws each sample with probability q, by Poisson sampling, and adds normal noise of
//! sigma times the clip to the sum of the clipped gradients. Two sets of samples are neighbours if
//! one of them has one sample more. The Renyi divergence of order a between what the mechanism
//! gives on neighbours is at most ln(A) / (a - 1), where A is the mean of ((1 - q) + q exp((2z - 1)
//! / (2 sigma^2)))^a over a normal z with deviation sigma (Mironov, Talwar and Zhang, "Renyi
//! differential privacy of the sampled Gaussian mechanism", arXiv 1908.10530). Divergences of steps
//! add up. They become epsilon by theorem 21 of Balle and others (arXiv 1905.09982).

use crate::error::{Error, Result};

/// Orders of the divergence that are tried: those of Opacus, and some larger ones.
fn orders() -> impl Iterator<Item = f64> {
    let small = (11..110).map(|x| f64::from(x) / 10.0);
    small.chain((12..64).map(f64::from)).chain([64.0, 80.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0])
}

/// The divergence of one step, by an integral: the trapezoid rule, which for such functions is
/// exact to rounding once its step is a small part of sigma.
fn divergence(order: f64, q: f64, sigma: f64) -> f64 {
    if q >= 1.0 {
        return order / (2.0 * sigma * sigma);
    }
    // The integrand has its bulk between the bells around 0 and around the order.
    let (from, to) = (-12.0 * sigma, order + 12.0 * sigma);
    let count = ((to - from) / (sigma / 16.0)).ceil() as usize;
    let step = (to - from) / count as f64;
    let (stay, taken) = ((-q).ln_1p(), q.ln());
    let at = |i: usize| {
        let z = from + i as f64 * step;
        let more = taken + (2.0 * z - 1.0) / (2.0 * sigma * sigma);
        let mixed = stay.max(more) + (-(stay - more).abs()).exp().ln_1p();
        order * mixed - z * z / (2.0 * sigma * sigma)
    };
    let most = (0..=count).map(at).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = (0..=count).map(|i| (at(i) - most).exp()).sum();
    let log = most + (sum * step / (sigma * (2.0 * std::f64::consts::PI).sqrt())).ln();
    // Rounding may leave a little less than nothing.
    (log / (order - 1.0)).max(0.0)
}

/// Epsilon after so many steps at a delta, for a rate q of sampling and noise of sigma times the
/// clip. Infinite without noise.
pub(super) fn epsilon(q: f64, sigma: f64, steps: usize, delta: f64) -> f64 {
    if steps == 0 {
        return 0.0;
    }
    if sigma <= 0.0 {
        return f64::INFINITY;
    }
    let of = |order: f64| {
        let spent = steps as f64 * divergence(order, q, sigma);
        spent - (delta.ln() + order.ln()) / (order - 1.0) + ((order - 1.0) / order).ln()
    };
    orders().map(of).fold(f64::INFINITY, f64::min).max(0.0)
}

/// The least noise, to a thousandth of it, with which so many steps spend no more than `wanted`.
///
/// # Errors
/// [`Error::Input`] where no noise is enough, with what can be reached.
pub(super) fn noise_for(wanted: f64, q: f64, steps: usize, delta: f64) -> Result<f64> {
    if !(wanted > 0.0 && wanted.is_finite()) {
        return Err(Error::input(format!("epsilon must be a number above 0, not {wanted}")));
    }
    let most = super::MOST_NOISE;
    let least = epsilon(q, most, steps, delta);
    if wanted < least {
        return Err(Error::input(format!(
            "an epsilon of {wanted} cannot be reached in {steps} steps at a delta of {delta}: even a noise of {most:.0} clips \
             spends {least:.3}"
        )));
    }
    let (mut low, mut high) = (0.1, most);
    if epsilon(q, low, steps, delta) <= wanted {
        return Ok(low);
    }
    while high / low > 1.001 {
        let middle = (low * high).sqrt();
        if epsilon(q, middle, steps, delta) <= wanted { high = middle } else { low = middle }
    }
    Ok(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For whole orders the mean is a finite sum over binomial coefficients.
    #[test]
    fn integrals_are_the_sums_of_whole_orders() {
        for (q, sigma) in [(0.04, 1.5), (0.01, 0.5), (0.2, 4.0), (0.001, 1.0)] {
            for order in [2usize, 3, 8, 20, 63] {
                let mut coefficient = 1.0f64;
                let mut logs = Vec::new();
                for i in 0..=order {
                    let (i_f, rest) = (i as f64, (order - i) as f64);
                    let log = coefficient.ln() + i_f * f64::ln(q) + rest * f64::ln_1p(-q);
                    logs.push(log + (i_f * i_f - i_f) / (2.0 * sigma * sigma));
                    coefficient *= rest / (i_f + 1.0);
                }
                let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let want = (most + logs.iter().map(|l| (l - most).exp()).sum::<f64>().ln()) / (order as f64 - 1.0);
                let got = divergence(order as f64, q, sigma);
                assert!((got - want).abs() < 1e-9 * want.max(1e-3), "{q} {sigma} {order}: {got} against {want}");
            }
        }
    }

    /// The values that Opacus's tests hold its accountant to.
    #[test]
    fn epsilons_are_those_of_opacus() {
        assert!((epsilon(0.04, 1.5, 2250, 1e-5) - 7.329_111_171_43).abs() < 1e-7);
        assert!((noise_for(8.0, 0.04, 2250, 1e-5).unwrap() - 1.416).abs() < 0.003);
        assert!((noise_for(8.0, 0.04, 2000, 1e-5).unwrap() - 1.3562).abs() < 0.003);
    }

    #[test]
    fn more_noise_and_fewer_steps_spend_less() {
        let of = |sigma, steps| epsilon(0.01, sigma, steps, 1e-5);
        assert!(of(1.0, 100) < of(1.0, 200) && of(2.0, 100) < of(1.0, 100));
        assert_eq!((of(1.0, 0), of(0.0, 1)), (0.0, f64::INFINITY));
        // All samples in each step: the plain Gaussian mechanism.
        assert!((divergence(7.0, 1.0, 3.0) - 7.0 / 18.0).abs() < 1e-12);
        for wanted in [0.5, 3.0, 50.0] {
            let sigma = noise_for(wanted, 0.02, 500, 1e-5).unwrap();
            assert!(epsilon(0.02, sigma, 500, 1e-5) <= wanted);
            assert!(sigma == 0.1 || epsilon(0.02, sigma / 1.002, 500, 1e-5) > wanted, "{wanted} {sigma}");
        }
        assert!(noise_for(1e-4, 0.02, 500, 1e-5).unwrap_err().to_string().contains("cannot be reached"));
        for wanted in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert!(noise_for(wanted, 0.02, 500, 1e-5).unwrap_err().to_string().contains("above 0"));
        }
    }
}
