//! The pruning lab through the library and the program: criteria on both engines, comparisons that
//! go on, weights from PyTorch.
#![cfg(all(feature = "cli", feature = "nn"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod common;

use burn::tensor::{Tensor, TensorData};
use common::StopAfter;
use lacuna::Error;
use lacuna::data::{DataSet, images};
use lacuna::experiment::{Compare, Rival, compare};
use lacuna::gpu::AdapterChoice;
use lacuna::nn::{Activation, Arch, Compute, Net, zoo};
use lacuna::progress::Unwatched;
use lacuna::prune::{
    Budget, CRITERIA, Compensation, Criterion, Curve, Plan, ReconstructionOptions, Recover, Rule, Schedule, Scoring, Shares,
    prune_run, sensitivity, shrink,
};
use lacuna::topology::EngineKind;
use lacuna::train::{Config, ModelKind, Optimiser, Run, Settings, Trainer, accuracy};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn lacuna(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lacuna")).args(arguments).output().unwrap()
}

fn asset(name: &str) -> String {
    format!("{}/assets/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn small_images() -> DataSet {
    images::bundled().unwrap().with_at_most(600, 200, 0)
}

/// A small run on the bundled images.
fn trained(folder: &Path) -> Run {
    let config = Config::new(
        "fashion-mnist",
        ModelKind::Cnn { filters: vec![6, 8], hidden: 16, norm: true },
        Activation::parse("relu").unwrap(),
        Settings::new(1, 100, Optimiser::adam(0.003), 0),
    );
    let data = images::bundled().unwrap();
    let run = Run::create(folder, config, &data).unwrap();
    run.train(None, &data, &Compute::cpu(), &mut Unwatched).unwrap();
    run
}

/// Every criterion on both engines from the same weights, on a network with residual additions.
#[test]
fn criteria_agree_on_both_devices() {
    let (cpu, gpu) = (Compute::cpu(), Compute::new(EngineKind::Gpu, &AdapterChoice::Best).unwrap());
    let data = small_images();
    let arch = zoo::named("resnet20:0.25", [1, 28, 28], 10, Activation::parse("relu").unwrap()).unwrap();
    for name in CRITERIA.map(|c| c.name) {
        // Chance takes its own course where the last digits of a margin decide.
        if name == "energy" {
            continue;
        }
        let criterion = Criterion::named(name, 64, 1).unwrap();
        let on = |compute: &Compute| {
            let net = Net::new(&arch, 4, &compute.device).unwrap();
            let mut watch = Unwatched;
            criterion.score(&mut Scoring::new(&net, &data.train, compute, &mut watch).unwrap()).unwrap()
        };
        let (a, b) = (on(&cpu), on(&gpu));
        assert_eq!(a.len(), 12, "{name}");
        let (mut apart, mut total) = (0, 0);
        for (x, y) in a.iter().zip(&b) {
            assert_eq!(x.layer, y.layer);
            let size = x.scores.iter().fold(0.0f64, |m, s| m.max(s.abs())).max(1e-12);
            total += x.scores.len();
            apart += x.scores.iter().zip(&y.scores).filter(|(p, q)| (*p - *q).abs() > 5e-3 * size).count();
        }
        // A pixel at zero, or two patterns as near to one centre as to another, may fall to either
        // side.
        assert!(apart * 10 <= total, "{name}: {apart} of {total} scores differ");
    }
}

/// Compensation and gentle training on both engines from the same weights: the same accuracy, and
/// weights that are the same but for rounding.
#[test]
fn compensation_agrees_on_both_devices() {
    let (cpu, gpu) = (Compute::cpu(), Compute::new(EngineKind::Gpu, &AdapterChoice::Best).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let run = trained(&dir.path().join("r"));
    let data = images::bundled().unwrap().with_at_most(400, 300, 0);
    let on = |compute: &Compute| {
        let net = run.network(compute).unwrap();
        let by = Compensation { images: 200, ..Compensation::default() };
        let plan = Plan::ratio(Criterion::L1, 0.5).compensated(by);
        let plan = Plan { recover: Recover::Steps { steps: 3 }, ..plan };
        let settings = plan.recovery_settings(&run.config.settings, data.train.len());
        assert_eq!(settings.epochs, 1);
        let cut = shrink(&net, &data, &plan, &settings, compute, &mut Unwatched, &mut ()).unwrap();
        let right = accuracy(&cut.net, &data.test, &compute.device, &mut Unwatched).unwrap();
        let mut trainer = Trainer::new(cut.net.clone(), settings, &compute.device).taught_by(&net);
        let record = trainer.epoch(&data.train, &mut Unwatched).unwrap();
        assert_eq!(record.steps, 3);
        (right, cut, trainer.network())
    };
    let ((right, a, learnt), (right_gpu, b, learnt_gpu)) = (on(&cpu), on(&gpu));
    assert!((right - right_gpu).abs() <= 1.0 / 300.0 + 1e-9, "{right} {right_gpu}");
    for (x, y) in a.refits.iter().zip(&b.refits) {
        assert!((x.missed_after - y.missed_after).abs() < 1e-3, "{x:?} {y:?}");
    }
    for (one, other) in [(&a.net, &b.net), (&learnt, &learnt_gpu)] {
        let (one, other) = (one.state().unwrap(), other.state().unwrap());
        for (name, (_, numbers)) in &one {
            let size = numbers.iter().fold(1e-3f32, |m, x| m.max(x.abs()));
            let far = numbers.iter().zip(&other[name].1).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(far < 2e-2 * size, "{name}: {far} of {size}");
        }
    }
    // Norms keep their statistics while a network learns gently.
    let means = |net: &Net| net.state().unwrap().into_iter().filter(|(n, _)| n.contains("running")).collect::<Vec<_>>();
    assert_eq!(means(&a.net), means(&learnt));
    // Everything else learns, scales and shifts of norms included.
    let (before, after) = (a.net.state().unwrap(), learnt.state().unwrap());
    for (name, (_, numbers)) in before.iter().filter(|(name, _)| !name.contains("running")) {
        assert!(*numbers != after[name].1, "{name} has not learnt");
    }
}

/// On a trained network half of every layer goes: the compensated one keeps most of its answers, by
/// every schedule, and gentle training does not harm it.
#[test]
fn a_compensated_network_keeps_its_answers() {
    let dir = tempfile::tempdir().unwrap();
    let compute = Compute::cpu();
    let run = trained(&dir.path().join("r"));
    let data = images::bundled().unwrap().with_at_most(2000, 500, 0);
    let net = run.network(&compute).unwrap();
    let right = |net: &Net| accuracy(net, &data.test, &compute.device, &mut Unwatched).unwrap();
    let cut = |plan: &Plan| shrink(&net, &data, plan, &run.config.settings, &compute, &mut Unwatched, &mut ()).unwrap();
    let by = Compensation { images: 1000, ..Compensation::default() };
    let plain = Plan::ratio(Criterion::L1, 0.5);
    let (before, bare) = (right(&net), right(&cut(&plain).net));
    let fitted = cut(&plain.clone().compensated(by));
    assert!(
        right(&fitted.net) > bare + 0.1 * (before - bare) && !fitted.refits.is_empty(),
        "{before} {bare} {}",
        right(&fitted.net)
    );
    for schedule in [Schedule::Iterative { steps: 3, curve: Curve::Cubic, between: 0 }, Schedule::Soft { epochs: 1 }] {
        let found = cut(&Plan { schedule, ..plain.clone().compensated(by) });
        assert_eq!(found.net.parameters(), fitted.net.parameters(), "{schedule:?}");
        assert!(right(&found.net) > bare, "{schedule:?}");
    }
    // Filters that are chosen in the middle of it: as many, and those that are said to stay do.
    let first = |net: &Net| net.state().unwrap()["layers.0.weight"].1.clone();
    for schedule in [Schedule::OneShot, Schedule::Iterative { steps: 2, curve: Curve::Linear, between: 0 }] {
        let joint = ReconstructionOptions { samples: 300, joint: true, ..ReconstructionOptions::default() };
        let found = cut(&Plan { schedule, ..Plan::ratio(Criterion::Barcode(joint), 0.5).compensated(by) });
        assert_eq!(found.net.parameters(), fitted.net.parameters(), "{schedule:?}");
        assert!(right(&found.net) > bare + 0.1 * (before - bare), "{schedule:?}: {}", right(&found.net));
        let (whole, part) = (first(&net), first(&found.net));
        let of_filter = |all: &[f32], f: usize| all[f * 9..(f + 1) * 9].to_vec();
        for (at, &filter) in found.layers[0].kept.iter().enumerate() {
            assert_eq!(of_filter(&part, at), of_filter(&whole, filter), "what reads the image alone is not fitted anew");
        }
    }
    let taught = Plan { recover: Recover::Epochs(1), ..plain.compensated(by) };
    let settings = taught.recovery_settings(&run.config.settings, data.train.len());
    let mut trainer = Trainer::new(fitted.net.clone(), settings, &compute.device).taught_by(&net);
    trainer.epoch(&data.train, &mut Unwatched).unwrap();
    assert!(right(&trainer.network()) > right(&fitted.net) - 0.03);
    let untaught = Trainer::new(fitted.net, settings, &compute.device).epoch(&data.train, &mut Unwatched).unwrap_err();
    assert!(untaught.to_string().contains("resume the pruning"), "{untaught}");
}

/// Budgets are kept, shared either way, in one step or several, and a target that cannot be reached
/// is refused.
#[test]
fn budgets_are_kept() {
    let compute = Compute::cpu();
    let data = small_images();
    let arch = zoo::named("resnet20:0.5", [1, 28, 28], 10, Activation::parse("relu").unwrap()).unwrap();
    let net = Net::new(&arch, 4, &compute.device).unwrap();
    let settings = Settings::new(0, 64, Optimiser::adam(0.001), 0);
    let cut = |rule: Rule, schedule: Schedule, round_to: usize| {
        let plan = Plan { rule, schedule, round_to, ..Plan::ratio(Criterion::named("effect", 64, 0).unwrap(), 0.0) };
        shrink(&net, &data, &plan, &settings, &compute, &mut Unwatched, &mut ()).map(|c| c.net.arch)
    };
    for budget in [Budget::Macs, Budget::Parameters] {
        let whole = budget.of(&arch).unwrap();
        for shares in [Shares::Same, Shares::Effect] {
            for schedule in [Schedule::OneShot, Schedule::Iterative { steps: 2, curve: Curve::Linear, between: 0 }] {
                for round_to in [1, 4] {
                    let share =
                        budget.of(&cut(Rule::Target { budget, share: 0.5, shares }, schedule, round_to).unwrap()).unwrap()
                            / whole;
                    // The last filter or four of a group may be large.
                    assert!(
                        share <= 0.5 && share > if round_to == 1 { 0.4 } else { 0.2 },
                        "{budget:?} {shares:?} {schedule:?} {round_to}: {share}"
                    );
                }
            }
            let refused = cut(Rule::Target { budget, share: 0.001, shares }, Schedule::OneShot, 1).unwrap_err();
            assert!(refused.to_string().contains("cannot be reached") && refused.exit_code() == 2, "{refused}");
        }
        let whole_again = cut(Rule::Target { budget, share: 1.0, shares: Shares::Same }, Schedule::OneShot, 1).unwrap();
        assert_eq!(whole_again, arch, "nothing goes");
    }
    // Where effects decide, layers differ and each keeps a quarter.
    let uneven = cut(Rule::Target { budget: Budget::Macs, share: 0.4, shares: Shares::Effect }, Schedule::OneShot, 1).unwrap();
    let shares: Vec<f64> =
        uneven.groups().unwrap().iter().zip(arch.groups().unwrap()).map(|(a, b)| a.filters as f64 / b.filters as f64).collect();
    assert!(shares.iter().all(|s| *s >= 0.25) && shares.iter().any(|s| *s != shares[0]), "{shares:?}");
}

/// Every criterion through every step: cut, counted, trained again.
#[test]
fn every_criterion_cuts_what_it_should() {
    let compute = Compute::cpu();
    let dir = tempfile::tempdir().unwrap();
    let run = trained(&dir.path().join("r"));
    let (data, net) = (small_images(), run.network(&compute).unwrap());
    for name in CRITERIA.map(|c| c.name) {
        let plan = Plan::ratio(Criterion::named(name, 64, 0).unwrap(), 0.5);
        let cut = shrink(&net, &data, &plan, &run.config.settings, &compute, &mut Unwatched, &mut ()).unwrap();
        assert_eq!(cut.layers.iter().map(|l| l.kept.len()).collect::<Vec<_>>(), [3, 4], "{name}");
        assert_eq!(cut.layers[0].name, "layers.0");
    }
}

#[test]
fn an_interrupted_comparison_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let compute = Compute::cpu();
    let run = trained(&dir.path().join("r"));
    let rivals = ["l1", "random", "l1:reverse"].map(|n| Rival::named(n, 64).unwrap()).to_vec();
    let options = Compare { ratios: vec![0.25, 0.5], seeds: 1, train: Some(300), test: Some(200), ..Compare::new(&run, rivals) };
    let out = dir.path().join("c");
    let stopped = compare(&options, &out, &compute, &mut StopAfter(16.into())).unwrap_err();
    assert!(matches!(stopped, Error::Interrupted(_)), "{stopped}");
    let lines = || std::fs::read_to_string(out.join("compare.jsonl")).unwrap().lines().count();
    let before = lines();
    assert!((1..10).contains(&before), "{before}");
    let rows = compare(&options, &out, &compute, &mut Unwatched).unwrap();
    // Chance has three seeds.
    assert_eq!((rows.len(), lines()), (10, 10));
    let whole = compare(&options, &dir.path().join("whole"), &compute, &mut Unwatched).unwrap();
    for (a, b) in rows.iter().zip(&whole) {
        assert_eq!((&a.by, a.seed, a.cost.accuracy, &a.recovery), (&b.by, b.seed, b.cost.accuracy, &b.recovery));
    }
    let text = std::fs::read_to_string(out.join("report.md")).unwrap();
    assert!(text.contains("below the median of chance") && text.contains("l1:reverse"));
    for picture in ["after-cut-macs.svg", "recovered-parameters.svg", "recovered-macs.svg"] {
        assert!(std::fs::metadata(out.join(picture)).unwrap().len() > 500);
    }
    // Other options do not go into the same folder; more criteria do.
    let other = Compare { recover: 2, ..options.clone() };
    let refused = compare(&other, &out, &compute, &mut Unwatched).unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    assert!(refused.to_string().contains(&format!("options.recover: {}, now 2", options.recover)), "{refused}");
    let more = Compare { rivals: vec![Rival::named("l2", 64).unwrap()], ..options };
    assert_eq!(compare(&more, &out, &compute, &mut Unwatched).unwrap().len(), 12);
    assert!(std::fs::read_to_string(out.join("report.md")).unwrap().contains("l1:reverse"));
}

/// Stopped between its steps, a schedule goes on and ends where it would have ended.
#[test]
fn an_interrupted_schedule_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let compute = Compute::cpu();
    let run = trained(&dir.path().join("r"));
    let data = small_images();
    for schedule in [Schedule::Iterative { steps: 3, curve: Curve::Linear, between: 1 }, Schedule::Soft { epochs: 3 }] {
        let plan = Plan { schedule, ..Plan::ratio(Criterion::L1, 0.5) };
        let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
        prune_run(&run, &plan, &whole, &data, &compute, &mut Unwatched).unwrap();
        let mut stops = 0;
        while let Err(e) = prune_run(&run, &plan, &parts, &data, &compute, &mut StopAfter(12.into())) {
            assert!(matches!(e, Error::Interrupted(_)), "{e}");
            stops += 1;
            assert!(stops < 9 && !parts.exists());
        }
        assert!(stops > 0);
        let weights = |p: &Path| std::fs::read(p.join("weights.safetensors")).unwrap();
        assert!(weights(&whole) == weights(&parts), "{schedule:?}");
        let names =
            |p: &Path| std::fs::read_dir(p).unwrap().map(|e| e.unwrap().file_name()).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(names(&whole), names(&parts));
        [whole, parts].iter().for_each(|p| std::fs::remove_dir_all(p).unwrap());
    }
}

