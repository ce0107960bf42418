//! How long gradients of single samples take, by three strategies.
//!
//! Rochette, Manoel and Tramel (arXiv 1912.06015) time them against the size of the batch, the
//! number of channels and the number of layers (their Figures 1 and 2), and on AlexNet and VGG-16.
//! Here each sweep changes one of these numbers of a small convolutional network. Beside the three
//! strategies stand the usual gradient of the batch, which is what privacy costs nothing against,
//! and the clipped sum of the samples' gradients, which is what private training needs.

use super::ledger::{Ledger, same_adapter, same_subject};
use super::stats::median;
use crate::data::files::write_text;
use crate::error::{Error, Result};
use crate::nn::{Activation, Arch, Compute, Layer, Net, Sides, bridge, zoo};
use crate::progress::Watch;
use crate::report::{Lines, Page, Picture, Table};
use crate::train::{Clipped, ExampleStrategy, example_gradients};
use burn::nn::loss::CrossEntropyLoss;
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Instant;

/// What the experiment is to do.
#[derive(Clone, Debug)]
pub struct PerExampleGradients {
    /// Folder of the results; an experiment that is there goes on.
    pub out: PathBuf,
    /// Images of 32 x 32 pixels, and small forms of the networks of the literature; else 64 x 64,
    /// and AlexNet and VGG-16 for images of 224 x 224.
    pub quick: bool,
    /// How often each is timed.
    pub repeats: usize,
}

/// One timing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimingRow {
    /// What is changed: `batch`, `channels`, `layers`, or `network`.
    pub sweep: String,
    /// To what.
    pub value: String,
    /// A strategy, `usual` for the gradient of the batch, or `clipped` for the sum of clipped ones.
    pub way: String,
    /// Counted from 0.
    pub repeat: usize,
    /// Seconds of the passes, and of reading one number of the result.
    pub seconds: f64,
}

/// What is timed, in the order of the tables.
const WAYS: [&str; 5] = ["usual", "clipped", "crb", "multi", "naive"];
/// Channels of the first convolution, convolutions, and samples, where they are not swept.
const USUAL: (usize, usize, usize) = (16, 3, 16);

/// One network and batch.
struct Case {
    sweep: &'static str,
    value: String,
    arch: Arch,
    samples: usize,
}

/// Convolutions of kernel 3, each with as many channels, with a pooling behind every second one.
fn small(side: usize, channels: usize, layers: usize) -> Result<Arch> {
    let mut arch = Arch::cnn([3, side, side], &[channels], 10, 10, Activation::parse("relu")?)?.without_norms();
    let (mut input, mut side) = (3, side);
    arch.layers.clear();
    for at in 0..layers {
        arch.layers.push(Layer::conv(input, channels, 3, true));
        arch.layers.push(Layer::activation());
        if at % 2 == 1 {
            arch.layers.push(Layer::max_pool(2));
            side /= 2;
        }
        input = channels;
    }
    arch.layers.push(Layer::Flatten);
    arch.layers.push(Layer::Linear { input: input * side * side, output: 10 });
    arch.shapes()?;
    Ok(arch)
}

/// The network of Krizhevsky (arXiv 1404.5997), for 1,000 classes, without its dropouts. Its head
/// is made for the plane that is left of the images.
fn alexnet(side: usize) -> Result<Arch> {
    let mut arch = Arch::cnn([3, side, side], &[8], 10, 10, Activation::parse("relu")?)?.without_norms();
    let conv = |input, output, kernel: usize, stride: usize, padding: usize| {
        let (kernel, stride, padding) = (Sides::from(kernel), stride.into(), Some(padding.into()));
        Layer::Conv { input, output, kernel, stride, padding, groups: 1, bias: true }
    };
    let pool = || Layer::max_pool(3).with_stride(2);
    let act = Layer::activation;
    arch.layers = vec![conv(3, 64, 11, 4, 2), act(), pool(), conv(64, 192, 5, 1, 2), act(), pool()];
    for (input, output) in [(192, 384), (384, 256), (256, 256)] {
        arch.layers.extend([conv(input, output, 3, 1, 1), act()]);
    }
    arch.layers.extend([pool(), Layer::Flatten]);
    let width = arch.shapes()?.last().map_or(0, |s| s.numbers());
    for (input, output) in [(width, 4096), (4096, 4096)] {
        arch.layers.extend([Layer::Linear { input, output }, act()]);
    }
    arch.layers.push(Layer::Linear { input: 4096, output: 1000 });
    arch.name = "alexnet".into();
    arch.shapes()?;
    Ok(arch)
}

