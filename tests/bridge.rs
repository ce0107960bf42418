//! burn tensors and the engine on one wgpu device, without a copy to the host.
#![cfg(all(feature = "cli", feature = "nn"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod common;

use burn::tensor::{Tensor, TensorData};
use lacuna::gpu::{AdapterChoice, read_back_bytes};
use lacuna::nn::{Activation, Arch, Compute, Net, bridge};
use lacuna::progress::Unwatched;
use lacuna::prune::{BettiOptions, Criterion, Scoring};
use lacuna::topology::{CloudView, EngineKind, Input, Options};
use lacuna::train::{Optimiser, Settings, Trainer};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counted bytes are the process's: one test at a time.
static ONE: Mutex<()> = Mutex::new(());

fn gpu() -> (Compute, MutexGuard<'static, ()>) {
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let compute =
        Compute::new(EngineKind::Gpu, &AdapterChoice::Best).expect("the tests need an adapter: install mesa-vulkan-drivers");
    (compute, guard)
}

fn waves(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.61).sin() + (i as f32 * 0.017).cos()).collect()
}

#[test]
fn a_tensor_is_the_very_buffer_that_is_borrowed() {
    let (compute, _one) = gpu();
    let numbers = waves(6 * 50);
    let tensor = Tensor::<2>::from_data(TensorData::new(numbers.clone(), [6, 50]), &compute.device);
    let first = bridge::buffer_of(tensor.clone()).unwrap();
    let second = bridge::buffer_of(tensor.clone()).unwrap();
    assert_eq!(first.buffer(), second.buffer(), "a copy would be another buffer");
    assert_eq!((first.offset(), first.bytes()), (second.offset(), 4 * 300));
    // What the queue writes into the borrowed buffer is what burn then reads.
    drop(second);
    let marked = bridge::tensor_from(&compute.device, compute.engine.gpu().unwrap(), [1, 3], |gpu, buffer, offset| {
        gpu.write(first.buffer(), first.offset(), &[7.0, 8.0, 9.0])?;
        gpu.write(buffer, offset, &[1.0, 2.0, 3.0])
    })
    .unwrap();
    drop(first);
    let read: Vec<f32> = tensor.try_into_vec_as().unwrap();
    assert_eq!(read[..3], [7.0, 8.0, 9.0]);
    assert_eq!(read[3..], numbers[3..]);
    let sum: Vec<f32> = (marked.clone() + marked).try_into_vec_as().unwrap();
    assert_eq!(sum, [2.0, 4.0, 6.0], "burn computes with what we wrote");
}

#[test]
fn a_tensor_made_from_a_buffer_is_that_buffer() {
    let (compute, _one) = gpu();
    let mut written = None;
    let tensor = bridge::tensor_from(&compute.device, compute.engine.gpu().unwrap(), [2, 2], |gpu, buffer, offset| {
        written = Some((buffer.clone(), offset));
        gpu.write(buffer, offset, &[1.0, 2.0, 3.0, 4.0])
    })
    .unwrap();
    let again = bridge::buffer_of(tensor).unwrap();
    assert_eq!((again.buffer().clone(), again.offset()), written.unwrap());
}

#[test]
fn activations_reach_the_engine_without_the_host() {
    let (compute, _one) = gpu();
    let (samples, channels, side) = (60, 8, 20);
    let numbers = waves(samples * channels * side * side);
    let tensor = Tensor::<4>::from_data(TensorData::new(numbers.clone(), [samples, channels, side, side]), &compute.device);
    let views = CloudView::of_channels(samples, channels, side * side);
    let before = read_back_bytes();
    let memory = bridge::buffer_of(tensor).unwrap();
    let got = compute.engine.barcodes(Input::on_device(memory.numbers(), &views), &Options::default()).unwrap();
    let read = read_back_bytes() - before;
    assert!(read < 4 * numbers.len() as u64 / 20, "{read} bytes came back, the tensor has {}", 4 * numbers.len());
    assert!(read > 0, "the bars do come back");
    assert_eq!(got, compute.engine.barcodes(Input::views(&numbers, &views), &Options::default()).unwrap());
    // Tiny pools make several batches of this; their reports count the clouds of all.
    let (mut counts, mut again) = (Counts::default(), Vec::new());
    let tiny = compute.engine.clone().with_tiny_pools();
    tiny.each(Input::on_device(memory.numbers(), &views), &Options::default(), &mut counts, &mut |_, b| again.push(b)).unwrap();
    assert_eq!(got, again);
    let reported: Vec<u64> = counts.0.iter().filter(|(what, ..)| what == "clouds").map(|(_, done, _)| *done).collect();
    assert!(reported.len() > 1 && reported.is_sorted(), "{:?}", counts.0);
    assert!(counts.0.iter().all(|(what, done, total)| done <= total && (what != "clouds" || *total == channels as u64)));
}

