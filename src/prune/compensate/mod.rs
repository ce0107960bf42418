//! Compensation: what is left of a network learns in closed form to give what the whole one gave.
//!
//! Layer by layer, in the order of a pass, the weights of every layer that reads cut channels are
//! chosen anew by ridge regression: inputs are those of the cut network as it has become by then,
//! targets what the whole network's layer gives, on some images, at some places of each. No labels,
//! no gradients. Where He, Zhang and Sun ("Channel pruning for accelerating very deep neural
//! networks", arXiv 1707.06168) take lasso and whole layers, filters are chosen here by any
//! criterion before. Three things matter (docs/pruning.md has the measurements):
//!
//! - The last convolution of a residual block is fitted to the block's *sum*: the whole network's
//!   sum less what the shortcut carries in the cut network. So a block repairs what the blocks
//!   before it lost.
//! - The intercept goes into the running mean of the norm behind the layer, or into its bias. Norms
//!   are not measured anew: a least-squares output has less variance than its target, rightly, and
//!   would be blown up again.
//! - The ridge pulls towards the weights that are there, not towards zero.

mod goal;
mod states;

use super::criteria::{Read, eliminate};
use super::gram::{Fit, Gram, Moments};
use super::patches::Places;
use super::scoring::{SampleOptions, chosen_of};
use super::surgery::{self, Keep, index, rows as planes};
use crate::data::Samples;
use crate::error::{Error, Result};
use crate::nn::{Compute, Flow, Group, Layer, Net, Pass, Window, bridge};
use crate::progress::Watch;
use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor, TensorData};
use faer::Mat;
use goal::{Goal, earlier};
use serde::{Deserialize, Serialize};
use states::{Both, MOST_BYTES, States};
use std::collections::BTreeMap;

/// How weights are fitted anew.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compensation {
    /// Training images, without their labels.
    pub images: usize,
    /// Places of each image at which a convolution is fitted, by chance.
    pub places: usize,
    /// Pull towards the weights that are there, in units of the mean variance of an input.
    pub ridge: f64,
    /// Decides images and places.
    pub seed: u64,
}

impl Default for Compensation {
    fn default() -> Self {
        Self { images: 512, places: 32, ridge: 0.1, seed: 0 }
    }
}

impl Compensation {
    /// The usual numbers, with no more images than there are.
    pub fn of_at_most(images: usize, seed: u64) -> Self {
        let usual = Self::default();
        Self { images: usual.images.min(images), seed, ..usual }
    }

    /// Whether the numbers make sense.
    ///
    /// # Errors
    /// [`Error::Input`] with the one that does not.
    pub fn check(&self) -> Result<()> {
        if self.images < 2 || self.places == 0 {
            return Err(Error::input("a compensation needs at least 2 images and a place of each"));
        }
        if !(self.ridge >= 0.0 && self.ridge.is_finite()) {
            return Err(Error::input("the ridge of the compensation must be a number, 0 or more"));
        }
        Ok(())
    }
}

/// What became of one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refit {
    /// Its name.
    pub layer: String,
    /// Numbers that each of its outputs is made of.
    pub inputs: usize,
    /// Rows of the least squares: places of images, or images.
    pub rows: usize,
    /// The share of its target's variance that the weights before missed.
    pub missed_before: f64,
    /// The share that the new ones miss.
    pub missed_after: f64,
    /// The ridge that was used: more than was asked for where the inputs' matrix is singular.
    pub ridge: f64,
}

/// Fits the weights of `cut`, which has the filters of `whole` that `keep` names, so that it gives
/// what `whole` gives.
///
/// # Errors
/// [`Error::Input`] for options that make no sense, more images than there are, or numbers that are
/// not finite; [`Error::Interrupted`]; [`Error::Device`].
pub fn compensate(
    whole: &Net,
    cut: &Net,
    keep: &Keep,
    samples: &Samples,
    compute: &Compute,
    options: &Compensation,
    watch: &mut dyn Watch,
) -> Result<(Net, Vec<Refit>)> {
    let (net, _, report) = compensate_choosing(whole, cut, keep, &Choices::new(), samples, compute, options, watch)?;
    Ok((net, report))
}

