//! Points in the plane whose classes have known Betti numbers.

use super::samples::{DataSet, Samples};
use crate::error::Result;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// Naitzat, Zhitnikov and Lim's D-I (JMLR 21, 2020, `circles_type_8` of their code): nine disks, eight of them around the
/// ninth, cut out of a square.
///
/// Class 0 is inside the disks: Betti numbers (9, 0). Class 1 is outside: (1, 9). Points lie on a grid of step 0.19 in
/// `[-10, 10]^2`; disks have radius 1.3 and a margin of 0.5 around them holds no points. Coordinates are scaled to about
/// `[-1.1, 1.1]`. `train` points drawn by `seed` are to learn from, the rest is to judge by.
///
/// # Errors
/// [`crate::Error::Input`] when there are not enough points.
pub fn disks(train: usize, seed: u64) -> Result<DataSet> {
    const RADIUS: f64 = 1.3;
    const MARGIN: f64 = 0.5;
    const STEP: f64 = 0.19;
    const SCALE: f64 = 0.11;
    let mut centres = vec![(0.0, 0.0)];
    centres.extend((0..8).map(|i| f64::from(i) * std::f64::consts::FRAC_PI_4).map(|t| (7.0 * t.cos(), 7.0 * t.sin())));
    let mut points: Vec<([f32; 2], u8)> = Vec::new();
    let steps = (20.0 / STEP) as i32;
    for (i, j) in (0..=steps).flat_map(|i| (0..=steps).map(move |j| (i, j))) {
        let (x, y) = (-10.0 + STEP * f64::from(i), -10.0 + STEP * f64::from(j));
        let nearest = centres.iter().map(|(a, b)| (x - a).hypot(y - b)).fold(f64::INFINITY, f64::min);
        if !(RADIUS..=RADIUS + MARGIN).contains(&nearest) {
            points.push(([(x * SCALE) as f32, (y * SCALE) as f32], u8::from(nearest > RADIUS)));
        }
    }
    points.shuffle(&mut StdRng::seed_from_u64(seed));
    let part = |points: &[([f32; 2], u8)]| {
        Samples::vectors(2, points.iter().flat_map(|p| p.0).collect(), points.iter().map(|p| p.1).collect())
    };
    let (learn, judge) = points.split_at(train.min(points.len()));
    let classes = vec!["inside".into(), "outside".into()];
    DataSet { name: "disks".into(), classes, train: part(learn)?, test: part(judge)? }.checked()
}
