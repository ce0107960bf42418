//! `shaders/activate.wgsl`, `activate_backward.wgsl`: activation functions as one kernel each,
//! forwards and backwards.
//!
//! `cargo bench --bench networks -- activation`, a million numbers on the software driver, both
//! cores half busy: forwards the pair takes as long as what burn compiles from the composed
//! expression (2.6 ms each, CAbs: both read and write everything once); alone, forwards and
//! backwards, it is 1.4 times faster (7.2 ms against 10.2). In a network an activation is not
//! alone: behind a scale and a shift, which burn compiles into one kernel with the composed
//! function and with its gradient, the composition takes 10.7 ms and the pair 16.1, for kernels of
//! ours are walls that burn's fusion ends at. So training goes through the composition. The pair is
//! the independent check of what burn makes of the table, and serves where numbers lie in buffers
//! without a tape.

use super::{Activation, bridge};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Kernel, Recorder, Work};
use crate::topology::SHARED_SHADERS;
use burn::tensor::Tensor;

/// The functions that the shaders know, in the order of their numbers.
const KNOWN: [&str; 11] =
    ["identity", "relu", "leaky_relu", "tanh", "sigmoid", "swish", "sine", "sine-plus-linear", "gcu", "fold", "smooth-cabs"];

/// Whether the shaders know a function.
pub fn is_known(activation: &Activation) -> bool {
    KNOWN.contains(&activation.name())
}

/// A shader with the function and its parameters compiled in.
fn kernel(gpu: &Gpu, activation: &Activation, name: &'static str, source: &str) -> Result<Kernel> {
    let kind = KNOWN.iter().position(|n| *n == activation.name());
    let kind =
        kind.ok_or_else(|| Error::input(format!("there is no shader for {activation}: it is one of {}", KNOWN.join(", "))))?;
    let numbers = activation.numbers();
    let number = |n: usize| numbers.get(n).copied().map_or(0.0, f64::from);
    let constants = [("KIND", kind as f64), ("P0", number(0)), ("P1", number(1)), ("P2", number(2))];
    Kernel::new(gpu, name, source, &SHARED_SHADERS, &constants)
}

/// A pair of kernels for one function.
#[allow(missing_debug_implementations, reason = "pipelines have nothing to show")]
pub struct Fused {
    gpu: Gpu,
    forward: Kernel,
    backward: Kernel,
}

impl Fused {
    /// Compiles both for the device that `gpu` shares with the tensors.
    ///
    /// # Errors
    /// [`Error::Input`] for a function that the shaders do not know, [`Error::Device`].
    pub fn new(gpu: &Gpu, activation: &Activation) -> Result<Self> {
        Ok(Self {
            gpu: gpu.clone(),
            forward: kernel(gpu, activation, "activate", include_str!("../../shaders/activate.wgsl"))?,
            backward: kernel(gpu, activation, "activate backwards", include_str!("../../shaders/activate_backward.wgsl"))?,
        })
    }

    /// The function of every number of a tensor, whose count is a multiple of 4.
    ///
    /// # Errors
    /// [`Error::Input`] for another count or a tensor elsewhere, [`Error::Device`].
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<D>> {
        self.run(&self.forward, x, None)
    }

    /// The gradient before the function, given the one behind it and the function's arguments.
    ///
    /// # Errors
    /// As [`Fused::forward`]; [`Error::Input`] when the shapes differ.
    pub fn backward<const D: usize>(&self, x: Tensor<D>, behind: Tensor<D>) -> Result<Tensor<D>> {
        if x.dims() != behind.dims() {
            return Err(Error::input("a gradient has the shape of its numbers"));
        }
        self.run(&self.backward, x, Some(behind))
    }