fn cases(options: &PerExampleGradients) -> Result<Vec<Case>> {
    let side = if options.quick { 32 } else { 64 };
    let (channels, layers, samples) = USUAL;
    let mut cases = Vec::new();
    for n in [1, 2, 4, 8, 16, 32] {
        cases.push(Case { sweep: "batch", value: n.to_string(), arch: small(side, channels, layers)?, samples: n });
    }
    for n in [4, 8, 16, 32, 64] {
        cases.push(Case { sweep: "channels", value: n.to_string(), arch: small(side, n, layers)?, samples });
    }
    for n in [1, 2, 3, 4, 6, 8] {
        cases.push(Case { sweep: "layers", value: n.to_string(), arch: small(side, channels, n)?, samples });
    }
    let relu = || Activation::parse("relu");
    let networks = if options.quick {
        vec![
            ("alexnet, 64 x 64, batch 4", alexnet(64)?, 4),
            ("vgg16, 32 x 32, batch 8", zoo::named("vgg16", [3, 32, 32], 10, relu()?)?, 8),
        ]
    } else {
        vec![
            ("alexnet, 224 x 224, batch 16", alexnet(224)?, 16),
            ("vgg16, 224 x 224, batch 8", zoo::named("vgg16", [3, 224, 224], 1000, relu()?)?, 8),
        ]
    };
    cases.extend(networks.into_iter().map(|(name, arch, samples)| Case { sweep: "network", value: name.into(), arch, samples }));
    Ok(cases)
}

