//! The training loop.

use super::augment::augmented;
use super::optimiser::Optimiser;
use super::private::{self, Chance, Private};
use super::rate::RateSchedule;
use crate::data::Samples;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::nn::{Keeping, Layer, Net, bridge};
use crate::progress::Watch;
use burn::module::{Module, Param};
use burn::nn::loss::CrossEntropyLoss;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Samples per forward pass when nothing is learnt.
const EVALUATION_BATCH: usize = 500;

/// What the loop needs to know besides network and data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Passes over the data.
    pub epochs: usize,
    /// Samples per step; 0 takes all of them at once.
    pub batch: usize,
    /// How steps are made.
    pub optimiser: Optimiser,
    /// Decides the order of the samples.
    pub seed: u64,
    /// Whether images are mirrored and shifted by chance.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub augment: bool,
    /// How what was compensated learns on without harm, in place of the usual way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gentle: Option<Gentle>,
    /// The course of the learning rate.
    #[serde(default, skip_serializing_if = "RateSchedule::is_constant")]
    pub schedule: RateSchedule,
    /// Epochs over which the learning rate rises to its beginning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warm_up: usize,
    /// Epochs without a smaller loss on held-out training samples, a tenth of all, after which
    /// training ends; the weights are then those of the best epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// What keeps single samples private, where something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<Private>,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// Training that changes a good network little: norms keep their running statistics, and the
/// learning rate falls to 0 along half a cosine.
///
/// A network whose weights were chosen by least squares is another function with the statistics of
/// a batch, and a constant rate of the usual size throws away in thirty steps what the least
/// squares gave (docs/pruning.md has the measurements).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gentle {
    /// Whether it learns what another network answers, in place of the labels.
    pub distill: bool,
    /// Steps after which it ends, in the middle of an epoch if need be; 0 if epochs alone count.
    pub steps: usize,
}

impl Settings {
    /// Without augmentation.
    pub fn new(epochs: usize, batch: usize, optimiser: Optimiser, seed: u64) -> Self {
        Self {
            epochs,
            batch,
            optimiser,
            seed,
            augment: false,
            gentle: None,
            schedule: RateSchedule::Constant,
            warm_up: 0,
            patience: None,
            private: None,
        }
    }

    /// What decides the order of the samples in an epoch, counted from 0.
    pub(super) fn epoch_seed(seed: u64, epoch: usize) -> u64 {
        seed.wrapping_mul(1_000_003).wrapping_add(epoch as u64)
    }

    /// Whether training under `other` may go on under these: all but the number of epochs is the
    /// same, to what a number loses in a file.
    pub(super) fn continues(&self, other: &Settings) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * a.abs();
        let (a, b) = (&self.optimiser, &other.optimiser);
        let rates = near(a.rate, b.rate) && near(a.momentum, b.momentum) && near(a.weight_decay.into(), b.weight_decay.into());
        let same = a.kind == b.kind && a.decoupled == b.decoupled && self.augment == other.augment && self.gentle == other.gentle;
        let course = self.schedule == other.schedule && self.warm_up == other.warm_up && self.patience == other.patience;
        let course = course && self.private == other.private;
        // A course is laid out over all epochs: with another number of them it would be another
        // one.
        let laid_out = self.schedule.is_constant() || self.epochs == other.epochs;
        rates && same && course && laid_out && self.batch == other.batch && self.seed == other.seed
    }
}

/// Where a training run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Epochs that are through.
    pub epochs: usize,
    /// Steps of the epoch under way.
    pub steps: usize,
    /// Sum of its losses over samples.
    pub loss: f64,
    /// Its right answers.
    pub correct: f64,
    /// Its samples whose gradients were shortened.
    #[serde(default)]
    pub clipped: f64,
    /// Its samples.
    pub seen: usize,
    /// Seconds it has taken.
    pub seconds: f64,
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Optimiser steps so far.
    pub steps: usize,
    /// Mean loss of the epoch, while it went on.
    pub train_loss: f64,
    /// Share of right answers, while it went on.
    pub train_accuracy: f64,
    /// Share of right answers on the test samples afterwards.
    pub test_accuracy: Option<f64>,
    /// Mean loss on them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_loss: Option<f64>,
    /// Mean loss on the training samples that were held out, where some were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// The learning rate of the epoch's last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// What all steps so far have spent of the samples' privacy: epsilon, at the delta of the
    /// settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// The share of the epoch's samples whose gradients were longer than the clip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clipped: Option<f64>,
    /// Seconds of training.
    pub seconds: f64,
}

