//! What pruning with compensation costs: seconds of scoring and of compensating, and the peak of
//! memory, on ResNet-20 and VGG-16 at full width.
//!
//! `cargo bench --bench compensation -- [--data-dir FOLDER_OF_CIFAR_10] [--model resnet20]
//! [--images 512] [--gpu]`. Half of every group goes, by L1. Weights are drawn by chance: the work
//! is the same. Without a folder the images are noise.

#![allow(clippy::print_stdout, reason = "a bench has no other way to tell what it found")]

use lacuna::Result;
use lacuna::bench::peak_bytes;
use lacuna::data::Samples;
use lacuna::data::images::{ImageSet, read_folder};
use lacuna::gpu::AdapterChoice;
use lacuna::nn::{Activation, Compute, Net, zoo};
use lacuna::progress::Unwatched;
use lacuna::prune::{Compensation, Criterion, Keep, Scoring, compensate, cut};
use lacuna::report::Table;
use lacuna::topology::EngineKind;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::Path;
use std::time::Instant;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let after = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let images = after("--images").and_then(|n| n.parse().ok()).unwrap_or(512);
    let compute = if arguments.iter().any(|a| a == "--gpu") {
        Compute::new(EngineKind::Gpu, &AdapterChoice::Best)?
    } else {
        Compute::cpu()
    };
    println!("engine: {}\n", compute.engine.info().adapter);
    let samples = match after("--data-dir") {
        Some(folder) => read_folder(Path::new(folder), ImageSet::Cifar10)?.train,
        None => {
            let mut rng = StdRng::seed_from_u64(0);
            let pixels = (0..images * 3072).map(|_| rng.random::<u8>()).collect();
            Samples::images([3, 32, 32], pixels, vec![0; images], 0.5, 0.25)?
        }
    };
    let models = after("--model").map_or(vec!["resnet20", "vgg16-bn"], |m| vec![m.as_str()]);
    let mut table = Table::new(&["network", "job", "seconds", "peak of memory, MiB"]);
    for model in models {
        let arch = zoo::named(model, [3, 32, 32], 10, Activation::parse("relu")?)?;
        let net = Net::new(&arch, 0, &compute.device)?;
        let mut row = |job: &str, seconds: f64| {
            table.row([
                model.to_string(),
                job.to_string(),
                format!("{seconds:.2}"),
                peak_bytes().map_or("not known".into(), |b| format!("{}", b >> 20)),
            ]);
        };
        let keep: Keep = arch.groups()?.iter().map(|g| (g.leader(), (0..g.filters.div_ceil(2)).collect())).collect();
        let start = Instant::now();
        let smaller = cut(&net, &keep, &compute.device)?;
        row("cut", start.elapsed().as_secs_f64());
        let start = Instant::now();
        let options = Compensation { images, ..Compensation::default() };
        compensate(&net, &smaller, &keep, &samples, &compute, &options, &mut Unwatched)?;
        row(&format!("compensation, {images} images"), start.elapsed().as_secs_f64());
        let names: &[&str] =
            if model.starts_with("resnet") { &["effect", "barcode", "samples-h0", "taylor"] } else { &["effect"] };
        for name in names {
            let mut watch = Unwatched;
            let mut scoring = Scoring::new(&net, &samples, &compute, &mut watch)?;
            let start = Instant::now();
            Criterion::named(name, images, 0)?.score(&mut scoring)?;
            row(&format!("scores by {name}"), start.elapsed().as_secs_f64());
        }
    }
    println!("{}", table.markdown());
    Ok(())
}
