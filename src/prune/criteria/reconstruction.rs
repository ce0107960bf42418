//! Filters that the others can replace, with the samples' barcode for a measure: greedy elimination
//! after refitting.
//!
//! For every filter of a group one asks what is lost when it goes and the readers' weights are
//! fitted anew to the others. By the inverse of the Gram matrix `G` of what a reader reads, that is
//! `tr(W_j' ((G^-1)_jj)^-1 W_j)` for the block `j` of a filter's inputs (Hassibi and Stork's
//! optimal brain surgeon, in blocks); the cheapest filter goes, the inverse and the weights are
//! brought up to date, and so on. Each output of a reader counts by the mean square of the
//! derivative of an [`Aim`] by it. With [`Aim::Components`] the filter goes whose loss, after the
//! refit, changes the samples' H0 barcode least; [`Aim::Logits`] is the same without topology, its
//! control. With [`Aim::Layers`] the barcode is that of each layer that reads the filters, and
//! [`Aim::Outputs`] is the control of that.

use super::aim::Aim;
use super::inner;
use super::readers::{places_of, reader_taps, readers_of};
use super::{LayerScores, SampleOptions, Scoring};
use crate::error::{Error, Result};
use crate::nn::bridge;
use crate::prune::compensate::weights_of;
use crate::prune::gram::Gram;
use crate::prune::patches::{Places, rows_read};
use burn::tensor::Tensor;
use faer::Mat;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How the reconstruction is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReconstructionOptions {
    /// What is to be kept of the samples' logits.
    pub aim: Aim,
    /// Samples.
    pub samples: usize,
    /// Places of each that a convolution's reader is looked at.
    pub places: usize,
    /// Decides samples and places.
    pub seed: u64,
    /// Whether, where the network is compensated, filters that one layer alone reads are chosen in
    /// the middle of that: by what the layer, fitted anew, loses of its target, given what the
    /// network before it gives by then.
    #[serde(default)]
    pub joint: bool,
}

impl Default for ReconstructionOptions {
    fn default() -> Self {
        Self { aim: Aim::Components, samples: 512, places: 32, seed: 0, joint: false }
    }
}

/// Added to the diagonal of the Gram matrix, over its mean.
const RIDGE: f64 = 1e-3;

/// One reader of a group, on the host.
#[derive(Clone, Debug)]
pub(in crate::prune) struct Read {
    /// Covariance of what it reads, `[inputs, inputs]`.
    pub gram: Mat<f64>,
    /// Its weights `[inputs, outputs]`, each output times the root of what it counts.
    pub weights: Mat<f64>,
}

impl Read {
    /// From plain weights, and how much each output counts.
    pub fn new(gram: Mat<f64>, weights: &Mat<f64>, counts: &[f64]) -> Self {
        let weights = Mat::from_fn(weights.nrows(), weights.ncols(), |i, o| weights[(i, o)] * counts[o].sqrt());
        Self { gram, weights }
    }
}

/// Scores of every group: what all filters up to this one cost in the order of elimination.
pub(super) fn score(scoring: &mut Scoring<'_>, options: &ReconstructionOptions) -> Result<Vec<LayerScores>> {
    if options.places == 0 {
        return Err(Error::input("a reconstruction looks at one place of an image at least"));
    }
    let which = scoring.chosen(SampleOptions { samples: options.samples, seed: options.seed })?;
    let looked = if options.aim.is_inner() { inner::look(scoring, options, &which)? } else { look(scoring, options, &which)? };
    let readers = readers_of(&scoring.groups);
    let mut found = Vec::new();
    for Looked { layer, gram, counts } in looked {
        found.push(Read::new(gram, &weights_of(scoring.net, layer)?, &counts));
        scoring.counts.insert(layer, counts);
    }
    let total = scoring.groups.len() as u64;
    let mut done = 0;
    let groups = scoring.groups.clone();
    let mut scores = Vec::new();
    for group in &groups {
        scoring.go_on()?;
        let mine: Vec<&Read> = places_of(group, &readers).map(|r| &found[r]).collect();
        scores.push(LayerScores::new(group.leader(), eliminate(&mine, group.filters)?));
        done += 1;
        scoring.watch.at("layers", done, total);
    }
    Ok(scores)
}

