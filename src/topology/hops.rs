//! Distances as numbers of hops in a graph of nearest neighbours.
//!
//! Naitzat, Zhitnikov and Lim ("Topology of deep neural networks", JMLR 21, 2020) measure every
//! layer this way, so that neither the scale nor the density of the layer's points matters.

use crate::error::{Error, Result};
use crate::memory::{gib, short_of};
use crate::topology::cloud::{PointCloud, SparseGraph};
use crate::topology::task::Task;
use rayon::prelude::*;
use std::collections::BinaryHeap;

/// Joins every point with its `k` nearest (itself among them, as scikit-learn counts; ties by
/// index), both ways, and lists all pairs that are at most `most` hops apart, with that number as
/// their length. Pairs that are further apart, or in different pieces of the graph, never get an
/// edge. Naitzat's complex is the one at scale 2, for which `most` = 2 is enough.
///
/// # Errors
/// [`Error::Input`] when `k` is 0 or there are fewer points than that, [`Error::TooLarge`] when the
/// pairs do not fit the memory that is free.
pub fn knn_hops(points: &PointCloud, k: usize, most: Option<u32>) -> Result<SparseGraph> {
    watched(points, k, most, &Task::unwatched())
}

/// [`knn_hops`] for somebody who waits.
///
/// # Errors
/// As [`knn_hops`]; [`Error::Interrupted`] when the task is cancelled.
pub(super) fn watched(points: &PointCloud, k: usize, most: Option<u32>, task: &Task<'_>) -> Result<SparseGraph> {
    let n = points.len();
    if k == 0 || k > n {
        return Err(Error::input(format!("{k} nearest neighbours of {n} points: k must be between 1 and the number of points")));
    }
    let nearest = |i: usize| {
        if i.is_multiple_of(256) {
            task.at("nearest neighbours", i as u64, n as u64)?;
        }
        let x = points.point(i);
        let length = |j: usize| x.iter().zip(points.point(j)).fold(0.0f32, |s, (a, b)| s + (a - b) * (a - b));
        let mut few: BinaryHeap<(u32, u32)> = BinaryHeap::with_capacity(k);
        for j in (0..n).filter(|&j| j != i && k > 1) {
            let other = (length(j).to_bits(), j as u32);
            if few.len() < k - 1 {
                few.push(other);
            } else if few.peek().is_some_and(|farthest| other < *farthest) {
                few.pop();
                few.push(other);
            }
        }
        Ok(few.into_iter().map(|(_, j)| j).collect())
    };
    let mut neighbours: Vec<Vec<u32>> = (0..n).into_par_iter().map(nearest).collect::<Result<_>>()?;
    for i in 0..n {
        for at in 0..k.min(neighbours[i].len() + 1) - 1 {
            let j = neighbours[i][at] as usize;
            neighbours[j].push(i as u32);
        }
    }
    for list in &mut neighbours {
        list.sort_unstable();
        list.dedup();
    }
    let mut walk = Walk::new(n);
    let some = n.min(SAMPLE);
    let pairs: usize = (0..some).map(|i| walk.from(&neighbours, i * n / some, most, |_, _| ())).sum();
    check_room(n, pairs as f64 / some as f64 * n as f64 / 2.0)?;
    // A pair is listed from its larger point.
    let of_point = |walk: &mut Walk, i: usize| {
        let mut found = Vec::new();
        walk.from(&neighbours, i, most, |w, hops| {
            if (w as usize) < i {
                found.push((i as u32, w, hops as f32));
            }
        });
        found
    };
    let edges = (0..n).into_par_iter().with_min_len(64).map_init(|| Walk::new(n), of_point).flatten_iter().collect();
    SparseGraph::new(n, edges)
}

/// Points whose pairs are counted before all are listed.
const SAMPLE: usize = 64;
/// Bytes that a pair takes while the graph is made, and in the lists of neighbours.
const BYTES_OF_PAIR: f64 = 40.0;

/// Refuses more pairs than there is memory for.
fn check_room(points: usize, pairs: f64) -> Result<()> {
    let need = (pairs * BYTES_OF_PAIR) as u64;
    match short_of(need) {
        Some(free) => Err(Error::TooLarge(format!(
            "{points} points have about {pairs:.1e} pairs within so many hops, which take about {:.1} GiB, and {:.1} GiB are free: \
             use a threshold of fewer hops, or fewer points",
            gib(need),
            gib(free)
        ))),
        None => Ok(()),
    }
}

/// Breadth-first walks; their memory is used again.
struct Walk {
    reached: Vec<u32>,
    queue: Vec<u32>,
}

impl Walk {
    fn new(n: usize) -> Self {
        Self { reached: vec![u32::MAX; n], queue: Vec::new() }
    }

    /// Hands over all points within `most` hops of one, with how many they are. Returns their
    /// number.
    fn from(&mut self, neighbours: &[Vec<u32>], start: usize, most: Option<u32>, mut take: impl FnMut(u32, u32)) -> usize {
        self.queue.clear();
        self.queue.push(start as u32);
        self.reached[start] = 0;
        let mut head = 0;
        while let Some(&v) = self.queue.get(head) {
            head += 1;
            let hops = self.reached[v as usize] + 1;
            if most.is_some_and(|most| hops > most) {
                break;
            }
            for &w in &neighbours[v as usize] {
                if self.reached[w as usize] == u32::MAX {
                    self.reached[w as usize] = hops;
                    self.queue.push(w);
                    take(w, hops);
                }
            }
        }
        self.queue.iter().for_each(|&v| self.reached[v as usize] = u32::MAX);
        self.queue.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_points_has_hops_along_it() {
        let line = PointCloud::new(5, 1, vec![0.0, 1.0, 2.0, 3.0, 4.0]).unwrap();
        // k = 2: itself and the nearest other, the lower one of two.
        let graph = knn_hops(&line, 2, Some(2)).unwrap();
        assert_eq!(graph.edges(), &[(1, 0, 1.0), (2, 0, 2.0), (2, 1, 1.0), (3, 1, 2.0), (3, 2, 1.0), (4, 2, 2.0), (4, 3, 1.0)]);
        let all = knn_hops(&line, 2, None).unwrap();
        assert_eq!(all.edges().len(), 10);
        assert!(all.edges().iter().all(|&(i, j, hops)| hops == (i - j) as f32));
        assert!(knn_hops(&line, 1, None).unwrap().edges().is_empty());
        assert!(knn_hops(&line, 6, None).is_err() && knn_hops(&line, 0, None).is_err());
    }
}
