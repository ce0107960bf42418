//! The GPU's way: one batched model, a member a slice of every tensor.

use super::kernel::Layout;
use super::{Grown, Member, Recipe, order, power_of};
use crate::data::Samples;
use crate::error::{Error, Result};
use crate::nn::{Activation, Compute, bridge};
use crate::progress::Watch;
use burn::tensor::{Device, Int, Tensor, TensorData, activation::log_softmax};

/// Steps between looks at the accuracies, which wait for the device. A target counts at the step at
/// which it was reached all the same: every step's right answers stay on the device until then.
const LOOK: usize = 16;

/// A network's tensors, one slice per member.
struct Model {
    weights: Vec<Tensor<3>>,
    biases: Vec<Tensor<3>>,
}

/// Where a tensor's moments are kept.
struct Moments {
    mean: Tensor<3>,
    square: Tensor<3>,
}

impl Model {
    /// From parameter vectors, `[output, input]` and biases, one per member.
    fn new(parameters: &[Vec<f32>], layout: &Layout, device: &Device) -> Self {
        let members = parameters.len();
        let tensor = |range: std::ops::Range<usize>, shape: [usize; 2]| {
            let data: Vec<f32> = parameters.iter().flat_map(|p| p[range.clone()].to_vec()).collect();
            Tensor::<3>::from_data(TensorData::new(data, [members, shape[0], shape[1]]), device)
        };
        let split = |l: &super::kernel::Linear| l.at + l.input * l.output;
        Self {
            weights: layout.layers.iter().map(|l| tensor(l.at..split(l), [l.output, l.input]).swap_dims(1, 2)).collect(),
            biases: layout.layers.iter().map(|l| tensor(split(l)..split(l) + l.output, [1, l.output])).collect(),
        }
    }

    fn parameters(&self, member: usize) -> Result<Vec<f32>> {
        let mut all = Vec::new();
        for (w, b) in self.weights.iter().zip(&self.biases) {
            all.extend(bridge::read(w.clone().narrow(0, member, 1).swap_dims(1, 2))?);
            all.extend(bridge::read(b.clone().narrow(0, member, 1))?);
        }
        Ok(all)
    }

    /// Logits `[members, samples, classes]`.
    fn forward(&self, x: Tensor<3>, activation: &Activation) -> Tensor<3> {
        let mut flow = x;
        for (l, (w, b)) in self.weights.iter().zip(&self.biases).enumerate() {
            flow = flow.matmul(w.clone()) + b.clone();
            if l + 1 < self.weights.len() {
                flow = activation.members(flow);
            }
        }
        flow
    }

    fn each(&mut self, mut f: impl FnMut(usize, Tensor<3>) -> Tensor<3>) {
        for (at, t) in self.weights.iter_mut().chain(&mut self.biases).enumerate() {
            *t = f(at, t.clone());
        }
    }

    fn all(&self) -> impl Iterator<Item = &Tensor<3>> {
        self.weights.iter().chain(&self.biases)
    }
}

/// Samples on the device, once for all members.
fn upload(samples: &Samples, which: &[usize], members: usize, device: &Device) -> (Tensor<3>, Tensor<3, Int>) {
    let labels: Vec<i32> = which.iter().map(|&i| i32::from(samples.labels[i])).collect();
    let x = Tensor::<3>::from_data(TensorData::new(samples.gather(which), [1, which.len(), samples.width()]), device);
    let y = Tensor::<3, Int>::from_data(TensorData::new(labels, [1, which.len(), 1]), device);
    (x.repeat_dim(0, members), y.repeat_dim(0, members))
}

/// Right answers of every member.
fn right(logits: Tensor<3>, labels: Tensor<3, Int>) -> Tensor<1> {
    let members = logits.dims()[0];
    logits.argmax(2).equal(labels).float().sum_dim(1).reshape([members])
}

pub(super) fn train(
    recipe: &Recipe,
    members: &[Member],
    train: &Samples,
    test: &Samples,
    compute: &Compute,
    watch: &mut dyn Watch,
    take: &mut dyn FnMut(usize, Grown) -> Result<()>,
) -> Result<()> {
    if recipe.learn_activation {
        return Err(Error::setting("learnt activation parameters in an ensemble: use the native engine", &["engine cpu"]));
    }
    if recipe.batch != 0 && recipe.batch < train.len() {
        // One batched model cannot give every member an order of its own without a copy of the
        // samples for each.
        let message = "ensembles with batches of samples: use the native engine, or all samples a step";
        return Err(Error::setting(message, &["engine cpu", "batch"]));
    }
    let layout = Layout::new(&recipe.widths()?, Vec::new());
    let power = power_of(train);
    let mut at = 0;
    while at < members.len() {
        let group = &members[at..members.len().min(at + most_members(recipe, train))];
        run(recipe, group, at, &layout, power, (train, test), compute, watch, take)?;
        at += group.len();
    }
    Ok(())
}

/// Members whose activations and their gradients take about 2 GiB.
fn most_members(recipe: &Recipe, train: &Samples) -> usize {
    let numbers: usize = recipe.widths().map_or(1, |w| w.iter().sum());
    ((2 << 30) / (16 * numbers * train.len()).max(1)).max(1)
}

