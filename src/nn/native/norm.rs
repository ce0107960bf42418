//! Batch norm by three passes over a channel that stays in the cache, and its gradient by two. What
//! a residual block adds, and the activation function behind, belong to the same passes.

use super::spare::{Held, room};
use super::{Host, in_order, is_host, numbers, record, tensor};
use crate::nn::Activation;
use burn::backend::{Autodiff, Flex};
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use rayon::prelude::*;
use std::sync::Arc;

/// Sums that a vector unit takes side by side.
const LANES: usize = 16;

/// The sum of what `f` makes of every number and its partner.
fn sum(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f64 {
    let mut lanes = [0f32; LANES];
    let (whole, whole_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (rest, rest_b) = (whole.remainder(), whole_b.remainder());
    for (a, b) in whole.zip(whole_b) {
        lanes.iter_mut().zip(a.iter().zip(b)).for_each(|(lane, (a, b))| *lane += f(*a, *b));
    }
    let rest: f32 = rest.iter().zip(rest_b).map(|(a, b)| f(*a, *b)).sum();
    lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>() + f64::from(rest)
}

/// The planes of a channel, to be written.
type Written<'a> = Vec<&'a mut [f32]>;

/// Where the numbers of a channel lie: `[samples, channels, places]`.
#[derive(Clone, Copy)]
struct Planes {
    channels: usize,
    places: usize,
}

impl Planes {
    /// The planes of a channel, one of each sample.
    fn of<'a>(self, channel: usize, numbers: &'a [f32]) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        let Planes { channels, places } = self;
        numbers.chunks_exact(channels * places).map(move |sample| &sample[channel * places..][..places])
    }

    /// The same for numbers that are to be written, for every channel.
    fn to_write(self, numbers: &mut [f32]) -> Vec<Written<'_>> {
        let samples = numbers.len() / (self.channels * self.places);
        let mut planes: Vec<Written> = (0..self.channels).map(|_| Vec::with_capacity(samples)).collect();
        for (at, plane) in numbers.chunks_exact_mut(self.places).enumerate() {
            planes[at % self.channels].push(plane);
        }
        planes
    }
}

/// Mean and variance of a channel, the variance with the number of its values as divisor.
fn moments(planes: Planes, channel: usize, x: &[f32]) -> (f64, f64) {
    let count = (x.len() / planes.channels) as f64;
    let mean = planes.of(channel, x).map(|plane| sum(plane, plane, |x, _| x)).sum::<f64>() / count;
    let near = mean as f32;
    let squares: f64 = planes.of(channel, x).map(|plane| sum(plane, plane, |x, _| (x - near) * (x - near))).sum();
    // What rounding the mean has added.
    (mean, (squares / count - (mean - f64::from(near)).powi(2)).max(0.0))
}

/// What follows a norm at once. Its numbers then stay in the cache in between.
#[derive(Clone, Copy, Default)]
pub struct Behind<'a, const D: usize> {
    /// What is added to what the norm gives, of the same shape.
    pub other: Option<&'a Tensor<D>>,
    /// The activation function of the sum.
    pub activation: Option<&'a Activation>,
}

/// Numbers of a plane that are taken at once: they and the derivatives of an activation stay in the
/// nearest cache.
const PIECE: usize = 1 << 11;

/// Arguments of an activation and derivatives, of one thread.
type Scratch = [Vec<f32>; 2];

fn scratch() -> Scratch {
    [vec![0.0; PIECE], vec![0.0; PIECE]]
}

/// A batch norm of some numbers, and what is behind it.
struct Block {
    planes: Planes,
    x: Held,
    other: Option<Held>,
    /// An activation function and its parameters.
    activation: Option<(Activation, Vec<f32>)>,
    gamma: Host,
    beta: Host,
    epsilon: f64,
}

impl Block {
    /// What is subtracted from the numbers of a channel, then multiplied, then added, from its mean
    /// and variance.
    fn constants(&self, channel: usize, (mean, variance): (f64, f64)) -> [f32; 3] {
        let scale = f64::from(numbers(&self.gamma)[channel]) / (variance + self.epsilon).sqrt();
        [mean as f32, scale as f32, numbers(&self.beta)[channel]]
    }

