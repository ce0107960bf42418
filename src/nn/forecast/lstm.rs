//! An LSTM over whole frames, and a linear layer that makes a frame of its state.

use super::{Draw, dropped};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig, Lstm, LstmConfig};
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use rand::rngs::StdRng;

/// burn's LSTM with a linear layer behind it.
#[derive(Module, Debug)]
pub struct LstmForecaster {
    lstm: Lstm,
    output: Linear,
    /// The share of numbers that is left out between the two.
    dropout: f64,
}

impl LstmForecaster {
    pub(super) fn new(hidden: usize, dropout: f64, frame: [usize; 2], draw: &mut Draw) -> Self {
        let places = frame[0] * frame[1];
        let mut lstm = LstmConfig::new(places, hidden, true).init(&draw.device);
        let mut output = LinearConfig::new(hidden, places).init(&draw.device);
        // burn draws from a generator that all threads share; these are of the seed alone.
        let end = 1.0 / (hidden as f64).sqrt();
        let mut fill = |linear: &mut Linear| {
            linear.weight = draw.uniform(linear.weight.dims(), end);
            linear.bias = linear.bias.as_ref().map(|b| draw.uniform(b.dims(), end));
        };
        let gates = [&mut lstm.input_gate, &mut lstm.output_gate, &mut lstm.cell_gate];
        for gate in gates.into_iter().chain(lstm.forget_gate.as_mut()) {
            fill(&mut gate.input_transform);
            fill(&mut gate.hidden_transform);
        }
        fill(&mut output);
        Self { lstm, output, dropout }
    }

    pub(super) fn forward(&self, frames: Tensor<4>, drops: Option<&mut StdRng>) -> Tensor<4> {
        let shape @ [n, steps, height, width] = frames.dims();
        let (state, _) = self.lstm.forward(frames.reshape([n, steps, height * width]), None);
        sigmoid(self.output.forward(dropped(state, self.dropout, drops))).reshape(shape)
    }
}
