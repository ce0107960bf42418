//! The table of levels: two bytes a pair.

use super::scale::{Level, NO_PAIR, Scale};
use crate::error::Result;
use crate::simd::wide;
use crate::topology::cloud::DistanceMatrix;
use crate::topology::cpu::distances::{BAND, Measured};
use crate::topology::cpu::lunes::Lunes;
use crate::topology::cpu::table::{Table, mirror, smaller_name};
use crate::topology::order::{Entry, Key, NO_PAIR as NO_ENTRY, WideEdge};
use crate::topology::task::Task;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Points all of whose distances are measured to choose the levels.
const SAMPLED: usize = 64;

/// Where lengths come from.
pub(super) enum Lengths<'a> {
    /// Points.
    Points(Measured<'a>),
    /// A matrix.
    Matrix(&'a DistanceMatrix),
}

impl Lengths<'_> {
    fn len(&self) -> usize {
        match self {
            Lengths::Points(points) => points.len(),
            Lengths::Matrix(matrix) => matrix.len(),
        }
    }

    /// The length of one pair.
    fn key(&self, i: usize, j: usize) -> Key {
        let (i, j) = (i.max(j), i.min(j));
        match self {
            _ if i == j => Key::NO_EDGE,
            Lengths::Points(points) => points.key(i, j),
            Lengths::Matrix(matrix) => Key::of_length(matrix.lower()[i * (i - 1) / 2 + j]),
        }
    }

    /// Writes the entries of some points with all points of smaller numbers than `first`, `first +
    /// 1` and so on.
    fn rows(&self, blocks: &[f32], which: impl Iterator<Item = usize> + Clone, first: usize, rows: &mut [Entry]) {
        match self {
            Lengths::Points(points) => points.rows(blocks, which, first, rows),
            Lengths::Matrix(matrix) => {
                let n = matrix.len();
                for ((at, i), row) in (first..).zip(which).zip(rows.chunks_mut(n)) {
                    row[..at.min(n)].iter_mut().enumerate().for_each(|(j, x)| *x = self.key(i, j).entry());
                }
            }
        }
    }
}

/// For every pair the level of its length. What levels leave open is measured again.
pub(super) struct Levels<'a> {
    n: usize,
    rows: Vec<Level>,
    pub scale: Scale,
    lengths: Lengths<'a>,
    /// For some edges `name << 16 | apex`: many columns ask for the same ones.
    apexes: Vec<AtomicU64>,
}

impl<'a> Levels<'a> {
    /// Of all pairs that are not longer than `limit`, or than the distance of one of some sampled
    /// points from the point that is farthest from it: from there on the complex is a cone, and
    /// nothing changes.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] when the task is cancelled.
    pub fn of(lengths: Lengths<'a>, limit: Key, task: &Task<'_>) -> Result<Self> {
        let n = lengths.len();
        let blocks = if let Lengths::Points(points) = &lengths { points.blocks(true) } else { Vec::new() };
        let scale = Self::scale(&lengths, &blocks, limit);
        let mut rows = vec![NO_PAIR; n * n];
        let bands = n.div_ceil(BAND) as u64;
        let entries = || vec![NO_ENTRY; BAND * n];
        let band = |entries: &mut Vec<Entry>, (band, rows): (usize, &mut [Level])| {
            task.at("distances", band as u64, bands)?;
            let first = band * BAND;
            let which = first..first + rows.len() / n;
            lengths.rows(&blocks, which.clone(), first, entries);
            for (i, (row, entries)) in which.zip(rows.chunks_mut(n).zip(entries.chunks(n))) {
                row[..i].iter_mut().zip(entries).for_each(|(level, &entry)| *level = scale.level(Key::of_entry(entry)));
            }
            Ok(())
        };
        rows.par_chunks_mut(BAND * n).enumerate().map_init(entries, band).collect::<Result<()>>()?;
        mirror(&mut rows, n, 0, true);
        let apexes = (0..1u64 << (64 - APEX_SHIFT)).map(|_| AtomicU64::new(u64::MAX)).collect();
        Ok(Self { n, rows, scale, lengths, apexes })
    }

    fn scale(lengths: &Lengths<'_>, blocks: &[f32], limit: Key) -> Scale {
        let n = lengths.len();
        let some = n.min(SAMPLED);
        let which = (0..some).map(|i| i * n / some);
        let mut entries = vec![NO_ENTRY; some * n];
        lengths.rows(blocks, which.clone(), n, &mut entries);
        // A point is at the distance 0 from itself, but no pair with itself.
        which.clone().enumerate().for_each(|(row, i)| entries[row * n + i] = 0);
        let enclosing = entries.chunks(n).filter_map(|row| row.iter().max()).min().map_or(Key::MAX, |&x| Key::of_entry(x));
        which.enumerate().for_each(|(row, i)| entries[row * n + i] = NO_ENTRY);
        // Every pair of points is there twice.
        Scale::new(entries.into_iter().map(Key::of_entry).collect(), limit.min(enclosing), 2.0 * some as f64 / n as f64)
    }

