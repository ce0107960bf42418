//! What a filter is worth: one file per criterion.

mod activity;
mod betti;
mod fpgm;
mod functionality;
mod holes;
mod magnitude;
mod norm_scale;
mod random;
mod taps;
mod taylor;

pub use betti::{BettiDimension, BettiOptions, Cloud, Scale};
pub use functionality::FunctionalityOptions;
pub use holes::count_holes;

pub(super) use activity::means_of_maps;
pub(super) use fpgm::distances;
pub(super) use taps::weights;

use super::search::{EnergyOptions, TopologicalOptions, energy, topological};
use crate::data::Samples;
use crate::error::{Error, Result};
use crate::nn::{Compute, Flow, Group, Net};
use crate::progress::Watch;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Samples that a criterion looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleOptions {
    /// How many.
    pub samples: usize,
    /// Decides which.
    pub seed: u64,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self { samples: 512, seed: 0 }
    }
}

/// A way to score filters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Criterion {
    /// The Betti number of the cloud that the filter makes of the samples; the largest go first.
    Betti(BettiOptions),
    /// Holes of the filter's map, counted in the plane; the largest go first (TopologyHole).
    Holes(SampleOptions),
    /// The sum of the filter's absolute weights (Li et al., arXiv 1608.08710); the smallest go first.
    L1,
    /// The Euclidean norm of the filter's weights; the smallest go first.
    L2,
    /// Distance to the layer's other filters (He et al., arXiv 1811.00250); the smallest go first.
    Fpgm,
    /// The batch norm's scale (Liu et al., arXiv 1708.06519; Mehta et al., arXiv 1811.12495); the smallest go first.
    BnScale,
    /// The share of zeros behind the activation (Hu et al., arXiv 1607.03250); the largest go first.
    Apoz(SampleOptions),
    /// The mean absolute activation (Molchanov et al., arXiv 1611.06440); the smallest go first.
    MeanActivation(SampleOptions),
    /// How many samples a filter fires for, and how strongly (Mehta et al., arXiv 1811.12495); the most selective go first.
    Selectivity(SampleOptions),
    /// The first-order change of the loss without the filter (Molchanov et al., arXiv 1611.06440); the smallest go first.
    Taylor(SampleOptions),
    /// What the filter responds to and contributes (Qin et al., arXiv 1810.07322); of filters that do the same the least contributing go first.
    Functionality(FunctionalityOptions),
    /// A genetic search for the filters whose barcode is that of all (the Topological Pruner).
    Topological(TopologicalOptions),
    /// A differential evolution for the filters with the lowest energy (Salehinejad and Valaee, arXiv 2102.13188).
    Energy(EnergyOptions),
    /// Chance: the control that every criterion has to beat.
    Random {
        /// Decides the scores.
        seed: u64,
    },
}

/// Scores of the filters of one group, which its first convolution names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerScores {
    /// Index of the convolution in the architecture.
    pub layer: usize,
    /// One score per filter.
    pub scores: Vec<f64>,
    /// The scale that Betti numbers were taken at, in the units of `spread`-normalised clouds unless it was given.
    pub scale: Option<f64>,
}

/// What criteria work with.
#[allow(missing_debug_implementations, reason = "the watch has none")]
pub struct Scoring<'a> {
    /// The trained network.
    pub net: &'a Net,
    /// Its training samples.
    pub samples: &'a Samples,
    /// Where it runs.
    pub compute: &'a Compute,
    /// Its groups.
    pub groups: Vec<Group>,
    /// For searches that are to find so many: filters to keep of each group.
    pub stays: Vec<usize>,
    /// Sees how far it is.
    pub watch: &'a mut dyn Watch,
}

impl<'a> Scoring<'a> {
    /// For all groups of a network; searches are to keep half of each.
    ///
    /// # Errors
    /// As [`crate::nn::Arch::groups`].
    pub fn new(net: &'a Net, samples: &'a Samples, compute: &'a Compute, watch: &'a mut dyn Watch) -> Result<Self> {
        let groups = net.arch.groups()?;
        let stays = groups.iter().map(|g| g.filters.div_ceil(2)).collect();
        Ok(Self { net, samples, compute, groups, stays, watch })
    }
}

