//! Many runs of one perceptron at once: the same network with other seeds and learning rates.
//!
//! On the processor every member is a loop of its own over pieces of the samples that stay in the
//! cache ([`kernel`]), one member a thread: a batched model of thirty members would send every
//! number through memory twenty times a step. (Measured on 2 cores for 10 layers of 15 and 4,000
//! points: burn's processor backend takes 3.7 ms a step and member alone, and 4.5 ms as a batch of
//! 30.) Nothing of one member enters another's arithmetic, so it is bit for bit what it is alone.
//! On a GPU they are one batched model ([`batched`]), because there it is the launches that cost.

mod batched;
mod kernel;
mod native;

use super::trainer::Settings;
use crate::data::Samples;
use crate::error::{Error, Result};
use crate::nn::{Arch, Compute, Init, Layer, Net};
use crate::progress::Watch;
use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// What tells one member of an ensemble from the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Draws the weights, and the order of the samples where they come in batches.
    pub seed: u64,
    /// Learning rate of Adam.
    pub rate: f64,
}

/// How all members train. Adam with betas 0.9 and 0.999, epsilon 1e-8, as [`super::Trainer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The network: a perceptron.
    pub arch: Arch,
    /// How its weights are drawn.
    pub init: Init,
    /// Whether the activation's parameters are learnt, layer by layer.
    pub learn_activation: bool,
    /// Steps after which a member is given up.
    pub steps: usize,
    /// Samples per step; 0 takes all of them.
    pub batch: usize,
    /// Steps in which the learning rate halves, if it does.
    pub half_life: Option<f64>,
    /// Shares of right answers on the training samples; a member ends when it has reached all of
    /// them.
    pub targets: Vec<f64>,
    /// Steps between looks at the test samples; 0 looks at the end only.
    pub check_every: usize,
    /// Steps after which the weights are kept, for a trace.
    pub keep_at: Vec<usize>,
}

/// What became of a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grown {
    /// Which one it is.
    pub member: Member,
    /// Steps it took.
    pub steps: usize,
    /// Steps until each of the targets was reached.
    pub reached: Vec<Option<usize>>,
    /// Step at which its loss was not a number any more, or not finite.
    pub diverged: Option<usize>,
    /// Share of right answers on the training samples (of the last step's, where they come in
    /// batches), at the end.
    pub train_accuracy: f64,
    /// Share of right answers on the test samples, at the end.
    pub test_accuracy: f64,
    /// Right answers on the test samples after so many steps.
    pub checks: Vec<(usize, f64)>,
    /// Right answers on the training samples and loss before every step.
    #[serde(skip)]
    pub curve: Vec<(f64, f64)>,
    /// Parameters at the end, in the order of [`Grown::net`].
    #[serde(skip)]
    pub weights: Vec<f32>,
    /// Parameters after the steps that were to be kept.
    #[serde(skip)]
    pub kept: Vec<(usize, Vec<f32>)>,
}

impl Recipe {
    /// Sizes from the input to the logits.
    ///
    /// # Errors
    /// [`Error::Input`] for anything but a chain of linear layers and activations.
    fn widths(&self) -> Result<Vec<usize>> {
        self.arch.shapes()?;
        let mut widths = vec![self.arch.input.iter().product()];
        // Images come as vectors.
        let layers = self.arch.layers.strip_prefix(&[Layer::Flatten]).unwrap_or(&self.arch.layers);
        for (at, layer) in layers.iter().enumerate() {
            match *layer {
                Layer::Linear { output, .. } if at % 2 == 0 => widths.push(output),
                Layer::Activation { of: None } if at % 2 == 1 && at + 1 < layers.len() => {}
                _ => return Err(Error::input("an ensemble is of perceptrons: linear layers with activations between them")),
            }
        }
        Ok(widths)
    }

    fn learnt(&self) -> Vec<usize> {
        if self.learn_activation { self.arch.activation.trainable() } else { Vec::new() }
    }

    /// The weights that a member begins with: those of [`Net::with_init`].
    fn begin(&self, seed: u64, power: f64, layout: &kernel::Layout) -> Vec<f32> {
        let mut parameters = vec![0.0; layout.len];
        for (drawn, layer) in crate::nn::draw(&self.arch, seed, self.init, Some(power)).into_iter().zip(&layout.layers) {
            // A net's weights are [input, output].
            for (at, w) in drawn.into_iter().enumerate() {
                parameters[layer.at + at % layer.output * layer.input + at / layer.output] = w;
            }
        }
        let learnt: Vec<f32> = layout.learnt.iter().map(|&n| self.arch.activation.parameters()[n] as f32).collect();
        if !learnt.is_empty() {
            parameters[layout.learnt_at..].chunks_exact_mut(learnt.len()).for_each(|p| p.copy_from_slice(&learnt));
        }
        parameters
    }

    /// The learning rate of a step, counted from 0.
    fn rate(&self, member: &Member, step: usize) -> f64 {
        member.rate * self.half_life.map_or(1.0, |h| 0.5f64.powf(step as f64 / h))
    }
}

