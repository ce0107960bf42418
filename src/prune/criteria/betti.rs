//! The Betti number of what a filter makes of the data.
//!
//! Kochar, Vengalil and Sinha ("Using topological framework for the design of activation function
//! and model pruning in deep neural networks", arXiv 2109.01572) drop every filter whose output
//! space has a Betti number above 300. Their abstract fixes no more than that; this is our reading.
//! `M` samples go through the network; a filter's map after its activation, flattened, is a point
//! of `R^(H W)` for each of them, so a filter is a cloud of `M` points. Its score is the number of
//! components, of loops, or both, of that cloud's Vietoris-Rips complex at a scale. All filters of
//! a layer are one batch for the engine, read where the activations lie.
//!
//! # The scale
//! Given, it is a distance between activations. Otherwise it is chosen per layer so that the
//! threshold means the same for every layer and every magnitude of weights: each cloud is measured
//! in units of its own spread (the root mean square distance of its points to their mean, so that a
//! filter is not judged by the size of its weights), and the scale is the median over the layer's
//! filters of the median length at which a cloud's components merge. At that scale a typical filter
//! leaves half of its samples apart: about `M / 2` components. A filter that has clearly more
//! scatters the samples. Within 1 % of that median the scale is put into the middle of the widest
//! gap between the ends of any bars of the layer, so that the last digits of the activations, in
//! which devices differ, decide nothing.
//!
//! With `hops` the distance between two samples is the number of steps between them in the graph of
//! nearest neighbours, and the scale is 2: Naitzat's procedure, in which neither the size of
//! activations nor their density counts. A graph's pieces have `k` points at least, so the number
//! of components is at most `M / k`.
//!
//! Per class, each class of the samples is a cloud of its own, and the score is the mean over the
//! classes. Coupled filters are seen behind several activations; the score is the mean over these.
//!
//! A filter that gives every sample the same map (a dead one) is a single point: its Betti number
//! is 1 and it stays, by the letter of the rule.

use super::{LayerScores, SampleOptions, Scoring, maps_of};
use crate::error::{Error, Result};
use crate::nn::{ActivationClouds, Compute, Group, spreads};
use crate::progress::Watch;
use crate::topology::{Barcode, Cloud as Points, DistanceMatrix, Options};
use burn::tensor::Tensor;
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
    /// As that, with this quantile of the lengths at which components merge in place of their
    /// median, from 0 (the smallest scale, at which any two different maps are apart) to 1 (the
    /// largest, at which all have merged in a typical filter).
    Quantile(f64),
}

/// What a filter's points are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Its maps behind the activation.
    #[default]
    After,
    /// Its maps before the activation.
    Before,
    /// The maps of all other filters of its group together: the group's output without it.
    Others,
}

/// How far samples are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// The Euclidean distance of the maps.
    #[default]
    Euclidean,
    /// Steps in the graph that joins every sample with its `k` nearest (itself among them).
    Hops {
        /// Nearest neighbours.
        k: usize,
    },
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
    /// How far samples are apart.
    #[serde(default)]
    pub cloud: Cloud,
    /// Whether each class is a cloud of its own.
    #[serde(default)]
    pub per_class: bool,
    /// What a filter's points are.
    #[serde(default)]
    pub reading: Reading,
}

impl Default for BettiOptions {
    fn default() -> Self {
        Self {
            samples: 512,
            dimension: BettiDimension::Sum,
            scale: Scale::LayerMedian,
            seed: 0,
            cloud: Cloud::Euclidean,
            per_class: false,
            reading: Reading::After,
        }
    }
}

