//! What a package that depends on this crate sees: the native engine alone is small, and the first
//! example works.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use lacuna::topology::{Cloud, CloudView, DistanceMatrix, Engine, Input, Options, PointCloud, SparseGraph};
use std::collections::BTreeSet;
use std::process::Command;

/// Crates that a set of features brings along, this one included, as `cargo tree` names them for
/// this platform.
fn crates(features: &str) -> BTreeSet<String> {
    let tree = ["tree", "--offline", "--no-default-features", "--features", features, "-e", "normal", "--prefix", "none"];
    let out = Command::new(env!("CARGO")).args(tree).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let name = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    String::from_utf8(out.stdout).unwrap().lines().map(name).filter(|n| !n.is_empty()).collect()
}

/// An engine for other people's packages carries no command line, no pictures and no networks.
#[test]
fn the_engine_brings_few_crates() {
    for (features, most) in [("", 35), ("gpu", 85)] {
        let found = crates(features);
        assert!(found.len() <= most, "{} crates with '{features}': {found:?}", found.len());
        for ballast in ["clap", "plotters", "image", "indicatif", "serde", "ciborium", "burn", "tempfile", "rand"] {
            assert!(!found.iter().any(|c| c.split(' ').next() == Some(ballast)), "{ballast} with '{features}'");
        }
    }
}

/// Points, distances, a graph and many clouds in one array: four ways to say one square.
#[test]
fn one_square_in_every_kind_of_input() {
    let (side, diagonal) = (1.0f32, 2f32.sqrt());
    let points = vec![0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0];
    let lower = vec![side, diagonal, side, side, diagonal, side];
    let edges = vec![(0, 1, side), (1, 2, side), (2, 3, side), (0, 3, side), (0, 2, diagonal), (1, 3, diagonal)];
    let engine = Engine::cpu();
    let inputs: [Cloud; 3] = [
        PointCloud::new(4, 2, points.clone()).unwrap().into(),
        DistanceMatrix::from_lower(4, lower).unwrap().into(),
        SparseGraph::new(4, edges).unwrap().into(),
    ];
    for input in inputs {
        let barcode = engine.barcode(&input, &Options::default()).unwrap();
        assert_eq!(barcode.bars[1].len(), 1);
        assert_eq!((barcode.bars[1][0].birth, barcode.bars[1][0].death), (side, diagonal));
    }
    let view = |offset| CloudView { len: 4, features: 2, offset, stride: 2 };
    let twice = [points.clone(), points].concat();
    let both = engine.barcodes(Input::views(&twice, vec![view(0), view(8)]), &Options::default()).unwrap();
    assert_eq!(both[0], both[1]);
    assert_eq!(both[0].betti_numbers(1.2), [1, 1]);
}

/// Sizes that do not go together are refused, the largest ones too.
#[test]
fn sizes_are_checked() {
    for len in [0, 3, usize::MAX] {
        assert!(DistanceMatrix::from_lower(len, vec![1.0]).is_err(), "{len}");
    }
    assert!(PointCloud::new(usize::MAX, 2, vec![1.0]).is_err());
}
