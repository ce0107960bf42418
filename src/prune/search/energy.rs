//! Filters of low energy, found by differential evolution.
//!
//! Salehinejad and Valaee ("Pruning of convolutional neural networks using Ising energy model",
//! arXiv 2102.05437, and "A framework for pruning deep neural networks using energy-based models",
//! arXiv 2102.13188): a state has one bit per filter; its energy on a batch is minus the mean
//! margin of the network without the filters of bit 0, where the margin is the right logit minus
//! the largest other. Each mini-batch is a generation of binary differential evolution: from three
//! other states of the population a mutant is made, crossed with its parent, and takes the parent's
//! place if its energy is lower. In the paper the best state's sub-network learns between
//! generations; here the trained weights stand still while the search goes on, and learning is the
//! recovery, so that all criteria recover alike.
//!
//! The whole population, parents and candidates, passes through the network as one batch, with the
//! bits as gates behind the activations.

use super::scores;
use crate::error::{Error, Result};
use crate::nn::{Flow, bridge};
use crate::prune::scoring::{LayerScores, SampleOptions, Scoring, maps_of};
use burn::tensor::{Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// How the search goes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyOptions {
    /// States.
    pub population: usize,
    /// Mini-batches, each a generation.
    pub generations: usize,
    /// Samples of a mini-batch.
    pub batch: usize,
    /// Chance that a bit mutates.
    pub mutation: f64,
    /// Chance that a bit comes from the mutant.
    pub crossover: f64,
    /// Bits flip where the other two states differ, as in textbooks; else they flip where these
    /// agree and become 0 where they differ, as in the authors' code.
    pub textbook: bool,
    /// Decides everything by chance.
    pub seed: u64,
}

impl Default for EnergyOptions {
    fn default() -> Self {
        Self { population: 8, generations: 50, batch: 64, mutation: 0.1, crossover: 0.9, textbook: false, seed: 0 }
    }
}

/// One bit per filter, group after group.
type State = Vec<bool>;

/// The filters that the search keeps, group by group.
pub(in crate::prune) fn energy(scoring: &mut Scoring<'_>, options: &EnergyOptions) -> Result<Vec<LayerScores>> {
    if !(4..=1000).contains(&options.population) || options.generations == 0 || options.batch == 0 {
        return Err(Error::input("the energy search needs a population of 4 to 1000, a generation, and samples"));
    }
    if !(0.0..=1.0).contains(&options.mutation) || !(0.0..=1.0).contains(&options.crossover) {
        return Err(Error::input("the chances of the energy search must be from 0 to 1"));
    }
    let mut rng = StdRng::seed_from_u64(options.seed);
    let sizes: Vec<usize> = scoring.groups.iter().map(|g| g.filters).collect();
    let begin = |rng: &mut StdRng| -> State {
        let of_group = sizes.iter().zip(&scoring.stays);
        of_group.flat_map(|(&n, &stays)| (0..n).map(move |_| stays as f64 / n as f64)).map(|p| rng.random_bool(p)).collect()
    };
    let mut states: Vec<State> = (0..options.population).map(|_| begin(&mut rng)).collect();
    states.iter_mut().for_each(|s| repair(s, &sizes, &mut rng));
    let mut best = 0;
    for generation in 0..options.generations {
        if scoring.watch.stopped() {
            return Err(Error::Interrupted("stopped while searching".into()));
        }
        let candidates: Vec<State> = (0..states.len()).map(|i| candidate(&states, i, options, &sizes, &mut rng)).collect();
        // Each mini-batch is chosen anew; parents and candidates are judged by the same one.
        let batch = options.batch.min(scoring.samples.len());
        let which =
            scoring.chosen(SampleOptions { samples: batch.max(2), seed: options.seed.wrapping_add(generation as u64) })?;
        let all: Vec<&State> = states.iter().chain(&candidates).collect();
        let energies = energies(scoring, &all, &sizes, &which)?;
        let (of_parents, of_candidates) = energies.split_at(states.len());
        let mut now = of_parents.to_vec();
        for (i, candidate) in candidates.into_iter().enumerate() {
            if of_candidates[i] < of_parents[i] {
                (states[i], now[i]) = (candidate, of_candidates[i]);
            }
        }
        best = (0..now.len()).min_by(|&a, &b| now[a].total_cmp(&now[b])).unwrap_or(0);
        scoring.watch.at("generations", generation as u64 + 1, options.generations as u64);
    }
    let mut first = 0;
    scoring.by_group(|group| {
        let bits = |s: &State| s[first..first + group.filters].to_vec();
        let population: Vec<Vec<bool>> = states.iter().map(bits).collect();
        let views: Vec<&[bool]> = population.iter().map(Vec::as_slice).collect();
        let found = scores(&population[best], &views);
        first += group.filters;
        Ok(found)
    })
}

