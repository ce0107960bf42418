//! What the engines offer besides barcodes: cycles, samples, hops, Betti numbers at a scale,
//! streams that can be stopped.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod common;

use common::{cloud_of, gpu_engine};
use lacuna::Error;
use lacuna::gpu::{AdapterChoice, Gpu};
use lacuna::progress::{Unwatched, Watch};
use lacuna::topology::{Cloud, Engine, Metric, Options, PointCloud, knn_hops};

fn length(p: &PointCloud, i: u32, j: u32) -> f32 {
    let pairs = p.point(i as usize).iter().zip(p.point(j as usize));
    pairs.fold(0.0f32, |s, (a, b)| s + (a - b) * (a - b)).sqrt()
}

/// Whether a set of edges is the boundary of triangles no longer than `scale`; or, with `open`,
/// shorter.
fn is_boundary(p: &PointCloud, edges: &[[u32; 2]], scale: f32, open: bool) -> bool {
    let n = p.len() as u32;
    let bit = |i: u32, j: u32| 1u128 << (i.max(j) * (i.max(j) - 1) / 2 + i.min(j));
    let mut basis: Vec<u128> = Vec::new();
    let reduced = |basis: &[u128], mut v: u128| {
        basis.iter().for_each(|b| v = v.min(v ^ b));
        v
    };
    for (a, b, c) in (0..n).flat_map(|a| (0..a).flat_map(move |b| (0..b).map(move |c| (a, b, c)))) {
        let diameter = length(p, a, b).max(length(p, a, c)).max(length(p, b, c));
        if diameter < scale || (!open && diameter == scale) {
            let v = reduced(&basis, bit(a, b) ^ bit(a, c) ^ bit(b, c));
            if v != 0 {
                basis.push(v);
                basis.sort_unstable_by(|x, y| y.cmp(x));
            }
        }
    }
    reduced(&basis, edges.iter().fold(0, |v, e| v ^ bit(e[0], e[1]))) == 0
}

#[test]
fn cycles_are_born_and_die_with_their_bars() {
    let mut seen = 0;
    for seed in 0..40 {
        let p = cloud_of(seed, 15, 2);
        for threshold in [None, Some(0.6)] {
            let options = Options::default().threshold(threshold);
            let found = Engine::cpu().barcode(&p, &options.cycles(100)).unwrap();
            assert_eq!(found.bars, Engine::cpu().barcode(&p, &options).unwrap().bars);
            let (bars, cycles) = (&found.bars[1], found.cycles.unwrap());
            assert_eq!(cycles.len(), bars.len());
            assert!(cycles.is_sorted_by(|a, b| {
                a.death.unwrap_or(f32::INFINITY) - a.birth >= b.death.unwrap_or(f32::INFINITY) - b.birth
            }));
            for cycle in &cycles {
                seen += 1;
                let death = cycle.death.unwrap_or(f32::INFINITY);
                assert!(bars.iter().any(|b| b.birth == cycle.birth && b.death == death));
                let mut degree = [0; 15];
                cycle.edges.iter().flatten().for_each(|&v| degree[v as usize] += 1);
                assert!(degree.iter().all(|d| d % 2 == 0), "not a cycle");
                let longest = cycle.edges.iter().map(|e| length(&p, e[0], e[1])).fold(0.0, f32::max);
                assert_eq!(longest, cycle.birth);
                assert!(!is_boundary(&p, &cycle.edges, death.min(threshold.unwrap_or(death)), death.is_finite()));
                assert!(death.is_infinite() || is_boundary(&p, &cycle.edges, death, false));
            }
        }
    }
    assert!(seen > 60, "only {seen} cycles were checked");
}

