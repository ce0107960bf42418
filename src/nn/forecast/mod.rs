//! Networks that forecast the next frame of a sequence.
//!
//! - `folded` is our reading of temporally folded networks (Weissenbacher, arXiv 2001.03340), of
//!   which we know the abstract only: [`Folded`].
//! - `lstm` is burn's LSTM over whole frames, with a linear layer behind it.
//! - `conv-lstm` is the convolutional LSTM (Shi et al., arXiv 1506.04214) without peepholes.
//!
//! Each reads `[samples, steps, height, width]`, numbers from 0 to 1, and gives as many frames: its
//! forecast at step t is of frame t + 1, made from frames 0 to t.

mod conv_lstm;
mod folded;
mod lstm;

pub use conv_lstm::ConvLstm;
pub use folded::Folded;
pub use lstm::LstmForecaster;

use super::native;
use super::window::{Sides, Window};
use crate::error::{Error, Result};
use burn::module::{Module, Param};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// What kind of network, and how large.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum ForecasterKind {
    /// Convolutions that fold time in halves, and a cell.
    Folded {
        /// Filters of every fold.
        channels: usize,
        /// Places that a filter sees along each side of a frame: an odd number.
        kernel: usize,
        /// Folds; the network sees `2^folds` frames.
        folds: usize,
        /// The share of numbers that is left out behind each fold while it learns.
        dropout: f64,
    },
    /// An LSTM over whole frames.
    Lstm {
        /// Numbers of its state.
        hidden: usize,
        /// The share of numbers that is left out behind it while it learns.
        dropout: f64,
    },
    /// An LSTM whose products are convolutions.
    ConvLstm {
        /// Filters of its state.
        channels: usize,
        /// Places that a filter sees along each side of a frame: an odd number.
        kernel: usize,
    },
}

impl std::fmt::Display for ForecasterKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ForecasterKind::Folded { .. } => "folded",
            ForecasterKind::Lstm { .. } => "lstm",
            ForecasterKind::ConvLstm { .. } => "conv-lstm",
        })
    }
}

/// A network that forecasts.
#[allow(clippy::large_enum_variant, reason = "burn's modules cannot be boxed")]
#[derive(Module, Debug)]
pub enum Forecaster {
    /// A temporally folded network.
    Folded(Folded),
    /// An LSTM.
    Lstm(LstmForecaster),
    /// A convolutional LSTM.
    ConvLstm(ConvLstm),
}

impl Forecaster {
    /// A network for frames of this height and width, its weights drawn from `seed` alone.
    ///
    /// # Errors
    /// [`Error::Input`] for a size that makes no sense.
    pub fn new(kind: &ForecasterKind, frame: [usize; 2], seed: u64, device: &Device) -> Result<Self> {
        let draw = &mut Draw { rng: StdRng::seed_from_u64(seed), device: device.clone() };
        let sound = match *kind {
            ForecasterKind::Folded { channels, kernel, folds, dropout } => {
                channels > 0 && kernel % 2 == 1 && (1..=16).contains(&folds) && (0.0..1.0).contains(&dropout)
            }
            ForecasterKind::Lstm { hidden, dropout } => hidden > 0 && (0.0..1.0).contains(&dropout),
            ForecasterKind::ConvLstm { channels, kernel } => channels > 0 && kernel % 2 == 1,
        };
        if !sound || frame.contains(&0) {
            return Err(Error::input(format!(
                "{kind:?} cannot be made for frames of {} x {}: sizes must be above 0, kernels odd, folds from 1 to 16, dropout below 1",
                frame[0], frame[1]
            )));
        }
        Ok(match *kind {
            ForecasterKind::Folded { channels, kernel, folds, dropout } => {
                Forecaster::Folded(Folded::new(channels, kernel, folds, dropout, frame, draw))
            }
            ForecasterKind::Lstm { hidden, dropout } => Forecaster::Lstm(LstmForecaster::new(hidden, dropout, frame, draw)),
            ForecasterKind::ConvLstm { channels, kernel } => Forecaster::ConvLstm(ConvLstm::new(channels, kernel, frame, draw)),
        })
    }

    /// Forecasts of the frame behind every step, in `[samples, steps, height, width]`. While it
    /// learns, what is left out is drawn from `drops`.
    pub fn forward(&self, frames: Tensor<4>, drops: Option<&mut StdRng>) -> Tensor<4> {
        match self {
            Forecaster::Folded(net) => net.forward(frames, drops),
            Forecaster::Lstm(net) => net.forward(frames, drops),
            Forecaster::ConvLstm(net) => net.forward(frames),
        }
    }
}

