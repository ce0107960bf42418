//! What a filter is worth: one file per criterion.

mod activity;
mod aim;
mod betti;
mod effect;
mod fpgm;
mod functionality;
mod holes;
mod inner;
mod magnitude;
mod norm_scale;
mod random;
mod readers;
mod reconstruction;
mod samples_barcode;
mod taps;
mod taylor;

pub use aim::Aim;
pub use betti::{BettiDimension, BettiOptions, Cloud, Reading, Scale};
pub use functionality::FunctionalityOptions;
pub use holes::count_holes;
pub use reconstruction::ReconstructionOptions;
pub(super) use reconstruction::{Read, eliminate};
pub use samples_barcode::SamplesOptions;

use super::scoring::{BATCH, LayerScores, SampleOptions, Scoring, maps_of};
use super::search::{EnergyOptions, FilterPoints, TopologicalOptions, energy, topological};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A way to score filters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Criterion {
    /// The Betti number of the cloud that the filter makes of the samples; the largest go first.
    Betti(BettiOptions),
    /// Holes of the filter's map, counted in the plane; the largest go first (TopologyHole).
    Holes(SampleOptions),
    /// The sum of the filter's absolute weights (Li et al., arXiv 1608.08710); the smallest go
    /// first.
    L1,
    /// The Euclidean norm of the filter's weights; the smallest go first.
    L2,
    /// Distance to the layer's other filters (He et al., arXiv 1811.00250); the smallest go first.
    Fpgm,
    /// The batch norm's scale (Liu et al., arXiv 1708.06519; Mehta et al., arXiv 1811.12495); the
    /// smallest go first.
    BnScale,
    /// The share of zeros behind the activation (Hu et al., arXiv 1607.03250); the largest go
    /// first.
    Apoz(SampleOptions),
    /// The mean absolute activation (Molchanov et al., arXiv 1611.06440); the smallest go first.
    MeanActivation(SampleOptions),
    /// How many samples a filter fires for, and how strongly (Mehta et al., arXiv 1811.12495); the
    /// most selective go first.
    Selectivity(SampleOptions),
    /// The first-order change of the loss without the filter (Molchanov et al., arXiv 1611.06440);
    /// the smallest go first.
    Taylor(SampleOptions),
    /// The variance of what the filter adds to the logits, to first order and without labels; the
    /// smallest go first.
    Effect(SampleOptions),
    /// Greedy elimination: the filter goes whose loss, once the others are refitted, changes the
    /// samples' barcode least.
    Barcode(ReconstructionOptions),
    /// Greedy elimination: the filter goes without which the samples' barcode in the layer's space
    /// stays nearest to what it was.
    SamplesBarcode(SamplesOptions),
    /// What the filter responds to and contributes (Qin et al., arXiv 1810.07322); of filters that
    /// do the same the least contributing go first.
    Functionality(FunctionalityOptions),
    /// A genetic search for the filters whose barcode is that of all (the Topological Pruner).
    Topological(TopologicalOptions),
    /// A differential evolution for the filters with the lowest energy (Salehinejad and Valaee,
    /// arXiv 2102.13188).
    Energy(EnergyOptions),
    /// Chance: the control that every criterion has to beat.
    Random {
        /// Decides the scores.
        seed: u64,
    },
}

