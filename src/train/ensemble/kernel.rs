//! Forward and backward passes of a multilayer perceptron on the processor, over a piece of the
//! samples that stays in its cache.
//!
//! Numbers lie feature by feature, `[features, samples]`, so that vector instructions run over
//! samples and every width is fast. A piece of 256 samples of ten layers of 15 takes 300 KB with
//! all that the backward pass needs.

use crate::nn::{Activation, fast_exp};
use pulp::{Arch, Simd, WithSimd};

/// Samples per piece, at most.
pub(super) const PIECE: usize = 256;

/// Sums that a vector unit takes side by side.
const LANES: usize = 16;
/// Samples that the innermost loops take at once; pieces are multiples of it.
const STRIP: usize = 32;

/// Some samples, feature by feature.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// `[features, size]`, zeros beyond the samples.
    pub x: Vec<f32>,
    pub labels: Vec<u8>,
    /// A multiple of 32, at least the number of labels.
    pub size: usize,
}

impl Piece {
    /// Samples given one after the other.
    pub fn new(samples: &[f32], features: usize, labels: &[u8]) -> Self {
        let size = labels.len().next_multiple_of(STRIP);
        let mut x = vec![0.0; features * size];
        for (i, sample) in samples.chunks_exact(features).enumerate() {
            for (f, &value) in sample.iter().enumerate() {
                x[f * size + i] = value;
            }
        }
        Self { x, labels: labels.to_vec(), size }
    }
}

/// Where a layer's numbers are in the vector of all parameters: weights `[output, input]`, then
/// biases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linear {
    pub input: usize,
    pub output: usize,
    pub at: usize,
}

impl Linear {
    fn weights(self) -> std::ops::Range<usize> {
        self.at..self.at + self.input * self.output
    }

    fn biases(self) -> std::ops::Range<usize> {
        let start = self.weights().end;
        start..start + self.output
    }
}

/// A perceptron's layout.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub layers: Vec<Linear>,
    /// Numbers of the activation's parameters that are learnt; they lie behind all layers, hidden
    /// layer by hidden layer.
    pub learnt: Vec<usize>,
    pub learnt_at: usize,
    /// Number of parameters.
    pub len: usize,
}

impl Layout {
    pub fn new(widths: &[usize], learnt: Vec<usize>) -> Self {
        let mut at = 0;
        let mut layers = Vec::new();
        for pair in widths.windows(2) {
            layers.push(Linear { input: pair[0], output: pair[1], at });
            at += (pair[0] + 1) * pair[1];
        }
        let len = at + learnt.len() * (layers.len() - 1);
        Self { layers, learnt, learnt_at: at, len }
    }

    fn widest(&self) -> usize {
        self.layers.iter().map(|l| l.input.max(l.output)).max().unwrap_or(1)
    }
}

/// What passes need besides parameters and samples.
#[derive(Debug)]
pub(super) struct Scratch {
    /// After every layer: values behind the activation, `[width, size]`; the logits last.
    values: Vec<Vec<f32>>,
    /// Derivatives of the activation there.
    slopes: Vec<Vec<f32>>,
    /// Arguments of the activation, where its parameters are learnt.
    arguments: Vec<Vec<f32>>,
    errors: [Vec<f32>; 2],
    transposed: Vec<f32>,
    by_parameter: Vec<f32>,
}

impl Scratch {
    pub fn new(layout: &Layout) -> Self {
        let of_layers = || layout.layers.iter().map(|l| vec![0.0; l.output * PIECE]).collect::<Vec<_>>();
        let wide = layout.widest();
        let learnt = !layout.learnt.is_empty();
        Self {
            values: of_layers(),
            slopes: of_layers(),
            arguments: if learnt { of_layers() } else { Vec::new() },
            errors: [vec![0.0; wide * PIECE], vec![0.0; wide * PIECE]],
            transposed: vec![0.0; layout.layers.iter().map(|l| l.input * l.output).max().unwrap_or(0)],
            by_parameter: if learnt { vec![0.0; wide * PIECE] } else { Vec::new() },
        }
    }
}

/// What a pass found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// Sum of the losses.
    pub loss: f64,
    /// Right answers.
    pub right: usize,
}

/// Vectors of samples that the innermost loop of a product takes at once.
const VECTORS: usize = 4;

/// `O` rows of `output = weights input + bias`.
#[inline(always)]
fn rows<S: Simd, const O: usize>(
    simd: S,
    weights: &[f32],
    bias: [f32; O],
    input: &[f32],
    output: &mut [f32],
    size: usize,
    count: usize,
) {
    let (input, _) = S::as_simd_f32s(input);
    let (output, _) = S::as_mut_simd_f32s(output);
    let row = size / S::F32_LANES;
    for c in (0..row).step_by(VECTORS) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; O];
        for o in 0..O {
            sums[o] = [simd.splat_f32s(bias[o]); VECTORS];
        }
        for i in 0..count {
            let x = &input[i * row + c..][..VECTORS];
            for o in 0..O {
                let w = simd.splat_f32s(weights[o * count + i]);
                for s in 0..VECTORS {
                    sums[o][s] = simd.mul_add_f32s(w, x[s], sums[o][s]);
                }
            }
        }
        for o in 0..O {
            output[o * row + c..][..VECTORS].copy_from_slice(&sums[o]);
        }
    }
}