/// What was seen of a layer that reads filters.
pub(super) struct Looked {
    /// Its index.
    pub layer: usize,
    /// Covariance of what it reads, `[inputs, inputs]`.
    pub gram: Mat<f64>,
    /// How much a square of each output's change counts.
    pub counts: Vec<f64>,
}

/// Every layer that reads filters, where outputs count by what they do to the network's answers.
fn look(scoring: &mut Scoring<'_>, options: &ReconstructionOptions, which: &[usize]) -> Result<Vec<Looked>> {
    let classes = scoring.net.arch.classes()?;
    let mut logits = Vec::new();
    for some in which.chunks(super::BATCH) {
        scoring.go_on()?;
        logits.extend(bridge::read(scoring.net.forward(scoring.rows(some)))?);
    }
    let cotangents = options.aim.cotangents(&logits, classes, options.seed ^ 0xA1B, &scoring.compute.engine)?;
    let readers = readers_of(&scoring.groups);
    let net = scoring.net.frozen();
    let mut grams: Vec<Gram> = readers.iter().map(|_| Gram::default()).collect();
    let mut slopes: Vec<Option<Tensor<2>>> = vec![None; readers.len()];
    for (nth, some) in which.chunks(super::BATCH).enumerate() {
        scoring.go_on()?;
        let from = nth * super::BATCH * classes;
        let taps = reader_taps(&net, scoring, some, &cotangents[from..from + some.len() * classes], &readers, true);
        for (r, tap) in taps.into_iter().enumerate() {
            let Some(by_output) = tap.by_output else { continue };
            let [_, outputs, height, width] = by_output.dims();
            let squares = (by_output.clone() * by_output).sum_dim(3).sum_dim(2).sum_dim(0).reshape([1, outputs]);
            slopes[r] = Some(slopes[r].take().map_or(squares.clone(), |s| s + squares));
            let layer = &scoring.net.arch.layers[readers[r].0];
            let seed = Places::seed(options.seed, r, nth);
            grams[r].add_inputs(rows_read(layer, tap.input, [height, width], options.places, seed));
        }
        scoring.watch.at("gradients of samples", (nth * super::BATCH + some.len()) as u64, which.len() as u64);
    }
    let mut found = Vec::new();
    for (r, (gram, slopes)) in grams.into_iter().zip(slopes).enumerate() {
        let slopes = slopes.map_or(Ok(Vec::new()), bridge::read)?;
        let counts: Vec<f64> = slopes.iter().map(|&s| f64::from(s) / which.len() as f64).collect();
        found.push(Looked { layer: readers[r].0, gram: gram.moments(true)?.gram, counts });
    }
    Ok(found)
}

/// A reader as filters leave it.
struct Left {
    /// Inputs that belong to one filter.
    block: usize,
    width: usize,
    outputs: usize,
    /// The inverse of the Gram matrix, row by row, and the weights.
    inverse: Vec<f64>,
    weights: Vec<f64>,
}

impl Left {
    fn new(read: &Read, filters: usize) -> Result<Self> {
        use faer::linalg::solvers::DenseSolveCore;
        let width = read.gram.nrows();
        let unit = (0..width).map(|i| read.gram[(i, i)]).sum::<f64>() / width.max(1) as f64;
        let mut gram = read.gram.clone();
        (0..width).for_each(|i| gram[(i, i)] += RIDGE * unit + f64::MIN_POSITIVE);
        let factors =
            gram.llt(faer::Side::Lower).map_err(|_| Error::input("what a layer reads is not finite, or always zero"))?;
        let inverse = factors.inverse();
        let outputs = read.weights.ncols();
        Ok(Self {
            block: width / filters.max(1),
            width,
            outputs,
            inverse: (0..width * width).map(|i| inverse[(i / width, i % width)]).collect(),
            weights: (0..width * outputs).map(|i| read.weights[(i / outputs, i % outputs)]).collect(),
        })
    }

