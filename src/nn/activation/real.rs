//! Numbers that activation functions are computed with, and dual numbers, which carry a derivative
//! along.

use std::ops::{Add, Mul, Neg, Sub};

/// What the expressions of the table are made of. Numbers, [`super::Single`], [`Dual`] numbers and
/// burn's tensors all have these by the same names.
pub trait Real:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Add<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Neg<Output = Self>
{
    /// `|x|`
    fn abs(self) -> Self;
    /// -1, 0 or 1
    fn sign(self) -> Self;
    /// 1 above 0, else 0
    fn step(self) -> Self;
    /// `max(0, x)`
    fn relu(self) -> Self;
    /// `e^x`
    fn exp(self) -> Self;
    /// Sine
    fn sin(self) -> Self;
    /// Cosine
    fn cos(self) -> Self;
    /// Hyperbolic tangent
    fn tanh(self) -> Self;
    /// `1 / (1 + e^-x)`
    fn sigmoid(self) -> Self;
    /// The error function
    fn error_function(self) -> Self;
    /// `1 / x`
    fn recip(self) -> Self;
    /// Square root
    fn sqrt(self) -> Self;
}

/// Abramowitz and Stegun's 7.1.26, to 1.5e-7, from the values of `|x|`, `exp(-x^2)` and the sign.
#[inline(always)]
pub(super) fn erf_from<R: Real>(absolute: R, bell: R, sign: R) -> R {
    let t = (absolute * 0.327_591_1 + 1.0).recip();
    let poly = ((((t * 1.061_405_429 + -1.453_152_027) * t + 1.421_413_741) * t + -0.284_496_736) * t + 0.254_829_592) * t;
    (-(poly * bell) + 1.0) * sign
}

impl Real for f64 {
    fn abs(self) -> Self {
        f64::abs(self)
    }
    fn sign(self) -> Self {
        if self == 0.0 { 0.0 } else { self.signum() }
    }
    fn step(self) -> Self {
        f64::from(self > 0.0)
    }
    fn relu(self) -> Self {
        self.max(0.0)
    }
    fn exp(self) -> Self {
        f64::exp(self)
    }
    fn sin(self) -> Self {
        f64::sin(self)
    }
    fn cos(self) -> Self {
        f64::cos(self)
    }
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + f64::exp(-self))
    }
    fn error_function(self) -> Self {
        erf_from(f64::abs(self), f64::exp(-self * self), Real::sign(self))
    }
    fn recip(self) -> Self {
        1.0 / self
    }
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
}

/// A number with its derivative along one direction: what forward-mode differentiation computes
/// with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual<R> {
    /// The number.
    pub value: R,
    /// Its derivative.
    pub slope: R,
}

impl<R: Real> Dual<R> {
    #[inline(always)]
    fn chain(self, value: R, outer: R) -> Self {
        Self { value, slope: self.slope * outer }
    }
}

impl<R: Real> Add for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl<R: Real> Sub for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, slope: self.slope - other.slope }
    }
}

impl<R: Real> Mul for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self { value: self.value * other.value, slope: self.slope * other.value + self.value * other.slope }
    }
}

impl<R: Real> Add<f64> for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: f64) -> Self {
        Self { value: self.value + other, slope: self.slope }
    }
}

impl<R: Real> Mul<f64> for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: f64) -> Self {
        Self { value: self.value * other, slope: self.slope * other }
    }
}

impl<R: Real> Neg for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self { value: -self.value, slope: -self.slope }
    }
}

impl<R: Real> Real for Dual<R> {
    #[inline(always)]
    fn abs(self) -> Self {
        self.chain(self.value.abs(), self.value.sign())
    }
    #[inline(always)]
    fn sign(self) -> Self {
        self.chain(self.value.sign(), self.value * 0.0)
    }
    #[inline(always)]
    fn step(self) -> Self {
        self.chain(self.value.step(), self.value * 0.0)
    }
    #[inline(always)]
    fn relu(self) -> Self {
        self.chain(self.value.relu(), self.value.step())
    }
    #[inline(always)]
    fn exp(self) -> Self {
        let e = self.value.exp();
        self.chain(e, e)
    }
    #[inline(always)]
    fn sin(self) -> Self {
        self.chain(self.value.sin(), self.value.cos())
    }
    #[inline(always)]
    fn cos(self) -> Self {
        self.chain(self.value.cos(), -self.value.sin())
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        let t = self.value.tanh();
        self.chain(t, -(t * t) + 1.0)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let s = self.value.sigmoid();
        self.chain(s, s * (-s + 1.0))
    }
    #[inline(always)]
    fn error_function(self) -> Self {
        let bell = (-(self.value * self.value)).exp();
        self.chain(erf_from(self.value.abs(), bell, self.value.sign()), bell * std::f64::consts::FRAC_2_SQRT_PI)
    }
    #[inline(always)]
    fn recip(self) -> Self {
        let r = self.value.recip();
        self.chain(r, -(r * r))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        let s = self.value.sqrt();
        self.chain(s, s.recip() * 0.5)
    }
}

/// Products and sums of a dual number with one that does not vary.
macro_rules! with_constants {
    ($($r:ty),*) => {$(
        impl Mul<$r> for Dual<$r> {
            type Output = Self;
            #[inline(always)]
            fn mul(self, other: $r) -> Self {
                Self { value: self.value * other, slope: self.slope * other }
            }
        }
        impl Add<$r> for Dual<$r> {
            type Output = Self;
            #[inline(always)]
            fn add(self, other: $r) -> Self {
                Self { value: self.value + other, slope: self.slope }
            }
        }
    )*};
}
with_constants!(super::Single);
