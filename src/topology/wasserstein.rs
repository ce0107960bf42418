//! How far two barcodes are apart.

use super::barcode::Bar;

/// The Wasserstein distance of order `order` (1 or more) between the finite bars of two barcodes of
/// one dimension, with the maximum norm between bars: the least sum of powers of lengths over all
/// ways to pair bars with each other and with the diagonal, and its root (Cohen-Steiner et al.,
/// "Lipschitz functions have L_p-stable persistence", 2010). Exact; bars that never die are left
/// out (two filtrations without a threshold have equally many of them, at 0).
///
/// Where all bars are born together, as components are, pairs need not cross, and a table of `|a|
/// |b|` entries finds the least sum. Otherwise a pair matters only if it costs less than both bars
/// on their own; in barcodes of hundreds of short bars these pairs are few, and shortest augmenting
/// paths through them alone (the Hungarian method, Jonker and Volgenant 1987) stay short, for every
/// bar may end on the diagonal.
pub fn wasserstein(a: &[Bar], b: &[Bar], order: f64) -> f64 {
    let ends = |bars: &[Bar]| bars.iter().map(|b| (f64::from(b.birth), f64::from(b.death))).collect::<Vec<_>>();
    wasserstein_of(&ends(a), &ends(b), order)
}

/// [`wasserstein`] of births and deaths in double precision.
pub fn wasserstein_of(a: &[(f64, f64)], b: &[(f64, f64)], order: f64) -> f64 {
    let finite = |bars: &[(f64, f64)]| bars.iter().copied().filter(|b| b.1.is_finite()).collect::<Vec<_>>();
    let (a, b) = (finite(a), finite(b));
    let born = a.iter().chain(&b).map(|x| x.0).next();
    let together = a.iter().chain(&b).all(|x| Some(x.0) == born);
    let least = if together { least_on_a_line(a, b, order) } else { least_in_the_plane(&a, &b, order) };
    least.max(0.0).powf(1.0 / order)
}

fn power(x: f64, order: f64) -> f64 {
    if order == 2.0 {
        x * x
    } else if order == 1.0 {
        x
    } else {
        x.powf(order)
    }
}

/// The price of leaving a bar unpaired.
fn to_diagonal(x: (f64, f64), order: f64) -> f64 {
    power(0.5 * (x.1 - x.0), order)
}

fn least_on_a_line(mut a: Vec<(f64, f64)>, mut b: Vec<(f64, f64)>, order: f64) -> f64 {
    a.sort_by(|x, y| x.1.total_cmp(&y.1));
    b.sort_by(|x, y| x.1.total_cmp(&y.1));
    // Row i: the least price for the first i bars of `a` and the first j of `b`.
    let mut row = vec![0.0; b.len() + 1];
    for j in 0..b.len() {
        row[j + 1] = row[j] + to_diagonal(b[j], order);
    }
    let alone: Vec<f64> = b.iter().map(|&y| to_diagonal(y, order)).collect();
    for &x in &a {
        let own = to_diagonal(x, order);
        let mut corner = row[0];
        row[0] += own;
        for j in 0..b.len() {
            let paired = corner + power((x.1 - b[j].1).abs(), order);
            corner = row[j + 1];
            row[j + 1] = paired.min(corner + own).min(row[j] + alone[j]);
        }
    }
    row[b.len()]
}

fn least_in_the_plane(a: &[(f64, f64)], b: &[(f64, f64)], order: f64) -> f64 {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut many = many.to_vec();
    many.sort_by(|x, y| x.0.total_cmp(&y.0));
    let alone = |bars: &[(f64, f64)]| bars.iter().map(|&x| to_diagonal(x, order)).sum::<f64>();
    let longest = many.iter().map(|y| 0.5 * (y.1 - y.0)).fold(0.0, f64::max);
    let pairs = few.iter().map(|&x| {
        // Births further apart than this cannot save anything.
        let reach = 0.5 * (x.1 - x.0) + longest;
        let first = many.partition_point(|y| y.0 < x.0 - reach);
        let near = many[first..].iter().enumerate().take_while(|(_, y)| y.0 <= x.0 + reach);
        let saved = |y: (f64, f64)| {
            let length = power((x.0 - y.0).abs().max((x.1 - y.1).abs()), order);
            length - to_diagonal(x, order) - to_diagonal(y, order)
        };
        let mut pairs: Vec<(usize, f64)> = near.map(|(j, &y)| (first + j, saved(y))).filter(|(_, s)| *s < 0.0).collect();
        pairs.sort_by(|p, q| p.1.total_cmp(&q.1));
        pairs
    });
    alone(few) + alone(&many) + least_assignment(&pairs.collect::<Vec<_>>(), many.len())
}

