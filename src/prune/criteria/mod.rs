//! What a filter is worth: one file per criterion.

mod betti;
mod magnitude;
mod random;

pub use betti::{BettiDimension, BettiOptions, Scale};

use crate::data::Samples;
use crate::error::Result;
use crate::nn::{Compute, Net};
use crate::progress::Watch;
use serde::{Deserialize, Serialize};

/// A way to score filters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum Criterion {
    /// The Betti number of the cloud that the filter makes of the samples; the largest go first.
    Betti(BettiOptions),
    /// The sum of the filter's absolute weights (Li et al., arXiv 1608.08710); the smallest go first.
    L1,
    /// Chance: the control that every criterion has to beat.
    Random {
        /// Decides the scores.
        seed: u64,
    },
}

/// Scores of the filters of one convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerScores {
    /// Index of the convolution in the architecture.
    pub layer: usize,
    /// One score per filter.
    pub scores: Vec<f64>,
    /// The scale that Betti numbers were taken at, in the units of `spread`-normalised clouds unless it was given.
    pub scale: Option<f64>,
}

impl Criterion {
    /// The name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Criterion::Betti(_) => "betti",
            Criterion::L1 => "l1",
            Criterion::Random { .. } => "random",
        }
    }

    /// Whether a high score means that the filter goes.
    pub fn high_goes(&self) -> bool {
        matches!(self, Criterion::Betti(_))
    }

    /// Scores every filter of every convolution of a network.
    ///
    /// # Errors
    /// Whatever the engine or the device says.
    pub fn score(&self, net: &Net, samples: &Samples, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<LayerScores>> {
        match self {
            Criterion::Betti(options) => betti::score(net, samples, compute, options, watch),
            Criterion::L1 => magnitude::l1(net),
            Criterion::Random { seed } => Ok(random::score(net, *seed)),
        }
    }
}
