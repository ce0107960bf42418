//! What criteria and searches work with, and what they give.

use crate::data::Samples;
use crate::error::{Error, Result};
use crate::nn::{Compute, Flow, Group, Net};
use crate::progress::Watch;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

/// Scores of the filters of one group, which its first convolution names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerScores {
    /// Index of the convolution in the architecture.
    pub layer: usize,
    /// One score per filter.
    pub scores: Vec<f64>,
    /// The scale that Betti numbers were taken at, in the units of `spread`-normalised clouds
    /// unless it was given.
    pub scale: Option<f64>,
    /// How far the barcode of the filters that a search chose is from that of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<f64>,
}

impl LayerScores {
    /// Scores alone.
    pub fn new(layer: usize, scores: Vec<f64>) -> Self {
        Self { layer, scores, scale: None, distance: None }
    }
}

/// Filters of one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRow {
    /// Scores of its filters before the (first) cut.
    #[serde(flatten)]
    pub scores: LayerScores,
    /// Filters that stayed.
    pub kept: Vec<usize>,
    /// Name of the convolution, or of the first of those that are coupled.
    #[serde(default)]
    pub name: String,
    /// Names of the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupled: Vec<String>,
}

impl LayerRow {
    /// Its name, with the number of convolutions that are coupled with it.
    pub fn title(&self) -> String {
        if self.coupled.is_empty() { self.name.clone() } else { format!("{} (+ {} coupled)", self.name, self.coupled.len()) }
    }
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
    /// What a reconstruction leaves here for the compensation: how much each output counts of the
    /// layers that read filters, by their indices.
    pub counts: BTreeMap<usize, Vec<f64>>,
}

impl<'a> Scoring<'a> {
    /// For all groups of a network; searches are to keep half of each.
    ///
    /// # Errors
    /// As [`crate::nn::Arch::groups`].
    pub fn new(net: &'a Net, samples: &'a Samples, compute: &'a Compute, watch: &'a mut dyn Watch) -> Result<Self> {
        let groups = net.arch.groups()?;
        let stays = groups.iter().map(|g| g.filters.div_ceil(2)).collect();
        Ok(Self { net, samples, compute, groups, stays, watch, counts: BTreeMap::new() })
    }
}

/// Samples of one pass.
pub(in crate::prune) const BATCH: usize = 128;

impl Scoring<'_> {
    /// Indices of the samples to look at.
    pub(in crate::prune) fn chosen(&self, options: SampleOptions) -> Result<Vec<usize>> {
        chosen_of(self.samples, options)
    }

    /// Rows of samples on the device.
    pub(in crate::prune) fn rows(&self, which: &[usize]) -> Tensor<2> {
        let data = TensorData::new(self.samples.gather(which), [which.len(), self.samples.width()]);
        Tensor::from_data(data, &self.compute.device)
    }

    pub(in crate::prune) fn go_on(&self) -> Result<()> {
        if self.watch.stopped() { Err(Error::Interrupted("stopped while scoring filters".into())) } else { Ok(()) }
    }

    /// Where filters are seen, group after group: layer and number of filters.
    pub(in crate::prune) fn places(&self) -> Vec<(usize, usize)> {
        self.groups.iter().flat_map(|g| g.seen.iter().map(|&at| (at, g.filters))).collect()
    }

    /// The scores of every group as means over its places, from those of [`Scoring::places`].
    pub(in crate::prune) fn over_places(&self, of_places: Vec<Vec<f64>>) -> Result<Vec<LayerScores>> {
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
    pub(in crate::prune) fn by_group(&self, mut score: impl FnMut(&Group) -> Result<Vec<f64>>) -> Result<Vec<LayerScores>> {
        self.groups.iter().map(|g| Ok(LayerScores::new(g.leader(), score(g)?))).collect()
    }
}

/// Indices of some samples, by chance.
pub(in crate::prune) fn chosen_of(samples: &Samples, options: SampleOptions) -> Result<Vec<usize>> {
    let most = samples.len();
    if options.samples < 2 || options.samples > most {
        return Err(Error::input(format!("{} samples were asked for; between 2 and {most} can be had", options.samples)));
    }
    let mut which = samples.shuffled(options.seed);
    which.truncate(options.samples);
    Ok(which)
}

/// What comes out of a layer as maps of `filters` channels, also behind a flattening.
pub(in crate::prune) fn maps_of(flow: Flow, filters: usize) -> Tensor<4> {
    match flow {
        Flow::Maps(x) => x,
        Flow::Flat(x) => {
            let [batch, numbers] = x.dims();
            x.reshape([batch, filters, numbers / filters, 1])
        }
    }
}