#[test]
fn sensitivity_cuts_one_layer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let compute = Compute::cpu();
    let run = trained(&dir.path().join("r"));
    let out = dir.path().join("s");
    let plan = Plan::ratio(Criterion::L1, 0.5);
    let data = run.data().unwrap();
    let found = sensitivity(&run, &plan, &[0.0, 0.5], &out, &data, &compute, &mut Unwatched).unwrap();
    assert_eq!(found.points.len(), 4);
    assert_eq!(found.points[0].accuracy, found.baseline, "a share of 0 is the whole network");
    assert_eq!(found.points.iter().map(|p| p.kept).collect::<Vec<_>>(), [6, 3, 8, 4]);
    // With compensation no layer loses more, but for some samples.
    let by = Compensation { images: 300, ..Compensation::default() };
    let fitted = dir.path().join("f");
    let fitted = sensitivity(&run, &plan.compensated(by), &[0.5], &fitted, &data, &compute, &mut Unwatched).unwrap();
    let bare = found.points.iter().filter(|p| p.ratio == 0.5).map(|p| p.accuracy);
    assert!(fitted.points.iter().zip(bare).all(|(f, b)| f.accuracy > b - 0.02), "{fitted:?} {found:?}");
    let csv = std::fs::read_to_string(out.join("sensitivity.csv")).unwrap();
    assert_eq!(csv.lines().count(), 5);
    assert!(csv.starts_with("layer,ratio,kept,accuracy\nlayers.0,0,6,"));
    assert!(out.join("sensitivity.svg").is_file());
}

