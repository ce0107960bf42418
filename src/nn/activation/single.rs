//! Single-precision numbers, for loops that the compiler turns into vector instructions.
//!
//! Nothing here calls the C library, whose functions take one number at a time: exponentials and
//! sines are short polynomials, good to a few units of the last place for arguments up to about
//! 1e4.

use super::real::{Real, erf_from};
use std::ops::{Add, Mul, Neg, Sub};

/// A number. The standard library's own type cannot be given a sum with an `f64`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Single(pub f32);

/// Added to a number below 2^22, leaves it rounded to a whole one, in the low bits.
const ROUND: f32 = 12_582_912.0;

/// `e^x`; zero below -80, and the largest that fits above 88. Products of still smaller numbers
/// would be subnormal, and with these a processor computes many times as slowly: training with GELU
/// took twice as long.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let least = -80.0;
    let (small, x) = (x < least, x.clamp(least, 88.0));
    let t = x * std::f32::consts::LOG2_E + ROUND;
    let n = t - ROUND;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = ((((1.987_569_1e-4 * r + 1.398_2e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_6e-1) * r + 0.5;
    let scale = f32::from_bits((t.to_bits() << 23).wrapping_add(127 << 23));
    let found = (p * r * r + r + 1.0) * scale;
    if small { 0.0 } else { found }
}

/// `sin(x + quarters pi / 2)`.
#[inline(always)]
fn sine(x: f32, quarters: u32) -> f32 {
    let t = x * std::f32::consts::FRAC_2_PI + ROUND;
    let n = t - ROUND;
    // pi / 2 in three parts, so that the difference is exact.
    let r = x - n * 1.570_312_5 - n * 4.837_513e-4 - n * 7.549_79e-8;
    let s = r * r;
    let odd = ((-1.951_529_6e-4 * s + 8.332_161e-3) * s + -1.666_665_5e-1) * s * r + r;
    let even = ((2.443_315_7e-5 * s + -1.388_731_6e-3) * s + 4.166_664_6e-2) * s * s - 0.5 * s + 1.0;
    let quarter = t.to_bits().wrapping_add(quarters);
    let value = if quarter & 1 == 0 { odd } else { even };
    f32::from_bits(value.to_bits() ^ ((quarter & 2) << 30))
}

macro_rules! arithmetic {
    ($($trait:ident $name:ident $op:tt),*) => {$(
        impl $trait for Single {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Self(self.0 $op other.0)
            }
        }
    )*};
}
arithmetic!(Add add +, Sub sub -, Mul mul *);

impl Add<f64> for Single {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: f64) -> Self {
        Self(self.0 + other as f32)
    }
}

impl Mul<f64> for Single {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: f64) -> Self {
        Self(self.0 * other as f32)
    }
}

impl Neg for Single {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Real for Single {
    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.abs())
    }
    #[inline(always)]
    fn sign(self) -> Self {
        let (above, below) = (self.step().0, (-self).step().0);
        Self(above - below)
    }
    #[inline(always)]
    fn step(self) -> Self {
        Self(if self.0 > 0.0 { 1.0 } else { 0.0 })
    }
    #[inline(always)]
    fn relu(self) -> Self {
        // Keeps NaN, so that a run that diverges is seen.
        Self(if self.0 < 0.0 { 0.0 } else { self.0 })
    }
    #[inline(always)]
    fn exp(self) -> Self {
        Self(exp(self.0))
    }
    #[inline(always)]
    fn sin(self) -> Self {
        Self(sine(self.0, 0))
    }
    #[inline(always)]
    fn cos(self) -> Self {
        Self(sine(self.0, 1))
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        let t = 1.0 - 2.0 / (exp(2.0 * self.0.abs()) + 1.0);
        Self(t.copysign(self.0))
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self(1.0 / (1.0 + exp(-self.0)))
    }
    #[inline(always)]
    fn error_function(self) -> Self {
        erf_from(self.abs(), (-(self * self)).exp(), self.sign())
    }
    #[inline(always)]
    fn recip(self) -> Self {
        Self(1.0 / self.0)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_those_of_the_standard_library() {
        for i in -40_000..40_000 {
            let x = i as f32 * 0.002_3 + 0.000_7;
            let wide = f64::from(x);
            let near = |got: f32, want: f64, scale: f64| (f64::from(got) - want).abs() < 5e-7 * scale.max(1.0);
            assert!(near(sine(x, 0), wide.sin(), 1.0) && near(sine(x, 1), wide.cos(), 1.0), "{x}");
            if x.abs() < 80.0 {
                assert!((f64::from(exp(x)) / wide.exp() - 1.0).abs() < 4e-7, "{x}: {}", exp(x));
            }
            let one = |f: fn(Single) -> Single| f(Single(x)).0;
            assert!(
                near(one(Real::tanh), wide.tanh(), 1.0) && near(one(Real::error_function), Real::error_function(wide), 1.0),
                "{x}"
            );
            assert!(near(one(Real::sigmoid), Real::sigmoid(wide), 1.0), "{x}");
        }
        assert!(exp(-79.9) > 1e-35 && exp(-80.1) == 0.0 && exp(-1000.0) == 0.0 && exp(1000.0) > 1e38);
        assert!(Single(f32::NAN).relu().0.is_nan() && exp(f32::NAN).is_nan() && sine(f32::NAN, 0).is_nan());
    }
}