impl Criterion {
    /// The name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Criterion::Betti(_) => "betti",
            Criterion::Holes(_) => "holes",
            Criterion::L1 => "l1",
            Criterion::L2 => "l2",
            Criterion::Fpgm => "fpgm",
            Criterion::BnScale => "bn-scale",
            Criterion::Apoz(_) => "apoz",
            Criterion::MeanActivation(_) => "mean-activation",
            Criterion::Selectivity(_) => "selectivity",
            Criterion::Taylor(_) => "taylor",
            Criterion::Effect(_) => "effect",
            Criterion::Barcode(_) => "barcode",
            Criterion::SamplesBarcode(options) if options.dimension == 1 => "samples-h1",
            Criterion::SamplesBarcode(_) => "samples-h0",
            Criterion::Functionality(_) => "functionality",
            Criterion::Topological(_) => "topological",
            Criterion::Energy(_) => "energy",
            Criterion::Random { .. } => "random",
        }
    }

    /// Names of all criteria.
    pub const NAMES: [&'static str; 18] = [
        "betti",
        "holes",
        "l1",
        "l2",
        "fpgm",
        "bn-scale",
        "apoz",
        "mean-activation",
        "selectivity",
        "taylor",
        "effect",
        "barcode",
        "samples-h0",
        "samples-h1",
        "functionality",
        "topological",
        "energy",
        "random",
    ];

    /// The criterion of a name, with the usual options and `samples` samples, its chance decided by
    /// `seed`.
    ///
    /// # Errors
    /// [`Error::Input`] with the names that there are.
    pub fn named(name: &str, samples: usize, seed: u64) -> Result<Self> {
        let some = SampleOptions { samples, seed };
        Ok(match name {
            "betti" => Criterion::Betti(BettiOptions { samples, seed, ..BettiOptions::default() }),
            "holes" => Criterion::Holes(some),
            "l1" => Criterion::L1,
            "l2" => Criterion::L2,
            "fpgm" => Criterion::Fpgm,
            "bn-scale" => Criterion::BnScale,
            "apoz" => Criterion::Apoz(some),
            "mean-activation" => Criterion::MeanActivation(some),
            "selectivity" => Criterion::Selectivity(some),
            "taylor" => Criterion::Taylor(some),
            "effect" => Criterion::Effect(some),
            "barcode" => Criterion::Barcode(ReconstructionOptions { samples, seed, ..ReconstructionOptions::default() }),
            "samples-h0" | "samples-h1" => {
                let most = SamplesOptions::default().samples;
                let dimension = usize::from(name == "samples-h1");
                Criterion::SamplesBarcode(SamplesOptions { samples: samples.min(most), dimension, seed })
            }
            "functionality" => {
                Criterion::Functionality(FunctionalityOptions { samples, seed, ..FunctionalityOptions::default() })
            }
            "topological" => Criterion::Topological(TopologicalOptions { seed, ..TopologicalOptions::default() }),
            "energy" => Criterion::Energy(EnergyOptions { seed, ..EnergyOptions::default() }),
            "random" => Criterion::Random { seed },
            _ => return Err(Error::unknown("criterion", name, &Self::NAMES)),
        })
    }

    /// Whether so many training samples are enough.
    ///
    /// # Errors
    /// [`Error::Input`] if not.
    pub fn check_samples(&self, most: usize) -> Result<()> {
        let wanted = match self {
            Criterion::Betti(BettiOptions { samples, .. })
            | Criterion::Holes(SampleOptions { samples, .. })
            | Criterion::Apoz(SampleOptions { samples, .. })
            | Criterion::MeanActivation(SampleOptions { samples, .. })
            | Criterion::Selectivity(SampleOptions { samples, .. })
            | Criterion::Taylor(SampleOptions { samples, .. })
            | Criterion::Effect(SampleOptions { samples, .. })
            | Criterion::Barcode(ReconstructionOptions { samples, .. })
            | Criterion::SamplesBarcode(SamplesOptions { samples, .. })
            | Criterion::Functionality(FunctionalityOptions { samples, .. }) => *samples,
            Criterion::Topological(TopologicalOptions { points, .. }) => match points {
                FilterPoints::Maps { samples } | FilterPoints::Refitted { samples } => *samples,
                FilterPoints::Weights | FilterPoints::Directions => return Ok(()),
            },
            _ => return Ok(()),
        };
        if wanted < 2 || wanted > most {
            return Err(Error::input(format!(
                "{} looks at {wanted} samples (--samples); between 2 and {most} can be had",
                self.name()
            )));
        }
        Ok(())
    }

    /// The same with another seed, where it has one.
    pub fn seeded(mut self, by: u64) -> Self {
        match &mut self {
            Criterion::Betti(BettiOptions { seed, .. })
            | Criterion::Holes(SampleOptions { seed, .. })
            | Criterion::Apoz(SampleOptions { seed, .. })
            | Criterion::MeanActivation(SampleOptions { seed, .. })
            | Criterion::Selectivity(SampleOptions { seed, .. })
            | Criterion::Taylor(SampleOptions { seed, .. })
            | Criterion::Effect(SampleOptions { seed, .. })
            | Criterion::Barcode(ReconstructionOptions { seed, .. })
            | Criterion::SamplesBarcode(SamplesOptions { seed, .. })
            | Criterion::Functionality(FunctionalityOptions { seed, .. })
            | Criterion::Topological(TopologicalOptions { seed, .. })
            | Criterion::Energy(EnergyOptions { seed, .. })
            | Criterion::Random { seed } => *seed = by,
            Criterion::L1 | Criterion::L2 | Criterion::Fpgm | Criterion::BnScale => {}
        }
        self
    }

    /// Whether a high score means that the filter goes.
    pub fn high_goes(&self) -> bool {
        matches!(self, Criterion::Betti(_) | Criterion::Holes(_) | Criterion::Apoz(_))
    }

    /// Whether chance has a part in the scores.
    pub fn is_seeded(&self) -> bool {
        !matches!(self, Criterion::L1 | Criterion::L2 | Criterion::Fpgm | Criterion::BnScale)
    }

    /// Scores every filter of every group.
    ///
    /// # Errors
    /// [`Error::Input`] for options that make no sense or a network that the criterion is not for;
    /// [`Error::Interrupted`]; whatever the engine or the device says.
    pub fn score(&self, scoring: &mut Scoring<'_>) -> Result<Vec<LayerScores>> {
        match self {
            Criterion::Betti(options) => betti::score(scoring, options),
            Criterion::Holes(options) => holes::score(scoring, *options),
            Criterion::L1 => magnitude::l1(scoring),
            Criterion::L2 => magnitude::l2(scoring),
            Criterion::Fpgm => fpgm::score(scoring),
            Criterion::BnScale => norm_scale::score(scoring),
            Criterion::Apoz(options) => activity::apoz(scoring, *options),
            Criterion::MeanActivation(options) => activity::mean(scoring, *options),
            Criterion::Selectivity(options) => activity::universality(scoring, *options),
            Criterion::Taylor(options) => taylor::score(scoring, *options),
            Criterion::Effect(options) => effect::score(scoring, *options),
            Criterion::Barcode(options) => reconstruction::score(scoring, options),
            Criterion::SamplesBarcode(options) => samples_barcode::score(scoring, options),
            Criterion::Functionality(options) => functionality::score(scoring, options),
            Criterion::Topological(options) => topological(scoring, options),
            Criterion::Energy(options) => energy(scoring, options),
            Criterion::Random { seed } => Ok(random::score(scoring, *seed)),
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::data::Samples;
    use crate::nn::{Compute, Net};
    use crate::progress::Unwatched;

    /// Scores by a criterion, half of each group to stay.
    pub fn scores(criterion: &Criterion, net: &Net, samples: &Samples, compute: &Compute) -> Result<Vec<LayerScores>> {
        criterion.score(&mut Scoring::new(net, samples, compute, &mut Unwatched)?)
    }

    /// Samples of 8 x 8 waves in three classes.
    pub fn waves(n: usize) -> Samples {
        let numbers = (0..n * 64).map(|i| ((i * i % 977) as f32 * 0.013).sin()).collect();
        let mut s = Samples::vectors(64, numbers, (0..n).map(|i| (i % 3) as u8).collect()).unwrap();
        s.shape = vec![1, 8, 8];
        s
    }
}
