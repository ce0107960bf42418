//! Removing filters that say the same to every sample, without loss.
//!
//! A batch norm whose scale is zero gives its shift, whatever comes in; behind the activation `f`
//! the filter is the constant `f(shift)`. Mehta, Kim and Theobalt (arXiv 1811.12495) remove such
//! filters; what they added to the next layer is then missing unless it is zero. Here it is put
//! into the next layer's bias, or into the running mean of the norm behind it: exact for fully
//! connected readers and where the constant is zero (as with ReLU and a shift below zero), and away
//! from the zeros around the plane for convolutions.

use super::surgery::{Keep, cut};
use crate::error::Result;
use crate::nn::{Group, Layer, Net, Reader, bridge};
use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor};

/// [`cut`], with what the removed filters gave as constants put into what reads them: those whose
/// norm's scale is zero, or whose weights are. Filters of coupled groups, and those that depthwise
/// convolutions hand on, are cut plainly.
///
/// # Errors
/// As [`cut`].
pub fn cut_and_fold(net: &Net, keep: &Keep, device: &Device) -> Result<Net> {
    let mut whole = net.valid();
    for group in net.arch.groups()? {
        let Some(kept) = keep.get(&group.leader()) else { continue };
        if !group.is_plain() || net.arch.learn_activation {
            continue;
        }
        let constants = constants(&whole, &group)?;
        let activation = match &net.arch.layers[group.seen[0]] {
            Layer::Activation { .. } => Some(net.arch.activation_behind(group.seen[0])),
            _ => None,
        };
        let constant = |c: usize| activation.map_or(constants[c], |f| f.value(constants[c]));
        let gone: Vec<(usize, f64)> = (0..group.filters)
            .filter(|c| kept.binary_search(c).is_err())
            .map(|c| (c, constant(c)))
            .filter(|g| g.1 != 0.0)
            .collect();
        for &reader in &group.readers {
            absorb(&mut whole, &group, reader, &gone, device)?;
        }
    }
    cut(&whole, keep, device)
}

/// What each filter would give before the activation if it were constant: the shift of its norm
/// where the scale rules, or what the norm (or the bias alone) makes of weights that are all zero.
fn constants(net: &Net, group: &Group) -> Result<Vec<f64>> {
    let conv = net.conv(group.convs[0]);
    let sizes = bridge::read(conv.weight.val().abs().flatten::<2>(1, 3).sum_dim(1))?;
    let biases = match &conv.bias {
        Some(bias) => bridge::read(bias.val())?,
        None => vec![0.0; group.filters],
    };
    let Some(&at) = group.norms.first() else { return Ok(biases.into_iter().map(f64::from).collect()) };
    let norm = net.norm(at);
    let [scale, shift] = [&norm.gamma, &norm.beta].map(|p| bridge::read(p.val()));
    let [mean, variance] = [&norm.running_mean, &norm.running_var].map(|p| bridge::read(p.value_sync()));
    let (scale, shift, mean, variance) = (scale?, shift?, mean?, variance?);
    let of = |c: usize| {
        let silent = f64::from(biases[c] - mean[c]) / (f64::from(variance[c]) + norm.epsilon).sqrt() * f64::from(scale[c]);
        f64::from(shift[c]) + if sizes[c] == 0.0 { silent } else { 0.0 }
    };
    Ok((0..group.filters).map(of).collect())
}

