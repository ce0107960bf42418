//! The pruning lab's two heavy jobs: Betti numbers of all 4,224 filters of VGG-16, beside Ripser
//! one filter at a time, and a generation of the genetic search.
//!
//! `cargo bench --bench pruning -- [--data-dir FOLDER_OF_CIFAR_10] [--samples 512] [--of 4]
//! [--stages] [--gpu]`. Ripser computes a sample of each layer's filters (`--of` of them) and its
//! time is multiplied up, which the table says; both sides begin with the layer's maps as float32
//! and compute distances themselves, by the same loop over eight sums. Without a folder the images
//! are noise, which costs the engine more than photographs.

#![allow(clippy::print_stdout, reason = "a bench has no other way to tell what it found")]

use burn::tensor::{Tensor, TensorData};
use lacuna::data::images::{ImageSet, read_folder};
use lacuna::gpu::AdapterChoice;
use lacuna::nn::{Activation, ActivationClouds, Compute, Flow, Net, bridge, zoo};
use lacuna::progress::Unwatched;
use lacuna::prune::{TopologicalOptions, Topology};
use lacuna::report::Table;
use lacuna::topology::{Cloud, EngineKind, Options, PointCloud};
use lacuna::{Error, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::Path;
use std::time::Instant;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let after = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let number = |name: &str, usual: usize| after(name).and_then(|n| n.parse().ok()).unwrap_or(usual);
    let compute = if arguments.iter().any(|a| a == "--gpu") {
        Compute::new(EngineKind::Gpu, &AdapterChoice::Best)?
    } else {
        Compute::cpu()
    };
    println!("engine: {}\n", compute.engine.info().adapter);
    generation(&compute)?;
    filters(
        &compute,
        number("--samples", 512),
        number("--of", 4),
        arguments.iter().any(|a| a == "--stages"),
        after("--data-dir").map(Path::new),
    )
}

/// A layer of 512 filters of 512 x 3 x 3 weights, half to stay, population 32.
fn generation(compute: &Compute) -> Result<()> {
    let mut rng = StdRng::seed_from_u64(0);
    let width = 512 * 9;
    let rows: Vec<f32> = (0..512 * width).map(|_| rng.random_range(-0.05..0.05)).collect();
    let start = Instant::now();
    let layer = Topology::new(&rows, width, 256, &TopologicalOptions::default(), &compute.engine)?;
    let made = start.elapsed();
    let mut population = layer.begin(0);
    let mut times = Vec::new();
    for _ in 0..6 {
        let start = Instant::now();
        layer.generation(&mut population)?;
        times.push(start.elapsed().as_secs_f64());
    }
    // The first one rates the beginning too.
    let mut later = times[1..].to_vec();
    later.sort_by(f64::total_cmp);
    println!(
        "genetic search, 512 filters, 256 to stay, population 32: distances and the whole barcode {:.3} s, a generation {:.3} s (median of 5)\n",
        made.as_secs_f64(),
        later[2]
    );
    Ok(())
}

