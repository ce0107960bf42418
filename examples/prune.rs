//! Trains a small network on the bundled images, removes half of its filters, and fits what is left: `cargo run --release --example prune`.
#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use lacuna::data::images::bundled;
use lacuna::nn::{Activation, Arch, Compute, Net};
use lacuna::progress::Unwatched;
use lacuna::prune::{Compensation, Criterion, Plan, cut_and_compensate, score};
use lacuna::train::{Optimiser, Settings, Trainer, accuracy};

fn main() -> lacuna::Result<()> {
    let (compute, data) = (Compute::cpu(), bundled()?);
    let arch = Arch::cnn([1, 28, 28], &[8, 16], 32, 10, Activation::parse("relu")?)?;
    let settings = Settings::new(2, 64, Optimiser::adam(0.002), 0);
    let mut trainer = Trainer::new(Net::new(&arch, 0, &compute.device)?, settings, &compute.device);
    for _ in 0..2 {
        trainer.epoch(&data.train, &mut Unwatched)?;
    }
    let whole = trainer.network();

    // The filters that move the answers least go, half of every layer.
    let plan = Plan::ratio(Criterion::named("effect", 512, 0)?, 0.5);
    let rows = score(&whole, &data, &plan, &compute, &mut Unwatched)?;
    let keep = rows.into_iter().map(|row| (row.scores.layer, row.kept)).collect();
    for (name, fit) in [("cut alone", None), ("cut and fitted", Some(Compensation::default()))] {
        let cut = cut_and_compensate(&whole, &keep, &data.train, &compute, fit.as_ref(), &mut Unwatched)?;
        let right = accuracy(&cut, &data.test, &compute.device, &mut Unwatched)?;
        println!("{name}: {} weights of {}, {:.1} % right", cut.parameters(), whole.parameters(), 100.0 * right);
    }
    let before = accuracy(&whole, &data.test, &compute.device, &mut Unwatched)?;
    println!("before: {:.1} % right", 100.0 * before);
    Ok(())
}