/// Cuts a network to the filters that `keep` names and, where `by` is given, fits what is left.
///
/// # Errors
/// As [`super::cut()`] and [`compensate`].
pub fn cut_and_compensate(
    whole: &Net,
    keep: &Keep,
    samples: &Samples,
    compute: &Compute,
    by: Option<&Compensation>,
    watch: &mut dyn Watch,
) -> Result<Net> {
    let cut = surgery::cut(whole, keep, &compute.device)?;
    match by {
        Some(by) => Ok(compensate(whole, &cut, keep, samples, compute, by, watch)?.0),
        None => Ok(cut),
    }
}

/// How the filters of a group are chosen in the middle of a compensation.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// How many stay.
    pub stays: usize,
    /// How much each output of the group's reader counts.
    pub counts: Vec<f64>,
}

/// Choices by the groups' leaders. The groups have one reader each, and `cut` has all of their
/// filters still.
pub(super) type Choices = BTreeMap<usize, Choice>;

/// [`compensate`], where the filters of some groups are chosen when it comes to what reads them: by
/// what the reader, fitted anew, loses of its target, given what the network before it gives by
/// then. Returns which of the filters that `cut` has stay, group by group.
///
/// # Errors
/// As [`compensate`].
#[allow(clippy::too_many_arguments, reason = "two networks, what is known of them, and what to do")]
pub(super) fn compensate_choosing(
    whole: &Net,
    cut: &Net,
    keep: &Keep,
    choices: &Choices,
    samples: &Samples,
    compute: &Compute,
    options: &Compensation,
    watch: &mut dyn Watch,
) -> Result<(Net, Keep, Vec<Refit>)> {
    options.check()?;
    let which = chosen_of(samples, SampleOptions { samples: options.images, seed: options.seed })?;
    let states = States::new(whole, samples, &which, &compute.device, MOST_BYTES)?;
    compensate_on(states, whole, cut, keep, choices, options, watch)
}

fn compensate_on(
    mut states: States<'_>,
    whole: &Net,
    cut: &Net,
    keep: &Keep,
    choices: &Choices,
    options: &Compensation,
    watch: &mut dyn Watch,
) -> Result<(Net, Keep, Vec<Refit>)> {
    let (whole, mut cut) = (whole.valid(), cut.valid());
    let groups = cut.arch.groups()?;
    let mut chosen = Keep::new();
    let kept = kept_outputs(&whole, keep)?;
    let names = whole.arch.weight_names();
    let last = whole.arch.layers.iter().rposition(|l| matches!(l, Layer::Conv { .. } | Layer::Linear { .. })).unwrap_or(0);
    let (mut differs, mut report) = (false, Vec::new());
    for (at, kept) in kept.iter().enumerate().take(last + 1) {
        if watch.stopped() {
            return Err(Error::Interrupted("stopped while compensating".into()));
        }
        let inputs = |net: &Net| match net.arch.layers[at] {
            // A convolution in parts has an input of its own for each; it stays as it is.
            Layer::Conv { input, kernel, groups: 1, .. } => Some(input * kernel.area()),
            Layer::Linear { input, .. } => Some(input),
            _ => None,
        };
        // Up to the first layer that has lost an input, the cut network gives what the whole one
        // does.
        let reads = |g: &&Group| choices.contains_key(&g.leader()) && g.readers.iter().any(|r| r.layer() == at);
        let to_choose = groups.iter().find(reads).and_then(|g| Some((g, choices.get(&g.leader())?)));
        differs |= to_choose.is_some() || inputs(&whole) != inputs(&cut);
        // One of which a single channel is left is in one part, too.
        if !differs || inputs(&whole).is_none() || inputs(&cut).is_none() {
            states.each(|both| Both { whole: whole.advance(both.whole), cut: cut.advance(both.cut) });
            continue;
        }
        let (goal, mut moments) = observe(&mut states, &whole, &cut, at, kept.as_deref(), options)?;
        if let Some((group, choice)) = to_choose {
            let start = weights_of(&cut, at)?;
            let stay = choose(&moments, &start, group.filters, choice)?;
            let block = start.nrows() / group.filters;
            moments = moments.of_inputs(&planes(&stay, block));
            let device = cut.conv(group.leader()).weight.val().device();
            cut = surgery::cut(&cut, &Keep::from([(group.leader(), stay.clone())]), &device)?;
            states.each(|both| Both { whole: both.whole, cut: narrowed(both.cut, &stay, group.filters) });
            chosen.insert(group.leader(), stay);
        }
        let fit = moments.fit(&weights_of(&cut, at)?, options.ridge)?;
        report.push(Refit {
            layer: names.iter().find(|(i, _)| *i == at).map_or(String::new(), |(_, n)| n.clone()),
            inputs: fit.weights.nrows(),
            rows: moments.rows,
            missed_before: fit.missed[0],
            missed_after: fit.missed[1],
            ridge: fit.ridge,
        });
        let intercept = Intercept::of(&cut, at, &goal);
        put(&mut cut, at, &fit, intercept);
        states.each(|both| Both { whole: both.whole, cut: cut.advance(both.cut) });
        watch.at("layers compensated", at as u64 + 1, last as u64 + 1);
    }
    Ok((cut, chosen, report))
}