    /// The Cholesky factor of the inverse's block of a filter, row by row.
    fn factor(&self, filter: usize) -> Option<Vec<f64>> {
        let (k, from) = (self.block, filter * self.block);
        let mut l = vec![0.0; k * k];
        for i in 0..k {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|m| l[i * k + m] * l[j * k + m]).sum();
                let rest = self.inverse[(from + i) * self.width + from + j] - dot;
                if i == j {
                    if rest <= 0.0 {
                        return None;
                    }
                    l[i * k + i] = rest.sqrt();
                } else {
                    l[i * k + j] = rest / l[j * k + j];
                }
            }
        }
        Some(l)
    }

    /// What the outputs lose without a filter, the others refitted: the squares of `L^-1 W_j`.
    fn cost(&self, filter: usize) -> f64 {
        let Some(l) = self.factor(filter) else { return 0.0 };
        let (k, o) = (self.block, self.outputs);
        let mut rows = self.weights[filter * k * o..(filter + 1) * k * o].to_vec();
        solve_lower(&l, k, &mut rows, o);
        rows.iter().map(|x| x * x).sum()
    }

    /// Takes a filter out of the inverse and out of the weights; `left` are those that stay.
    fn remove(&mut self, filter: usize, left: &[usize]) {
        let Some(l) = self.factor(filter) else { return };
        let (k, n, o, from) = (self.block, self.width, self.outputs, filter * self.block);
        // L^-1 times the block's rows of inverse and weights; with A of them for each input, the
        // update is A' A and A' B.
        let mut a = self.inverse[from * n..(from + k) * n].to_vec();
        solve_lower(&l, k, &mut a, n);
        let mut b = self.weights[from * o..(from + k) * o].to_vec();
        solve_lower(&l, k, &mut b, o);
        let kept: Vec<bool> = {
            let mut kept = vec![false; n / k];
            left.iter().for_each(|&f| kept[f] = true);
            kept
        };
        let inverse = self.inverse.par_chunks_mut(n).zip(self.weights.par_chunks_mut(o)).enumerate();
        inverse.filter(|(row, _)| kept[row / k]).for_each(|(row, (inverse, weights))| {
            for m in 0..k {
                let by = a[m * n + row];
                inverse.iter_mut().zip(&a[m * n..(m + 1) * n]).for_each(|(x, y)| *x -= by * y);
                weights.iter_mut().zip(&b[m * o..(m + 1) * o]).for_each(|(x, y)| *x -= by * y);
            }
        });
    }
}

/// Solves `L X = B` in place for `B` of `columns` columns.
fn solve_lower(l: &[f64], k: usize, rows: &mut [f64], columns: usize) {
    for i in 0..k {
        let (above, now) = rows.split_at_mut(i * columns);
        let now = &mut now[..columns];
        for j in 0..i {
            let by = l[i * k + j];
            now.iter_mut().zip(&above[j * columns..(j + 1) * columns]).for_each(|(x, y)| *x -= by * y);
        }
        now.iter_mut().for_each(|x| *x /= l[i * k + i]);
    }
}