/// Draws weights.
struct Draw {
    rng: StdRng,
    device: Device,
}

impl Draw {
    /// Numbers between -end and end.
    fn uniform<const D: usize>(&mut self, shape: [usize; D], end: f64) -> Param<Tensor<D>> {
        let end = end as f32;
        let numbers = (0..shape.iter().product()).map(|_| self.rng.random_range(-end..=end)).collect();
        self.given(shape, numbers)
    }

    fn given<const D: usize>(&self, shape: [usize; D], numbers: Vec<f32>) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(numbers, shape), &self.device))
    }

    /// The first of two or more equal parts is 0, the second at this level, the others 0.
    fn second_at<const D: usize>(&self, shape: [usize; D], part: usize, level: f32) -> Param<Tensor<D>> {
        let numbers = (0..shape.iter().product()).map(|i| if i / part == 1 { level } else { 0.0 }).collect();
        self.given(shape, numbers)
    }
}

/// How high a kernel of so many places is on frames of this form, and how wide: 1 along a side of
/// one place.
fn spread(kernel: usize, frame: [usize; 2]) -> [usize; 2] {
    frame.map(|side| if side == 1 { 1 } else { kernel })
}

/// A convolution that keeps the size of planes: weights `[filters, channels, rows, columns]` with
/// odd sides.
fn spatial(x: Tensor<4>, weight: &Param<Tensor<4>>, bias: Option<&Param<Tensor<1>>>) -> Tensor<4> {
    let (weight, bias) = (weight.val(), bias.map(Param::val));
    let [.., rows, columns] = weight.dims();
    let (size, padding) = (Sides { rows, columns }, Sides { rows: rows / 2, columns: columns / 2 });
    let window = Window { size, stride: 1.into(), padding };
    native::convolution(&x, &weight, bias.as_ref(), window)
        .unwrap_or_else(|| conv2d(x, weight, bias, ConvOptions::new([1, 1], padding.array(), [1, 1], 1)))
}

