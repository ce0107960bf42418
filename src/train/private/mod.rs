//! Differentially private training: what a network learns says little about any single sample.
//!
//! In every step each sample takes part with the same small probability. Its gradient, over all
//! weights together, is shortened to the clip where it is longer; the gradients are added up,
//! normal noise is added, and the sum is divided by the expected number of samples (Abadi and
//! others, "Deep learning with differential privacy", arXiv 1607.00133). Any optimiser may make a
//! step of it. [`accountant`] says how much the steps have spent.
//!
//! What epsilon and delta cover are the weights, after every step. They do not cover what is
//! measured with training samples besides: losses and accuracies on them, traces, or pruning with
//! them.

mod accountant;
mod noise;

use accountant::{epsilon, noise_for};
pub(super) use noise::Chance;

use super::examples::{Clipped, learnables};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::nn::{Arch, Layer, Net};
use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// The most noise, in clips.
const MOST_NOISE: f64 = 1e4;
/// Bytes that the gradients of single samples by convolutions may take at once.
const ROW_BYTES: usize = 256 << 20;

/// What keeps single samples private.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Private {
    /// How long the gradient of a sample may be, over all weights together.
    pub clip: f64,
    /// The deviation of the noise, in clips.
    pub noise: f64,
    /// The probability with which the guarantee may fail.
    pub delta: f64,
    /// What decides noise and sampling where a run is to be repeated; whoever knows it can take the
    /// noise off. The operating system's chance if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The epsilon that all epochs together may spend, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

impl Private {
    /// Whether the numbers make sense.
    ///
    /// # Errors
    /// [`Error::Input`] with the one that does not.
    pub fn check(&self) -> Result<()> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        if !positive(self.clip) {
            return Err(Error::input("the clip must be a number above 0"));
        }
        if !positive(self.noise) {
            return Err(Error::input("the noise must be a number above 0: without noise nothing is private"));
        }
        if self.noise > MOST_NOISE {
            return Err(Error::input(format!("the noise must be at most {MOST_NOISE:.0} clips: with more nothing is learnt")));
        }
        if !(self.delta > 0.0 && self.delta < 1.0) {
            return Err(Error::input("delta must be above 0 and below 1"));
        }
        Ok(())
    }

    /// Epsilon after so many steps of `batch` samples, of `count`, in the mean.
    pub fn spent(&self, batch: usize, count: usize, steps: usize) -> f64 {
        epsilon(rate(batch, count), self.noise, steps, self.delta)
    }

    /// The least noise, in clips, with which so many steps spend no more than an epsilon.
    ///
    /// # Errors
    /// [`Error::Input`] where no noise is enough, with what can be reached.
    pub fn noise_for(&self, epsilon: f64, batch: usize, count: usize, steps: usize) -> Result<f64> {
        noise_for(epsilon, rate(batch, count), steps, self.delta)
    }

    /// Whether a network can learn privately.
    ///
    /// # Errors
    /// [`Error::Input`] for one with batch norms.
    pub fn allows(arch: &Arch) -> Result<()> {
        if arch.layers.iter().any(|l| matches!(l, Layer::BatchNorm { .. })) {
            return Err(Error::setting(
                "a batch norm mixes the samples of a batch, so what one sample adds to the gradient has no bound: private \
                 training needs a network without them",
                &["model cnn --no-norm", "model mlp"],
            ));
        }
        Ok(())
    }
}

/// The probability with which a sample takes part in a step; a batch of 0 takes all.
pub(super) fn rate(batch: usize, count: usize) -> f64 {
    if batch == 0 { 1.0 } else { (batch as f64 / count.max(1) as f64).min(1.0) }
}

/// What a private step follows, and what it saw on the way.
pub(super) struct PrivateStep {
    pub gradients: GradientsParams,
    /// The sum of the samples' losses, the number of right answers, and that of gradients which
    /// were longer than the clip, `[1]` each.
    pub seen: [Tensor<1>; 3],
}

/// Gives some samples with their labels.
type Load<'a> = dyn Fn(&[usize]) -> (Tensor<2>, Tensor<1, Int>) + 'a;

/// The samples of a step.
pub(super) struct Drawn<'a> {
    /// Their numbers.
    pub which: &'a [usize],
    /// How many there are in the mean: what the sum is divided by.
    pub expected: f64,
    /// Gives some of them with their labels, on an autodiff device.
    pub load: &'a Load<'a>,
}

