//! Every shader against a plain function on the host, stage by stage over one batch of unlike
//! clouds.

use super::batch::{Batch, Shape};
use super::columns::Columns;
use super::layout::{SHARED, State};
use super::{Ready, Tuning, distances, graph};
use crate::gpu::{AdapterChoice, Gpu, Kernel, Parts, Recorder, Work, all, download_now as download, upload, zeroed};
use crate::topology::FINISHED_ON_HOST;
use crate::topology::barcode::Pairs;
use crate::topology::cloud::{CloudView, PointCloud};
use crate::topology::metric::Metric;
use crate::topology::options::Options;
use crate::topology::order::Key;
use crate::topology::source::Source;
use crate::topology::task::Task;
use pollster::block_on;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::OnceLock;

fn gpu() -> Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::open(&AdapterChoice::Best).expect("the tests need an adapter: install mesa-vulkan-drivers")).clone()
}

/// Points on a small grid, so that distances are exact and ties are everywhere; sizes around those
/// of tiles and blocks.
fn grid_clouds() -> (Vec<f32>, Vec<Shape>) {
    let mut rng = StdRng::seed_from_u64(1);
    let (mut data, mut shapes) = (Vec::new(), Vec::new());
    for (len, features, stride) in
        [(1, 3, 3), (2, 1, 1), (15, 16, 16), (16, 17, 20), (17, 2, 2), (33, 15, 15), (47, 3, 3), (130, 4, 4)]
    {
        shapes.push(Shape::Points(CloudView { len, features, offset: data.len(), stride }));
        data.extend((0..len * stride).map(|_| rng.random_range(0..4) as f32));
    }
    (data, shapes)
}

/// The plain function for the distances: from the definition, on the host.
fn plain_keys(data: &[f32], view: &CloudView, metric: Metric) -> Vec<u32> {
    let n = view.len;
    let mut table = vec![Key::NO_EDGE.0; n * n];
    for i in 0..n {
        for j in 0..i {
            let key = metric.key_of_points(view.point(data, i), view.point(data, j)).to_bits();
            table[i * n + j] = key;
            table[j * n + i] = key;
        }
    }
    table
}

fn points(shape: &Shape) -> CloudView {
    match shape {
        Shape::Points(v) => *v,
        Shape::Table(_) => panic!("a cloud of points was meant"),
    }
}

/// A batch with its distances computed.
fn with_distances<'a>(gpu: &'a Gpu, data: &[f32], shapes: &[Shape], metric: Metric) -> (Batch<'a>, Recorder<'a>) {
    with_distances_by(gpu, data, shapes, metric, Tuning::default())
}

fn with_distances_by<'a>(
    gpu: &'a Gpu,
    data: &[f32],
    shapes: &[Shape],
    metric: Metric,
    tuning: Tuning,
) -> (Batch<'a>, Recorder<'a>) {
    let batch = Batch::new(gpu, shapes, &vec![Key::MAX; shapes.len()], &[], tuning).unwrap();
    let mut recorder = Recorder::new(gpu, false).unwrap();
    let points = upload(gpu, "points", data).unwrap();
    block_on(distances::record(&batch, &mut recorder, all(&points), metric)).unwrap();
    recorder.submit().unwrap();
    (batch, recorder)
}

fn tables(batch: &Batch<'_>) -> Vec<Vec<u32>> {
    let of = |r: &super::layout::CloudRecord| {
        let rows = block_on(batch.table.download(batch.gpu, r.table as usize, (r.n * r.row) as usize)).unwrap();
        rows.chunks(r.row as usize).flat_map(|row| row[..r.n as usize].to_vec()).collect()
    };
    batch.records.iter().map(of).collect()
}