/// What PyTorch 2 wrote, in its two formats and as safetensors, with the logits that it computed.
#[test]
fn weights_from_pytorch_give_its_logits() {
    let arch: Arch = serde_json::from_str(&std::fs::read_to_string(asset("pytorch/tiny/arch.json")).unwrap()).unwrap();
    let text = std::fs::read_to_string(asset("pytorch/tiny/logits.json")).unwrap();
    let (input, want): (Vec<f32>, Vec<f32>) = serde_json::from_str(&text).unwrap();
    let device = Compute::cpu().device;
    for file in ["tiny.pt", "tiny-legacy.th", "tiny.safetensors"] {
        let net = Net::load(&arch, &PathBuf::from(asset(&format!("pytorch/tiny/{file}"))), &device).unwrap();
        let x = Tensor::<2>::from_data(TensorData::new(input.clone(), [2, input.len() / 2]), &device);
        let got: Vec<f32> = net.forward(x).try_into_vec_as().unwrap();
        for (a, b) in got.iter().zip(&want) {
            assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{file}: {got:?} against {want:?}");
        }
    }
}

/// ResNet-20 as its author published it, where the file is at hand: its first logits to 1e-3.
#[test]
fn the_published_resnet_gives_its_logits() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let weights = folder.join("weights/resnet20-12fca82f.th");
    if !weights.is_file() {
        eprintln!("{} is not here", weights.display());
        return;
    }
    let device = Compute::cpu().device;
    let arch = zoo::named("resnet20", [3, 32, 32], 10, Activation::parse("relu").unwrap()).unwrap();
    let net = Net::load(&arch, &weights, &device).unwrap();
    let record = std::fs::read(folder.join("cifar-10/sample_test_200.bin")).unwrap();
    let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let pixel = |i: usize| (f32::from(record[1 + i]) / 255.0 - mean[i / 1024]) / deviation[i / 1024];
    let x = Tensor::<2>::from_data(TensorData::new((0..3072).map(pixel).collect::<Vec<f32>>(), [1, 3072]), &device);
    let got: Vec<f32> = net.forward(x).try_into_vec_as().unwrap();
    let want = [-5.3097, -0.4958, 0.8773, 23.7305, -4.1050, 4.4637, -0.2343, -5.4179, -3.7118, -9.8822];
    for (a, b) in got.iter().zip(want) {
        assert!((a - b).abs() < 1e-3, "{got:?}");
    }
}

