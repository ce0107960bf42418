//! Ten thousand small random inputs of all kinds: both engines and Ripser must agree, bar for bar.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod common;

use common::gpu_engine;
use lacuna::topology::{Bar, Barcode, Cloud, DistanceMatrix, Engine, Options, PointCloud};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const CLOUDS: usize = 10_000;
/// Clouds that share a call.
const BATCH: usize = 2_000;

/// Distances between `n` things, of the kind that `kind` says.
fn random_distances(kind: usize, rng: &mut StdRng) -> DistanceMatrix {
    let n = rng.random_range(1..if kind == 5 { 40 } else { 26 });
    let d: Vec<Vec<f32>> = match kind {
        // No triangle inequality, hardly a tie.
        0 => (0..n).map(|_| (0..n).map(|_| rng.random()).collect()).collect(),
        // A few lengths, zero among them: ties everywhere and duplicates.
        1 => (0..n).map(|_| (0..n).map(|_| rng.random_range(0..5) as f32).collect()).collect(),
        // Points, some of them twice.
        2 | 5 => {
            let features = rng.random_range(1..5);
            let mut points: Vec<Vec<f32>> = (0..n).map(|_| (0..features).map(|_| rng.random()).collect()).collect();
            for _ in 0..n / 5 {
                points[rng.random_range(0..n)] = points[rng.random_range(0..n)].clone();
            }
            distances(&points)
        }
        // A lattice: every length many times.
        3 => {
            let point = |_| (0..3).map(|_| rng.random_range(0..4) as f32).collect();
            distances(&(0..n).map(point).collect::<Vec<Vec<f32>>>())
        }
        // Hops in a random graph, in pieces more often than not.
        _ => {
            let p = rng.random_range(1.0..4.0) / n as f32;
            let mut hops = vec![vec![f32::INFINITY; n]; n];
            for (i, j) in (0..n).flat_map(|i| (0..i).map(move |j| (i, j))) {
                if rng.random::<f32>() < p {
                    (hops[i][j], hops[j][i]) = (1.0, 1.0);
                }
            }
            for k in 0..n {
                for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    hops[i][j] = hops[i][j].min(hops[i][k] + hops[k][j]);
                }
            }
            hops
        }
    };
    DistanceMatrix::from_lower(n, (1..n).flat_map(|i| d[i][..i].to_vec()).collect()).unwrap()
}

fn distances(points: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let length = |x: &Vec<f32>, y: &Vec<f32>| x.iter().zip(y).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt();
    points.iter().map(|x| points.iter().map(|y| length(x, y)).collect()).collect()
}

fn ripser_bars(d: &DistanceMatrix, max_dim: usize, threshold: Option<f32>) -> Vec<Vec<Bar>> {
    let mut bars = vec![Vec::new(); max_dim + 1];
    // Ripser's crate wants finite numbers: what never enters is beyond the threshold.
    let far = 1e6f32;
    let lower: Vec<f32> = d.lower().iter().map(|&x| x.min(far)).collect();
    let threshold = if lower.contains(&far) { Some(threshold.unwrap_or(far / 2.0)) } else { threshold };
    for b in ripser::ripser(&lower, d.len(), max_dim as i32, threshold) {
        bars[b.dim as usize].push(Bar { birth: b.birth, death: b.death });
    }
    for dim in &mut bars {
        dim.sort_by(|a, b| a.birth.total_cmp(&b.birth).then(a.death.total_cmp(&b.death)));
    }
    bars
}

#[test]
fn both_engines_equal_ripser() {
    let mut rng = StdRng::seed_from_u64(20);
    let gpu = gpu_engine();
    for batch in 0..CLOUDS / BATCH {
        let matrices: Vec<DistanceMatrix> = (0..BATCH).map(|i| random_distances(i % 6, &mut rng)).collect();
        let clouds: Vec<Cloud> = matrices.iter().cloned().map(Cloud::from).collect();
        let threshold = [None, None, Some(0.5), Some(2.0), None][batch];
        let max_dim = [1, 2, 2, 3, 3][batch];
        let options = Options::default().max_dim(max_dim).threshold(threshold);
        let cpu: Vec<Barcode> = Engine::cpu().barcodes(&clouds, &options).unwrap();
        assert_eq!(cpu, gpu.barcodes(&clouds, &options).unwrap());
        for (at, (cpu, d)) in cpu.iter().zip(&matrices).enumerate() {
            assert_eq!(cpu.bars, ripser_bars(d, max_dim, threshold), "cloud {at} of batch {batch}, kind {}: {d:?}", at % 6);
        }
    }
}

/// Clouds whose reduction takes more steps than a software driver lets one thread take, in batches
/// and alone.
#[test]
fn long_reductions_are_not_cut_short() {
    let mut rng = StdRng::seed_from_u64(21);
    let gpu = gpu_engine();
    for (clouds, n, features) in [(9, 300, 16), (1, 1100, 16), (2, 700, 30)] {
        let mut cloud = || PointCloud::new(n, features, (0..n * features).map(|_| rng.random()).collect()).unwrap();
        let clouds: Vec<Cloud> = (0..clouds).map(|_| cloud().into()).collect();
        let options = Options::default().max_dim(1);
        let (cpu, gpu) = (Engine::cpu().barcodes(&clouds, &options).unwrap(), gpu.barcodes(&clouds, &options).unwrap());
        for (cpu, gpu) in cpu.iter().zip(&gpu) {
            assert!(cpu.bars[1].iter().all(|b| b.death < f32::INFINITY));
            for (x, y) in cpu.bars.iter().flatten().zip(gpu.bars.iter().flatten()) {
                // Distances agree to the last places, so bars do.
                let near = |a: f32, b: f32| a == b || (a - b).abs() < 1e-5 * b;
                assert!(near(x.birth, y.birth) && near(x.death, y.death), "{n} points in R^{features}: {x:?} and {y:?}");
            }
            assert_eq!(cpu.bars.iter().map(Vec::len).collect::<Vec<_>>(), gpu.bars.iter().map(Vec::len).collect::<Vec<_>>());
        }
    }
}
