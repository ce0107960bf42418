//! Removing filters: tensors shrink, and everything that reads them follows.

use crate::error::{Error, Result};
use crate::nn::{Arch, Layer, Net, Shape};
use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Int, Tensor};
use std::collections::BTreeMap;

/// For the index of a convolution in the architecture: the filters that stay, ascending.
pub type Keep = BTreeMap<usize, Vec<usize>>;

/// What reads a convolution's filters.
#[derive(Debug, PartialEq, Eq)]
enum Reader {
    /// The convolution of this layer index.
    Conv(usize),
    /// The linear layer of this index, each filter as a plane of this many numbers.
    Linear(usize, usize),
}

fn check(arch: &Arch, keep: &Keep) -> Result<()> {
    for (&at, filters) in keep {
        let Some(Layer::Conv { output, .. }) = arch.layers.get(at) else {
            return Err(Error::input(format!("layer {at} of {} is not a convolution", arch.name)));
        };
        if filters.is_empty() {
            return Err(Error::input(format!("layer {at} of {} would lose its last filter", arch.name)));
        }
        if !filters.is_sorted_by(|a, b| a < b) || filters.last().is_some_and(|f| f >= output) {
            return Err(Error::input(format!("the filters to keep of layer {at} must ascend and be below {output}")));
        }
    }
    Ok(())
}

/// Batch norms of a convolution's filters, and what reads them.
fn followers(arch: &Arch, conv: usize) -> Result<(Vec<usize>, Option<Reader>)> {
    let shapes = arch.shapes()?;
    let (mut norms, mut plane) = (Vec::new(), 1);
    for (at, layer) in arch.layers.iter().enumerate().skip(conv + 1) {
        match layer {
            Layer::BatchNorm { .. } => norms.push(at),
            Layer::Conv { .. } => return Ok((norms, Some(Reader::Conv(at)))),
            Layer::Linear { .. } => return Ok((norms, Some(Reader::Linear(at, plane)))),
            Layer::Flatten => {
                if let Shape::Maps(_, h, w) = shapes[at] {
                    plane = h * w;
                }
            }
            Layer::Activation | Layer::MaxPool { .. } => {}
        }
    }
    Ok((norms, None))
}

/// Which of the tensors of its kind layer `at` owns.
fn nth(arch: &Arch, at: usize) -> usize {
    let kind = std::mem::discriminant(&arch.layers[at]);
    arch.layers[..at].iter().filter(|l| std::mem::discriminant(*l) == kind).count()
}

fn index(numbers: &[usize], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(numbers.iter().map(|&i| i as i32).collect::<Vec<_>>().as_slice(), device)
}

fn select<const D: usize>(p: &Param<Tensor<D>>, dim: usize, which: &Tensor<1, Int>) -> Param<Tensor<D>> {
    Param::from_tensor(p.val().select(dim, which.clone()).detach())
}

/// A network without the filters that are not kept. Convolutions that are not named stay whole.
///
/// # Errors
/// [`Error::Input`] for a layer that is not a convolution, or one that would lose its last filter.
pub fn cut(net: &Net, keep: &Keep, device: &Device) -> Result<Net> {
    check(&net.arch, keep)?;
    let mut net = net.valid();
    for (&at, filters) in keep {
        let (norms, reader) = followers(&net.arch, at)?;
        let which = index(filters, device);
        let conv = nth(&net.arch, at);
        let weights = &mut net.convs[conv];
        weights.weight = select(&weights.weight, 0, &which);
        weights.bias = weights.bias.as_ref().map(|b| select(b, 0, &which));
        for norm_at in norms {
            let norm = nth(&net.arch, norm_at);
            let norm = &mut net.norms[norm];
            norm.gamma = select(&norm.gamma, 0, &which);
            norm.beta = select(&norm.beta, 0, &which);
            norm.running_mean = RunningState::new(norm.running_mean.value_sync().select(0, which.clone()).detach());
            norm.running_var = RunningState::new(norm.running_var.value_sync().select(0, which.clone()).detach());
            net.arch.layers[norm_at] = Layer::BatchNorm { channels: filters.len() };
        }
        match reader {
            Some(Reader::Conv(next)) => {
                let weights = nth(&net.arch, next);
                net.convs[weights].weight = select(&net.convs[weights].weight, 1, &which);
                if let Layer::Conv { input, .. } = &mut net.arch.layers[next] {
                    *input = filters.len();
                }
            }
            Some(Reader::Linear(next, plane)) => {
                let rows: Vec<usize> = filters.iter().flat_map(|f| f * plane..(f + 1) * plane).collect();
                let weights = nth(&net.arch, next);
                net.linears[weights].weight = select(&net.linears[weights].weight, 0, &index(&rows, device));
                if let Layer::Linear { input, .. } = &mut net.arch.layers[next] {
                    *input = rows.len();
                }
            }
            None => return Err(Error::input(format!("nothing reads the filters of layer {at}: they are the network's answer"))),
        }
        if let Layer::Conv { output, .. } = &mut net.arch.layers[at] {
            *output = filters.len();
        }
    }
    net.arch.shapes()?;
    Ok(net)
}