/// A pruned network loads in PyTorch and says the same. Needs Python with torch and safetensors,
/// whose path `LACUNA_PYTORCH` gives.
#[test]
fn pytorch_loads_what_was_pruned() {
    let Ok(python) = std::env::var("LACUNA_PYTORCH") else { return };
    let dir = tempfile::tempdir().unwrap();
    let compute = Compute::cpu();
    for name in ["resnet20:0.25", "vgg11-bn:0.1"] {
        let arch = zoo::named(name, [1, 32, 32], 10, Activation::parse("relu").unwrap()).unwrap();
        let net = Net::new(&arch, 1, &compute.device).unwrap();
        let data = images::bundled().unwrap();
        let plan = Plan::ratio(Criterion::L1, 0.4);
        let cut = shrink(&net, &data, &plan, &Settings::new(0, 1, Optimiser::adam(0.1), 0), &compute, &mut Unwatched, &mut ())
            .unwrap()
            .net;
        std::fs::write(dir.path().join("arch.json"), serde_json::to_string(&cut.arch).unwrap()).unwrap();
        cut.save(&dir.path().join("weights.safetensors")).unwrap();
        std::fs::copy(asset("pytorch/load_in_pytorch.py"), dir.path().join("load_in_pytorch.py")).unwrap();
        let says = "import torch, json; from load_in_pytorch import load; x = torch.sin(torch.arange(1024.) * 0.1).reshape(1, 1, 32, 32); \
                    print(json.dumps(load()(x)[0].tolist()))";
        let out = Command::new(&python).args(["-c", says]).current_dir(dir.path()).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let theirs: Vec<f32> = serde_json::from_slice(&out.stdout).unwrap();
        let x: Vec<f32> = (0..1024).map(|i| (i as f32 * 0.1).sin()).collect();
        let x = Tensor::<2>::from_data(TensorData::new(x, [1, 1024]), &compute.device);
        let ours: Vec<f32> = cut.forward(x).try_into_vec_as().unwrap();
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() < 1e-3 * b.abs().max(1.0), "{name}: {ours:?} {theirs:?}");
        }
    }
}