    /// For every plane of a channel, what is added to it, if anything is.
    fn others(&self, channel: usize) -> Vec<Option<&[f32]>> {
        match &self.other {
            Some(other) => self.planes.of(channel, other).map(Some).collect(),
            None => vec![None; self.x.len() / (self.planes.channels * self.planes.places)],
        }
    }

    /// What a channel becomes.
    fn forward(&self, channel: usize, output: Written, constants: [f32; 3], [_, slopes]: &mut Scratch) {
        let planes = self.planes.of(channel, &self.x).zip(self.others(channel));
        for ((x, other), output) in planes.zip(output) {
            for (at, y) in output.chunks_mut(PIECE).enumerate() {
                let piece = at * PIECE..at * PIECE + y.len();
                affine(&x[piece.clone()], other.map(|o| &o[piece]), y, constants);
                if let Some((activation, parameters)) = &self.activation {
                    let slopes = &mut slopes[..y.len()];
                    activation.run(parameters, y, slopes);
                }
            }
        }
    }

    /// The gradients by a channel's scale and shift. Those by its numbers are written to `by_x`,
    /// and those by what is added to `by_other`, which has no planes where nobody asks for them.
    fn backward(
        &self,
        channel: usize,
        gradient: &[f32],
        moments: (f64, f64),
        (by_x, by_other): (&mut [&mut [f32]], &mut [&mut [f32]]),
        [z, slopes]: &mut Scratch,
    ) -> (f32, f32) {
        let x = &self.x;
        let count = (x.len() / self.planes.channels) as f64;
        let constants @ [mean, scale, _] = self.constants(channel, moments);
        let spread = (moments.1 + self.epsilon).sqrt();
        let both = || self.planes.of(channel, gradient).zip(self.planes.of(channel, x));
        let (mut total, mut product) = (0.0, 0.0);
        for (((g, x), other), behind) in both().zip(self.others(channel)).zip(by_x.iter_mut()) {
            for (at, behind) in behind.chunks_mut(PIECE).enumerate() {
                let piece = at * PIECE..at * PIECE + behind.len();
                let (mut g, x) = (&g[piece.clone()], &x[piece.clone()]);
                if let Some((activation, parameters)) = &self.activation {
                    // The norm's output was not kept: making it again is faster than reading it.
                    let (z, slopes) = (&mut z[..x.len()], &mut slopes[..x.len()]);
                    affine(x, other.map(|o| &o[piece]), z, constants);
                    activation.run(parameters, z, slopes);
                    behind.iter_mut().zip(g.iter().zip(slopes.iter())).for_each(|(b, (g, s))| *b = g * s);
                    g = behind;
                }
                total += sum(g, g, |g, _| g);
                product += sum(g, x, |g, x| g * (x - mean));
            }
        }
        let product = product / spread;
        let (level, slope) = ((total / count) as f32, (product / count / spread) as f32);
        for (at, ((g, x), found)) in both().zip(by_x.iter_mut()).enumerate() {
            if self.activation.is_none() {
                found.copy_from_slice(g);
            }
            if let Some(by_other) = by_other.get_mut(at) {
                by_other.copy_from_slice(found);
            }
            found.iter_mut().zip(x).for_each(|(f, x)| *f = scale * (*f - level - (x - mean) * slope));
        }
        (product as f32, total as f32)
    }

