//! Distances as numbers of hops in a graph of nearest neighbours.
//!
//! Naitzat, Zhitnikov and Lim ("Topology of deep neural networks", JMLR 21, 2020) measure every layer this way, so that
//! neither the scale nor the density of the layer's points matters.

use crate::error::{Error, Result};
use crate::topology::{PointCloud, SparseGraph};
use rayon::prelude::*;

/// Joins every point with its `k` nearest (itself among them, as scikit-learn counts; ties by index), both ways, and lists all
/// pairs that are one or two hops apart, with that number as their length. Pairs further apart never get an edge: Naitzat's
/// complex is the one at scale 2.
///
/// # Errors
/// [`Error::Input`] when `k` is 0 or there are fewer points than that.
pub fn knn_hops(points: &PointCloud, k: usize) -> Result<SparseGraph> {
    let n = points.len();
    if k == 0 || k > n {
        return Err(Error::input(format!("{k} nearest neighbours of {n} points: k must be between 1 and the number of points")));
    }
    let nearest = |i: usize| {
        let x = points.point(i);
        let length = |j: usize| x.iter().zip(points.point(j)).fold(0.0f32, |s, (a, b)| s + (a - b) * (a - b));
        let mut others: Vec<(u32, u32)> = (0..n).filter(|&j| j != i).map(|j| (length(j).to_bits(), j as u32)).collect();
        if k - 1 < others.len() {
            others.select_nth_unstable(k - 1);
            others.truncate(k - 1);
        }
        others.into_iter().map(|(_, j)| j).collect::<Vec<u32>>()
    };
    let mut neighbours: Vec<Vec<u32>> = (0..n).into_par_iter().map(nearest).collect();
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
    let of_point = |i: usize| {
        let one = &neighbours[i];
        let mut two: Vec<u32> = one.iter().flat_map(|&j| &neighbours[j as usize]).copied().collect();
        two.sort_unstable();
        two.dedup();
        let below = |j: &&u32| (**j as usize) < i;
        let near = one.iter().filter(below).map(|&j| (i as u32, j, 1.0));
        let far = two.iter().filter(below).filter(|j| one.binary_search(j).is_err()).map(|&j| (i as u32, j, 2.0));
        near.chain(far).collect::<Vec<_>>()
    };
    SparseGraph::new(n, (0..n).into_par_iter().flat_map_iter(of_point).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_points_has_hops_along_it() {
        let line = PointCloud::new(5, 1, vec![0.0, 1.0, 2.0, 3.0, 4.0]).unwrap();
        // k = 2: itself and the nearest other, the lower one of two.
        let graph = knn_hops(&line, 2).unwrap();
        assert_eq!(graph.edges(), &[(1, 0, 1.0), (2, 0, 2.0), (2, 1, 1.0), (3, 1, 2.0), (3, 2, 1.0), (4, 2, 2.0), (4, 3, 1.0)]);
        assert!(knn_hops(&line, 1).unwrap().edges().is_empty());
        assert!(knn_hops(&line, 6).is_err() && knn_hops(&line, 0).is_err());
    }
}
