//! What is computed.

use crate::data::points::{InputFormat, parse_cloud};
use crate::error::{Error, Result};
use crate::topology::Cloud;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How a case's array is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `(points, coordinates)`.
    Points,
    /// `(points, points)`.
    Distances,
    /// `(clouds, points, coordinates)`.
    Batch,
}

/// One input with what is wanted of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name of the input.
    pub name: String,
    /// What the array holds.
    pub kind: Kind,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub data: Vec<f32>,
    /// Highest dimension of homology.
    pub max_dim: usize,
    /// Longest edge that enters.
    pub threshold: Option<f32>,
}

/// Name, contents of the file, highest dimensions, threshold.
type Bundled = (&'static str, &'static [u8], &'static [usize], Option<f32>);

/// The clouds of `assets/clouds` (their sources are in its README), with the highest dimensions and
/// thresholds they are run at.
const CLOUDS: [Bundled; 14] = [
    ("uni3_500", include_bytes!("../../assets/clouds/uni3_500.npy"), &[1, 2], None),
    ("uni3_1000", include_bytes!("../../assets/clouds/uni3_1000.npy"), &[1, 2], None),
    ("uni3_2000", include_bytes!("../../assets/clouds/uni3_2000.npy"), &[1], None),
    ("cliff_1000", include_bytes!("../../assets/clouds/cliff_1000.npy"), &[1, 2], None),
    ("dragon1000", include_bytes!("../../assets/clouds/dragon1000.npy"), &[1, 2], None),
    ("dragon2000", include_bytes!("../../assets/clouds/dragon2000.npy"), &[1], None),
    ("s2_500", include_bytes!("../../assets/clouds/s2_500.npy"), &[1, 2], None),
    ("g16_500", include_bytes!("../../assets/clouds/g16_500.npy"), &[1, 2], None),
    ("g16_1000", include_bytes!("../../assets/clouds/g16_1000.npy"), &[1, 2], None),
    ("act_512", include_bytes!("../../assets/clouds/act_512.npy"), &[1, 2], None),
    ("layer_512", include_bytes!("../../assets/clouds/layer_512.npy"), &[1, 2], None),
    ("sphere_3_192", include_bytes!("../../assets/clouds/sphere_3_192.npy"), &[2], None),
    ("random16_50", include_bytes!("../../assets/clouds/random16_50.npy"), &[2], None),
    ("o3_1024", include_bytes!("../../assets/clouds/o3_1024.npy"), &[3], Some(1.8)),
];

/// Which clouds are distance matrices.
const MATRICES: [&str; 2] = ["sphere_3_192", "fractal_r"];
/// Clouds that are too large for `assets`, by the dimensions they are run at.
const ELSEWHERE: [(&str, &[usize]); 2] = [("act_1024", &[1, 2]), ("fractal_r", &[2])];

/// All cases: the bundled clouds; those of `more`, a folder with further `.npy` files of the
/// benchmark set; both batches.
///
/// # Errors
/// As for reading a file.
pub fn all_cases(more: Option<&Path>, seed: u64) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, bytes, dims, threshold) in CLOUDS {
        let (kind, shape, data) = numbers(Path::new(name), bytes)?;
        let case =
            |&max_dim: &usize| Case { name: name.into(), kind, shape: shape.clone(), data: data.clone(), max_dim, threshold };
        cases.extend(dims.iter().map(case));
    }
    for (name, dims) in more.map_or(&[][..], |_| &ELSEWHERE) {
        let path = more.unwrap_or(Path::new("")).join(format!("{name}.npy"));
        let bytes = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
        let (kind, shape, data) = numbers(&path, &bytes)?;
        let case = |&max_dim: &usize| Case {
            name: (*name).into(),
            kind,
            shape: shape.clone(),
            data: data.clone(),
            max_dim,
            threshold: None,
        };
        cases.extend(dims.iter().map(case));
    }
    cases.push(batch(512, 128, 8, seed));
    cases.push(batch(512, 256, 16, seed));
    Ok(cases)
}

/// Uniform clouds of growing size, and batches of growing number.
pub fn scaling_cases(seed: u64, largest: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for n in [250, 500, 1000, 2000, 4000, 7000, 10_000].into_iter().filter(|&n| n <= largest) {
        let mut rng = StdRng::seed_from_u64(seed ^ n as u64);
        let data = (0..3 * n).map(|_| rng.random()).collect();
        cases.push(Case {
            name: format!("uniform_{n}"),
            kind: Kind::Points,
            shape: vec![n, 3],
            data,
            max_dim: 1,
            threshold: None,
        });
    }
    cases.extend([1, 4, 16, 64, 256, 1024, 4096].map(|clouds| batch(clouds, 128, 8, seed)));
    cases
}

/// Standard Gaussian noise.
fn batch(clouds: usize, points: usize, features: usize, seed: u64) -> Case {
    let mut rng = StdRng::seed_from_u64(seed);
    // Box and Muller's transform of two uniform numbers.
    let mut normal = || {
        let (u, v): (f32, f32) = (1.0 - rng.random::<f32>(), rng.random());
        (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
    };
    let data = (0..clouds * points * features).map(|_| normal()).collect();
    let shape = vec![clouds, points, features];
    let name = format!("{clouds} x {points} in R^{features}");
    Case { name, kind: Kind::Batch, shape, data, max_dim: 1, threshold: None }
}

fn numbers(path: &Path, bytes: &[u8]) -> Result<(Kind, Vec<usize>, Vec<f32>)> {
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    let npy = path.with_extension("npy");
    // Read as points in both cases: rows of numbers.
    match parse_cloud(&npy, bytes, &InputFormat::PointCloud.into())?.cloud {
        Cloud::Points(p) => {
            let kind = if MATRICES.contains(&stem) { Kind::Distances } else { Kind::Points };
            Ok((kind, vec![p.len(), p.features()], p.data().to_vec()))
        }
        _ => Err(Error::Internal(format!("{} is not an array", path.display()))),
    }
}