    /// The gradients by the numbers, scales, shifts, and what is added, those that are wanted.
    fn gradients(&self, gradient: &Host, moments: &[(f64, f64)], wanted: [bool; 4]) -> [Option<Vec<f32>>; 4] {
        let count = self.x.len();
        let (mut by_x, mut by_other) = (room(count), room(if wanted[3] { count } else { 0 }));
        let of_channel = |scratch: &mut Scratch, (c, (mut by_x, mut by_other)): (usize, (Written, Written))| {
            self.backward(c, numbers(gradient), moments[c], (&mut by_x, &mut by_other), scratch)
        };
        let planes = self.planes.to_write(&mut by_x).into_par_iter().zip(self.planes.to_write(&mut by_other));
        let (by_gamma, by_beta) = planes.enumerate().map_init(scratch, of_channel).unzip();
        let mut found = [Some(by_x), Some(by_gamma), Some(by_beta), Some(by_other)];
        found.iter_mut().zip(wanted).for_each(|(found, wanted)| *found = found.take().filter(|_| wanted));
        found
    }
}

/// What some numbers become: less a mean, times a scale, plus a shift, plus others.
fn affine(x: &[f32], other: Option<&[f32]>, output: &mut [f32], [mean, scale, shift]: [f32; 3]) {
    let of = |x: &f32| (x - mean) * scale + shift;
    match other {
        None => output.iter_mut().zip(x).for_each(|(y, x)| *y = of(x)),
        Some(other) => output.iter_mut().zip(x.iter().zip(other)).for_each(|(y, (x, o))| *y = of(x) + o),
    }
}

