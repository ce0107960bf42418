//! Removing filters: tensors shrink, and everything that reads them follows.

use crate::error::{Error, Result};
use crate::nn::{Arch, Group, Layer, Net, Reader};
use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Int, Tensor};
use std::collections::BTreeMap;

/// For the index of the convolution that names a group ([`Group::leader`]): the filters that stay,
/// ascending.
pub type Keep = BTreeMap<usize, Vec<usize>>;

/// The groups that are to shrink, with the filters that stay.
fn chosen<'a>(arch: &Arch, keep: &'a Keep) -> Result<Vec<(Group, &'a [usize])>> {
    let groups = arch.groups()?;
    let mut found = Vec::new();
    for (&at, filters) in keep {
        let Some(Layer::Conv { .. }) = arch.layers.get(at) else {
            return Err(Error::input(format!("layer {at} of {} is not a convolution", arch.name)));
        };
        let Some(group) = groups.iter().find(|g| g.leader() == at) else {
            return Err(Error::input(match groups.iter().find(|g| g.convs.contains(&at)) {
                Some(g) => format!("the filters of layer {at} of {} go with those of layer {}: name that", arch.name, g.leader()),
                None => format!(
                    "the filters of layer {at} stay whole: they are the network's answer, or a convolution in several parts reads or gives them"
                ),
            }));
        };
        if filters.is_empty() {
            return Err(Error::input(format!("layer {at} of {} would lose its last filter", arch.name)));
        }
        if !filters.is_sorted_by(|a, b| a < b) || filters.last().is_some_and(|f| *f >= group.filters) {
            return Err(Error::input(format!("the filters to keep of layer {at} must ascend and be below {}", group.filters)));
        }
        found.push((group.clone(), filters.as_slice()));
    }
    Ok(found)
}

/// Some places as a tensor to select by.
pub(super) fn index(numbers: &[usize], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(numbers.iter().map(|&i| i as i32).collect::<Vec<_>>().as_slice(), device)
}

fn select<const D: usize>(p: &Param<Tensor<D>>, dim: usize, which: &Tensor<1, Int>) -> Param<Tensor<D>> {
    Param::from_tensor(p.val().select(dim, which.clone()).detach())
}

/// Planes of `plane` numbers of some channels, as rows.
pub(super) fn rows(filters: &[usize], plane: usize) -> Vec<usize> {
    filters.iter().flat_map(|f| f * plane..(f + 1) * plane).collect()
}

/// An architecture without the filters that are not kept. Groups that are not named stay whole.
///
/// # Errors
/// As [`cut`].
pub fn cut_arch(arch: &Arch, keep: &Keep) -> Result<Arch> {
    let mut smaller = arch.clone();
    for (group, filters) in chosen(arch, keep)? {
        shrink_group(&mut smaller, &group, filters);
    }
    smaller.shapes()?;
    Ok(smaller)
}

/// The layers of one group and of what reads it, with `filters` alone.
fn shrink_group(arch: &mut Arch, group: &Group, filters: &[usize]) {
    for &at in &group.convs {
        if let Layer::Conv { output, .. } = &mut arch.layers[at] {
            *output = filters.len();
        }
    }
    for &at in &group.norms {
        arch.layers[at] = Layer::BatchNorm { channels: filters.len() };
    }
    for &at in &group.depthwise {
        if let Layer::Conv { input, output, groups, .. } = &mut arch.layers[at] {
            (*input, *output, *groups) = (filters.len(), filters.len(), filters.len());
        }
    }
    for &reader in &group.readers {
        match reader {
            Reader::Conv(at) => {
                if let Layer::Conv { input, .. } = &mut arch.layers[at] {
                    *input = filters.len();
                }
            }
            Reader::Linear(at, plane) => {
                if let Layer::Linear { input, .. } = &mut arch.layers[at] {
                    *input = filters.len() * plane;
                }
            }
        }
    }
    for &at in &group.into {
        if let Layer::Shortcut { channels, .. } = &mut arch.layers[at] {
            *channels = filters.iter().map(|&f| channels[f]).collect();
        }
    }
    for &at in &group.out_of {
        if let Layer::Shortcut { input, channels, .. } = &mut arch.layers[at] {
            *input = filters.len();
            channels.iter_mut().for_each(|c| *c = c.and_then(|c| filters.binary_search(&c).ok()));
        }
    }
}