impl EpochRecord {
    /// The epoch of the smallest loss on held-out samples, its place among the records, if there
    /// were any.
    pub fn best(metrics: &[EpochRecord]) -> Option<usize> {
        let losses = metrics.iter().enumerate().filter_map(|(i, m)| Some((i, m.validation_loss?)));
        losses.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i)
    }

    /// Its numbers, by the names that TensorBoard groups them under.
    pub fn scalars(&self) -> Vec<(&'static str, f64)> {
        let always = [("loss/train", self.train_loss), ("accuracy/train", self.train_accuracy)];
        let some = [
            ("loss/test", self.test_loss),
            ("loss/held out", self.validation_loss),
            ("accuracy/test", self.test_accuracy),
            ("learning rate", self.rate),
            ("epsilon", self.epsilon),
            ("clipped", self.clipped),
        ];
        always.into_iter().chain(some.into_iter().filter_map(|(name, x)| Some((name, x?)))).collect()
    }
}

/// A network in training.
#[allow(missing_debug_implementations, reason = "burn's optimiser has none")]
pub struct Trainer {
    pub(super) net: Net,
    pub(super) optimiser: ModuleOptimizer,
    pub(super) settings: Settings,
    pub(super) progress: Progress,
    teacher: Option<Net>,
    device: Device,
    /// The engine on the same device, if that is a GPU.
    gpu: Option<Gpu>,
    /// What a private training draws from.
    chance: Option<Chance>,
    /// The memory that one step leaves to the next is freed with the trainer.
    _memory: Keeping,
}

/// What answers are divided by before they are compared with a teacher's: it lets the order of the
/// wrong classes count (Hinton, Vinyals and Dean, arXiv 1503.02531).
const TEMPERATURE: f64 = 3.0;

impl Trainer {
    /// Starts with a network that is on `device`.
    pub fn new(net: Net, settings: Settings, device: &Device) -> Self {
        let device = device.clone().autodiff();
        let mut net = net.train();
        if settings.gentle.is_some() {
            net.norms_mut().for_each(|n| n.training = Param::from_bool(false));
        }
        let (optimiser, progress) = (settings.optimiser.build(), Progress::default());
        Self { net, optimiser, settings, progress, teacher: None, device, gpu: None, chance: None, _memory: Keeping }
    }

    /// With the engine on the same device, if that is a GPU: private training then uses its
    /// shaders.
    pub fn on(mut self, gpu: Option<&Gpu>) -> Self {
        self.gpu = gpu.cloned();
        self
    }

    /// With the network whose answers are to be learnt, where the settings say so.
    pub fn taught_by(mut self, teacher: &Net) -> Self {
        self.teacher = Some(teacher.valid());
        self
    }

    /// The learning rate of a step of `total`, counted from 0 over all epochs of `epoch` steps.
    fn rate(&self, step: usize, total: usize, epoch: usize) -> f64 {
        let (schedule, warm_up) = match self.settings.gentle {
            Some(_) => (RateSchedule::Cosine, 0),
            None => (self.settings.schedule, self.settings.warm_up * epoch),
        };
        self.settings.optimiser.rate * schedule.factor(step, total, warm_up)
    }

    /// The mean loss of some logits.
    fn loss(&self, x: Tensor<2>, logits: Tensor<2>, labels: Tensor<1, Int>) -> Result<Tensor<1>> {
        if !self.settings.gentle.is_some_and(|g| g.distill) {
            return Ok(CrossEntropyLoss::new(None, &self.device).forward(logits, labels));
        }
        let Some(teacher) = &self.teacher else {
            return Err(Error::input(
                "this run learns from the answers of the network that it was cut from: resume the pruning, not the training",
            ));
        };
        let wanted = teacher.forward(x.inner()) / TEMPERATURE;
        let (share, log_share) = (softmax(wanted.clone(), 1), log_softmax(wanted, 1));
        let own = log_softmax(logits / TEMPERATURE, 1);
        let apart = Tensor::from_inner(share) * (Tensor::from_inner(log_share) - own);
        Ok(apart.sum_dim(1).mean() * (TEMPERATURE * TEMPERATURE))
    }

