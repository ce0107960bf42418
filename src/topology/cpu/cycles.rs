//! The cycles that stand for the longest bars of dimension 1.

use super::collapse::SpanningForest;
use super::filtration::Filtration;
use super::loops::Loops;
use crate::topology::metric::Metric;
use crate::topology::order::Key;
use std::collections::HashMap;

/// Keys of birth and death, and the edges, of one cycle.
pub(crate) type KeyedCycle = (Key, Option<Key>, Vec<[u32; 2]>);

/// Cycles that stand for the `count` longest bars of dimension 1, of the longest bar first.
///
/// The reduced column of a loop's killer is a set of loops, the youngest of which is the one that
/// dies. The sum of what each of them closes, an edge and the way between its ends in the minimum
/// spanning forest, is born with the youngest and is the boundary of triangles that are all there
/// when it dies, and not before.
pub(super) fn longest(f: &Filtration, loops: &Loops, count: usize, metric: Metric) -> Vec<KeyedCycle> {
    let length =
        |(birth, death): (Key, Option<Key>)| death.map_or(f32::INFINITY, |key| metric.distance(key)) - metric.distance(birth);
    let births = loops.forest.births();
    let mut bars: Vec<(usize, (Key, Option<Key>))> = loops.pairs(f).into_iter().enumerate().collect();
    bars.retain(|(_, bar)| length(*bar) > 0.0);
    bars.sort_by(|a, b| length(b.1).total_cmp(&length(a.1)).then(a.0.cmp(&b.0)));
    bars.truncate(count);
    let tree = SpanningForest::new(f.n, &loops.forest);
    let of_bar = |(class, (birth, death)): (usize, (Key, Option<Key>))| {
        // An essential class has no column; what its edge closes stands for it.
        let members: Vec<usize> = match death {
            None => vec![class],
            Some(_) => (0..=class).filter(|&l| loops.columns.column(class)[l / 64] >> (l % 64) & 1 == 1).collect(),
        };
        let mut count: HashMap<[u32; 2], u32> = HashMap::new();
        for walk in members.into_iter().map(|l| tree.cycle(births[l].name())) {
            for (v, w) in walk {
                *count.entry([v.min(w), v.max(w)]).or_default() += 1;
            }
        }
        let mut edges: Vec<[u32; 2]> = count.into_iter().filter(|(_, times)| times % 2 == 1).map(|(e, _)| e).collect();
        edges.sort_unstable();
        debug_assert!(edges.iter().any(|e| births[class].name().ends() == (e[1] as usize, e[0] as usize)));
        (birth, death, edges)
    };
    bars.into_iter().map(of_bar).collect()
}