#[test]
fn distances_are_those_of_the_definition() {
    let gpu = gpu();
    let (data, shapes) = grid_clouds();
    for metric in Metric::OF_POINTS {
        let (batch, _) = with_distances(&gpu, &data, &shapes, metric);
        for (table, shape) in tables(&batch).iter().zip(&shapes) {
            let want = plain_keys(&data, &points(shape), metric);
            for (&got, &want) in table.iter().zip(&want) {
                // Small whole numbers are exact in every metric but the cosine, whose roots and
                // quotient may round otherwise.
                let (x, y) = (f32::from_bits(got), f32::from_bits(want));
                let near = matches!(metric, Metric::Cosine | Metric::Correlation) && (x - y).abs() < 1e-6;
                assert!(got == want || near, "{}: {x} against {y}", metric.name());
            }
        }
    }
}

#[test]
fn real_distances_agree_to_the_last_places() {
    let gpu = gpu();
    let mut rng = StdRng::seed_from_u64(2);
    let view = CloudView { len: 70, features: 40, offset: 0, stride: 40 };
    let data: Vec<f32> = (0..view.end()).map(|_| rng.random_range(-1.0f32..1.0) + 1000.0).collect();
    let (batch, _) = with_distances(&gpu, &data, &[Shape::Points(view)], Metric::Euclidean);
    for (got, want) in tables(&batch)[0].iter().zip(plain_keys(&data, &view, Metric::Euclidean)) {
        assert!(got.abs_diff(want) <= 8, "{} against {}", f32::from_bits(*got), f32::from_bits(want));
    }
}

#[test]
fn not_a_number_is_reported() {
    let gpu = gpu();
    let (mut data, shapes) = grid_clouds();
    let last = points(&shapes[7]);
    for (metric, bad) in Metric::OF_POINTS.into_iter().flat_map(|m| [(m, f32::NAN), (m, f32::INFINITY)]) {
        data[last.offset + 5] = bad;
        let (batch, _) = with_distances(&gpu, &data, &shapes, metric);
        let failures: Vec<u32> = block_on(batch.read_state()).unwrap().iter().map(|s| s.failure).collect();
        assert_eq!(failures, [0, 0, 0, 0, 0, 0, 0, super::FAILED_NAN], "{}", metric.name());
    }
}

/// The edges that enter, in order, by the standard library's sort.
fn plain_edges(table: &[u32], n: usize) -> Vec<(u32, u32)> {
    let farthest = |i: usize| (0..n).filter(|&j| j != i).map(|j| table[i * n + j]).max().unwrap_or(0);
    let limit = (0..n).map(farthest).min().unwrap_or(0);
    let all = (0..n).flat_map(|i| (0..i).map(move |j| i * n + j));
    let mut edges: Vec<(u32, u32)> = all.map(|at| (table[at], at as u32)).filter(|e| e.0 <= limit).collect();
    edges.sort_unstable();
    edges
}