fn filters(compute: &Compute, samples: usize, of: usize, stages: bool, folder: Option<&Path>) -> Result<()> {
    let images: Vec<f32> = match folder {
        Some(folder) => {
            let set = read_folder(folder, ImageSet::Cifar10)?;
            set.train.gather(&set.train.shuffled(0)[..samples])
        }
        None => {
            let mut rng = StdRng::seed_from_u64(0);
            (0..samples * 3072).map(|_| rng.random_range(-1.5..1.5)).collect()
        }
    };
    let arch = zoo::named("vgg16-bn", [3, 32, 32], 10, Activation::parse("relu")?)?;
    let net = Net::new(&arch, 0, &compute.device)?;
    let groups = arch.groups()?;
    let x = Tensor::<2>::from_data(TensorData::new(images, [samples, 3072]), &compute.device);
    let mut table = Table::new(&["layer", "filters", "points in", "pass, s", "engine, s", "Ripser, s (multiplied up)", "ratio"]);
    let (mut totals, mut failure, mut last) = ([0.0; 3], None, Instant::now());
    let mut times: Vec<(String, f64)> = Vec::new();
    net.forward_with(x, &mut |at, flow| {
        let (Some(group), Flow::Maps(maps)) = (groups.iter().find(|g| g.seen[0] == at), flow) else { return true };
        let passed = last.elapsed().as_secs_f64();
        match layer(maps.clone(), compute, of) {
            Ok([engine, ripser]) => {
                let [_, channels, height, width] = maps.dims();
                let cells = [passed, engine, ripser, ripser / engine].map(|n| format!("{n:.2}"));
                let name = arch.weight_names().into_iter().find(|n| n.0 == group.leader()).map_or(String::new(), |n| n.1);
                table.row([name, channels.to_string(), format!("R^{}", height * width)].into_iter().chain(cells));
                totals.iter_mut().zip([passed, engine, ripser]).for_each(|(t, x)| *t += x);
            }
            Err(e) => failure = Some(e),
        }
        if stages {
            match stages_of(maps.clone(), compute) {
                Ok(found) => {
                    for (stage, seconds) in found {
                        match times.iter_mut().find(|t| t.0 == stage) {
                            Some(t) => t.1 += seconds,
                            None => times.push((stage, seconds)),
                        }
                    }
                }
                Err(e) => failure = Some(e),
            }
        }
        last = Instant::now();
        failure.is_none()
    });
    if let Some(e) = failure {
        return Err(e);
    }
    let [passed, engine, ripser] = totals;
    let cells = [passed, engine, ripser, ripser / engine].map(|n| format!("{n:.2}"));
    table.row(["all".into(), "4224".to_string(), String::new()].into_iter().chain(cells));
    for (stage, seconds) in times {
        println!("{stage:<20} {seconds:>8.2} s, over all threads and layers");
    }
    println!("{samples} samples of {}, dimensions 0 and 1\n\n{}", folder.map_or("noise", |_| "CIFAR-10"), table.markdown());
    println!(
        "with the pass: {:.2} s against {:.2} s, {:.1} times",
        passed + engine,
        passed + ripser,
        (passed + ripser) / (passed + engine)
    );
    Ok(())
}

/// Seconds of each of the engine's stages for all filters of a layer.
fn stages_of(maps: Tensor<4>, compute: &Compute) -> Result<Vec<(String, f64)>> {
    let [samples, channels, height, width] = maps.dims();
    let plane = height * width;
    let numbers = bridge::read(maps)?;
    let cloud = |c: usize| {
        let rows = (0..samples).flat_map(|s| &numbers[(s * channels + c) * plane..][..plane]).copied().collect();
        Ok(PointCloud::new(samples, plane, rows)?.into())
    };
    let clouds = (0..channels).map(cloud).collect::<Result<Vec<Cloud>>>()?;
    compute.engine.each(&clouds, &Options::default().profile(true), &mut Unwatched, &mut |_, _| {})
}

/// Seconds of the engine for all filters of a layer, and of Ripser, multiplied up from some.
fn layer(maps: Tensor<4>, compute: &Compute, of: usize) -> Result<[f64; 2]> {
    let [samples, channels, height, width] = maps.dims();
    let plane = height * width;
    let numbers = bridge::read(maps.clone())?;
    let clouds = ActivationClouds::of_channels(maps)?;
    let start = Instant::now();
    let ours = compute.engine.barcodes(clouds.input(), &Options::default())?;
    let engine = start.elapsed().as_secs_f64();
    let some: Vec<usize> = (0..of.min(channels)).map(|i| i * channels / of.min(channels)).collect();
    let start = Instant::now();
    for &channel in &some {
        let point = |s: usize| &numbers[(s * channels + channel) * plane..][..plane];
        let mut lower = Vec::with_capacity(samples * (samples - 1) / 2);
        for i in 1..samples {
            for j in 0..i {
                lower.push(length(point(i), point(j)));
            }
        }
        let theirs = ripser::ripser(&lower, samples, 1, None);
        let bars = ours[channel].bars.iter().map(Vec::len).sum::<usize>();
        // Ripser counts bars of length zero of coinciding points in dimension 0.
        if theirs.len() < bars {
            return Err(Error::Internal(format!("channel {channel}: {bars} bars against {}", theirs.len())));
        }
    }
    let ripser = start.elapsed().as_secs_f64() * channels as f64 / some.len() as f64;
    Ok([engine, ripser])
}

fn length(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(s, (x, y))| *s += (x - y) * (x - y));
    }
    sums.iter().sum::<f32>().sqrt()
}