/// `output = weights input + bias`, with weights `[outputs, inputs]`; no bias where it is empty.
#[inline(always)]
fn product<S: Simd>(simd: S, weights: &[f32], bias: &[f32], input: &[f32], output: &mut [f32], size: usize, count: usize) {
    let outputs = weights.len() / count;
    let b = |o: usize| bias.get(o).copied().unwrap_or(0.0);
    let mut o = 0;
    while o < outputs {
        let (w, out) = (&weights[o * count..], &mut output[o * size..]);
        match outputs - o {
            1 => rows::<S, 1>(simd, w, [b(o)], input, out, size, count),
            2 => rows::<S, 2>(simd, w, [b(o), b(o + 1)], input, out, size, count),
            _ => rows::<S, 3>(simd, w, [b(o), b(o + 1), b(o + 2)], input, out, size, count),
        }
        o += 3;
    }
}

/// Adds to `gradient` the products, summed over samples, of `O` rows of errors and `I` rows of
/// inputs.
#[inline(always)]
fn outer<S: Simd, const O: usize, const I: usize>(
    simd: S,
    errors: &[f32],
    input: &[f32],
    gradient: &mut [f32],
    size: usize,
    count: usize,
) {
    let (errors, _) = S::as_simd_f32s(errors);
    let (input, _) = S::as_simd_f32s(input);
    let row = size / S::F32_LANES;
    let mut sums = [[simd.splat_f32s(0.0); I]; O];
    for c in 0..row {
        for o in 0..O {
            for i in 0..I {
                sums[o][i] = simd.mul_add_f32s(errors[o * row + c], input[i * row + c], sums[o][i]);
            }
        }
    }
    for o in 0..O {
        for i in 0..I {
            gradient[o * count + i] += simd.reduce_sum_f32s(sums[o][i]);
        }
    }
}

/// Adds to `gradient` (`[outputs, inputs]`) the products, summed over samples, of errors and
/// inputs.
#[inline(always)]
fn products<S: Simd>(simd: S, errors: &[f32], input: &[f32], gradient: &mut [f32], size: usize, count: usize) {
    let outputs = gradient.len() / count;
    for o in (0..outputs).step_by(3) {
        let e = &errors[o * size..];
        for i in (0..count).step_by(3) {
            let x = &input[i * size..];
            let g = &mut gradient[o * count + i..];
            match ((outputs - o).min(3), (count - i).min(3)) {
                (3, 3) => outer::<S, 3, 3>(simd, e, x, g, size, count),
                (3, 2) => outer::<S, 3, 2>(simd, e, x, g, size, count),
                (3, _) => outer::<S, 3, 1>(simd, e, x, g, size, count),
                (2, 3) => outer::<S, 2, 3>(simd, e, x, g, size, count),
                (2, 2) => outer::<S, 2, 2>(simd, e, x, g, size, count),
                (2, _) => outer::<S, 2, 1>(simd, e, x, g, size, count),
                (_, 3) => outer::<S, 1, 3>(simd, e, x, g, size, count),
                (_, 2) => outer::<S, 1, 2>(simd, e, x, g, size, count),
                _ => outer::<S, 1, 1>(simd, e, x, g, size, count),
            }
        }
    }
}

/// Loss and right answers of some logits (`[classes, size]`), which become the loss's gradient
/// times `scale`.
#[inline(always)]
fn cross_entropy(logits: &mut [f32], labels: &[u8], size: usize, scale: f32) -> Found {
    let classes = logits.len() / size;
    let mut found = Found::default();
    for c in (0..size).step_by(STRIP) {
        let mut top = [f32::NEG_INFINITY; STRIP];
        let mut best = [0u32; STRIP];
        for k in 0..classes {
            let row = &logits[k * size + c..][..STRIP];
            for s in 0..STRIP {
                // The first of equal ones wins; NaN never does.
                let more = row[s] > top[s];
                best[s] = if more { k as u32 } else { best[s] };
                top[s] = if more { row[s] } else { top[s] };
            }
        }
        let mut sum = [0.0f32; STRIP];
        for k in 0..classes {
            let row = &mut logits[k * size + c..][..STRIP];
            for s in 0..STRIP {
                row[s] = fast_exp(row[s] - top[s]);
                sum[s] += row[s];
            }
        }
        for k in 0..classes {
            let row = &mut logits[k * size + c..][..STRIP];
            for s in 0..STRIP {
                row[s] *= scale / sum[s];
            }
        }
        for s in 0..STRIP {
            let Some(&label) = labels.get(c + s) else {
                (0..classes).for_each(|k| logits[k * size + c + s] = 0.0);
                continue;
            };
            let own = &mut logits[usize::from(label) * size + c + s];
            // Far from the truth the probability is 0 in single precision.
            found.loss -= f64::from((*own / scale).max(1e-37).ln()) + if own.is_nan() { f64::NAN } else { 0.0 };
            *own -= scale;
            found.right += usize::from(best[s] == u32::from(label) && !sum[s].is_nan());
        }
    }
    found
}