/// The lengths of its edges are the ends of every bar, in the order of the barcode, with ties too;
/// every point is one component.
#[test]
fn bars_know_their_edges() {
    for seed in 0..30 {
        let mut p = cloud_of(seed, 30, 3);
        if seed % 2 == 1 {
            // On a grid many lengths are the same.
            let coarse = p.data().iter().map(|x| (x * 4.0).round()).collect();
            p = PointCloud::new(30, 3, coarse).unwrap();
        }
        for threshold in [None, Some(0.7)] {
            // Every other cloud in dimension 3, whose edges come another way.
            let options = Options::default().max_dim(2 + seed as usize % 2).threshold(threshold);
            // The GPU engine asks the native one.
            let engine = if seed == 0 { gpu_engine() } else { Engine::cpu() };
            let found = engine.answer(&p, &options.edges(true), &mut Unwatched).unwrap();
            assert_eq!(found.engine.kind, "cpu");
            let (bars, edges) = (found.barcode.bars, found.barcode.edges.unwrap());
            assert_eq!(bars, Engine::cpu().barcode(&p, &options).unwrap().bars);
            assert!(edges.iter().map(Vec::len).eq(bars.iter().map(Vec::len)));
            let of = |edge: [u32; 2]| length(&p, edge[0], edge[1]);
            for (dim, (bars, edges)) in bars.iter().zip(&edges).enumerate() {
                for (bar, b) in bars.iter().zip(edges) {
                    assert_eq!(b.birth.len(), if dim == 0 { 1 } else { 2 });
                    if let [i, j] = b.birth[..] {
                        assert!(i < j && of([i, j]) == bar.birth);
                    }
                    assert_eq!(b.death.map_or(f32::INFINITY, of), bar.death);
                }
            }
            let mut vertices: Vec<u32> = edges[0].iter().map(|b| b.birth[0]).collect();
            vertices.sort_unstable();
            vertices.dedup();
            assert_eq!(vertices.len(), edges[0].len());
            assert!(seed % 2 == 1 || vertices.len() == 30);
        }
    }
    let sampled = Options::default().max_points(5).edges(true);
    assert_eq!(Engine::cpu().barcode(cloud_of(0, 9, 2), &sampled).unwrap_err().exit_code(), 2);
}

#[test]
fn betti_numbers_are_those_of_the_barcode() {
    let clouds: Vec<Cloud> = (0..6).map(|s| cloud_of(s, 40, 3).into()).collect();
    let options = Options::default().max_dim(2);
    for engine in [Engine::cpu(), gpu_engine()] {
        let barcodes = engine.barcodes(&clouds, &options).unwrap();
        for scale in [0.0, 0.2, 0.35, 0.5, 0.8, 3.0] {
            let numbers = engine.betti_numbers(&clouds, scale, &options, &mut Unwatched).unwrap();
            let want: Vec<Vec<usize>> = barcodes.iter().map(|b| b.betti_numbers(scale)).collect();
            assert_eq!(numbers, want, "at {scale}");
        }
        assert_eq!(engine.betti_numbers(&clouds, -1.0, &options, &mut Unwatched).unwrap_err().exit_code(), 2);
    }
}

#[test]
fn hops_are_a_metric_of_both_engines() {
    let p = cloud_of(3, 120, 3);
    let options = Options::default().hops(5).max_dim(2);
    let cpu = Engine::cpu().barcode(&p, &options).unwrap();
    assert_eq!(cpu, gpu_engine().barcode(&p, &options).unwrap());
    assert_eq!(cpu.metric.name(), "knn-hops");
    let graph = Engine::cpu().barcode(knn_hops(&p, 5, None).unwrap(), &Options::default().max_dim(2)).unwrap();
    assert_eq!(cpu.bars, graph.bars);
    // A threshold needs only the pairs up to there.
    let near = options.threshold(2.0);
    let numbers = Engine::cpu().betti_numbers(&p, 2.0, &options, &mut Unwatched).unwrap();
    assert_eq!(numbers[0], Engine::cpu().barcode(p, &near).unwrap().betti_numbers(2.0));
}

#[test]
fn samples_are_said_to_be_samples() {
    let p = cloud_of(4, 200, 3);
    let options = Options::default().max_points(50);
    for engine in [Engine::cpu(), gpu_engine()] {
        let barcode = engine.barcode(&p, &options).unwrap();
        assert_eq!((barcode.n, barcode.sampled_from, barcode.bars[0].len()), (50, Some(200), 50));
        let all = engine.barcode(&p, &options.max_points(200)).unwrap();
        assert_eq!((all.n, all.sampled_from), (200, None));
    }
    // The sample is spread out: its shortest merge is longer than that of the whole cloud.
    let engine = Engine::cpu();
    let (some, all) = (engine.barcode(&p, &options).unwrap(), engine.barcode(p, &Options::default()).unwrap());
    assert!(some.bars[0][0].death > 3.0 * all.bars[0][0].death);
}

#[test]
fn a_lost_device_keeps_what_was_finished() {
    let gpu = Gpu::open(&AdapterChoice::Best).unwrap();
    // Tiny pools make many batches of this.
    let engine = Engine::on(gpu.clone()).with_tiny_pools();
    let clouds: Vec<Cloud> = (0..40).map(|s| cloud_of(s, 60, 3).into()).collect();
    let mut kept = Vec::new();
    let e = engine
        .each(&clouds, &Options::default(), &mut Unwatched, &mut |i, barcode| {
            assert_eq!(i, kept.len());
            kept.push(barcode);
            if kept.len() == 7 {
                gpu.simulate_loss();
            }
        })
        .unwrap_err();
    assert!(e.to_string().contains("lost"), "{e}");
    assert_eq!(e.exit_code(), 1);
    assert!((7..40).contains(&kept.len()), "{} were kept", kept.len());
    let want = Engine::cpu().barcodes(&clouds[..kept.len()], &Options::default()).unwrap();
    for (got, want) in kept.iter().zip(&want) {
        assert_eq!(common::disagreement(&want.bars, got, 1e-6), None);
    }
}

