//! Columns of critical triangles as sets of loops, and their reduction.
//!
//! There may be a million loops, so columns are lists of loops and not rows of bits. The one that
//! is being reduced is a tree of bits, which finds its youngest loop in four steps.

use super::both_ends::BothEnds;
use super::cycles::{self, Cycles, Reduced};
use super::lunes::Lunes;
use super::named::NamedPairs;
use super::neighbours::union;
use crate::error::Result;
use crate::topology::order::{Key, WideEdge};
use crate::topology::task::Task;
use rayon::prelude::*;
use std::collections::BinaryHeap;

/// In the place of a loop's number: the edge merges two components.
const MERGE: u32 = u32::MAX;

/// A triangle `{edge, root}` that is paired with neither an edge nor a tetrahedron of its own star.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Critical {
    /// Its longest edge.
    pub edge: WideEdge,
    /// Root of the component of the link that the edge is paired with.
    pub apex: u32,
    /// Root of this component.
    pub root: u32,
}

/// What the edges of the relative neighbourhood graph do.
pub(super) struct Forest {
    /// Edges that merge components, in order.
    pub merges: Vec<WideEdge>,
    /// Edges that open loops, in order.
    pub births: Vec<WideEdge>,
    /// At every point its edges of the graph: where they lead, and the loop that they open.
    roles: BothEnds<(u32, u32)>,
}

impl Forest {
    /// Kruskal's algorithm. The edges must be in order.
    pub fn new(n: usize, edges: &[WideEdge]) -> Self {
        let mut parent: Vec<u32> = (0..n as u32).collect();
        let (mut merges, mut births) = (Vec::new(), Vec::new());
        let mut role = Vec::with_capacity(edges.len());
        for &e in edges {
            if union(&mut parent, (e.ends.0 as usize, e.ends.1 as usize)) {
                merges.push(e);
                role.push(MERGE);
            } else {
                role.push(births.len() as u32);
                births.push(e);
            }
        }
        let roles = BothEnds::new(n, edges.iter().map(|e| e.ends).zip(role), |to, role| (to, role));
        Self { merges, births, roles }
    }

    /// What an edge of the graph does; nothing for all other edges.
    #[inline(always)]
    fn role(&self, (p, q): (u32, u32)) -> Option<u32> {
        let (list, to) = self.roles.at_fewer(p, q);
        list.iter().find(|e| e.0 == to).map(|e| e.1)
    }
}

/// The loops, and what killed them.
pub(super) struct Loops {
    pub forest: Forest,
    /// For every loop the edge that killed it.
    pub killer: Vec<Option<WideEdge>>,
    /// For every dead loop its column, without itself.
    columns: Vec<Box<[u32]>>,
    /// Loops that have not died yet.
    pub alive: usize,
    working: BitTree,
}

impl Loops {
    pub fn new(forest: Forest) -> Self {
        let count = forest.births.len();
        Self {
            forest,
            killer: vec![None; count],
            columns: vec![Box::default(); count],
            alive: count,
            working: BitTree::new(count),
        }
    }

    /// What was found in dimensions 0 and 1 of so many points, and cycles.
    pub fn pairs(self, n: usize, wanted: Cycles) -> NamedPairs {
        let members = |class: usize| {
            let others = self.columns[class].iter().map(|&l| l as usize);
            others.chain([class]).collect()
        };
        let Forest { merges, births, .. } = &self.forest;
        let deaths = self.killer.iter().map(|k| k.map(|e| e.key)).collect();
        let cycles = cycles::longest(Reduced { n, merges, births, deaths, members }, wanted);
        let classes = self.forest.births.into_iter().zip(self.killer).collect();
        NamedPairs { merges: self.forest.merges, classes: vec![classes], cycles }
    }