/// A network without the filters that are not kept. Groups that are not named stay whole.
///
/// # Errors
/// [`Error::Input`] for a layer that does not name a group, or one that would lose its last filter.
pub fn cut(net: &Net, keep: &Keep, device: &Device) -> Result<Net> {
    let mut net = net.valid();
    for (group, filters) in chosen(&net.arch, keep)? {
        let which = index(filters, device);
        for &at in group.convs.iter().chain(&group.depthwise) {
            let conv = net.conv_mut(at);
            conv.weight = select(&conv.weight, 0, &which);
            conv.bias = conv.bias.as_ref().map(|b| select(b, 0, &which));
        }
        for &at in &group.depthwise {
            let conv = net.conv_mut(at);
            conv.groups = filters.len();
        }
        for &at in &group.norms {
            let norm = net.norm_mut(at);
            norm.gamma = select(&norm.gamma, 0, &which);
            norm.beta = select(&norm.beta, 0, &which);
            norm.running_mean = RunningState::new(norm.running_mean.value_sync().select(0, which.clone()).detach());
            norm.running_var = RunningState::new(norm.running_var.value_sync().select(0, which.clone()).detach());
        }
        for &reader in &group.readers {
            match reader {
                Reader::Conv(at) => {
                    let conv = net.conv_mut(at);
                    conv.weight = select(&conv.weight, 1, &which);
                }
                Reader::Linear(at, plane) => {
                    let linear = net.linear_mut(at);
                    linear.weight = select(&linear.weight, 0, &index(&rows(filters, plane), device));
                }
            }
        }
        shrink_group(&mut net.arch, &group, filters);
    }
    net.arch.shapes()?;
    Ok(net)
}

/// The twin of [`cut`] of full size: whatever reads a removed filter reads zeros. Gives the same
/// logits.
///
/// # Errors
/// As [`cut`].
pub fn mask(net: &Net, keep: &Keep, device: &Device) -> Result<Net> {
    let mut net = net.valid();
    for (group, filters) in chosen(&net.arch, keep)? {
        let kept = |f: usize| f32::from(u8::from(filters.binary_search(&f).is_ok()));
        for &reader in &group.readers {
            match reader {
                Reader::Conv(at) => {
                    let ones: Vec<f32> = (0..group.filters).map(kept).collect();
                    let ones = Tensor::<1>::from_data(ones.as_slice(), device).reshape([1, group.filters, 1, 1]);
                    let conv = net.conv_mut(at);
                    conv.weight = Param::from_tensor(conv.weight.val() * ones);
                }
                Reader::Linear(at, plane) => {
                    let ones: Vec<f32> = (0..group.filters * plane).map(|row| kept(row / plane)).collect();
                    let ones = Tensor::<1>::from_data(ones.as_slice(), device).reshape([group.filters * plane, 1]);
                    let linear = net.linear_mut(at);
                    linear.weight = Param::from_tensor(linear.weight.val() * ones);
                }
            }
        }
        for &at in &group.out_of {
            if let Layer::Shortcut { channels, .. } = &mut net.arch.layers[at] {
                channels.iter_mut().for_each(|c| *c = c.filter(|c| filters.binary_search(c).is_ok()));
            }
        }
    }
    Ok(net)
}

