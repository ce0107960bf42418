//! Many clouds in one array of numbers, computed in one call: `cargo run --release --example batch`.
#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use lacuna::topology::{Bar, CloudView, Engine, Input, Options};

fn main() -> lacuna::Result<()> {
    // 64 ellipses of 50 points each, from round to flat. Their numbers lie one after the other.
    let (clouds, points) = (64, 50);
    let mut numbers = Vec::new();
    for cloud in 0..clouds {
        let height = 1.0 - cloud as f32 / clouds as f32;
        for i in 0..points {
            let turn = std::f32::consts::TAU * i as f32 / points as f32;
            numbers.extend([turn.cos(), height * turn.sin()]);
        }
    }
    // A view says where a cloud begins, and how far its points are apart.
    let views: Vec<CloudView> =
        (0..clouds).map(|c| CloudView { len: points, features: 2, offset: 2 * points * c, stride: 2 }).collect();

    let barcodes = Engine::auto()?.barcodes(Input::views(&numbers, views), &Options::default())?;
    for (cloud, barcode) in barcodes.iter().enumerate().step_by(8) {
        let longest = barcode.bars[1].iter().map(Bar::length).fold(0.0, f32::max);
        println!("ellipse {cloud}: the longest loop lives for {longest:.3}");
    }
    Ok(())
}
