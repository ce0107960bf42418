//! Dimension 1: which edge kills which loop.
//!
//! Only critical triangles need a column. The boundaries of `{e, root}` and `{e, apex}` together
//! are four edges. An edge of the minimum spanning forest bounds nothing and is dropped, one that
//! opens a loop stays. Every other edge `{x, y}` equals `{x, z} + {y, z}` up to a boundary, for any
//! point `z` of its lune, so a column becomes a set of loops: a short row of bits.

use super::filtration::Filtration;
use super::links::{Adjacency, Critical, Looks};
use super::neighbours::{Forest, Near};
use super::reduction::Columns;
use crate::error::Result;
use crate::simd::wide;
use crate::topology::order::entry_of_rank;
use crate::topology::task::Task;
use rayon::prelude::*;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A number below [`LOOP`] is a point of the edge's lune that has been chosen to replace it by.
const UNSEEN: u32 = u32::MAX;
/// It merges two components.
const MERGE: u32 = u32::MAX - 1;
/// It opens the loop of number `role - LOOP`.
const LOOP: u32 = 1 << 31;

/// The loops of a cloud, and what killed them.
pub(super) struct Loops {
    /// What the edges of the relative neighbourhood graph do.
    pub forest: Forest,
    /// The reduced columns; killers are ranks.
    pub columns: Columns,
    /// Edges that have been looked at.
    pub looked_at: u32,
    /// The critical triangles of those edges, by rank.
    pub critical: Vec<Critical>,
    /// For each of them, whether it killed a loop. Those that did not open a void.
    pub killed: Vec<bool>,
    /// Of those edges the ones whose links may hold more than a point, if asked for.
    pub open: Vec<u32>,
    /// What each of those edges does, by rank.
    roles: Vec<AtomicU32>,
    /// Edges of the forest that have their rank.
    placed: usize,
}

impl Loops {
    /// Goes through the edges in blocks: to the last death, or, with `voids`, to the end.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] when the task is cancelled.
    pub fn of(f: &mut Filtration, near: &Near, forest: Forest, voids: bool, parallel: bool, task: &Task<'_>) -> Result<Self> {
        let births = forest.births();
        let mut me = Self {
            columns: Columns::new(births.len())?,
            forest,
            looked_at: 0,
            critical: Vec::new(),
            killed: Vec::new(),
            open: Vec::new(),
            roles: Vec::new(),
            placed: 0,
        };
        let mut adjacency = Adjacency::new(f.n);
        let mut scratch = Expansion::default();
        // The last loop is born before it dies.
        task.stage("sort", || f.extend(births.last().map_or(0, |e| e.key().entry()), parallel));
        let mut end = f.edges.len();
        while voids || !me.columns.all_dead() {
            task.at("edges", u64::from(me.looked_at), (f.n * f.n / 2) as u64)?;
            let block = me.looked_at..end as u32;
            me.looked_at = block.end;
            me.place_forest(f);
            let looks = task.stage("links", || Looks::at(f, near, &mut adjacency, block, voids, parallel));
            task.stage("loops", || me.reduce(f, &looks.critical, parallel, &mut scratch));
            me.critical.extend(looks.critical);
            me.open.extend(looks.open);
            if end == f.edges.len() && f.complete() {
                break;
            }
            // Most loops die soon after the last is born. Edges are cheaper to rank than to look
            // at, and to find them is to go through the whole table: so they are ranked further
            // ahead.
            end += if voids { f.n * f.n } else { (end / 5).max(64) };
            if end > f.edges.len() {
                let upto = if voids { i32::MAX } else { f.key_after(2 * end) };
                task.stage("sort", || f.extend(upto, parallel));
            }
            end = end.min(f.edges.len());
        }
        me.killed.resize(me.critical.len(), false);
        Ok(me)
    }