/// A network in which the weights of the filters that are not kept are zero, and can learn again:
/// biases and norms stay, for with all of them zero no gradient would come through.
///
/// # Errors
/// As [`cut`].
pub(super) fn silence(net: &Net, keep: &Keep, device: &Device) -> Result<Net> {
    let mut net = net.valid();
    for (group, filters) in chosen(&net.arch, keep)? {
        let ones: Vec<f32> = (0..group.filters).map(|f| f32::from(u8::from(filters.binary_search(&f).is_ok()))).collect();
        let ones = Tensor::<1>::from_data(ones.as_slice(), device).reshape([group.filters, 1, 1, 1]);
        for &at in &group.convs {
            let conv = net.conv_mut(at);
            conv.weight = Param::from_tensor(conv.weight.val() * ones.clone());
        }
    }
    Ok(net)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Shape, zoo};
    use burn::tensor::TensorData;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    /// A network whose norms do something.
    fn uneven(arch: &Arch, seed: u64, device: &Device) -> Net {
        let mut net = Net::new(arch, seed, device).unwrap();
        for (i, norm) in net.norms_mut().enumerate() {
            let n = norm.gamma.val().dims()[0];
            let wave = |k: f32| {
                Tensor::<1>::from_data((0..n).map(|j| (k * (j + i) as f32).sin() + 1.1).collect::<Vec<_>>().as_slice(), device)
            };
            norm.gamma = Param::from_tensor(wave(1.0));
            norm.beta = Param::from_tensor(wave(2.0));
            norm.running_mean = RunningState::new(wave(3.0));
            norm.running_var = RunningState::new(wave(4.0));
        }
        net
    }

    /// A network with every kind of layer.
    fn every_kind(activation: Activation) -> Arch {
        let arch: Arch = serde_json::from_str(include_str!("../../tests/common/every_kind.json")).unwrap();
        Arch { activation, ..arch }
    }

    /// Channels that a convolution in two parts reads or gives stay; a depthwise one shrinks with
    /// those it hands on.
    #[test]
    fn parts_stay_whole() {
        let arch = every_kind(Activation::parse("relu").unwrap());
        let groups = arch.groups().unwrap();
        assert_eq!(groups.iter().map(|g| g.convs.as_slice()).collect::<Vec<_>>(), [[0].as_slice(), &[11, 13]]);
        assert_eq!((groups[0].depthwise.as_slice(), groups[0].seen.as_slice()), ([2].as_slice(), [1, 4].as_slice()));
        let device = Device::flex();
        let net = cut(&Net::new(&arch, 0, &device).unwrap(), &Keep::from([(0, vec![1, 5])]), &device).unwrap();
        assert_eq!(net.convs().nth(1).unwrap().weight.val().dims(), [2, 1, 3, 3]);
        assert!(cut_arch(&arch, &Keep::from([(6, vec![0])])).unwrap_err().to_string().contains("several parts"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        /// A masked network and its cut twin give the same logits, whatever the architecture and
        /// whatever the activation makes of zero.
        #[test]
        fn masked_is_cut(which in 0usize..8, act in 0usize..4, seed: u64) {
            let device = Device::flex();
            let activation = || Activation::parse(["relu", "cabs", "sigmoid", "sine"][act]).unwrap();
            let arch = match which {
                0 => Arch::cnn([2, 8, 8], &[5, 6, 4], 7, 3, activation()),
                1 => Arch::cnn([2, 8, 8], &[5, 6, 4], 7, 3, activation()).map(Arch::without_norms),
                2 => zoo::named("vgg11-bn:0.1", [2, 32, 32], 3, activation()),
                3 => zoo::named("vgg16:0.05", [2, 32, 32], 3, activation()),
                4 => zoo::named("basicnet:0.05", [2, 8, 8], 3, activation()),
                5 => zoo::named("mobilenet:0.03", [2, 8, 8], 3, activation()),
                6 => Ok(every_kind(activation())),
                _ => zoo::named("resnet20:0.5", [2, 8, 8], 3, activation()),
            }.unwrap();
            let net = uneven(&arch, seed, &device);
            let mut rng = StdRng::seed_from_u64(seed);
            let mut keep = Keep::new();
            for group in arch.groups().unwrap() {
                let kept: Vec<usize> = (0..group.filters).filter(|_| rng.random_bool(0.6)).collect();
                if !kept.is_empty() && rng.random_bool(0.8) {
                    keep.insert(group.leader(), kept);
                }
            }
            let cut = cut(&net, &keep, &device).unwrap();
            let masked = mask(&net, &keep, &device).unwrap();
            let removed = keep.iter().any(|(at, k)| k.len() < arch.groups().unwrap().iter().find(|g| g.leader() == *at).unwrap().filters);
            prop_assert_eq!(cut.parameters() < net.parameters(), removed);
            let width: usize = arch.input.iter().product();
            let x = Tensor::<2>::from_data(TensorData::new((0..3 * width).map(|i| (i as f32 * 0.7).cos()).collect::<Vec<f32>>(), [3, width]), &device);
            let of = |n: &Net, x: Tensor<2>| -> Vec<f32> { n.forward(x).try_into_vec_as().unwrap() };
            let (got, want) = (of(&cut, x.clone()), of(&masked, x.clone()));
            let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0.0f32, |m, (p, q)| m.max((p - q).abs()));
            // Twenty layers of sines enlarge what is rounded off: as much as a change of the
            // input's last digits is enlarged may be lost.
            let lost = apart(&want, &of(&masked, x * (1.0 + 1e-6)));
            let size = want.iter().fold(1.0f32, |m, x| m.max(x.abs()));
            prop_assert!(apart(&got, &want) <= 1e-4 * size + 8.0 * lost, "{:?} against {:?}, {} lost", got, want, lost);
        }
    }

    /// VGG-16 with NNI's head at uniform sparsity 0.1 to 0.9: its published numbers of parameters,
    /// to their digits.
    #[test]
    fn counts_are_those_of_nni() {
        let device = Device::flex();
        let variant = zoo::Variant { head: vec![512], head_norm: true, conv_bias: false };
        let arch = zoo::variant("vgg16-bn", &variant, [3, 32, 32], 10, Activation::parse("relu").unwrap()).unwrap();
        let mut net = Net::new(&arch, 0, &device).unwrap();
        for (step, millions) in [12.19, 9.66, 7.44, 5.49, 3.82, 2.48, 1.42, 0.659, 0.186].into_iter().enumerate() {
            let share = 0.1 * (step + 1) as f64;
            let goes = |filters: usize| (share * filters as f64 + 1e-9) as usize;
            let groups = arch.groups().unwrap();
            // From what is left, so that nine cuts cost no more than one.
            let keep = groups.iter().map(|g| (g.leader(), (0..g.filters - goes(g.filters)).collect())).collect();
            net = cut(&net, &keep, &device).unwrap();
            let parameters = net.parameters() as f64 / 1e6;
            assert!((parameters / millions - 1.0).abs() < 0.0015, "at {share:.1}: {parameters} against {millions}");
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