#[test]
fn mistakes_are_said_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained(&dir.path().join("r"));
    let run = run.folder.display().to_string();
    let out = dir.path().join("out").display().to_string();
    let tiny = asset("pytorch/tiny/tiny.pt");
    let torn = dir.path().join("torn.pt");
    let bytes = std::fs::read(&tiny).unwrap();
    std::fs::write(&torn, &bytes[..bytes.len() / 2]).unwrap();
    let torn = torn.display().to_string();
    for (arguments, says) in [
        (&["prune", &run, "--by", "magnitude", "--out", &out][..], "unknown value 'magnitude'"),
        (&["prune", &run, "--by", "l1", "--ratio", "1", "--out", &out], "below 1"),
        (&["prune", &run, "--by", "l1", "--layer-ratio", "layers.0=1.5", "--out", &out], "below 1"),
        (&["prune", &run, "--by", "l1", "--layer-ratio", "conv9=0.5", "--out", &out], "no convolution is called 'conv9'"),
        (&["prune", &run, "--by", "l1", "--layer-ratio", "0.5", "--out", &out], "NAME=SHARE"),
        (&["prune", &run, "--by", "l1", "--ignore", "layers", "--out", &out], "nothing is left to prune"),
        (&["prune", &run, "--by", "l1", "--hops", "5", "--out", &out], "--hops does not apply"),
        (&["prune", &run, "--by", "apoz", "--samples", "7000", "--out", &out], "between 2 and 6000"),
        (&["prune", &run, "--by", "topological", "--global", "0.5", "--out", &out], "give a ratio (see --ratio)"),
        (&["prune", &run, "--by", "l1", "--schedule", "linear", "--above", "3", "--out", &out], "--above"),
        (&["prune", &run, "--target", "flops=0.5", "--out", &out], "macs=0.5 or parameters=0.3"),
        (&["prune", &run, "--target", "macs=0", "--out", &out], "above 0 and at most 1"),
        (&["prune", &run, "--target", "macs=0.0001", "--out", &out], "cannot be reached"),
        (&["prune", &run, "--compensate", "7000", "--out", &out], "between 2 and 6000"),
        (&["prune", &run, "--compensate", "0", "--ridge", "0.1", "--out", &out], "turns off"),
        (&["prune", &run, "--ridge", "-1", "--out", &out], "0 or more"),
        (&["prune", &run, "--by", "l1", "--aim", "logits", "--out", &out], "--aim does not apply"),
        (&["prune", &run, "--by", "barcode", "--aim", "voids", "--out", &out], "unknown value 'voids'"),
        (&["prune", &run, "--by", "barcode", "--joint", "--compensate", "0", "--out", &out], "in the middle of a compensation"),
        (&["prune", &run, "--recover-rate", "-1", "--recover", "1", "--out", &out], "above 0"),
        (&["prune", &run, "--distill", "--out", &out], "give --recover EPOCHS"),
        (&["prune", &run, "--by", "betti", "--quantile", "2", "--ratio", "0.5", "--out", &out], "from 0 to 1"),
        (&["prune", &run, "--by", "betti", "--reading", "inner", "--ratio", "0.5", "--out", &out], "unknown value 'inner'"),
        (&["compare", &run, "--by", "topological:maps", "--out", &out], "topological:refitted"),
        (&["compare", &run, "--by", "l1,l1", "--out", &out], "named twice"),
        (&["compare", &run, "--by", "l1", "--ratios", "0.9..0.1", "--out", &out], "are no numbers"),
        (&["compare", &run, "--by", "l1", "--ratios", "0.5,1", "--out", &out], "below 1"),
        (&["import", &tiny, "--model", "vgg11", "--data", "fashion-mnist", "--out", &out], "vgg11"),
        (&["import", &tiny, "--model", "resnet20", "--data", "fashion-mnist", "--out", &out], "holds 3 convolutions"),
        (&["import", &torn, "--model", "resnet20", "--data", "fashion-mnist", "--out", &out], "torch.save"),
        (&["import", "/nonexistent.pt", "--model", "resnet20", "--data", "fashion-mnist", "--out", &out], "/nonexistent.pt"),
        (&["train", "--model", "vgg17", "--out", &out], "unknown network 'vgg17'"),
        (&["train", "--optimiser", "lion", "--out", &out], "unknown value 'lion'"),
        (&["train", "--decoupled", "--out", &out], "--weight-decay"),
        (&["train", "--data", "disks", "--model", "resnet20", "--out", &out], "needs images"),
        (&["cost", "--model", "vgg17"], "unknown network"),
        (&["cost", "--model", "resnet20", "--head", "512"], "VGG"),
        (&["experiment", "betti-pruning", "--out", &out], "--data-dir"),
        (&["experiment", "betti-pruning", "--ratios", "0.1", "--quick", "--out", &out], "--ratios does not apply"),
    ] {
        let o = lacuna(arguments);
        let err = String::from_utf8_lossy(&o.stderr).to_string();
        let lines: Vec<&str> = err.lines().filter(|l| l.starts_with("lacuna: ")).collect();
        assert_eq!((o.status.code(), lines.len()), (Some(2), 1), "{arguments:?}: {err}");
        assert!(lines[0].contains(says) && !err.contains("panicked"), "{arguments:?}: {err}");
        assert!(!Path::new(&out).join("config.json").exists(), "{arguments:?} left a run behind");
    }
}

