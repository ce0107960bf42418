//! Barcodes of inner layers, in place of the answers', as the measure of a reconstruction.
//!
//! Every layer that reads filters gives each sample a point: the mean of each of its maps over the
//! cells of a 4 x 4 grid, behind the batch norm if one follows. What is to be kept is the barcode
//! of dimension 0 of these points. No gradient goes through the network: the lengths of the bars
//! depend on the layer's own outputs, and their derivatives are known ([`Aim::cotangents`]).

use super::aim::Aim;
use super::readers::readers_of;
use super::reconstruction::{Looked, ReconstructionOptions};
use super::samples_barcode::pooled;
use super::{BATCH, Scoring, maps_of};
use crate::error::Result;
use crate::nn::{Flow, Layer, Net, bridge};
use crate::prune::gram::Gram;
use crate::prune::patches::{Places, rows_read};
use crate::topology::Engine;

/// What each reader of the groups' filters reads, and how much each of its outputs counts.
pub(super) fn look(scoring: &mut Scoring<'_>, options: &ReconstructionOptions, which: &[usize]) -> Result<Vec<Looked>> {
    let readers = readers_of(&scoring.groups);
    let arch = &scoring.net.arch;
    let mut grams: Vec<Gram> = readers.iter().map(|_| Gram::default()).collect();
    let mut points: Vec<Vec<f32>> = vec![Vec::new(); readers.len()];
    for (nth, some) in which.chunks(BATCH).enumerate() {
        scoring.go_on()?;
        let mut pass = scoring.net.begin(scoring.rows(some));
        while pass.next < arch.layers.len() {
            let at = pass.next;
            let Some(r) = readers.iter().position(|&(layer, _)| layer == at) else {
                pass = scoring.net.advance(pass);
                continue;
            };
            let input = maps_of(pass.flow.clone(), readers[r].1);
            let given = scoring.net.apply(at, pass.flow, &|_| None);
            let seen = arch.norm_behind(at).map_or(given.clone(), |norm| scoring.net.apply(norm, given.clone(), &|_| None));
            let plane = match &given {
                Flow::Maps(maps) => [maps.dims()[2], maps.dims()[3]],
                Flow::Flat(_) => [1, 1],
            };
            let channels = seen.channels();
            points[r].extend(bridge::read(pooled(maps_of(seen, channels)))?);
            let seed = Places::seed(options.seed, r, nth);
            grams[r].add_inputs(rows_read(&arch.layers[at], input, plane, options.places, seed));
            pass = scoring.net.behind(at, given, pass.kept);
        }
        scoring.watch.at("samples seen", (nth * BATCH + some.len()) as u64, which.len() as u64);
    }
    let mut found = Vec::new();
    for (r, (gram, points)) in grams.into_iter().zip(points).enumerate() {
        scoring.go_on()?;
        let at = readers[r].0;
        let scales = scales(scoring.net, at)?;
        let counts = counts(&points, which.len(), scales.len(), options, &scoring.compute.engine)?;
        let counts = counts.iter().zip(&scales).map(|(c, s)| c * s * s).collect();
        found.push(Looked { layer: at, gram: gram.moments(true)?.gram, counts });
    }
    Ok(found)
}

/// By what each output of a layer is multiplied in the norm behind it; 1 where there is none.
fn scales(net: &Net, at: usize) -> Result<Vec<f64>> {
    let outputs = match net.arch.layers[at] {
        Layer::Conv { output, .. } | Layer::Linear { output, .. } => output,
        _ => 0,
    };
    let Some(norm) = net.arch.norm_behind(at) else { return Ok(vec![1.0; outputs]) };
    let norm = net.norm(norm);
    let scales = norm.gamma.val() / (norm.running_var.value_sync() + norm.epsilon).sqrt();
    Ok(bridge::read(scales)?.into_iter().map(f64::from).collect())
}

