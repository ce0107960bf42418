//! The link of an edge: the flag complex on its lune, at the moment the edge enters.
//!
//! Star of an edge = edge * link, so what an edge does to the homology of the filtration is the
//! reduced homology of its link. An empty link merges two components or opens a loop, `k`
//! components close `k - 1` loops or open voids, and loops in the link close voids. After Koyama,
//! Memoli, Robins and Turner ("Faster computation of degree-1 persistent homology using the reduced
//! Vietoris-Rips filtration", arXiv 2307.16333), who have the first two.

use super::filtration::Filtration;
use super::neighbours::Near;
use crate::simd::wide;
use rayon::prelude::*;
use std::ops::Range;

/// For every vertex the set of its neighbours among the edges entered so far, as rows of bits.
#[derive(Clone)]
pub(super) struct Adjacency {
    /// Words of a row.
    pub words: usize,
    bits: Vec<u64>,
}

impl Adjacency {
    pub fn new(n: usize) -> Self {
        let words = n.div_ceil(64);
        Self { words, bits: vec![0; n * words] }
    }

    #[inline(always)]
    pub fn insert(&mut self, (a, b): (usize, usize)) {
        self.bits[a * self.words + b / 64] |= 1 << (b % 64);
        self.bits[b * self.words + a / 64] |= 1 << (a % 64);
    }

    #[inline(always)]
    pub fn row(&self, v: usize) -> &[u64] {
        &self.bits[v * self.words..(v + 1) * self.words]
    }
}

/// The shape of a link, as far as one look tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// No point at all.
    Empty,
    /// One point is joined with all others: contractible.
    Cone,
    /// In one piece.
    Connected,
    /// In several pieces.
    Split,
}

/// Working memory of [`look`], reused from edge to edge.
#[derive(Default)]
pub(super) struct Scratch {
    rest: Vec<u64>,
    front: Vec<u64>,
    /// One vertex of every component; the first is the one that edges without a column are paired
    /// with.
    pub roots: Vec<u32>,
}

/// Looks at the link of an edge whose shorter edges are in `adjacency`; the roots of its components
/// are left in `s.roots`.
#[inline(always)]
pub(super) fn look(adjacency: &Adjacency, near: &Near, (a, b): (usize, usize), s: &mut Scratch) -> Shape {
    s.roots.clear();
    s.rest.clear();
    s.rest.extend(adjacency.row(a).iter().zip(adjacency.row(b)).map(|(x, y)| x & y));
    if s.rest.iter().fold(0, |any, w| any | w) == 0 {
        return Shape::Empty;
    }
    // Points of a lune are within an edge's length of both ends; one that is close to an end is
    // within little more of them all.
    let inside = |v: &&u32| s.rest[**v as usize / 64] >> (**v % 64) & 1 == 1;
    let nearby = near[a].iter().zip(&near[b]).flat_map(|(v, w)| [v, w]).find(inside).copied();
    let mut next = nearby.or_else(|| first_bit(&s.rest));
    s.front.clear();
    s.front.resize(s.rest.len(), 0);
    let mut star = true;
    while let Some(root) = next {
        s.roots.push(root);
        s.rest[root as usize / 64] &= !(1 << (root % 64));
        let mut open = step(adjacency.row(root as usize), &mut s.rest, &mut s.front);
        star &= !open;
        while open && let Some(v) = first_bit(&s.front) {
            s.front[v as usize / 64] &= !(1 << (v % 64));
            open = step(adjacency.row(v as usize), &mut s.rest, &mut s.front);
        }
        if !open {
            break;
        }
        next = first_bit(&s.rest);
    }
    match s.roots.len() {
        1 if star => Shape::Cone,
        1 => Shape::Connected,
        _ => Shape::Split,
    }
}

/// Moves the neighbours of a vertex from `rest` to `front`. Returns whether anything is left.
#[inline(always)]
fn step(row: &[u64], rest: &mut [u64], front: &mut [u64]) -> bool {
    let mut left = 0;
    for ((&near, rest), front) in row.iter().zip(rest).zip(front) {
        *front |= near & *rest;
        *rest &= !near;
        left |= *rest;
    }
    left != 0
}