/// Runs the stages from the distances to the forest.
fn up_to_forest(batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Vec<State> {
    block_on(graph::record(batch, recorder)).unwrap();
    block_on(graph::finish(batch, recorder)).unwrap()
}

/// Ranks of all pairs from their order.
fn plain_ranks(edges: &[(u32, u32)], n: usize) -> Vec<u32> {
    let mut ranks = vec![Key::NO_EDGE.0; n * n];
    for (rank, &(_, at)) in edges.iter().enumerate() {
        let (a, b) = (at as usize / n, at as usize % n);
        ranks[a * n + b] = rank as u32;
        ranks[b * n + a] = rank as u32;
    }
    ranks
}

#[test]
fn the_nearest_points_are_found() {
    let gpu = gpu();
    let (data, shapes) = grid_clouds();
    let (batch, mut recorder) = with_distances(&gpu, &data, &shapes, Metric::Euclidean);
    up_to_forest(&batch, &mut recorder);
    for (r, table) in batch.records.iter().zip(tables(&batch)) {
        let n = r.n as usize;
        let near: Vec<[u32; 4]> = download::<u32>(&gpu, &batch.near, 8 * r.vertices as usize, 8 * n)
            .unwrap()
            .chunks(8)
            .map(|c| [c[0], c[1], c[2], c[3]])
            .collect();
        for (i, near) in near.iter().enumerate() {
            let mut want: Vec<(u32, u32)> = (0..n).filter(|&j| j != i).map(|j| (table[i * n + j], j as u32)).collect();
            want.sort_unstable();
            want.resize(want.len().max(4), (Key::NO_EDGE.0, i as u32));
            assert_eq!(near.to_vec(), want[..4].iter().map(|w| w.1).collect::<Vec<_>>(), "point {i} of {n}");
        }
    }
}

/// The graph, merges and births from their definitions.
#[test]
fn the_graph_and_its_forest_are_their_definitions() {
    let gpu = gpu();
    let (data, shapes) = grid_clouds();
    let (batch, mut recorder) = with_distances(&gpu, &data, &shapes, Metric::Euclidean);
    let state = up_to_forest(&batch, &mut recorder);
    for (i, ((r, table), s)) in batch.records.iter().zip(tables(&batch)).zip(&state).enumerate() {
        let n = r.n as usize;
        let edges = plain_edges(&table, n);
        let ranks = plain_ranks(&edges, n);
        let mut component: Vec<usize> = (0..n).collect();
        let (mut merges, mut births, mut roles) = (Vec::new(), Vec::new(), vec![0; n * (n - 1) / 2]);
        for (rank, &(key, at)) in edges.iter().enumerate() {
            let (a, b) = (at as usize / n, at as usize % n);
            let empty = !(0..n).any(|z| ranks[a * n + z] < rank as u32 && ranks[b * n + z] < rank as u32);
            let (old, new) = (component[a], component[b]);
            let role = &mut roles[a * (a - 1) / 2 + b];
            if old != new {
                assert!(empty, "an edge that merges components has an empty lune");
                *role = u32::MAX - 1;
                merges.push(key);
                component.iter_mut().filter(|c| **c == old).for_each(|c| *c = new);
            } else if empty {
                *role = (1 << 31) + births.len() as u32;
                births.push(key);
            }
        }
        assert_eq!((s.merges as usize, s.births as usize), (merges.len(), births.len()), "cloud {i}");
        assert_eq!(s.last_birth, births.last().copied().unwrap_or(0));
        let forest: Vec<u32> = download(&gpu, &batch.forest, (2 * r.vertices + r.n) as usize, merges.len()).unwrap();
        assert_eq!(forest, merges);
        assert_eq!(download::<u32>(&gpu, &batch.births, r.graph as usize, births.len()).unwrap(), births);
        assert_eq!(block_on(batch.roles.download(&gpu, r.roles as usize, roles.len())).unwrap(), roles);
    }
}

/// Loops and their deaths by the textbook: the boundary matrix of all triangles, reduced column by
/// column.
fn textbook_loops(ranks: &[u32], n: usize, edges: &[(u32, u32)]) -> Vec<(u32, Option<u32>)> {
    let mut triangles: Vec<[u32; 3]> = Vec::new();
    for a in 0..n {
        for b in 0..a {
            for c in 0..b {
                let mut t = [ranks[a * n + b], ranks[a * n + c], ranks[b * n + c]];
                t.sort_unstable();
                if t[2] != Key::NO_EDGE.0 {
                    triangles.push(t);
                }
            }
        }
    }
    triangles.sort_by_key(|t| t[2]);
    let mut owner: Vec<Option<Vec<u32>>> = vec![None; edges.len()];
    let mut death: Vec<Option<u32>> = vec![None; edges.len()];
    for t in triangles {
        let mut column = t.to_vec();
        while let Some(&pivot) = column.last() {
            let Some(other) = &owner[pivot as usize] else {
                death[pivot as usize] = Some(t[2]);
                owner[pivot as usize] = Some(column);
                break;
            };
            // The symmetric difference of two ascending lists.
            let mut sum: Vec<u32> = column.iter().chain(other).copied().collect();
            sum.sort_unstable();
            column = sum.chunk_by(|a, b| a == b).filter(|c| c.len() % 2 == 1).map(|c| c[0]).collect();
        }
    }
    let mut component: Vec<usize> = (0..n).collect();
    let mut loops = Vec::new();
    for (rank, &(key, at)) in edges.iter().enumerate() {
        let (old, new) = (component[at as usize / n], component[at as usize % n]);
        if old != new {
            component.iter_mut().filter(|c| **c == old).for_each(|c| *c = new);
        } else if death[rank] != Some(rank as u32) {
            loops.push((key, death[rank].map(|d| edges[d as usize].0)));
        }
    }
    loops
}

#[test]
fn columns_are_reduced_as_by_the_textbook() {
    let gpu = gpu();
    let (data, mut shapes) = grid_clouds();
    shapes.truncate(7);
    let small_blocks = Tuning { growth: 0.001, ..Tuning::default() };
    for tuning in [Tuning::default(), small_blocks] {
        let (mut batch, mut recorder) = with_distances(&gpu, &data, &shapes, Metric::Euclidean);
        let tables = tables(&batch);
        let state = up_to_forest(&batch, &mut recorder);
        let mut columns = block_on(Columns::new(&mut batch, &state, tuning, false)).unwrap();
        block_on(columns.run(&mut batch, &mut recorder, state, &Task::unwatched())).unwrap();
        recorder.submit().unwrap();
        let bars = block_on(columns.bars(&batch)).unwrap();
        for (i, r) in batch.records.iter().enumerate() {
            let n = r.n as usize;
            let edges = plain_edges(&tables[i], n);
            let want = textbook_loops(&plain_ranks(&edges, n), n, &edges);
            let got =
                bars[r.loops as usize..][..r.births as usize].iter().map(|&[b, d]| (b.0, (d != Key::NO_EDGE).then_some(d.0)));
            assert_eq!(got.collect::<Vec<_>>(), want, "cloud {i}");
            assert!(!columns.failed[i]);
        }
    }
}

/// Edges whose links keep four points or more when dominated ones are taken out one by one.
fn plain_open(ranks: &[u32], n: usize, edges: &[(u32, u32)]) -> Vec<u32> {
    let mut open = Vec::new();
    for (rank, &(_, at)) in edges.iter().enumerate() {
        let (a, b, r) = (at as usize / n, at as usize % n, rank as u32);
        let joined = |u: usize, v: usize| u == v || ranks[u * n + v] < r;
        let mut left: Vec<usize> = (0..n).filter(|&z| ranks[a * n + z] < r && ranks[b * n + z] < r).collect();
        let dominated = |left: &[usize]| {
            left.iter().position(|&u| {
                let near: Vec<usize> = left.iter().copied().filter(|&w| joined(u, w)).collect();
                near.iter().any(|&v| v != u && near.iter().all(|&w| joined(v, w)))
            })
        };
        while let Some(at) = dominated(&left) {
            left.remove(at);
        }
        if left.len() >= 4 {
            open.push((a << 16 | b) as u32);
        }
    }
    open.sort_unstable();
    open
}

#[test]
fn links_collapse_as_one_by_one() {
    let gpu = gpu();
    let mut rng = StdRng::seed_from_u64(9);
    // In many dimensions links do not collapse; 150 points take two times four words.
    let (mut data, mut shapes) = grid_clouds();
    shapes.truncate(7);
    for (len, features) in [(40, 12), (150, 9)] {
        shapes.push(Shape::Points(CloudView { len, features, offset: data.len(), stride: features }));
        data.extend((0..len * features).map(|_| rng.random::<f32>()));
    }
    let (mut batch, mut recorder) = with_distances(&gpu, &data, &shapes, Metric::Euclidean);
    let tables = tables(&batch);
    let state = up_to_forest(&batch, &mut recorder);
    let mut columns = block_on(Columns::new(&mut batch, &state, Tuning::default(), true)).unwrap();
    let state = block_on(columns.run(&mut batch, &mut recorder, state, &Task::unwatched())).unwrap();
    let mut found = 0;
    for (i, (r, table)) in batch.records.iter().zip(&tables).enumerate() {
        let n = r.n as usize;
        let edges = plain_edges(table, n);
        let mut open = block_on(columns.voids(&batch, i, &state[i])).unwrap().open;
        open.sort_unstable();
        found += open.len();
        assert!(!columns.failed[i]);
        assert_eq!(
            open.into_iter().map(|e| e.0).collect::<Vec<_>>(),
            plain_open(&plain_ranks(&edges, n), n, &edges),
            "cloud {i}"
        );
    }
    assert!(found > 100, "only {found} links keep four points");
}

/// Arrays in several parts, lists that are filled in turns and blocks that have to be made shorter:
/// the same graph, bars and links as without.
#[test]
fn arrays_in_parts_hold_the_same() {
    let gpu = gpu();
    let mut rng = StdRng::seed_from_u64(16);
    for (len, features, steps, voids) in [(150, 6, 12, false), (160, 9, 1 << 20, true), (400, 3, 40, false)] {
        let view = CloudView { len, features, offset: 0, stride: features };
        let data: Vec<f32> = (0..view.end()).map(|_| rng.random_range(0..steps) as f32).collect();
        let shapes = [Shape::Points(view)];
        let run = |tuning: Tuning| {
            let (mut batch, mut recorder) = with_distances_by(&gpu, &data, &shapes, Metric::Euclidean, tuning);
            let table = tables(&batch);
            let state = up_to_forest(&batch, &mut recorder);
            let mut columns = block_on(Columns::new(&mut batch, &state, tuning, voids)).unwrap();
            let state = block_on(columns.run(&mut batch, &mut recorder, state, &Task::unwatched())).unwrap();
            recorder.submit().unwrap();
            let mut open = Vec::new();
            if voids {
                open = block_on(columns.voids(&batch, 0, &state[0])).unwrap().open;
                open.sort_unstable();
            }
            let bars = block_on(columns.bars(&batch)).unwrap();
            let parts = batch.parts.counts.len();
            (parts, (table, state[0].graph, state[0].births, bars, open, columns.failed.clone()))
        };
        let roomy = Tuning { columns_spare: 4000, ..Tuning::default() };
        let (parts, whole) = run(roomy);
        assert_eq!((parts, whole.5.as_slice()), (0, [false].as_slice()), "{len} points of {features} coordinates");
        let table_bytes = 4 * len * len;
        // A block is meant to have about 50 edges a point.
        for (list_edges, list_edges_each) in [(u32::MAX, 0), (0, 128), (0, 10)] {
            let split = Tuning { binding_bytes: table_bytes as u64 / 4, list_edges, list_edges_each, ..roomy };
            let (parts, found) = run(split);
            assert!(parts >= 3, "table, roles and levels, and most often the bits of columns");
            assert!(found == whole, "{len} points of {features} coordinates, lists of {list_edges}, {list_edges_each} a point");
        }
    }
}

/// A cloud that the device has no room for is the native engine's, and the time is said to be.
#[test]
fn the_host_takes_what_the_device_has_no_room_for() {
    let gpu = gpu();
    let mut rng = StdRng::seed_from_u64(3);
    let cloud = PointCloud::new(120, 5, (0..600).map(|_| rng.random::<f32>()).collect()).unwrap();
    let clouds = [Source::from(&cloud), Source::from(&cloud)];
    let run = |tuning: Tuning| {
        let mut found = Vec::new();
        let take = &mut |pairs: Pairs| found.push((pairs.merges, pairs.classes));
        let (options, task) = (Options::default(), Task::unwatched());
        let seconds = block_on(super::pairs(&gpu, Ready::Host(&clouds), &options, None, tuning, &task, take)).unwrap();
        let of = |name: &str| seconds.iter().find(|(stage, _)| stage == name).map(|&(_, s)| s);
        (of(FINISHED_ON_HOST), of("total"), found)
    };
    let (host, _, want) = run(Tuning::default());
    assert!(host.is_none() && want.len() == 2);
    // More places in a list of edges than a binding shows; each cloud is a batch.
    let (host, total, found) = run(Tuning { list_places: 20_000_000, batch_bytes: 0, ..Tuning::default() });
    assert!(host.is_some() && host == total);
    assert_eq!(found, want);
}

/// The host's part runs in the pool that the caller is in, also where that has one thread, and
/// where all of its threads wait for such a part.
#[test]
fn the_host_works_in_the_pool_of_the_caller() {
    use rayon::prelude::*;
    let gpu = gpu();
    let mut rng = StdRng::seed_from_u64(4);
    let cloud = PointCloud::new(60, 4, (0..240).map(|_| rng.random::<f32>()).collect()).unwrap();
    let clouds = [Source::from(&cloud); 3];
    let run = || {
        let mut found = Vec::new();
        let take = &mut |pairs: Pairs| found.push((pairs.merges, pairs.classes));
        let (options, task) = (Options::default().max_dim(2), Task::unwatched());
        let each = Tuning { batch_bytes: 0, ..Tuning::default() };
        block_on(super::pairs(&gpu, Ready::Host(&clouds), &options, None, each, &task, take)).unwrap();
        found
    };
    let want = run();
    assert!(want.len() == 3 && want[0] == want[2] && want[0].1.len() == 2);
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    assert_eq!(pool(1).install(run), want);
    let all: Vec<_> = pool(3).install(|| (0..6).into_par_iter().map(|_| run()).collect());
    assert!(all.iter().all(|found| *found == want));
}

/// A thread takes many turns through a loop; either it takes them all, or it knows that it did not.
#[test]
fn a_loop_that_the_driver_ends_is_noticed() {
    let gpu = gpu();
    let source = "//#import cloud
        @group(0) @binding(0) var<uniform> slice: Slice;
        @group(0) @binding(1) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(1)
        fn main() {
            var sum = 0u;
            for (var k = 0u; k < slice.a; k++) { sum = (sum ^ k) * 3u; out[2] = sum; out[0] += 1u; }
            out[1] = select(1u, 2u, cut_short(slice.b));
        }";
    let kernel = Kernel::new(&gpu, "turns", source, &SHARED, &Parts::default(), &[]).unwrap();
    for turns in [0, 1, 1000, 60_000, 65_534, 65_535, 65_536, 200_000] {
        let out = zeroed(&gpu, "turns", 3).unwrap();
        let mut recorder = Recorder::new(&gpu, false).unwrap();
        let work = Work { first: 0, groups: 1, clouds: 1, a: turns, b: 200, cost: 1.0, most_groups: 0 };
        block_on(recorder.dispatch(&kernel, &[all(&out)], work)).unwrap();
        recorder.submit().unwrap();
        let found: Vec<u32> = download(&gpu, &out, 0, 3).unwrap();
        assert!(found[0] == turns || found[1] == 2, "{} of {turns} turns, and nothing is said", found[0]);
        assert!(found[1] == 1 || turns > 65_000, "{turns} turns are few");
    }
}

#[test]
fn work_is_cut_into_slices_that_add_up() {
    // A recorder that believes the device to be slow cuts everything to pieces; the answer is the
    // same.
    let gpu = gpu();
    let (data, shapes) = grid_clouds();
    let whole = with_distances(&gpu, &data, &shapes, Metric::Euclidean).0;
    let batch = Batch::new(&gpu, &shapes, &vec![Key::MAX; shapes.len()], &[], Tuning::default()).unwrap();
    let mut recorder = Recorder::new(&gpu, false).unwrap().slow();
    let points = upload(&gpu, "points", &data).unwrap();
    block_on(distances::record(&batch, &mut recorder, all(&points), Metric::Euclidean)).unwrap();
    recorder.submit().unwrap();
    assert!(recorder.submissions() > 20, "{}", recorder.submissions());
    assert_eq!(tables(&whole), tables(&batch));
}

#[test]
fn a_lost_device_ends_in_an_error() {
    let gpu = Gpu::open(&AdapterChoice::Best).unwrap();
    let (data, shapes) = grid_clouds();
    let (batch, _) = with_distances(&gpu, &data, &shapes, Metric::Euclidean);
    gpu.simulate_loss();
    let e = block_on(batch.read_state()).unwrap_err();
    assert_eq!(e.exit_code(), 1);
    assert!(e.to_string().contains("was lost"), "{e}");
}