/// The filters that stay: greedy elimination of those that the others replace best, once refitted
/// to the target.
fn choose(moments: &Moments, start: &Mat<f64>, filters: usize, choice: &Choice) -> Result<Vec<usize>> {
    let fitted = moments.fit(start, CHOICE_RIDGE)?.weights;
    let scores = eliminate(&[&Read::new(moments.gram.clone(), &fitted, &choice.counts)], filters)?;
    let mut order: Vec<usize> = (0..filters).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order.truncate(choice.stays);
    order.sort_unstable();
    Ok(order)
}

/// The ridge of the weights whose loss is compared.
const CHOICE_RIDGE: f64 = 1e-3;

/// A pass in which some of a layer's filters are gone from what flows.
fn narrowed(mut pass: Pass, stay: &[usize], filters: usize) -> Pass {
    pass.flow = match pass.flow {
        Flow::Maps(x) => {
            let which = index(stay, &x.device());
            Flow::Maps(x.select(1, which))
        }
        Flow::Flat(x) => {
            let which = index(&planes(stay, x.dims()[1] / filters), &x.device());
            Flow::Flat(x.select(1, which))
        }
    };
    pass
}

/// For every layer the channels of its output that the cut network has, where those are not all.
fn kept_outputs(whole: &Net, keep: &Keep) -> Result<Vec<Option<Vec<usize>>>> {
    let mut kept = vec![None; whole.arch.layers.len()];
    for group in whole.arch.groups()? {
        if let Some(filters) = keep.get(&group.leader()) {
            group.convs.iter().for_each(|&at| kept[at] = Some(filters.clone()));
        }
    }
    Ok(kept)
}

/// Where the intercept of a fit goes.
#[derive(Clone, Copy, Debug)]
enum Intercept {
    /// Into the layer's own bias.
    Bias,
    /// Into the running mean of the norm behind it.
    Norm(usize),
    /// Nowhere: the fit has none.
    Nowhere,
}

impl Intercept {
    fn of(net: &Net, at: usize, goal: &Goal) -> Self {
        let has_bias = match net.arch.layers[at] {
            Layer::Conv { .. } => net.conv(at).bias.is_some(),
            _ => net.linear(at).bias.is_some(),
        };
        if has_bias { Self::Bias } else { goal.norm.map_or(Self::Nowhere, Self::Norm) }
    }
}

