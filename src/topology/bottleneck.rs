//! How far the worst pair of two barcodes is apart.

use super::barcode::Bar;

/// The bottleneck distance between the finite bars of two barcodes of one dimension, with the
/// maximum norm between bars: the least length that suffices to pair every bar with one of the
/// other barcode or with the diagonal. Exact; bars that never die are left out.
pub fn bottleneck(a: &[Bar], b: &[Bar]) -> f64 {
    let ends = |bars: &[Bar]| bars.iter().map(|b| (f64::from(b.birth), f64::from(b.death))).collect::<Vec<_>>();
    bottleneck_of(&ends(a), &ends(b))
}

/// [`bottleneck`] of births and deaths in double precision.
///
/// A length suffices if the bars of either side that are further from the diagonal can be paired
/// with bars of the other side: two such pairings, one for each side, make one for both (Mendelsohn
/// and Dulmage 1958). The least length that suffices is found by bisection over the numbers
/// themselves, whose bits are ordered as they are.
pub fn bottleneck_of(a: &[(f64, f64)], b: &[(f64, f64)]) -> f64 {
    let in_order = |bars: &[(f64, f64)]| -> Vec<(f64, f64)> {
        let mut bars: Vec<(f64, f64)> = bars.iter().copied().filter(|b| b.1.is_finite()).collect();
        bars.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.total_cmp(&y.1)));
        bars
    };
    let (a, b) = (in_order(a), in_order(b));
    let born = a.iter().chain(&b).map(|x| x.0).next();
    let together = a.iter().chain(&b).all(|x| Some(x.0) == born);
    let covered = if together { covered_on_a_line } else { covered_in_the_plane };
    let suffices = |length: f64| covered(&a, &b, length) && covered(&b, &a, length);
    // All bars can go to the diagonal, so nothing longer than this is needed.
    let enough = a.iter().chain(&b).copied().map(to_diagonal).fold(0.0, f64::max);
    let (mut fails, mut does) = (None, enough.to_bits());
    while fails.map_or(0, |f: u64| f + 1) < does {
        let low = fails.map_or(0, |f| f + 1);
        let middle = low + (does - low) / 2;
        if suffices(f64::from_bits(middle)) {
            does = middle;
        } else {
            fails = Some(middle);
        }
    }
    f64::from_bits(does)
}

fn to_diagonal(x: (f64, f64)) -> f64 {
    0.5 * (x.1 - x.0)
}

fn apart(x: (f64, f64), y: (f64, f64)) -> f64 {
    (x.0 - y.0).abs().max((x.1 - y.1).abs())
}

/// Whether all bars that are further than `length` from the diagonal can be paired with others
/// within it, where all are born together: the earlier death takes the earliest that it reaches.
fn covered_on_a_line(bars: &[(f64, f64)], others: &[(f64, f64)], length: f64) -> bool {
    let mut free = 0;
    bars.iter().filter(|&&x| to_diagonal(x) > length).all(|x| {
        while others.get(free).is_some_and(|y| x.1 - y.1 > length) {
            free += 1;
        }
        let reached = others.get(free).is_some_and(|y| y.1 - x.1 <= length);
        free += 1;
        reached
    })
}

/// The same of any bars, by augmenting paths.
fn covered_in_the_plane(bars: &[(f64, f64)], others: &[(f64, f64)], length: f64) -> bool {
    const FREE: usize = usize::MAX;
    let near = |x: (f64, f64)| {
        let first = others.partition_point(|y| x.0 - y.0 > length);
        let born = others[first..].iter().enumerate().take_while(move |(_, y)| y.0 - x.0 <= length);
        born.filter(move |(_, y)| apart(x, **y) <= length).map(move |(j, _)| first + j)
    };
    let (mut owner, mut owned) = (vec![FREE; others.len()], vec![FREE; bars.len()]);
    let mut seen = vec![FREE; others.len()];
    let mut from = vec![FREE; others.len()];
    let must = (0..bars.len()).filter(|&i| to_diagonal(bars[i]) > length);
    'bars: for first in must {
        if let Some(j) = near(bars[first]).find(|&j| owner[j] == FREE) {
            (owner[j], owned[first]) = (first, j);
            continue;
        }
        let mut queue = std::collections::VecDeque::from([first]);
        while let Some(i) = queue.pop_front() {
            for j in near(bars[i]) {
                if seen[j] == first {
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
            // Where all are born together, both ways find the same.
            let line = |bars: &[Bar]| bars.iter().map(|b| (0.0, f64::from(b.death))).collect::<Vec<_>>();
            let (mut a, mut b) = (line(&a), line(&b));
            a.sort_by(|x, y| x.1.total_cmp(&y.1));
            b.sort_by(|x, y| x.1.total_cmp(&y.1));
            for length in [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.5] {
                prop_assert_eq!(covered_on_a_line(&a, &b, length), covered_in_the_plane(&a, &b, length));
            }
        }
    }
}
