//! Dimension 2: which edge kills which void.
//!
//! A critical triangle that killed no loop opened a void. A loop `z` in the link of an edge `{a,
//! b}` is a cell with boundary `a z + b z`, triangles all, and may kill one. The largest edge of a
//! triangle is the edge it belongs to, so a triangle is an edge `e` and a point `u` of its lune;
//! unless `u` is the root of its component, the triangle is paired with the tetrahedron `{e, u,
//! p}`, where `p` is the parent of `u` in a breadth-first tree of the link, and is replaced by that
//! one's other faces. This half of the method is our own.

use super::collapse::{self, Walk};
use super::filtration::Filtration;
use super::links::{Adjacency, Critical, in_parts};
use super::loops::nearest_of_lune;
use super::neighbours::Near;
use super::reduction::Columns;
use crate::error::Result;
use crate::simd::wide;
#[cfg(feature = "gpu")]
use crate::topology::order::Key;
use crate::topology::order::{entry_of_rank, rank_of_entry};
use crate::topology::task::Task;
use rayon::prelude::*;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// What is known of the links of all edges.
#[derive(Clone, Copy)]
pub(super) struct Links<'a> {
    /// The critical triangles, by rank.
    pub critical: &'a [Critical],
    /// For each of them, whether it killed a loop.
    pub killed: &'a [bool],
    /// Edges whose links may hold loops, by rank.
    pub open: &'a [u32],
}

/// Keys of birth and death of every void.
///
/// # Errors
/// As [`ranks`].
#[cfg(feature = "gpu")]
pub(super) fn pairs(
    f: &Filtration,
    near: &Near,
    links: Links<'_>,
    parallel: bool,
    task: &Task<'_>,
) -> Result<Vec<(Key, Option<Key>)>> {
    let key = |rank: u32| f.keys[rank as usize];
    Ok(ranks(f, near, links, parallel, task)?.into_iter().map(|(birth, death)| (key(birth), death.map(key))).collect())
}

/// Ranks of birth and death of every void.
///
/// # Errors
/// [`crate::Error::Interrupted`] when the task is cancelled.
pub(super) fn ranks(
    f: &Filtration,
    near: &Near,
    links: Links<'_>,
    parallel: bool,
    task: &Task<'_>,
) -> Result<Vec<(u32, Option<u32>)>> {
    let opens: Vec<&Critical> = links.critical.iter().zip(links.killed).filter(|(_, k)| !**k).map(|(c, _)| c).collect();
    let mut columns = Columns::new(opens.len())?;
    let triangles = Triangles::new(f, near, links);
    let spare = Mutex::default();
    let mut adjacency = Adjacency::new(f.n);
    let mut entered = 0;
    let mut block = 0..0;
    while !columns.all_dead() && block.end < links.open.len() {
        // Blocks of edges whose links are open; a void dies soon after it is born, most of the
        // time.
        let born = opens[columns.deaths.min(opens.len() - 1)].rank;
        let next = links.open.partition_point(|&r| r <= born).max(block.end + block.end / 4 + 256);
        block = block.end..next.min(links.open.len());
        task.at("voids", block.start as u64, links.open.len() as u64)?;
        let ranks = entered..links.open[block.end - 1] + 1;
        entered = ranks.end;
        let open = &links.open[block.clone()];
        let found = task.stage("collapses", || cells(f, near, &mut adjacency, ranks, open, parallel))?;
        task.stage("voids", || reduce(&triangles, &found, &mut columns, &spare, parallel));
    }
    Ok(opens.iter().zip(columns.killer).map(|(c, killer)| (c.rank, killer)).collect())
}

/// A cell that may kill a void: an edge and a loop of its link.
struct Cell {
    rank: u32,
    walk: Walk,
}

/// The cells of the edges in `open`, which lie in the range of ranks that is to be entered into the
/// adjacency.
fn cells(
    f: &Filtration,
    near: &Near,
    adjacency: &mut Adjacency,
    ranks: Range<u32>,
    open: &[u32],
    parallel: bool,
) -> Result<Vec<Cell>> {
    let of_part = |adjacency: &mut Adjacency, part: Range<u32>| -> Result<Vec<Cell>> {
        let (mut found, mut s) = (Vec::new(), collapse::Scratch::default());
        let mut open = open[open.partition_point(|&r| r < part.start)..].iter().peekable();
        for rank in part {
            if open.next_if_eq(&&rank).is_some()
                && let Some(core) = collapse::core(adjacency, near, f.ends(rank), &mut s)
            {
                let walks = collapse::loops_of(f, &core, rank)?;
                found.extend(walks.into_iter().map(|walk| Cell { rank, walk }));
            }
            adjacency.insert(f.ends(rank));
        }
        Ok(found)
    };
    if !parallel {
        return wide!(of_part(adjacency, ranks));
    }
    let parts: Result<Vec<Vec<Cell>>> = in_parts(f, adjacency, ranks, of_part).into_iter().collect();
    Ok(parts?.into_iter().flatten().collect())
}

/// Cells that a thread expands before it looks whether there is other work.
const CELLS: usize = 4;

