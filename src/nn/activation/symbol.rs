//! Activation functions as expressions to be written down, for formats that compute elsewhere.

use std::ops::{Add, Mul, Neg, Sub};
use std::rc::Rc;

/// An expression in one argument. The operations have the names that ONNX gives them.
#[derive(Clone, Debug)]
pub enum Symbol {
    /// The argument.
    Argument,
    /// A number.
    Number(f64),
    /// An operation on one or two expressions.
    Of(&'static str, Rc<Vec<Symbol>>),
}

impl Symbol {
    fn one(self, name: &'static str, plain: fn(f64) -> f64) -> Self {
        match self {
            Symbol::Number(x) => Symbol::Number(plain(x)),
            other => Symbol::Of(name, Rc::new(vec![other])),
        }
    }

    fn two(self, name: &'static str, other: Self, plain: fn(f64, f64) -> f64) -> Self {
        match (&self, &other, name) {
            (Symbol::Number(a), Symbol::Number(b), _) => Symbol::Number(plain(*a, *b)),
            (Symbol::Number(1.0), _, "Mul") | (Symbol::Number(0.0), _, "Add") => other,
            (_, Symbol::Number(1.0), "Mul") | (_, Symbol::Number(0.0), "Add" | "Sub") => self,
            _ => Symbol::Of(name, Rc::new(vec![self, other])),
        }
    }

    /// `|x|`
    pub fn abs(self) -> Self {
        self.one("Abs", f64::abs)
    }
    /// -1, 0 or 1
    pub fn sign(self) -> Self {
        self.one("Sign", super::Real::sign)
    }
    /// `max(0, x)`
    pub fn relu(self) -> Self {
        self.one("Relu", |x| x.max(0.0))
    }
    /// `e^x`
    pub fn exp(self) -> Self {
        self.one("Exp", f64::exp)
    }
    /// Sine
    pub fn sin(self) -> Self {
        self.one("Sin", f64::sin)
    }
    /// Cosine
    pub fn cos(self) -> Self {
        self.one("Cos", f64::cos)
    }
    /// Hyperbolic tangent
    pub fn tanh(self) -> Self {
        self.one("Tanh", f64::tanh)
    }
    /// `1 / (1 + e^-x)`
    pub fn sigmoid(self) -> Self {
        self.one("Sigmoid", super::Real::sigmoid)
    }
    /// The error function
    pub fn error_function(self) -> Self {
        self.one("Erf", super::Real::error_function)
    }
    /// `1 / x`
    pub fn recip(self) -> Self {
        self.one("Reciprocal", f64::recip)
    }
    /// Square root
    pub fn sqrt(self) -> Self {
        self.one("Sqrt", f64::sqrt)
    }
}

impl Add for Symbol {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.two("Add", other, |a, b| a + b)
    }
}

impl Sub for Symbol {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.two("Sub", other, |a, b| a - b)
    }
}

impl Mul for Symbol {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.two("Mul", other, |a, b| a * b)
    }
}

impl Add<f64> for Symbol {
    type Output = Self;
    fn add(self, other: f64) -> Self {
        self + Symbol::Number(other)
    }
}

impl Mul<f64> for Symbol {
    type Output = Self;
    fn mul(self, other: f64) -> Self {
        self * Symbol::Number(other)
    }
}

impl Neg for Symbol {
    type Output = Self;
    fn neg(self) -> Self {
        self.one("Neg", |x| -x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::activation::Real;
    use crate::nn::{ACTIVATIONS, Activation};

    fn value(of: &Symbol, x: f64) -> f64 {
        match of {
            Symbol::Argument => x,
            Symbol::Number(n) => *n,
            Symbol::Of(name, parts) => {
                let p: Vec<f64> = parts.iter().map(|s| value(s, x)).collect();
                match *name {
                    "Abs" => p[0].abs(),
                    "Sign" => Real::sign(p[0]),
                    "Relu" => p[0].max(0.0),
                    "Exp" => p[0].exp(),
                    "Sin" => p[0].sin(),
                    "Cos" => p[0].cos(),
                    "Tanh" => p[0].tanh(),
                    "Sigmoid" => Real::sigmoid(p[0]),
                    "Erf" => Real::error_function(p[0]),
                    "Reciprocal" => 1.0 / p[0],
                    "Sqrt" => p[0].sqrt(),
                    "Add" => p[0] + p[1],
                    "Sub" => p[0] - p[1],
                    "Mul" => p[0] * p[1],
                    "Neg" => -p[0],
                    other => panic!("{other}"),
                }
            }
        }
    }

    #[test]
    fn expressions_are_the_functions() {
        for entry in ACTIVATIONS {
            let activation = Activation::parse(entry.name).unwrap();
            let symbol = activation.symbol(None);
            for i in -40..=40 {
                let x = f64::from(i) * 0.11;
                let (got, want) = (value(&symbol, x), activation.value(x));
                assert!((got - want).abs() < 1e-9, "{} at {x}: {got} {want}", entry.name);
            }
        }
        assert!(matches!(Activation::parse("relu").unwrap().symbol(None), Symbol::Of("Relu", _)));
    }
}
