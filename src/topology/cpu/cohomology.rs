//! Persistent cohomology with clearing and apparent pairs, in any dimension: what serves where
//! links do not.
//!
//! Ripser's algorithm (Bauer, J. Appl. Comput. Topol. 5, 2021) on the ranks of edges. Columns are
//! the coboundaries of the simplices of one dimension, made anew whenever they are needed; those
//! whose simplex killed something one dimension below are zero and are left out (clearing); a
//! simplex and its oldest cofacet that enter with the same edge, and are each other's first choice,
//! are a pair of no length and are never stored (apparent pairs).

use super::filtration::Filtration;
use super::links::Adjacency;
use super::neighbours::union;
use crate::error::{Error, Result};
use crate::memory::short_of;
use crate::topology::order::{Edge, Key, entry_of_rank, rank_of_entry};
use crate::topology::task::Task;
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Rank of the longest edge, then the vertices in one word, the largest first: the order of the
/// filtration.
type Simplex = (u32, u64);

/// Keys of birth and death of the classes of one dimension; `None` never dies.
pub(super) type Classes = Vec<(Key, Option<Key>)>;

/// The longest edges of the simplices with which a class begins and ends, and the simplices of a
/// cocycle that stands for it, each by its vertices.
pub(crate) type NamedCocycle = (Edge, Option<Edge>, Vec<Vec<u32>>);

/// Keys of birth and death of every class of dimensions 1 to `max_dim`. All edges of `f` must have
/// ranks.
///
/// # Errors
/// [`Error::TooManyPoints`] when the vertices of a simplex do not fit a word,
/// [`Error::Interrupted`] when the task is cancelled.
pub(super) fn classes(f: &Filtration, max_dim: usize, task: &Task<'_>) -> Result<Vec<Classes>> {
    let mut found = Vec::new();
    reduced(f, max_dim, task, &mut |_, _, reduced| {
        found.push(reduced.ends(f).map(|(birth, death)| (birth.key(), death.map(Edge::key))).collect());
    })?;
    Ok(found)
}

/// Cocycles of every class of dimensions 1 to `max_dim` that lives for a while. All edges of `f`
/// must have ranks.
///
/// A column and those that were added to it are such a cocycle: the coboundary of their sum has
/// nothing that enters before the class dies.
///
/// # Errors
/// As [`classes`].
pub(super) fn cocycles(f: &Filtration, max_dim: usize, task: &Task<'_>) -> Result<Vec<Vec<NamedCocycle>>> {
    let mut found = Vec::new();
    reduced(f, max_dim, task, &mut |complex, dim, reduced| {
        let vertices = |simplex: &Simplex| {
            let v = complex.vertices(simplex.1, dim + 1);
            v.list[..v.count].iter().map(|&v| u32::from(v)).collect()
        };
        let of_column = |(at, (birth, death)): (usize, (Edge, Option<Edge>))| {
            // A column is never among those that were added to it: they are younger.
            let simplices = std::iter::once(&reduced.columns[at]).chain(&reduced.added[at]);
            (death.map(Edge::key) != Some(birth.key())).then(|| (birth, death, simplices.map(vertices).collect()))
        };
        found.push(reduced.ends(f).enumerate().filter_map(of_column).collect());
    })?;
    Ok(found)
}

/// Reduces dimension after dimension, and hands over what each left.
fn reduced(f: &Filtration, max_dim: usize, task: &Task<'_>, take: &mut dyn FnMut(&Complex<'_>, usize, &Reduced)) -> Result<()> {
    let complex = Complex::new(f, max_dim)?;
    // Edges of the spanning forest kill components.
    let mut cleared = complex.forest();
    let mut simplices: Vec<u64> = (0..f.edges.len() as u32).map(|r| complex.edge(r)).collect();
    for dim in 1..=max_dim {
        if dim > 1 {
            simplices = complex.extended(&simplices, dim, task)?;
        }
        let reduced = complex.reduce(&simplices, dim, &cleared, task)?;
        take(&complex, dim, &reduced);
        cleared = reduced.owner;
    }
    Ok(())
}

