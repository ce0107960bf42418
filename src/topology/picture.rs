//! What a picture of a cloud shows: where its points are drawn, and its shortest edges.

use super::cloud::PointCloud;
use super::metric::Metric;
use rayon::prelude::*;

/// The shortest edges of a cloud, at most so many, ascending: length and ends.
pub fn shortest_edges(points: &PointCloud, metric: Metric, most: usize) -> Vec<(f32, u32, u32)> {
    // Squares of very large or small coordinates are no numbers of 32 bits: by a power of two,
    // which loses nothing, the largest becomes an ordinary one.
    let largest = points.data().iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let power = if largest > 0.0 { (-largest.log2().floor()).clamp(-120.0, 120.0) } else { 0.0 };
    let points = points.clone().scaled(power.exp2());
    let unscale = match metric {
        Metric::SqEuclidean => (-2.0 * power).exp2(),
        Metric::Cosine | Metric::Correlation => 1.0,
        _ => (-power).exp2(),
    };
    let of_point = |i: usize| {
        let points = &points;
        let length = move |j: usize| metric.distance_of_points(points.point(i), points.point(j)) * unscale;
        (0..i).map(move |j| (length(j), j as u32, i as u32)).collect::<Vec<_>>()
    };
    let mut edges: Vec<(f32, u32, u32)> = (1..points.len()).into_par_iter().flat_map_iter(of_point).collect();
    if edges.len() > most {
        edges.select_nth_unstable_by(most, |a, b| a.0.total_cmp(&b.0));
        edges.truncate(most);
    }
    edges.sort_by(|a, b| a.0.total_cmp(&b.0));
    edges
}

/// Where points are drawn, and what the axes are: their own coordinates, up to three, or else the
/// three principal axes.
pub fn places(points: &PointCloud) -> (Vec<Vec<f32>>, String) {
    let (n, features) = (points.len(), points.features());
    if features <= 3 {
        let place = |i: usize| {
            if features > 1 { points.point(i).to_vec() } else { vec![points.point(i).first().copied().unwrap_or(0.0), 0.0] }
        };
        return ((0..n).map(place).collect(), "The coordinates as they are".into());
    }
    let mean: Vec<f64> = (0..features).map(|k| (0..n).map(|i| f64::from(points.point(i)[k])).sum::<f64>() / n as f64).collect();
    let centred: Vec<Vec<f64>> =
        (0..n).map(|i| points.point(i).iter().zip(&mean).map(|(&x, m)| f64::from(x) - m).collect()).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let all: f64 = centred.iter().map(|p| dot(p, p)).sum();
    let (mut axes, mut variance) = (Vec::<Vec<f64>>::new(), 0.0);
    for axis in 0..3 {
        // Power iteration from a start that no axis is orthogonal to by design.
        let mut v: Vec<f64> = (0..features).map(|k| 1.0 + ((k * 7 + axis * 3) % 11) as f64).collect();
        for _ in 0..60 {
            axes.iter().for_each(|a| {
                let along = dot(a, &v);
                v.iter_mut().zip(a).for_each(|(x, y)| *x -= along * y);
            });
            let length = dot(&v, &v).sqrt();
            v.iter_mut().for_each(|x| *x /= length.max(f64::MIN_POSITIVE));
            let along: Vec<f64> = centred.par_iter().map(|p| dot(p, &v)).collect();
            // Where no variance is left, what is left is rounding.
            if dot(&along, &along) <= 1e-12 * all {
                v.fill(0.0);
                break;
            }
            let next = |k: usize| centred.iter().zip(&along).map(|(p, a)| p[k] * a).sum::<f64>();
            v = (0..features).into_par_iter().map(next).collect();
        }
        let length = dot(&v, &v).sqrt();
        v.iter_mut().for_each(|x| *x /= length.max(f64::MIN_POSITIVE));
        variance += centred.iter().map(|p| dot(p, &v).powi(2)).sum::<f64>();
        axes.push(v);
    }
    let share = if all > 0.0 { (100.0 * variance / all).round() } else { 100.0 };
    let places = centred.iter().map(|p| axes.iter().map(|a| dot(p, a) as f32).collect()).collect();
    (places, format!("The three principal axes, which hold {share} % of the variance of {features} coordinates"))
}