/// Expands and reduces cells in order. `spare` is working memory, which outlives a block because it
/// knows every edge.
fn reduce(triangles: &Triangles<'_>, cells: &[Cell], columns: &mut Columns, spare: &Mutex<Vec<Expansion>>, parallel: bool) {
    let words = columns.words();
    let take = || spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
    let give_back = |s: Expansion| spare.lock().unwrap_or_else(PoisonError::into_inner).push(s);
    let mut rest = cells;
    while !rest.is_empty() && !columns.all_dead() {
        // No more at once than may well be needed before the last death.
        let most = if parallel { (4 * columns.alive()).clamp(64, 4096) } else { CELLS };
        let (some, later) = rest.split_at(rest.len().min(most));
        rest = later;
        let mut bits = vec![0u64; some.len() * words];
        let expand = |(bits, cells): (&mut [u64], &[Cell])| {
            let mut s = take();
            wide!({
                for (column, cell) in bits.chunks_mut(words).zip(cells) {
                    triangles.expand(cell, column, &mut s);
                }
            });
            give_back(s);
        };
        if parallel && some.len() > CELLS {
            bits.par_chunks_mut(CELLS * words).zip(some.par_chunks(CELLS)).for_each(expand);
        } else {
            expand((&mut bits, some));
        }
        wide!({
            for (column, cell) in bits.chunks_mut(words).zip(some) {
                columns.reduce(cell.rank, column);
            }
        });
    }
}

/// Nothing is known about the link of an edge yet.
const UNSEEN: u32 = u32::MAX;
/// Its link needs a tree.
const TREE: u32 = u32::MAX - 1;
/// Bytes that trees may take before they are forgotten and grown again. To grow them takes most of
/// the time where links are rings, as those of points of SO(3) are: with 8 MiB such a cloud of
/// 1,024 points took 2.2 times as long.
const TREE_BYTES: usize = 128 << 20;

/// Knows what every triangle is paired with.
struct Triangles<'a> {
    f: &'a Filtration,
    near: &'a Near,
    /// The critical triangles, by rank.
    critical: &'a [Critical],
    /// For each of them the void that it opened.
    void: Vec<Option<u32>>,
    /// By rank of an edge: the point that its whole link is joined to, or [`TREE`].
    cones: Vec<AtomicU32>,
    trees: RwLock<HashMap<u32, Arc<Tree>>>,
}

/// Working memory for one column at a time, with the trees that this thread has met.
#[derive(Default)]
struct Expansion {
    heap: BinaryHeap<u64>,
    /// By rank of an edge: one more than the place of its tree, or 0.
    at: Vec<u32>,
    trees: Vec<Arc<Tree>>,
}

impl Expansion {
    #[inline(always)]
    fn tree(&mut self, triangles: &Triangles<'_>, rank: u32) -> &Tree {
        if self.at[rank as usize] == 0 {
            // The threads mostly hold the same trees; in the worst case each holds others.
            if self.trees.len() * 4 * triangles.f.n > TREE_BYTES / rayon::current_num_threads() {
                self.trees.clear();
                self.at.fill(0);
            }
            self.trees.push(triangles.tree(rank));
            self.at[rank as usize] = self.trees.len() as u32;
        }
        &self.trees[self.at[rank as usize] as usize - 1]
    }
}

/// A breadth-first tree of every component of a link.
struct Tree {
    /// By vertex: when it was reached, from 1 on; 0 is outside.
    order: Vec<u16>,
    /// By vertex: from where; a root from itself.
    parent: Vec<u16>,
}

impl<'a> Triangles<'a> {
    fn new(f: &'a Filtration, near: &'a Near, links: Links<'a>) -> Self {
        let mut voids = 0;
        let number = |&killed: &bool| {
            voids += u32::from(!killed);
            (!killed).then(|| voids - 1)
        };
        let cones = (0..f.edges.len()).map(|_| AtomicU32::new(UNSEEN)).collect();
        let void = links.killed.iter().map(number).collect();
        Self { f, near, critical: links.critical, void, cones, trees: RwLock::default() }
    }

    /// The boundary of a cell as a set of voids.
    #[inline(always)]
    fn expand(&self, cell: &Cell, column: &mut [u64], s: &mut Expansion) {
        s.heap.clear();
        s.at.resize(self.f.edges.len(), 0);
        let (a, b) = self.f.ends(cell.rank);
        for &(u, v) in &cell.walk {
            self.add(a, u as usize, v as usize, column, s);
            self.add(b, u as usize, v as usize, column, s);
        }
        while let Some(top) = s.heap.pop() {
            if s.heap.peek() == Some(&top) {
                s.heap.pop();
                continue;
            }
            let (rank, u) = ((top >> 32) as u32, top as usize & 0xffff);
            let (x, y) = self.f.ends(rank);
            let p = match self.cones[rank as usize].load(Relaxed) {
                TREE => {
                    let p = s.tree(self, rank).parent[u] as usize;
                    self.add(x, y, p, column, s);
                    p
                }
                cone => cone as usize, // {x, y, cone} is paired with {x, y}
            };
            self.add(x, u, p, column, s);
            self.add(y, u, p, column, s);
        }
    }

