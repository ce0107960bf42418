//! Fewer points that stand for all.

use rayon::prelude::*;

/// Farthest-point sampling: the first point, then again and again the one that is farthest from all
/// that were chosen (Gonzalez, 1985). Ties go to the first. O(n `most`) distances.
///
/// Returns indices in the order of their choice, and the covering radius: how far the point is that
/// is farthest from all of them.
pub(super) fn farthest_points(n: usize, most: usize, distance: impl Fn(usize, usize) -> f32 + Sync) -> (Vec<usize>, f32) {
    let mut to_chosen = vec![f32::INFINITY; n];
    let mut chosen = Vec::with_capacity(most.min(n));
    let mut next = 0;
    while chosen.len() < most.min(n) {
        chosen.push(next);
        to_chosen.par_iter_mut().enumerate().with_min_len(256).for_each(|(i, d)| *d = d.min(distance(i, next)));
        to_chosen[next] = f32::NEG_INFINITY;
        let farthest = |a: usize, b: usize| if to_chosen[b] > to_chosen[a] { b } else { a };
        next = (0..n).reduce(farthest).unwrap_or(0);
    }
    let radius = to_chosen.iter().copied().fold(0.0, f32::max);
    (chosen, radius)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farthest_come_first() {
        let x = [0.0f32, 1.0, 2.0, 10.0, 11.0, 5.0];
        let apart = |i: usize, j: usize| (x[i] - x[j]).abs();
        assert_eq!(farthest_points(6, 3, apart), (vec![0, 4, 5], 2.0));
        let (mut all, radius) = farthest_points(6, 9, apart);
        all.sort_unstable();
        assert_eq!((all, radius), (vec![0, 1, 2, 3, 4, 5], 0.0));
        assert_eq!(farthest_points(3, 2, |_, _| 0.0).0.len(), 2);
    }
}