/// Betti numbers of every filter of every group. The samples pass through the network once; each
/// layer's clouds go to the engine as the pass comes to it.
pub(super) fn score(scoring: &mut Scoring<'_>, options: &BettiOptions) -> Result<Vec<LayerScores>> {
    if let Scale::Quantile(q) = options.scale
        && !(0.0..=1.0).contains(&q)
    {
        return Err(Error::input(format!("the quantile {q} of a scale must be from 0 to 1")));
    }
    let which = scoring.chosen(SampleOptions { samples: options.samples, seed: options.seed })?;
    if options.reading == Reading::Others {
        return others(scoring, options, &which);
    }
    let sets = if options.per_class { by_class(scoring, &which)? } else { vec![which] };
    if let Cloud::Hops { k } = options.cloud
        && (k < 2 || sets.iter().any(|s| k > s.len()))
    {
        let least = sets.iter().map(Vec::len).min().unwrap_or(0);
        return Err(Error::input(format!("{k} nearest neighbours: from 2 to the number of samples, {least}, are possible")));
    }
    // Group, place and class come in the order of the pass; sums are per group.
    let places_of = |group: &Group| match options.reading {
        Reading::Before if group.norms.is_empty() => group.convs.clone(),
        Reading::Before => group.norms.clone(),
        Reading::After | Reading::Others => group.seen.clone(),
    };
    let numbered = scoring.groups.iter().enumerate();
    let places: Vec<(usize, usize)> =
        numbered.flat_map(|(g, group)| places_of(group).into_iter().map(move |at| (at, g))).collect();
    let mut sums: Vec<Vec<f64>> = scoring.groups.iter().map(|g| vec![0.0; g.filters]).collect();
    let mut scales: Vec<Option<f64>> = vec![None; scoring.groups.len()];
    let (net, compute, groups) = (scoring.net, scoring.compute, &scoring.groups);
    let total = (sets.len() * places.len()) as u64;
    let mut done = 0;
    for set in &sets {
        let x = scoring.rows(set);
        let mut failure = None;
        net.forward_with(x, &mut |layer, flow| {
            for &(_, g) in places.iter().filter(|(at, _)| *at == layer) {
                let maps = maps_of(flow.clone(), groups[g].filters);
                match of_maps(maps, layer, compute, options, scoring.watch) {
                    Ok((scores, scale)) => {
                        let parts = (sets.len() * places_of(&groups[g]).len()) as f64;
                        sums[g].iter_mut().zip(scores).for_each(|(s, x)| *s += x / parts);
                        scales[g] = scale;
                    }
                    Err(e) => failure = Some(e),
                }
                done += 1;
                scoring.watch.at("scoring filters", done, total);
            }
            failure.is_none()
        });
        if let Some(e) = failure {
            return Err(e);
        }
    }
    let scored = groups.iter().zip(sums).zip(scales);
    Ok(scored.map(|((g, scores), scale)| LayerScores { scale, ..LayerScores::new(g.leader(), scores) }).collect())
}

/// The samples of each class, of those that were chosen.
fn by_class(scoring: &Scoring<'_>, which: &[usize]) -> Result<Vec<Vec<usize>>> {
    let labels = &scoring.samples.labels;
    let classes = usize::from(labels.iter().copied().max().unwrap_or(0)) + 1;
    let of = |class: usize| which.iter().copied().filter(|&i| usize::from(labels[i]) == class).collect::<Vec<_>>();
    let sets: Vec<Vec<usize>> = (0..classes).map(of).filter(|s| s.len() > 1).collect();
    if sets.is_empty() {
        return Err(Error::input("no class has two of the samples: take more"));
    }
    Ok(sets)
}

