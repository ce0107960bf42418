//! Holes in what a filter sees.
//!
//! TopologyHole (Xu et al., "TopologyHole: a topological filter pruning method", J. Real-Time Image
//! Processing 2022): the holes of a filter's map behind its activation are counted and averaged
//! over a batch; filters with many go. The paper's rule for a hole could not be had; ours is the
//! first Betti number of the cubical complex of the pixels above zero, that is, pieces of the other
//! pixels, joined through their sides, that do not reach the border. The maps are counted on the
//! device that they lie on, by `shaders/holes.wgsl`.

use super::{LayerScores, SampleOptions, Scoring, maps_of};
use crate::error::Result;
use crate::gpu::{Gpu, Kernel, Parts, Recorder, Work};
use crate::nn::bridge;
use crate::topology::SHARED_SHADERS;
use burn::tensor::{Device, Tensor};
use std::slice::from_ref;

/// Pixels that the shader has room for.
const MOST_PIXELS: usize = 4032;

/// Mean numbers of holes.
pub(super) fn score(scoring: &mut Scoring<'_>, options: SampleOptions) -> Result<Vec<LayerScores>> {
    let which = scoring.chosen(options)?;
    let places = scoring.places();
    let mut sums: Vec<Vec<f64>> = places.iter().map(|&(_, filters)| vec![0.0; filters]).collect();
    let gpu = scoring.compute.engine.gpu().filter(|_| bridge::is_wgpu(&scoring.compute.device));
    let kernel = gpu
        .map(|gpu| {
            Kernel::new(gpu, "holes", include_str!("../../../shaders/holes.wgsl"), &SHARED_SHADERS, &Parts::default(), &[])
        })
        .transpose()?;
    for (done, some) in which.chunks(super::BATCH).enumerate() {
        scoring.go_on()?;
        let mut found = vec![None; places.len()];
        scoring.net.forward_with(scoring.rows(some), &mut |layer, flow| {
            if let Some(place) = places.iter().position(|(at, _)| *at == layer) {
                found[place] = Some(maps_of(flow.clone(), places[place].1));
            }
            true
        });
        for (sums, maps) in sums.iter_mut().zip(found) {
            let Some(maps) = maps else { continue };
            let counts = match (gpu, &kernel) {
                (Some(gpu), Some(kernel)) => on_device(gpu, kernel, maps, &scoring.compute.device)?,
                _ => on_host(maps)?,
            };
            for row in counts.chunks(sums.len()) {
                sums.iter_mut().zip(row).for_each(|(s, &c)| *s += f64::from(c) / which.len() as f64);
            }
        }
        scoring.watch.at("counting holes", (done * super::BATCH + some.len()) as u64, which.len() as u64);
    }
    scoring.over_places(sums)
}

/// Holes of every map of `[samples, filters, height, width]`, natively.
fn on_host(maps: Tensor<4>) -> Result<Vec<f32>> {
    use rayon::prelude::*;
    let [_, _, height, width] = maps.dims();
    let numbers = bridge::read(maps)?;
    Ok(numbers.par_chunks(height * width).map(|map| count_holes(map, width) as f32).collect())
}

/// The same by the shader; maps that it has no room or patience for go the native way.
fn on_device(gpu: &Gpu, kernel: &Kernel, maps: Tensor<4>, device: &Device) -> Result<Vec<f32>> {
    let [samples, filters, height, width] = maps.dims();
    if height * width > MOST_PIXELS {
        return on_host(maps);
    }
    let count = samples * filters;
    let buffer = bridge::buffer_of(maps.clone())?;
    let counts: Tensor<1> = bridge::tensor_from(device, gpu, [count], |gpu, out, offset| {
        let bindings = [(from_ref(buffer.buffer()), buffer.offset(), buffer.bytes()), (from_ref(out), offset, 4 * count as u64)];
        let (a, b) = (count as u32, (height << 16 | width) as u32);
        let cost = 24.0 * (height * width) as f64 + 64.0;
        let mut recorder = Recorder::new(gpu, false)?;
        pollster::block_on(recorder.dispatch(
            kernel,
            &bindings,
            Work { first: 0, groups: a, clouds: 1, a, b, cost, most_groups: 0 },
        ))?;
        recorder.submit()
    })?;
    let counts = bridge::read(counts)?;
    if counts.iter().any(|&c| c < 0.0) { on_host(maps) } else { Ok(counts) }
}

/// Holes of the set where a map of rows of `width` numbers is above zero.
pub fn count_holes(map: &[f32], width: usize) -> usize {
    let height = map.len() / width.max(1);
    let mut seen: Vec<bool> = map.iter().map(|&x| x > 0.0).collect();
    let mut queue = Vec::new();
    let mut holes = 0;
    for start in 0..map.len() {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        queue.push(start);
        let mut reaches_border = false;
        while let Some(p) = queue.pop() {
            let (row, column) = (p / width, p % width);
            reaches_border |= row == 0 || column == 0 || row + 1 == height || column + 1 == width;
            let sides = [
                (row > 0).then(|| p - width),
                (row + 1 < height).then_some(p + width),
                (column > 0).then(|| p - 1),
                (column + 1 < width).then_some(p + 1),
            ];
            for q in sides.into_iter().flatten() {
                if !seen[q] {
                    seen[q] = true;
                    queue.push(q);
                }
            }
        }
        holes += usize::from(!reaches_border);
    }
    holes
}

