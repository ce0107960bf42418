//! The Betti number of what a filter makes of the data.
//!
//! Kochar, Vengalil and Sinha ("Using topological framework for the design of activation function and model pruning in deep
//! neural networks", arXiv 2109.01572) drop every filter whose output space has a Betti number above 300. Their abstract
//! fixes no more than that; this is our reading. `M` samples go through the network; a filter's map after its activation,
//! flattened, is a point of `R^(H W)` for each of them, so a filter is a cloud of `M` points. Its score is the number of
//! components, of loops, or both, of that cloud's Vietoris-Rips complex at a scale. All filters of a layer are one batch for the
//! engine, read where the activations lie.
//!
//! # The scale
//! Given, it is a distance between activations. Otherwise it is chosen per layer so that the threshold means the same for
//! every layer and every magnitude of weights: each cloud is measured in units of its own spread (the root mean square
//! distance of its points to their mean, so that a filter is not judged by the size of its weights), and the scale is the
//! median over the layer's filters of the median length at which a cloud's components merge. At that scale a typical filter
//! leaves half of its samples apart: about `M / 2` components. A filter that has clearly more scatters the samples.
//! Within 1 % of that median the scale is put into the middle of the widest gap between the ends of any bars of the layer, so
//! that the last digits of the activations, in which devices differ, decide nothing.
//!
//! A filter that gives every sample the same map (a dead one) is a single point: its Betti number is 1 and it stays, by the letter of
//! the rule.

use super::LayerScores;
use crate::data::Samples;
use crate::error::{Error, Result};
use crate::nn::{Compute, Flow, Net, bridge};
use crate::progress::Watch;
use crate::topology::{Barcode, Batch, CloudView, Options};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Which Betti number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BettiDimension {
    /// Components.
    Zero,
    /// Loops.
    One,
    /// Both together.
    Sum,
}

/// At which scale it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// A distance between activations, the same for all layers.
    Given(f32),
    /// Chosen per layer: see the module's text.
    LayerMedian,
}

/// How filters are turned into Betti numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BettiOptions {
    /// Samples, that is points of each cloud.
    pub samples: usize,
    /// Which Betti number.
    pub dimension: BettiDimension,
    /// At which scale.
    pub scale: Scale,
    /// Decides which samples.
    pub seed: u64,
}

impl Default for BettiOptions {
    fn default() -> Self {
        Self { samples: 512, dimension: BettiDimension::Sum, scale: Scale::LayerMedian, seed: 0 }
    }
}

/// Betti numbers of every filter of every convolution.
pub(super) fn score(
    net: &Net,
    samples: &Samples,
    compute: &Compute,
    options: &BettiOptions,
    watch: &mut dyn Watch,
) -> Result<Vec<LayerScores>> {
    if options.samples < 2 || options.samples > samples.len() {
        return Err(Error::input(format!(
            "{} samples were asked for; between 2 and {} can be had",
            options.samples,
            samples.len()
        )));
    }
    let mut which = samples.shuffled(options.seed);
    which.truncate(options.samples);
    let data = TensorData::new(samples.gather(&which), [which.len(), samples.width()]);
    let x = Tensor::<2>::from_data(data, &compute.device);
    let layers = net.arch.prunable();
    let mut found = Vec::new();
    for (done, &(layer, seen)) in layers.iter().enumerate() {
        let Some(Flow::Maps(maps)) = net.after_layer(x.clone(), seen) else {
            return Err(Error::Internal(format!("layer {seen} does not give maps")));
        };
        let max_dim = usize::from(options.dimension != BettiDimension::Zero);
        let wanted = Options { max_dim, ..Options::default() };
        found.push(match options.scale {
            // No bars are needed where the scale is known.
            Scale::Given(scale) => {
                let numbers = of_channels(maps, compute, watch, |b| compute.engine.betti_numbers_of(b, scale, &wanted))?;
                let score = |n: &Vec<usize>| options.dimension.of(|dim| n[dim]);
                LayerScores { layer, scores: numbers.iter().map(score).collect(), scale: Some(f64::from(scale)) }
            }
            Scale::LayerMedian => {
                let spreads = spreads(maps.clone())?;
                let barcodes = of_channels(maps, compute, watch, |b| compute.engine.barcodes_of(b, &wanted))?;
                of_layer(layer, &barcodes, &spreads, options.dimension)?
            }
        });
        watch.at("scoring filters", done as u64 + 1, layers.len() as u64);
    }
    Ok(found)
}