    /// Number of epochs that are through.
    pub fn epochs_done(&self) -> usize {
        self.progress.epochs
    }

    /// Whether no epoch is under way.
    pub(super) fn is_between_epochs(&self) -> bool {
        self.progress.steps == 0
    }

    /// The network as it stands, for use without training.
    pub fn network(&self) -> Net {
        self.net.valid()
    }

    /// One pass over the training samples, from where it was interrupted if it was.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the watch says stop (the trainer then stands between two steps),
    /// [`Error::Diverged`] when the loss is not a number any more, [`Error::Device`] when the
    /// device fails.
    pub fn epoch(&mut self, train: &Samples, watch: &mut dyn Watch) -> Result<EpochRecord> {
        let start = Instant::now();
        let earlier = self.progress.seconds;
        let batch = if self.settings.batch == 0 { train.len() } else { self.settings.batch };
        // The order is the seed's and the epoch's alone, so an interrupted epoch goes on with the
        // samples it has not seen.
        let order = train.shuffled(Settings::epoch_seed(self.settings.seed, self.progress.epochs));
        let full = order.len().div_ceil(batch);
        let before = self.progress.epochs * full;
        let end = match self.settings.gentle {
            Some(Gentle { steps, .. }) if steps > 0 => steps,
            _ => self.settings.epochs * full,
        };
        let total = full.min(end.saturating_sub(before)).max(1);
        // Losses, right answers and clipped gradients stay on the device for some steps: reading
        // each would wait for it. They are added up on the host, one by one, so that an
        // interruption changes no digit.
        let mut sums: Vec<Tensor<1>> = Vec::new();
        if self.settings.private.is_some() {
            Private::allows(&self.net.arch)?;
        }
        let drops = self.net.arch.layers.iter().any(|l| matches!(l, Layer::Dropout { .. }));
        let mut pending = 0;
        for (step, which) in order.chunks(batch).enumerate().take(total).skip(self.progress.steps) {
            let drawn;
            let which = match self.settings.private {
                Some(private) => {
                    if self.chance.is_none() || private.seed.is_some() {
                        self.chance = Some(Chance::new(private.seed, before + step)?);
                    }
                    let rate = private::rate(self.settings.batch, train.len());
                    drawn = self.chance.as_mut().map(|c| c.chosen(train.len(), rate)).unwrap_or_default();
                    &drawn
                }
                None => which,
            };
            if watch.stopped() {
                self.take_sums(&mut sums, pending)?;
                self.progress.seconds = earlier + start.elapsed().as_secs_f64();
                return Err(Error::Interrupted(format!(
                    "stopped in epoch {} after {step} of {total} steps",
                    self.progress.epochs + 1
                )));
            }
            let seed = Settings::epoch_seed(self.settings.seed, self.progress.epochs).wrapping_add(step as u64);
            if drops {
                // What is dropped depends on the step alone, not on where training was interrupted.
                self.device.seed(seed ^ 0xD20);
            }
            let load = |which: &[usize]| {
                let (x, y) = labelled(train, which, &self.device);
                match (self.settings.augment, train.shape.as_slice()) {
                    (true, &[c, h, w]) => (augmented(x, [c, h, w], seed ^ 0xA06), y),
                    _ => (x, y),
                }
            };
            let gradients = match (self.settings.private, &mut self.chance) {
                (Some(private), Some(chance)) => {
                    let samples = &private::Drawn { which, expected: batch.min(train.len()) as f64, load: &load };
                    let taken = private::step(&self.net, private, chance, samples, self.gpu.as_ref())?;
                    sums.extend(taken.seen);
                    taken.gradients
                }
                _ => {
                    let (x, y) = load(which);
                    let logits = self.net.forward(x.clone());
                    let loss = self.loss(x, logits.clone(), y.clone())?;
                    let right = logits.inner().argmax(1).squeeze_dim::<1>(1).equal(y.inner()).float().sum();
                    let none = right.zeros_like();
                    sums.extend([loss.clone().inner() * which.len() as f64, right, none]);
                    GradientsParams::from_grads(loss.backward(), &self.net)
                }
            };
            let rule = self.settings.optimiser;
            self.net = rule.decay(self.optimiser.step(self.rate(before + step, end, full), self.net.clone(), gradients));
            pending += which.len();
            self.progress.steps = step + 1;
            if (step + 1) % 16 == 0 || step + 1 == total {
                self.take_sums(&mut sums, pending)?;
                pending = 0;
                // A private step may have drawn no sample.
                let mean = self.progress.loss / self.progress.seen.max(1) as f64;
                if !mean.is_finite() {
                    return Err(Error::Diverged(format!(
                        "the loss is {mean} in epoch {} at step {}: training diverged; begin anew in another folder with a learning rate below {}",
                        self.progress.epochs + 1,
                        step + 1,
                        self.settings.optimiser.rate
                    )));
                }
                let p = self.progress;
                let (right, rate) = (p.correct / p.seen.max(1) as f64, self.rate(before + step, end, full));
                let speed = p.seen as f64 / (earlier + start.elapsed().as_secs_f64()).max(1e-9);
                let state = format!(
                    "epoch {}, loss {mean:.4}, {:.1} %, rate {rate:.2e}, {speed:.0} samples/s",
                    p.epochs + 1,
                    100.0 * right
                );
                watch.at(&state, (step + 1) as u64, total as u64);
            }
        }
        let p = self.progress;
        let record = EpochRecord {
            epoch: p.epochs + 1,
            steps: before + total,
            train_loss: p.loss / p.seen.max(1) as f64,
            train_accuracy: p.correct / p.seen.max(1) as f64,
            test_accuracy: None,
            test_loss: None,
            validation_loss: None,
            rate: Some(self.rate(before + total - 1, end, full)),
            epsilon: self.settings.private.map(|private| private.spent(self.settings.batch, train.len(), before + total)),
            clipped: self.settings.private.map(|_| p.clipped / p.seen.max(1) as f64),
            seconds: earlier + start.elapsed().as_secs_f64(),
        };
        self.progress = Progress { epochs: p.epochs + 1, ..Progress::default() };
        Ok(record)
    }

