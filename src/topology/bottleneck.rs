//! How far the worst pair of two barcodes is apart.

use super::barcode::Bar;

/// The bottleneck distance between the finite bars of two barcodes of one dimension, with the
/// maximum norm between bars: the least length that suffices to pair every bar with one of the other
/// barcode or with the diagonal. Exact; bars that never die are left out.
///
/// The distance is that of some pair, or of some bar to the diagonal, so these lengths are tried by
/// bisection. A length suffices if the bars of either side that are further from the diagonal can be
/// paired with bars of the other side: two such pairings, one for each side, make one for both
/// (Mendelsohn and Dulmage 1958).
pub fn bottleneck(a: &[Bar], b: &[Bar]) -> f64 {
    let finite = |bars: &[Bar]| -> Vec<(f64, f64)> {
        let finite = bars.iter().filter(|b| b.death.is_finite());
        let mut bars: Vec<(f64, f64)> = finite.map(|b| (f64::from(b.birth), f64::from(b.death))).collect();
        bars.sort_by(|x, y| x.0.total_cmp(&y.0));
        bars
    };
    let (a, b) = (finite(a), finite(b));
    // All bars can go to the diagonal, so nothing longer than this is needed.
    let enough = a.iter().chain(&b).copied().map(to_diagonal).fold(0.0, f64::max);
    let mut lengths: Vec<f64> = a.iter().chain(&b).copied().map(to_diagonal).collect();
    for &x in &a {
        let near = near(&b, x, enough).map(|j| apart(x, b[j]));
        lengths.extend(near.filter(|&length| length <= enough));
    }
    lengths.push(0.0);
    lengths.sort_by(f64::total_cmp);
    lengths.dedup();
    let fails = |&length: &f64| !(covered(&a, &b, length) && covered(&b, &a, length));
    lengths.get(lengths.partition_point(fails)).copied().unwrap_or(enough)
}

fn to_diagonal(x: (f64, f64)) -> f64 {
    0.5 * (x.1 - x.0)
}

fn apart(x: (f64, f64), y: (f64, f64)) -> f64 {
    (x.0 - y.0).abs().max((x.1 - y.1).abs())
}

/// The bars, which are ordered by birth, that are born within `length` of one.
fn near(bars: &[(f64, f64)], x: (f64, f64), length: f64) -> std::ops::Range<usize> {
    bars.partition_point(|y| x.0 - y.0 > length)..bars.partition_point(|y| y.0 - x.0 <= length)
}

/// Whether all bars that are further than `length` from the diagonal can be paired with others
/// within it, by augmenting paths.
fn covered(bars: &[(f64, f64)], others: &[(f64, f64)], length: f64) -> bool {
    const FREE: usize = usize::MAX;
    let (mut owner, mut owned) = (vec![FREE; others.len()], vec![FREE; bars.len()]);
    let mut seen = vec![FREE; others.len()];
    let mut from = vec![FREE; others.len()];
    let must = (0..bars.len()).filter(|&i| to_diagonal(bars[i]) > length);
    'bars: for first in must {
        let mut queue = std::collections::VecDeque::from([first]);
        while let Some(i) = queue.pop_front() {
            for j in near(others, bars[i], length) {
                if seen[j] == first || apart(bars[i], others[j]) > length {
                    continue;
                }
                (seen[j], from[j]) = (first, i);
                if owner[j] != FREE {
                    queue.push_back(owner[j]);
                    continue;
                }
                // Every bar on the path moves on to the one that it reached.
                let mut free = j;
                while free != FREE {
                    let taker = from[free];
                    owner[free] = taker;
                    free = std::mem::replace(&mut owned[taker], free);
                }
                continue 'bars;
            }
        }
        return false;
    }
    true
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
        assert_eq!(bottleneck(&a, &a), 0.0);
        assert_eq!(bottleneck(&a, &[]), 1.5);
        assert_eq!(bottleneck(&[], &[]), 0.0);
        // (1, 4) moves by 0.5, (0, 2) goes to the diagonal.
        assert_eq!(bottleneck(&a, &bars(&[(1.25, 4.5)])), 1.0);
        assert_eq!(bottleneck(&bars(&[(0.0, 10.0)]), &bars(&[(0.5, 10.25)])), 0.5);
    }

    /// The least of all ways to pair, by trying them.
    fn by_trial(a: &[Bar], b: &[Bar]) -> f64 {
        let pair = |x: &Bar| (f64::from(x.birth), f64::from(x.death));
        match a.split_first() {
            None => b.iter().map(|x| to_diagonal(pair(x))).fold(0.0, f64::max),
            Some((first, rest)) => {
                let mut least = to_diagonal(pair(first)).max(by_trial(rest, b));
                for j in 0..b.len() {
                    let mut others = b.to_vec();
                    let y = pair(&others.remove(j));
                    least = least.min(apart(pair(first), y).max(by_trial(rest, &others)));
                }
                least
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
        #[test]
        fn the_least_is_found(a in proptest::collection::vec((0u8..6, 1u8..9), 0..6), b in proptest::collection::vec((0u8..6, 1u8..9), 0..6)) {
            let make = |of: &[(u8, u8)]| of.iter().map(|&(birth, length)| {
                Bar { birth: f32::from(birth), death: f32::from(birth) + f32::from(length) }
            }).collect::<Vec<_>>();
            let (a, b) = (make(&a), make(&b));
            let got = bottleneck(&a, &b);
            prop_assert_eq!(got, by_trial(&a, &b));
            prop_assert_eq!(got, bottleneck(&b, &a));
        }
    }
}