    /// Adds a triangle: dropped if it is paired with an edge or killed a loop, a bit if it opened a
    /// void, else to be replaced.
    #[inline(always)]
    fn add(&self, p: usize, q: usize, r: usize, column: &mut [u64], s: &mut Expansion) {
        let at = |i: usize, j: usize| self.f.table[i * self.f.n + j];
        let (pq, pr, qr) = (at(p, q), at(p, r), at(q, r));
        let (entry, u) = if pq > pr && pq > qr {
            (pq, r)
        } else if pr > qr {
            (pr, q)
        } else {
            (qr, p)
        };
        let rank = rank_of_entry(entry);
        let mut cone = self.cones[rank as usize].load(Relaxed);
        if cone == UNSEEN {
            cone = self.cone_of(rank);
            self.cones[rank as usize].store(cone, Relaxed);
        }
        if cone != TREE {
            if cone != u as u32 {
                s.heap.push(u64::from(rank) << 32 | u as u64);
            }
            return;
        }
        let tree = s.tree(self, rank);
        let (parent, order) = (tree.parent[u] as usize, tree.order[u]);
        if parent != u {
            s.heap.push(u64::from(rank) << 32 | u64::from(order) << 16 | u as u64);
        } else if let Some(at) = self.critical_at(rank).find(|&c| self.critical[c].root == u as u32)
            && let Some(void) = self.void[at]
        {
            column[void as usize / 64] ^= 1 << (void % 64);
        }
    }

    /// The critical triangles of an edge.
    fn critical_at(&self, rank: u32) -> Range<usize> {
        let first = self.critical.partition_point(|c| c.rank < rank);
        let count = self.critical[first..].iter().take_while(|c| c.rank == rank).count();
        first..first + count
    }

    /// A point of the link that is joined to all others of it, if one of those near the edge's ends
    /// is; else [`TREE`].
    #[inline(always)]
    fn cone_of(&self, rank: u32) -> u32 {
        if !self.critical_at(rank).is_empty() {
            return TREE;
        }
        let f = self.f;
        let (x, y) = f.ends(rank);
        let (at_x, at_y, entry) = (f.row(x), f.row(y), entry_of_rank(rank));
        let joined_to_all = |v: u32| {
            let mut rows = at_x.chunks(64).zip(at_y.chunks(64)).zip(f.row(v as usize).chunks(64)).enumerate();
            !rows.any(|(block, ((x, y), z))| {
                let alone = |(i, ((&x, &y), &z)): (usize, ((&i32, &i32), &i32))| {
                    (x.max(y) < entry) & (z >= entry) & (block * 64 + i != v as usize)
                };
                x.iter().zip(y).zip(z).enumerate().fold(false, |any, e| any | alone(e))
            })
        };
        let first = nearest_of_lune(f, x, y, rank);
        let nearby = self.near[x].iter().zip(&self.near[y]).flat_map(|(v, w)| [*v, *w]);
        let inside = nearby.filter(|&v| v != first && at_x[v as usize].max(at_y[v as usize]) < entry);
        std::iter::once(first).chain(inside).find(|&v| joined_to_all(v)).unwrap_or(TREE)
    }

    /// The trees of a link, grown when first asked for.
    fn tree(&self, rank: u32) -> Arc<Tree> {
        if let Some(tree) = self.trees.read().unwrap_or_else(PoisonError::into_inner).get(&rank) {
            return tree.clone();
        }
        let f = self.f;
        let (x, y) = f.ends(rank);
        let entry = entry_of_rank(rank);
        let critical = self.critical_at(rank);
        let roots: Vec<u32> = match self.critical[critical.clone()].first() {
            Some(first) => std::iter::once(first.apex).chain(self.critical[critical].iter().map(|c| c.root)).collect(),
            None => vec![nearest_of_lune(f, x, y, rank)],
        };
        let longer = f.row(x).iter().zip(f.row(y)).map(|(&x, &y)| x.max(y));
        let mut rest: Vec<u32> =
            (0u32..).zip(longer).filter(|&(v, l)| l < entry && !roots.contains(&v)).map(|(v, _)| v).collect();
        let mut tree = Tree { order: vec![0; f.n], parent: vec![u16::MAX; f.n] };
        let mut queue = Vec::with_capacity(rest.len() + roots.len());
        for root in roots {
            tree.parent[root as usize] = root as u16;
            let mut head = queue.len();
            queue.push(root);
            while let Some(&v) = queue.get(head) {
                head += 1;
                tree.order[v as usize] = head as u16;
                let row = f.row(v as usize);
                rest.retain(|&w| {
                    let reached = row[w as usize] < entry;
                    if reached {
                        tree.parent[w as usize] = v as u16;
                        queue.push(w);
                    }
                    !reached
                });
            }
        }
        let tree = Arc::new(tree);
        let mut trees = self.trees.write().unwrap_or_else(PoisonError::into_inner);
        if trees.len() * 4 * f.n > TREE_BYTES {
            trees.clear();
        }
        trees.insert(rank, tree.clone());
        tree
    }
}