#[cfg(test)]
mod tests {
    use super::super::testing::{scores, waves};
    use super::*;
    use crate::gpu::AdapterChoice;
    use crate::nn::{Activation, Arch, Compute, Net};
    use crate::prune::Criterion;
    use crate::topology::EngineKind;
    use burn::tensor::TensorData;
    use proptest::prelude::*;

    fn picture(rows: &[&str]) -> (Vec<f32>, usize) {
        (rows.iter().flat_map(|r| r.chars().map(|c| f32::from(u8::from(c == '#')))).collect(), rows[0].len())
    }

    #[test]
    fn holes_are_counted() {
        for (rows, want) in [
            (&["....", "....", "...."][..], 0),
            (&["####", "#..#", "####"], 1),
            (&["#####", "#.#.#", "#####"], 2),
            // Corners of the set touch: the inside is closed, for the rest is joined through sides
            // alone.
            (&[".#.", "#.#", ".#."], 1),
            // A way out through the border.
            (&["##.##", "#...#", "#####"], 0),
            // A ring in a ring: the outer hole is around the inner ring.
            (&["#######", "#.....#", "#.###.#", "#.#.#.#", "#.###.#", "#.....#", "#######"], 2),
        ] {
            let (map, width) = picture(rows);
            assert_eq!(count_holes(&map, width), want, "{rows:?}");
        }
    }

    fn on_both(maps: &[f32], shape: [usize; 4]) -> (Vec<f32>, Vec<f32>) {
        let compute = Compute::new(EngineKind::Gpu, &AdapterChoice::Best).unwrap();
        let gpu = compute.engine.gpu().unwrap();
        let kernel =
            Kernel::new(gpu, "holes", include_str!("../../../shaders/holes.wgsl"), &SHARED_SHADERS, &Parts::default(), &[])
                .unwrap();
        let tensor = |device: &Device| Tensor::<4>::from_data(TensorData::new(maps.to_vec(), shape), device);
        (on_host(tensor(&Device::flex())).unwrap(), on_device(gpu, &kernel, tensor(&compute.device), &compute.device).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
        #[test]
        fn the_shader_counts_the_same(height in 1usize..40, width in 1usize..40, share in 0.3f64..0.8, seed: u64) {
            use rand::{RngExt, SeedableRng, rngs::StdRng};
            let mut rng = StdRng::seed_from_u64(seed);
            let maps: Vec<f32> = (0..6 * height * width).map(|_| if rng.random_bool(share) { 1.0 } else { -0.0 }).collect();
            let (host, device) = on_both(&maps, [2, 3, height, width]);
            prop_assert_eq!(host, device);
        }
    }

    /// A spiral takes many passes; one that takes too many is counted natively.
    #[test]
    fn long_ways_are_followed() {
        let n = 61;
        // Comb-like walls: one long way from the middle of the first column, closed at the end.
        let wall = |row: usize, column: usize| {
            row == 0
                || row == n - 1
                || column == 0
                || column == n - 1
                || (row.is_multiple_of(2) && column != if row.is_multiple_of(4) { 1 } else { n - 2 })
        };
        let closed: Vec<f32> = (0..n * n).map(|p| f32::from(u8::from(wall(p / n, p % n)))).collect();
        let mut open = closed.clone();
        open[n] = 0.0;
        let (host, device) = on_both(&[closed, open].concat(), [1, 2, n, n]);
        assert_eq!(host, [1.0, 0.0]);
        assert_eq!(device, host);
    }

    /// Flat and long maps take many turns a round: rounds have to be fewer there, or the driver
    /// ends them unasked.
    #[test]
    fn oblong_maps_are_counted_right() {
        for (height, width) in [(5usize, 806usize), (806, 5), (3, 1344), (1, 4032), (9, 448)] {
            let (rows, columns) = (height.min(width), height.max(width));
            // One way through all columns, up and down by turns, from a dead end to a dead end.
            let wall = |row: usize, column: usize| {
                let gap = if column.is_multiple_of(4) { 1 } else { rows.saturating_sub(2) };
                row == 0 || row + 1 == rows || column == 0 || column + 1 == columns || (column.is_multiple_of(2) && row != gap)
            };
            let at = |p: usize| if height <= width { wall(p / width, p % width) } else { wall(p % width, p / width) };
            let map: Vec<f32> = (0..height * width).map(|p| f32::from(u8::from(at(p)))).collect();
            let (host, device) = on_both(&map, [1, 1, height, width]);
            assert_eq!(host, device, "{height} x {width}");
            assert_eq!(host, [f32::from(u8::from(rows > 2))], "{height} x {width}");
        }
    }

    #[test]
    fn scores_are_means_over_samples() {
        let (cpu, gpu) = (Compute::cpu(), Compute::new(EngineKind::Gpu, &AdapterChoice::Best).unwrap());
        let arch = Arch::cnn([1, 8, 8], &[6], 5, 3, Activation::parse("relu").unwrap()).unwrap();
        let on = |c: &Compute| {
            let net = Net::new(&arch, 1, &c.device).unwrap();
            let options = SampleOptions { samples: 150, seed: 0 };
            scores(&Criterion::Holes(options), &net, &waves(150), c).unwrap()[0].scores.clone()
        };
        let (a, b) = (on(&cpu), on(&gpu));
        assert!(a.iter().any(|&s| s > 0.05), "{a:?}");
        // Arithmetic differs in the last places, where a pixel is nearly zero.
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 0.05), "{a:?} {b:?}");
    }
}