/// What layer `at` reads and should give; the passes of the whole network then stand behind it,
/// those of the cut one before it.
fn observe(
    states: &mut States<'_>,
    whole: &Net,
    cut: &Net,
    at: usize,
    kept: Option<&[usize]>,
    options: &Compensation,
) -> Result<(Goal, Moments)> {
    let goal = Goal::of(&whole.arch, at);
    let mut gram = Gram::default();
    for batch in 0..states.batches() {
        let Both { whole: of_whole, cut: of_cut } = states.take(batch, at, whole, cut);
        let input = of_cut.flow.clone();
        let other = goal.other.and_then(|o| earlier(whole, &of_whole, o).zip(earlier(cut, &of_cut, o)));
        let given = whole.apply(at, of_whole.flow, &|_| None);
        let behind_norm = match goal.norm {
            Some(norm) => whole.apply(norm, given.clone(), &|_| None),
            None => given.clone(),
        };
        let seed = Places::seed(options.seed, at, batch);
        let (u, z) = rows(cut, at, input, behind_norm, other, kept, options.places, states.images(batch), seed);
        gram.add(u, before_norm(cut, goal.norm, z));
        states.put(batch, Both { whole: whole.behind(at, given, of_whole.kept), cut: of_cut });
    }
    let centred = !matches!(Intercept::of(cut, at, &goal), Intercept::Nowhere);
    Ok((goal, gram.moments(centred)?))
}

/// What the layer reads in the cut network, and what should come out behind its norm, row by row.
#[allow(clippy::too_many_arguments, reason = "one layer on one batch of two networks")]
fn rows(
    cut: &Net,
    at: usize,
    input: Flow,
    given: Flow,
    other: Option<(Flow, Flow)>,
    kept: Option<&[usize]>,
    places: usize,
    images: usize,
    seed: u64,
) -> (Tensor<2>, Tensor<2>) {
    let only = |z: Tensor<2>| match kept {
        Some(kept) => {
            let which = index(kept, &z.device());
            z.select(1, which)
        }
        None => z,
    };
    match (Window::of(&cut.arch.layers[at]), input, given) {
        (Some(kernel), Flow::Maps(x), Flow::Maps(z)) => {
            let [_, _, height, width] = z.dims();
            let places = Places::draw(images, [height, width], places, seed);
            let pick = |flow: Flow| match flow {
                Flow::Maps(maps) => places.pick(maps),
                Flow::Flat(flat) => flat,
            };
            let target = match other {
                Some((whole, cut)) => only(pick(Flow::Maps(z).plus(whole))) - pick(cut),
                None => only(places.pick(z)),
            };
            (places.patches(x, kernel), target)
        }
        (_, x, z) => match other {
            Some((whole, cut)) => (x.flat(), only(z.plus(whole).flat()) - cut.flat()),
            None => (x.flat(), only(z.flat())),
        },
    }
}

/// A norm's scale below this is taken for this: what it gives hardly depends on what comes in.
const LEAST_SCALE: f32 = 1e-4;

/// What a norm has to be given so that it gives `z`.
fn before_norm(net: &Net, norm: Option<usize>, z: Tensor<2>) -> Tensor<2> {
    let Some(at) = norm else { return z };
    let norm = net.norm(at);
    let gamma = norm.gamma.val();
    let small = gamma.clone().abs().lower_elem(LEAST_SCALE);
    let gamma = gamma.mask_fill(small, LEAST_SCALE);
    let per_scale = (norm.running_var.value_sync() + norm.epsilon).sqrt() / gamma;
    (z - norm.beta.val().unsqueeze::<2>()) * per_scale.unsqueeze::<2>() + norm.running_mean.value_sync().unsqueeze::<2>()
}