/// The reduced coboundaries of one dimension.
struct Reduced {
    /// The simplices whose coboundaries were reduced, youngest first.
    columns: Vec<Simplex>,
    /// For every column the others whose coboundaries were added to its own.
    added: Vec<Vec<Simplex>>,
    /// Ranks of the longest edges of what kills them; `None` never dies.
    deaths: Vec<Option<u32>>,
    /// What kills, and the column that it kills.
    owner: HashMap<Simplex, u32>,
}

impl Reduced {
    /// The edges with which every column's class begins and ends.
    fn ends(&self, f: &Filtration) -> impl Iterator<Item = (Edge, Option<Edge>)> {
        self.columns.iter().zip(&self.deaths).map(|(column, death)| (f.edge(column.0), death.map(|rank| f.edge(rank))))
    }
}

/// Bits that number `n` vertices.
fn bits_for(n: usize) -> u32 {
    usize::BITS - n.saturating_sub(1).leading_zeros()
}

/// Refuses what does not fit the words that simplices are kept in.
///
/// # Errors
/// [`Error::TooManyPoints`].
pub(super) fn check_points(n: usize, max_dim: usize) -> Result<()> {
    let most = 1usize << (64 / (max_dim + 2)).min(16);
    if n <= most {
        return Ok(());
    }
    let message = format!("dimension {max_dim} of {n} points: simplices of {} vertices fit up to {most} points", max_dim + 2);
    Err(Error::TooManyPoints { message, most, on_device: false })
}

struct Complex<'a> {
    f: &'a Filtration,
    /// All edges.
    adjacency: Adjacency,
    /// Bits of a vertex.
    bits: u32,
}

/// Vertices of a simplex, the largest first.
#[derive(Clone, Copy)]
struct Vertices {
    list: [u16; 6],
    count: usize,
}

impl<'a> Complex<'a> {
    fn new(f: &'a Filtration, max_dim: usize) -> Result<Self> {
        check_points(f.n, max_dim)?;
        let bits = bits_for(f.n);
        let mut adjacency = Adjacency::new(f.n);
        (0..f.edges.len() as u32).for_each(|r| adjacency.insert(f.ends(r)));
        Ok(Self { f, adjacency, bits })
    }

    /// The edges that merge components.
    fn forest(&self) -> HashMap<Simplex, u32> {
        let mut parent: Vec<u32> = (0..self.f.n as u32).collect();
        let ranks = 0..self.f.edges.len() as u32;
        ranks.filter(|&r| union(&mut parent, self.f.ends(r))).map(|r| ((r, self.edge(r)), 0)).collect()
    }

    fn edge(&self, rank: u32) -> u64 {
        let (i, j) = self.f.ends(rank);
        (i as u64) << self.bits | j as u64
    }

    fn vertices(&self, simplex: u64, count: usize) -> Vertices {
        let mut list = [0; 6];
        let mask = (1 << self.bits) - 1;
        for (place, v) in list[..count].iter_mut().enumerate() {
            *v = (simplex >> (self.bits * (count - 1 - place) as u32) & mask) as u16;
        }
        Vertices { list, count }
    }

    /// Entry of the longest edge.
    fn diameter(&self, v: &Vertices) -> i32 {
        let v = &v.list[..v.count];
        let row = |at: usize| self.f.row(v[at] as usize);
        (1..v.len()).map(|at| v[..at].iter().map(|&w| row(at)[w as usize]).fold(i32::MIN, i32::max)).fold(i32::MIN, i32::max)
    }

    /// The simplex with one more vertex.
    fn with(&self, v: &Vertices, new: u16) -> u64 {
        let larger = v.list[..v.count].partition_point(|&w| w > new);
        let word = |part: &[u16], start: u64| part.iter().fold(start, |word, &w| word << self.bits | u64::from(w));
        word(&v.list[larger..v.count], word(&v.list[..larger], 0) << self.bits | u64::from(new))
    }

    /// The simplex without one of its vertices.
    fn without(&self, v: &Vertices, place: usize) -> Vertices {
        let mut rest = *v;
        rest.list.copy_within(place + 1..v.count, place);
        rest.count -= 1;
        rest
    }

