//! Layers on the processor in our own way, inside burn's automatic differentiation.
//!
//! burn's processor backend computes a convolution by turning images and gradients to another order
//! of their numbers and back, and an activation function by a pass through memory for every
//! operation of its formula. Here a convolution is read from a copy of the image with a border, or
//! is products of matrices whose second factor is made piece by piece in the cache. An activation
//! is one pass forward and one backward. Batch norm takes channel after channel, each of which
//! stays in the cache for all of its passes, those of the sum and the activation behind it
//! included. docs/activations.md has the times. On a GPU burn's own kernels run.

mod activation;
mod bordered;
mod convolution;
mod norm;
mod patches;
mod pooling;
mod shifted;
mod spare;

pub(super) use activation::activation;
pub(crate) use bordered::Bordered;
pub(super) use convolution::convolution;
pub(super) use norm::{Behind, norm};
pub(crate) use patches::Form;
pub(super) use pooling::largest;
pub(crate) use spare::Keeping;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, DispatchDevice, Flex};
use burn::tensor::{Device, TensorData};
use rayon::prelude::*;
use std::sync::Arc;

/// A tensor of the processor's backend.
type Host = FloatTensor<Flex>;
/// The same with its place in the graph of gradients.
type Tracked = FloatTensor<Autodiff<Flex>>;

/// Whether tensors of a device are the processor's.
pub(super) fn is_host(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// The tensor with its numbers one behind the other, in row-major order.
fn in_order(tensor: &Host) -> Host {
    if tensor.as_slice::<f32>().is_some() { tensor.clone() } else { tensor.to_contiguous() }
}

/// The numbers of a tensor that is in order.
fn numbers(tensor: &Host) -> &[f32] {
    tensor.as_slice().unwrap_or_default()
}

/// As many equal numbers, written by all threads: a single one would take as long for it as all of
/// them take for an activation.
fn filled<T: Copy + Send + Sync>(count: usize, value: T) -> Vec<T> {
    (0..count).into_par_iter().with_min_len(1 << 15).map(|_| value).collect()
}

/// A tensor of some numbers.
fn tensor<const D: usize>(numbers: Vec<f32>, shape: [usize; D]) -> Host {
    Host::from_data(TensorData::new(numbers, shape))
}

/// What gives the gradients by the inputs of an operation, those that are wanted, from the gradient
/// by its output, which is in order.
type Rule<const N: usize> = dyn Fn(&Host, [bool; N]) -> [Option<Host>; N] + Send + Sync;

/// [`Rule`] as burn keeps it.
#[derive(Clone)]
struct Kept<const N: usize>(Arc<Rule<N>>);

impl<const N: usize> std::fmt::Debug for Kept<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a rule for gradients")
    }
}

#[derive(Debug)]
struct Operation;

impl<const N: usize> Backward<Flex, N> for Operation {
    type State = Kept<N>;

    fn backward(self, ops: Ops<Kept<N>, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = in_order(&gradients.consume::<Flex>(&ops.node));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = (ops.state.0)(&gradient, wanted);
        spare::give(gradient);
        for (parent, found) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(found)) = (parent, found) {
                let id: NodeId = parent.id;
                gradients.register::<Flex>(id, found);
            }
        }
    }
}

/// What an operation gave, in the graph of gradients behind its inputs.
fn record<const N: usize>(inputs: [NodeGuard; N], output: Host, rule: Arc<Rule<N>>) -> Tracked {
    match Operation.prepare::<NoCheckpointing>(inputs).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(Kept(rule), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}
