//! The edges of the relative neighbourhood graph that are longer than those on the lists.

use super::cloud::Cloud;
use super::leaves::LEAST;
use super::space::Space;
use super::tree::Node;
use crate::error::Result;
use crate::topology::cpu::lunes::Lunes;
use crate::topology::order::{Key, WideEdge};
use crate::topology::task::Task;
use rayon::prelude::*;

/// Points near to one that are tried as witnesses that an edge from it has a lune that is not
/// empty.
const WITNESSES: usize = 24;

/// The edges with an empty lune that are longer than those on the lists, up to `limit`, in order.
///
/// From every point `a` all boxes of the tree are asked whether they lie on the side of one of its
/// neighbours `c`, seen from the plane in the middle between `a` and `c`, and farther from `a` than
/// `c` does: then `c` is in the lune of every edge into the box. In a dense cloud the boxes around
/// the point's neighbourhood are all that is left of the tree after a few steps down.
///
/// # Errors
/// [`crate::Error::Interrupted`] when the task is cancelled.
pub(super) fn longer_than_listed<const D: usize>(cloud: &Cloud<D>, limit: Key, task: &Task<'_>) -> Result<Vec<WideEdge>> {
    let n = cloud.len();
    let part = |first: usize| {
        task.at("relative neighbours", first as u64, n as u64)?;
        Ok((first..n.min(first + AT_ONCE)).flat_map(|a| from(cloud, a as u32, limit)).collect())
    };
    let found: Vec<Vec<WideEdge>> = (0..n).into_par_iter().step_by(AT_ONCE).map(part).collect::<Result<_>>()?;
    let mut found: Vec<WideEdge> = found.into_iter().flatten().collect();
    found.par_sort_unstable();
    Ok(found)
}

/// Points that one thread looks at before it takes others.
const AT_ONCE: usize = 1024;

/// By how much of their longest two squared distances must differ to be in the same order after
/// rounding.
const ROUNDING: f64 = 2e-6;

/// By how much, at the least, the squared distance of a point of a box to `a` is larger than that
/// to `c`. The difference of the two is linear, so a corner of the box has the least.
#[inline(always)]
fn beyond_middle<const D: usize>(node: &Node<D>, a: &[f32; D], c: &[f32; D]) -> f64 {
    let term = |k: usize| {
        let [low, high, a, c] = [node.low[k], node.high[k], a[k], c[k]].map(f64::from);
        let corner = if c > a { low } else { high };
        (2.0 * (corner - a) - (c - a)) * (c - a)
    };
    (0..D).map(term).sum()
}

/// Those from `a` to points of smaller numbers.
fn from<const D: usize>(cloud: &Cloud<D>, a: u32, limit: Key) -> Vec<WideEdge> {
    let tree = &cloud.tree;
    let place = &tree.points[a as usize];
    let mut found = Vec::new();
    let listed = cloud.listed;
    let list = if listed.is_some() { cloud.list(a) } else { &[] };
    let mut witnesses: Vec<(Key, u32)> = list.iter().take(WITNESSES).map(|n| (n.key(), n.point())).collect();
    if witnesses.len() < WITNESSES / 2 {
        witnesses = tree.nearest_few(a, WITNESSES / 2);
    }
    let witnesses = std::cell::RefCell::new(witnesses);
    let blocked = |node: &Node<D>| {
        let least = node.least_from(place);
        let mut witnesses = witnesses.borrow_mut();
        let most = node.most_from(place).length();
        if most < LEAST {
            return false;
        }
        let margin = ROUNDING * f64::from(most);
        let is = |&(to_a, c): &(Key, u32)| to_a < least && beyond_middle(node, place, &tree.points[c as usize]) > margin;
        let Some(at) = witnesses.iter().position(is) else { return false };
        // What blocks one box blocks the next one, often.
        if at > 0 {
            witnesses.swap(at, at / 2);
        }
        true
    };
    tree.any_leaf(
        |node| {
            let longer = listed.is_none_or(|listed| node.most_from(place) > listed);
            node.first < a && longer && node.least_from(place) <= limit && !blocked(node)
        },
        |leaf| {
            for b in leaf.first..leaf.end.min(a) {
                let k = cloud.key(a, b);
                if k > limit || listed.is_some_and(|listed| k <= listed) {
                    continue;
                }
                let edge = WideEdge::new(k, a, b);
                let seen = witnesses.borrow().iter().any(|&(_, c)| cloud.in_lune(c, &edge));
                if seen {
                    continue;
                }
                match cloud.apex(edge) {
                    None => found.push(edge),
                    Some(z) => {
                        let mut witnesses = witnesses.borrow_mut();
                        witnesses.insert(0, (cloud.key(a, z), z));
                        witnesses.truncate(2 * WITNESSES);
                    }
                }
            }
            false
        },
    );
    found
}