/// Entries of the clouds' tables of distances that are worked on between two looks at the watch.
const ENTRIES_AT_ONCE: usize = 1 << 27;

/// What `find` gives for every channel's cloud: one call where the layer is not enormous.
fn of_channels<T>(
    maps: Tensor<4>,
    compute: &Compute,
    watch: &mut dyn Watch,
    find: impl Fn(Batch<'_>) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    let [samples, channels, height, width] = maps.dims();
    let views = CloudView::of_channels(samples, channels, height * width);
    let memory = if bridge::is_wgpu(&compute.device) {
        Memory::Device(Box::new(bridge::buffer_of(maps)?))
    } else {
        Memory::Host(bridge::read(maps)?)
    };
    let mut found = Vec::with_capacity(channels);
    for some in views.chunks((ENTRIES_AT_ONCE / (samples * samples)).max(1)) {
        if watch.stopped() {
            return Err(Error::Interrupted("stopped while scoring filters".into()));
        }
        found.extend(find(match &memory {
            Memory::Device(buffer) => Batch::Device(buffer.numbers(), some),
            Memory::Host(numbers) => Batch::Host(numbers, some),
        })?);
        watch.at("scoring filters of a layer", found.len() as u64, channels as u64);
    }
    Ok(found)
}

/// Where a layer's activations lie.
enum Memory {
    Device(Box<bridge::TensorBuffer>),
    Host(Vec<f32>),
}

/// Root mean square distance of each channel's points to their mean.
fn spreads(maps: Tensor<4>) -> Result<Vec<f64>> {
    let [samples, channels, height, width] = maps.dims();
    let flat = maps.reshape([samples, channels * height * width]);
    let centred = flat.clone() - flat.mean_dim(0);
    let squares = centred.powi_scalar(2).mean_dim(0).reshape([channels, height * width]).sum_dim(1);
    Ok(bridge::read(squares)?.into_iter().map(|s| f64::from(s).sqrt()).collect())
}

impl BettiDimension {
    /// The score, given the Betti number of a dimension.
    fn of(self, betti: impl Fn(usize) -> usize) -> f64 {
        (match self {
            BettiDimension::Zero => betti(0),
            BettiDimension::One => betti(1),
            BettiDimension::Sum => betti(0) + betti(1),
        }) as f64
    }
}

/// Scores of a layer's filters from their barcodes, at a scale of the layer's own.
fn of_layer(layer: usize, barcodes: &[Barcode], spreads: &[f64], dimension: BettiDimension) -> Result<LayerScores> {
    let merges = |(b, spread): (&Barcode, &f64)| {
        // Points that coincide have merged from the start; their bars are not in the barcode.
        let finite = b.bars[0].iter().map(|bar| f64::from(bar.death)).filter(|d| d.is_finite());
        let mut deaths: Vec<f64> = finite.map(|d| d / spread).collect();
        deaths.resize(b.n.saturating_sub(1), 0.0);
        median(deaths)
    };
    let alive = || barcodes.iter().zip(spreads).filter(|(_, s)| **s > 0.0);
    let ends = alive().flat_map(|(b, spread)| {
        b.bars.iter().flatten().flat_map(|bar| [bar.birth, bar.death]).map(move |x| f64::from(x) / spread)
    });
    let scale = middle_of_gap(median(alive().map(merges).collect()), ends);
    if scale == 0.0 && spreads.iter().any(|&s| s > 0.0) {
        return Err(Error::input(format!(
            "at layer {layer} most filters give half of the samples or more the same map, so no scale can be chosen: give one with --scale"
        )));
    }
    let score = |(b, spread): (&Barcode, &f64)| dimension.of(|dim| b.betti(dim, (scale * spread) as f32));
    Ok(LayerScores { layer, scores: barcodes.iter().zip(spreads).map(score).collect(), scale: Some(scale) })
}

/// The middle of the widest gap between values within 1 % of `near`.
fn middle_of_gap(near: f64, values: impl Iterator<Item = f64>) -> f64 {
    let window = 0.99 * near..1.01 * near;
    let mut inside: Vec<f64> = values.filter(|v| window.contains(v)).collect();
    inside.extend([window.start, window.end]);
    inside.sort_by(f64::total_cmp);
    let widest = inside.windows(2).max_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0])));
    widest.map_or(near, |gap| 0.5 * (gap[0] + gap[1]))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Arch};
    use burn::tensor::Device;

    fn samples(n: usize) -> Samples {
        let numbers = (0..n * 64).map(|i| ((i * i % 977) as f32 * 0.013).sin()).collect();
        let mut s = Samples::vectors(64, numbers, vec![0; n]).unwrap();
        s.shape = vec![1, 8, 8];
        s
    }

    /// The batch over channels is what one gets from each filter's cloud by hand.
    #[test]
    fn scores_are_betti_numbers_of_single_clouds() {
        let compute = Compute::cpu();
        let arch = Arch::cnn([1, 8, 8], &[4], 5, 2, Activation::parse("relu").unwrap()).unwrap();
        let net = Net::new(&arch, 1, &Device::flex()).unwrap();
        let samples = samples(40);
        let options = BettiOptions { samples: 30, dimension: BettiDimension::Sum, scale: Scale::Given(2.0), seed: 5 };
        let got = score(&net, &samples, &compute, &options, &mut crate::progress::Unwatched).unwrap();
        let mut which = samples.shuffled(5);
        which.truncate(30);
        let x = Tensor::<2>::from_data(TensorData::new(samples.gather(&which), [30, 64]), &Device::flex());
        let Some(Flow::Maps(maps)) = net.after_layer(x, 2) else { panic!("no maps") };
        for filter in 0..4 {
            let points: Vec<f32> = maps.clone().slice_dim(1, filter..filter + 1).try_into_vec_as().unwrap();
            let cloud = crate::topology::PointCloud::new(30, 64, points).unwrap();
            let barcode = compute.engine.barcode(&cloud.into(), &Options::default()).unwrap();
            let want = barcode.betti(0, 2.0) + barcode.betti(1, 2.0);
            assert_eq!(got[0].scores[filter], want as f64);
        }
        assert!(got[0].scores.iter().any(|&s| s > 1.0));
    }

    #[test]
    fn the_chosen_scale_ignores_the_size_of_weights() {
        let compute = Compute::cpu();
        let arch = Arch::cnn([1, 8, 8], &[6], 5, 2, Activation::parse("relu").unwrap()).unwrap();
        let mut net = Net::new(&arch, 1, &Device::flex()).unwrap();
        let options = BettiOptions { samples: 40, dimension: BettiDimension::Zero, ..BettiOptions::default() };
        let score = |net: &Net| score(net, &samples(40), &compute, &options, &mut crate::progress::Unwatched).unwrap();
        let before = score(&net);
        net.norms[0].gamma = burn::module::Param::from_tensor(net.norms[0].gamma.val() * 8.0);
        assert_eq!(before[0].scores, score(&net)[0].scores);
        assert!((before[0].scale.unwrap() - score(&net)[0].scale.unwrap()).abs() < 1e-5);
    }
}
