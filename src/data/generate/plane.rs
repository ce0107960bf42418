//! Sets in the plane.

use super::{Draw, Labelled};
use crate::error::{Error, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::HashMap;
use std::f64::consts::{FRAC_PI_4, PI, TAU};

/// Radius of a disk.
const RADIUS: f64 = 1.3;
/// Points of D-I: 676 in each disk, as in the published file, and the grid outside.
pub(super) const D1_POINTS: usize = 9 * D1_INSIDE + 9_815;
const D1_INSIDE: usize = 676;
/// Step of D-I's grid outside.
const D1_STEP: f64 = 0.1775;

pub(super) fn disks_extent(copies: usize) -> f64 {
    10.0 * (copies as f64 / 9.0).sqrt()
}

/// Disks in a square.
pub(super) fn disks(draw: &Draw, rng: &mut StdRng) -> Result<Vec<Labelled>> {
    let extent = disks_extent(draw.copies);
    let centres = disk_centres(draw, extent)?;
    let nearest = |x: f64, y: f64| centres.iter().map(|c| (x - c.0).hypot(y - c.1)).fold(f64::INFINITY, f64::min);
    let outer = RADIUS + draw.margin;
    let mut points = Vec::new();
    if draw.copies == 9 && draw.points <= D1_POINTS {
        // D-I: evenly spread inside (a sunflower's seeds), a grid outside.
        for c in &centres {
            for i in 0..D1_INSIDE {
                let (r, t) = (RADIUS * ((i as f64 + 0.5) / D1_INSIDE as f64).sqrt(), i as f64 * PI * (3.0 - 5f64.sqrt()));
                points.push(([c.0 + r * t.cos(), c.1 + r * t.sin(), 0.0], 0));
            }
        }
        let steps = (2.0 * extent / D1_STEP) as i32;
        for (i, j) in (0..=steps).flat_map(|i| (0..=steps).map(move |j| (i, j))) {
            let (x, y) = (-extent + D1_STEP * f64::from(i), -extent + D1_STEP * f64::from(j));
            if nearest(x, y) > outer {
                points.push(([x, y, 0.0], 1));
            }
        }
        return Ok(points);
    }
    // The same share of points inside, 38 %, by chance.
    let inside = draw.points * 38 / 100;
    for i in 0..inside {
        let c = centres[i % centres.len()];
        let (r, t) = (RADIUS * rng.random::<f64>().sqrt(), TAU * rng.random::<f64>());
        points.push(([c.0 + r * t.cos(), c.1 + r * t.sin(), 0.0], 0));
    }
    while points.len() < draw.points {
        let (x, y) = (rng.random_range(-extent..extent), rng.random_range(-extent..extent));
        if nearest(x, y) > outer {
            points.push(([x, y, 0.0], 1));
        }
    }
    Ok(points)
}

/// Nine as in D-I; others by chance, at least 0.9 apart beyond their margins, from each other and
/// from the border.
fn disk_centres(draw: &Draw, extent: f64) -> Result<Vec<(f64, f64)>> {
    if draw.copies == 9 {
        let around = (0..8).map(|i| f64::from(i) * FRAC_PI_4).map(|t| (7.0 * t.cos(), 7.0 * t.sin()));
        return Ok(std::iter::once((0.0, 0.0)).chain(around).collect());
    }
    let mut rng = StdRng::seed_from_u64(draw.layout ^ 0xD15C);
    let room = extent - RADIUS - draw.margin - 0.9;
    // The distance shrinks a little where there is no more room, but margins never touch.
    let mut apart = 2.0 * (RADIUS + draw.margin) + 0.9;
    while apart > 2.0 * (RADIUS + draw.margin) + 0.1 {
        // Cells as wide as that distance: what is nearer lies in the same or a neighbouring cell.
        let cell = |x: f64| (x / apart).floor() as i64;
        let mut cells: HashMap<(i64, i64), Vec<(f64, f64)>> = HashMap::new();
        let mut centres: Vec<(f64, f64)> = Vec::with_capacity(draw.copies);
        let mut tries = 0;
        while centres.len() < draw.copies && tries < 300 * draw.copies {
            tries += 1;
            let (x, y) = (rng.random_range(-room..=room), rng.random_range(-room..=room));
            let around = (-1..=1).flat_map(|i| (-1..=1).map(move |j| (i, j)));
            let mut near = around.filter_map(|(i, j)| cells.get(&(cell(x) + i, cell(y) + j))).flatten();
            if near.all(|c| (x - c.0).hypot(y - c.1) >= apart) {
                centres.push((x, y));
                cells.entry((cell(x), cell(y))).or_default().push((x, y));
            }
        }
        if centres.len() == draw.copies {
            return Ok(centres);
        }
        apart -= 0.05;
    }
    Err(Error::input(format!("no room for {} disks with a margin of {}: use a smaller margin", draw.copies, draw.margin)))
}

/// Rings a unit and a half apart, as wide as the margin between them lets them be.
pub(super) fn concentric(draw: &Draw, rng: &mut StdRng) -> Result<Vec<Labelled>> {
    let rings: Vec<(f64, f64)> = (0..draw.copies).map(|i| (1.5 * i as f64 + 1.0, 1.5 - draw.margin)).collect();
    let area: f64 = rings.iter().map(|(r, _)| r + 0.5).sum();
    let mut points = Vec::new();
    for (i, &(inner, width)) in rings.iter().enumerate() {
        let share = (draw.points as f64 * (inner + 0.5) / area).ceil() as usize;
        for _ in 0..share {
            let r = (inner * inner + rng.random::<f64>() * ((inner + width).powi(2) - inner * inner)).sqrt();
            let t = TAU * rng.random::<f64>();
            points.push(([r * t.cos(), r * t.sin(), 0.0], (i % 2) as u8));
        }
    }
    Ok(points)
}
