//! The edges between the points of two leaves of the tree: which of them no point covers.
//!
//! There are many such pairs, so this is where long edges take their time. Both leaves are cut into
//! quarters. A point near the middle of two quarters covers all edges between them (Lemma 2 of
//! [`super::long`]), and 16 such pairs are tested with one point in a few vector instructions. The
//! edges that are left are tested one by one, those from one point to a whole leaf at once.

use super::cloud::Cloud;
use super::long::{MIDDLE, middle};
use super::tree::{LEAF, Node, key};
use crate::topology::order::{Key, WideEdge};

/// Points that are tried first, which are those of a box of the tree around the middle of both
/// leaves, and then again, from anywhere near it.
const MOST_TRIED: usize = 64;
/// Points that are tried before the next look at whether anything is left.
const AT_ONCE: usize = 8;
/// What a sum of a few products of 32 bits may be off, as a part of the largest of them, and much
/// more.
const MARGIN: f32 = 2e-5;
/// Squared lengths below this have too few digits to say what is covered.
pub(super) const LEAST: f32 = 1e-35;
/// Quarters of a leaf.
const QUARTERS: usize = 4;
/// Pairs of quarters of two leaves.
const PAIRS: usize = QUARTERS * QUARTERS;

/// Two leaves, and what is asked of them.
pub(super) struct Leaves<'a, const D: usize> {
    pub cloud: &'a Cloud<D>,
    /// Edges up to here are left out.
    pub listed: Key,
    /// Longer edges as well.
    pub longest: Key,
    /// How far a place may be from where it should be.
    pub rounding: f64,
    pub a: &'a Node<D>,
    /// The same one as `a`, or another.
    pub b: &'a Node<D>,
    pub found: &'a mut Found,
}

/// What a thread has found, and its working memory.
#[derive(Default)]
pub(super) struct Found {
    /// Edges that nothing covers.
    pub open: Vec<WideEdge>,
    /// The keys of the edges between two leaves, as lengths: a row for each point of the first one.
    lengths: [[f32; LEAF]; LEAF],
    /// For each point of the first one the points of the second one to which edges are left, as
    /// bits.
    todo: [u32; LEAF],
}

impl<const D: usize> Leaves<'_, D> {
    /// Looks for edges that nothing covers.
    #[inline(always)]
    pub fn look(self) {
        let Self { cloud, listed, longest, rounding, a, b, found } = self;
        let points = &cloud.tree.points;
        let of = |node: &Node<D>| &points[node.first as usize..node.end as usize];
        let (left, right) = (of(a), of(b));
        found.list(left, right, (listed, longest));
        if a.first == b.first {
            found.todo.iter_mut().enumerate().for_each(|(at, todo)| *todo &= (1 << at) - 1);
        }
        if found.is_done() {
            return;
        }
        let middle = middle(&a.centre(), &b.centre());
        let near = cloud.tree.around(&middle, MOST_TRIED);
        if a.first != b.first {
            found.cover_quarters(left, right, of(near), rounding);
        }
        for some in of(near).chunks(AT_ONCE) {
            if found.is_done() {
                return;
            }
            found.cover_edges(left, right, some);
        }
        let longest = f64::from(longest.min(a.most(b)).length()).sqrt();
        let reach = MIDDLE * longest + (a.radius() + b.radius()) / 2.0;
        let within = Key(((reach * reach) as f32).to_bits());
        let mut left_to_try = MOST_TRIED / LEAF;
        cloud.tree.any_leaf(
            #[inline(always)]
            |node| node.least_from(&middle) <= within,
            #[inline(always)]
            |leaf| {
                if !(near.first..near.end).contains(&leaf.first) {
                    found.cover_edges(left, right, of(leaf));
                    left_to_try -= 1;
                }
                left_to_try == 0 || found.is_done()
            },
        );
        for ((p, place), todo) in (a.first..).zip(left).zip(found.todo) {
            let open = (b.first..).zip(right).enumerate().filter(|(at, _)| todo >> at & 1 == 1);
            found.open.extend(open.map(|(_, (q, other))| WideEdge::new(key(place, other), p, q)));
        }
    }
}

/// Where the quarters of a leaf begin and end.
#[inline(always)]
fn quarters(len: usize) -> [(usize, usize); QUARTERS] {
    let half = len / 2;
    [(0, half / 2), (half / 2, half), (half, half.midpoint(len)), (half.midpoint(len), len)]
}

