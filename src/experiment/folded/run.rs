//! One network learns one set of sequences, and the controls that need no network.

use super::super::ledger::{Ledger, same};
use super::{EpochLoss, ForecastRow, ForecastTask};
use crate::data::sequences::{Sequence, SequenceSet};
use crate::error::{Error, Result};
use crate::nn::forecast::{Forecaster, ForecasterKind};
use crate::nn::{Compute, bridge};
use crate::progress::Watch;
use crate::train::checkpoint;
use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;

/// Sequences of a pass without learning.
const EVALUATION: usize = 16;
/// A probability is taken to be at least this, and at most one less it: a forecast that is sure and
/// wrong would cost infinitely much.
const LEAST: f64 = 1e-6;
/// The longest gradient of a tensor of weights; longer ones are shortened to it.
const CLIP: f32 = 1.0;

/// What a run is told apart by.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    pub task: &'a ForecastTask,
    pub network: &'a ForecasterKind,
    pub rate: f64,
    pub seed: u64,
}

/// What a checkpoint holds besides weights and optimiser.
#[derive(Serialize, Deserialize)]
struct State {
    task: ForecastTask,
    network: ForecasterKind,
    rate: f64,
    seed: u64,
    losses: Vec<EpochLoss>,
    seconds: f64,
}

/// Some sequences as tensors: all frames but the last, all but the first, and which steps there
/// are.
struct Batch {
    frames: Tensor<4>,
    next: Tensor<4>,
    there: Tensor<4>,
    steps: usize,
}

impl Batch {
    fn new(sequences: &[&Sequence], [height, width]: [usize; 2], device: &Device) -> Self {
        let (n, size) = (sequences.len(), height * width);
        let longest = sequences.iter().map(|s| s.steps - 1).max().unwrap_or(0);
        let (mut frames, mut next) = (vec![0.0; n * longest * size], vec![0.0; n * longest * size]);
        let mut there = vec![0.0; n * longest];
        for (i, sequence) in sequences.iter().enumerate() {
            let count = (sequence.steps - 1) * size;
            frames[i * longest * size..][..count].copy_from_slice(&sequence.values[..count]);
            next[i * longest * size..][..count].copy_from_slice(&sequence.values[size..]);
            there[i * longest..][..sequence.steps - 1].fill(1.0);
        }
        let tensor = |numbers: Vec<f32>, shape: [usize; 4]| Tensor::from_data(TensorData::new(numbers, shape), device);
        Self {
            frames: tensor(frames, [n, longest, height, width]),
            next: tensor(next, [n, longest, height, width]),
            there: tensor(there, [n, longest, 1, 1]),
            steps: sequences.iter().map(|s| s.steps - 1).sum(),
        }
    }

    /// The sum of losses over all steps: of each place, the cross-entropy of what comes and what
    /// was forecast, in nats.
    fn loss(&self, forecast: Tensor<4>) -> Tensor<1> {
        let p = forecast.clamp(LEAST, 1.0 - LEAST);
        let of_places = self.next.clone() * p.clone().log() + (-self.next.clone() + 1.0) * (-p + 1.0).log();
        -(of_places * self.there.clone()).sum()
    }
}

/// The mean loss of a step.
fn mean_loss(net: &Forecaster, sequences: &[Sequence], frame: [usize; 2], device: &Device, watch: &dyn Watch) -> Result<f64> {
    let (mut sum, mut steps) = (0.0, 0);
    let all: Vec<&Sequence> = sequences.iter().collect();
    for some in all.chunks(EVALUATION) {
        if watch.stopped() {
            return Err(stopped());
        }
        let batch = Batch::new(some, frame, device);
        sum += f64::from(bridge::read(batch.loss(net.forward(batch.frames.clone(), None)))?[0]);
        steps += batch.steps;
    }
    Ok(sum / steps.max(1) as f64)
}

fn stopped() -> Error {
    Error::Interrupted("stopped; all finished epochs are kept, and the same command goes on".into())
}

fn optimiser() -> ModuleOptimizer {
    AdamConfig::new().with_epsilon(1e-8).with_grad_clipping(Some(GradientClippingConfig::Norm(CLIP))).init()
}

