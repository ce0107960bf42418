//! What must hold for any input, on both engines.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod common;

use common::{cloud_of, gpu_engine};
use lacuna::progress::Unwatched;
use lacuna::topology::{
    Bar, Barcode, Cloud, CloudView, DistanceMatrix, Engine, Input, Metric, Options, PointCloud, SparseGraph, bottleneck,
};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// Small whole numbers: ties everywhere, duplicates, no triangle inequality.
fn tied_matrix() -> impl Strategy<Value = DistanceMatrix> {
    (2usize..24).prop_flat_map(|n| {
        proptest::collection::vec(0u8..7, n * (n - 1) / 2)
            .prop_map(move |d| DistanceMatrix::from_lower(n, d.into_iter().map(f32::from).collect()).unwrap())
    })
}

fn points(n: std::ops::Range<usize>) -> impl Strategy<Value = PointCloud> {
    (n, 1usize..6).prop_flat_map(|(n, d)| {
        proptest::collection::vec(-1.0f32..1.0, n * d).prop_map(move |data| PointCloud::new(n, d, data).unwrap())
    })
}

fn ripser_bars(d: &DistanceMatrix, threshold: Option<f32>) -> Vec<Vec<Bar>> {
    let mut bars = vec![Vec::new(), Vec::new()];
    for b in ripser::ripser(d.lower(), d.len(), 1, threshold) {
        bars[b.dim as usize].push(Bar { birth: b.birth, death: b.death });
    }
    for dim in &mut bars {
        dim.sort_by(|a, b| a.birth.total_cmp(&b.birth).then(a.death.total_cmp(&b.death)));
    }
    bars
}

/// Deaths of dimension 0 by Prim's algorithm, which shares nothing with the engines.
fn spanning_tree(n: usize, d: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let mut best: Vec<f32> = (0..n).map(|j| if j == 0 { f32::INFINITY } else { d(j, 0) }).collect();
    let mut left: Vec<usize> = (1..n).collect();
    let mut lengths = Vec::new();
    while let Some(at) = (0..left.len()).min_by(|&a, &b| best[left[a]].total_cmp(&best[left[b]])) {
        let v = left.swap_remove(at);
        lengths.push(best[v]);
        for &w in &left {
            best[w] = best[w].min(d(v, w));
        }
    }
    lengths.sort_by(f32::total_cmp);
    lengths
}

fn engines() -> [Engine; 2] {
    [Engine::cpu(), gpu_engine()]
}

fn lower_of(points: &PointCloud) -> DistanceMatrix {
    let d = |i: usize, j: usize| {
        let pairs = points.point(i).iter().zip(points.point(j));
        pairs.fold(0.0f32, |s, (a, b)| s + (a - b) * (a - b)).sqrt()
    };
    let lower = (1..points.len()).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| d(i, j)).collect();
    DistanceMatrix::from_lower(points.len(), lower).unwrap()
}