    /// Expands and reduces the columns of critical triangles, which come in order.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] when the task is cancelled.
    pub fn reduce<L: Lunes>(&mut self, lunes: &L, critical: &[Critical], task: &Task<'_>) -> Result<()> {
        let mut rest = critical;
        while !rest.is_empty() && self.alive > 0 {
            let all = self.killer.len();
            task.at("loops", (all - self.alive) as u64, all as u64)?;
            // None is needed after the last death: no more at once than may well be.
            let (some, later) = rest.split_at(rest.len().min((2 * self.alive).clamp(64, 1 << 14)));
            rest = later;
            let forest = &self.forest;
            let expanded: Vec<Vec<u32>> = some
                .par_iter()
                .with_min_len(16)
                .map_init(BinaryHeap::new, |heap, triangle| expand(lunes, forest, triangle, heap))
                .collect();
            for (triangle, column) in some.iter().zip(&expanded) {
                self.add(triangle.edge, column);
                if self.alive == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Adds earlier columns until the youngest loop is one that is still alive, and kills it; or
    /// until nothing is left.
    fn add(&mut self, killer: WideEdge, column: &[u32]) {
        column.iter().for_each(|&l| self.working.toggle(l));
        while let Some(pivot) = self.working.last() {
            self.working.toggle(pivot);
            if self.killer[pivot as usize].is_none() {
                self.killer[pivot as usize] = Some(killer);
                self.alive -= 1;
                let mut left = Vec::new();
                while let Some(l) = self.working.last() {
                    self.working.toggle(l);
                    left.push(l);
                }
                self.columns[pivot as usize] = left.into();
                return;
            }
            for &l in &self.columns[pivot as usize] {
                self.working.toggle(l);
            }
        }
    }
}

/// A critical triangle as a set of loops, some of which may be in it twice.
fn expand<L: Lunes>(lunes: &L, forest: &Forest, triangle: &Critical, heap: &mut BinaryHeap<WideEdge>) -> Vec<u32> {
    let mut loops = Vec::new();
    heap.clear();
    let mut add = |heap: &mut BinaryHeap<WideEdge>, p: u32, q: u32| match forest.role((p, q)) {
        Some(MERGE) => {}
        Some(l) => loops.push(l),
        None => heap.push(WideEdge::new(lunes.key(p, q), p, q)),
    };
    let (a, b) = triangle.edge.ends;
    for v in [triangle.apex, triangle.root] {
        add(heap, a, v);
        add(heap, b, v);
    }
    while let Some(edge) = heap.pop() {
        if heap.peek() == Some(&edge) {
            heap.pop();
            continue;
        }
        debug_assert!(edge.key != Key::NO_EDGE);
        // An edge with an empty lune is one of the graph, which `add` has taken.
        let Some(z) = lunes.apex(edge) else { continue };
        add(heap, edge.ends.0, z);
        add(heap, edge.ends.1, z);
    }
    loops
}

/// A set of numbers that knows its largest: bits, and over every 64 words of a level one word that
/// says which of them are not zero.
struct BitTree {
    levels: Vec<Vec<u64>>,
}

impl BitTree {
    fn new(n: usize) -> Self {
        let mut levels = vec![vec![0u64; n.div_ceil(64).max(1)]];
        while let Some(last) = levels.last().filter(|l| l.len() > 1) {
            let above = vec![0; last.len().div_ceil(64)];
            levels.push(above);
        }
        Self { levels }
    }

    #[inline(always)]
    fn toggle(&mut self, number: u32) {
        let mut at = number as usize;
        for level in &mut self.levels {
            let word = &mut level[at / 64];
            let before = *word;
            *word ^= 1 << (at % 64);
            // What is above changes only if a word becomes zero or stops being so.
            if before != 0 && *word != 0 {
                return;
            }
            at /= 64;
        }
    }

    #[inline(always)]
    fn last(&self) -> Option<u32> {
        let mut at = 0usize;
        for level in self.levels.iter().rev() {
            let word = level[at];
            if word == 0 {
                return None;
            }
            at = 64 * at + 63 - word.leading_zeros() as usize;
        }
        Some(at as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn the_tree_knows_its_largest(size in 1u32..20_000, toggles in prop::collection::vec(any::<u32>(), 0..300)) {
            let (mut tree, mut set) = (BitTree::new(size as usize), BTreeSet::new());
            for t in toggles {
                tree.toggle(t % size);
                if !set.remove(&(t % size)) {
                    set.insert(t % size);
                }
                prop_assert_eq!(tree.last(), set.last().copied());
            }
        }
    }
}
