//! Links of edges, from the lists of their ends.
//!
//! The edges at one point are looked at together: the point's neighbours are marked with their
//! lengths once, and the lune of each edge is what the list of its other end has in common with the
//! marks. No edge needs a rank, so nothing is sorted beyond the lists, and the edges may be looked
//! at in any order.

use super::space::{Space, before};
use crate::error::{Error, Result};
use crate::memory::short_of;
use crate::topology::cpu::columns::Critical;
use crate::topology::order::{Key, WideEdge};
use crate::topology::task::Task;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What the links of some edges look like.
#[derive(Default)]
pub(super) struct Looks {
    /// Edges whose lune is empty, in order.
    pub empty: Vec<WideEdge>,
    /// The critical triangles, in the order of their edges.
    pub critical: Vec<Critical>,
}

impl Looks {
    /// Brings both lists in order.
    pub fn sort(&mut self) {
        self.empty.par_sort_unstable();
        self.critical.par_sort_unstable();
    }

    /// Takes what another one has found.
    pub fn extend(&mut self, other: Self) {
        self.empty.extend(other.empty);
        self.critical.extend(other.critical);
    }
}

/// Points whose edges one thread looks at before it takes others.
const AT_ONCE: usize = 1024;
/// Critical triangles after which it is asked again how much memory is free.
const CHECKED: u64 = 1 << 20;

/// Looks at all edges on the lists that are longer than `above`, or of any length.
///
/// # Errors
/// [`Error::TooLarge`] for more critical triangles than there is memory for, [`Error::Interrupted`]
/// when the task is cancelled.
pub(super) fn look_at<S: Space>(space: &S, above: Option<Key>, task: &Task<'_>) -> Result<Looks> {
    let parts = space.len().div_ceil(AT_ONCE);
    let count = AtomicU64::new(0);
    let part = |s: &mut Scratch, part: usize| {
        task.at("links", part as u64, parts as u64)?;
        let mut looks = Looks::default();
        for a in part * AT_ONCE..((part + 1) * AT_ONCE).min(space.len()) {
            s.edges_at(space, a as u32, above, &mut looks);
        }
        let more = looks.critical.len() as u64;
        let all = count.fetch_add(more, Relaxed) + more;
        let checked = all / CHECKED != (all - more) / CHECKED;
        if checked && short_of(3 * all * size_of::<Critical>() as u64).is_some() {
            return Err(Error::TooLarge(format!(
                "more than {all} edges have links in pieces, which do not fit the memory: use a threshold"
            )));
        }
        Ok(looks)
    };
    // Marks are as many as points, so a thread makes its own only a few times.
    let few = parts.div_ceil(8 * rayon::current_num_threads());
    let found: Vec<Looks> =
        (0..parts).into_par_iter().with_min_len(few).map_init(|| Scratch::new(space.len()), part).collect::<Result<_>>()?;
    let mut all = Looks::default();
    found.into_iter().for_each(|looks| all.extend(looks));
    all.sort();
    Ok(all)
}

/// Working memory, reused from edge to edge.
struct Scratch {
    /// How far every point is from the one whose edges are looked at.
    marks: Vec<Key>,
    rest: Vec<u32>,
    front: Vec<u32>,
}

impl Scratch {
    fn new(n: usize) -> Self {
        Self { marks: vec![Key::NO_EDGE; n], rest: Vec::new(), front: Vec::new() }
    }

    /// Looks at the edges from `a` to points with shorter lists, or lists as long and smaller
    /// numbers: so every edge costs no more than the shorter of two lists.
    fn edges_at<S: Space>(&mut self, space: &S, a: u32, above: Option<Key>, looks: &mut Looks) {
        let list = space.list(a);
        for n in list {
            self.marks[n.point() as usize] = n.key();
        }
        let size = (list.len(), a);
        for n in list {
            let b = n.point();
            if above.is_some_and(|above| n.key() <= above) || (space.list(b).len(), b) > size {
                continue;
            }
            self.look(space, a, b, WideEdge::new(n.key(), a, b), looks);
        }
        for n in list {
            self.marks[n.point() as usize] = Key::NO_EDGE;
        }
    }

    #[inline(always)]
    fn look<S: Space>(&mut self, space: &S, a: u32, b: u32, edge: WideEdge, looks: &mut Looks) {
        self.rest.clear();
        for n in space.list(b) {
            let (to_b, v) = (n.key(), n.point());
            if to_b > edge.key {
                if S::ASCENDING {
                    break;
                }
                continue;
            }
            let to_a = self.marks[v as usize];
            if to_a <= edge.key && before(to_a, a, v, &edge) && before(to_b, b, v, &edge) {
                if S::covers(edge.key, to_a, to_b) {
                    return;
                }
                self.rest.push(v);
            }
        }
        match self.rest.len() {
            0 => return looks.empty.push(edge),
            1 => return,
            _ => {}
        }
        let mut apex = None;
        while let Some(root) = self.rest.pop() {
            match apex {
                None => apex = Some(root),
                Some(apex) => looks.critical.push(Critical { edge, apex, root }),
            }
            self.front.clear();
            self.front.push(root);
            while let Some(v) = self.front.pop()
                && !self.rest.is_empty()
            {
                let front = &mut self.front;
                self.rest.retain(|&w| {
                    let joined = before(space.key(v, w), v, w, &edge);
                    if joined {
                        front.push(w);
                    }
                    !joined
                });
            }
        }
    }
}