/// The twin of [`cut`] of full size: whatever reads a removed filter reads zeros. Gives the same logits.
///
/// # Errors
/// As [`cut`]; a convolution that nothing reads is left as it is.
pub fn mask(net: &Net, keep: &Keep, device: &Device) -> Result<Net> {
    check(&net.arch, keep)?;
    let mut net = net.valid();
    for (&at, filters) in keep {
        let Layer::Conv { output, .. } = net.arch.layers[at] else { continue };
        let ones: Vec<f32> = (0..output).map(|f| f32::from(u8::from(filters.contains(&f)))).collect();
        match followers(&net.arch, at)?.1 {
            Some(Reader::Conv(next)) => {
                let conv = nth(&net.arch, next);
                let ones = Tensor::<1>::from_data(ones.as_slice(), device).reshape([1, output, 1, 1]);
                net.convs[conv].weight = Param::from_tensor(net.convs[conv].weight.val() * ones);
            }
            Some(Reader::Linear(next, plane)) => {
                let linear = nth(&net.arch, next);
                let rows: Vec<f32> = ones.iter().flat_map(|&x| std::iter::repeat_n(x, plane)).collect();
                let ones = Tensor::<1>::from_data(rows.as_slice(), device).reshape([output * plane, 1]);
                net.linears[linear].weight = Param::from_tensor(net.linears[linear].weight.val() * ones);
            }
            None => {}
        }
    }
    Ok(net)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Activation;
    use burn::tensor::TensorData;
    use proptest::prelude::*;

    fn subset(n: usize) -> impl Strategy<Value = Vec<usize>> {
        proptest::sample::subsequence((0..n).collect::<Vec<_>>(), 1..=n)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        /// A masked network and its cut twin give the same logits, whatever the activation makes of zero.
        #[test]
        fn masked_is_cut(a in subset(5), b in subset(6), c in subset(4), act in 0usize..4, seed: u64) {
            let device = Device::flex();
            let activation = Activation::parse(["relu", "cabs", "sigmoid", "sine"][act]).unwrap();
            let arch = Arch::cnn([2, 8, 8], &[5, 6, 4], 7, 3, activation).unwrap();
            let mut net = Net::new(&arch, seed, &device).unwrap();
            for (i, norm) in net.norms.iter_mut().enumerate() {
                let n = norm.gamma.val().dims()[0];
                let wave = |k: f32| Tensor::<1>::from_data((0..n).map(|j| (k * (j + i) as f32).sin() + 1.1).collect::<Vec<_>>().as_slice(), &device);
                norm.gamma = Param::from_tensor(wave(1.0));
                norm.beta = Param::from_tensor(wave(2.0));
                norm.running_mean = RunningState::new(wave(3.0));
                norm.running_var = RunningState::new(wave(4.0));
            }
            let keep = Keep::from([(0, a.clone()), (4, b.clone()), (8, c.clone())]);
            let cut = cut(&net, &keep, &device).unwrap();
            let masked = mask(&net, &keep, &device).unwrap();
            prop_assert_eq!(cut.convs[1].weight.val().dims(), [b.len(), a.len(), 3, 3]);
            let x = Tensor::<2>::from_data(TensorData::new((0..3 * 128).map(|i| (i as f32 * 0.7).cos()).collect::<Vec<f32>>(), [3, 128]), &device);
            let logits = |n: &Net| -> Vec<f32> { n.forward(x.clone()).try_into_vec_as().unwrap() };
            for (p, q) in logits(&cut).into_iter().zip(logits(&masked)) {
                prop_assert!((p - q).abs() <= 1e-5 * p.abs().max(1.0), "{} against {}", p, q);
            }
        }
    }

    #[test]
    fn a_layer_keeps_its_last_filter() {
        let device = Device::flex();
        let arch = Arch::cnn([1, 4, 4], &[3], 5, 2, Activation::parse("relu").unwrap()).unwrap();
        let net = Net::new(&arch, 0, &device).unwrap();
        for bad in
            [Keep::from([(0, vec![])]), Keep::from([(0, vec![3])]), Keep::from([(0, vec![1, 0])]), Keep::from([(1, vec![0])])]
        {
            assert_eq!(cut(&net, &bad, &device).unwrap_err().exit_code(), 2);
        }
        let kept = cut(&net, &Keep::from([(0, vec![2])]), &device).unwrap();
        assert_eq!(kept.arch.shapes().unwrap()[1], Shape::Maps(1, 4, 4));
    }
}