/// Eliminates filter after filter, each time the one whose loss costs least, and returns for each
/// what it and all that went before it cost.
pub(in crate::prune) fn eliminate(readers: &[&Read], filters: usize) -> Result<Vec<f64>> {
    let mut readers = readers.iter().map(|r| Left::new(r, filters)).collect::<Result<Vec<_>>>()?;
    let mut left: Vec<usize> = (0..filters).collect();
    let (mut scores, mut total) = (vec![0.0; filters], 0.0);
    while left.len() > 1 {
        let cost = |&filter: &usize| readers.iter().map(|r| r.cost(filter)).sum::<f64>();
        let costs: Vec<f64> = left.par_iter().map(cost).collect();
        let Some(cheapest) = (0..left.len()).min_by(|&a, &b| costs[a].total_cmp(&costs[b])) else { break };
        let filter = left.remove(cheapest);
        total += costs[cheapest];
        scores[filter] = total;
        readers.iter_mut().for_each(|r| r.remove(filter, &left));
    }
    if let Some(&last) = left.first() {
        scores[last] = total + readers.iter().map(|r| r.cost(last)).sum::<f64>();
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    /// What is lost by fitting the weights anew to some filters alone: by least squares from
    /// scratch.
    fn lost(read: &Read, block: usize, kept: &[usize]) -> f64 {
        use faer::linalg::solvers::Solve;
        let inputs: Vec<usize> = kept.iter().flat_map(|f| f * block..(f + 1) * block).collect();
        let n = read.gram.nrows();
        let unit = (0..n).map(|i| read.gram[(i, i)]).sum::<f64>() / n as f64;
        let ridged = |i: usize, j: usize| read.gram[(i, j)] + if i == j { RIDGE * unit } else { 0.0 };
        let all = Mat::from_fn(n, n, ridged);
        let part = Mat::from_fn(inputs.len(), inputs.len(), |i, j| ridged(inputs[i], inputs[j]));
        let target = &all * &read.weights;
        let wanted = Mat::from_fn(inputs.len(), read.weights.ncols(), |i, o| target[(inputs[i], o)]);
        let fit = part.llt(faer::Side::Lower).unwrap().solve(&wanted);
        let dot = |a: &Mat<f64>, b: &Mat<f64>| {
            (0..a.ncols()).map(|o| (0..a.nrows()).map(|i| a[(i, o)] * b[(i, o)]).sum::<f64>()).sum::<f64>()
        };
        dot(&read.weights, &target) - dot(&fit, &wanted)
    }

    #[test]
    fn elimination_takes_what_the_others_replace_best() {
        let (filters, block, outputs) = (6, 3, 4);
        let mut rng = StdRng::seed_from_u64(5);
        let reader = |rng: &mut StdRng| {
            let n = filters * block;
            let mut rows: Vec<f64> = (0..80 * n).map(|_| rng.random_range(-1.0..1.0)).collect();
            // Filter 4 is nearly twice filter 1.
            for row in rows.chunks_mut(n) {
                for i in 0..block {
                    row[4 * block + i] = 2.0 * row[block + i] + 0.01 * row[4 * block + i];
                }
            }
            let gram = Mat::from_fn(n, n, |i, j| rows.chunks(n).map(|r| r[i] * r[j]).sum::<f64>() / 80.0);
            let weights = Mat::from_fn(n, outputs, |_, _| rng.random_range(-1.0..1.0));
            Read { gram, weights }
        };
        let readers = [reader(&mut rng), reader(&mut rng)];
        let views: Vec<&Read> = readers.iter().collect();
        let scores = eliminate(&views, filters).unwrap();
        let mut order: Vec<usize> = (0..filters).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        assert!(order[0] == 1 || order[0] == 4, "one of the two that say the same goes first: {scores:?}");
        let mut kept: Vec<usize> = (0..filters).collect();
        for (step, &goes) in order[..filters - 1].iter().enumerate() {
            // Nothing that could have gone in its place would have cost less.
            let without = |f: usize| {
                let others: Vec<usize> = kept.iter().copied().filter(|&k| k != f).collect();
                readers.iter().map(|r| lost(r, block, &others)).sum::<f64>()
            };
            let best = kept.iter().map(|&f| without(f)).fold(f64::INFINITY, f64::min);
            assert!((without(goes) - best).abs() < 1e-8 * best.max(1.0), "step {step}");
            assert!((scores[goes] - best).abs() < 1e-6 * best.max(1.0), "step {step}: {} {best}", scores[goes]);
            kept.retain(|&k| k != goes);
        }
    }

    #[test]
    fn dead_filters_go_first() {
        let mut gram = Mat::<f64>::zeros(4, 4);
        gram[(0, 0)] = 1.0;
        gram[(2, 2)] = 3.0;
        gram[(3, 3)] = 2.0;
        let weights = Mat::from_fn(4, 2, |_, _| 1.0);
        let scores = eliminate(&[&Read { gram, weights }], 4).unwrap();
        assert!(scores[1] < scores[0] && scores[0] < scores[3] && scores[3] < scores[2], "{scores:?}");
    }
}
