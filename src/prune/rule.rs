//! Which filters go, and which never do.

use super::budget::{Budget, Shares};
use serde::{Deserialize, Serialize};

/// Which filters go, given their scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Those whose score is above this; for criteria whose high scores go.
    Above(f64),
    /// Those whose score is below this; for criteria whose low scores go.
    Below(f64),
    /// This share of each layer, the worst first.
    Ratio(f64),
    /// This share of all filters, the worst first: by their scores as they are for scales of norms
    /// (network slimming), shares of zeros, Taylor terms and effects, which mean the same in every
    /// layer; by their scores over the mean of their layer's for all others.
    Global(f64),
    /// As many as bring the network to this share of what it has of the budget.
    Target {
        /// What is counted.
        budget: Budget,
        /// The share that is left.
        share: f64,
        /// How it is shared among the layers.
        #[serde(default)]
        shares: Shares,
    },
    /// As few as bring the time of a batch of 64 samples on this machine and engine to so many
    /// milliseconds.
    Latency {
        /// Milliseconds.
        ms: f64,
        /// How what goes is shared among the layers.
        #[serde(default)]
        shares: Shares,
    },
}

impl Rule {
    /// Whether it takes the effects of the filters to know how many go from each layer.
    pub(super) fn needs_effects(&self) -> bool {
        matches!(self, Rule::Target { shares: Shares::Effect, .. } | Rule::Latency { shares: Shares::Effect, .. })
    }
}

/// Which filters never go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Layers that stay whole: names of convolutions, or their beginnings up to a dot.
    pub ignore: Vec<String>,
    /// Shares of layers by such names, in place of the rule's.
    pub ratios: Vec<(String, f64)>,
    /// Every layer keeps so many filters at least.
    pub minimum: usize,
    /// Whether groups that residual additions couple are cut.
    pub coupled: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ignore: Vec::new(), ratios: Vec::new(), minimum: 1, coupled: true }
    }
}
