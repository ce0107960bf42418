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
mod table;
mod taps;
mod taylor;

pub use aim::Aim;
pub use betti::{BettiDimension, BettiOptions, Cloud, Reading, Scale};
pub use functionality::FunctionalityOptions;
pub use holes::count_holes;
pub use reconstruction::ReconstructionOptions;
pub(super) use reconstruction::{Read, eliminate};
pub use samples_barcode::SamplesOptions;
pub use table::{CRITERIA, CriterionRecord};

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

    /// What is known of it.
    pub fn record(&self) -> &'static CriterionRecord {
        #[allow(clippy::expect_used, reason = "a test goes through all criteria")]
        CriterionRecord::of(self.name()).expect("every criterion has a record")
    }

    /// The criterion of a name, with the usual options and `samples` samples, its chance decided by
    /// `seed`.
    ///
    /// # Errors
    /// [`Error::Input`] with the names that there are.
    pub fn named(name: &str, samples: usize, seed: u64) -> Result<Self> {
        let record = CriterionRecord::of(name).ok_or_else(|| Error::unknown("criterion", name, &CRITERIA.map(|r| r.name)))?;
        Ok((record.make)(samples, seed))
    }

    /// Where its numbers of samples and its seed stand, if it has them.
    fn chosen(&mut self) -> (Option<&mut usize>, Option<&mut u64>) {
        match self {
            Criterion::L1 | Criterion::L2 | Criterion::Fpgm | Criterion::BnScale => (None, None),
            Criterion::Holes(o)
            | Criterion::Apoz(o)
            | Criterion::MeanActivation(o)
            | Criterion::Selectivity(o)
            | Criterion::Taylor(o)
            | Criterion::Effect(o) => (Some(&mut o.samples), Some(&mut o.seed)),
            Criterion::Betti(o) => (Some(&mut o.samples), Some(&mut o.seed)),
            Criterion::Barcode(o) => (Some(&mut o.samples), Some(&mut o.seed)),
            Criterion::SamplesBarcode(o) => (Some(&mut o.samples), Some(&mut o.seed)),
            Criterion::Functionality(o) => (Some(&mut o.samples), Some(&mut o.seed)),
            Criterion::Topological(o) => {
                let samples = match &mut o.points {
                    FilterPoints::Maps { samples } | FilterPoints::Refitted { samples } => Some(samples),
                    FilterPoints::Weights | FilterPoints::Directions => None,
                };
                (samples, Some(&mut o.seed))
            }
            Criterion::Energy(o) => (None, Some(&mut o.seed)),
            Criterion::Random { seed } => (None, Some(seed)),
        }
    }

    /// How many training samples it looks at, if it looks at any.
    pub fn samples(&self) -> Option<usize> {
        self.clone().chosen().0.map(|samples| *samples)
    }

    /// Whether so many training samples are enough.
    ///
    /// # Errors
    /// [`Error::Input`] if not.
    pub fn check_samples(&self, most: usize) -> Result<()> {
        match self.samples() {
            Some(wanted) if wanted < 2 || wanted > most => {
                let message = format!("{} looks at {wanted} samples; between 2 and {most} can be had", self.name());
                Err(Error::setting(message, &["samples"]))
            }
            _ => Ok(()),
        }
    }

    /// The same with another seed, where it has one.
    pub fn seeded(mut self, by: u64) -> Self {
        if let (_, Some(seed)) = self.chosen() {
            *seed = by;
        }
        self
    }

    /// Whether a high score means that the filter goes.
    pub fn high_goes(&self) -> bool {
        self.record().high_goes
    }

    /// Whether chance has a part in the scores.
    pub fn is_seeded(&self) -> bool {
        self.clone().chosen().1.is_some()
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