/// Samples of one pass.
const BATCH: usize = 128;

impl Scoring<'_> {
    /// Indices of the samples to look at.
    pub(super) fn chosen(&self, options: SampleOptions) -> Result<Vec<usize>> {
        let most = self.samples.len();
        if options.samples < 2 || options.samples > most {
            return Err(Error::input(format!("{} samples were asked for; between 2 and {most} can be had", options.samples)));
        }
        let mut which = self.samples.shuffled(options.seed);
        which.truncate(options.samples);
        Ok(which)
    }

    /// Rows of samples on the device.
    pub(super) fn rows(&self, which: &[usize]) -> Tensor<2> {
        let data = TensorData::new(self.samples.gather(which), [which.len(), self.samples.width()]);
        Tensor::from_data(data, &self.compute.device)
    }

    fn go_on(&self) -> Result<()> {
        if self.watch.stopped() { Err(Error::Interrupted("stopped while scoring filters".into())) } else { Ok(()) }
    }

    /// Where filters are seen, group after group: layer and number of filters.
    pub(super) fn places(&self) -> Vec<(usize, usize)> {
        self.groups.iter().flat_map(|g| g.seen.iter().map(|&at| (at, g.filters))).collect()
    }

    /// The scores of every group as means over its places, from those of [`Scoring::places`].
    pub(super) fn over_places(&self, of_places: Vec<Vec<f64>>) -> Result<Vec<LayerScores>> {
        let mut next = of_places.into_iter();
        self.by_group(|group| {
            let mut means = vec![0.0; group.filters];
            for scores in next.by_ref().take(group.seen.len()) {
                means.iter_mut().zip(scores).for_each(|(m, x)| *m += x / group.seen.len() as f64);
            }
            Ok(means)
        })
    }

    /// One score per filter of every group, from a function of the group.
    pub(super) fn by_group(&self, mut score: impl FnMut(&Group) -> Result<Vec<f64>>) -> Result<Vec<LayerScores>> {
        self.groups.iter().map(|g| Ok(LayerScores { layer: g.leader(), scores: score(g)?, scale: None })).collect()
    }
}

/// What comes out of a layer as maps of `filters` channels, also behind a flattening.
pub(super) fn maps_of(flow: Flow, filters: usize) -> Tensor<4> {
    match flow {
        Flow::Maps(x) => x,
        Flow::Flat(x) => {
            let [batch, numbers] = x.dims();
            x.reshape([batch, filters, numbers / filters, 1])
        }
    }
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
            Criterion::Functionality(_) => "functionality",
            Criterion::Topological(_) => "topological",
            Criterion::Energy(_) => "energy",
            Criterion::Random { .. } => "random",
        }
    }

    /// Names of all criteria.
    pub const NAMES: [&'static str; 14] = [
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
        "functionality",
        "topological",
        "energy",
        "random",
    ];

    /// The criterion of a name, with the usual options and `samples` samples, its chance decided by `seed`.
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
            "functionality" => {
                Criterion::Functionality(FunctionalityOptions { samples, seed, ..FunctionalityOptions::default() })
            }
            "topological" => Criterion::Topological(TopologicalOptions { seed, ..TopologicalOptions::default() }),
            "energy" => Criterion::Energy(EnergyOptions { seed, ..EnergyOptions::default() }),
            "random" => Criterion::Random { seed },
            _ => {
                return Err(Error::input(format!("unknown criterion '{name}': use one of {}", Self::NAMES.join(", "))));
            }
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
            | Criterion::Functionality(FunctionalityOptions { samples, .. }) => *samples,
            Criterion::Topological(TopologicalOptions { points: super::search::FilterPoints::Maps { samples }, .. }) => *samples,
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
    /// [`Error::Input`] for options that make no sense or a network that the criterion is not for; [`Error::Interrupted`]; whatever
    /// the engine or the device says.
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