/// The noisy mean of the clipped gradients of some samples.
///
/// # Errors
/// [`Error::Device`] when the device fails.
pub(super) fn step(
    net: &Net,
    private: Private,
    chance: &mut Chance,
    samples: &Drawn<'_>,
    gpu: Option<&Gpu>,
) -> Result<PrivateStep> {
    let frozen = net.frozen();
    let weights = learnables(net);
    let Some(device) = weights.first().map(|w| w.row.device()) else {
        return Err(Error::input("this network has nothing to learn"));
    };
    let mut sums: Vec<Tensor<2>> = weights.iter().map(|w| w.row.zeros_like()).collect();
    let none = Tensor::<1>::zeros([1], &device);
    let mut seen = [none.clone(), none.clone(), none];
    let at_once = (ROW_BYTES / (4 * rows_numbers(net)).max(1)).clamp(1, 1024);
    for some in samples.which.chunks(at_once) {
        let (x, y) = (samples.load)(some);
        let found = Clipped::of(&frozen, x, y.clone(), private.clip, gpu)?;
        let right = found.logits.argmax(1).squeeze_dim::<1>(1).equal(y.inner()).float().sum();
        let longer = found.norms.greater_scalar(private.clip).float().sum();
        seen = [seen[0].clone() + found.loss, seen[1].clone() + right, seen[2].clone() + longer];
        for (layer, kind, sum) in found.sums {
            if let Some(at) = weights.iter().position(|w| w.layer == layer && w.which == kind) {
                sums[at] = sums[at].clone() + sum;
            }
        }
    }
    let mut gradients = GradientsParams::new();
    for (weight, sum) in weights.into_iter().zip(sums) {
        let numbers: usize = weight.shape.iter().product();
        let noise = chance.normal(numbers, private.noise * private.clip);
        let noisy = (sum + Tensor::from_data(TensorData::new(noise, [1, numbers]), &device)) / samples.expected;
        match *weight.shape.as_slice() {
            [n] => gradients.register(weight.id, noisy.reshape([n])),
            [n, m] => gradients.register(weight.id, noisy.reshape([n, m])),
            [o, i, h, w] => gradients.register(weight.id, noisy.reshape([o, i, h, w])),
            ref other => return Err(Error::Internal(format!("weights of the shape {other:?}"))),
        }
    }
    Ok(PrivateStep { gradients, seen })
}

