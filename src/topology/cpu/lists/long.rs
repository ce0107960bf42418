//! Edges that are on no list: which of them have links that may be in pieces.
//!
//! Pairs of boxes are looked at from the largest down. For most pairs one point shows that the
//! links of all edges between the two boxes are cones: a point near the middle of both, which every
//! lune then has in its own middle, or a point that is close to all that lies in any of the lunes.
//! Only edges between boxes without such a point are looked at one by one.

use super::cloud::Cloud;
use super::leaves::{Found, Leaves};
use super::links::Looks;
use super::space::{Space, before};
use super::tree::{Node, key};
use crate::error::Result;
use crate::simd::widest;
use crate::topology::cpu::columns::Critical;
use crate::topology::cpu::lunes::Lunes;
use crate::topology::order::{Key, WideEdge};
use crate::topology::task::Task;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A point that is closer to the middle of an edge than this part of its length is within the
/// edge's length of its whole lune: `1 - sqrt(3) / 2`, less a margin for rounding.
pub(super) const MIDDLE: f64 = 0.1338;
/// Where so much of it is left beside the sizes of two boxes, and still no point is found, there is
/// a hole in the middle, and another certificate is tried.
const HALF: f64 = MIDDLE / 2.0;
/// Boxes that are visited to see whether a point is close to all that lies in the lunes of a pair
/// of boxes.
const BUDGET: usize = 400;

/// The edges that no certificate covers, of all pairs of boxes that begin above one length and up
/// to another: where the lengths between two leaves reach from one such range into the next ones,
/// all of their edges belong to the first. Edges on lists are left out. In no order. Nothing, if
/// they are more than `most`.
pub(super) fn open_edges<const D: usize>(
    cloud: &Cloud<D>,
    (above, upto): (Option<Key>, Key),
    longest: Key,
    most: usize,
    task: &Task<'_>,
) -> Result<Option<Vec<WideEdge>>> {
    let listed = cloud.listed.unwrap_or(Key(0));
    let search = Search { cloud, listed, above, upto, longest, rounding: rounding(cloud) };
    // Pairs of boxes that are shared out among threads.
    let mut pairs = vec![(cloud.tree.root(), cloud.tree.root())];
    let wanted = 256 * rayon::current_num_threads();
    for _ in 0..16 {
        if pairs.len() >= wanted {
            break;
        }
        pairs = pairs.into_iter().flat_map(|pair| search.cut(pair)).collect();
    }
    let tasks = pairs.len() as u64;
    let (count, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let open: Vec<Vec<WideEdge>> = pairs
        .into_par_iter()
        .with_max_len(1)
        .map(|pair| {
            let mut found = Found::default();
            if count.load(Relaxed) <= most {
                task.at("boxes", done.fetch_add(1, Relaxed) as u64, tasks)?;
                search.pair(pair, &mut found);
                count.fetch_add(found.open.len(), Relaxed);
            }
            Ok(found.open)
        })
        .collect::<Result<_>>()?;
    Ok((count.into_inner() <= most).then(|| open.into_iter().flatten().collect()))
}

/// How far a place may be from where it should be, when its coordinates are rounded to 32 bits.
fn rounding<const D: usize>(cloud: &Cloud<D>) -> f64 {
    let root = cloud.tree.node(cloud.tree.root());
    let largest = root.low.iter().chain(&root.high).fold(0.0f32, |m, x| m.max(x.abs()));
    f64::from(largest) * f64::from(f32::EPSILON) * 2.0
}

/// The place in the middle of two others.
pub(super) fn middle<const D: usize>(p: &[f64; D], q: &[f64; D]) -> [f32; D] {
    std::array::from_fn(|k| ((p[k] + q[k]) / 2.0) as f32)
}

struct Search<'a, const D: usize> {
    cloud: &'a Cloud<D>,
    /// Edges up to here are on lists.
    listed: Key,
    /// Leaves are looked at whose least key is above this, if it is anything.
    above: Option<Key>,
    /// And not above this.
    upto: Key,
    /// Edges up to here enter.
    longest: Key,
    rounding: f64,
}