#[allow(clippy::too_many_arguments, reason = "what a group needs, once")]
fn run(
    recipe: &Recipe,
    members: &[Member],
    first: usize,
    layout: &Layout,
    power: f64,
    (train, test): (&Samples, &Samples),
    compute: &Compute,
    watch: &mut dyn Watch,
    take: &mut dyn FnMut(usize, Grown) -> Result<()>,
) -> Result<()> {
    let plain = &compute.device;
    let device = plain.clone().autodiff();
    let begin: Vec<Vec<f32>> = members.iter().map(|m| recipe.begin(m.seed, power, layout)).collect();
    let mut model = Model::new(&begin, layout, &device);
    let zeros = |t: &Tensor<3>| Tensor::<3>::zeros(t.dims(), plain);
    let mut moments: Vec<Moments> = model.all().map(|t| Moments { mean: zeros(t), square: zeros(t) }).collect();
    let whole = order(train, 0, 0);
    let (x, y) = upload(train, &whole, members.len(), &device);
    let every: Vec<usize> = (0..test.len()).collect();
    let (test_x, test_y) = upload(test, &every, members.len(), plain);
    let rates = |step: usize| {
        let data: Vec<f32> = members.iter().map(|m| recipe.rate(m, step) as f32).collect();
        Tensor::<3>::from_data(TensorData::new(data, [members.len(), 1, 1]), plain)
    };
    let mut grown: Vec<Grown> = members.iter().map(|&m| Grown::new(m, recipe.targets.len())).collect();
    let mut over = vec![false; members.len()];
    let mut waiting: Vec<(usize, Tensor<1>)> = Vec::new();
    for step in 0..=recipe.steps {
        if watch.stopped() {
            return Err(Error::Interrupted("stopped; what has ended is kept".into()));
        }
        if recipe.keep_at.contains(&step) {
            for (m, g) in grown.iter_mut().enumerate().filter(|(m, _)| !over[*m]) {
                g.kept.push((step, model.parameters(m)?));
            }
        }
        if recipe.check_every > 0 && step % recipe.check_every == 0 {
            let found = test_accuracies(&model, &test_x, &test_y, recipe, test.len())?;
            grown.iter_mut().zip(found).zip(&over).filter(|(_, e)| !**e).for_each(|((g, a), _)| g.checks.push((step, a)));
        }
        model.each(|_, t| t.require_grad());
        let logits = model.forward(x.clone(), &recipe.arch.activation);
        let losses = log_softmax(logits.clone(), 2).gather(2, y.clone()).mean_dim(1).reshape([members.len()]).neg();
        let answers = right(logits.inner(), y.clone().inner());
        waiting.push((step, Tensor::cat(vec![answers, losses.clone().inner()], 0)));
        let look = waiting.len() == LOOK || step == recipe.steps;
        // Every member's gradient is that of its own mean loss.
        let gradients = losses.sum().backward();
        if look {
            for (step, numbers) in waiting.drain(..) {
                let numbers = bridge::read(numbers)?;
                for (m, over) in over.iter_mut().enumerate().filter(|(_, over)| !**over) {
                    let accuracy = f64::from(numbers[m]) / train.len() as f64;
                    *over = grown[m].note(step, accuracy, f64::from(numbers[members.len() + m]), &recipe.targets);
                }
            }
            // At most a look later than the step that counts.
            let ends = |m: &usize| (over[*m] || step == recipe.steps) && grown[*m].weights.is_empty();
            let ending: Vec<usize> = (0..members.len()).filter(ends).collect();
            if !ending.is_empty() {
                let found = test_accuracies(&model, &test_x, &test_y, recipe, test.len())?;
                for m in ending {
                    grown[m].weights = model.parameters(m)?;
                    grown[m].test_accuracy = found[m];
                    take(first + m, grown[m].clone())?;
                }
            }
            let through = grown.iter().filter(|g| !g.weights.is_empty()).count();
            watch.at("members of an ensemble", (first + through) as u64, (first + members.len()) as u64);
            if through == members.len() {
                return Ok(());
            }
        }
        let rate = rates(step);
        let (mean_scale, square_scale) =
            (1.0 / (1.0 - 0.9f64.powi(step as i32 + 1)), 1.0 / (1.0 - 0.999f64.powi(step as i32 + 1)));
        model.each(|at, t| {
            let Some(g) = t.grad(&gradients) else { return t };
            let Moments { mean, square } = &mut moments[at];
            *mean = mean.clone() * 0.9 + g.clone() * 0.1;
            *square = square.clone() * 0.999 + g.clone() * g * 0.001;
            let change = mean.clone() * mean_scale / ((square.clone() * square_scale).sqrt() + 1e-8);
            Tensor::from_inner(t.inner() - change * rate.clone())
        });
    }
    Ok(())
}

fn test_accuracies(model: &Model, x: &Tensor<3>, y: &Tensor<3, Int>, recipe: &Recipe, count: usize) -> Result<Vec<f64>> {
    let plain = Model {
        weights: model.weights.iter().map(|t| t.clone().inner()).collect(),
        biases: model.biases.iter().map(|t| t.clone().inner()).collect(),
    };
    let found = bridge::read(right(plain.forward(x.clone(), &recipe.arch.activation), y.clone()))?;
    Ok(found.into_iter().map(|r| f64::from(r) / count.max(1) as f64).collect())
}