#[test]
fn the_program_counts_imports_and_prunes() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let says = |arguments: &[&str]| {
        let o = lacuna(arguments);
        assert!(o.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&o.stderr));
        String::from_utf8(o.stdout).unwrap()
    };
    assert!(says(&["cost", "--model", "vgg16-bn"]).starts_with("vgg16-bn: 14724042 parameters, 313201664 MACs"));
    assert!(says(&["cost", "--model", "vgg16-bn", "--count", "flops"]).contains("626403328 FLOPs"));
    let json: serde_json::Value = serde_json::from_str(&says(&["cost", "--model", "resnet20", "--json"])).unwrap();
    assert_eq!(json["parameters"], 269_722);
    // A network of the zoo from training to a smaller one, with names that PyTorch knows.
    let small = ["--data", "fashion-mnist", "--engine", "cpu", "--quiet"];
    let train = ["train", "--model", "resnet20:0.25", "--epochs", "1", "--batch", "500", "--optimiser", "adadelta", "--augment"];
    says(&[&train[..], &small, &["--weight-decay", "0.0001", "--decoupled", "--out", &path("a")]].concat());
    let cut =
        ["prune", &path("a"), "--by", "fpgm", "--schedule", "soft", "--ratio", "0.5", "--inner", "--engine", "cpu", "--quiet"];
    let told = says(&[&cut[..], &["--out", &path("b")]].concat());
    assert!(told.contains("layer1.0.conv1") && !told.contains("layer1.0.conv2"), "{told}");
    // What was saved is imported again, by arch.json, and is the same.
    let weights = path("b/weights.safetensors");
    let import = ["import", &weights, "--arch", &path("b/arch.json"), "--data", "fashion-mnist", "--engine", "cpu", "--quiet"];
    let told_again = says(&[&import[..], &["--out", &path("c")]].concat());
    let accuracy =
        |text: &str, after: &str| text.split(after).nth(1).and_then(|t| t.split('%').next().map(str::trim).map(String::from));
    let after_cut = told.lines().find(|l| l.starts_with("| after the cut")).unwrap();
    let first = after_cut.split('|').nth(2).unwrap().trim().trim_end_matches('%').trim().to_string();
    assert_eq!(accuracy(&told_again, "parameters, "), Some(first), "{told_again} {told}");
    assert!(Path::new(&path("b/load_in_pytorch.py")).is_file());
    // A pruned run is where another one may begin.
    let further =
        ["train", "--from", &path("b"), "--lr", "0.0001", "--batch", "500", "--engine", "cpu", "--quiet", "--out", &path("d")];
    says(&[&further[..], &["--epochs", "1"]].concat());
    says(&["train", "--resume", "--epochs", "2", "--engine", "cpu", "--quiet", "--out", &path("d")]);
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let of = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let epochs: Vec<_> = read("d/metrics.jsonl").lines().map(of).collect();
    assert_eq!((epochs.len(), read("d/arch.json")), (2, read("b/arch.json")));
    let left_at = of(read("a/metrics.jsonl").lines().last().unwrap())["train_loss"].as_f64().unwrap();
    let drawn = 10f64.ln();
    assert!(epochs[0]["train_loss"].as_f64().unwrap() < 0.5 * (left_at + drawn), "it began anew: {epochs:?}, {left_at}");
    let tiny = [
        "experiment",
        "implicit-sparsity",
        "--quick",
        "--network",
        "basicnet:0.03",
        "--train",
        "100",
        "--limit",
        "1",
        "--engine",
        "cpu",
    ];
    let told = says(&[&tiny[..], &["--quiet", "--out", &path("sparsity")]].concat());
    assert_eq!(told.lines().filter(|l| l.starts_with("| ")).count(), 2 + 7 * 3, "{told}");
}