    fn run<const D: usize>(&self, kernel: &Kernel, x: Tensor<D>, behind: Option<Tensor<D>>) -> Result<Tensor<D>> {
        let (shape, device) = (x.dims(), x.device());
        let count: usize = shape.iter().product();
        if count == 0 || !count.is_multiple_of(4) {
            return Err(Error::input(format!("{count} numbers: the shaders take a multiple of 4")));
        }
        let x = bridge::buffer_of(x)?;
        let behind = behind.map(bridge::buffer_of).transpose()?;
        bridge::tensor_from(&device, &self.gpu, shape, |gpu, out, offset| {
            let mut bindings = vec![(x.buffer(), x.offset(), x.bytes())];
            bindings.extend(behind.iter().map(|b| (b.buffer(), b.offset(), b.bytes())));
            bindings.push((out, offset, 4 * count as u64));
            let fours = (count / 4) as u32;
            let work = Work { groups: fours.div_ceil(64), clouds: 1, a: fours, b: 0, cost: 64.0 * 12.0, most_groups: 0 };
            let mut recorder = Recorder::new(gpu, false)?;
            recorder.dispatch(kernel, &bindings, work)?;
            recorder.submit()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::AdapterChoice;
    use crate::nn::Compute;
    use crate::topology::EngineKind;

    /// Against the composition that burn compiles, its gradient, and finite differences.
    #[test]
    fn shaders_are_the_composition_and_its_gradient() {
        let compute = Compute::new(EngineKind::Gpu, &AdapterChoice::Best).unwrap();
        let gpu = compute.engine.gpu().unwrap();
        let at: Vec<f32> = (-60..60).map(|i| i as f32 * 0.113 + 0.0071).collect();
        for name in KNOWN.into_iter().chain([
            "fold:0.3,0",
            "fold:0.6,0.4",
            "fold:0,1",
            "sine:2.5",
            "sine-plus-linear:-1.5",
            "leaky_relu:0.01",
        ]) {
            let activation = Activation::parse(name).unwrap();
            let fused = Fused::new(gpu, &activation).unwrap();
            let x = || Tensor::<1>::from_data(at.as_slice(), &compute.device).reshape([10, 12]);
            let behind = || x() * 0.5 + 1.0;
            let ours: Vec<f32> = fused.forward(x()).unwrap().try_into_vec_as().unwrap();
            let theirs: Vec<f32> = activation.flat(x()).try_into_vec_as().unwrap();
            let slopes: Vec<f32> = fused.backward(x(), behind()).unwrap().try_into_vec_as().unwrap();
            let device = compute.device.clone().autodiff();
            let leaf = Tensor::<1>::from_data(at.as_slice(), &device).reshape([10, 12]).require_grad();
            let weighed = activation.flat(leaf.clone()) * (leaf.clone().detach() * 0.5 + 1.0);
            let gradient: Vec<f32> = leaf.grad(&weighed.sum().backward()).unwrap().try_into_vec_as().unwrap();
            for (i, &x) in at.iter().enumerate() {
                let x = f64::from(x);
                let finite = (activation.value(x + 1e-5) - activation.value(x - 1e-5)) / 2e-5 * (0.5 * x + 1.0);
                let near = |a: f32, b: f64| (f64::from(a) - b).abs() < 2e-4 * b.abs().max(1.0);
                assert!(near(ours[i], f64::from(theirs[i])) && near(ours[i], activation.value(x)), "{name} at {x}");
                assert!(
                    near(slopes[i], f64::from(gradient[i])) && near(slopes[i], finite),
                    "{name} at {x}: {} {finite}",
                    slopes[i]
                );
            }
        }
        assert!(Fused::new(gpu, &Activation::parse("gelu").unwrap()).err().unwrap().to_string().contains("no shader"));
        let odd = Tensor::<1>::from_data([1.0f32, 2.0, 3.0].as_slice(), &compute.device);
        let fused = Fused::new(gpu, &Activation::parse("relu").unwrap()).unwrap();
        assert!(fused.forward(odd).err().unwrap().to_string().contains("multiple of 4"));
        assert!(is_known(&Activation::parse("cabs").unwrap()) && !is_known(&Activation::parse("elu").unwrap()));
    }
}