/// The numbers with a share of them left out and the others larger by as much, if there is
/// something to draw from.
fn dropped<const D: usize>(x: Tensor<D>, share: f64, drops: Option<&mut StdRng>) -> Tensor<D> {
    match drops {
        Some(rng) if share > 0.0 => {
            let keep = (1.0 / (1.0 - share)) as f32;
            let mask: Vec<f32> =
                (0..x.dims().iter().product()).map(|_| if rng.random_bool(share) { 0.0 } else { keep }).collect();
            let mask = Tensor::from_data(TensorData::new(mask, x.dims()), &x.device());
            x * mask
        }
        _ => x,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::AdapterChoice;
    use crate::nn::{Compute, bridge};
    use crate::topology::EngineKind;

    fn wave(shape: [usize; 4], k: f32, device: &Device) -> Tensor<4> {
        let data = (0..shape.iter().product()).map(|i| 0.5 + 0.5 * (i as f32 * k).sin()).collect::<Vec<f32>>();
        Tensor::from_data(TensorData::new(data, shape), device)
    }

    fn kinds() -> [ForecasterKind; 3] {
        [
            ForecasterKind::Folded { channels: 3, kernel: 3, folds: 2, dropout: 0.0 },
            ForecasterKind::Lstm { hidden: 5, dropout: 0.0 },
            ForecasterKind::ConvLstm { channels: 3, kernel: 3 },
        ]
    }

    /// A forecast is a probability, and depends on no later frame.
    #[test]
    fn forecasts_see_no_future() {
        let device = Compute::cpu().device;
        for (kind, frame) in kinds().iter().zip([[7, 1], [4, 3], [5, 6]]) {
            let net = Forecaster::new(kind, frame, 1, &device).unwrap();
            let frames = wave([2, 6, frame[0], frame[1]], 0.7, &device);
            let mut other = bridge::read(frames.clone()).unwrap();
            let size = frame[0] * frame[1];
            // Frame 3 of the second sample is another one.
            other[(6 + 3) * size..(6 + 4) * size].iter_mut().for_each(|x| *x = 1.0 - *x);
            let other = Tensor::from_data(TensorData::new(other, frames.dims()), &device);
            let (a, b) = (bridge::read(net.forward(frames, None)).unwrap(), bridge::read(net.forward(other, None)).unwrap());
            assert!(a.iter().all(|p| (0.0..=1.0).contains(p)), "{kind}");
            let same = |steps: std::ops::Range<usize>| {
                a[steps.start * size..steps.end * size] == b[steps.start * size..steps.end * size]
            };
            assert!(same(0..6 + 3) && !same(6 + 3..6 + 4) && !same(6 + 4..12), "{kind}");
        }
    }

    /// A folded network sees 2^folds frames and no more.
    #[test]
    fn folds_end_where_they_should() {
        let device = Compute::cpu().device;
        let net = Forecaster::new(&kinds()[0], [5, 5], 2, &device).unwrap();
        let frames = wave([1, 9, 5, 5], 0.3, &device);
        let mut other = bridge::read(frames.clone()).unwrap();
        other[25..50].fill(0.0);
        let other = Tensor::from_data(TensorData::new(other, frames.dims()), &device);
        let (a, b) = (bridge::read(net.forward(frames, None)).unwrap(), bridge::read(net.forward(other, None)).unwrap());
        // Frame 1 is seen at the steps 1 to 4.
        let differs: Vec<bool> = (0..9).map(|t| a[t * 25..(t + 1) * 25] != b[t * 25..(t + 1) * 25]).collect();
        assert_eq!(differs, [false, true, true, true, true, false, false, false, false]);
    }

    /// What a fold gives is the convolution over time and space that it stands for.
    #[test]
    fn a_fold_is_a_convolution_along_time() {
        let device = Compute::cpu().device;
        let Forecaster::Folded(net) = Forecaster::new(&kinds()[0], [4, 4], 3, &device).unwrap() else { unreachable!() };
        let x = wave([2, 5, 4, 4], 0.9, &device).unsqueeze_dim::<5>(2);
        let got = bridge::read(net.fold(0, x.clone())).unwrap();
        let (w, b) = (bridge::read(net.weight(0)).unwrap(), bridge::read(net.bias(0)).unwrap());
        let x = bridge::read(x).unwrap();
        for sample in 0..2 {
            for t in 0..5 {
                for filter in 0..3 {
                    for (row, column) in [(0usize, 0usize), (1, 2), (3, 3)] {
                        let mut sum = b[filter];
                        // Filters of the present come first, then those of the past.
                        for (past, w) in [(0, &w[filter * 9..][..9]), (1, &w[(3 + filter) * 9..][..9])] {
                            for (tap, w) in w.iter().enumerate() {
                                let (r, c) = ((row + tap / 3).wrapping_sub(1), (column + tap % 3).wrapping_sub(1));
                                if t >= past && r < 4 && c < 4 {
                                    sum += w * x[((sample * 5 + t - past) * 4 + r) * 4 + c];
                                }
                            }
                        }
                        let want = sum.max(0.0);
                        let got = got[(((sample * 5 + t) * 3 + filter) * 4 + row) * 4 + column];
                        assert!((got - want).abs() < 1e-5, "{got} {want}");
                    }
                }
            }
        }
    }

    /// On the GPU burn's convolutions run in place of ours; forecasts and gradients are the same.
    #[test]
    fn devices_agree() {
        let gpu = Compute::new(EngineKind::Gpu, &AdapterChoice::Best).unwrap();
        for (kind, frame) in kinds().iter().zip([[7, 1], [4, 3], [5, 6]]) {
            let all = |device: &Device| {
                let device = device.clone().autodiff();
                let net = Forecaster::new(kind, frame, 1, &device).unwrap();
                let frames = wave([2, 5, frame[0], frame[1]], 0.7, &device).require_grad();
                let forecast = net.forward(frames.clone(), Some(&mut StdRng::seed_from_u64(1)));
                let gradients = forecast.clone().powi_scalar(2).sum().backward();
                [forecast.inner(), frames.grad(&gradients).unwrap()].map(|t| bridge::read(t).unwrap())
            };
            for (ours, theirs) in all(&Compute::cpu().device).iter().zip(&all(&gpu.device)) {
                let off = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(ours.len() == theirs.len() && off < 1e-5, "{kind}: {off}");
            }
        }
    }

    #[test]
    fn senseless_sizes_are_refused() {
        let device = Compute::cpu().device;
        for kind in [
            ForecasterKind::Folded { channels: 3, kernel: 4, folds: 2, dropout: 0.0 },
            ForecasterKind::Folded { channels: 3, kernel: 3, folds: 0, dropout: 0.0 },
            ForecasterKind::Lstm { hidden: 0, dropout: 0.0 },
            ForecasterKind::Lstm { hidden: 3, dropout: 1.0 },
        ] {
            assert!(Forecaster::new(&kind, [3, 3], 0, &device).unwrap_err().to_string().contains("cannot be made"));
        }
    }
}
