//! The lune of an edge: the points closer to both of its ends than it is long, all by rank.
//!
//! The flag complex on the lune with shorter edges is the edge's *link* in the complex at the moment the edge enters. An
//! empty link means that the edge merges two components or opens a loop; a link of k components closes k-1 loops or
//! opens voids (Koyama, Memoli, Robins, Turner, "Faster computation of degree-1 persistent homology using the reduced
//! Vietoris-Rips filtration", arXiv 2307.16333).

use super::Filtration;

/// Whether no point has shorter edges to both ends of the edge of this rank. Twin of `shaders/lunes.wgsl`.
pub(super) fn is_empty(f: &Filtration, rank: usize) -> bool {
    let (a, b) = f.ends(rank);
    let r = rank as u32;
    // Most lunes show a point within two dozen candidates: look in small blocks that vectorise.
    let mut blocks = f.row(a).chunks(16).zip(f.row(b).chunks(16));
    !blocks.any(|(x, y)| x.iter().zip(y).fold(false, |hit, (&x, &y)| hit | ((x < r) & (y < r))))
}

/// For every vertex the set of its neighbours among the edges entered so far, as rows of bits.
pub(super) struct Adjacency {
    words: usize,
    bits: Vec<u64>,
}

impl Adjacency {
    pub fn new(n: usize) -> Self {
        let words = n.div_ceil(64);
        Self { words, bits: vec![0; n * words] }
    }

    pub fn insert(&mut self, (a, b): (usize, usize)) {
        self.bits[a * self.words + b / 64] |= 1 << (b % 64);
        self.bits[b * self.words + a / 64] |= 1 << (a % 64);
    }

    fn row(&self, v: usize) -> &[u64] {
        &self.bits[v * self.words..(v + 1) * self.words]
    }
}

/// Working memory of [`components`], reused from edge to edge.
#[derive(Default)]
pub(super) struct Scratch {
    rest: Vec<u64>,
    reached: Vec<u64>,
    stack: Vec<u32>,
    /// One vertex of every component of the lune, ascending. The first is the edge's apex.
    pub roots: Vec<u32>,
}

/// Finds the components of the link of the edge of this rank: the roots are left in `s.roots`.
///
/// `adjacency` holds the edges of rank below `known`; those from `known` up to the edge are looked at one by one, and only
/// where the link seems to fall apart without them. Twin of `shaders/components.wgsl`.
pub(super) fn components(f: &Filtration, adjacency: &Adjacency, known: usize, rank: usize, s: &mut Scratch) {
    let (a, b) = f.ends(rank);
    s.rest.clear();
    if known == rank {
        s.rest.extend(adjacency.row(a).iter().zip(adjacency.row(b)).map(|(x, y)| x & y));
    } else {
        let r = rank as u32;
        let word = |(x, y): (&[u32], &[u32])| {
            x.iter().zip(y).enumerate().fold(0u64, |w, (i, (&x, &y))| w | (u64::from((x < r) & (y < r)) << i))
        };
        s.rest.extend(f.row(a).chunks(64).zip(f.row(b).chunks(64)).map(word));
    }
    s.roots.clear();
    while let Some(root) = first_bit(&s.rest) {
        s.roots.push(root);
        s.reached.clear();
        s.reached.resize(s.rest.len(), 0);
        let mut open = flood(adjacency, root, &mut s.rest, &mut s.reached, &mut s.stack);
        let mut grew = open;
        while grew {
            grew = false;
            for fresh in known..rank {
                let (i, j) = f.ends(fresh);
                for (i, j) in [(i, j), (j, i)] {
                    if open && has(&s.reached, i) && has(&s.rest, j) {
                        open = flood(adjacency, j as u32, &mut s.rest, &mut s.reached, &mut s.stack);
                        grew = open;
                    }
                }
            }
        }
    }
}

/// Moves `from` and all that it reaches out of `rest` into `reached`. Returns whether anything is left.
fn flood(adjacency: &Adjacency, from: u32, rest: &mut [u64], reached: &mut [u64], stack: &mut Vec<u32>) -> bool {
    stack.clear();
    stack.push(from);
    rest[from as usize / 64] &= !(1 << (from % 64));
    reached[from as usize / 64] |= 1 << (from % 64);
    let mut open = rest.iter().any(|&w| w != 0);
    while let (true, Some(v)) = (open, stack.pop()) {
        open = false;
        for (w, (rest, &near)) in rest.iter_mut().zip(adjacency.row(v as usize)).enumerate() {
            let mut hit = near & *rest;
            *rest &= !hit;
            reached[w] |= hit;
            open |= *rest != 0;
            while hit != 0 {
                stack.push(w as u32 * 64 + hit.trailing_zeros());
                hit &= hit - 1;
            }
        }
    }
    open
}

fn has(set: &[u64], v: usize) -> bool {
    set[v / 64] >> (v % 64) & 1 == 1
}

fn first_bit(set: &[u64]) -> Option<u32> {
    set.iter().position(|&w| w != 0).map(|w| w as u32 * 64 + set[w].trailing_zeros())
}