/// Every group keeps a filter.
fn repair(state: &mut [bool], sizes: &[usize], rng: &mut StdRng) {
    let mut first = 0;
    for &size in sizes {
        let bits = &mut state[first..first + size];
        if !bits.contains(&true) {
            bits[rng.random_range(0..size)] = true;
        }
        first += size;
    }
}

/// A mutant of three other states, crossed with the parent.
fn candidate(states: &[State], parent: usize, options: &EnergyOptions, sizes: &[usize], rng: &mut StdRng) -> State {
    let mut others = Vec::new();
    while others.len() < 3 {
        let other = rng.random_range(0..states.len());
        if other != parent && !others.contains(&other) {
            others.push(other);
        }
    }
    let [a, b, c] = [0, 1, 2].map(|n| &states[others[n]]);
    let mut state: State = (0..a.len())
        .map(|bit| {
            let mutates = rng.random_bool(options.mutation);
            let agree = b[bit] == c[bit];
            let mutant = match (mutates, options.textbook, agree) {
                (false, ..) | (true, true, true) => a[bit],
                (true, true, false) | (true, false, true) => !a[bit],
                (true, false, false) => false,
            };
            if rng.random_bool(options.crossover) { mutant } else { states[parent][bit] }
        })
        .collect();
    repair(&mut state, sizes, rng);
    state
}