impl Cell<'_> {
    pub fn find<'r>(&self, rows: &'r [ForecastRow]) -> Option<&'r ForecastRow> {
        rows.iter().find(|r| {
            let same_kind = r.data == self.task.data && r.network.as_ref() == Some(self.network);
            same_kind && same(r.rate, self.rate) && r.seed == self.seed
        })
    }

    fn is_of(&self, state: &State) -> bool {
        let same_kind = state.task == *self.task && state.network == *self.network;
        same_kind && same(state.rate, self.rate) && state.seed == self.seed
    }

    /// Trains, from where it was stopped if it was, unless the result is there.
    pub fn run(
        &self,
        set: &SequenceSet,
        out: &Path,
        ledger: &mut Ledger<ForecastRow>,
        compute: &Compute,
        watch: &mut dyn Watch,
    ) -> Result<()> {
        if self.find(&ledger.rows).is_some() {
            return Ok(());
        }
        let Cell { task, network, rate, seed } = *self;
        let learning = compute.device.clone().autodiff();
        let mut net = Forecaster::new(network, set.frame, seed, &learning)?;
        let mut adam = optimiser();
        let (mut losses, mut seconds) = (Vec::new(), 0.0);
        if let Some(folder) = checkpoint::find(out) {
            let state: State = crate::data::files::read_json(&folder.join("state.json"))?;
            if self.is_of(&state) {
                let (record, read) = checkpoint::read(&folder, optimiser())?;
                net = net.try_load_record(record).map_err(|e| Error::file(folder.join("model.bpk"), format!("damaged: {e}")))?;
                (adam, losses, seconds) = (read, state.losses, state.seconds);
            }
        }
        while losses.len() < task.epochs {
            let (start, epoch) = (Instant::now(), losses.len());
            let train = self.epoch(epoch, &mut net, &mut adam, set, &learning, watch)?;
            seconds += start.elapsed().as_secs_f64();
            let plain = net.valid();
            let loss = |part: &[Sequence]| mean_loss(&plain, part, set.frame, &compute.device, watch);
            let valid = loss(&set.valid)?;
            // What is reported is the test loss of the epoch with the smallest validation loss.
            let is_best = losses.iter().all(|l: &EpochLoss| l.valid > valid);
            let test = if is_best { Some(loss(&set.test)?) } else { None };
            if !(train.is_finite() && valid.is_finite()) {
                let message = format!("{} of {network} diverged at the rate {rate} in epoch {}", task.data, epoch + 1);
                return Err(Error::Diverged(format!("{message}: give smaller --rates")));
            }
            losses.push(EpochLoss { train, valid, test });
            let state = State { task: task.clone(), network: network.clone(), rate, seed, losses, seconds };
            checkpoint::save(out, plain.into_record(), &adam, &state)?;
            losses = state.losses;
        }
        let row = ForecastRow {
            data: task.data,
            network: Some(network.clone()),
            name: network.to_string(),
            rate,
            seed,
            parameters: net.num_params(),
            losses,
            seconds: (1e3 * seconds).round() / 1e3,
        };
        if let Some((epoch, _, test)) = row.best() {
            watch.note(&format!(
                "{}, {network} at {rate}, seed {seed}: {test:.3} nats a frame after {} epochs",
                task.data,
                epoch + 1
            ));
        }
        ledger.add(row)?;
        checkpoint::clear(out)
    }

    /// One pass over what is learnt; the mean loss of a step while it went on.
    fn epoch(
        &self,
        epoch: usize,
        net: &mut Forecaster,
        adam: &mut ModuleOptimizer,
        set: &SequenceSet,
        device: &Device,
        watch: &mut dyn Watch,
    ) -> Result<f64> {
        // Order and what is left out follow from seed and epoch, so that a stopped run ends the
        // same.
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_mul(1_000_003).wrapping_add(epoch as u64));
        let mut order: Vec<&Sequence> = set.train.iter().collect();
        order.shuffle(&mut rng);
        // Sequences of a batch are about as long, for the shorter ones are filled up.
        order.sort_by_key(|s| s.steps);
        let mut batches: Vec<&[&Sequence]> = order.chunks(self.task.batch).collect();
        batches.shuffle(&mut rng);
        let (mut sum, mut steps) = (0.0, 0);
        for (at, some) in batches.iter().enumerate() {
            if watch.stopped() {
                return Err(stopped());
            }
            let batch = Batch::new(some, set.frame, device);
            let loss = batch.loss(net.forward(batch.frames.clone(), Some(&mut rng)));
            sum += f64::from(bridge::read(loss.clone().inner())?[0]);
            let gradients = (loss / batch.steps as f64).backward();
            let gradients = GradientsParams::from_grads(gradients, net);
            *net = adam.step(self.rate, net.clone(), gradients);
            steps += batch.steps;
            let state = format!(
                "{}, {} at {}, seed {}, epoch {} of {}, loss {:.3}",
                self.task.data,
                self.network,
                self.rate,
                self.seed,
                epoch + 1,
                self.task.epochs,
                sum / steps as f64
            );
            watch.at(&state, at as u64 + 1, batches.len() as u64);
        }
        Ok(sum / steps.max(1) as f64)
    }
}

