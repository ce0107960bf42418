//! The loops of a link, which close voids.
//!
//! A vertex whose neighbours are all neighbours of another vertex, or that other vertex itself, can
//! be dropped from a flag complex without changing its homotopy type (a strong collapse; Barmak and
//! Minian, arXiv 0907.2954). All that one vertex dominates can go at once, which a few operations
//! on sets of bits find. Links nearly always collapse to a point. What is left of the others is
//! small: its loops come from the same method as those of a cloud.

use super::filtration::Filtration;
use super::links::Adjacency;
use super::loops::Loops;
use super::neighbours::{Forest, Near, nearest, relative_neighbours};
use crate::error::Result;
use crate::topology::order::{NO_PAIR, WideEdge, rank_of_entry};
use crate::topology::task::Task;

/// A closed walk, as the pairs of points that are its edges.
pub(super) type Walk = Vec<(u32, u32)>;

/// Working memory of [`core`].
#[derive(Default)]
pub(super) struct Scratch {
    /// The points of the link that are left.
    left: Vec<u64>,
    /// Those that one of them dominates.
    drop: Vec<u64>,
}

/// What one point does to a link.
enum Absorbed {
    /// It is joined to all others: nothing of interest is left.
    Everything,
    /// Some points went.
    Some,
    /// It dominates nobody.
    Nothing,
}

/// The points of the link of an edge that a strong collapse leaves; `None` when they collapse to
/// one. `adjacency` holds the edges before it.
#[inline(always)]
pub(super) fn core(adjacency: &Adjacency, near: &Near, (a, b): (usize, usize), s: &mut Scratch) -> Option<Vec<u32>> {
    s.left.clear();
    s.left.extend(adjacency.row(a).iter().zip(adjacency.row(b)).map(|(x, y)| x & y));
    // Points near the ends dominate most; then everybody in turn, until all that are left have been
    // asked in vain.
    for &v in near[a].iter().zip(&near[b]).flat_map(|(v, w)| [v, w]) {
        if s.left[v as usize / 64] >> (v % 64) & 1 == 1
            && matches!(absorb(adjacency, v as usize, &mut s.left, &mut s.drop), Absorbed::Everything)
        {
            return None;
        }
    }
    let mut changed = true;
    while changed {
        changed = false;
        for word in 0..s.left.len() {
            let mut bits = s.left[word];
            while bits != 0 {
                let v = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                match absorb(adjacency, v, &mut s.left, &mut s.drop) {
                    Absorbed::Everything => return None,
                    Absorbed::Some => {
                        changed = true;
                        bits &= s.left[word];
                    }
                    Absorbed::Nothing => {}
                }
            }
        }
    }
    let mut points = Vec::new();
    for (word, &bits) in s.left.iter().enumerate() {
        let mut bits = bits;
        while bits != 0 {
            points.push(word as u32 * 64 + bits.trailing_zeros());
            bits &= bits - 1;
        }
    }
    Some(points)
}

/// Drops all that `v` dominates: its neighbours that have no neighbour outside its own.
#[inline(always)]
fn absorb(adjacency: &Adjacency, v: usize, left: &mut [u64], drop: &mut Vec<u64>) -> Absorbed {
    let row = adjacency.row(v);
    drop.clear();
    drop.extend(left.iter().zip(row).map(|(l, r)| l & r));
    let mut outside = false;
    for word in 0..left.len() {
        let mut bits = left[word] & !row[word];
        if word == v / 64 {
            bits &= !(1 << (v % 64));
        }
        while bits != 0 {
            let x = word * 64 + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            outside = true;
            let mut any = 0;
            for (drop, near) in drop.iter_mut().zip(adjacency.row(x)) {
                *drop &= !near;
                any |= *drop;
            }
            if any == 0 {
                return Absorbed::Nothing;
            }
        }
    }
    if !outside {
        return Absorbed::Everything;
    }
    if drop.iter().fold(0, |any, w| any | w) == 0 {
        return Absorbed::Nothing; // it has no neighbours
    }
    left.iter_mut().zip(drop).for_each(|(left, drop)| *left &= !*drop);
    Absorbed::Some
}

/// A basis of the loops of the flag complex on `points` with the edges of ranks below `rank`.
///
/// # Errors
/// [`crate::Error::TooLarge`] when its matrix does not fit.
pub(super) fn loops_of(f: &Filtration, points: &[u32], rank: u32) -> Result<Vec<Walk>> {
    let k = points.len();
    if k < 4 {
        return Ok(Vec::new()); // the shortest loop that is not filled has four edges
    }
    let mut table = vec![NO_PAIR; k * k];
    for (i, &v) in points.iter().enumerate() {
        let row = f.row(v as usize);
        for (j, &w) in points.iter().enumerate().filter(|&(j, _)| j != i) {
            let r = rank_of_entry(row[w as usize]);
            if r < rank {
                table[i * k + j] = r as i32;
            }
        }
    }
    let mut link = Filtration::new(k, table, rank as i32 - 1);
    let near = nearest(&link, false);
    let graph = relative_neighbours(&link, &near, false);
    let forest = Forest::new(k, graph);
    if forest.loops == 0 {
        return Ok(Vec::new());
    }
    let loops = Loops::of(&mut link, &near, forest, false, false, &Task::unwatched())?;
    let alive = (0..loops.forest.loops).filter(|&l| loops.columns.killer[l].is_none());
    let births: Vec<WideEdge> = loops.forest.births().into_iter().map(WideEdge::from).collect();
    let tree = SpanningForest::new(k, loops.forest.merges().map(|e| WideEdge::from(e).ends));
    let of_points = |(i, j): (u32, u32)| (points[i as usize], points[j as usize]);
    Ok(alive.map(|l| tree.cycle(births[l].ends).into_iter().map(of_points).collect()).collect())
}

/// The minimum spanning forest, to walk along.
pub(super) struct SpanningForest {
    parent: Vec<u32>,
    depth: Vec<u32>,
}

impl SpanningForest {
    /// Of the edges that merge components.
    pub fn new(n: usize, merges: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut neighbours = vec![Vec::new(); n];
        for (i, j) in merges {
            neighbours[i as usize].push(j);
            neighbours[j as usize].push(i);
        }
        let (mut parent, mut depth) = (vec![u32::MAX; n], vec![0; n]);
        let mut stack = Vec::new();
        for root in 0..n as u32 {
            if parent[root as usize] != u32::MAX {
                continue;
            }
            parent[root as usize] = root;
            stack.push(root);
            while let Some(v) = stack.pop() {
                for &w in &neighbours[v as usize] {
                    if parent[w as usize] == u32::MAX {
                        parent[w as usize] = v;
                        depth[w as usize] = depth[v as usize] + 1;
                        stack.push(w);
                    }
                }
            }
        }
        Self { parent, depth }
    }

    /// The edge, and the way in the forest from one of its ends to the other.
    pub fn cycle(&self, (mut a, mut b): (u32, u32)) -> Walk {
        let mut walk = vec![(a, b)];
        while a != b {
            if self.depth[a as usize] < self.depth[b as usize] {
                (a, b) = (b, a);
            }
            walk.push((a, self.parent[a as usize]));
            a = self.parent[a as usize];
        }
        walk
    }
}
