//! An activation function by one pass over the numbers, and its gradient by another.

use super::spare::{Held, room};
use super::{Host, in_order, is_host, numbers, record, tensor};
use crate::nn::Activation;
use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;
use rayon::prelude::*;
use std::sync::Arc;

/// Numbers that a thread takes at once.
const CHUNK: usize = 1 << 14;

/// Values of a function at all numbers of a tensor, and its derivatives if they are wanted.
fn values(of: &Activation, x: &Host, wanted: bool) -> (Vec<f32>, Vec<f32>) {
    let (x, parameters) = (in_order(x), of.numbers());
    let x = numbers(&x);
    let (mut z, mut slopes) = (room(x.len()), room(if wanted { x.len() } else { 0 }));
    let value = |(z, x): (&mut [f32], &[f32]), slopes: &mut [f32]| {
        z.copy_from_slice(x);
        of.run(&parameters, z, slopes);
    };
    let pieces = z.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK));
    if wanted {
        pieces.zip(slopes.par_chunks_mut(CHUNK)).for_each(|(piece, slopes)| value(piece, slopes));
    } else {
        // Derivatives that nobody asks for stay in the cache.
        pieces.for_each_init(|| vec![0.0; CHUNK], |slopes, piece| value(piece, slopes));
    }
    (z, slopes)
}

/// An activation function of every number of a tensor; nothing for a tensor that is not the
/// processor's.
pub fn activation<const D: usize>(of: &Activation, x: &Tensor<D>) -> Option<Tensor<D>> {
    if !is_host(&x.device()) {
        return None;
    }
    let (shape, x) = (x.dims(), x.clone());
    if !x.device().is_autodiff() {
        let (z, _) = values(of, &x.try_into_primitive::<Flex>().ok()?, false);
        return Some(Tensor::from_primitive::<Flex>(tensor(z, shape)));
    }
    let (x, node) = x.try_into_primitive::<Autodiff<Flex>>().ok()?.into_parts();
    let (z, slopes) = values(of, &x, true);
    let slopes = Held::new(tensor(slopes, shape));
    let rule = move |gradient: &Host, _: [bool; 1]| {
        let mut by_x = room(slopes.len());
        let pieces = by_x.par_chunks_mut(CHUNK).zip(numbers(gradient).par_chunks(CHUNK)).zip(slopes.par_chunks(CHUNK));
        pieces.for_each(|((by_x, g), slopes)| by_x.iter_mut().zip(g.iter().zip(slopes)).for_each(|(b, (g, s))| *b = g * s));
        [Some(tensor(by_x, shape))]
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(record([node], tensor(z, shape), Arc::new(rule))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    /// Values and gradients against burn's own, tensor sizes that are no multiples of anything.
    #[test]
    fn values_and_gradients_are_those_of_burn() {
        assert!(is_host(&Device::flex()) && is_host(&Device::flex().autodiff()));
        for (text, shape) in
            [("fold:0.2,1", [3, 5, 7, 11]), ("relu", [1, 1, 1, 1]), ("gelu", [2, 40, 30, 17]), ("tanh", [1, 1, 4, 4])]
        {
            let of = Activation::parse(text).unwrap();
            let data: Vec<f32> = (0..shape.iter().product()).map(|i| (i as f32 * 0.7).sin() * 3.0 + 0.001).collect();
            let plain = Tensor::<4>::from_data(TensorData::new(data.clone(), shape), &Device::flex());
            // A view in another order of its numbers.
            let turned = plain.clone().permute([0, 2, 1, 3]);
            let read = |t: Tensor<4>| t.try_into_vec_as::<f32>().unwrap();
            let near = |a: Vec<f32>, b: Vec<f32>| {
                a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5 * b.abs().max(1.0))
            };
            assert!(near(read(activation(&of, &turned).unwrap()), read(of.maps(turned))), "{text}");
            let gradient = |f: &dyn Fn(Tensor<4>) -> Tensor<4>| {
                let x = Tensor::<4>::from_data(TensorData::new(data.clone(), shape), &Device::flex().autodiff()).require_grad();
                let y = f(x.clone() * 1.5);
                let weights = Tensor::<4>::from_inner(plain.clone());
                read(x.grad(&(y * weights).sum().backward()).unwrap())
            };
            assert!(near(gradient(&|x| activation(&of, &x).unwrap()), gradient(&|x| of.maps(x))), "{text}");
        }
    }
}
