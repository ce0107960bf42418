//! How far two barcodes are apart.

use super::barcode::Bar;

/// The Wasserstein distance of order `order` between the finite bars of two barcodes of one dimension, with the maximum norm between bars:
/// the least sum of powers of lengths over all ways to pair bars with each other and with the diagonal, and its root. Exact; bars
/// that never die are left out (two filtrations without a threshold have equally many of them, at 0).
///
/// Where all bars are born together, as components are, pairs need not cross, and a table of `|a| |b|` entries finds the least sum;
/// otherwise the Hungarian method does, in `O(min(|a|, |b|)^2 max(|a|, |b|))` steps (Kuhn 1955; the distance: Cohen-Steiner et al., "Lipschitz functions
/// have L_p-stable persistence", 2010).
pub fn wasserstein(a: &[Bar], b: &[Bar], order: f64) -> f64 {
    let finite = |bars: &[Bar]| -> Vec<(f64, f64)> {
        bars.iter().filter(|b| b.death.is_finite()).map(|b| (f64::from(b.birth), f64::from(b.death))).collect()
    };
    let (a, b) = (finite(a), finite(b));
    let born = a.iter().chain(&b).map(|x| x.0).next();
    let together = a.iter().chain(&b).all(|x| Some(x.0) == born);
    let least = if together { least_on_a_line(a, b, order) } else { least_in_the_plane(&a, &b, order) };
    least.max(0.0).powf(1.0 / order)
}

/// The price of leaving a bar unpaired.
fn to_diagonal(x: (f64, f64), order: f64) -> f64 {
    (0.5 * (x.1 - x.0)).powf(order)
}

fn least_on_a_line(mut a: Vec<(f64, f64)>, mut b: Vec<(f64, f64)>, order: f64) -> f64 {
    a.sort_by(|x, y| x.1.total_cmp(&y.1));
    b.sort_by(|x, y| x.1.total_cmp(&y.1));
    // Row i: the least price for the first i bars of `a` and the first j of `b`.
    let mut row = vec![0.0; b.len() + 1];
    for j in 0..b.len() {
        row[j + 1] = row[j] + to_diagonal(b[j], order);
    }
    for &x in &a {
        let mut corner = row[0];
        row[0] += to_diagonal(x, order);
        for j in 0..b.len() {
            let paired = corner + (x.1 - b[j].1).abs().powf(order);
            corner = row[j + 1];
            row[j + 1] = paired.min(corner + to_diagonal(x, order)).min(row[j] + to_diagonal(b[j], order));
        }
    }
    row[b.len()]
}

fn least_in_the_plane(a: &[(f64, f64)], b: &[(f64, f64)], order: f64) -> f64 {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let alone = |bars: &[(f64, f64)]| bars.iter().map(|&x| to_diagonal(x, order)).sum::<f64>();
    // What a pair saves against both going to the diagonal; a pair that saves nothing is none.
    let saved = |i: usize, j: usize| {
        let (x, y) = (few[i], many[j]);
        let length = (x.0 - y.0).abs().max((x.1 - y.1).abs()).powf(order);
        (length - to_diagonal(x, order) - to_diagonal(y, order)).min(0.0)
    };
    alone(a) + alone(b) + least_assignment(few.len(), many.len(), saved)
}

/// The least sum of `price(row, column)` over all ways to give every row a column of its own; `rows <= columns`.
fn least_assignment(rows: usize, columns: usize, price: impl Fn(usize, usize) -> f64) -> f64 {
    const FREE: usize = usize::MAX;
    // Shortest augmenting paths with potentials; column `columns` stands for the row to be placed.
    let (mut of_row, mut of_column) = (vec![0.0; rows], vec![0.0; columns + 1]);
    let mut owner = vec![FREE; columns + 1];
    for row in 0..rows {
        owner[columns] = row;
        let mut at = columns;
        let (mut distance, mut before) = (vec![f64::INFINITY; columns], vec![columns; columns]);
        let mut done = vec![false; columns + 1];
        while owner[at] != FREE {
            done[at] = true;
            let from = owner[at];
            let (mut least, mut next) = (f64::INFINITY, columns);
            for j in 0..columns {
                if done[j] {
                    continue;
                }
                let reduced = price(from, j) - of_row[from] - of_column[j];
                if reduced < distance[j] {
                    (distance[j], before[j]) = (reduced, at);
                }
                if distance[j] < least {
                    (least, next) = (distance[j], j);
                }
            }
            for j in 0..=columns {
                if done[j] {
                    of_row[owner[j]] += least;
                    of_column[j] -= least;
                } else if j < columns {
                    distance[j] -= least;
                }
            }
            at = next;
        }
        while at != columns {
            owner[at] = owner[before[at]];
            at = before[at];
        }
    }
    (0..columns).filter(|&j| owner[j] != FREE).map(|j| price(owner[j], j)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bars(of: &[(f32, f32)]) -> Vec<Bar> {
        of.iter().map(|&(birth, death)| Bar { birth, death }).collect()
    }

    #[test]
    fn known_distances() {
        let a = bars(&[(0.0, 2.0), (1.0, 4.0), (0.5, f32::INFINITY)]);
        assert_eq!(wasserstein(&a, &a, 2.0), 0.0);
        // Both to the diagonal: 1 and 1.5.
        assert!((wasserstein(&a, &[], 1.0) - 2.5).abs() < 1e-12);
        assert!((wasserstein(&[], &a, 2.0) - (1.0f64 + 2.25).sqrt()).abs() < 1e-12);
        // (1, 4) moves by 0.5, (0, 2) goes to the diagonal.
        let b = bars(&[(1.25, 4.5)]);
        assert!((wasserstein(&a, &b, 2.0) - (0.25f64 + 1.0).sqrt()).abs() < 1e-12);
        let line = (bars(&[(0.0, 1.0), (0.0, 3.0)]), bars(&[(0.0, 1.25), (0.0, 0.125), (0.0, 2.5)]));
        assert!((wasserstein(&line.0, &line.1, 1.0) - (0.25 + 0.5 + 0.0625)).abs() < 1e-12);
    }

    /// The least of all ways to pair, by trying them.
    fn by_trial(a: &[Bar], b: &[Bar], order: f64) -> f64 {
        let pair = |x: &Bar| (f64::from(x.birth), f64::from(x.death));
        match a.split_first() {
            None => b.iter().map(|x| to_diagonal(pair(x), order)).sum(),
            Some((first, rest)) => {
                let mut least = to_diagonal(pair(first), order) + by_trial(rest, b, order);
                for j in 0..b.len() {
                    let mut others = b.to_vec();
                    let y = pair(&others.remove(j));
                    let x = pair(first);
                    let length = (x.0 - y.0).abs().max((x.1 - y.1).abs()).powf(order);
                    least = least.min(length + by_trial(rest, &others, order));
                }
                least
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn the_least_is_found(a in proptest::collection::vec((0u8..4, 1u8..8), 0..5), b in proptest::collection::vec((0u8..4, 1u8..8), 0..6), line: bool) {
            let make = |of: &[(u8, u8)]| of.iter().map(|&(birth, length)| {
                let birth = if line { 0.0 } else { f32::from(birth) };
                Bar { birth, death: birth + f32::from(length) }
            }).collect::<Vec<_>>();
            let (a, b) = (make(&a), make(&b));
            for order in [1.0, 2.0] {
                let got = wasserstein(&a, &b, order);
                prop_assert!((got - by_trial(&a, &b, order).powf(1.0 / order)).abs() < 1e-9);
                prop_assert!((got - wasserstein(&b, &a, order)).abs() < 1e-9);
            }
        }
    }
}
