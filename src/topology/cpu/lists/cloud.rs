//! Points of few dimensions: lists of neighbours by a k-d tree, up to a length that can grow.

use super::leaves::LEAST;
use super::space::{Neighbour, Space, before};
use super::tree::{LEAF, Node, Tree, key};
use crate::simd::wide;
use crate::topology::cpu::lunes::Lunes;
use crate::topology::order::{Key, WideEdge};
use rayon::prelude::*;

/// Points whose lists are made by one thread at a time, and lie together.
const AT_ONCE: usize = 1 << 12;

/// Points of few dimensions, no two of them equal, numbered in the order of a tree.
pub(super) struct Cloud<const D: usize> {
    pub tree: Tree<D>,
    /// Lists hold the edges up to here; `None`: there are no lists yet.
    pub listed: Option<Key>,
    lists: Vec<Vec<Neighbour>>,
    /// For every point where its list ends among those that lie together.
    ends: Vec<u32>,
}

impl<const D: usize> Cloud<D> {
    pub fn new(tree: Tree<D>) -> Self {
        let n = tree.points.len();
        Self { tree, listed: None, lists: Vec::new(), ends: vec![0; n] }
    }

    /// Makes the lists anew, of all edges up to a length.
    pub fn list_up_to(&mut self, limit: Key) {
        self.lists = Vec::new();
        let tree = &self.tree;
        self.lists = self
            .ends
            .par_chunks_mut(AT_ONCE)
            .enumerate()
            .with_max_len(1)
            .map(|(part, ends)| wide!(lists_of(tree, part * AT_ONCE, ends, limit)))
            .collect();
        self.listed = Some(limit);
    }

    /// Whether a point is in the lune of an edge.
    #[inline(always)]
    pub fn in_lune(&self, z: u32, edge: &WideEdge) -> bool {
        let (a, b) = edge.ends;
        // The ends themselves are not: one is at distance 0 from itself, the other as far as the
        // edge is long.
        z != a && z != b && before(self.key(a, z), a, z, edge) && before(self.key(b, z), b, z, edge)
    }

    /// [`Space::apex`] of an edge that is on no list.
    fn apex_by_tree(&self, edge: &WideEdge) -> Option<u32> {
        let (a, b) = edge.ends;
        let (pa, pb) = (&self.tree.points[a as usize], &self.tree.points[b as usize]);
        // The middle of an edge is where the longer of the two is shortest.
        let middle: [f32; D] = std::array::from_fn(|k| pa[k].midpoint(pb[k]));
        let mut best = None;
        let mut bound = edge.key;
        let longer = |z: u32| self.key(a, z).max(self.key(b, z));
        if let Some((_, z)) = self.tree.nearest(&middle, Key::MAX)
            && self.in_lune(z, edge)
        {
            bound = longer(z);
            best = Some(z);
        }
        let bound = std::cell::Cell::new(bound);
        self.tree.any_leaf(
            |node| node.least_from(pa).max(node.least_from(pb)) <= bound.get(),
            |leaf| {
                for z in leaf.first..leaf.end {
                    let k = longer(z);
                    if (k < bound.get() || (k == bound.get() && best.is_none())) && self.in_lune(z, edge) {
                        bound.set(k);
                        best = Some(z);
                    }
                }
                false
            },
        );
        best
    }
}

/// The lists of the points from `first` on, one after the other; `ends` takes where each ends.
#[inline(always)]
fn lists_of<const D: usize>(tree: &Tree<D>, first: usize, ends: &mut [u32], limit: Key) -> Vec<Neighbour> {
    let mut lists = Vec::new();
    let mut leaves: Vec<(u32, u32)> = Vec::new();
    for (group, ends) in ends.chunks_mut(LEAF).enumerate() {
        let first = first + group * LEAF;
        let points = &tree.points[first..first + ends.len()];
        let around = Node::around(points.iter(), first as u32);
        leaves.clear();
        tree.any_leaf(
            |node| node.least(&around) <= limit,
            |leaf| {
                match leaves.last_mut() {
                    Some(last) if last.1 == leaf.first => last.1 = leaf.end,
                    _ => leaves.push((leaf.first, leaf.end)),
                }
                false
            },
        );
        for ((p, place), end) in (first as u32..).zip(points).zip(ends) {
            let start = lists.len();
            for &(first, end) in &leaves {
                for (q, other) in (first..end).zip(&tree.points[first as usize..end as usize]) {
                    let k = key(place, other);
                    if k <= limit && q != p {
                        lists.push(Neighbour::new(k, q));
                    }
                }
            }
            lists[start..].sort_unstable();
            *end = lists.len() as u32;
        }
    }
    lists.shrink_to_fit();
    lists
}

impl<const D: usize> Lunes for Cloud<D> {
    #[inline(always)]
    fn key(&self, p: u32, q: u32) -> Key {
        key(&self.tree.points[p as usize], &self.tree.points[q as usize])
    }

    fn apex(&self, edge: WideEdge) -> Option<u32> {
        if self.listed.is_none_or(|listed| edge.key > listed) {
            return self.apex_by_tree(&edge);
        }
        let (mut x, mut y) = edge.ends;
        if self.list(x).len() > self.list(y).len() {
            (x, y) = (y, x);
        }
        let mut best = (Key::MAX, None);
        for n in self.list(x) {
            if n.key() > edge.key || n.key() >= best.0 {
                break;
            }
            let other = self.key(y, n.point());
            let longer = n.key().max(other);
            if longer < best.0 && before(n.key(), x, n.point(), &edge) && before(other, y, n.point(), &edge) {
                best = (longer, Some(n.point()));
            }
        }
        best.1
    }
}

impl<const D: usize> Space for Cloud<D> {
    const ASCENDING: bool = true;

    fn len(&self) -> usize {
        self.tree.points.len()
    }

    #[inline(always)]
    fn list(&self, point: u32) -> &[Neighbour] {
        let (part, at) = (point as usize / AT_ONCE, point as usize);
        let start = if at % AT_ONCE == 0 { 0 } else { self.ends[at - 1] };
        &self.lists[part][start as usize..self.ends[at] as usize]
    }

    /// The points that are within the length `r` of all of the lune of an edge from `a` to `b` fill
    /// a spindle between its ends. For the one of them in question let `|za|` and `|zb|` be its
    /// distances from the ends, and `y` its distance from the line through them. The point of the
    /// lune that is farthest from it is the one opposite, at `r` from both ends: on the spheres
    /// around `a` and `b` that bound the lune, the distance from `z` grows with the angle to it.
    /// Its squared distance is `r^2 / 2 + (|za|^2 + |zb|^2) / 2 + sqrt(3) r y`, which is below
    /// `r^2` if and only if `t = r^2 - |za|^2 - |zb|^2` is positive and `12 (r y)^2 < t^2`. The
    /// ball of radius `(1 - sqrt(3) / 2) r` around the middle of the edge is the part of it that is
    /// known best; it is a third of the spindle.
    ///
    /// Keys are rounded: 3 roundings in each of at most 3 terms are less than `1e-6` of them. What
    /// is asked for is therefore more than the formula says.
    #[inline(always)]
    fn covers(edge: Key, to_a: Key, to_b: Key) -> bool {
        let [r, a, b] = [edge, to_a, to_b].map(|k| f64::from(k.length()));
        let t = r - a - b - 2e-5 * r;
        let along = a + r - b;
        // Its square root is of the order of what it is the square of.
        let across = a * r - along * along / 4.0 + 4e-6 * r * r;
        t > 0.0 && 12.0 * across < t * t && edge.length() > LEAST
    }
}