    /// Reads the losses, right answers and clipped gradients of some steps, which alternate.
    fn take_sums(&mut self, sums: &mut Vec<Tensor<1>>, samples: usize) -> Result<()> {
        if !sums.is_empty() {
            for step in bridge::read(Tensor::cat(std::mem::take(sums), 0))?.chunks(3) {
                self.progress.loss += f64::from(step[0]);
                self.progress.correct += f64::from(step[1]);
                self.progress.clipped += f64::from(step[2]);
            }
            self.progress.seen += samples;
        }
        Ok(())
    }
}

/// Some samples and their labels on a device.
pub(crate) fn labelled(samples: &Samples, which: &[usize], device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    let labels: Vec<i32> = which.iter().map(|&i| i32::from(samples.labels[i])).collect();
    let x = Tensor::from_data(TensorData::new(samples.gather(which), [which.len(), samples.width()]), device);
    (x, Tensor::from_data(TensorData::new(labels, [which.len()]), device))
}

/// Logits of all samples, one row of classes after the other.
///
/// # Errors
/// [`Error::Device`] when the device fails, [`Error::Interrupted`] when the watch says stop.
pub fn logits(net: &Net, samples: &Samples, device: &Device, watch: &mut dyn Watch) -> Result<Vec<f32>> {
    let mut all = Vec::new();
    let order: Vec<usize> = (0..samples.len()).collect();
    for (i, which) in order.chunks(EVALUATION_BATCH).enumerate() {
        if watch.stopped() {
            return Err(Error::Interrupted("stopped while testing".into()));
        }
        let x = Tensor::from_data(TensorData::new(samples.gather(which), [which.len(), samples.width()]), device);
        all.extend(bridge::read(net.forward(x))?);
        watch.at("testing", (i * EVALUATION_BATCH + which.len()) as u64, samples.len() as u64);
    }
    Ok(all)
}

/// Share of the samples that a network gives their own label.
///
/// # Errors
/// As [`logits`].
pub fn accuracy(net: &Net, samples: &Samples, device: &Device, watch: &mut dyn Watch) -> Result<f64> {
    let logits = logits(net, samples, device, watch)?;
    let classes = logits.len() / samples.len().max(1);
    let best = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)));
    let right = logits.chunks(classes.max(1)).zip(&samples.labels).filter(|(row, l)| best(row) == Some(usize::from(**l))).count();
    Ok(right as f64 / samples.len().max(1) as f64)
}
