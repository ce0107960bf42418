//! Ensembles: against single runs through burn, alone and together, on both engines, and when a
//! member diverges.
#![cfg(all(feature = "cli", feature = "nn"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod common;

use burn::tensor::Device;
use lacuna::data::{DataSet, disks};
use lacuna::nn::{Activation, Arch, Compute, Init, Net};
use lacuna::progress::Unwatched;
use lacuna::topology::EngineKind;
use lacuna::train::{Grown, Member, Optimiser, Recipe, Settings, Trainer, train_ensemble};

fn recipe(activation: &str, steps: usize) -> Recipe {
    Recipe {
        arch: Arch::mlp(2, 4, 7, 2, Activation::parse(activation).unwrap()).unwrap(),
        init: Init::Own,
        learn_activation: false,
        steps,
        batch: 0,
        half_life: None,
        targets: vec![2.0],
        check_every: 0,
        keep_at: Vec::new(),
    }
}

fn grow(recipe: &Recipe, members: &[Member], data: &DataSet, compute: &Compute) -> Vec<Grown> {
    let mut found = vec![None; members.len()];
    let mut take = |at: usize, grown| {
        found[at] = Some(grown);
        Ok(())
    };
    train_ensemble(recipe, members, &data.train, &data.test, compute, &mut Unwatched, &mut take).unwrap();
    found.into_iter().map(Option::unwrap).collect()
}

/// The weights of a network, in the order of a member's.
fn numbers(net: &Net) -> Vec<f32> {
    let mut all = Vec::new();
    for l in net.linears() {
        all.extend(l.weight.val().swap_dims(0, 1).try_into_vec_as::<f32>().unwrap());
        all.extend(l.bias.as_ref().unwrap().val().try_into_vec_as::<f32>().unwrap());
    }
    for s in (0..net.layers.len()).filter_map(|at| net.learnt(at)) {
        all.extend(s.try_into_vec_as::<f32>().unwrap());
    }
    all
}

fn near(a: &[f32], b: &[f32], tolerance: f32, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let worst = a.iter().zip(b).map(|(x, y)| (x - y).abs() / x.abs().max(1.0)).fold(0.0, f32::max);
    assert!(worst < tolerance, "{what}: differ by {worst}");
}

/// Samples whose number is no multiple of a piece or strip; whole, and in batches.
#[test]
fn a_member_is_a_single_run_through_burn() {
    let data = disks(777, 3).unwrap();
    let device = Device::flex();
    for (activation, learn, batch) in [
        ("cabs", false, 0),
        ("relu", false, 100),
        ("sine", true, 0),
        ("sinlu:0.7,1.3", true, 300),
        ("gelu", false, 0),
        ("s-exp", false, 0),
    ] {
        let mut recipe = recipe(activation, 12);
        (recipe.learn_activation, recipe.batch) = (learn, batch);
        let member = Member { seed: 5, rate: 0.01 };
        let grown = &grow(&recipe, &[member], &data, &Compute::cpu())[0];
        let mut arch = recipe.arch.clone();
        arch.learn_activation = learn;
        let numbers_squared: f64 = data.train.gather(&(0..777).collect::<Vec<_>>()).iter().map(|x| f64::from(x * x)).sum();
        let net = Net::with_init(&arch, 5, Init::Own, Some(numbers_squared / 1554.0), &device).unwrap();
        let per_epoch = if batch == 0 { 1 } else { 777usize.div_ceil(batch) };
        let settings = Settings::new(12 / per_epoch, batch, Optimiser::adam(0.01), 5);
        let mut trainer = Trainer::new(net, settings, &device);
        let mut accuracy = 0.0;
        while trainer.epochs_done() < settings.epochs {
            accuracy = trainer.epoch(&data.train, &mut Unwatched).unwrap().train_accuracy;
        }
        // Adam divides by the square root of tiny gradients: rounding shows.
        if 12 % per_epoch == 0 {
            near(&numbers(&grown.net(&recipe, &device).unwrap()), &numbers(&trainer.network()), 2e-3, activation);
        }
        if batch == 0 {
            assert!((grown.curve[11].0 - accuracy).abs() < 0.01, "{activation}: {} {accuracy}", grown.curve[11].0);
        }
        assert_eq!(numbers(&grown.net(&recipe, &device).unwrap()), grown.weights);
    }
}

