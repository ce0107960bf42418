//! A batch of small clouds, dimensions 0 and 1: our engines beside the original Ripser on the same
//! input.
//!
//! `cargo bench --bench engines` prints all of them in one run. The input of each is float32
//! points; distances are part of the time everywhere. The GPU engine runs on whatever adapter is
//! first: its name is in the title.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lacuna::gpu::{AdapterChoice, Gpu};
use lacuna::topology::{Cloud, Engine, Options, PointCloud};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::hint::black_box;
use std::time::Duration;

const CLOUDS: usize = 256;
const POINTS: usize = 128;
const FEATURES: usize = 8;

fn clouds() -> Vec<PointCloud> {
    let mut rng = StdRng::seed_from_u64(0);
    let mut cloud = || PointCloud::new(POINTS, FEATURES, (0..POINTS * FEATURES).map(|_| rng.random()).collect());
    (0..CLOUDS).map(|_| cloud().expect("random numbers are finite")).collect()
}

/// Ripser's way in: the lower triangle of the distances.
fn with_ripser(points: &PointCloud) -> usize {
    let mut lower = Vec::with_capacity(POINTS * (POINTS - 1) / 2);
    for i in 1..points.len() {
        for j in 0..i {
            let squares = points.point(i).iter().zip(points.point(j)).map(|(a, b)| (a - b) * (a - b));
            lower.push(squares.sum::<f32>().sqrt());
        }
    }
    ripser::ripser(&lower, points.len(), 1, None).len()
}

fn batch(c: &mut Criterion) {
    let points = clouds();
    let clouds: Vec<Cloud> = points.iter().cloned().map(Cloud::from).collect();
    let bars = |engine: &Engine, clouds: &[Cloud]| -> usize {
        let all = engine.barcodes(clouds, &Options::default()).expect("the engine answers");
        all.iter().flat_map(|b| &b.bars).map(Vec::len).sum()
    };
    let (cpu, want) = (Engine::cpu(), points.iter().map(with_ripser).sum::<usize>());
    assert_eq!(bars(&cpu, &clouds), want, "engines that disagree are not to be compared");
    let mut group = c.benchmark_group(format!("{CLOUDS} clouds of {POINTS} points in R^{FEATURES}, H0 and H1"));
    group.sample_size(10).measurement_time(Duration::from_secs(8)).throughput(Throughput::Elements(CLOUDS as u64));
    group.bench_function("ripser, one thread", |b| b.iter(|| points.iter().map(|p| with_ripser(black_box(p))).sum::<usize>()));
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    group.bench_function("lacuna cpu, one thread", |b| b.iter(|| one.install(|| bars(&cpu, black_box(&clouds)))));
    group.bench_function(BenchmarkId::new("lacuna cpu, all threads", rayon::current_num_threads()), |b| {
        b.iter(|| bars(&cpu, black_box(&clouds)));
    });
    match Gpu::open(&AdapterChoice::Best) {
        Ok(gpu) => {
            let name = gpu.record().name.clone();
            let gpu = Engine::on(gpu);
            group.bench_function(BenchmarkId::new("lacuna gpu", name), |b| b.iter(|| bars(&gpu, black_box(&clouds))));
        }
        Err(e) => eprintln!("lacuna gpu: {e}"),
    }
    group.finish();
}

criterion_group! { name = benches; config = Criterion::default().without_plots(); targets = batch }
criterion_main!(benches);