/// What was reported.
#[derive(Default)]
struct Counts(Vec<(String, u64, u64)>);

impl lacuna::progress::Watch for Counts {
    fn at(&mut self, what: &str, done: u64, total: u64) {
        self.0.push((what.into(), done, total));
    }

    fn note(&mut self, _line: &str) {}
}

/// A small network whose filters are scored on both engines from the same weights.
#[test]
fn betti_scores_are_the_same_on_both_devices_and_read_little_back() {
    let (compute, _one) = gpu();
    let data = lacuna::data::images::bundled().unwrap();
    let arch = Arch::cnn([1, 28, 28], &[6, 8], 16, 10, Activation::parse("relu").unwrap()).unwrap();
    let criterion = Criterion::Betti(BettiOptions { samples: 100, ..BettiOptions::default() });
    let score = |compute: &Compute| {
        let net = Net::new(&arch, 4, &compute.device).unwrap();
        criterion.score(&mut Scoring::new(&net, &data.train, compute, &mut Unwatched).unwrap()).unwrap()
    };
    let before = read_back_bytes();
    let on_gpu = score(&compute);
    let read = read_back_bytes() - before;
    let activations = 4 * 100 * (6 * 28 * 28 + 8 * 14 * 14) as u64;
    assert!(read < activations / 20, "{read} bytes came back, the activations have {activations}");
    let on_cpu = score(&Compute::cpu());
    for (a, b) in on_gpu.iter().zip(&on_cpu) {
        assert_eq!(a.scores, b.scores);
        assert!(a.scores.iter().any(|&s| s != a.scores[0]), "scores that are all alike prove nothing");
    }
}

#[test]
fn a_network_trains_on_the_gpu_as_on_the_cpu() {
    let (compute, _one) = gpu();
    let data = lacuna::data::disks(600, 1).unwrap();
    let arch = Arch::mlp(2, 3, 12, 2, Activation::parse("cabs").unwrap()).unwrap();
    let settings = Settings::new(1, 100, Optimiser::adam(0.01), 3);
    let losses = |compute: &Compute| -> Vec<f64> {
        let mut trainer = Trainer::new(Net::new(&arch, 3, &compute.device).unwrap(), settings, &compute.device);
        (0..4).map(|_| trainer.epoch(&data.train, &mut Unwatched).unwrap().train_loss).collect()
    };
    let (gpu, cpu) = (losses(&compute), losses(&Compute::cpu()));
    assert!(gpu[3] < 0.8 * gpu[0], "{gpu:?}");
    for (a, b) in gpu.iter().zip(&cpu) {
        assert!((a - b).abs() < 1e-3 * b, "{gpu:?} against {cpu:?}");
    }
}

/// All reading goes through `bridge::read`, which counts: otherwise the counts above would prove
/// nothing.
#[test]
fn only_the_bridge_reads_tensors_back() {
    fn files(folder: &std::path::Path, out: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, out) } else { out.push(path) }
        }
    }
    let mut all = Vec::new();
    files(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut all);
    assert!(all.len() > 40);
    for path in all {
        let text = std::fs::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let reads =
            ["try_into_vec", "into_data()", "to_data()", "into_scalar"].iter().map(|w| product.matches(w).count()).sum::<usize>();
        // `spare.rs` keeps the memory of tensors that lie in the processor's memory and that nobody
        // reads again: one line, in which three of these words are found.
        let allowed = if path.ends_with("nn/native/spare.rs") { 3 } else { usize::from(path.ends_with("nn/bridge.rs")) };
        assert_eq!(reads, allowed, "{}", path.display());
        let internals = ["burn_cubecl", "burn_fusion", "burn_ir", "cubecl::"].iter().any(|w| product.contains(w));
        assert_eq!(internals, path.ends_with("nn/bridge.rs"), "{} names burn's internals", path.display());
    }
}
