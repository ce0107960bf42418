//! Batch norm by three passes over a channel that stays in the cache, and its gradient by two.

use super::{Host, filled, in_order, is_host, numbers, record, tensor};
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
    fn to_write(self, numbers: &mut [f32]) -> Vec<Vec<&mut [f32]>> {
        let samples = numbers.len() / (self.channels * self.places);
        let mut planes: Vec<Vec<&mut [f32]>> = (0..self.channels).map(|_| Vec::with_capacity(samples)).collect();
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

/// What a channel becomes: every number less a mean, times a scale, plus a shift.
fn affine(planes: Planes, channel: usize, x: &[f32], output: Vec<&mut [f32]>, [mean, scale, shift]: [f32; 3]) {
    for (x, output) in planes.of(channel, x).zip(output) {
        output.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * scale + shift);
    }
}

/// Batch norm of a tensor `[samples, channels, ...]` on the processor, as [`BatchNorm::forward`],
/// running statistics included. Nothing where a tensor is not the processor's, or where gradients
/// pass through a norm that does not learn.
pub fn norm<const D: usize>(norm: &BatchNorm, x: &Tensor<D>) -> Option<Tensor<D>> {
    let shape = x.dims();
    let planes = Planes { channels: shape[1], places: shape[2..].iter().product() };
    if !is_host(&x.device()) || shape.contains(&0) {
        return None;
    }
    let plain = |t: Tensor<1>| t.try_into_primitive::<Flex>().ok().map(|t| in_order(&t));
    if !x.device().is_autodiff() {
        let statistics = |t: Tensor<1>| plain(t.to_device(&x.device()));
        let (mean, variance) = (statistics(norm.running_mean.value())?, statistics(norm.running_var.value())?);
        let (gamma, beta) = (plain(norm.gamma.val())?, plain(norm.beta.val())?);
        let x = in_order(&x.clone().try_into_primitive::<Flex>().ok()?);
        let mut output = filled(numbers(&x).len(), 0.0);
        planes.to_write(&mut output).into_par_iter().enumerate().for_each(|(c, output)| {
            let scale = f64::from(numbers(&gamma)[c]) / (f64::from(numbers(&variance)[c]) + norm.epsilon).sqrt();
            affine(planes, c, numbers(&x), output, [numbers(&mean)[c], scale as f32, numbers(&beta)[c]]);
        });
        return Some(Tensor::from_primitive::<Flex>(tensor(output, shape)));
    }
    if !norm.training.is_enabled() {
        return None;
    }
    let (x, x_node) = x.clone().try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let (gamma, gamma_node) = norm.gamma.val().try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let (beta, beta_node) = norm.beta.val().try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let (x, gamma, beta) = (in_order(&x), in_order(&gamma), in_order(&beta));
    let mut output = filled(numbers(&x).len(), 0.0);
    let channels: Vec<(f64, f64)> = planes
        .to_write(&mut output)
        .into_par_iter()
        .enumerate()
        .map(|(c, output)| {
            let (mean, variance) = moments(planes, c, numbers(&x));
            let scale = f64::from(numbers(&gamma)[c]) / (variance + norm.epsilon).sqrt();
            affine(planes, c, numbers(&x), output, [mean as f32, scale as f32, numbers(&beta)[c]]);
            (mean, variance)
        })
        .collect();
    for (running, now) in [
        (&norm.running_mean, channels.iter().map(|c| c.0 as f32).collect::<Vec<f32>>()),
        (&norm.running_var, channels.iter().map(|c| c.1 as f32).collect()),
    ] {
        let value = running.value_sync();
        let now = Tensor::<1>::from_data(now.as_slice(), &value.device());
        running.update((value * (1.0 - norm.momentum) + now * norm.momentum).detach());
    }
    let epsilon = norm.epsilon;
    let rule = move |gradient: &Host, wanted: [bool; 3]| {
        let (x, gradient) = (numbers(&x), numbers(gradient));
        let count = (x.len() / planes.channels) as f64;
        let mut by_x = filled(if wanted[0] { x.len() } else { 0 }, 0.0);
        let mut to_write = planes.to_write(&mut by_x);
        let sums = |(c, by_x): (usize, &mut Vec<&mut [f32]>)| {
            let (mean, spread) = (channels[c].0 as f32, (channels[c].1 + epsilon).sqrt());
            let both = || planes.of(c, gradient).zip(planes.of(c, x));
            let total: f64 = both().map(|(g, _)| sum(g, g, |g, _| g)).sum();
            let product = both().map(|(g, x)| sum(g, x, |g, x| g * (x - mean))).sum::<f64>() / spread;
            let scale = f64::from(numbers(&gamma)[c]) / spread;
            let (scale, level, slope) = (scale as f32, (total / count) as f32, (product / count / spread) as f32);
            for ((g, x), found) in both().zip(by_x.iter_mut()) {
                found.iter_mut().zip(g.iter().zip(x)).for_each(|(f, (g, x))| *f = scale * (g - level - (x - mean) * slope));
            }
            (product as f32, total as f32)
        };
        let (by_gamma, by_beta): (Vec<f32>, Vec<f32>) = to_write.par_iter_mut().enumerate().map(sums).unzip();
        drop(to_write);
        let flat = |numbers: Vec<f32>| tensor(numbers, [planes.channels]);
        [wanted[0].then(|| tensor(by_x, shape)), wanted[1].then(|| flat(by_gamma)), wanted[2].then(|| flat(by_beta))]
    };
    let output = record([x_node, gamma_node, beta_node], tensor(output, shape), Arc::new(rule));
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
                let y = if ours { norm(&layer, &x).unwrap() } else { layer.forward(x.clone()) };
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
            prop_assert!(near(&read(norm(&layer, &x).unwrap()), &read(layer.forward(x)), 1e-5));
        }
    }

    #[test]
    fn numbers_far_from_zero_and_channels_of_one_value_are_normalised() {
        let learning = Device::flex().autodiff();
        let far = wave([64, 1, 8, 8], 0.37, 3e4, &learning);
        let y = read(norm(&BatchNormConfig::new(1).init(&learning), &far).unwrap());
        let mean = y.iter().map(|&y| f64::from(y)).sum::<f64>() / y.len() as f64;
        let variance = y.iter().map(|&y| f64::from(y).powi(2)).sum::<f64>() / y.len() as f64;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.01, "{mean} {variance}");
        let level = Tensor::<2>::full([5, 3], 7.25, &learning);
        assert_eq!(read(norm(&BatchNormConfig::new(3).init(&learning), &level).unwrap()), vec![0.0; 15]);
        // A norm that does not learn stays with burn where gradients pass through it.
        use burn::module::Module;
        assert!(norm(&BatchNormConfig::new(3).init(&learning).freeze(), &level).is_none());
    }
}