    /// The level of a pair.
    #[inline(always)]
    pub fn level(&self, i: usize, j: usize) -> Level {
        self.rows[i * self.n + j]
    }

    /// An edge with its length.
    pub fn edge(&self, (i, j): (usize, usize)) -> WideEdge {
        WideEdge::new(self.lengths.key(i, j), i as u32, j as u32)
    }

    /// An edge whose length has not been asked for.
    #[inline(always)]
    pub fn unmeasured(&self, ends: (usize, usize)) -> Measurement {
        Measurement { ends, level: self.level(ends.0, ends.1), measured: None }
    }

    /// Whether a point is in the lune of an edge, given the larger level of its two pairs with the
    /// edge's ends. `edge` is measured once, if that is needed.
    #[inline(always)]
    pub fn in_lune(&self, v: usize, larger: Level, edge: &mut Measurement) -> bool {
        if larger != edge.level { larger < edge.level } else { self.in_lune_by_length(v, edge) }
    }

    #[cold]
    fn in_lune_by_length(&self, v: usize, edge: &mut Measurement) -> bool {
        let (a, b) = edge.ends;
        self.before(v, a, edge) && self.before(v, b, edge)
    }

    /// Whether a pair enters before an edge.
    #[inline(always)]
    pub fn before(&self, v: usize, w: usize, edge: &mut Measurement) -> bool {
        let level = self.level(v, w);
        if level != edge.level { level < edge.level } else { self.before_by_length(v, w, edge) }
    }

    #[cold]
    fn before_by_length(&self, v: usize, w: usize, edge: &mut Measurement) -> bool {
        if self.scale.is_one_length(edge.level) {
            return smaller_name((v, w), edge.ends);
        }
        let measured = *edge.measured.get_or_insert_with(|| self.edge(edge.ends));
        self.edge((v, w)) < measured
    }
}

/// An edge that is measured once it has to be.
pub(super) struct Measurement {
    pub ends: (usize, usize),
    pub level: Level,
    pub measured: Option<WideEdge>,
}

impl Table for Levels<'_> {
    type Entry = Level;
    const NO_PAIR: Level = NO_PAIR;

    fn len(&self) -> usize {
        self.n
    }

    #[inline(always)]
    fn row(&self, i: usize) -> &[Level] {
        &self.rows[i * self.n..(i + 1) * self.n]
    }

    fn limit(&self) -> Level {
        NO_PAIR - 1
    }

    fn key(&self, i: usize, j: usize) -> Key {
        self.lengths.key(i, j)
    }

    fn before_its_equal(&self, (p, q): (usize, usize), other: (usize, usize)) -> bool {
        self.before_by_length(p, q, &mut self.unmeasured(other))
    }
}

impl Lunes for Levels<'_> {
    /// The level: columns do not need more.
    fn key(&self, p: u32, q: u32) -> Key {
        Key(u32::from(self.level(p as usize, q as usize)))
    }

    fn apex(&self, edge: WideEdge) -> Option<u32> {
        let (x, y) = edge.ends;
        let name = u64::from(x << 16 | y);
        // A place for every edge, which the last of those that share it has.
        let place = &self.apexes[(name.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> APEX_SHIFT) as usize];
        let known = place.load(Relaxed);
        if known >> 16 == name {
            return Some(known as u32 & 0xffff);
        }
        let apex = wide!(self.nearest_of_lune((x as usize, y as usize)))?;
        place.store(name << 16 | u64::from(apex), Relaxed);
        Some(apex)
    }
}

impl Levels<'_> {
    #[inline(always)]
    fn nearest_of_lune(&self, (x, y): (usize, usize)) -> Option<u32> {
        let (row_x, row_y) = (self.row(x), self.row(y));
        let least = row_x.iter().zip(row_y).map(|(&x, &y)| x.max(y)).fold(NO_PAIR, Level::min);
        let mut edge = self.unmeasured((x, y));
        if least > edge.level {
            return None;
        }
        let mut found = None;
        self.each_up_to((x, y), least, |z| {
            if found.is_none() && self.in_lune(z, least, &mut edge) {
                found = Some(z as u32);
            }
        });
        found
    }

    /// Calls `take` with every point whose pairs with two points are both of no larger level than
    /// `most`.
    #[inline(always)]
    pub fn each_up_to(&self, (x, y): (usize, usize), most: Level, mut take: impl FnMut(usize)) {
        for (chunk, (x, y)) in self.row(x).chunks(CHUNK).zip(self.row(y).chunks(CHUNK)).enumerate() {
            if x.iter().zip(y).fold(false, |any, (&x, &y)| any | (x.max(y) <= most)) {
                for (at, (&x, &y)) in x.iter().zip(y).enumerate() {
                    if x.max(y) <= most {
                        take(chunk * CHUNK + at);
                    }
                }
            }
        }
    }
}

/// Pairs that are looked at in one step.
const CHUNK: usize = 64;
/// Bits of 64 that do not number a place for an edge's apex.
const APEX_SHIFT: u32 = 64 - 20;
