//! Figures of a handful of runs: medians, intervals, rank correlations.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The middle value; infinity counts as a value, NaN must not occur. NaN for none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (n, m) if n % 2 == 1 => sorted[m],
        (_, m) if sorted[m] == sorted[m - 1] => sorted[m],
        (_, m) => 0.5 * (sorted[m - 1] + sorted[m]),
    }
}

/// The least and the largest value; infinities the wrong way round for none.
pub fn extremes(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)))
}

/// The range that holds the middle 95 % of `median(b) / median(a)` when both are drawn again from
/// themselves, 2,000 times.
pub fn ratio_interval(a: &[f64], b: &[f64], seed: u64) -> (f64, f64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut draw = |v: &[f64]| -> Vec<f64> { (0..v.len()).map(|_| v[rng.random_range(0..v.len())]).collect() };
    if a.is_empty() || b.is_empty() {
        return (f64::NAN, f64::NAN);
    }
    let mut ratios: Vec<f64> = (0..2000).map(|_| median(&draw(b)) / median(&draw(a))).collect();
    ratios.sort_by(f64::total_cmp);
    (ratios[50], ratios[1949])
}

/// Ranks from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |x: f64| values.iter().filter(|v| **v < x).count() as f64;
    let equal = |x: f64| values.iter().filter(|v| **v == x).count() as f64;
    values.iter().map(|&x| below(x) + 0.5 * (equal(x) + 1.0)).collect()
}

/// Spearman's rank correlation; NaN where one side does not vary.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(p, q)| (p - mean) * (q - mean)).sum::<f64>();
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

/// The rank correlation of `a` and `b` that is left once `c` is held fixed.
pub fn partial_rank_correlation(a: &[f64], b: &[f64], c: &[f64]) -> f64 {
    let (ab, ac, bc) = (rank_correlation(a, b), rank_correlation(a, c), rank_correlation(b, c));
    (ab - ac * bc) / ((1.0 - ac * ac) * (1.0 - bc * bc)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_small_samples() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[3.0, f64::INFINITY, 1.0, f64::INFINITY]), f64::INFINITY);
        assert!(median(&[]).is_nan());
        assert_eq!(extremes(&[3.0, f64::INFINITY, 1.0]), (1.0, f64::INFINITY));
        assert_eq!(rank_correlation(&[1.0, 2.0, 5.0], &[10.0, 20.0, 21.0]), 1.0);
        assert_eq!(rank_correlation(&[1.0, 2.0, 5.0], &[3.0, 2.0, 1.0]), -1.0);
        assert!((rank_correlation(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]) - 0.948_683).abs() < 1e-5);
        assert!(rank_correlation(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
        // What a third quantity explains is taken out.
        let c: Vec<f64> = (0..20).map(f64::from).collect();
        let a: Vec<f64> = c.iter().map(|x| x + 1.5 * (x * 7.0).sin()).collect();
        let b: Vec<f64> = c.iter().map(|x| x + 1.5 * (x * 3.0).cos()).collect();
        assert!(rank_correlation(&a, &b) > 0.9 && partial_rank_correlation(&a, &b, &c).abs() < 0.6);
        let (low, high) = ratio_interval(&[10.0, 11.0, 12.0], &[20.0, 22.0, 24.0], 0);
        assert!(low > 1.5 && high < 2.5 && low < high);
    }
}