/// Adds what constants give to a reader.
fn absorb(net: &mut Net, group: &Group, reader: Reader, gone: &[(usize, f64)], device: &Device) -> Result<()> {
    let vector =
        |numbers: Vec<f64>| Tensor::<1>::from_data(numbers.iter().map(|&x| x as f32).collect::<Vec<_>>().as_slice(), device);
    match reader {
        Reader::Conv(at) => {
            let weight = net.conv(at).weight.val();
            let [outputs, inputs, height, width] = weight.dims();
            let weights = bridge::read(weight)?;
            let pixels = height * width;
            let given = |o: usize| {
                let kernel = |c: usize| weights[(o * inputs + c) * pixels..][..pixels].iter().map(|&w| f64::from(w)).sum::<f64>();
                gone.iter().map(|&(c, v)| v * kernel(c)).sum::<f64>()
            };
            let given = vector((0..outputs).map(given).collect());
            if let Some(bias) = &mut net.conv_mut(at).bias {
                *bias = Param::from_tensor(bias.val() + given);
            } else if let Some(Layer::BatchNorm { .. }) = net.arch.layers.get(at + 1) {
                let norm = net.norm_mut(at + 1);
                norm.running_mean = RunningState::new(norm.running_mean.value_sync() - given);
            }
        }
        Reader::Linear(at, plane) => {
            let weight = net.linear(at).weight.val();
            let [_, outputs] = weight.dims();
            let weights = bridge::read(weight)?;
            let given = |o: usize| {
                let rows = |c: usize| (c * plane..(c + 1) * plane).map(|r| f64::from(weights[r * outputs + o])).sum::<f64>();
                gone.iter().map(|&(c, v)| v * rows(c)).sum::<f64>()
            };
            debug_assert_eq!(weights.len(), group.filters * plane * outputs, "a reader takes all of the group");
            let given = vector((0..outputs).map(given).collect());
            if let Some(bias) = &mut net.linear_mut(at).bias {
                *bias = Param::from_tensor(bias.val() + given);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Arch, Flow};
    use burn::tensor::TensorData;

    /// Filters 1 and 3 of each layer are constants, by their norms' scales or by their weights;
    /// without them the network says the same.
    #[test]
    fn constants_are_kept_in_what_reads_them() {
        let device = Device::flex();
        for (name, norms, by_weights) in
            [("relu", true, false), ("sigmoid", true, false), ("sigmoid", true, true), ("sine", false, true)]
        {
            let mut arch = Arch::cnn([1, 12, 12], &[5, 4], 6, 3, Activation::parse(name).unwrap()).unwrap();
            // Without pooling and padding, so that no border is mixed in.
            arch.layers.retain(|l| !matches!(l, Layer::MaxPool { .. }));
            if !norms {
                arch = arch.without_norms();
            }
            for layer in &mut arch.layers {
                if let Layer::Conv { padding, .. } = layer {
                    *padding = Some(0.into());
                }
                if let Layer::Linear { input, .. } = layer
                    && *input != 6
                {
                    *input = 4 * 64;
                }
            }
            let mut net = Net::new(&arch, 3, &device).unwrap();
            let wave = |n: usize, k: f32| {
                Tensor::<1>::from_data((0..n).map(|i| 0.3 * k * i as f32 - 0.4).collect::<Vec<_>>().as_slice(), &device)
            };
            let odd = |n: usize, to: f32| {
                Tensor::<1>::from_data((0..n).map(|i| if i % 2 == 1 { 0.0 } else { to }).collect::<Vec<_>>().as_slice(), &device)
            };
            for norm in net.norms_mut() {
                let n = norm.gamma.val().dims()[0];
                norm.gamma = Param::from_tensor(if by_weights { wave(n, 0.5) + 1.0 } else { odd(n, 1.5) });
                norm.beta = Param::from_tensor(wave(n, 1.0));
                norm.running_mean = RunningState::new(wave(n, 0.7));
                norm.running_var = RunningState::new(wave(n, 0.2) + 1.2);
            }
            for conv in net.convs_mut() {
                let n = conv.weight.val().dims()[0];
                if by_weights {
                    conv.weight = Param::from_tensor(conv.weight.val() * odd(n, 1.0).reshape([n, 1, 1, 1]));
                }
                if conv.bias.is_some() {
                    conv.bias = Some(Param::from_tensor(wave(n, 0.9)));
                }
            }
            let second = if norms { 3 } else { 2 };
            let keep = Keep::from([(0, vec![0, 2, 4]), (second, vec![0, 2])]);
            let folded = cut_and_fold(&net, &keep, &device).unwrap();
            let x = TensorData::new((0..4 * 144).map(|i| (i as f32 * 0.3).sin()).collect::<Vec<f32>>(), [4, 144]);
            let x = Tensor::<2>::from_data(x, &device);
            let says = |n: &Net| -> Vec<f32> { n.forward(x.clone()).try_into_vec_as().unwrap() };
            let (want, got, plain) = (says(&net), says(&folded), says(&cut(&net, &keep, &device).unwrap()));
            let apart = |a: &[f32]| a.iter().zip(&want).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(apart(&got) < 1e-4, "{name} {norms} {by_weights}: {}", apart(&got));
            assert!(apart(&plain) > 1e-2, "{name} {norms} {by_weights}: a plain cut loses something");
            assert!(matches!(folded.after_layer(x.clone(), second - 1), Some(Flow::Maps(m)) if m.dims()[1] == 3));
        }
    }
}