/// Does it one way, and waits until it is done.
fn once(net: &Net, x: Tensor<2>, y: Tensor<1, Int>, way: &str, compute: &Compute) -> Result<f64> {
    use burn::module::Module;
    let start = Instant::now();
    let gpu = compute.engine.gpu();
    // One number for each tensor, all of which wait for the rest.
    let wait = |rows: Tensor<2>| bridge::read(rows.narrow(0, 0, 1).narrow(1, 0, 1)).map(|_| ());
    match way {
        "usual" => {
            let net = net.clone().train();
            let loss = CrossEntropyLoss::new(None, &x.device()).forward(net.forward(x), y);
            let gradients = loss.backward();
            for conv in net.convs() {
                conv.weight.grad(&gradients).map(|g| wait(g.flatten(0, 2))).transpose()?;
            }
            for linear in net.linears() {
                linear.weight.grad(&gradients).map(wait).transpose()?;
            }
        }
        "clipped" => {
            for (_, _, sum) in Clipped::of(&net.frozen(), x, y, 1.0, gpu)?.sums {
                wait(sum)?;
            }
        }
        _ => {
            for g in example_gradients(net, x, y, way.parse::<ExampleStrategy>()?, gpu)? {
                wait(g.rows)?;
            }
        }
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Times every strategy and writes raw results, tables and pictures.
///
/// # Errors
/// [`Error::Interrupted`], after saving; [`Error::Device`] when the device fails; [`Error::Io`].
pub fn per_example_gradients(options: &PerExampleGradients, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<TimingRow>> {
    same_adapter(&options.out, compute)?;
    same_subject(&options.out, &serde_json::json!({"quick": options.quick}))?;
    let mut ledger = Ledger::<TimingRow>::open(&options.out.join("timings.jsonl"))?;
    let cases = cases(options)?;
    let total = cases.len() * WAYS.len() * options.repeats;
    let mut done = 0;
    for case in &cases {
        let is_done = |rows: &[TimingRow], way: &str, repeat: usize| {
            rows.iter().any(|r| r.sweep == case.sweep && r.value == case.value && r.way == way && r.repeat == repeat)
        };
        if (0..options.repeats).all(|r| WAYS.iter().all(|way| is_done(&ledger.rows, way, r))) {
            done += WAYS.len() * options.repeats;
            continue;
        }
        let net = Net::new(&case.arch, 0, &compute.device)?;
        let (width, classes) = (case.arch.input.iter().product::<usize>(), case.arch.classes()?);
        let device = compute.device.clone().autodiff();
        let numbers: Vec<f32> = (0..case.samples * width).map(|i| (i as f32 * 0.37).sin()).collect();
        let labels: Vec<i32> = (0..case.samples).map(|i| (i * 7 % classes) as i32).collect();
        let x = Tensor::<2>::from_data(TensorData::new(numbers, [case.samples, width]), &device);
        let y = Tensor::<1, Int>::from_data(TensorData::new(labels, [case.samples]), &device);
        for repeat in 0..options.repeats {
            // One after the other, so that a busy machine is busy for all of them.
            for way in WAYS {
                done += 1;
                if is_done(&ledger.rows, way, repeat) {
                    continue;
                }
                if watch.stopped() {
                    return Err(Error::Interrupted("stopped; what is through is saved, run it again to go on".into()));
                }
                watch.at(&format!("{} {}, {way}", case.sweep, case.value), done as u64, total as u64);
                if repeat == 0 {
                    // The first pass makes memory and shaders.
                    once(&net, x.clone(), y.clone(), way, compute)?;
                }
                let seconds = once(&net, x.clone(), y.clone(), way, compute)?;
                let (sweep, value) = (case.sweep.to_string(), case.value.clone());
                ledger.add(TimingRow { sweep, value, way: way.into(), repeat, seconds })?;
            }
        }
    }
    report(options, &cases, &ledger.rows, compute)?;
    Ok(ledger.rows)
}

fn report(options: &PerExampleGradients, cases: &[Case], rows: &[TimingRow], compute: &Compute) -> Result<()> {
    let title = "Gradients of single samples by three strategies";
    let (channels, layers, samples) = USUAL;
    let side = if options.quick { 32 } else { 64 };
    let about = format!(
        "Seconds, medians of {}, on {}. A network of {layers} convolutions with {channels} channels of {side} x {side} pixels, and a \
         batch of {samples} samples, where they are not what is changed. usual: the gradient of the batch. clipped: the sum of \
         the samples' gradients, each clipped, as private training needs it. crb, multi and naive: the gradients of all samples.",
        options.repeats,
        compute.engine.info().adapter
    );
    let (mut page, mut text) = (Page::new(title), format!("# {title}\n\n{about}\n\n"));
    page.paragraph(&about);
    let middle = |sweep: &str, value: &str, way: &str| {
        let of = |r: &&TimingRow| r.sweep == sweep && r.value == value && r.way == way;
        median(&rows.iter().filter(of).map(|r| r.seconds).collect::<Vec<_>>())
    };
    for sweep in ["batch", "channels", "layers", "network"] {
        let heading = match sweep {
            "network" => "Networks of the literature".to_string(),
            "batch" => "Samples of a batch".to_string(),
            other => format!("Number of {other}"),
        };
        let mut table = Table::new(&[sweep, "usual", "clipped", "crb", "multi", "naive", "naive over crb"]);
        let of_sweep: Vec<&Case> = cases.iter().filter(|c| c.sweep == sweep).collect();
        for case in &of_sweep {
            let seconds = WAYS.map(|way| middle(sweep, &case.value, way));
            let cells = seconds.map(|s| format!("{s:.4}"));
            table.row([case.value.clone()].into_iter().chain(cells).chain([format!("{:.1}", seconds[4] / seconds[2])]));
        }
        page.heading(&heading);
        page.table(&table);
        text += &format!("## {heading}\n\n{}\n", table.markdown());
        if sweep != "network" {
            let series = WAYS.iter().map(|way| {
                let at = |c: &&Case| (c.value.parse().unwrap_or(0.0), middle(sweep, &c.value, way));
                ((*way).to_string(), of_sweep.iter().map(at).collect())
            });
            let picture = Lines { title: heading, x: sweep.into(), y: "seconds".into(), series: series.collect() };
            picture.save(&options.out.join(format!("{sweep}.svg")))?;
            page.picture(&picture)?;
        }
    }
    write_text(&options.out.join("report.md"), &text)?;
    page.save(&options.out.join("report.html"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::StopAt;

    #[test]
    fn timings_go_on_where_they_were_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let options = PerExampleGradients { out: dir.path().into(), quick: true, repeats: 1 };
        let rows = || Ledger::<TimingRow>::open(&dir.path().join("timings.jsonl")).unwrap().rows;
        let begin = |after| per_example_gradients(&options, &Compute::cpu(), &mut StopAt(after));
        assert!(matches!(begin(3), Err(Error::Interrupted(_))));
        let first = rows();
        assert_eq!(first.iter().map(|r| r.way.as_str()).collect::<Vec<_>>(), WAYS[..3]);
        assert!(matches!(begin(4), Err(Error::Interrupted(_))));
        let all = rows();
        assert_eq!(all[..3], first);
        assert_eq!(all[3..].iter().map(|r| r.way.as_str()).collect::<Vec<_>>(), ["multi", "naive", "usual", "clipped"]);
        assert!(all.iter().all(|r| r.seconds > 0.0) && all[4].value == "1" && all[5].value == "2");
        // Timings of another form are other timings.
        let other = PerExampleGradients { quick: false, ..options };
        let why = per_example_gradients(&other, &Compute::cpu(), &mut StopAt(1)).unwrap_err().to_string();
        assert!(why.contains("quick: true, now false"), "{why}");
    }

    #[test]
    fn networks_are_those_of_their_sources() {
        let parameters = |arch: &Arch| crate::nn::counts_of(arch).unwrap().iter().map(|c| c.parameters).sum::<usize>();
        // The published count of AlexNet at 224 pixels.
        assert_eq!(parameters(&alexnet(224).unwrap()), 61_100_840);
        let all = cases(&PerExampleGradients { out: "unused".into(), quick: false, repeats: 1 }).unwrap();
        assert!(all.iter().all(|c| c.arch.shapes().is_ok() && c.samples > 0));
        assert!(["batch", "channels", "layers", "network"].iter().all(|s| all.iter().filter(|c| c.sweep == *s).count() > 1));
    }
}
