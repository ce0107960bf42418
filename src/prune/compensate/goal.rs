//! What a layer of the cut network should give.

use crate::nn::{Arch, Flow, Layer, Net, Pass};

/// What a layer with weights is fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Goal {
    /// The batch norm right behind the layer, if there is one.
    pub norm: Option<usize>,
    /// Where the layer is the last of a residual block: the layer whose output is added to it. It
    /// is then fitted to the sum that the whole network has, less what the other side of the
    /// addition carries in the cut one, so that errors do not add up from block to block.
    pub other: Option<usize>,
}

impl Goal {
    /// Of the convolution or fully connected layer `at`.
    pub fn of(arch: &Arch, at: usize) -> Self {
        let norm = arch.norm_behind(at).filter(|_| arch.last_return_to(at).is_none());
        Self { norm, other: other_side(arch, norm.unwrap_or(at)) }
    }
}

/// If an addition is all that takes what layer `out` gives: the layer whose output is added there.
fn other_side(arch: &Arch, out: usize) -> Option<usize> {
    let mut found = None;
    let mut takers = 0;
    for (at, layer) in arch.layers.iter().enumerate().skip(out + 1) {
        let flows = at == out + 1 && !matches!(layer, Layer::Branch { .. });
        let (returns, other) = match *layer {
            Layer::Add { with } if with == out => (true, Some(at - 1)),
            Layer::Add { with } if flows => (false, Some(with)),
            Layer::Branch { from } => (from == out, None),
            _ => (false, None),
        };
        if flows || returns {
            takers += 1;
            found = other;
        }
    }
    found.filter(|_| takers == 1)
}

/// What layer `at` gives in a pass that stands before the layer to be fitted: kept, or computed
/// from what is kept by layers without weights. `None` where it takes a layer with weights that
/// comes later.
pub(super) fn earlier(net: &Net, pass: &Pass, at: usize) -> Option<Flow> {
    if let Some(kept) = pass.kept.get(&at) {
        return Some(kept.clone());
    }
    if at + 1 == pass.next {
        return Some(pass.flow.clone());
    }
    match net.arch.layers[at] {
        Layer::Branch { from } => earlier(net, pass, from),
        Layer::Add { with } => Some(earlier(net, pass, at.checked_sub(1)?)?.plus(earlier(net, pass, with)?)),
        _ if net.arch.layers[at].has_weights() => None,
        _ => Some(net.apply(at, earlier(net, pass, at.checked_sub(1)?)?, &|_| None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, zoo};

    #[test]
    fn the_last_layer_of_a_block_is_fitted_to_the_sum() {
        let relu = || Activation::parse("relu").unwrap();
        let arch = zoo::named("resnet20", [3, 32, 32], 10, relu()).unwrap();
        let index = |name: &str| arch.weight_names().into_iter().find(|(_, n)| n == name).unwrap().0;
        let stem = index("conv1");
        assert_eq!(Goal::of(&arch, stem), Goal { norm: Some(stem + 1), other: None });
        let first = index("layer1.0.conv1");
        assert_eq!(Goal::of(&arch, first).other, None);
        // The shortcut of the first block begins behind the stem's activation.
        assert_eq!(Goal::of(&arch, index("layer1.0.conv2")).other, Some(stem + 2));
        let down = index("layer2.0.conv2");
        let other = Goal::of(&arch, down).other.unwrap();
        assert!(matches!(arch.layers[other], Layer::Shortcut { .. }));
        assert_eq!(Goal::of(&arch, index("linear")), Goal { norm: None, other: None });
        let chain = zoo::named("vgg11-bn", [3, 32, 32], 10, relu()).unwrap();
        for (at, layer) in chain.layers.iter().enumerate() {
            if matches!(layer, Layer::Conv { .. } | Layer::Linear { .. }) {
                assert_eq!(Goal::of(&chain, at).other, None);
            }
        }
    }
}
