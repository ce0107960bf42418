//! A k-d tree over points of few dimensions, with bounds that hold for the engine's keys.
//!
//! The key of a pair is the sum of the squared differences of its coordinates, from the first to
//! the last, every step rounded to 32 bits. Rounding never turns an order around, so the same sum
//! over the gaps between two boxes, or over their largest differences, is a bound on the keys of
//! all pairs between them, without any margin.

use crate::topology::order::Key;
use rayon::prelude::*;
use std::collections::BinaryHeap;

/// Points of a leaf at the most.
pub(super) const LEAF: usize = 16;

/// The smallest box around some of the points, which follow each other in the order of the tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<const D: usize> {
    pub low: [f32; D],
    pub high: [f32; D],
    pub first: u32,
    pub end: u32,
}

impl<const D: usize> Node<D> {
    /// Around no point yet.
    pub fn empty() -> Self {
        Self { low: [f32::INFINITY; D], high: [f32::NEG_INFINITY; D], first: 0, end: 0 }
    }

    /// Around points that follow each other from `first` on.
    pub fn around<'a>(points: impl ExactSizeIterator<Item = &'a [f32; D]>, first: u32) -> Self {
        let end = first + points.len() as u32;
        points.fold(Self { first, end, ..Self::empty() }, |mut node, p| {
            node.low.iter_mut().zip(p).for_each(|(low, x)| *low = low.min(*x));
            node.high.iter_mut().zip(p).for_each(|(high, x)| *high = high.max(*x));
            node
        })
    }

    pub fn len(&self) -> usize {
        (self.end - self.first) as usize
    }

    /// No pair of points of two boxes has a smaller key.
    #[inline(always)]
    pub fn least(&self, other: &Self) -> Key {
        let gap = |k: usize| (self.low[k] - other.high[k]).max(other.low[k] - self.high[k]).max(0.0);
        sum::<D>(gap)
    }

    /// No pair of points of two boxes has a larger key.
    #[inline(always)]
    pub fn most(&self, other: &Self) -> Key {
        let far = |k: usize| (self.high[k] - other.low[k]).max(other.high[k] - self.low[k]);
        sum::<D>(far)
    }

    /// No point of the box has a smaller key with this one.
    #[inline(always)]
    pub fn least_from(&self, p: &[f32; D]) -> Key {
        sum::<D>(|k: usize| (self.low[k] - p[k]).max(p[k] - self.high[k]).max(0.0))
    }

    /// No point of the box has a larger key with this one.
    #[inline(always)]
    pub fn most_from(&self, p: &[f32; D]) -> Key {
        sum::<D>(|k: usize| (self.high[k] - p[k]).max(p[k] - self.low[k]))
    }

    /// The middle of the box.
    pub fn centre(&self) -> [f64; D] {
        std::array::from_fn(|k| (f64::from(self.low[k]) + f64::from(self.high[k])) / 2.0)
    }

    /// Half of the diagonal of the box.
    pub fn radius(&self) -> f64 {
        let side = |k: usize| f64::from(self.high[k]) - f64::from(self.low[k]);
        (0..D).map(|k| side(k) * side(k)).sum::<f64>().sqrt() / 2.0
    }
}

/// The key of two points.
#[inline(always)]
pub(super) fn key<const D: usize>(p: &[f32; D], q: &[f32; D]) -> Key {
    sum::<D>(|k: usize| p[k] - q[k])
}

/// The sum of the squares of `D` differences, from the first to the last.
#[inline(always)]
fn sum<const D: usize>(difference: impl Fn(usize) -> f32) -> Key {
    Key((0..D).fold(0.0f32, |s, k| s + difference(k) * difference(k)).to_bits())
}

/// The points in an order in which near ones are near each other, and boxes around them.
pub(super) struct Tree<const D: usize> {
    /// The points, leaf by leaf.
    pub points: Vec<[f32; D]>,
    /// Their numbers where they came from.
    pub numbers: Vec<u32>,
    /// The root, then its two halves, then theirs: those of node `i` are `2 i + 1` and `2 i + 2`.
    nodes: Vec<Node<D>>,
    /// The first leaf.
    leaves: usize,
}

impl<const D: usize> Tree<D> {
    pub fn new(mut points: Vec<([f32; D], u32)>) -> Self {
        let depth = points.len().div_ceil(LEAF).next_power_of_two().trailing_zeros();
        // Two steps more than there are leaves: their quarters lie together as well.
        arrange(&mut points, depth + 2);
        let (points, numbers): (Vec<[f32; D]>, Vec<u32>) = points.into_par_iter().unzip();
        let leaves = 1usize << depth;
        let mut ranges = vec![(0, points.len())];
        for at in 0..leaves - 1 {
            let (first, end) = ranges[at];
            ranges.push((first, half(first, end)));
            ranges.push((half(first, end), end));
        }
        let leaf = |&(first, end): &(usize, usize)| Node::around(points[first..end].iter(), first as u32);
        let of_leaves: Vec<Node<D>> = ranges[leaves - 1..].par_iter().with_min_len(64).map(leaf).collect();
        let mut nodes = vec![Node::empty(); leaves - 1];
        nodes.extend(of_leaves);
        for at in (0..leaves - 1).rev() {
            let (left, right) = (nodes[2 * at + 1], nodes[2 * at + 2]);
            nodes[at] = Node {
                low: std::array::from_fn(|k| left.low[k].min(right.low[k])),
                high: std::array::from_fn(|k| left.high[k].max(right.high[k])),
                first: left.first,
                end: right.end,
            };
        }
        Self { points, numbers, nodes, leaves: leaves - 1 }
    }