/// Mean square of the numbers of some samples.
pub(crate) fn power_of(samples: &Samples) -> f64 {
    let all: Vec<usize> = (0..samples.len().min(10_000)).collect();
    let numbers = samples.gather(&all);
    numbers.iter().map(|x| f64::from(x * x)).sum::<f64>() / numbers.len().max(1) as f64
}

/// Trains all members, in the order given, and hands each over when it has ended, in any order. A
/// member that diverges ends, and says so; the others go on.
///
/// # Errors
/// [`Error::Input`] for a recipe that is not for perceptrons, or does not fit the samples;
/// [`Error::Interrupted`] when stopped, after the members that have ended were handed over;
/// [`Error::Device`] when the device fails.
pub fn train_ensemble(
    recipe: &Recipe,
    members: &[Member],
    train: &Samples,
    test: &Samples,
    compute: &Compute,
    watch: &mut dyn Watch,
    take: &mut dyn FnMut(usize, Grown) -> Result<()>,
) -> Result<()> {
    let widths = recipe.widths()?;
    if train.width() != widths[0] || test.width() != widths[0] {
        return Err(Error::input(format!("samples have {} numbers, the network takes {}", train.width(), widths[0])));
    }
    if let Some(bad) = members.iter().find(|m| !(m.rate > 0.0 && m.rate.is_finite())) {
        return Err(Error::input(format!("the learning rate must be a number above 0, not {}", bad.rate)));
    }
    if train.is_empty() || recipe.steps == 0 {
        return Err(Error::input("an ensemble needs samples and at least one step"));
    }
    if crate::nn::bridge::is_wgpu(&compute.device) {
        return batched::train(recipe, members, train, test, compute, watch, take);
    }
    native::train(recipe, members, train, test, watch, take)
}

impl Grown {
    /// A member before its first step.
    fn new(member: Member, targets: usize) -> Self {
        Self {
            member,
            steps: 0,
            reached: vec![None; targets],
            diverged: None,
            train_accuracy: 0.0,
            test_accuracy: 0.0,
            checks: Vec::new(),
            curve: Vec::new(),
            weights: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Enters what was found before a step, and returns whether the member ends there: it diverged,
    /// or has reached all its targets.
    fn note(&mut self, step: usize, accuracy: f64, loss: f64, targets: &[f64]) -> bool {
        self.steps = step;
        self.train_accuracy = accuracy;
        self.curve.push((accuracy, loss));
        if !loss.is_finite() {
            self.diverged = Some(step);
            return true;
        }
        for (reached, &target) in self.reached.iter_mut().zip(targets) {
            if reached.is_none() && accuracy >= target {
                *reached = Some(step);
            }
        }
        !self.reached.is_empty() && self.reached.iter().all(Option::is_some)
    }

    /// The member's network.
    ///
    /// # Errors
    /// [`Error::Input`] when the architecture does not fit the weights.
    pub fn net(&self, recipe: &Recipe, device: &Device) -> Result<Net> {
        net_of(&self.weights, recipe, device)
    }

    /// The member's networks at the steps that were to be kept.
    ///
    /// # Errors
    /// As [`Grown::net`].
    pub fn kept_nets(&self, recipe: &Recipe, device: &Device) -> Result<Vec<(usize, Net)>> {
        self.kept.iter().map(|(step, weights)| Ok((*step, net_of(weights, recipe, device)?))).collect()
    }
}

fn net_of(weights: &[f32], recipe: &Recipe, device: &Device) -> Result<Net> {
    let layout = kernel::Layout::new(&recipe.widths()?, recipe.learnt());
    if weights.len() != layout.len {
        return Err(Error::input("the weights are those of another architecture"));
    }
    let mut arch = recipe.arch.clone();
    arch.learn_activation = recipe.learn_activation;
    let mut net = Net::new(&arch, 0, device)?;
    for (linear, layer) in net.linears_mut().zip(&layout.layers) {
        let (input, output) = (layer.input, layer.output);
        let (w, b) = weights[layer.at..layer.at + (input + 1) * output].split_at(input * output);
        let transposed: Vec<f32> = (0..input * output).map(|at| w[at % output * input + at / output]).collect();
        linear.weight = Param::from_tensor(Tensor::from_data(TensorData::new(transposed, [input, output]), device));
        linear.bias = Some(Param::from_tensor(Tensor::from_data(TensorData::new(b.to_vec(), [output]), device)));
    }
    let learnt = layout.learnt.len();
    if learnt > 0 {
        let values = weights[layout.learnt_at..].chunks_exact(learnt);
        for (shape, v) in net.learnt_mut().zip(values) {
            *shape = Param::from_tensor(Tensor::from_data(TensorData::new(v.to_vec(), [learnt]), device));
        }
    }
    Ok(net)
}

/// The order of the samples of an epoch: the one of [`super::Trainer`].
fn order(samples: &Samples, seed: u64, epoch: usize) -> Vec<usize> {
    samples.shuffled(Settings::epoch_seed(seed, epoch))
}