    fn word(&self, v: &Vertices) -> u64 {
        v.list[..v.count].iter().fold(0, |word, &w| word << self.bits | u64::from(w))
    }

    /// Every vertex that is joined to all of a simplex, ascending, with the entry of the longest
    /// edge then. Ascending vertices make ascending cofacets.
    fn cofacets(&self, v: Vertices, diameter: i32) -> impl Iterator<Item = (u16, i32)> {
        let Vertices { list, count } = v;
        (0..self.adjacency.words).flat_map(move |word| {
            let mut common = list[..count].iter().fold(u64::MAX, |all, &w| all & self.adjacency.row(w as usize)[word]);
            std::iter::from_fn(move || {
                if common == 0 {
                    return None;
                }
                let new = word * 64 + common.trailing_zeros() as usize;
                common &= common - 1;
                let row = self.f.row(new);
                Some((new as u16, list[..count].iter().fold(diameter, |d, &w| d.max(row[w as usize]))))
            })
        })
    }

    /// All simplices of dimension `dim` from those one below: each from the one without its largest
    /// vertex.
    fn extended(&self, simplices: &[u64], dim: usize, task: &Task<'_>) -> Result<Vec<u64>> {
        let cofacets = |simplex: u64, found: &mut Vec<u64>| {
            let v = self.vertices(simplex, dim);
            let larger = self.cofacets(v, i32::MIN).filter(|&(new, _)| new > v.list[0]);
            found.extend(larger.map(|(new, _)| self.with(&v, new)));
        };
        of_all(simplices, &format!("simplices of dimension {dim}"), task, cofacets)
    }

    /// The oldest cofacet that enters with the same edge, if any.
    fn oldest_cofacet(&self, v: &Vertices, diameter: i32) -> Option<u64> {
        self.cofacets(*v, diameter).find(|&(_, d)| d == diameter).map(|(new, _)| self.with(v, new))
    }

    /// The youngest facet that enters with the same edge, if any.
    fn youngest_facet(&self, v: &Vertices, diameter: i32) -> Option<Vertices> {
        let facets = (0..v.count).map(|place| self.without(v, place));
        facets.filter(|f| self.diameter(f) == diameter).max_by_key(|f| self.word(f))
    }

    /// The facet that a simplex is apparently paired with.
    fn apparent_facet(&self, v: &Vertices, diameter: i32) -> Option<Vertices> {
        let facet = self.youngest_facet(v, diameter)?;
        (self.oldest_cofacet(&facet, diameter) == Some(self.word(v))).then_some(facet)
    }

    /// Whether a simplex is apparently paired with a cofacet.
    fn has_apparent_cofacet(&self, v: &Vertices, diameter: i32) -> bool {
        let Some(cofacet) = self.oldest_cofacet(v, diameter) else { return false };
        let cofacet = self.vertices(cofacet, v.count + 1);
        self.youngest_facet(&cofacet, diameter).is_some_and(|f| self.word(&f) == self.word(v))
    }

