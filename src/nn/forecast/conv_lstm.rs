//! The convolutional LSTM.

use super::{Draw, spatial, spread};
use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Tensor, s};

/// An LSTM whose state is a stack of planes, and whose products are convolutions (Shi et al., arXiv
/// 1506.04214), without peepholes. A last convolution makes a frame of the state.
#[derive(Module, Debug)]
pub struct ConvLstm {
    /// Filters of the input, forget and output gates and of the candidates, `[4 x channels, 1 +
    /// channels, rows, columns]`.
    gates: Param<Tensor<4>>,
    /// Their biases.
    biases: Param<Tensor<1>>,
    /// `[1, channels, rows, columns]`.
    output: Param<Tensor<4>>,
    /// A bias at every place of a frame, `[1, height, width]`.
    places: Param<Tensor<3>>,
}

impl ConvLstm {
    pub(super) fn new(channels: usize, kernel: usize, frame: [usize; 2], draw: &mut Draw) -> Self {
        let [rows, columns] = spread(kernel, frame);
        let end = |input: usize| 1.0 / ((input * rows * columns) as f64).sqrt();
        Self {
            gates: draw.uniform([4 * channels, 1 + channels, rows, columns], end(1 + channels)),
            // Gates that forget nothing at the beginning.
            biases: draw.second_at([4 * channels], channels, 1.0),
            output: draw.uniform([1, channels, rows, columns], end(channels)),
            places: draw.given([1, frame[0], frame[1]], vec![0.0; frame[0] * frame[1]]),
        }
    }

    pub(super) fn forward(&self, frames: Tensor<4>) -> Tensor<4> {
        let [n, steps, height, width] = frames.dims();
        let channels = self.output.dims()[1];
        let mut hidden = Tensor::<4>::zeros([n, channels, height, width], &frames.device());
        let mut cell = hidden.clone();
        let mut states = Vec::with_capacity(steps);
        for x in frames.split(1, 1) {
            let sums = spatial(Tensor::cat(vec![x, hidden], 1), &self.gates, Some(&self.biases));
            let part = |i: usize| sums.clone().slice(s![.., i * channels..(i + 1) * channels, .., ..]);
            let gates = sigmoid(sums.clone().slice(s![.., ..3 * channels, .., ..]));
            let gate = |i: usize| gates.clone().slice(s![.., i * channels..(i + 1) * channels, .., ..]);
            cell = gate(1) * cell + gate(0) * part(3).tanh();
            hidden = gate(2) * cell.clone().tanh();
            states.push(hidden.clone().unsqueeze_dim::<5>(1));
        }
        let states = Tensor::cat(states, 1).reshape([n * steps, channels, height, width]);
        // The new shape comes before the sum: burn 0.22 mixes up the places where a convolution of
        // one filter meets a sum and then a new shape in one kernel of a GPU.
        let sums = spatial(states, &self.output, None).reshape([n, steps, height, width]);
        sigmoid(sums + self.places.val().unsqueeze_dim(0))
    }
}
