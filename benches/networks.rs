//! Ensembles against single runs, and activation functions: burn's composition against the pair of
//! shaders.
//!
//! `cargo bench --bench networks` prints all in one run.

use burn::tensor::Tensor;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lacuna::data::disks;
use lacuna::gpu::AdapterChoice;
use lacuna::nn::fused::Fused;
use lacuna::nn::{Activation, Arch, Compute, Init, Net, bridge};
use lacuna::progress::Unwatched;
use lacuna::topology::EngineKind;
use lacuna::trace::{Procedure, trace_nets};
use lacuna::train::{Member, Optimiser, Recipe, Settings, Trainer, train_ensemble};
use std::time::Duration;

/// Members of the ensemble, and steps of each.
const MEMBERS: u64 = 30;
const STEPS: usize = 20;

fn recipe(activation: &str) -> Recipe {
    let activation = Activation::parse(activation).expect("it is in the table");
    Recipe {
        arch: Arch::mlp(2, 10, 15, 2, activation).expect("sizes above 0"),
        init: Init::Own,
        learn_activation: false,
        steps: STEPS,
        batch: 0,
        half_life: None,
        targets: Vec::new(),
        check_every: 0,
        keep_at: Vec::new(),
    }
}

/// 30 seeds of a 10x15 perceptron on 4,000 points, all of them a step: together, and one after the
/// other through burn.
fn ensembles(c: &mut Criterion) {
    let data = disks(4000, 0).expect("enough points");
    let compute = Compute::cpu();
    let mut group = c.benchmark_group(format!("{MEMBERS} seeds, 10x15, 4000 points, {STEPS} steps"));
    group.sample_size(10).measurement_time(Duration::from_secs(10)).throughput(Throughput::Elements(MEMBERS * STEPS as u64));
    for name in ["cabs", "relu", "tanh"] {
        let recipe = recipe(name);
        let members: Vec<Member> = (0..MEMBERS).map(|seed| Member { seed, rate: 0.005 }).collect();
        let train = |members: &[Member]| {
            let take = &mut |_, _| Ok(());
            train_ensemble(&recipe, members, &data.train, &data.test, &compute, &mut Unwatched, take).expect("it trains");
        };
        group.bench_function(BenchmarkId::new("ensemble", name), |b| b.iter(|| train(&members)));
        group
            .bench_function(BenchmarkId::new("ensembles of one", name), |b| b.iter(|| members.iter().for_each(|&m| train(&[m]))));
        group.bench_function(BenchmarkId::new("single runs through burn", name), |b| {
            b.iter(|| {
                for seed in 0..MEMBERS {
                    let settings = Settings::new(STEPS, 0, Optimiser::adam(0.005), seed);
                    let net = Net::new(&recipe.arch, seed, &compute.device).expect("it fits");
                    let mut trainer = Trainer::new(net, settings, &compute.device);
                    for _ in 0..STEPS {
                        trainer.epoch(&data.train, &mut Unwatched).expect("it trains");
                    }
                }
            });
        });
    }
    group.finish();
}

/// A full trace: 11 layers, 2 classes of 1,500 points, dimensions 0 and 1.
fn traces(c: &mut Criterion) {
    let (data, compute) = (disks(15_000, 0).expect("enough points"), Compute::cpu());
    let net = Net::new(&recipe("cabs").arch, 0, &compute.device).expect("it fits");
    let mut group = c.benchmark_group("trace of 11 layers, 2 classes of 1500 points, H0 and H1");
    group.sample_size(10);
    group.bench_function("hops, k = 14", |b| {
        b.iter(|| trace_nets(&[&net], &data.train, &[0, 1], &Procedure::hops(1500, 14), &compute).expect("it answers"));
    });
    group.finish();
}

/// A million numbers through an activation on the GPU: what burn compiles, and the shaders.
fn activation(c: &mut Criterion) {
    let compute = match Compute::new(EngineKind::Gpu, &AdapterChoice::Best) {
        Ok(compute) => compute,
        Err(e) => return eprintln!("activation: {e}"),
    };
    let Some(gpu) = compute.engine.gpu() else { return };
    let mut group = c.benchmark_group(format!("activation of 2^20 numbers on {}", gpu.record().name));
    group.sample_size(10);
    for name in ["cabs", "sine", "swish"] {
        let activation = Activation::parse(name).expect("it is in the table");
        let fused = Fused::new(gpu, &activation).expect("it is known");
        let numbers: Vec<f32> = (0..1 << 20).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
        let x = Tensor::<1>::from_data(numbers.as_slice(), &compute.device).reshape([1024, 1024]);
        let last = |y: Tensor<2>| bridge::read(y.slice([0..1, 0..1])).expect("it is read");
        group.bench_function(BenchmarkId::new("composed", name), |b| b.iter(|| last(activation.flat(x.clone()))));
        group.bench_function(BenchmarkId::new("shader", name), |b| {
            b.iter(|| last(fused.forward(x.clone()).expect("it runs")));
        });
        let device = compute.device.clone().autodiff();
        group.bench_function(BenchmarkId::new("composed, with gradient", name), |b| {
            b.iter(|| {
                let leaf = Tensor::<2>::from_inner(x.clone()).to_device(&device).require_grad();
                let gradient = leaf.grad(&activation.flat(leaf.clone()).sum().backward()).expect("it has one");
                last(gradient)
            });
        });
        group.bench_function(BenchmarkId::new("shaders, with gradient", name), |b| {
            b.iter(|| {
                let y = fused.forward(x.clone()).expect("it runs");
                let gradient = fused.backward(x.clone(), Tensor::ones_like(&x)).expect("it runs");
                let _ = last(y);
                last(gradient)
            });
        });
        // As in a network: behind the scale and shift of a norm or the sum of a linear layer, which
        // burn compiles into one kernel with the composed function and its gradient, and cannot
        // with ours.
        let (scale, shift) =
            (Tensor::<2>::ones([1, 1024], &compute.device) * 1.1, Tensor::<2>::ones([1, 1024], &compute.device) * 0.1);
        group.bench_function(BenchmarkId::new("composed, behind a norm, with gradient", name), |b| {
            let leafs = |t: &Tensor<2>| Tensor::<2>::from_inner(t.clone()).to_device(&device);
            b.iter(|| {
                let leaf = leafs(&x).require_grad();
                let y = activation.flat(leaf.clone() * leafs(&scale) + leafs(&shift));
                let gradient = leaf.grad(&y.clone().backward()).expect("it has one");
                let _ = last(y.inner());
                last(gradient)
            });
        });
        group.bench_function(BenchmarkId::new("shaders, behind a norm, with gradient", name), |b| {
            b.iter(|| {
                let z = x.clone() * scale.clone() + shift.clone();
                let y = fused.forward(z.clone()).expect("it runs");
                let gradient = fused.backward(z.clone(), Tensor::ones_like(&z)).expect("it runs") * scale.clone();
                let _ = last(y);
                last(gradient)
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = Criterion::default().without_plots(); targets = ensembles, traces, activation }
criterion_main!(benches);