    /// Reduces the coboundaries of the simplices of dimension `dim`, youngest first.
    fn reduce(&self, simplices: &[u64], dim: usize, cleared: &HashMap<Simplex, u32>, task: &Task<'_>) -> Result<Reduced> {
        let count = dim + 1;
        let of_simplex = |word: u64, found: &mut Vec<Simplex>| {
            let v = self.vertices(word, count);
            let diameter = self.diameter(&v);
            let simplex = (rank_of_entry(diameter), word);
            let paired = cleared.contains_key(&simplex)
                || self.apparent_facet(&v, diameter).is_some()
                || self.has_apparent_cofacet(&v, diameter);
            if !paired {
                found.push(simplex);
            }
        };
        let mut columns = of_all(simplices, &format!("pairs of dimension {dim}"), task, of_simplex)?;
        columns.par_sort_unstable_by(|a, b| b.cmp(a));
        let mut deaths = Vec::with_capacity(columns.len());
        let mut owner: HashMap<Simplex, u32> = HashMap::new();
        let mut added: Vec<Vec<Simplex>> = Vec::with_capacity(columns.len());
        let mut heap: BinaryHeap<Reverse<Simplex>> = BinaryHeap::new();
        for (at, &column) in columns.iter().enumerate() {
            if at % 64 == 0 {
                task.at(&format!("columns of dimension {dim}"), at as u64, columns.len() as u64)?;
            }
            heap.clear();
            let mut sum: Vec<Simplex> = Vec::new();
            self.push_coboundary(column, count, &mut heap);
            let mut steps = 0u32;
            let death = loop {
                let Some(pivot) = youngest_cancelled(&mut heap) else { break None };
                steps += 1;
                if steps.is_multiple_of(65_536) {
                    task.at(&format!("columns of dimension {dim}"), at as u64, columns.len() as u64)?;
                }
                if let Some(&other) = owner.get(&pivot) {
                    for &simplex in std::iter::once(&columns[other as usize]).chain(&added[other as usize]) {
                        self.push_coboundary(simplex, count, &mut heap);
                        sum.push(simplex);
                    }
                } else if let Some(facet) = self.apparent_facet(&self.vertices(pivot.1, count + 1), entry_of_rank(pivot.0)) {
                    let facet = (pivot.0, self.word(&facet));
                    self.push_coboundary(facet, count, &mut heap);
                    sum.push(facet);
                } else {
                    owner.insert(pivot, at as u32);
                    break Some(pivot);
                }
            };
            added.push(odd(sum));
            deaths.push(death.map(|d: Simplex| d.0));
        }
        Ok(Reduced { columns, added, deaths, owner })
    }

    fn push_coboundary(&self, simplex: Simplex, count: usize, heap: &mut BinaryHeap<Reverse<Simplex>>) {
        let v = self.vertices(simplex.1, count);
        heap.extend(self.cofacets(v, entry_of_rank(simplex.0)).map(|(new, d)| Reverse((rank_of_entry(d), self.with(&v, new)))));
    }
}

/// Simplices that a thread looks at before it asks whether to go on.
const AT_ONCE: usize = 1 << 10;
/// Simplices that are found before it is asked again how much memory is free.
const CHECKED: u64 = 1 << 22;

/// What `work` finds for every simplex, in order.
///
/// # Errors
/// [`Error::TooLarge`] for more than there is memory for, [`Error::Interrupted`] when the task is
/// cancelled.
fn of_all<T: Send>(simplices: &[u64], what: &str, task: &Task<'_>, work: impl Fn(u64, &mut Vec<T>) + Sync) -> Result<Vec<T>> {
    let (done, made) = (AtomicU64::new(0), AtomicU64::new(0));
    let part = |some: &[u64]| {
        task.at(what, done.fetch_add(some.len() as u64, Relaxed), simplices.len() as u64)?;
        let mut found = Vec::new();
        some.iter().for_each(|&simplex| work(simplex, &mut found));
        let more = found.len() as u64;
        let all = made.fetch_add(more, Relaxed) + more;
        // In the end they are moved into one list.
        if all / CHECKED != (all - more) / CHECKED && short_of(all * size_of::<T>() as u64).is_some() {
            return Err(Error::TooLarge(format!(
                "{what}: there are more than {all}, which do not fit the memory: use a threshold, or fewer points"
            )));
        }
        Ok(found)
    };
    let parts: Vec<Vec<T>> = simplices.par_chunks(AT_ONCE).map(part).collect::<Result<_>>()?;
    let mut all = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    parts.into_iter().for_each(|part| all.extend(part));
    Ok(all)
}

/// The first element that is there an odd number of times; it stays.
fn youngest_cancelled(heap: &mut BinaryHeap<Reverse<Simplex>>) -> Option<Simplex> {
    while let Some(top) = heap.pop() {
        if heap.peek() == Some(&top) {
            heap.pop();
            continue;
        }
        let simplex = top.0;
        heap.push(top);
        return Some(simplex);
    }
    None
}