impl Found {
    /// Whether no edge is left.
    #[inline(always)]
    fn is_done(&self) -> bool {
        self.todo.iter().fold(0, |any, t| any | t) == 0
    }

    /// Writes down the edges between two leaves that are longer than one length and not longer than
    /// another.
    #[inline(always)]
    fn list<const D: usize>(&mut self, left: &[[f32; D]], right: &[[f32; D]], (above, upto): (Key, Key)) {
        self.todo = [0; LEAF];
        for ((p, row), todo) in left.iter().zip(&mut self.lengths).zip(&mut self.todo) {
            let mut keys = [Key(0); LEAF];
            keys.iter_mut().zip(right).for_each(|(k, q)| *k = key(p, q));
            *row = keys.map(Key::length);
            *todo = keys[..right.len()].iter().enumerate().fold(0, |set, (at, &k)| set | u32::from(k > above && k <= upto) << at);
        }
    }

    /// Takes off the edges between quarters that one of the points in the middle covers.
    #[inline(always)]
    fn cover_quarters<const D: usize>(&mut self, left: &[[f32; D]], right: &[[f32; D]], tried: &[[f32; D]], rounding: f64) {
        let boxes = |points: &[[f32; D]]| quarters(points.len()).map(|(first, end)| Node::around(points[first..end].iter(), 0));
        let (of_left, of_right) = (boxes(left), boxes(right));
        let mut middles = [[0f32; PAIRS]; D];
        let mut within = [-1f32; PAIRS];
        for (i, a) in of_left.iter().enumerate() {
            for (j, b) in of_right.iter().enumerate() {
                let at = QUARTERS * i + j;
                let radii = a.radius() + b.radius();
                let slack = MIDDLE * f64::from(a.least(b).length()).sqrt() - radii / 2.0 - rounding;
                if slack > 0.0 {
                    within[at] = (slack * slack * 0.9999) as f32;
                }
                let middle = middle(&a.centre(), &b.centre());
                (0..D).for_each(|k| middles[k][at] = middle[k]);
            }
        }
        let mut covered = [0u32; PAIRS];
        for some in tried.chunks(AT_ONCE) {
            for z in some {
                let mut far = [0f32; PAIRS];
                for k in 0..D {
                    far.iter_mut().zip(&middles[k]).for_each(|(far, m)| *far += (m - z[k]) * (m - z[k]));
                }
                for ((far, within), covered) in far.iter().zip(&within).zip(&mut covered) {
                    *covered |= u32::from(far < within);
                }
            }
            if covered.iter().fold(1, |all, c| all & c) == 1 {
                break;
            }
        }
        let (rows, columns) = (quarters(left.len()), quarters(right.len()));
        for (i, row) in rows.into_iter().enumerate() {
            for (j, column) in columns.iter().enumerate() {
                if covered[QUARTERS * i + j] == 1 {
                    let gone = (1u32 << column.1) - (1u32 << column.0);
                    self.todo[row.0..row.1].iter_mut().for_each(|todo| *todo &= !gone);
                }
            }
        }
    }

    /// Takes off the edges whose lunes are covered by one of some points: what
    /// [`Space::covers`](super::space::Space::covers) says, in 32 bits and therefore with a larger
    /// margin, of all edges from one point.
    #[inline(always)]
    fn cover_edges<const D: usize>(&mut self, left: &[[f32; D]], right: &[[f32; D]], tried: &[[f32; D]]) {
        for z in tried {
            let mut to_right = [0f32; LEAF];
            to_right.iter_mut().zip(right).for_each(|(length, q)| *length = key(z, q).length());
            for ((p, row), todo) in left.iter().zip(&self.lengths).zip(&mut self.todo) {
                if *todo == 0 {
                    continue;
                }
                let to_left = key(z, p).length();
                let mut covered = [0u32; LEAF];
                for ((&r, &to_q), covered) in row.iter().zip(&to_right).zip(&mut covered) {
                    // As parts of the edge's length, so that no square overflows or vanishes.
                    let (x, y) = (to_left / r, to_q / r);
                    let t = 1.0 - x - y - MARGIN;
                    let along = x + 1.0 - y;
                    let across = x - along * along / 4.0 + MARGIN;
                    let is = (t > 0.0) & (12.0 * across < t * t) & (r > LEAST);
                    *covered = u32::from(is);
                }
                *todo &= !covered.iter().enumerate().fold(0, |set, (at, is)| set | is << at);
            }
        }
    }
}
