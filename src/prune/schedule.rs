//! Cutting in one step, in several with training between, or softly.

use super::rule::Rule;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the share that goes grows from step to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Curve {
    /// In equal steps.
    Linear,
    /// Large steps first: `1 - (1 - t)^3` (Zhu and Gupta, "To prune, or not to prune", arXiv
    /// 1710.01878).
    Cubic,
}

/// When filters go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// All at once.
    #[default]
    OneShot,
    /// In steps, each scored anew, with training between them.
    Iterative {
        /// How many.
        steps: usize,
        /// How the share grows.
        curve: Curve,
        /// Epochs of training after each step but the last.
        between: usize,
    },
    /// After every epoch the worst are scored anew and their weights set to zero; norms and biases
    /// stay, so that they can learn on with the others (where the activation lets a gradient
    /// through). What is zero at the end is cut, and its constant kept in what reads it (He et al.,
    /// "Soft filter pruning", arXiv 1808.06866; with the criterion fpgm the form of arXiv
    /// 1811.00250).
    Soft {
        /// How many.
        epochs: usize,
    },
}

impl Schedule {
    pub(super) fn check(self, rule: &Rule) -> Result<()> {
        match self {
            Schedule::OneShot => Ok(()),
            _ if matches!(rule, Rule::Latency { .. }) => {
                let message = "a target of latency is for one cut: with a schedule give one of MACs";
                Err(Error::setting(message, &["target macs", "schedule"]))
            }
            Schedule::Iterative { steps: 0, .. } | Schedule::Soft { epochs: 0 } => {
                Err(Error::input("a schedule needs at least one step or epoch"))
            }
            Schedule::Iterative { steps, .. } if steps > 1000 => Err(Error::input("a schedule has at most 1000 steps")),
            Schedule::Iterative { .. } if !matches!(rule, Rule::Ratio(_) | Rule::Target { .. }) => Err(Error::setting(
                "an iterative schedule needs a ratio, the share that is gone after the last step, or a target",
                &["ratio", "target"],
            )),
            _ => Ok(()),
        }
    }

    /// Shares of the final share after each step.
    pub(super) fn parts(self) -> Vec<f64> {
        let Schedule::Iterative { steps, curve, .. } = self else { return vec![1.0] };
        let part = |step: usize| {
            let t = step as f64 / steps as f64;
            match curve {
                Curve::Linear => t,
                Curve::Cubic => 1.0 - (1.0 - t).powi(3),
            }
        };
        (1..=steps).map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_grow_as_they_should() {
        let parts = |curve| Schedule::Iterative { steps: 4, curve, between: 1 }.parts();
        assert_eq!(parts(Curve::Linear), [0.25, 0.5, 0.75, 1.0]);
        assert_eq!(parts(Curve::Cubic), [0.578125, 0.875, 0.984375, 1.0]);
        assert_eq!(Schedule::OneShot.parts(), [1.0]);
        let none = Schedule::Soft { epochs: 0 };
        assert!(none.check(&Rule::Ratio(0.5)).is_err());
        let steps = Schedule::Iterative { steps: 2, curve: Curve::Linear, between: 0 };
        assert!(steps.check(&Rule::Above(3.0)).is_err());
    }
}
