//! Time as one more axis of convolution, folded in halves until one step is left.
//!
//! A fold is a convolution of two frames along time and some places in space. Fold number l joins
//! what the fold before it made of the 2^l frames up to now and of the 2^l frames before those, so
//! after l + 1 folds one step stands for 2^(l + 1) frames. Neighbouring forecasts share most of
//! their folds: for a whole sequence each fold is computed once for every step, and its second
//! frame is the one 2^l steps earlier. Before the first frame there is nothing: what a fold would
//! read there counts as 0.
//!
//! The cell then makes the forecast from what is left, h, and the last frame, x: `g * x + (1 - g) *
//! c`, with the gate g and the content c both a logistic function of a convolution of h and x, and
//! of a bias of every place. The paper's cell is not known to us; this one is our reading.

use super::{Draw, dropped, spatial, spread};
use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Tensor, s};
use rand::rngs::StdRng;

/// Our reading of a temporally folded network.
#[derive(Module, Debug)]
pub struct Folded {
    /// Filters of every fold, `[2 x channels, channels before, rows, columns]`: those of the
    /// present, then those of the past.
    weights: Vec<Param<Tensor<4>>>,
    /// Biases of every fold, one for each channel.
    biases: Vec<Param<Tensor<1>>>,
    /// Filters of gate and content, `[2, channels + 1, rows, columns]`.
    cell: Param<Tensor<4>>,
    /// Biases of gate and content at every place of a frame, `[2, height, width]`.
    places: Param<Tensor<3>>,
    /// The share of numbers that is left out behind each fold.
    dropout: f64,
}

/// The bias of the content at the beginning: most places are empty in most frames.
const CONTENT: f32 = -3.0;

impl Folded {
    pub(super) fn new(channels: usize, kernel: usize, folds: usize, dropout: f64, frame: [usize; 2], draw: &mut Draw) -> Self {
        let [rows, columns] = spread(kernel, frame);
        // The variance that keeps that of numbers behind a ReLU.
        let end = |input: usize| (6.0 / (input * rows * columns) as f64).sqrt();
        let inputs = (0..folds).map(|fold| if fold == 0 { 1 } else { channels });
        let weights = inputs.map(|input| draw.uniform([2 * channels, input, rows, columns], end(2 * input))).collect();
        let biases = (0..folds).map(|_| draw.given([channels], vec![0.0; channels])).collect();
        let cell = draw.uniform([2, channels + 1, rows, columns], end(channels + 1) / 6f64.sqrt());
        let places = draw.second_at([2, frame[0], frame[1]], frame[0] * frame[1], CONTENT);
        Self { weights, biases, cell, places, dropout }
    }

    #[cfg(test)]
    pub(super) fn weight(&self, fold: usize) -> Tensor<4> {
        self.weights[fold].val()
    }

    #[cfg(test)]
    pub(super) fn bias(&self, fold: usize) -> Tensor<1> {
        self.biases[fold].val()
    }

    /// One fold of `[samples, steps, channels, height, width]`.
    pub(super) fn fold(&self, fold: usize, x: Tensor<5>) -> Tensor<5> {
        let [n, steps, input, height, width] = x.dims();
        let channels = self.biases[fold].dims()[0];
        let both = spatial(x.reshape([n * steps, input, height, width]), &self.weights[fold], None);
        let both = both.reshape([n, steps, 2 * channels, height, width]);
        let present = both.clone().slice(s![.., .., ..channels, .., ..]);
        let past = both.slice(s![.., .., channels.., .., ..]);
        let back = (1 << fold).min(steps);
        let nothing = Tensor::zeros([n, back, channels, height, width], &past.device());
        let past = if back < steps { Tensor::cat(vec![nothing, past.slice(s![.., ..steps - back])], 1) } else { nothing };
        let bias = self.biases[fold].val().reshape([1, 1, channels, 1, 1]);
        burn::tensor::activation::relu(present + past + bias)
    }

    pub(super) fn forward(&self, frames: Tensor<4>, mut drops: Option<&mut StdRng>) -> Tensor<4> {
        let [n, steps, height, width] = frames.dims();
        let x = frames.unsqueeze_dim::<5>(2);
        let mut h = x.clone();
        for fold in 0..self.weights.len() {
            h = dropped(self.fold(fold, h), self.dropout, drops.as_deref_mut());
        }
        let channels = h.dims()[2] + 1;
        let seen = Tensor::cat(vec![h, x.clone()], 2).reshape([n * steps, channels, height, width]);
        let both = sigmoid(spatial(seen, &self.cell, None) + self.places.val().unsqueeze_dim(0));
        let gate = both.clone().slice(s![.., ..1, .., ..]).reshape([n, steps, height, width]);
        let content = both.slice(s![.., 1.., .., ..]).reshape([n, steps, height, width]);
        let x = x.squeeze_dim::<4>(2);
        content.clone() + gate * (x - content)
    }
}