/// Two forecasts that need no network: each place as often as it is on in what is learnt, and each
/// place as often as it is on behind a frame where it is on, or off.
pub(super) fn controls(task: &ForecastTask, set: &SequenceSet) -> Vec<ForecastRow> {
    let size = set.frame[0] * set.frame[1];
    // Of every sequence, what is and what comes.
    fn pairs(sequence: &Sequence, size: usize) -> impl Iterator<Item = (&[f32], &[f32])> {
        let frames = sequence.values.chunks_exact(size);
        frames.clone().zip(frames.skip(1))
    }
    let mut means = vec![(0.0, 0.0); size];
    // On after on, and on after off, each with its weight.
    let mut after = [(0.0, 0.0); 2];
    for (now, next) in set.train.iter().flat_map(|s| pairs(s, size)) {
        for (mean, (&x, &y)) in means.iter_mut().zip(now.iter().zip(next)) {
            let (x, y) = (f64::from(x), f64::from(y));
            *mean = (mean.0 + y, mean.1 + 1.0);
            after[0] = (after[0].0 + x * y, after[0].1 + x);
            after[1] = (after[1].0 + (1.0 - x) * y, after[1].1 + 1.0 - x);
        }
    }
    let share = |(sum, weight): (f64, f64)| sum / f64::max(weight, 1e-12);
    let means: Vec<f64> = means.into_iter().map(share).collect();
    let [on, off] = after.map(share);
    let loss = |part: &[Sequence], forecast: &dyn Fn(usize, f64) -> f64| {
        let (mut sum, mut steps) = (0.0, 0usize);
        for (now, next) in part.iter().flat_map(|s| pairs(s, size)) {
            steps += 1;
            for (place, (&x, &y)) in now.iter().zip(next).enumerate() {
                let (p, y) = (forecast(place, f64::from(x)).clamp(LEAST, 1.0 - LEAST), f64::from(y));
                sum -= y * p.ln() + (1.0 - y) * (1.0 - p).ln();
            }
        }
        sum / steps.max(1) as f64
    };
    let row = |name: &str, parameters, forecast: &dyn Fn(usize, f64) -> f64| ForecastRow {
        data: task.data,
        network: None,
        name: name.into(),
        rate: 0.0,
        seed: 0,
        parameters,
        losses: vec![EpochLoss {
            train: loss(&set.train, forecast),
            valid: loss(&set.valid, forecast),
            test: Some(loss(&set.test, forecast)),
        }],
        seconds: 0.0,
    };
    vec![row("mean of each place", size, &|place, _| means[place]), row("last frame again", 2, &|_, x| x * on + (1.0 - x) * off)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::folded::ForecastData;

    fn task() -> ForecastTask {
        ForecastTask { data: ForecastData::Chorales, sizes: [0; 3], epochs: 1, batch: 2, networks: Vec::new() }
    }

    fn sequence(values: &[f32]) -> Sequence {
        Sequence { values: values.to_vec(), steps: values.len() / 2 }
    }

    /// Sequences of different lengths in one batch: what is not there costs nothing.
    #[test]
    fn losses_are_cross_entropies_of_the_steps_that_are_there() {
        let device = Compute::cpu().device;
        let (long, short) = (sequence(&[0.0, 1.0, 1.0, 0.0, 0.5, 1.0]), sequence(&[1.0, 1.0, 0.0, 1.0]));
        let batch = Batch::new(&[&long, &short], [2, 1], &device);
        assert_eq!((batch.steps, batch.frames.dims()), (3, [2, 2, 2, 1]));
        let p = [0.9f32, 0.2, 0.4, 0.8, 0.3, 0.6, 0.99, 0.01];
        let forecast = Tensor::from_data(TensorData::new(p.to_vec(), [2, 2, 2, 1]), &device);
        let cost = |p: f64, y: f64| -(y * p.ln() + (1.0 - y) * (1.0 - p).ln());
        let want = cost(0.9, 1.0) + cost(0.2, 0.0) + cost(0.4, 0.5) + cost(0.8, 1.0) + cost(0.3, 0.0) + cost(0.6, 1.0);
        let got = bridge::read(batch.loss(forecast)).unwrap()[0];
        assert!((f64::from(got) - want).abs() < 1e-5, "{got} {want}");
    }

    #[test]
    fn controls_are_what_they_say() {
        let train = vec![sequence(&[1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0])];
        let set = SequenceSet { frame: [2, 1], valid: train.clone(), test: train.clone(), train };
        let rows = controls(&task(), &set);
        // The first place is on in two of three next frames, the second never.
        let h = -(2.0 / 3.0 * (2.0f64 / 3.0).ln() + 1.0 / 3.0 * (1.0f64 / 3.0).ln());
        assert!((rows[0].losses[0].valid - h).abs() < 1e-4, "{rows:?}");
        // On stays on once and ends once; off begins once in four.
        let want = -(0.5f64.ln() * 2.0 + 0.25f64.ln() + 0.75f64.ln() * 3.0) / 3.0;
        assert!((rows[1].losses[0].valid - want).abs() < 1e-9, "{} {want}", rows[1].losses[0].valid);
    }
}