fn close(a: &Barcode, b: &Barcode, tolerance: f64) {
    assert_eq!(common::disagreement(&a.bars, b, tolerance), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// What a sample says of the whole: moved back by the covering radius, its bars are within the
    /// radius of all bars, and those that are certain are there.
    #[test]
    fn a_sample_says_how_far_it_is_off(cloud in points(8..40), share in 0.2f64..0.9, metric in 0usize..3, dim in 1usize..3) {
        let metric = [Metric::Euclidean, Metric::Cityblock, Metric::Chebyshev][metric];
        let options = Options::default().max_dim(dim).metric(metric);
        let most = ((cloud.len() as f64 * share) as usize).max(1);
        let whole = Engine::cpu().barcode(&cloud, &options).unwrap();
        let sample = Engine::cpu().barcode(&cloud, &options.max_points(most)).unwrap();
        let (radius, off) = (sample.covering_radius.unwrap(), sample.uncertainty().unwrap());
        prop_assert_eq!(off, 2.0 * radius);
        let slack = 1e-5 * (1.0 + radius);
        for (bars, all) in sample.bars.iter().zip(&whole.bars) {
            let back = |b: &Bar| Bar { birth: b.birth - radius, death: b.death - radius };
            let moved: Vec<Bar> = bars.iter().map(back).collect();
            let apart = bottleneck(&moved, all);
            prop_assert!(apart <= f64::from(radius + slack), "{} with the radius {}", apart, radius);
            for bar in bars.iter().filter(|b| sample.is_certain(b)) {
                let real = |b: &&Bar| {
                    let ends = [(b.birth, bar.birth), (b.death, bar.death)];
                    ends.iter().all(|(real, seen)| real == seen || (seen - off - slack <= *real && *real <= seen + slack))
                };
                prop_assert!(all.iter().any(|b| real(&b)), "{:?} is not there", bar);
            }
        }
        prop_assert_eq!(whole.uncertainty(), Some(0.0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// From the same distances both engines give the same bars bit for bit, and they are Ripser's.
    #[test]
    fn engines_equal_each_other_and_ripser(d in tied_matrix(), threshold in proptest::option::of(1u8..8)) {
        let threshold = threshold.map(f32::from);
        let options = Options::default().threshold(threshold);
        let cloud = Cloud::from(d.clone());
        let cpu = Engine::cpu().barcode(&cloud, &options).unwrap();
        prop_assert_eq!(&cpu, &gpu_engine().barcode(&cloud, &options).unwrap());
        prop_assert_eq!(&cpu, &gpu_engine().with_tiny_pools().barcode(&cloud, &options).unwrap());
        prop_assert_eq!(cpu.bars, ripser_bars(&d, threshold));
    }

    #[test]
    fn deaths_of_components_are_the_minimum_spanning_tree(p in points(2..60)) {
        let tree = spanning_tree(p.len(), |i, j| {
            p.point(i).iter().zip(p.point(j)).fold(0.0f32, |s, (a, b)| s + (a - b) * (a - b)).sqrt()
        });
        for engine in engines() {
            let options = Options::default().max_dim(0);
            let bars = &engine.barcode(&p, &options).unwrap().bars[0];
            prop_assert_eq!(bars.iter().filter(|b| b.death.is_infinite()).count(), 1);
            let deaths: Vec<f32> = bars.iter().map(|b| b.death).filter(|d| d.is_finite()).collect();
            let want: Vec<f32> = tree.iter().copied().filter(|&d| d > 0.0).collect();
            prop_assert_eq!(deaths.len(), want.len());
            for (a, b) in deaths.iter().zip(&want) {
                prop_assert!((a - b).abs() <= 1e-6 * b);
            }
        }
    }

    /// The order of the points does not matter where no two lengths are equal.
    #[test]
    fn permutations_change_nothing(p in points(3..50), seed: u64) {
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        let shuffled = order.iter().flat_map(|&i| p.point(i).to_vec()).collect();
        let shuffled = PointCloud::new(p.len(), p.features(), shuffled).unwrap();
        for engine in engines() {
            let options = Options::default();
            close(&engine.barcode(&p, &options).unwrap(), &engine.barcode(&shuffled, &options).unwrap(), 1e-6);
        }
    }

    /// Turning and moving the cloud changes nothing beyond rounding.
    #[test]
    fn isometries_change_nothing(p in points(3..50), angle in 0.0f32..6.3, by in -1.0f32..1.0) {
        let (sin, cos) = angle.sin_cos();
        let mut moved: Vec<f32> = p.data().iter().map(|x| x + by).collect();
        if p.features() > 1 {
            for x in moved.chunks_mut(p.features()) {
                (x[0], x[1]) = (cos * x[0] - sin * x[1], sin * x[0] + cos * x[1]);
            }
        }
        let moved = PointCloud::new(p.len(), p.features(), moved).unwrap();
        for engine in engines() {
            let options = Options::default();
            close(&engine.barcode(&p, &options).unwrap(), &engine.barcode(&moved, &options).unwrap(), 1e-5);
        }
    }

    /// A batch is its clouds one by one, whatever their sizes.
    #[test]
    fn a_batch_is_one_by_one(clouds in proptest::collection::vec(points(1..40), 1..12)) {
        let clouds: Vec<Cloud> = clouds.into_iter().map(Cloud::from).collect();
        for engine in [Engine::cpu(), gpu_engine(), gpu_engine().with_tiny_pools()] {
            let batch = engine.barcodes(&clouds, &Options::default()).unwrap();
            for (cloud, got) in clouds.iter().zip(batch) {
                prop_assert_eq!(got, engine.barcode(cloud, &Options::default()).unwrap());
            }
        }
    }

    /// A graph that lists all pairs is its matrix; one that lists some is the matrix with the
    /// others at infinity.
    #[test]
    fn graphs_are_matrices_with_gaps(d in tied_matrix(), seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut lower, mut edges) = (Vec::new(), Vec::new());
        let mut at = d.lower().iter();
        for i in 1..d.len() {
            for j in 0..i {
                let &length = at.next().unwrap();
                let there = rng.random_bool(0.6);
                lower.push(if there { length } else { f32::INFINITY });
                if there {
                    edges.push((j as u32, i as u32, length));
                }
            }
        }
        let graph = Cloud::from(SparseGraph::new(d.len(), edges).unwrap());
        let matrix = Cloud::from(DistanceMatrix::from_lower(d.len(), lower).unwrap());
        for engine in engines() {
            let (g, m) = (engine.barcode(&graph, &Options::default()).unwrap(), engine.barcode(&matrix, &Options::default()).unwrap());
            prop_assert_eq!(g.bars, m.bars);
        }
    }
}

#[test]
fn larger_clouds_agree_with_ripser_on_both_engines() {
    for (n, d) in [(300, 2), (256, 8), (200, 64)] {
        let p = cloud_of(n as u64, n, d);
        let matrix = lower_of(&p);
        let want = ripser_bars(&matrix, None);
        let (cpu, gpu) = (Engine::cpu(), gpu_engine());
        let from_matrix = cpu.barcode(&matrix, &Options::default()).unwrap();
        assert_eq!(from_matrix, gpu.barcode(matrix, &Options::default()).unwrap());
        assert_eq!(from_matrix.bars, want, "{n} points in R^{d}");
        // Where the columns' memory runs out the host finishes, and the answer says so.
        let tiny = gpu_engine().with_tiny_pools().answer(&p, &Options::default(), &mut Unwatched).unwrap();
        assert_eq!(common::disagreement(&want, &tiny.barcode, 1e-6), None);
        assert!(tiny.seconds.iter().any(|(name, _)| name == lacuna::topology::FINISHED_ON_HOST));
        for engine in [cpu, gpu] {
            let got = engine.barcode(&p, &Options::default()).unwrap();
            assert_eq!(common::disagreement(&want, &got, 1e-6), None);
        }
    }
}

#[test]
fn every_metric_agrees_across_engines() {
    let p = cloud_of(5, 90, 7);
    for metric in Metric::OF_POINTS {
        let options = Options::default().metric(metric);
        let cpu = Engine::cpu().barcode(&p, &options).unwrap();
        let gpu = gpu_engine().barcode(&p, &options).unwrap();
        assert!(cpu.bars[1].len() > 5);
        assert_eq!(common::disagreement(&cpu.bars, &gpu, 2e-6), None, "{}", metric.name());
    }
}

#[test]
fn channels_of_a_tensor_are_clouds() {
    let (samples, channels, plane) = (40, 6, 9);
    let data = cloud_of(11, samples * channels, plane);
    let views = CloudView::of_channels(samples, channels, plane);
    for engine in engines() {
        let got = engine.barcodes(Input::views(data.data(), &views), &Options::default()).unwrap();
        for (c, got) in got.iter().enumerate() {
            let points = (0..samples).flat_map(|s| data.point(s * channels + c).to_vec()).collect();
            let alone = PointCloud::new(samples, plane, points).unwrap();
            assert_eq!(got, &engine.barcode(alone, &Options::default()).unwrap());
        }
        let beyond = [CloudView { len: 2, features: 9, offset: samples * channels * plane - 10, stride: 9 }];
        assert_eq!(engine.barcodes(Input::views(data.data(), &beyond[..]), &Options::default()).unwrap_err().exit_code(), 2);
    }
}