    /// Gives the edges of the relative neighbourhood graph that have ranks by now their roles.
    fn place_forest(&mut self, f: &Filtration) {
        let first = self.roles.len();
        self.roles.resize_with(f.edges.len(), || AtomicU32::new(UNSEEN));
        for (&e, role) in f.edges[first..].iter().zip(&mut self.roles[first..]) {
            if self.forest.edges.get(self.placed).is_some_and(|next| next.name() == e) {
                *role.get_mut() = self.forest.opens[self.placed].map_or(MERGE, |l| LOOP + l);
                self.placed += 1;
            }
        }
    }

    /// Expands and reduces the columns of a block.
    fn reduce(&mut self, f: &Filtration, critical: &[Critical], parallel: bool, scratch: &mut Expansion) {
        let words = self.columns.words();
        if self.columns.all_dead() || words == 0 {
            return;
        }
        let roles = &self.roles;
        let columns = &mut self.columns;
        let killed = &mut self.killed;
        let mut rest = critical;
        while !rest.is_empty() && !columns.all_dead() {
            // Few columns are not worth sharing, and none is needed after the last death: no more
            // at once than may well be.
            let (some, later) = rest.split_at(rest.len().min((2 * columns.alive()).clamp(32, 512)));
            rest = later;
            if !parallel || some.len() < 64 {
                wide!({
                    for triangle in some {
                        scratch.expand(f, roles, triangle, words);
                        killed.push(columns.reduce(triangle.rank, &mut scratch.column).is_some());
                        if columns.all_dead() {
                            break;
                        }
                    }
                });
                continue;
            }
            let mut bits = vec![0u64; some.len() * words];
            bits.par_chunks_mut(words).zip(some).with_min_len(16).for_each_init(Expansion::default, |s, (column, triangle)| {
                wide!(s.expand(f, roles, triangle, words));
                column.copy_from_slice(&s.column);
            });
            wide!({
                for (column, triangle) in bits.chunks_mut(words).zip(some) {
                    killed.push(columns.reduce(triangle.rank, column).is_some());
                    if columns.all_dead() {
                        break;
                    }
                }
            });
        }
    }
}

/// Working memory for one column at a time.
#[derive(Default)]
struct Expansion {
    heap: BinaryHeap<u32>,
    column: Vec<u64>,
}

impl Expansion {
    /// Writes a critical triangle as a set of loops into `self.column`.
    #[inline(always)]
    fn expand(&mut self, f: &Filtration, roles: &[AtomicU32], triangle: &Critical, words: usize) {
        self.column.clear();
        self.column.resize(words, 0);
        self.heap.clear();
        let (a, b) = f.ends(triangle.rank);
        for (v, w) in [(a, triangle.apex), (b, triangle.apex), (a, triangle.root), (b, triangle.root)] {
            self.add(roles, f.rank(v, w as usize));
        }
        while let Some(rank) = self.heap.pop() {
            if self.heap.peek() == Some(&rank) {
                self.heap.pop();
                continue;
            }
            let (x, y) = f.ends(rank);
            let role = &roles[rank as usize];
            let mut apex = role.load(Relaxed);
            if apex == UNSEEN {
                apex = nearest_of_lune(f, x, y, rank);
                role.store(apex, Relaxed); // whoever else does this stores the same
            }
            self.add(roles, f.rank(x, apex as usize));
            self.add(roles, f.rank(y, apex as usize));
        }
    }

    #[inline(always)]
    fn add(&mut self, roles: &[AtomicU32], rank: u32) {
        match roles[rank as usize].load(Relaxed) {
            MERGE => {}
            role if !(LOOP..UNSEEN).contains(&role) => self.heap.push(rank),
            role => self.column[(role - LOOP) as usize / 64] ^= 1 << ((role - LOOP) % 64),
        }
    }
}

/// The point of an edge's lune whose longer edge is shortest: replacing by it leads fastest to
/// short edges.
#[inline(always)]
pub(super) fn nearest_of_lune(f: &Filtration, x: usize, y: usize, rank: u32) -> u32 {
    let longer = || f.row(x).iter().zip(f.row(y)).map(|(&x, &y)| x.max(y));
    let least = longer().fold(i32::MAX, i32::min);
    debug_assert!(least < entry_of_rank(rank), "the lune is empty");
    longer().position(|l| l == least).unwrap_or(0) as u32
}
