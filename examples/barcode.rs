//! The barcode of one cloud: `cargo run --release --example barcode`.
#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use lacuna::topology::{Engine, Options, PointCloud};

fn main() -> lacuna::Result<()> {
    // Forty points of a circle of radius 1, and twenty of a smaller one beside it.
    let circle = |n: usize, radius: f32, x: f32| {
        (0..n).flat_map(move |i| {
            let turn = std::f32::consts::TAU * i as f32 / n as f32;
            [x + radius * turn.cos(), radius * turn.sin()]
        })
    };
    let data: Vec<f32> = circle(40, 1.0, 0.0).chain(circle(20, 0.4, 3.0)).collect();
    let cloud = PointCloud::new(60, 2, data)?;

    let engine = Engine::auto()?;
    let barcode = engine.barcode(cloud, &Options::default())?;
    for (dim, bars) in barcode.bars.iter().enumerate() {
        let long = bars.iter().filter(|bar| bar.length() > 0.3);
        for bar in long {
            println!("dimension {dim}: from {:.3} to {:.3}", bar.birth, bar.death);
        }
    }
    println!("at scale 0.25 the Betti numbers are {:?}", barcode.betti_numbers(0.25));
    Ok(())
}