/// Scores of the filters whose maps these are, and the scale.
fn of_maps(
    maps: Tensor<4>,
    layer: usize,
    compute: &Compute,
    options: &BettiOptions,
    watch: &mut dyn Watch,
) -> Result<(Vec<f64>, Option<f64>)> {
    let max_dim = usize::from(options.dimension != BettiDimension::Zero);
    let wanted = Options::default().max_dim(max_dim);
    let score = |n: &Vec<usize>| options.dimension.of(|dim| n[dim]);
    if let Cloud::Hops { k } = options.cloud {
        let clouds = ActivationClouds::on_host(maps)?;
        let betti = compute.engine.betti_numbers(clouds.input(), 2.0, &wanted.hops(k), watch)?;
        return Ok((betti.iter().map(score).collect(), Some(2.0)));
    }
    match options.scale {
        // No bars are needed where the scale is known.
        Scale::Given(scale) => {
            let clouds = ActivationClouds::of_channels(maps)?;
            let betti = compute.engine.betti_numbers(clouds.input(), scale, &wanted, watch)?;
            Ok((betti.iter().map(score).collect(), Some(f64::from(scale))))
        }
        Scale::LayerMedian | Scale::Quantile(_) => {
            let quantile = if let Scale::Quantile(q) = options.scale { Some(q) } else { None };
            let spreads = spreads(maps.clone())?;
            let clouds = ActivationClouds::of_channels(maps)?;
            let mut barcodes = Vec::new();
            compute.engine.each(clouds.input(), &wanted, watch, &mut |_, barcode| barcodes.push(barcode))?;
            let scores = of_layer(layer, &barcodes, &spreads, options.dimension, quantile)?;
            Ok((scores.scores, scores.scale))
        }
    }
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
fn of_layer(
    layer: usize,
    barcodes: &[Barcode],
    spreads: &[f64],
    dimension: BettiDimension,
    quantile: Option<f64>,
) -> Result<LayerScores> {
    let merges = |(b, spread): (&Barcode, &f64)| {
        // Points that coincide have merged from the start; their bars are not in the barcode.
        let finite = b.bars[0].iter().map(|bar| f64::from(bar.death)).filter(|d| d.is_finite());
        let mut deaths: Vec<f64> = finite.map(|d| d / spread).collect();
        deaths.resize(b.n.saturating_sub(1), 0.0);
        quantile.map_or_else(|| median(deaths.clone()), |q| quantile_of(deaths.clone(), q))
    };
    let alive = || barcodes.iter().zip(spreads).filter(|(_, s)| **s > 0.0);
    let ends = alive().flat_map(|(b, spread)| {
        b.bars.iter().flatten().flat_map(|bar| [bar.birth, bar.death]).map(move |x| f64::from(x) / spread)
    });
    let scale = middle_of_gap(median(alive().map(merges).collect()), ends);
    if scale == 0.0 && quantile.is_none() && spreads.iter().any(|&s| s > 0.0) {
        let message = format!(
            "at layer {layer} most filters give half of the samples or more the same map, so no scale can be chosen: give one"
        );
        return Err(Error::setting(message, &["scale"]));
    }
    let score = |(b, spread): (&Barcode, &f64)| dimension.of(|dim| b.betti(dim, (scale * spread) as f32));
    Ok(LayerScores { scale: Some(scale), ..LayerScores::new(layer, barcodes.iter().zip(spreads).map(score).collect()) })
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

/// The value below which a share `q` of the values lies, from the least to the largest.
fn quantile_of(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (q * values.len().saturating_sub(1) as f64).round() as usize;
    values.get(at).copied().unwrap_or(0.0)
}

/// For every filter the Betti number of what its group gives without it, all maps one point for
/// each sample. The scale is a length at which components of the whole group's cloud merge.
fn others(scoring: &mut Scoring<'_>, options: &BettiOptions, which: &[usize]) -> Result<Vec<LayerScores>> {
    if options.cloud != Cloud::Euclidean || options.per_class {
        return Err(Error::input("the output of all other filters is read with Euclidean distances, of all classes together"));
    }
    let max_dim = usize::from(options.dimension != BettiDimension::Zero);
    let wanted = Options::default().max_dim(max_dim);
    let squares = super::samples_barcode::squares(scoring, which, false)?;
    let mut found = Vec::new();
    for (group, squares) in scoring.groups.iter().zip(squares) {
        let mut total = vec![0.0f64; squares.first().map_or(0, Vec::len)];
        squares.iter().for_each(|s| total.iter_mut().zip(s).for_each(|(t, &x)| *t += f64::from(x)));
        let matrix = |without: Option<&Vec<f32>>| -> Result<DistanceMatrix> {
            let root = |(i, &t): (usize, &f64)| (t - without.map_or(0.0, |w| f64::from(w[i]))).max(0.0).sqrt() as f32;
            DistanceMatrix::from_lower(which.len(), total.iter().enumerate().map(root).collect())
        };
        let engine = &scoring.compute.engine;
        let scale = match options.scale {
            Scale::Given(scale) => f64::from(scale),
            Scale::LayerMedian | Scale::Quantile(_) => {
                let whole = engine.barcode(matrix(None)?, &Options::default().max_dim(0))?;
                let mut deaths: Vec<f64> = whole.bars[0].iter().map(|b| f64::from(b.death)).filter(|d| d.is_finite()).collect();
                deaths.resize(which.len().saturating_sub(1), 0.0);
                quantile_of(deaths, if let Scale::Quantile(q) = options.scale { q } else { 0.5 })
            }
        };
        let clouds = squares.iter().map(|s| matrix(Some(s)).map(Points::from)).collect::<Result<Vec<_>>>()?;
        let barcodes = engine.barcodes(&clouds, &wanted)?;
        let scores = barcodes.iter().map(|b| options.dimension.of(|dim| b.betti(dim, scale as f32))).collect();
        found.push(LayerScores { scale: Some(scale), ..LayerScores::new(group.leader(), scores) });
    }
    Ok(found)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{scores, waves};
    use super::*;
    use crate::nn::{Activation, Arch, Flow, Net};
    use crate::prune::Criterion;
    use crate::topology::{PointCloud, knn_hops};
    use burn::tensor::{Device, TensorData};

    /// The batch over channels is what one gets from each filter's cloud by hand.
    #[test]
    fn scores_are_betti_numbers_of_single_clouds() {
        let compute = Compute::cpu();
        let arch = Arch::cnn([1, 8, 8], &[4], 5, 2, Activation::parse("relu").unwrap()).unwrap();
        let net = Net::new(&arch, 1, &Device::flex()).unwrap();
        let samples = waves(40);
        let options = BettiOptions { samples: 30, scale: Scale::Given(2.0), seed: 5, ..BettiOptions::default() };
        let got = scores(&Criterion::Betti(options), &net, &samples, &compute).unwrap();
        let mut which = samples.shuffled(5);
        which.truncate(30);
        let x = Tensor::<2>::from_data(TensorData::new(samples.gather(&which), [30, 64]), &Device::flex());
        let Some(Flow::Maps(maps)) = net.after_layer(x, 2) else { panic!("no maps") };
        for filter in 0..4 {
            let points: Vec<f32> = maps.clone().slice_dim(1, filter..filter + 1).try_into_vec_as().unwrap();
            let cloud = PointCloud::new(30, 64, points).unwrap();
            let barcode = compute.engine.barcode(cloud, &Options::default()).unwrap();
            let want = barcode.betti(0, 2.0) + barcode.betti(1, 2.0);
            assert_eq!(got[0].scores[filter], want as f64);
        }
        assert!(got[0].scores.iter().any(|&s| s > 1.0));
        // By hops, and per class, each class's cloud alone.
        let options = BettiOptions { samples: 40, cloud: Cloud::Hops { k: 5 }, per_class: true, ..options };
        let got = scores(&Criterion::Betti(options), &net, &samples, &compute).unwrap();
        let mut want = [0.0; 4];
        for class in 0..3 {
            let rows: Vec<usize> = samples.shuffled(5).into_iter().filter(|&i| samples.labels[i] == class).collect();
            let x = Tensor::<2>::from_data(TensorData::new(samples.gather(&rows), [rows.len(), 64]), &Device::flex());
            let Some(Flow::Maps(maps)) = net.after_layer(x, 2) else { panic!("no maps") };
            for (filter, want) in want.iter_mut().enumerate() {
                let points: Vec<f32> = maps.clone().slice_dim(1, filter..filter + 1).try_into_vec_as().unwrap();
                let graph = knn_hops(&PointCloud::new(rows.len(), 64, points).unwrap(), 5, Some(2)).unwrap();
                let barcode = compute.engine.barcode(graph, &Options::default()).unwrap();
                *want += (barcode.betti(0, 2.0) + barcode.betti(1, 2.0)) as f64 / 3.0;
            }
        }
        got[0].scores.iter().zip(want).for_each(|(g, w)| assert!((g - w).abs() < 1e-9, "{g} {w}"));
        // Before the activation; at the smallest scale all different maps are apart, at the largest
        // all have merged.
        let of = |reading, quantile| {
            let scale = Scale::Quantile(quantile);
            let options =
                BettiOptions { samples: 30, scale, seed: 5, reading, dimension: BettiDimension::Zero, ..BettiOptions::default() };
            scores(&Criterion::Betti(options), &net, &samples, &compute).unwrap().remove(0)
        };
        for reading in [Reading::After, Reading::Before, Reading::Others] {
            let (low, middle, high) = (of(reading, 0.0), of(reading, 0.5), of(reading, 1.0));
            let sum = |l: &LayerScores| l.scores.iter().sum::<f64>();
            assert!(sum(&low) > sum(&middle) && sum(&middle) > sum(&high) && sum(&high) < 12.0, "{reading:?}");
            assert!(low.scale < middle.scale && middle.scale < high.scale);
        }
        assert_ne!(of(Reading::Before, 0.5).scores, of(Reading::After, 0.5).scores);
        // The group's output without a filter, by hand.
        let (filter, got) = (2, of(Reading::Others, 0.5));
        let rest: Vec<f32> =
            Tensor::cat(vec![maps.clone().slice_dim(1, 0..2), maps.slice_dim(1, 3..4)], 1).try_into_vec_as().unwrap();
        let cloud = PointCloud::new(30, 192, rest).unwrap();
        let barcode = compute.engine.barcode(cloud, &Options::default()).unwrap();
        assert!((barcode.betti(0, got.scale.unwrap() as f32) as f64 - got.scores[filter]).abs() <= 1.0);
        let bad = BettiOptions { samples: 40, cloud: Cloud::Hops { k: 30 }, per_class: true, ..BettiOptions::default() };
        assert!(scores(&Criterion::Betti(bad), &net, &samples, &compute).unwrap_err().to_string().contains("are possible"));
    }

    #[test]
    fn the_chosen_scale_ignores_the_size_of_weights() {
        let compute = Compute::cpu();
        let arch = Arch::cnn([1, 8, 8], &[6], 5, 2, Activation::parse("relu").unwrap()).unwrap();
        let mut net = Net::new(&arch, 1, &Device::flex()).unwrap();
        let options = BettiOptions { samples: 40, dimension: BettiDimension::Zero, ..BettiOptions::default() };
        let score = |net: &Net| scores(&Criterion::Betti(options), net, &waves(40), &compute).unwrap();
        let before = score(&net);
        let norm = net.norms_mut().next().unwrap();
        norm.gamma = burn::module::Param::from_tensor(norm.gamma.val() * 8.0);
        assert_eq!(before[0].scores, score(&net)[0].scores);
        assert!((before[0].scale.unwrap() - score(&net)[0].scale.unwrap()).abs() < 1e-5);
    }
}
