//! Ensembles against single runs, and traces.
//!
//! `cargo bench --bench networks` prints all in one run.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lacuna::data::disks;
use lacuna::nn::{Activation, Arch, Compute, Init, Net};
use lacuna::progress::Unwatched;
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

criterion_group! { name = benches; config = Criterion::default().without_plots(); targets = ensembles, traces }
criterion_main!(benches);
