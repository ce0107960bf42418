//! Edge collapse: a shorter filtration with the same barcode.
//!
//! An edge whose lune has a point joined to all others of it changes nothing when it enters, so it
//! may enter later, or never. After Boissonnat and Pritam (SoCG 2020), in one pass from the longest
//! edge to the shortest (Glisse and Pritam, SoCG 2022). It pays before simplices of dimension 3 are
//! listed; before links it never does, for they hold no simplices.

use super::filtration::Filtration;
use crate::error::Result;
use crate::topology::order::{Entry, NO_PAIR, Rank, entry_of_rank, rank_of_entry};
use crate::topology::task::Task;

/// The same barcode from fewer edges. All edges of `f` must have ranks.
///
/// # Errors
/// [`crate::Error::Interrupted`] when the task is cancelled.
pub(super) fn collapsed(mut f: Filtration, task: &Task<'_>) -> Result<Filtration> {
    let (mut keys, mut edges) = (Vec::new(), Vec::new());
    let mut s = Scratch::default();
    let count = f.edges.len() as u32;
    for rank in (0..count).rev() {
        if rank % 4096 == 0 {
            task.at("edge collapse", u64::from(count - rank), u64::from(count))?;
        }
        let (a, b) = f.ends(rank);
        let entry = match s.enters(&f, a, b, rank) {
            Some(later) => {
                keys.push(f.keys[later as usize]);
                edges.push((a, b));
                entry_of_rank(later)
            }
            None => NO_PAIR,
        };
        f.table[a * f.n + b] = entry;
        f.table[b * f.n + a] = entry;
    }
    Ok(Filtration::of_edges(f.n, &keys, edges.into_iter()))
}

#[derive(Default)]
struct Scratch {
    /// Points of the lune by now.
    lune: Vec<u32>,
    /// Points that enter it later, and when.
    later: Vec<(Entry, u32)>,
}

impl Scratch {
    /// When an edge of this rank has to enter at last: a rank, or never.
    fn enters(&mut self, f: &Filtration, a: usize, b: usize, rank: Rank) -> Option<Rank> {
        let mut now = entry_of_rank(rank);
        self.lune.clear();
        self.later.clear();
        for (c, (&x, &y)) in (0u32..).zip(f.row(a).iter().zip(f.row(b))) {
            let joins = x.max(y);
            if joins <= now {
                self.lune.push(c);
            } else if joins < 0 {
                self.later.push((joins, c)); // has a rank, so it enters
            }
        }
        self.later.sort_unstable();
        let mut next = 0;
        loop {
            let Some(v) = self.dominator(f, now) else { return Some(rank_of_entry(now)) };
            // It dominates until somebody joins who is not joined to it by then.
            let row = f.row(v as usize);
            let at = self.later[next..].iter().position(|&(joins, c)| row[c as usize] > joins)?;
            now = self.later[next + at].0;
            let end = next + self.later[next..].partition_point(|&(joins, _)| joins <= now);
            self.lune.extend(self.later[next..end].iter().map(|&(_, c)| c));
            next = end;
        }
    }

    /// A point of the lune that is joined to all others of it by now.
    fn dominator(&self, f: &Filtration, now: i32) -> Option<u32> {
        // Whoever is not joined to one is often not joined to the next either.
        let mut witness = None;
        for &v in &self.lune {
            let row = f.row(v as usize);
            let alone = |c: u32| row[c as usize] > now && c != v;
            if witness.is_some_and(alone) {
                continue;
            }
            match self.lune.iter().find(|&&c| alone(c)) {
                None => return Some(v),
                Some(&c) => witness = Some(c),
            }
        }
        None
    }
}