/// Some with more loops than one thread reduces, which are done early, beside small ones that live
/// long.
#[test]
fn large_and_small_clouds_share_a_batch() {
    let clouds: Vec<Cloud> =
        [(900, 16), (300, 2), (200, 2), (40, 3)].iter().map(|&(n, features)| cloud_of(n as u64, n, features).into()).collect();
    let want = Engine::cpu().barcodes(&clouds, &Options::default()).unwrap();
    assert!(want[0].bars[1].len() > 1024);
    for (got, want) in gpu_engine().barcodes(&clouds, &Options::default()).unwrap().iter().zip(&want) {
        assert_eq!(common::disagreement(&want.bars, got, 1e-6), None);
    }
}

#[test]
fn extreme_magnitudes_are_sampled_like_ordinary_ones() {
    let p = cloud_of(2, 60, 3);
    for metric in [Metric::Euclidean, Metric::KnnHops] {
        let options = Options::default().metric(metric).k(6).max_points(30);
        let plain = Engine::cpu().barcode(&p, &options).unwrap();
        for exponent in [-80, 90] {
            let data = p.data().iter().map(|x| x * 2f32.powi(exponent)).collect();
            let far = Engine::cpu().barcode(PointCloud::new(60, 3, data).unwrap(), &options).unwrap();
            let unscale = if metric == Metric::KnnHops { 1.0 } else { 2f32.powi(-exponent) };
            let bars = |b: &lacuna::topology::Bar| (b.birth * unscale, b.death * unscale);
            for (got, want) in far.bars.iter().zip(&plain.bars) {
                let got: Vec<_> = got.iter().map(bars).collect();
                assert_eq!(got, want.iter().map(|b| (b.birth, b.death)).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn very_many_small_clouds_are_cut_into_batches() {
    let clouds: Vec<Cloud> = (0..70_000).map(|s| cloud_of(s, 4 + s as usize % 3, 2).into()).collect();
    let (mut seen, mut bars) = (0, 0);
    let gpu = gpu_engine();
    gpu.each(&clouds, &Options::default(), &mut Unwatched, &mut |i, barcode| {
        seen += 1;
        bars += barcode.bars[1].len();
        assert_eq!((barcode.n, barcode.bars[0].len()), (clouds[i].len(), clouds[i].len()));
    })
    .unwrap();
    let want: usize = Engine::cpu().barcodes(&clouds, &Options::default()).unwrap().iter().map(|b| b.bars[1].len()).sum();
    assert_eq!((seen, bars), (70_000, want));
}

/// Wants to stop after so many reports.
struct StopAt {
    reports: usize,
    after: usize,
}

impl Watch for StopAt {
    fn at(&mut self, _what: &str, done: u64, total: u64) {
        assert!(done <= total);
        self.reports += 1;
    }

    fn note(&mut self, _line: &str) {}

    fn stopped(&self) -> bool {
        self.reports >= self.after
    }
}

#[test]
fn work_reports_and_can_be_stopped() {
    let clouds: Vec<Cloud> = (0..600).map(|s| cloud_of(s, 20, 2).into()).collect();
    for engine in [Engine::cpu(), gpu_engine().with_tiny_pools()] {
        let (mut twice, mut kept) = (StopAt { reports: 0, after: 2 }, 0);
        let stopped = engine.each(&clouds, &Options::default(), &mut twice, &mut |_, _| kept += 1);
        assert!(matches!(stopped, Err(Error::Interrupted(_))), "{stopped:?}");
        assert!(kept < 600 && twice.reports == 2);
    }
}

#[test]
fn an_estimate_is_of_the_right_order() {
    let cloud = Cloud::from(cloud_of(1, 2500, 3));
    let engine = Engine::cpu();
    let estimate = engine.estimate(&cloud, &Options::default()).unwrap();
    assert!(estimate.points == 2500 && (256..=2500).contains(&estimate.timed) && estimate.fits);
    // So many points of space need no table; by another metric they do.
    assert!(estimate.seconds.unwrap()[0] > 0.0 && estimate.bytes < 4 * 2500 * 2500);
    let table = engine.estimate(&cloud, &Options::default().metric(Metric::Cityblock)).unwrap();
    assert!(table.seconds.unwrap()[0] > 0.0 && table.bytes > 4 * 2500 * 2500);
    let small = engine.estimate(&cloud, &Options::default().max_points(100)).unwrap();
    assert_eq!(small.points, 100);
    assert!(small.bytes < table.bytes);
}