#[inline(always)]
fn first_bit(set: &[u64]) -> Option<u32> {
    let word = set.iter().position(|&w| w != 0)?;
    Some(word as u32 * 64 + set[word].trailing_zeros())
}

/// A triangle `{edge, root}` that is paired with neither an edge nor a tetrahedron of its own star.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Critical {
    /// Rank of the edge.
    pub rank: u32,
    /// Root of the component of the link that the edge is paired with.
    pub apex: u32,
    /// Root of this component.
    pub root: u32,
}

/// What the links of a range of edges look like.
#[derive(Default)]
pub(super) struct Looks {
    /// The critical triangles, by rank.
    pub critical: Vec<Critical>,
    /// Edges whose links are in pieces or may hold more than a point: not empty, no cone at first
    /// look. By rank; only if asked for.
    pub open: Vec<u32>,
}

impl Looks {
    #[inline(always)]
    fn of_edges(f: &Filtration, near: &Near, adjacency: &mut Adjacency, ranks: Range<u32>, want_open: bool) -> Self {
        let mut looks = Looks::default();
        let mut s = Scratch::default();
        for rank in ranks {
            let ends = f.ends(rank);
            let shape = look(adjacency, near, ends, &mut s);
            if shape == Shape::Split {
                let apex = s.roots[0];
                looks.critical.extend(s.roots[1..].iter().map(|&root| Critical { rank, apex, root }));
            }
            if want_open && matches!(shape, Shape::Split | Shape::Connected) {
                looks.open.push(rank);
            }
            adjacency.insert(ends);
        }
        looks
    }

    /// Looks at all links of a range of ranks. `adjacency` holds the edges before it, and
    /// afterwards those of it as well.
    pub fn at(
        f: &Filtration,
        near: &Near,
        adjacency: &mut Adjacency,
        ranks: Range<u32>,
        want_open: bool,
        parallel: bool,
    ) -> Self {
        if !parallel {
            return wide!(Self::of_edges(f, near, adjacency, ranks, want_open));
        }
        let parts = in_parts(
            f,
            adjacency,
            ranks,
            #[inline(always)]
            |adjacency, part| Self::of_edges(f, near, adjacency, part, want_open),
        );
        let mut all = Looks::default();
        for part in parts {
            all.critical.extend(part.critical);
            all.open.extend(part.open);
        }
        all
    }
}

/// Runs `work` over a range of ranks in parallel, each part with an adjacency of its own that holds
/// exactly the edges before it. `work` enters the edges of its part.
pub(super) fn in_parts<T: Send>(
    f: &Filtration,
    adjacency: &mut Adjacency,
    ranks: Range<u32>,
    work: impl Fn(&mut Adjacency, Range<u32>) -> T + Sync,
) -> Vec<T> {
    // A few rounds of one part for each thread: every part copies the adjacency and enters what its
    // round has before it.
    let threads = rayon::current_num_threads() as u32;
    let rounds = (ranks.len() as u32 / (threads * 8192)).clamp(1, 4);
    let parts = rounds * threads;
    let cut = |p: u32| ranks.start + (u64::from(ranks.end - ranks.start) * u64::from(p) / u64::from(parts)) as u32;
    let mut found = Vec::new();
    for round in 0..rounds {
        let first = round * threads;
        let before = &*adjacency;
        let mut done: Vec<(T, Option<Adjacency>)> = (first..first + threads)
            .into_par_iter()
            .with_max_len(1)
            .map(|p| {
                let mut mine = before.clone();
                (cut(first)..cut(p)).for_each(|rank| mine.insert(f.ends(rank)));
                let found = wide!(work(&mut mine, cut(p)..cut(p + 1)));
                (found, (p + 1 == first + threads).then_some(mine))
            })
            .collect();
        if let Some(last) = done.last_mut().and_then(|(_, a)| a.take()) {
            *adjacency = last;
        }
        found.extend(done.into_iter().map(|(found, _)| found));
    }
    found
}