/// Numbers of a sample's gradients that are made one by one: those by the weights of convolutions.
fn rows_numbers(net: &Net) -> usize {
    net.convs().map(|c| c.weight.dims().iter().product::<usize>()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::examples::{ExampleStrategy, example_gradients};
    use super::*;
    use crate::gpu::AdapterChoice;
    use crate::nn::{Activation, Compute, bridge};
    use crate::topology::EngineKind;

    fn batch(samples: usize, compute: &Compute) -> (Tensor<2>, Tensor<1, Int>) {
        let device = compute.device.clone().autodiff();
        let data: Vec<f32> = (0..samples * 64).map(|i| (i as f32 * 0.37).sin()).collect();
        let labels: Vec<i32> = (0..samples).map(|i| (i % 3) as i32).collect();
        let x = Tensor::from_data(TensorData::new(data, [samples, 64]), &device);
        (x, Tensor::from_data(TensorData::new(labels, [samples]), &device))
    }

    fn network(compute: &Compute) -> Net {
        let mut arch = Arch::cnn([1, 8, 8], &[4, 6], 9, 3, Activation::parse("fold:0.5,1").unwrap()).unwrap().without_norms();
        arch.learn_activation = true;
        Net::new(&arch, 3, &compute.device).unwrap()
    }

    /// Clipped gradients, one by one in plain numbers, against the sum that never makes them.
    #[test]
    fn sums_are_those_of_gradients_clipped_one_by_one() {
        for compute in [Compute::cpu(), Compute::new(EngineKind::Gpu, &AdapterChoice::Best).unwrap()] {
            let (net, (x, y)) = (network(&compute), batch(7, &compute));
            let rows: Vec<Vec<f32>> = example_gradients(&net, x.clone(), y.clone(), ExampleStrategy::Naive, None)
                .unwrap()
                .into_iter()
                .map(|g| bridge::read(g.rows).unwrap())
                .collect();
            let norm = |i: usize| {
                let of =
                    |r: &Vec<f32>| r[i * r.len() / 7..(i + 1) * r.len() / 7].iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
                rows.iter().map(of).sum::<f64>().sqrt()
            };
            let norms: Vec<f64> = (0..7).map(norm).collect();
            let mut sorted = norms.clone();
            sorted.sort_by(f64::total_cmp);
            // Some are longer, some are not.
            let clip = sorted[3];
            let found = Clipped::of(&net.frozen(), x, y, clip, compute.engine.gpu()).unwrap();
            let got = bridge::read(found.norms).unwrap();
            assert!(got.iter().zip(&norms).all(|(g, n)| (f64::from(*g) - n).abs() < 1e-4 * n), "{got:?} {norms:?}");
            assert_eq!(found.sums.len(), rows.len());
            for ((layer, which, sum), rows) in found.sums.into_iter().zip(&rows) {
                let sum = bridge::read(sum).unwrap();
                for (k, got) in sum.iter().enumerate() {
                    let want: f64 = (0..7).map(|i| f64::from(rows[i * sum.len() + k]) * (clip / norms[i]).min(1.0)).sum();
                    assert!((f64::from(*got) - want).abs() < 2e-4 * clip, "layer {layer} {which:?}: {got} {want}");
                }
            }
        }
    }

    /// What a step adds to the mean of the clipped gradients is noise of the deviation that was
    /// asked for, also where no sample was drawn.
    #[test]
    fn steps_add_the_noise_that_was_asked_for() {
        let compute = Compute::cpu();
        let (net, (x, y)) = (network(&compute), batch(7, &compute));
        let private = Private { clip: 0.5, noise: 3.0, delta: 1e-5, seed: Some(1), limit: None };
        let load = |which: &[usize]| (x.clone().narrow(0, 0, which.len()), y.clone().narrow(0, 0, which.len()));
        let weight = |which: &[usize], at: usize| -> Vec<f64> {
            let mut chance = Chance::new(Some(1), at).unwrap();
            let samples = &Drawn { which, expected: 4.0, load: &load };
            let mut taken = step(&net, private, &mut chance, samples, None).unwrap().gradients;
            let linear = net.linears().next().unwrap();
            let gradient: Tensor<2> = taken.remove(linear.weight.id).unwrap();
            bridge::read(gradient).unwrap().into_iter().map(f64::from).collect()
        };
        let deviation = |x: &[f64]| (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64).sqrt();
        let alone = weight(&[], 0);
        assert!((deviation(&alone) - 3.0 * 0.5 / 4.0).abs() < 0.05, "{}", deviation(&alone));
        // The same noise: what is left is the mean of the clipped gradients, of at most so much.
        let rest: Vec<f64> = weight(&[0, 1, 2, 3, 4, 5, 6], 0).iter().zip(&alone).map(|(a, b)| a - b).collect();
        let length = deviation(&rest) * (rest.len() as f64).sqrt();
        assert!(length > 1e-3 && length <= 7.0 * 0.5 / 4.0 + 1e-4, "{length}");
        assert_ne!(weight(&[], 1), alone);
    }

    #[test]
    fn batch_norms_and_senseless_numbers_are_refused() {
        let arch = Arch::cnn([1, 8, 8], &[4], 9, 3, Activation::parse("relu").unwrap()).unwrap();
        assert!(Private::allows(&arch).unwrap_err().to_string().contains("mixes the samples"));
        assert!(Private::allows(&arch.without_norms()).is_ok());
        let good = Private { clip: 1.0, noise: 1.0, delta: 1e-5, seed: None, limit: None };
        assert!(good.check().is_ok());
        for bad in [
            Private { clip: 0.0, ..good },
            Private { clip: f64::NAN, ..good },
            Private { noise: 0.0, ..good },
            Private { noise: f64::INFINITY, ..good },
            Private { noise: 1e300, ..good },
            Private { delta: 0.0, ..good },
            Private { delta: 1.0, ..good },
        ] {
            assert_eq!(bad.check().unwrap_err().exit_code(), 2, "{bad:?}");
        }
    }
}