    pub fn root(&self) -> usize {
        0
    }

    pub fn node(&self, at: usize) -> &Node<D> {
        &self.nodes[at]
    }

    /// The two halves of a node, unless it is a leaf.
    #[inline(always)]
    pub fn halves(&self, at: usize) -> Option<(usize, usize)> {
        (at < self.leaves).then_some((2 * at + 1, 2 * at + 2))
    }

    /// The smallest box with more than half of `most` points into which a way down from the root
    /// leads that always takes the half closer to a place.
    pub fn around(&self, place: &[f32; D], most: usize) -> &Node<D> {
        let mut at = self.root();
        while let Some((left, right)) = self.halves(at).filter(|_| self.nodes[at].len() > most) {
            at = if self.nodes[left].least_from(place) <= self.nodes[right].least_from(place) { left } else { right };
        }
        &self.nodes[at]
    }

    /// Goes through the leaves that `enter` lets through, with all that is above them, until `at`
    /// says to stop. Returns whether it did.
    #[inline(always)]
    pub fn any_leaf(&self, mut enter: impl FnMut(&Node<D>) -> bool, mut at: impl FnMut(&Node<D>) -> bool) -> bool {
        let (mut stack, mut height) = ([0u32; 64], 1);
        while height > 0 {
            height -= 1;
            let top = stack[height] as usize;
            let node = &self.nodes[top];
            if !enter(node) {
                continue;
            }
            if top >= self.leaves {
                if at(node) {
                    return true;
                }
            } else {
                stack[height] = 2 * top as u32 + 2;
                stack[height + 1] = 2 * top as u32 + 1;
                height += 2;
            }
        }
        false
    }

    /// Goes through the points from near ones to far ones, about, with what `found` makes of them;
    /// no points are looked at whose keys are certainly not below its bound.
    #[inline(always)]
    fn near_first<T>(&self, place: &[f32; D], found: &mut T, bound: impl Fn(&T) -> Key, mut take: impl FnMut(&mut T, Key, u32)) {
        let (mut stack, mut height) = ([(Key(0), 0u32); 64], 1);
        while height > 0 {
            height -= 1;
            let (least, top) = stack[height];
            if least >= bound(found) {
                continue;
            }
            if let Some((left, right)) = self.halves(top as usize) {
                let far = |at: usize| (self.nodes[at].least_from(place), at as u32);
                let (left, right) = (far(left), far(right));
                let (near, far) = if left.0 <= right.0 { (left, right) } else { (right, left) };
                stack[height] = far;
                stack[height + 1] = near;
                height += 2;
                continue;
            }
            let node = &self.nodes[top as usize];
            for p in node.first..node.end {
                take(found, key(place, &self.points[p as usize]), p);
            }
        }
    }

    /// The point nearest to a place, and its key, if it is below `within`.
    pub fn nearest(&self, place: &[f32; D], within: Key) -> Option<(Key, u32)> {
        let mut best = (within, None);
        self.near_first(
            place,
            &mut best,
            |best| best.0,
            |best, k, p| {
                if k < best.0 {
                    *best = (k, Some(p));
                }
            },
        );
        best.1.map(|p| (best.0, p))
    }

    /// How many points are not farther from one of them than `within`, itself among them; no more
    /// are counted than about `most`.
    pub fn count(&self, of: u32, within: Key, most: usize) -> usize {
        let place = &self.points[of as usize];
        let mut count = 0;
        self.any_leaf(
            |node| node.least_from(place) <= within,
            |leaf| {
                let points = &self.points[leaf.first as usize..leaf.end as usize];
                count += points.iter().filter(|p| key(place, p) <= within).count();
                count > most
            },
        );
        count
    }

    /// The `k` nearest other points, the farthest of them first.
    pub fn nearest_few(&self, of: u32, k: usize) -> Vec<(Key, u32)> {
        let mut few: BinaryHeap<(Key, u32)> = BinaryHeap::new();
        let bound = |few: &BinaryHeap<(Key, u32)>| match few.peek() {
            Some(&(key, _)) if few.len() == k => key,
            _ => Key::MAX,
        };
        self.near_first(&self.points[of as usize], &mut few, bound, |few, key, p| {
            if p == of || (few.len() == k && key >= bound(few)) {
                return;
            }
            if few.len() == k {
                few.pop();
            }
            few.push((key, p));
        });
        few.into_vec()
    }
}

/// Where a range is cut into halves.
fn half(first: usize, end: usize) -> usize {
    first.midpoint(end)
}

/// Brings the points in the order of the leaves: halves along the longest side, and so on.
fn arrange<const D: usize>(points: &mut [([f32; D], u32)], depth: u32) {
    if depth == 0 {
        return;
    }
    let node = Node::around(points.iter().map(|(p, _)| p), 0);
    let side = |k: &usize| node.high[*k] - node.low[*k];
    let longest = (0..D).max_by(|a, b| side(a).total_cmp(&side(b))).unwrap_or(0);
    let middle = points.len() / 2;
    if middle < points.len() {
        points.select_nth_unstable_by(middle, |a, b| a.0[longest].total_cmp(&b.0[longest]));
    }
    let (left, right) = points.split_at_mut(middle);
    if left.len() > 1 << 12 {
        rayon::join(|| arrange(left, depth - 1), || arrange(right, depth - 1));
    } else {
        arrange(left, depth - 1);
        arrange(right, depth - 1);
    }
}