/// How much a square of each output's change counts, so that losing all outputs costs 1.
///
/// `points` has a row of `outputs` maps for each of `samples`.
fn counts(points: &[f32], samples: usize, outputs: usize, options: &ReconstructionOptions, engine: &Engine) -> Result<Vec<f64>> {
    let width = points.len() / samples;
    let cells = width / outputs;
    let of_output = |numbers: &[f32], output: usize, sum: &dyn Fn(f64) -> f64| -> f64 {
        let of_row = |row: &[f32]| row[output * cells..(output + 1) * cells].iter().map(|&x| sum(f64::from(x))).sum::<f64>();
        numbers.chunks(width).map(of_row).sum()
    };
    let mut counts = match options.aim {
        Aim::Outputs => vec![1.0; outputs],
        _ => {
            let slopes = Aim::Components.cotangents(points, width, options.seed ^ 0x1A7, engine)?;
            (0..outputs).map(|o| of_output(&slopes, o, &|x| x * x)).collect()
        }
    };
    let numbers = (samples * cells) as f64;
    let variance = |o: usize| of_output(points, o, &|x| x * x) / numbers - (of_output(points, o, &|x| x) / numbers).powi(2);
    let all: f64 = counts.iter().enumerate().map(|(o, c)| c * variance(o).max(0.0)).sum();
    counts.iter_mut().for_each(|c| *c /= all.max(f64::MIN_POSITIVE));
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{scores, waves};
    use super::*;
    use crate::nn::{Activation, Arch, Compute, zoo};
    use crate::prune::Criterion;

    fn options(aim: Aim) -> ReconstructionOptions {
        ReconstructionOptions { aim, samples: 60, places: 8, seed: 2, joint: false }
    }

    /// An output along which the samples do not differ does not count for their barcode.
    #[test]
    fn outputs_count_by_what_they_do_to_the_barcode() {
        let (samples, outputs, cells) = (30, 3, 2);
        let points: Vec<f32> = (0..samples)
            .flat_map(|i| {
                let wave = |k: f32| (i as f32 * k).sin();
                [wave(1.3), wave(0.7), 5.0, 5.0, 0.1 * wave(2.1), 0.1 * wave(3.7)]
            })
            .collect();
        let engine = Engine::cpu();
        let layers = counts(&points, samples, outputs, &options(Aim::Layers), &engine).unwrap();
        assert!(layers[1] == 0.0 && layers[0] > 0.0 && layers[2] > 0.0, "{layers:?}");
        let plain = counts(&points, samples, outputs, &options(Aim::Outputs), &engine).unwrap();
        assert!(plain[0] == plain[1] && plain[1] == plain[2]);
        for counts in [&layers, &plain] {
            let variance = |o: usize| {
                let of: Vec<f64> = points
                    .chunks(outputs * cells)
                    .flat_map(|r| r[o * cells..(o + 1) * cells].iter().map(|&x| f64::from(x)))
                    .collect();
                let mean = of.iter().sum::<f64>() / of.len() as f64;
                of.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / of.len() as f64
            };
            let all: f64 = counts.iter().enumerate().map(|(o, c)| c * variance(o)).sum();
            assert!((all - 1.0).abs() < 1e-4, "{all}");
        }
    }

    #[test]
    fn inner_barcodes_score_every_network() {
        let relu = || Activation::parse("relu").unwrap();
        let compute = Compute::cpu();
        for arch in [
            Arch::cnn([1, 8, 8], &[6, 8], 7, 3, relu()).unwrap(),
            Arch::cnn([1, 8, 8], &[6, 8], 7, 3, relu()).unwrap().without_norms(),
            zoo::named("resnet20:0.5", [1, 8, 8], 3, relu()).unwrap(),
        ] {
            let net = Net::new(&arch, 4, &compute.device).unwrap();
            let by = |aim| scores(&Criterion::Barcode(options(aim)), &net, &waves(60), &compute).unwrap();
            let (layers, outputs) = (by(Aim::Layers), by(Aim::Outputs));
            assert_eq!(layers.len(), arch.groups().unwrap().len());
            assert!(layers.iter().flat_map(|l| &l.scores).all(|s| s.is_finite() && *s >= 0.0));
            assert!(layers.iter().zip(&outputs).any(|(a, b)| a.scores != b.scores), "{}", arch.name);
        }
    }
}
