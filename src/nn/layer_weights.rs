//! The tensors of single layers, found by the layer's place in the architecture.

use super::Net;
use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::Tensor;

/// The tensors of one layer.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a network has a few dozen of them")]
pub enum LayerWeights {
    /// Of a convolution: `[output, input / groups, rows, columns]`, and a bias.
    Conv(Conv2d),
    /// Of a batch norm.
    Norm(BatchNorm),
    /// Of a fully connected layer: `[input, output]`, and a bias.
    Linear(Linear),
    /// The learnt parameters of an activation.
    Learnt(Param<Tensor<1>>),
}

/// Says which layer a caller took for another kind: callers have looked at the architecture before.
#[cold]
#[allow(clippy::panic, reason = "layers and weights are made together, so this is a mistake of ours")]
fn other(at: usize, kind: &str) -> ! {
    panic!("layer {at} is no {kind}")
}

macro_rules! by_kind {
    ($one:ident, $one_mut:ident, $all:ident, $all_mut:ident, $variant:ident, $kind:ty, $what:literal) => {
        impl Net {
            #[doc = concat!("The ", $what, " that layer `at` is.")]
            ///
            /// # Panics
            /// If the layer is of another kind, or there is none.
            pub fn $one(&self, at: usize) -> &$kind {
                match &self.layers[at] {
                    Some(LayerWeights::$variant(found)) => found,
                    _ => other(at, $what),
                }
            }

            #[doc = concat!("The ", $what, " that layer `at` is, to be changed.")]
            ///
            /// # Panics
            /// If the layer is of another kind, or there is none.
            pub fn $one_mut(&mut self, at: usize) -> &mut $kind {
                match &mut self.layers[at] {
                    Some(LayerWeights::$variant(found)) => found,
                    _ => other(at, $what),
                }
            }

            #[doc = concat!("Every ", $what, ", in order.")]
            pub fn $all(&self) -> impl Iterator<Item = &$kind> {
                self.layers.iter().filter_map(|l| if let Some(LayerWeights::$variant(found)) = l { Some(found) } else { None })
            }

            #[doc = concat!("Every ", $what, ", in order, to be changed.")]
            pub fn $all_mut(&mut self) -> impl Iterator<Item = &mut $kind> {
                self.layers
                    .iter_mut()
                    .filter_map(|l| if let Some(LayerWeights::$variant(found)) = l { Some(found) } else { None })
            }
        }
    };
}

by_kind!(conv, conv_mut, convs, convs_mut, Conv, Conv2d, "convolution");
by_kind!(norm, norm_mut, norms, norms_mut, Norm, BatchNorm, "batch norm");
by_kind!(linear, linear_mut, linears, linears_mut, Linear, Linear, "fully connected layer");

impl Net {
    /// The learnt parameters of the activation that layer `at` is, if it has any.
    pub fn learnt(&self, at: usize) -> Option<Tensor<1>> {
        if let Some(LayerWeights::Learnt(found)) = &self.layers[at] { Some(found.val()) } else { None }
    }

    /// The learnt parameters of every activation, in order, to be changed.
    pub fn learnt_mut(&mut self) -> impl Iterator<Item = &mut Param<Tensor<1>>> {
        self.layers.iter_mut().filter_map(|l| if let Some(LayerWeights::Learnt(found)) = l { Some(found) } else { None })
    }
}
