//! Sets in space.

use super::{Draw, Labelled};
use crate::error::Result;
use rand::RngExt;
use rand::rngs::StdRng;
use std::f64::consts::{PI, TAU};

/// Distance of neighbouring layers of centres: twice Naitzat's for the rings, whose own nearly
/// touch.
const RING_STEP: f64 = 5.0;
const SPHERE_STEP: f64 = 3.0;

/// Centres of a body-centred cubic lattice, nearest to the origin first: the first nine are the
/// origin and the corners of a cube.
fn centres(copies: usize, step: f64) -> Vec<[f64; 3]> {
    let reach = reach(copies);
    let mut all: Vec<[i64; 3]> = Vec::new();
    for x in -reach..=reach {
        for y in -reach..=reach {
            for z in -reach..=reach {
                if (x - y) % 2 == 0 && (y - z) % 2 == 0 {
                    all.push([x, y, z]);
                }
            }
        }
    }
    all.sort_by_key(|c| (c.iter().map(|x| x * x).sum::<i64>(), *c));
    all.truncate(copies);
    all.into_iter().map(|c| c.map(|x| x as f64 * step)).collect()
}

/// Layers on either side of the origin that hold so many centres.
fn reach(copies: usize) -> i64 {
    // A cube of 2 r + 1 layers holds (r + 1)^3 + r^3 centres or so; the ball within it about half
    // of them.
    (1i64..).find(|&r| 2 * copies as i64 <= (r + 1).pow(3) + r.pow(3) + 9).unwrap_or(1)
}

fn extent(copies: usize, step: f64, own: f64) -> f64 {
    centres(copies, step).iter().flatten().fold(0.0f64, |m, x| m.max(x.abs())) + own
}

pub(super) fn rings_extent(copies: usize) -> f64 {
    extent(copies, RING_STEP, 5.2)
}

pub(super) fn spheres_extent(copies: usize) -> f64 {
    extent(copies, SPHERE_STEP, 2.05)
}

/// Pairs of linked rings: circles of radius 2.5 and 2.2 with half a unit of box noise to either
/// side, one in the xy-plane and shifted by 2.2, one in the xz-plane. The classes change places
/// from pair to pair. The margin makes the rings thinner.
pub(super) fn rings(draw: &Draw, rng: &mut StdRng) -> Result<Vec<Labelled>> {
    let each = draw.points.div_ceil(2 * draw.copies);
    let thick = 0.5 * (1.0 - draw.margin);
    let mut points = Vec::new();
    for (pair, c) in centres(draw.copies, RING_STEP).into_iter().enumerate() {
        for second in 0..2 {
            for _ in 0..each {
                let (t, r) = (TAU * rng.random::<f64>(), if rng.random() { 2.5 } else { 2.2 });
                let circle = [r * t.cos(), r * t.sin()];
                let on = if second == 0 { [circle[0] + 2.2, circle[1], 0.0] } else { [circle[0], 0.0, circle[1]] };
                let mut noise = || thick * (2.0 * rng.random::<f64>() - 1.0);
                let p = [on[0] + c[0] + noise(), on[1] + c[1] + noise(), on[2] + c[2] + noise()];
                points.push((p, ((pair + second) % 2) as u8));
            }
        }
    }
    Ok(points)
}

/// Three spheres around each centre: of radius 1 the one class, of 2 and 0.5 the other, each in two
/// layers 5 % of the unit apart, or less with a margin. Points are spread evenly (Fibonacci's
/// spiral, turned by chance). Ten in 21 points are of the first class, one in 21 of the innermost
/// sphere, as in D-III.
pub(super) fn spheres(draw: &Draw, rng: &mut StdRng) -> Result<Vec<Labelled>> {
    let each = draw.points.div_ceil(draw.copies);
    let thick = 0.05 * (1.0 - draw.margin);
    let middle = (each * 10).div_ceil(21);
    let inner = each.div_ceil(21);
    let mut points = Vec::new();
    for c in centres(draw.copies, SPHERE_STEP) {
        for (radius, class, count) in [(1.0, 0, middle), (2.0, 1, middle), (0.5, 1, inner)] {
            let turn = TAU * rng.random::<f64>();
            for i in 0..count {
                let z = 1.0 - (2 * i + 1) as f64 / count as f64;
                let t = turn + i as f64 * PI * (3.0 - 5f64.sqrt());
                let (r, flat) = (radius + if rng.random() { thick } else { 0.0 }, (1.0 - z * z).sqrt());
                points.push(([c[0] + r * flat * t.cos(), c[1] + r * flat * t.sin(), c[2] + r * z], class));
            }
        }
    }
    Ok(points)
}

/// Curves that wind once around the hole of a torus and three times around its tube, side by side.
pub(super) fn torus_curves(draw: &Draw, rng: &mut StdRng) -> Result<Vec<Labelled>> {
    let each = draw.points.div_ceil(draw.copies);
    let mut points = Vec::new();
    for curve in 0..draw.copies {
        for _ in 0..each {
            let t = TAU * rng.random::<f64>();
            // A fifth of the way to the next curve to either side.
            let width = 0.2 * (1.0 - draw.margin) * (2.0 * rng.random::<f64>() - 1.0);
            let u = 3.0 * t + TAU * (curve as f64 + width) / draw.copies as f64;
            let r = 3.0 + u.cos();
            points.push(([r * t.cos(), r * t.sin(), u.sin()], (curve % 2) as u8));
        }
    }
    Ok(points)
}