/// Batch norm of a tensor `[samples, channels, ...]` on the processor, as [`BatchNorm::forward`],
/// running statistics included, and what is behind it. Nothing where a tensor is not the
/// processor's, where gradients pass through a norm that does not learn, or where a channel of a
/// sample has too few numbers for an activation to be fast.
pub fn norm<const D: usize>(norm: &BatchNorm, x: &Tensor<D>, behind: Behind<D>) -> Option<Tensor<D>> {
    let shape = x.dims();
    let planes = Planes { channels: shape[1], places: shape[2..].iter().product() };
    if !is_host(&x.device()) || shape.contains(&0) || (behind.activation.is_some() && planes.places < LANES) {
        return None;
    }
    let activation = behind.activation.map(|a| (a.clone(), a.numbers()));
    let epsilon = norm.epsilon;
    let plain = |t: Tensor<1>| t.try_into_primitive::<Flex>().ok().map(|t| in_order(&t));
    if !x.device().is_autodiff() {
        let statistics = |t: Tensor<1>| plain(t.to_device(&x.device()));
        let (mean, variance) = (statistics(norm.running_mean.value())?, statistics(norm.running_var.value())?);
        let (gamma, beta) = (plain(norm.gamma.val())?, plain(norm.beta.val())?);
        let all = |t: &Tensor<D>| Some(in_order(&t.clone().try_into_primitive::<Flex>().ok()?));
        let other = behind.other.map_or(Some(None), |other| all(other).map(Some))?;
        let block = Block { planes, x: Held::new(all(x)?), other: other.map(Held::new), activation, gamma, beta, epsilon };
        let mut output = room(block.x.len());
        planes.to_write(&mut output).into_par_iter().enumerate().for_each_init(scratch, |scratch, (c, output)| {
            let moments = (f64::from(numbers(&mean)[c]), f64::from(numbers(&variance)[c]));
            block.forward(c, output, block.constants(c, moments), scratch);
        });
        return Some(Tensor::from_primitive::<Flex>(tensor(output, shape)));
    }
    if !norm.training.is_enabled() {
        return None;
    }
    let parts = |t: Tensor<D>| Some(t.try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts());
    let (x, x_node) = parts(x.clone())?;
    let (other, other_node) = behind.other.map_or(Some(None), |t| parts(t.clone()).map(Some))?.unzip();
    let (gamma, gamma_node) = norm.gamma.val().try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let (beta, beta_node) = norm.beta.val().try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let (x, gamma, beta) = (in_order(&x), in_order(&gamma), in_order(&beta));
    let other = other.as_ref().map(|other| Held::new(in_order(other)));
    let block = Block { planes, x: Held::new(x), other, activation, gamma, beta, epsilon };
    let mut output = room(block.x.len());
    let of_channel = |scratch: &mut Scratch, (c, output): (usize, Written)| {
        let moments = moments(planes, c, &block.x);
        block.forward(c, output, block.constants(c, moments), scratch);
        moments
    };
    let moments: Vec<(f64, f64)> =
        planes.to_write(&mut output).into_par_iter().enumerate().map_init(scratch, of_channel).collect();
    for (running, now) in [
        (&norm.running_mean, moments.iter().map(|c| c.0 as f32).collect::<Vec<f32>>()),
        (&norm.running_var, moments.iter().map(|c| c.1 as f32).collect()),
    ] {
        let value = running.value_sync();
        let now = Tensor::<1>::from_data(now.as_slice(), &value.device());
        running.update((value * (1.0 - norm.momentum) + now * norm.momentum).detach());
    }
    let all = move |gradient: &Host, [a, b, c, d]: [bool; 4]| {
        let [by_x, by_gamma, by_beta, by_other] = block.gradients(gradient, &moments, [a, b, c, d]);
        let full = |found: Option<Vec<f32>>| found.map(|found| tensor(found, shape));
        let flat = |found: Option<Vec<f32>>| found.map(|found| tensor(found, [planes.channels]));
        [full(by_x), flat(by_gamma), flat(by_beta), full(by_other)]
    };
    let output = tensor(output, shape);
    let output = match other_node {
        Some(other_node) => record([x_node, gamma_node, beta_node, other_node], output, Arc::new(all)),
        None => {
            let rule = move |gradient: &Host, [a, b, c]: [bool; 3]| {
                let [by_x, by_gamma, by_beta, _] = all(gradient, [a, b, c, false]);
                [by_x, by_gamma, by_beta]
            };
            record([x_node, gamma_node, beta_node], output, Arc::new(rule))
        }
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use burn::nn::BatchNormConfig;
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;

    fn wave<const D: usize>(shape: [usize; D], k: f32, level: f32, device: &Device) -> Tensor<D> {
        let data = (0..shape.iter().product()).map(|i| level + (i as f32 * k).sin()).collect::<Vec<f32>>();
        Tensor::from_data(TensorData::new(data, shape), device)
    }

    fn read<const D: usize>(t: Tensor<D>) -> Vec<f32> {
        t.try_into_vec_as::<f32>().unwrap()
    }

    fn near(a: &[f32], b: &[f32], part: f32) -> bool {
        let scale = b.iter().fold(1f32, |m, x| m.max(x.abs()));
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= part * scale)
    }

    /// A norm whose weights and statistics are of no special kind.
    fn any(channels: usize, device: &Device) -> BatchNorm {
        let mut norm = BatchNormConfig::new(channels).init(device);
        norm.gamma = Param::from_tensor(wave([channels], 1.1, 0.4, device));
        norm.beta = Param::from_tensor(wave([channels], 0.3, 0.1, device));
        norm.running_mean.update(wave([channels], 0.7, 0.0, device));
        norm.running_var.update(wave([channels], 0.9, 1.5, device));
        norm
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
        /// What it gives, its gradients and its statistics against burn's own; at last what both
        /// give with these statistics.
        #[test]
        fn all_is_as_with_burn(samples in 2usize..9, channels in 1usize..9, high in 1usize..7, wide in 1usize..8, level in -20f32..20.0) {
            let (plain, learning) = (Device::flex(), Device::flex().autodiff());
            let shape = [samples, channels, high, wide];
            let weights = wave(shape, 0.51, 0.2, &plain);
            let all = |ours: bool| {
                let layer = any(channels, &learning);
                let x = wave(shape, 0.37, level, &learning).require_grad();
                let y = if ours { norm(&layer, &x, Behind::default()).unwrap() } else { layer.forward(x.clone()) };
                let g = (y.clone() * Tensor::from_inner(weights.clone())).sum().backward();
                let by = [layer.gamma.val().grad(&g).unwrap(), layer.beta.val().grad(&g).unwrap()].map(read);
                let statistics = [layer.running_mean.value_sync(), layer.running_var.value_sync()].map(read);
                ([read(y), read(x.grad(&g).unwrap())], by, statistics)
            };
            let (ours, theirs) = (all(true), all(false));
            for (a, b) in ours.0.iter().chain(&ours.1).chain(&ours.2).zip(theirs.0.iter().chain(&theirs.1).chain(&theirs.2)) {
                // Few values of one channel may lie near each other, so that what is divided by is
                // small.
                prop_assert!(near(a, b, 2e-3), "{a:?} {b:?}");
            }
            let layer = any(channels, &plain);
            let x = wave(shape, 0.37, level, &plain);
            prop_assert!(near(&read(norm(&layer, &x, Behind::default()).unwrap()), &read(layer.forward(x)), 1e-5));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]
        /// A norm, a sum and an activation at once against the same one after the other: what they
        /// give, all gradients, and what they give without gradients.
        #[test]
        fn what_is_behind_a_norm_belongs_to_it(
            samples in 2usize..5, channels in 1usize..5, high in 4usize..60, wide in 4usize..60, function in 0usize..4, added: bool,
        ) {
            let (plain, learning) = (Device::flex(), Device::flex().autodiff());
            let shape = [samples, channels, high, wide];
            let function = ["relu", "fold:0.2,1", "gelu", "tanh"].map(|text| Activation::parse(text).unwrap())[function].clone();
            let apart = |layer: &BatchNorm, x: &Tensor<4>, other: &Tensor<4>| {
                let y = norm(layer, x, Behind::default()).unwrap();
                function.maps(if added { y + other.clone() } else { y })
            };
            let at_once = |layer: &BatchNorm, x: &Tensor<4>, other: &Tensor<4>| {
                norm(layer, x, Behind { other: added.then_some(other), activation: Some(&function) }).unwrap()
            };
            type Way<'a> = &'a dyn Fn(&BatchNorm, &Tensor<4>, &Tensor<4>) -> Tensor<4>;
            let all = |way: Way| {
                let layer = any(channels, &learning);
                let x = wave(shape, 0.37, 0.3, &learning).require_grad();
                let other = wave(shape, 0.91, 0.1, &learning).require_grad();
                let y = way(&layer, &x, &other);
                let g = (y.clone() * wave(shape, 0.51, 0.2, &learning)).sum().backward();
                let by = [layer.gamma.val().grad(&g).unwrap(), layer.beta.val().grad(&g).unwrap()].map(read);
                let by_other = other.grad(&g).map(read).unwrap_or_default();
                let without = way(&any(channels, &plain), &wave(shape, 0.37, 0.3, &plain), &wave(shape, 0.91, 0.1, &plain));
                ([read(y), read(x.grad(&g).unwrap()), by_other, read(without)], by)
            };
            let (one, other) = (all(&at_once), all(&apart));
            for (a, b) in one.0.iter().chain(&one.1).zip(other.0.iter().chain(&other.1)) {
                prop_assert!(near(a, b, 1e-4));
            }
            prop_assert_eq!(one.0[2].is_empty(), !added);
        }
    }

    #[test]
    fn numbers_far_from_zero_and_channels_of_one_value_are_normalised() {
        let learning = Device::flex().autodiff();
        let far = wave([64, 1, 8, 8], 0.37, 3e4, &learning);
        let y = read(norm(&BatchNormConfig::new(1).init(&learning), &far, Behind::default()).unwrap());
        let mean = y.iter().map(|&y| f64::from(y)).sum::<f64>() / y.len() as f64;
        let variance = y.iter().map(|&y| f64::from(y).powi(2)).sum::<f64>() / y.len() as f64;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.01, "{mean} {variance}");
        let level = Tensor::<2>::full([5, 3], 7.25, &learning);
        assert_eq!(read(norm(&BatchNormConfig::new(3).init(&learning), &level, Behind::default()).unwrap()), vec![0.0; 15]);
        // A norm that does not learn stays with burn where gradients pass through it.
        use burn::module::Module;
        assert!(norm(&BatchNormConfig::new(3).init(&learning).freeze(), &level, Behind::default()).is_none());
    }
}
