//! The barcode of a weighted graph: `cargo run --release --example graph`.
#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use lacuna::topology::{Engine, Options, SparseGraph};

fn main() -> lacuna::Result<()> {
    // A ring of eight vertices whose edges enter at 1, 2, ... 8, and a chord that enters at 10. What is not listed never enters.
    let mut edges: Vec<(u32, u32, f32)> = (0..8).map(|i| (i, (i + 1) % 8, i as f32 + 1.0)).collect();
    edges.push((0, 4, 10.0));
    let barcode = Engine::cpu().barcode(SparseGraph::new(8, edges)?, &Options::default())?;
    for bar in &barcode.bars[1] {
        println!("a loop is born at {} and dies at {}", bar.birth, bar.death);
    }
    Ok(())
}