#[test]
fn a_member_is_bit_for_bit_what_it_is_alone() {
    let data = disks(500, 1).unwrap();
    for (activation, batch) in [("cabs", 0), ("tanh", 64)] {
        let mut recipe = recipe(activation, 30);
        (recipe.batch, recipe.check_every, recipe.keep_at) = (batch, 10, vec![0, 20]);
        let members: Vec<Member> = (0..5).map(|seed| Member { seed, rate: 0.005 * (seed + 1) as f64 }).collect();
        let together = grow(&recipe, &members, &data, &Compute::cpu());
        for (member, grown) in members.iter().zip(&together) {
            assert_eq!(&grow(&recipe, &[*member], &data, &Compute::cpu())[0], grown);
            assert_eq!(grown.checks.iter().map(|c| c.0).collect::<Vec<_>>(), [0, 10, 20, 30]);
            assert_eq!(grown.kept.iter().map(|k| k.0).collect::<Vec<_>>(), [0, 20]);
        }
        assert_ne!(together[0].weights, together[1].weights);
    }
}

#[test]
fn a_member_that_diverges_says_so_and_the_others_go_on() {
    let data = disks(500, 1).unwrap();
    let mut compute = vec![Compute::cpu()];
    compute.push(Compute::new(EngineKind::Gpu, &lacuna::gpu::AdapterChoice::Best).unwrap());
    for compute in compute {
        let members = [Member { seed: 1, rate: 1e30 }, Member { seed: 2, rate: 0.01 }];
        let grown = grow(&recipe("fold:1,0", 40), &members, &data, &compute);
        assert!(grown[0].diverged.is_some_and(|step| step < 10), "{:?}", grown[0].diverged);
        assert_eq!((grown[1].diverged, grown[1].steps), (None, 40));
        assert!(grown[1].train_accuracy > 0.5 && grown[1].curve.len() == 41);
    }
}

#[test]
fn the_batched_model_learns_as_the_members_alone() {
    let data = disks(400, 2).unwrap();
    let gpu = Compute::new(EngineKind::Gpu, &lacuna::gpu::AdapterChoice::Best).unwrap();
    let mut recipe = recipe("cabs", 20);
    recipe.targets = vec![0.62, 2.0];
    recipe.keep_at = vec![0, 3];
    let members: Vec<Member> = (0..3).map(|seed| Member { seed, rate: 0.005 + 0.005 * seed as f64 }).collect();
    let (batched, native) = (grow(&recipe, &members, &data, &gpu), grow(&recipe, &members, &data, &Compute::cpu()));
    for (b, n) in batched.iter().zip(&native) {
        assert_eq!(b.kept[0].1, n.kept[0].1, "the weights to begin with are the same");
        near(&b.kept[1].1, &n.kept[1].1, 1e-4, "after three steps");
        near(&b.weights, &n.weights, 1e-2, "after twenty steps");
        assert_eq!((b.curve.len(), b.steps), (n.curve.len(), n.steps));
        assert!(b.curve.iter().zip(&n.curve).all(|(x, y)| (x.0 - y.0).abs() < 0.02));
        assert!((b.test_accuracy - n.test_accuracy).abs() < 0.02);
    }
}

#[test]
fn recipes_that_do_not_fit_are_refused() {
    let data = disks(100, 2).unwrap();
    let refuse = |recipe: &Recipe, rate: f64| {
        let members = [Member { seed: 0, rate }];
        let take = &mut |_, _| Ok(());
        let e = train_ensemble(recipe, &members, &data.train, &data.test, &Compute::cpu(), &mut Unwatched, take).unwrap_err();
        assert_eq!(e.exit_code(), 2, "{e}");
        e.to_string()
    };
    assert!(refuse(&recipe("relu", 5), f64::NAN).contains("learning rate"));
    let mut cnn = recipe("relu", 5);
    cnn.arch = Arch::cnn([1, 8, 8], &[4], 5, 2, Activation::parse("relu").unwrap()).unwrap();
    assert!(refuse(&cnn, 0.1).contains("perceptrons"));
    let mut wide = recipe("relu", 5);
    wide.arch = Arch::mlp(3, 2, 4, 2, Activation::parse("relu").unwrap()).unwrap();
    assert!(refuse(&wide, 0.1).contains("2 numbers"));
}
