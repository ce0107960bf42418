//! Training and pruning through the library: learning, resuming, reloading.
#![cfg(all(feature = "cli", feature = "nn"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod common;

use burn::tensor::{Tensor, TensorData};
use common::StopAfter;
use lacuna::Error;
use lacuna::nn::{Activation, Compute, Net};
use lacuna::progress::Unwatched;
use lacuna::prune::{BettiOptions, Criterion, Keep, Plan, Recover, Rule, cut, mask, prune_run, resume_prune};
use lacuna::train::{Config, ModelKind, Optimiser, OptimiserKind, Private, Run, Settings, load_data, logits};

fn config(model: ModelKind, data: &str, epochs: usize, optimiser: Optimiser) -> Config {
    let settings = Settings::new(epochs, 100, optimiser, 7);
    Config::new(data, model, Activation::parse("relu").unwrap(), settings)
}

fn cnn(epochs: usize) -> Config {
    config(ModelKind::Cnn { filters: vec![6, 8], hidden: 24, norm: true }, "fashion-mnist", epochs, Optimiser::adam(0.003))
}

#[test]
fn a_small_cnn_learns_real_images() {
    let dir = tempfile::tempdir().unwrap();
    let data = load_data("fashion-mnist", None, 0).unwrap();
    let run = Run::create(&dir.path().join("r"), cnn(2), &data).unwrap();
    run.train(None, &data, &Compute::cpu(), &mut Unwatched).unwrap();
    let metrics = run.metrics().unwrap();
    assert_eq!(metrics.len(), 2);
    assert!(metrics[1].test_accuracy.unwrap() > 0.75, "{metrics:?}");
    assert!(metrics[1].train_loss < metrics[0].train_loss);
}

#[test]
fn momentum_descent_learns_the_disks() {
    let dir = tempfile::tempdir().unwrap();
    let data = load_data("disks", None, 7).unwrap();
    let sgd = Optimiser { momentum: 0.9, weight_decay: 1e-4, ..Optimiser::new(OptimiserKind::Sgd, 0.05) };
    let mut c = config(ModelKind::Mlp { depth: 4, width: 24 }, "disks", 12, sgd);
    c.activation = Activation::parse("cabs").unwrap();
    let run = Run::create(&dir.path().join("r"), c, &data).unwrap();
    run.train(None, &data, &Compute::cpu(), &mut Unwatched).unwrap();
    let last = run.metrics().unwrap().pop().unwrap();
    assert!(last.test_accuracy.unwrap() > 0.97, "{last:?}");
}

/// Stopped in the middle of an epoch and resumed, a run ends where it would have ended; a private
/// one too, if its noise has a seed.
#[test]
fn a_resumed_run_is_the_uninterrupted_one() {
    let dir = tempfile::tempdir().unwrap();
    let compute = Compute::cpu();
    let data = load_data("disks", None, 7).unwrap();
    for private in [None, Some(Private { clip: 0.5, noise: 0.7, delta: 1e-5, seed: Some(3), limit: None })] {
        let name = if private.is_some() { "private" } else { "usual" };
        let c = || {
            let mut c = config(ModelKind::Mlp { depth: 3, width: 16 }, "disks", 3, Optimiser::adam(0.01));
            c.settings.private = private;
            c
        };
        let whole = Run::create(&dir.path().join(name).join("whole"), c(), &data).unwrap();
        whole.train(None, &data, &compute, &mut Unwatched).unwrap();
        let parts = Run::create(&dir.path().join(name).join("parts"), c(), &data).unwrap();
        let mut stops = 0;
        while let Err(e) = parts.train(None, &data, &compute, &mut StopAfter(23.into())) {
            assert!(matches!(e, Error::Interrupted(_)), "{e}");
            assert_eq!(e.exit_code(), 130);
            stops += 1;
            assert!(stops < 20);
        }
        assert!(stops >= 3, "{stops}");
        let (a, b) = (whole.metrics().unwrap(), parts.metrics().unwrap());
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(&b) {
            assert!((a.train_loss - b.train_loss).abs() < 1e-6 * a.train_loss, "{a:?} {b:?}");
            assert_eq!((a.steps, a.test_accuracy, a.epsilon), (b.steps, b.test_accuracy, b.epsilon));
        }
        let weights = |r: &Run| std::fs::read(r.folder.join("weights.safetensors")).unwrap();
        assert!(weights(&whole) == weights(&parts), "the weights differ");
        assert_eq!(a[0].epsilon.is_some(), private.is_some());
    }
}

/// With noise that the operating system draws, a network still learns, spends what was said, and
/// never learns the same way twice.
#[test]
fn private_runs_learn_and_say_what_they_spend() {
    let dir = tempfile::tempdir().unwrap();
    let data = load_data("fashion-mnist", None, 0).unwrap();
    let learn = |name: &str| {
        let mut c = config(ModelKind::Mlp { depth: 2, width: 24 }, "fashion-mnist", 4, Optimiser::adam(0.003));
        c.settings.private = Some(Private { clip: 1.0, noise: 0.8, delta: 1e-5, seed: None, limit: None });
        let run = Run::create(&dir.path().join(name), c, &data).unwrap();
        run.train(None, &data, &Compute::cpu(), &mut Unwatched).unwrap();
        run.metrics().unwrap()
    };
    let (a, b) = (learn("a"), learn("b"));
    assert!(a[3].test_accuracy.unwrap() > 0.6, "{a:?}");
    let spent: Vec<f64> = a.iter().map(|m| m.epsilon.unwrap()).collect();
    assert!(spent.windows(2).all(|w| w[0] < w[1]) && spent[3] > 1.0 && spent[3] < 10.0, "{spent:?}");
    assert!(a[0].clipped.unwrap() > 0.5 && a[3].train_loss != b[3].train_loss);
}

