//! The cycles that stand for the longest bars of dimension 1.

use super::collapse::SpanningForest;
use super::filtration::{Filtration, ends_of};
use super::loops::Loops;
use super::neighbours::{Forest, nearest, relative_neighbours};
use crate::error::Result;
use crate::topology::task::Task;
use std::collections::HashMap;

/// Keys of birth and death, and the edges, of one cycle.
pub(crate) type KeyedCycle = (u32, Option<u32>, Vec<[u32; 2]>);

/// Representatives of the `k` longest bars of dimension 1, longest first by `length` of their keys.
///
/// The reduced column of a loop's killer is a set of loops, the youngest of which is the one that
/// dies. The sum of what each of them closes, an edge and the way between its ends in the minimum
/// spanning forest, is born with the youngest and is the boundary of triangles that are all there
/// when it dies, and not before.
///
/// # Errors
/// [`crate::Error::Interrupted`] when the task is cancelled.
pub(crate) fn longest(
    mut f: Filtration,
    k: usize,
    length: impl Fn(u32, Option<u32>) -> f32,
    parallel: bool,
    task: &Task<'_>,
) -> Result<Vec<KeyedCycle>> {
    let near = nearest(&f, parallel);
    let graph = relative_neighbours(&f, &near, parallel);
    let forest = Forest::new(f.n, graph);
    let loops = Loops::of(&mut f, &near, forest, false, parallel, task)?;
    let births = loops.forest.births();
    let mut bars: Vec<(usize, (u32, Option<u32>))> = loops.pairs(&f).into_iter().enumerate().collect();
    bars.retain(|(_, (b, d))| length(*b, *d) > 0.0);
    bars.sort_by(|a, b| length(b.1.0, b.1.1).total_cmp(&length(a.1.0, a.1.1)).then(a.0.cmp(&b.0)));
    bars.truncate(k);
    let tree = SpanningForest::new(f.n, &loops.forest);
    let of_bar = |(class, (birth, death)): (usize, (u32, Option<u32>))| {
        // An essential class has no column; what its edge closes stands for it.
        let members: Vec<usize> = match death {
            None => vec![class],
            Some(_) => (0..=class).filter(|&l| loops.columns.column(class)[l / 64] >> (l % 64) & 1 == 1).collect(),
        };
        let mut count: HashMap<[u32; 2], u32> = HashMap::new();
        for walk in members.into_iter().map(|l| tree.cycle(births[l] as u32)) {
            for (v, w) in walk {
                *count.entry([v.min(w), v.max(w)]).or_default() += 1;
            }
        }
        let mut edges: Vec<[u32; 2]> = count.into_iter().filter(|(_, times)| times % 2 == 1).map(|(e, _)| e).collect();
        edges.sort_unstable();
        debug_assert!(edges.iter().any(|e| ends_of(births[class] as u32) == (e[1] as usize, e[0] as usize)));
        (birth, death, edges)
    };
    Ok(bars.into_iter().map(of_bar).collect())
}
