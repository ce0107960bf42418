//! What a network costs, by its architecture alone.
//!
//! Multiply-accumulates (MACs) are those of convolutions and fully connected layers, for one
//! sample; norms, activations, biases and additions are not counted, as in the pruning literature.
//! VGG-16 for CIFAR-10 has 313,201,664 of them: the "313 M FLOPs" of the papers are MACs. As
//! floating-point operations they are twice that.

use super::{Arch, Layer, Shape};
use crate::error::Result;

/// Parameters and multiply-accumulates of one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Weights that training changes; running statistics are not among them.
    pub parameters: usize,
    /// Multiply-accumulates of one sample.
    pub macs: usize,
}

fn product(factors: &[usize]) -> usize {
    factors.iter().fold(1usize, |p, &f| p.saturating_mul(f))
}

fn parameters(arch: &Arch, layer: &Layer) -> usize {
    match *layer {
        Layer::Conv { input, output, kernel, groups, bias, .. } => {
            product(&[output, product(&[input / groups.max(1), kernel.area()]).saturating_add(usize::from(bias))])
        }
        Layer::BatchNorm { channels } => product(&[2, channels]),
        Layer::Linear { input, output } => product(&[output, input.saturating_add(1)]),
        Layer::Activation { .. } if arch.learn_activation => arch.activation.trainable().len(),
        _ => 0,
    }
}

/// Number of weights that training changes in a network of this architecture.
pub(crate) fn parameters_of(arch: &Arch) -> usize {
    arch.layers.iter().map(|l| parameters(arch, l)).fold(0, usize::saturating_add)
}

/// What each layer costs.
///
/// # Errors
/// As [`Arch::shapes`].
pub fn counts_of(arch: &Arch) -> Result<Vec<Count>> {
    let shapes = arch.shapes()?;
    let of_layer = |(layer, out): (&Layer, &Shape)| {
        let macs = match (layer, out) {
            (Layer::Conv { input, kernel, groups, .. }, shape) => product(&[shape.numbers(), input / groups, kernel.area()]),
            (Layer::Linear { input, output }, _) => input * output,
            _ => 0,
        };
        Count { parameters: parameters(arch, layer), macs }
    };
    Ok(arch.layers.iter().zip(&shapes[1..]).map(of_layer).collect())
}

/// Multiply-accumulates of one sample.
pub(crate) fn macs_of(arch: &Arch) -> Result<usize> {
    Ok(counts_of(arch)?.iter().fold(0, |sum, c| sum.saturating_add(c.macs)))
}