#[test]
fn a_pruned_run_loads_again_with_the_same_logits() {
    let dir = tempfile::tempdir().unwrap();
    let compute = Compute::cpu();
    let data = load_data("fashion-mnist", None, 0).unwrap();
    let run = Run::create(&dir.path().join("r"), cnn(1), &data).unwrap();
    run.train(None, &data, &compute, &mut Unwatched).unwrap();
    for (name, criterion, rule) in [
        ("betti", Criterion::Betti(BettiOptions { samples: 80, ..BettiOptions::default() }), Rule::Above(45.0)),
        ("l1", Criterion::L1, Rule::Ratio(0.5)),
        ("random", Criterion::Random { seed: 1 }, Rule::Ratio(0.25)),
    ] {
        let out = dir.path().join(name);
        let plan = Plan { rule, ..Plan::ratio(criterion, 0.0) };
        let (outcome, net) = prune_run(&run, &plan, &out, &data, &compute, &mut Unwatched).unwrap();
        assert!(outcome.after_cut.macs < outcome.before.macs, "{name} removed something");
        let again = Run::open(&out).unwrap().network(&compute).unwrap();
        let answer = |net: &Net| logits(net, &data.test, &compute.device, &mut Unwatched).unwrap();
        assert!(answer(&net) == answer(&again), "{name}");
        // The masked twin of the trained network answers the same to 1e-5.
        let trained = run.network(&compute).unwrap();
        let keep: Keep = outcome.layers.iter().map(|l| (l.scores.layer, l.kept.clone())).collect();
        let x = Tensor::<2>::from_data(TensorData::new(data.test.gather(&[0, 1, 2, 3]), [4, 784]), &compute.device);
        let of = |net: Net| -> Vec<f32> { net.forward(x.clone()).try_into_vec_as().unwrap() };
        let (masked, cut) =
            (of(mask(&trained, &keep, &compute.device).unwrap()), of(cut(&trained, &keep, &compute.device).unwrap()));
        for (p, q) in masked.iter().zip(&cut) {
            assert!((p - q).abs() <= 1e-5 * p.abs().max(1.0), "{p} against {q}");
        }
    }
}

#[test]
fn an_interrupted_recovery_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let compute = Compute::cpu();
    let data = load_data("fashion-mnist", None, 0).unwrap();
    let run = Run::create(&dir.path().join("r"), cnn(1), &data).unwrap();
    run.train(None, &data, &compute, &mut Unwatched).unwrap();
    let plan = Plan { recover: Recover::Epochs(1), ..Plan::ratio(Criterion::L1, 0.5) };
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let (want, _) = prune_run(&run, &plan, &whole, &data, &compute, &mut Unwatched).unwrap();
    // Long enough for scoring, testing and a part of the recovery.
    let stopped = prune_run(&run, &plan, &parts, &data, &compute, &mut StopAfter(25.into())).unwrap_err();
    assert!(matches!(stopped, Error::Interrupted(_)), "{stopped}");
    assert!(parts.join("checkpoint/state.json").is_file());
    let stranger = Run::create(&dir.path().join("other"), cnn(1), &data).unwrap();
    assert_eq!(resume_prune(&stranger, &parts, &compute, &mut Unwatched).unwrap_err().exit_code(), 2);
    let (got, _) = resume_prune(&run, &parts, &compute, &mut Unwatched).unwrap();
    assert_eq!(got.recovered.unwrap().accuracy, want.recovered.unwrap().accuracy);
    let weights = |p: &std::path::Path| std::fs::read(p.join("weights.safetensors")).unwrap();
    assert!(weights(&whole) == weights(&parts), "the weights differ");
}

#[test]
fn a_cut_that_is_stopped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let compute = Compute::cpu();
    let data = load_data("fashion-mnist", None, 0).unwrap();
    let run = Run::create(&dir.path().join("r"), cnn(1), &data).unwrap();
    run.train(None, &data, &compute, &mut Unwatched).unwrap();
    let plan = Plan {
        rule: Rule::Above(300.0),
        recover: Recover::Epochs(1),
        ..Plan::ratio(Criterion::Betti(BettiOptions::default()), 0.0)
    };
    let out = dir.path().join("pruned");
    for patience in [0, 2, 3] {
        let stopped = prune_run(&run, &plan, &out, &data, &compute, &mut StopAfter(patience.into())).unwrap_err();
        assert!(matches!(stopped, Error::Interrupted(_)), "{stopped}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "the run alone is left");
    }
    // A run whose checkpoint is gone is not silently begun anew.
    std::fs::remove_dir_all(run.folder.join("checkpoint")).unwrap();
    let e = run.train(None, &data, &compute, &mut Unwatched).unwrap_err();
    assert!(e.to_string().contains("checkpoint is gone"), "{e}");
}