/// The weights of a layer, `[inputs, outputs]`.
pub(super) fn weights_of(net: &Net, at: usize) -> Result<Mat<f64>> {
    Ok(match net.arch.layers[at] {
        Layer::Conv { .. } => {
            let weight = net.conv(at).weight.val();
            let [outputs, channels, height, width] = weight.dims();
            let (inputs, numbers) = (channels * height * width, bridge::read(weight)?);
            Mat::from_fn(inputs, outputs, |i, o| f64::from(numbers[o * inputs + i]))
        }
        _ => {
            let weight = net.linear(at).weight.val();
            let [inputs, outputs] = weight.dims();
            let numbers = bridge::read(weight)?;
            Mat::from_fn(inputs, outputs, |i, o| f64::from(numbers[i * outputs + o]))
        }
    })
}

/// Puts what was found into the network: weights and intercept.
fn put(net: &mut Net, at: usize, fit: &Fit, intercept: Intercept) {
    let weights = &fit.weights;
    let (inputs, outputs) = (weights.nrows(), weights.ncols());
    let found = |device: &Device| {
        let numbers: Vec<f32> = fit.intercept.iter().map(|&b| b as f32).collect();
        Tensor::<1>::from_data(numbers.as_slice(), device)
    };
    let bias = |device: &Device| matches!(intercept, Intercept::Bias).then(|| Param::from_tensor(found(device)));
    if let Layer::Conv { .. } = net.arch.layers[at] {
        let conv = net.conv_mut(at);
        let (shape, device) = (conv.weight.val().dims(), conv.weight.val().device());
        let numbers: Vec<f32> = (0..outputs).flat_map(|o| (0..inputs).map(move |i| weights[(i, o)] as f32)).collect();
        conv.weight = Param::from_tensor(Tensor::from_data(TensorData::new(numbers, shape), &device));
        conv.bias = bias(&device).or(conv.bias.take());
    } else {
        let linear = net.linear_mut(at);
        let device = linear.weight.val().device();
        let numbers: Vec<f32> = (0..inputs).flat_map(|i| (0..outputs).map(move |o| weights[(i, o)] as f32)).collect();
        linear.weight = Param::from_tensor(Tensor::from_data(TensorData::new(numbers, [inputs, outputs]), &device));
        linear.bias = bias(&device).or(linear.bias.take());
    }
    if let Intercept::Norm(norm) = intercept {
        let norm = net.norm_mut(norm);
        let mean = norm.running_mean.value_sync();
        norm.running_mean = RunningState::new((mean.clone() - found(&mean.device())).detach());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Arch, zoo};
    use crate::progress::Unwatched;
    use crate::prune::criteria::testing::waves;
    use crate::prune::cut;

    fn archs() -> Vec<Arch> {
        let act = |name: &str| Activation::parse(name).unwrap();
        vec![
            Arch::cnn([1, 8, 8], &[6, 8], 7, 3, act("relu")).unwrap(),
            Arch::cnn([1, 8, 8], &[6, 8], 7, 3, act("tanh")).unwrap().without_norms(),
            zoo::named("resnet20:0.5", [1, 8, 8], 3, act("relu")).unwrap(),
        ]
    }

    /// Norms that do something.
    fn uneven(arch: &Arch, seed: u64) -> Net {
        let compute = Compute::cpu();
        let mut net = Net::new(arch, seed, &compute.device).unwrap();
        for (i, norm) in net.norms_mut().enumerate() {
            let n = norm.gamma.val().dims()[0];
            let wave = |k: f32| {
                let numbers: Vec<f32> = (0..n).map(|j| (k * (j + 3 * i) as f32).sin() * 0.3).collect();
                Tensor::<1>::from_data(numbers.as_slice(), &compute.device)
            };
            norm.gamma = Param::from_tensor(wave(1.0) + 1.0);
            norm.beta = Param::from_tensor(wave(2.0));
            norm.running_mean = RunningState::new(wave(3.0));
            norm.running_var = RunningState::new(wave(4.0) + 1.0);
        }
        net
    }

    fn logits(net: &Net, samples: &Samples) -> Vec<f32> {
        crate::train::logits(net, samples, &Compute::cpu().device, &mut Unwatched).unwrap()
    }

    fn apart(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>() / a.len() as f64
    }

    fn two_thirds(arch: &Arch) -> Keep {
        arch.groups().unwrap().iter().map(|g| (g.leader(), (0..g.filters).filter(|f| f % 3 != 1).collect())).collect()
    }

    /// Filters that are copies of others can go without loss, whatever the network: what reads them
    /// finds it in the others.
    #[test]
    fn copies_are_not_missed() {
        let compute = Compute::cpu();
        let samples = waves(300);
        for arch in archs() {
            let mut net = uneven(&arch, 3);
            let mut keep = Keep::new();
            // Of each convolution with a group of its own the second filter becomes the first.
            for group in arch.groups().unwrap().into_iter().filter(|g| !g.is_coupled()) {
                let conv = net.conv_mut(group.convs[0]);
                let twin = |t: Tensor<4>| {
                    let n = t.dims()[0];
                    Tensor::cat(vec![t.clone().slice_dim(0, 0..1), t.clone().slice_dim(0, 0..1), t.slice_dim(0, 2..n)], 0)
                };
                let twin_of_vector = |t: Tensor<1>| {
                    let n = t.dims()[0];
                    Tensor::cat(vec![t.clone().slice_dim(0, 0..1), t.clone().slice_dim(0, 0..1), t.slice_dim(0, 2..n)], 0)
                };
                conv.weight = Param::from_tensor(twin(conv.weight.val()));
                conv.bias = conv.bias.as_ref().map(|b| Param::from_tensor(twin_of_vector(b.val())));
                for &at in &group.norms {
                    let norm = net.norm_mut(at);
                    norm.gamma = Param::from_tensor(twin_of_vector(norm.gamma.val()));
                    norm.beta = Param::from_tensor(twin_of_vector(norm.beta.val()));
                    norm.running_mean = RunningState::new(twin_of_vector(norm.running_mean.value_sync()));
                    norm.running_var = RunningState::new(twin_of_vector(norm.running_var.value_sync()));
                }
                keep.insert(group.leader(), (0..group.filters).filter(|&f| f != 1).collect());
            }
            let small = cut(&net, &keep, &compute.device).unwrap();
            let options = Compensation { images: 300, places: 64, ridge: 1e-7, seed: 0 };
            let (fitted, report) = compensate(&net, &small, &keep, &samples, &compute, &options, &mut Unwatched).unwrap();
            let (want, before, after) = (logits(&net, &samples), logits(&small, &samples), logits(&fitted, &samples));
            let size = apart(&want, &vec![0.0; want.len()]);
            assert!(apart(&want, &before) > 1e-3 * size, "{}: nothing was lost at first", arch.name);
            assert!(apart(&want, &after) < 1e-6 * size, "{}: {} of {size}", arch.name, apart(&want, &after));
            assert!(report.iter().all(|r| r.missed_after <= r.missed_before + 1e-6), "{report:?}");
            assert_eq!(fitted.parameters(), small.parameters());
        }
    }

    /// A third of every group gone, residual streams too: samples that the fit has not seen lose
    /// much less than without it.
    #[test]
    fn less_is_lost_on_other_samples() {
        let compute = Compute::cpu();
        let samples = waves(900);
        let (seen, unseen) = (samples.select(&(0..500).collect::<Vec<_>>()), samples.select(&(500..900).collect::<Vec<_>>()));
        for arch in archs() {
            let net = uneven(&arch, 5);
            let keep = two_thirds(&arch);
            let small = cut(&net, &keep, &compute.device).unwrap();
            let options = Compensation { images: 500, ..Compensation::default() };
            let (fitted, _) = compensate(&net, &small, &keep, &seen, &compute, &options, &mut Unwatched).unwrap();
            let want = logits(&net, &unseen);
            let (before, after) = (apart(&want, &logits(&small, &unseen)), apart(&want, &logits(&fitted, &unseen)));
            assert!(after < 0.5 * before, "{}: {after} against {before}", arch.name);
        }
    }

    /// What does not fit into memory is computed again, with the same result.
    #[test]
    fn memory_changes_nothing() {
        let compute = Compute::cpu();
        let samples = waves(400);
        let arch = &archs()[2];
        let net = uneven(arch, 6);
        let keep = two_thirds(arch);
        let small = cut(&net, &keep, &compute.device).unwrap();
        let options = Compensation { images: 400, ..Compensation::default() };
        let which = chosen_of(&samples, SampleOptions { samples: 400, seed: 0 }).unwrap();
        let with = |bytes: usize| {
            let states = States::new(&net, &samples, &which, &compute.device, bytes).unwrap();
            let (net, _, report) = compensate_on(states, &net, &small, &keep, &Choices::new(), &options, &mut Unwatched).unwrap();
            (net, report)
        };
        let ((kept, a), (again, b)) = (with(MOST_BYTES), with(0));
        assert_eq!(logits(&kept, &samples), logits(&again, &samples));
        assert_eq!(a, b);
    }

    /// A depthwise convolution stays as it is, also where one channel of it is left.
    #[test]
    fn one_channel_of_a_depthwise_convolution() {
        let compute = Compute::cpu();
        let samples = waves(24);
        let shape = [samples.shape[0], samples.shape[1], samples.shape[2]];
        let relu = Activation::parse("relu").unwrap();
        let arch = zoo::named("mobilenet:0.06", shape, 3, relu).unwrap();
        let net = uneven(&arch, 3);
        let keep: Keep = arch.groups().unwrap().iter().map(|g| (g.leader(), vec![0])).collect();
        let small = cut(&net, &keep, &compute.device).unwrap();
        let options = Compensation { images: 24, ..Compensation::default() };
        let (fitted, report) = compensate(&net, &small, &keep, &samples, &compute, &options, &mut Unwatched).unwrap();
        assert!(logits(&fitted, &samples).iter().all(|x| x.is_finite()));
        assert!(report.iter().all(|r| !r.layer.contains("depthwise")) && !report.is_empty(), "{report:?}");
    }

    #[test]
    fn few_images_and_wrong_options() {
        let compute = Compute::cpu();
        let samples = waves(40);
        let arch = &archs()[0];
        let net = uneven(arch, 7);
        let keep = two_thirds(arch);
        let small = cut(&net, &keep, &compute.device).unwrap();
        let run = |options: &Compensation| compensate(&net, &small, &keep, &samples, &compute, options, &mut Unwatched);
        // Fewer images than inputs, no ridge: the matrix is singular, and says what it needed.
        let (fitted, report) = run(&Compensation { images: 4, ridge: 0.0, ..Compensation::default() }).unwrap();
        assert!(logits(&fitted, &samples).iter().all(|x| x.is_finite()));
        let last: Vec<&Refit> = report.iter().filter(|r| r.rows < r.inputs).collect();
        assert!(!last.is_empty() && last.iter().all(|r| r.ridge > 0.0), "{report:?}");
        for bad in [
            Compensation { images: 41, ..Compensation::default() },
            Compensation { images: 1, ..Compensation::default() },
            Compensation { images: 20, places: 0, ..Compensation::default() },
            Compensation { images: 20, ridge: -1.0, ..Compensation::default() },
        ] {
            assert_eq!(run(&bad).unwrap_err().exit_code(), 2, "{bad:?}");
        }
        let mut wild = net.clone();
        let second = wild.convs_mut().nth(1).unwrap();
        second.weight = Param::from_tensor(second.weight.val() * f32::INFINITY);
        let options = Compensation { images: 20, ..Compensation::default() };
        let refused = compensate(&wild, &small, &keep, &samples, &compute, &options, &mut Unwatched).unwrap_err();
        assert!(refused.to_string().contains("not finite"), "{refused}");
    }
}