/// What is there an odd number of times.
fn odd(mut simplices: Vec<Simplex>) -> Vec<Simplex> {
    simplices.sort_unstable();
    simplices.chunk_by(|a, b| a == b).filter(|run| run.len() % 2 == 1).map(|run| run[0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::cloud::{Cloud, DistanceMatrix};
    use crate::topology::cpu::edge_collapse::collapsed;
    use crate::topology::metric::Metric;
    use crate::topology::source::Source;
    use proptest::prelude::*;

    fn bars(classes: &Classes) -> Classes {
        let mut bars: Classes = classes.iter().copied().filter(|&(b, d)| d != Some(b)).collect();
        bars.sort_unstable();
        bars
    }

    proptest! {
        /// Two methods that share nothing but the order of the edges, and edge collapse before one
        /// of them.
        #[test]
        fn cohomology_equals_links(lower in prop::collection::vec(0u16..900, 120..=120), coarse in 1u16..450, collapse: bool) {
            let lower = lower.iter().map(|&d| f32::from(d / coarse)).collect();
            let cloud: Cloud = DistanceMatrix::from_lower(16, lower).unwrap().into();
            let of = || Filtration::of(&Source::from(&cloud), Metric::Precomputed, None, false);
            let links = of().pairs(2, false, &Task::unwatched()).unwrap();
            let mut f = of();
            f.extend(i32::MAX, false);
            if collapse {
                f = collapsed(f, &Task::unwatched()).unwrap();
                f.extend(i32::MAX, false);
            }
            let found = classes(&f, 2, &Task::unwatched()).unwrap();
            for (dim, (found, links)) in found.iter().zip(&links.classes).enumerate() {
                prop_assert_eq!(bars(found), bars(links), "dimension {}", dim + 1);
            }
        }

        /// A cocycle begins with its class, and the first simplex that has an odd number of facets
        /// in it enters when the class dies.
        #[test]
        fn cocycles_live_as_long_as_their_classes(lower in prop::collection::vec(1u16..900, 66..=66), coarse in 1u16..250) {
            let lower = lower.iter().map(|&d| f32::from(d / coarse)).collect();
            let matrix = DistanceMatrix::from_lower(12, lower).unwrap();
            let cloud: Cloud = matrix.clone().into();
            let mut f = Filtration::of(&Source::from(&cloud), Metric::Precomputed, None, false);
            f.extend(i32::MAX, false);
            let want = classes(&f, 2, &Task::unwatched()).unwrap();
            let diameter = |of: &[u32]| {
                let pairs = of.iter().enumerate().flat_map(|(at, &i)| of[..at].iter().map(move |&j| (i, j)));
                pairs.map(|(i, j)| Key::of_length(matrix.between(i as usize, j as usize))).max().unwrap()
            };
            for (dim, (found, want)) in cocycles(&f, 2, &Task::unwatched()).unwrap().into_iter().zip(&want).enumerate() {
                let ends: Classes = found.iter().map(|c| (c.0.key(), c.1.map(Edge::key))).collect();
                prop_assert_eq!(bars(&ends), bars(want));
                for (birth, death, simplices) in found {
                    prop_assert!(simplices.iter().map(|s| diameter(s)).min() == Some(birth.key()));
                    let mut seen = std::collections::HashSet::new();
                    for simplex in &simplices {
                        let mut sorted = simplex.clone();
                        sorted.sort_unstable();
                        prop_assert!(sorted.len() == dim + 2 && seen.insert(sorted));
                    }
                    let mut odd: HashMap<Vec<u32>, u32> = HashMap::new();
                    for simplex in &simplices {
                        for v in (0..12).filter(|v| !simplex.contains(v)) {
                            let mut cofacet = [&simplex[..], &[v]].concat();
                            cofacet.sort_unstable();
                            *odd.entry(cofacet).or_default() += 1;
                        }
                    }
                    let first = odd.iter().filter(|(_, count)| *count % 2 == 1).map(|(s, _)| diameter(s)).min();
                    prop_assert_eq!(first, death.map(Edge::key));
                }
            }
        }
    }
}
