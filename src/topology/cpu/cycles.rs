//! The cycles that stand for the longest bars of dimension 1.

use super::collapse::SpanningForest;
use crate::topology::metric::Metric;
use crate::topology::order::{Key, WideEdge};
use std::collections::HashMap;

/// Keys of birth and death, and the edges, of one cycle.
pub(crate) type KeyedCycle = (Key, Option<Key>, Vec<[u32; 2]>);

/// Which cycles are wanted.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cycles {
    /// Of how many longest bars of dimension 1.
    pub count: usize,
    /// What the keys mean, which says how long a bar is.
    pub metric: Metric,
}

/// The loops of a cloud, of which there is a reduced column for every one that died.
pub(super) struct Reduced<'a, Members> {
    /// Number of points.
    pub n: usize,
    /// The edges that merge components, and those that open loops, in order.
    pub merges: &'a [WideEdge],
    pub births: &'a [WideEdge],
    /// When every loop dies, if it does.
    pub deaths: Vec<Option<Key>>,
    /// The loops in the reduced column of a loop's killer, itself among them.
    pub members: Members,
}

/// Cycles that stand for the longest bars of dimension 1, of the longest bar first.
///
/// The reduced column of a loop's killer is a set of loops, the youngest of which is the one that
/// dies. The sum of what each of them closes, an edge and the way between its ends in the minimum
/// spanning forest, is born with the youngest and is the boundary of triangles that are all there
/// when it dies, and not before.
pub(super) fn longest<M: Fn(usize) -> Vec<usize>>(loops: Reduced<'_, M>, wanted: Cycles) -> Vec<KeyedCycle> {
    if wanted.count == 0 {
        return Vec::new();
    }
    let distance = |key| wanted.metric.distance(key);
    let length = |(birth, death): (Key, Option<Key>)| death.map_or(f32::INFINITY, distance) - distance(birth);
    let Reduced { n, merges, births, deaths, members } = loops;
    let mut bars: Vec<(usize, (Key, Option<Key>))> = births.iter().map(|e| e.key).zip(deaths).enumerate().collect();
    bars.retain(|(_, bar)| length(*bar) > 0.0);
    bars.sort_by(|a, b| length(b.1).total_cmp(&length(a.1)).then(a.0.cmp(&b.0)));
    bars.truncate(wanted.count);
    let tree = SpanningForest::new(n, merges.iter().map(|e| e.ends));
    let of_bar = |(class, (birth, death)): (usize, (Key, Option<Key>))| {
        // An essential class has no column; what its edge closes stands for it.
        let members = if death.is_none() { vec![class] } else { members(class) };
        let mut count: HashMap<[u32; 2], u32> = HashMap::new();
        for walk in members.into_iter().map(|l| tree.cycle(births[l].ends)) {
            for (v, w) in walk {
                *count.entry([v.min(w), v.max(w)]).or_default() += 1;
            }
        }
        let mut edges: Vec<[u32; 2]> = count.into_iter().filter(|(_, times)| times % 2 == 1).map(|(e, _)| e).collect();
        edges.sort_unstable();
        debug_assert!(edges.iter().any(|e| births[class].ends == (e[1], e[0])));
        (birth, death, edges)
    };
    bars.into_iter().map(of_bar).collect()
}

/// Whether every cycle is one, and is born with its longest edge.
#[cfg(test)]
pub(super) fn check(cycles: &[KeyedCycle], key: impl Fn(u32, u32) -> Key) {
    for (birth, _, edges) in cycles {
        let mut degree: HashMap<u32, u32> = HashMap::new();
        edges.iter().flatten().for_each(|&v| *degree.entry(v).or_default() += 1);
        assert!(degree.values().all(|d| d % 2 == 0), "{edges:?}");
        assert!(edges.is_sorted() && edges.iter().all(|e| e[0] < e[1]));
        assert_eq!(edges.iter().map(|&[v, w]| key(v, w)).max(), Some(*birth));
    }
}