/// Logits of a piece, in the scratch memory's last layer.
#[inline(always)]
fn forward<S: Simd>(
    simd: S,
    layout: &Layout,
    parameters: &[f32],
    activation: &Activation,
    numbers: &mut [f32],
    piece: &Piece,
    scratch: &mut Scratch,
) {
    let size = piece.size;
    for (l, layer) in layout.layers.iter().enumerate() {
        let (before, here) = scratch.values.split_at_mut(l);
        let input = before.last().map_or(&piece.x[..], |v| &v[..layer.input * size]);
        let out = &mut here[0][..layer.output * size];
        product(simd, &parameters[layer.weights()], &parameters[layer.biases()], input, out, size, layer.input);
        if l + 1 < layout.layers.len() {
            for (k, &n) in layout.learnt.iter().enumerate() {
                numbers[n] = parameters[layout.learnt_at + l * layout.learnt.len() + k];
            }
            if let Some(arguments) = scratch.arguments.get_mut(l) {
                arguments[..out.len()].copy_from_slice(out);
            }
            activation.run(numbers, out, &mut scratch.slopes[l][..layer.output * size]);
        }
    }
}

/// Right answers and loss of a piece, and, where `gradient` is given, its gradient of the loss over
/// `total` samples, added to it.
pub(super) fn pass(
    layout: &Layout,
    parameters: &[f32],
    activation: &Activation,
    piece: &Piece,
    total: usize,
    gradient: Option<&mut [f32]>,
    scratch: &mut Scratch,
) -> Found {
    let pass = Pass { layout, parameters, activation, piece, total, gradient, scratch };
    // The dispatcher itself knows AVX2 only behind a feature that would compile its other users
    // anew.
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = pulp::x86::V3::try_new() {
        return Simd::vectorize(v3, pass);
    }
    Arch::new().dispatch(pass)
}

/// A pass as the dispatcher takes it, which compiles it for every kind of vector instructions.
struct Pass<'a> {
    layout: &'a Layout,
    parameters: &'a [f32],
    activation: &'a Activation,
    piece: &'a Piece,
    total: usize,
    gradient: Option<&'a mut [f32]>,
    scratch: &'a mut Scratch,
}

impl WithSimd for Pass<'_> {
    type Output = Found;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Found {
        pass_with(simd, self)
    }
}

#[inline(always)]
fn pass_with<S: Simd>(simd: S, pass: Pass<'_>) -> Found {
    let Pass { layout, parameters, activation, piece, total, gradient, scratch } = pass;
    let size = piece.size;
    let mut numbers = activation.numbers();
    forward(simd, layout, parameters, activation, &mut numbers, piece, scratch);
    let last = layout.layers.len() - 1;
    let logits = &mut scratch.values[last][..layout.layers[last].output * size];
    let found = cross_entropy(logits, &piece.labels, size, 1.0 / total as f32);
    let Some(gradient) = gradient else { return found };
    scratch.errors[0][..logits.len()].copy_from_slice(logits);
    for l in (0..=last).rev() {
        let layer = layout.layers[l];
        let [errors, next] = &mut scratch.errors;
        let errors_here = &mut errors[..layer.output * size];
        if l < last {
            for (k, &n) in layout.learnt.iter().enumerate() {
                for (m, &other) in layout.learnt.iter().enumerate() {
                    numbers[other] = parameters[layout.learnt_at + l * layout.learnt.len() + m];
                }
                let slopes = &mut scratch.by_parameter[..layer.output * size];
                activation.run_by_parameter(&numbers, n, &scratch.arguments[l][..slopes.len()], slopes);
                let sum: f32 = slopes.iter().zip(errors_here.iter()).map(|(s, e)| s * e).sum();
                gradient[layout.learnt_at + l * layout.learnt.len() + k] += sum;
            }
            for (e, s) in errors_here.iter_mut().zip(&scratch.slopes[l]) {
                *e *= s;
            }
        }
        let input = if l == 0 { &piece.x[..] } else { &scratch.values[l - 1][..layer.input * size] };
        products(simd, errors_here, input, &mut gradient[layer.weights()], size, layer.input);
        for (g, row) in gradient[layer.biases()].iter_mut().zip(errors_here.chunks_exact(size)) {
            let mut sums = [0.0f32; LANES];
            row.chunks_exact(LANES).for_each(|part| sums.iter_mut().zip(part).for_each(|(s, x)| *s += x));
            *g += sums.iter().sum::<f32>();
        }
        if l > 0 {
            let weights = &parameters[layer.weights()];
            let transposed = &mut scratch.transposed[..weights.len()];
            for (o, row) in weights.chunks_exact(layer.input).enumerate() {
                for (i, &w) in row.iter().enumerate() {
                    transposed[i * layer.output + o] = w;
                }
            }
            product(simd, transposed, &[], errors_here, &mut next[..layer.input * size], size, layer.output);
            scratch.errors.swap(0, 1);
        }
    }
    found
}
