//! Fewer points that stand for all.

use rayon::prelude::*;

/// Farthest-point sampling: the first point, then again and again the one that is farthest from all
/// that were chosen (Gonzalez, 1985). Every point is then within the last distance of a chosen one,
/// which bounds how far any bar of the sample is from one of the whole. Ties go to the first.
/// Indices in the order of their choice. O(n `most`) distances.
pub(super) fn farthest_points(n: usize, most: usize, distance: impl Fn(usize, usize) -> f32 + Sync) -> Vec<usize> {
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
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farthest_come_first() {
        let x = [0.0f32, 1.0, 2.0, 10.0, 11.0, 5.0];
        let apart = |i: usize, j: usize| (x[i] - x[j]).abs();
        assert_eq!(farthest_points(6, 3, apart), [0, 4, 5]);
        let mut all = farthest_points(6, 9, apart);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        assert_eq!(farthest_points(3, 2, |_, _| 0.0).len(), 2);
    }
}
