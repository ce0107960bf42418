//! Removing filters that say the same to every sample, without loss.
//!
//! A batch norm whose scale is zero gives its shift, whatever comes in; behind the activation `f` the filter is the constant `f(shift)`. Mehta, Kim and
//! Theobalt (arXiv 1811.12495) remove such filters; what they added to the next layer is then missing unless it is zero. Here it is put
//! into the next layer's bias, or into the running mean of the norm behind it: exact for fully connected readers and where the constant is zero
//! (as with ReLU and a shift below zero), and away from the zeros around the plane for convolutions.

use super::surgery::{Keep, cut, nth};
use crate::error::Result;
use crate::nn::{Group, Layer, Net, Reader, bridge};
use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor};

/// [`cut`], with what the removed filters gave as constants put into what reads them. Filters of coupled groups, or without a norm, are
/// cut plainly.
///
/// # Errors
/// As [`cut`].
pub fn cut_and_fold(net: &Net, keep: &Keep, device: &Device) -> Result<Net> {
    let mut whole = net.valid();
    for group in net.arch.groups()? {
        let Some(kept) = keep.get(&group.leader()) else { continue };
        if group.is_coupled() || group.norms.len() != 1 || net.arch.learn_activation {
            continue;
        }
        let shifts = bridge::read(whole.norms[nth(&net.arch, group.norms[0])].beta.val())?;
        let has_activation = group.seen.iter().any(|&at| matches!(net.arch.layers[at], Layer::Activation));
        let constant = |c: usize| {
            let shift = f64::from(shifts[c]);
            if has_activation { net.arch.activation.value(shift) } else { shift }
        };
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

/// Adds what constants give to a reader.
fn absorb(net: &mut Net, group: &Group, reader: Reader, gone: &[(usize, f64)], device: &Device) -> Result<()> {
    let vector =
        |numbers: Vec<f64>| Tensor::<1>::from_data(numbers.iter().map(|&x| x as f32).collect::<Vec<_>>().as_slice(), device);
    match reader {
        Reader::Conv(at) => {
            let conv = nth(&net.arch, at);
            let [outputs, inputs, height, width] = net.convs[conv].weight.val().dims();
            let weights = bridge::read(net.convs[conv].weight.val())?;
            let pixels = height * width;
            let given = |o: usize| {
                let kernel = |c: usize| weights[(o * inputs + c) * pixels..][..pixels].iter().map(|&w| f64::from(w)).sum::<f64>();
                gone.iter().map(|&(c, v)| v * kernel(c)).sum::<f64>()
            };
            let given = vector((0..outputs).map(given).collect());
            if let Some(bias) = &mut net.convs[conv].bias {
                *bias = Param::from_tensor(bias.val() + given);
            } else if let Some(Layer::BatchNorm { .. }) = net.arch.layers.get(at + 1) {
                let norm = nth(&net.arch, at + 1);
                let mean = net.norms[norm].running_mean.value_sync();
                net.norms[norm].running_mean = RunningState::new(mean - given);
            }
        }
        Reader::Linear(at, plane) => {
            let linear = nth(&net.arch, at);
            let [_, outputs] = net.linears[linear].weight.val().dims();
            let weights = bridge::read(net.linears[linear].weight.val())?;
            let given = |o: usize| {
                let rows = |c: usize| (c * plane..(c + 1) * plane).map(|r| f64::from(weights[r * outputs + o])).sum::<f64>();
                gone.iter().map(|&(c, v)| v * rows(c)).sum::<f64>()
            };
            debug_assert_eq!(weights.len(), group.filters * plane * outputs, "a reader takes all of the group");
            let given = vector((0..outputs).map(given).collect());
            if let Some(bias) = &mut net.linears[linear].bias {
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

    /// Filters 1 and 3 of each layer are constants; without them the network says the same, up to the border of the planes.
    #[test]
    fn constants_are_kept_in_what_reads_them() {
        let device = Device::flex();
        for (name, norms) in [("relu", true), ("sigmoid", true)] {
            let mut arch = Arch::cnn([1, 12, 12], &[5, 4], 6, 3, Activation::parse(name).unwrap()).unwrap();
            // Without pooling and padding, so that no border is mixed in.
            arch.layers.retain(|l| !matches!(l, Layer::MaxPool { .. }));
            for layer in &mut arch.layers {
                if let Layer::Conv { padding, bias, .. } = layer {
                    (*padding, *bias) = (Some(0), !norms);
                }
                if let Layer::Linear { input, .. } = layer
                    && *input != 6
                {
                    *input = 4 * 64;
                }
            }
            let mut net = Net::new(&arch, 3, &device).unwrap();
            for norm in &mut net.norms {
                let n = norm.gamma.val().dims()[0];
                let scale: Vec<f32> = (0..n).map(|i| if i % 2 == 1 { 0.0 } else { 1.5 }).collect();
                let shift: Vec<f32> = (0..n).map(|i| 0.3 * i as f32 - 0.4).collect();
                norm.gamma = Param::from_tensor(Tensor::from_data(scale.as_slice(), &device));
                norm.beta = Param::from_tensor(Tensor::from_data(shift.as_slice(), &device));
            }
            let keep = Keep::from([(0, vec![0, 2, 4]), (3, vec![0, 2])]);
            let folded = cut_and_fold(&net, &keep, &device).unwrap();
            let x = Tensor::<2>::from_data(
                TensorData::new((0..4 * 144).map(|i| (i as f32 * 0.3).sin()).collect::<Vec<f32>>(), [4, 144]),
                &device,
            );
            let says = |n: &Net| -> Vec<f32> { n.forward(x.clone()).try_into_vec_as().unwrap() };
            let (want, got, plain) = (says(&net), says(&folded), says(&cut(&net, &keep, &device).unwrap()));
            let apart = |a: &[f32]| a.iter().zip(&want).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(apart(&got) < 1e-4, "{name}: {}", apart(&got));
            assert!(apart(&plain) > 1e-2, "{name}: a plain cut loses something");
            assert!(matches!(folded.after_layer(x.clone(), 2), Some(Flow::Maps(m)) if m.dims()[1] == 3));
        }
    }
}