/// The energy of every state on some samples: minus the mean margin.
fn energies(scoring: &Scoring<'_>, states: &[&State], sizes: &[usize], which: &[usize]) -> Result<Vec<f64>> {
    let (count, batch) = (states.len(), which.len());
    let device = &scoring.compute.device;
    let x = scoring.rows(which).repeat_dim(0, count);
    // Gates of every group, one row per state and sample.
    let mut first = 0;
    let mut gates: Vec<Tensor<4>> = Vec::new();
    for &size in sizes {
        let bits = states.iter().flat_map(|s| s[first..first + size].iter().map(|&b| f32::from(u8::from(b)))).collect::<Vec<_>>();
        let rows = Tensor::<3>::from_data(TensorData::new(bits, [count, 1, size]), device);
        gates.push(rows.repeat_dim(1, batch).reshape([count * batch, size, 1, 1]));
        first += size;
    }
    let logits = scoring.net.forward_changed(x, &mut |layer, flow| {
        let Some(g) = scoring.groups.iter().position(|g| g.seen.contains(&layer)) else { return ControlFlow::Continue(flow) };
        let flat = matches!(flow, Flow::Flat(_));
        let gated = maps_of(flow, sizes[g]) * gates[g].clone();
        ControlFlow::Continue(if flat { Flow::Flat(gated.flatten(1, 3)) } else { Flow::Maps(gated) })
    });
    let classes = logits.dims()[1];
    let logits = bridge::read(logits)?;
    let margin = |(row, &sample): (&[f32], &usize)| {
        let own = usize::from(scoring.samples.labels[sample]);
        let other = row.iter().enumerate().filter(|(c, _)| *c != own).map(|(_, l)| *l).fold(f32::NEG_INFINITY, f32::max);
        f64::from(row[own] - other)
    };
    let of_state = |rows: &[f32]| -rows.chunks(classes).zip(which).map(margin).sum::<f64>() / batch as f64;
    Ok(logits.chunks(batch * classes).map(of_state).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Compute, Net, zoo};
    use crate::prune::{Keep, mask};
    use crate::train::logits;

    /// The batched pass with gates is the masked network, state by state.
    #[test]
    fn gates_are_masks() {
        let compute = Compute::cpu();
        let arch = zoo::named("resnet20:0.25", [1, 8, 8], 3, Activation::parse("relu").unwrap()).unwrap();
        let net = Net::new(&arch, 5, &compute.device).unwrap();
        let samples = crate::prune::criteria::testing::waves(12);
        let groups = arch.groups().unwrap();
        let sizes: Vec<usize> = groups.iter().map(|g| g.filters).collect();
        let mut rng = StdRng::seed_from_u64(3);
        let mut states: Vec<State> = (0..3).map(|_| (0..sizes.iter().sum()).map(|_| rng.random_bool(0.6)).collect()).collect();
        states.iter_mut().for_each(|s| repair(s, &sizes, &mut rng));
        let mut watch = crate::progress::Unwatched;
        let scoring = Scoring { stays: vec![1; groups.len()], ..Scoring::new(&net, &samples, &compute, &mut watch).unwrap() };
        let which: Vec<usize> = (0..12).collect();
        let got = energies(&scoring, &states.iter().collect::<Vec<_>>(), &sizes, &which).unwrap();
        for (state, got) in states.iter().zip(got) {
            let mut first = 0;
            let mut keep = Keep::new();
            for g in &scoring.groups {
                keep.insert(g.leader(), (0..g.filters).filter(|f| state[first + f]).collect());
                first += g.filters;
            }
            let masked = mask(&net, &keep, &compute.device).unwrap();
            let answers = logits(&masked, &samples, &compute.device, &mut crate::progress::Unwatched).unwrap();
            let margins = answers.chunks(3).zip(&samples.labels).map(|(row, &l)| {
                let other = (0..3).filter(|&c| c != usize::from(l)).map(|c| row[c]).fold(f32::NEG_INFINITY, f32::max);
                f64::from(row[usize::from(l)] - other)
            });
            let want = -margins.sum::<f64>() / 12.0;
            assert!((got - want).abs() < 1e-4 * want.abs().max(1.0), "{got} {want}");
        }
    }

    /// Filters that only harm are dropped, the one that carries the answer is kept.
    #[test]
    fn low_energy_is_found() {
        let states: Vec<State> =
            vec![vec![true, false, true], vec![false, true, true], vec![true, true, false], vec![false, false, true]];
        let mut rng = StdRng::seed_from_u64(0);
        for _ in 0..50 {
            let c = candidate(&states, 0, &EnergyOptions { mutation: 1.0, ..EnergyOptions::default() }, &[2, 1], &mut rng);
            assert!(c[..2].contains(&true) && c[2], "every group keeps a filter");
        }
        let compute = Compute::cpu();
        let arch = crate::nn::Arch::cnn([1, 8, 8], &[8], 6, 3, Activation::parse("relu").unwrap()).unwrap();
        let net = Net::new(&arch, 2, &compute.device).unwrap();
        let samples = crate::prune::criteria::testing::waves(90);
        let mut watch = crate::progress::Unwatched;
        let mut scoring = Scoring { stays: vec![4], ..Scoring::new(&net, &samples, &compute, &mut watch).unwrap() };
        let options = EnergyOptions { generations: 40, batch: 90, ..EnergyOptions::default() };
        let found = energy(&mut scoring, &options).unwrap();
        let best: State = found[0].scores.iter().map(|&s| s > 0.5).collect();
        let all: Vec<usize> = (0..90).collect();
        let of = |scoring: &Scoring<'_>, s: &State| energies(scoring, &[s], &[8], &all).unwrap()[0];
        // Better than chance: than the mean of all states of one bit per filter.
        let every: Vec<f64> = (1..256u32).map(|m| of(&scoring, &(0..8).map(|b| m >> b & 1 == 1).collect())).collect();
        let below = every.iter().filter(|e| **e < of(&scoring, &best)).count();
        assert!(below < 64, "{below} of 255 states are better");
    }
}
