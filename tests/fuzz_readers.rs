//! A million damaged files: every reader answers or explains, none panics, none asks for memory
//! that the file does not justify.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use lacuna::data::images::parse_idx;
use lacuna::data::points::{InputFormat, parse_cloud};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::Path;

const INPUTS: usize = 1_000_000;

fn npy(header: &str, numbers: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16 + 1).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.push(b'\n');
    bytes.extend(numbers);
    bytes
}

/// Small files of all kinds, whole.
fn seeds() -> Vec<Vec<u8>> {
    let floats: Vec<u8> = [0.0f32, 1.0, 2.5, -1.0, 1.0, 0.5].iter().flat_map(|x| x.to_le_bytes()).collect();
    vec![
        b"0,0\n1,0\n1,1\n0,1\n".to_vec(),
        b"# a comment\nx y z\n1 2 3\n4 5 6\n".to_vec(),
        b"0;1;2\n1;0;1.5\n2;1.5;0\n".to_vec(),
        b"1\n2,1\n3,2,1\n".to_vec(),
        b"0 1 0.5\n1 2 1e-3\n2 0 inf\n".to_vec(),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", &floats),
        npy("{'descr': '<f8', 'fortran_order': True, 'shape': (1, 3), }", &floats),
        npy("{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", &floats),
        floats.clone(),
        vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2, 3, 4],
        vec![0, 0, 8, 1, 0, 0, 0, 4, 9, 8, 7, 6],
    ]
}

/// Pieces that readers look for.
const PIECES: [&[u8]; 14] = [
    b"nan",
    b"inf",
    b"-",
    b"1e39",
    b"99999999999",
    b"4294967295",
    b",",
    b"\n",
    b"\r\n",
    b"\x00\x00\xff\xff",
    b"(1000000000, 1000000000)",
    b"'shape': (",
    b"\x93NUMPY",
    b"\xff\xff\xff\xff",
];

fn damage(file: &mut Vec<u8>, rng: &mut StdRng) {
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(0..=file.len());
        match rng.random_range(0..6) {
            0 if at < file.len() => file[at] = rng.random(),
            1 if at < file.len() => file[at] ^= 1 << rng.random_range(0..8),
            2 => file.truncate(at),
            3 => {
                let piece = PIECES[rng.random_range(0..PIECES.len())];
                file.splice(at..at, piece.iter().copied());
            }
            4 => {
                let end = (at + rng.random_range(0..9)).min(file.len());
                file.drain(at..end);
            }
            _ => {
                let end = (at + rng.random_range(0..20)).min(file.len());
                let copy = file[at..end].to_vec();
                file.splice(at..at, copy);
            }
        }
    }
}

#[test]
fn damaged_files_are_survived() {
    let mut rng = StdRng::seed_from_u64(3);
    let seeds = seeds();
    let (mut read, mut explained) = (0usize, 0usize);
    for i in 0..INPUTS {
        let mut file = seeds[i % seeds.len()].clone();
        damage(&mut file, &mut rng);
        let outcome = match rng.random_range(0..7) {
            6 => parse_idx(Path::new("file"), file).map(|_| ()),
            which => parse_cloud(Path::new("file"), &file, &InputFormat::ALL[which].1.into()).map(|_| ()),
        };
        match outcome {
            Ok(()) => read += 1,
            Err(e) => {
                explained += 1;
                assert_eq!(e.exit_code(), 2, "{e}");
            }
        }
    }
    // Neither all fine nor all refused: the damage reaches past the first look.
    assert!(read > INPUTS / 50 && explained > INPUTS / 10, "{read} read, {explained} explained");
}