impl<const D: usize> Search<'_, D> {
    /// The pairs of boxes that a pair falls into.
    fn cut(&self, (at, bt): (usize, usize)) -> Vec<(usize, usize)> {
        let tree = &self.cloud.tree;
        let (a, b) = (tree.node(at), tree.node(bt));
        match (tree.halves(at), tree.halves(bt)) {
            (None, None) => vec![(at, bt)],
            (Some((l, r)), _) if at == bt => vec![(l, l), (r, l), (r, r)],
            (Some((l, r)), other) if other.is_none() || a.radius() >= b.radius() => vec![(l, bt), (r, bt)],
            (_, Some((l, r))) => vec![(at, l), (at, r)],
            (Some((l, r)), None) => vec![(l, bt), (r, bt)],
        }
    }

    fn pair(&self, (at, bt): (usize, usize), s: &mut Found) {
        let tree = &self.cloud.tree;
        let (a, b) = (tree.node(at), tree.node(bt));
        let (least, most) = (a.least(b), a.most(b));
        if most <= self.listed || self.above.is_some_and(|above| most <= above) || least > self.upto {
            return;
        }
        if at != bt && self.certified(a, b, least, most) {
            return;
        }
        if tree.halves(at).is_none() && tree.halves(bt).is_none() {
            if self.above.is_none_or(|above| least > above) {
                let Search { cloud, listed, longest, rounding, .. } = *self;
                let leaves = Leaves { cloud, listed, longest, rounding, a, b, found: s };
                widest!(leaves.look());
            }
            return;
        }
        for pair in self.cut((at, bt)) {
            self.pair(pair, s);
        }
    }

    /// Whether one point makes the links of all edges between two boxes cones.
    fn certified(&self, a: &Node<D>, b: &Node<D>, least: Key, most: Key) -> bool {
        let tree = &self.cloud.tree;
        let radii = (a.radius(), b.radius());
        let distance = f64::from(least.length()).sqrt();
        // The middle of an edge between the boxes is at most half of both radii from the middle of
        // the boxes, and every edge is at least as long as the distance of the boxes.
        let slack = MIDDLE * distance - (radii.0 + radii.1) / 2.0 - self.rounding;
        if slack <= 0.0 {
            return false;
        }
        let middle = middle(&a.centre(), &b.centre());
        let within = Key(((slack * slack * 0.9999) as f32).to_bits());
        if slack < HALF * distance {
            return tree.nearest(&middle, within).is_some();
        }
        let Some((far, z)) = tree.nearest(&middle, Key::MAX) else { return false };
        far < within || self.covers_all(z, a, b, least, most)
    }

    /// Whether a point is closer to all that lies in the lune of any edge between two boxes than
    /// the shortest of these edges is long, as far as it can be said in a bounded time.
    fn covers_all(&self, z: u32, a: &Node<D>, b: &Node<D>, least: Key, most: Key) -> bool {
        let tree = &self.cloud.tree;
        let place = &tree.points[z as usize];
        if a.most_from(place) >= least || b.most_from(place) >= least {
            return false;
        }
        let mut visited = 0;
        let failed = std::cell::Cell::new(false);
        let open = tree.any_leaf(
            |node| {
                visited += 1;
                failed.set(failed.get() || visited > BUDGET);
                !failed.get() && node.most_from(place) >= least && node.least(a) <= most && node.least(b) <= most
            },
            |leaf| {
                (leaf.first..leaf.end).any(|p| {
                    let p = &tree.points[p as usize];
                    key(p, place) >= least && a.least_from(p) <= most && b.least_from(p) <= most
                })
            },
        );
        !open && !failed.get()
    }
}

/// Looks at the links of edges, which come in order.
pub(super) fn look_at<const D: usize>(cloud: &Cloud<D>, edges: &[WideEdge]) -> Vec<Critical> {
    let look = |edge: &WideEdge| {
        let mut looks = Looks::default();
        look(cloud, edge, &mut looks);
        looks.critical
    };
    edges.par_iter().with_min_len(64).flat_map_iter(look).collect()
}

/// Looks at the link of one edge.
///
/// A point `z` of the lune near the middle is joined to nearly all others. Those that are not fall
/// into pieces, most often one. A piece belongs to the rest if one of its points has a neighbour
/// among those of `z`.
fn look<const D: usize>(cloud: &Cloud<D>, edge: &WideEdge, looks: &mut Looks) {
    let tree = &cloud.tree;
    let (a, b) = edge.ends;
    let (pa, pb) = (&tree.points[a as usize], &tree.points[b as usize]);
    let middle: [f32; D] = std::array::from_fn(|k| pa[k].midpoint(pb[k]));
    let z = match tree.nearest(&middle, edge.key) {
        Some((_, z)) if cloud.in_lune(z, edge) => z,
        _ => match cloud.apex(*edge) {
            Some(z) => z,
            None => return looks.empty.push(*edge),
        },
    };
    if Cloud::<D>::covers(edge.key, cloud.key(a, z), cloud.key(b, z)) {
        return;
    }
    let pz = &tree.points[z as usize];
    let joined = |p: u32, q: u32| before(cloud.key(p, q), p, q, edge);
    let meets = |node: &Node<D>| node.least_from(pa) <= edge.key && node.least_from(pb) <= edge.key;
    let mut apart = Vec::new();
    tree.any_leaf(
        |node| meets(node) && node.most_from(pz) >= edge.key,
        |leaf| {
            apart.extend((leaf.first..leaf.end).filter(|&p| p != z && !joined(p, z) && cloud.in_lune(p, edge)));
            false
        },
    );
    let reached = |&p: &u32| {
        let place = &tree.points[p as usize];
        tree.any_leaf(
            |node| node.least_from(place) <= edge.key && node.least_from(pz) <= edge.key && meets(node),
            |leaf| (leaf.first..leaf.end).any(|q| q != p && q != z && joined(p, q) && joined(q, z) && cloud.in_lune(q, edge)),
        )
    };
    // Each piece of what is left is joined to `z` by the neighbours of one of its points, most
    // likely of one that is near `z`, or not at all.
    let mut piece = Vec::new();
    while let Some(root) = apart.pop() {
        piece.clear();
        piece.push(root);
        let mut at = 0;
        while at < piece.len() && !apart.is_empty() {
            let p = piece[at];
            apart.retain(|&q| {
                let joined = joined(p, q);
                if joined {
                    piece.push(q);
                }
                !joined
            });
            at += 1;
        }
        piece.sort_by_cached_key(|&p| cloud.key(p, z));
        if !piece.iter().any(reached) {
            looks.critical.push(Critical { edge: *edge, apex: z, root });
        }
    }
}