/// A column that a path has come to, at a price; the cheapest is the greatest in a heap.
#[derive(PartialEq)]
struct Reached(f64, usize);

impl Eq for Reached {}

impl Ord for Reached {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.total_cmp(&self.0).then(other.1.cmp(&self.1))
    }
}

impl PartialOrd for Reached {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The least sum of prices when every row takes one of its `(column, price)` pairs, all below 0,
/// the cheapest first, and no column twice, or none at price 0.
fn least_assignment(pairs: &[Vec<(usize, f64)>], columns: usize) -> f64 {
    const FREE: usize = usize::MAX;
    // Column `columns + row` is the row's own, at price 0.
    let all = columns + pairs.len();
    let mut of_row: Vec<f64> = pairs.iter().map(|p| p.iter().map(|x| x.1).fold(0.0, f64::min)).collect();
    let (mut of_column, mut owner) = (vec![0.0; all], vec![FREE; all]);
    let (mut distance, mut before, mut done) = (vec![f64::INFINITY; all], vec![FREE; all], vec![false; all]);
    let mut column_of = vec![FREE; pairs.len()];
    let (mut heap, mut touched) = (std::collections::BinaryHeap::new(), Vec::new());
    for row in 0..pairs.len() {
        heap.clear();
        // The cheapest free column so far ends the path at this price, so nothing beyond it is
        // looked at.
        let (mut from, mut price, mut bound) = (row, 0.0, f64::INFINITY);
        let end = loop {
            for (j, c) in std::iter::once((columns + from, 0.0)).chain(pairs[from].iter().copied()) {
                // Columns' own prices are 0 or less.
                if j < columns && price + c - of_row[from] >= bound {
                    break;
                }
                let there = price + c - of_row[from] - of_column[j];
                if owner[j] == FREE {
                    bound = bound.min(there);
                } else if there >= bound {
                    continue;
                }
                if !done[j] && there < distance[j] {
                    if distance[j] == f64::INFINITY {
                        touched.push(j);
                    }
                    (distance[j], before[j]) = (there, from);
                    heap.push(Reached(there, j));
                }
            }
            // Its own column is always open to the row, so something is always left in the heap.
            let next = std::iter::from_fn(|| heap.pop()).find(|Reached(there, j)| !done[*j] && *there <= distance[*j]);
            let Some(Reached(there, j)) = next else { break FREE };
            price = there;
            if owner[j] == FREE {
                break j;
            }
            done[j] = true;
            from = owner[j];
        };
        for &j in &touched {
            if done[j] {
                let change = price - distance[j];
                of_column[j] -= change;
                of_row[owner[j]] += change;
            }
        }
        of_row[row] += price;
        // Every row on the path moves on to the column that it reached.
        let mut at = end;
        while at != FREE {
            let taker = before[at];
            owner[at] = taker;
            at = std::mem::replace(&mut column_of[taker], at);
        }
        for j in touched.drain(..) {
            (distance[j], before[j], done[j]) = (f64::INFINITY, FREE, false);
        }
    }
    let price = |row: usize, j: usize| pairs[row].iter().find(|p| p.0 == j).map_or(0.0, |p| p.1);
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

    /// Many bars that are born together: both ways to the least sum find the same.
    #[test]
    fn both_ways_agree_on_many_bars() {
        use rand::{RngExt, SeedableRng, rngs::StdRng};
        let mut rng = StdRng::seed_from_u64(1);
        for order in [1.0, 2.0, 3.0] {
            let mut some = |n: usize| (0..n).map(|_| (0.0, rng.random_range(0.01..1.0))).collect::<Vec<(f64, f64)>>();
            let (a, b) = (some(60), some(90));
            let (line, plane) = (least_on_a_line(a.clone(), b.clone(), order), least_in_the_plane(&a, &b, order));
            assert!((line - plane).abs() < 1e-9 * line, "{line} {plane}");
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
