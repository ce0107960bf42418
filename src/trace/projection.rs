//! Layers seen from their widest side: principal components.

use super::layers::{flows, names};
use crate::data::Samples;
use crate::error::Result;
use crate::nn::{Compute, Net, bridge};
use crate::report::Scatter;

/// One layer's points in three dimensions.
#[derive(Clone, Debug)]
pub struct Projection {
    /// `input`, `layer 1`, ..., `logits`.
    pub layer: String,
    /// Shares of the variance that the first two directions hold, and all three.
    pub shares: [f64; 2],
    /// Points and classes.
    pub points: Vec<([f64; 3], usize)>,
}

impl Projection {
    /// As a picture, of two or three of the directions.
    pub fn picture(&self, directions: usize, names: &[String]) -> Scatter {
        let directions = directions.clamp(2, 3);
        Scatter {
            title: format!(
                "{}: {directions} directions, {:.0} % of the variance",
                self.layer,
                100.0 * self.shares[directions - 2]
            ),
            names: names.to_vec(),
            points: self.points.iter().map(|(p, c)| (p[..directions].to_vec(), *c)).collect(),
        }
    }
}

/// Projects `count` samples, after every layer, on the three directions in which they vary most.
///
/// # Errors
/// [`crate::Error::Device`] when the device fails.
pub fn project(net: &Net, samples: &Samples, count: usize, seed: u64, compute: &Compute) -> Result<Vec<Projection>> {
    let mut which = samples.shuffled(seed);
    which.truncate(count.max(2));
    let mut found = Vec::new();
    for (layer, tensor) in names(net).into_iter().zip(flows(net, samples, &which, compute)) {
        let features = tensor.dims()[1];
        let (points, shares) = principal(&bridge::read(tensor)?, features);
        let points = points.into_iter().zip(&which).map(|(p, &i)| (p, usize::from(samples.labels[i]))).collect();
        found.push(Projection { layer, shares, points });
    }
    Ok(found)
}

/// Coordinates along the three principal directions, found by power iteration, and the shares of
/// the variance that two and three of them hold.
fn principal(numbers: &[f32], features: usize) -> (Vec<[f64; 3]>, [f64; 2]) {
    let n = numbers.len() / features.max(1);
    let mut mean = vec![0.0f64; features];
    numbers.chunks(features).for_each(|row| mean.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x) / n as f64));
    let rows: Vec<Vec<f64>> =
        numbers.chunks(features).map(|row| row.iter().zip(&mean).map(|(&x, m)| f64::from(x) - m).collect()).collect();
    let total: f64 = rows.iter().flatten().map(|x| x * x).sum();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let mut directions: Vec<Vec<f64>> = Vec::new();
    let mut held = [0.0; 3];
    for (k, held) in held.iter_mut().enumerate() {
        // Any start that is not at right angles to the direction will do; signs are fixed so that
        // pictures do not flip between runs.
        let mut v: Vec<f64> = (0..features).map(|i| ((i * (k + 3) + 1) as f64 * 0.7).sin() + 1.1).collect();
        let mut power = 0.0;
        for _ in 0..60 {
            for d in &directions {
                let along = dot(&v, d);
                v.iter_mut().zip(d).for_each(|(x, y)| *x -= along * y);
            }
            let length = dot(&v, &v).sqrt().max(1e-300);
            v.iter_mut().for_each(|x| *x /= length);
            let mut next = vec![0.0; features];
            for row in &rows {
                let along = dot(row, &v);
                next.iter_mut().zip(row).for_each(|(x, y)| *x += along * y);
            }
            power = dot(&next, &v);
            if power <= 1e-300 {
                break;
            }
            v = next;
        }
        let length = dot(&v, &v).sqrt().max(1e-300);
        let sign = if v.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0) < 0.0 { -1.0 } else { 1.0 };
        v.iter_mut().for_each(|x| *x *= sign / length);
        *held = power;
        directions.push(v);
    }
    let points = rows.iter().map(|row| [0, 1, 2].map(|k| dot(row, &directions[k]))).collect();
    let share = |power: f64| if total > 0.0 { (power / total).min(1.0) } else { 1.0 };
    (points, [share(held[0] + held[1]), share(held.iter().sum())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_directions_are_found() {
        // A flat ellipse in space: 3 along (1, 1, 0), 1 along (0, 0, 1), nothing along (1, -1, 0).
        let rows: Vec<f32> = (0..360)
            .map(|i| f64::from(i).to_radians())
            .flat_map(|t| [3.0 * t.cos() / 2f64.sqrt() + 5.0, 3.0 * t.cos() / 2f64.sqrt(), t.sin()])
            .map(|x| x as f32)
            .collect();
        let (points, shares) = principal(&rows, 3);
        assert!(shares.iter().all(|s| (s - 1.0).abs() < 1e-6));
        let widest = |k: usize| points.iter().map(|p| p[k].abs()).fold(0.0, f64::max);
        assert!((widest(0) - 3.0).abs() < 1e-3 && (widest(1) - 1.0).abs() < 1e-3);
        let (same, shares) = principal(&[2.0; 12], 3);
        assert!(shares == [1.0; 2] && same.iter().flatten().all(|x| x.abs() < 1e-6));
        assert_eq!(principal(&[1.0, 2.0, 3.0], 1).0.len(), 3);
    }
}
