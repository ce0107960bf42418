//! Distances as numbers of hops in a graph of nearest neighbours.
//!
//! Naitzat, Zhitnikov and Lim ("Topology of deep neural networks", JMLR 21, 2020) measure every
//! layer this way, so that neither the scale nor the density of the layer's points matters.

use crate::error::{Error, Result};
use crate::topology::cloud::{PointCloud, SparseGraph};
use rayon::prelude::*;

/// Joins every point with its `k` nearest (itself among them, as scikit-learn counts; ties by
/// index), both ways, and lists all pairs that are at most `most` hops apart, with that number as
/// their length. Pairs that are further apart, or in different pieces of the graph, never get an
/// edge. Naitzat's complex is the one at scale 2, for which `most` = 2 is enough.
///
/// # Errors
/// [`Error::Input`] when `k` is 0 or there are fewer points than that.
pub fn knn_hops(points: &PointCloud, k: usize, most: Option<u32>) -> Result<SparseGraph> {
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
    // Breadth first from every point; a pair is listed from its larger point.
    let of_point = |(reached, queue): &mut (Vec<u32>, Vec<u32>), i: usize| {
        reached.clear();
        reached.resize(n, u32::MAX);
        queue.clear();
        reached[i] = 0;
        queue.push(i as u32);
        let mut found = Vec::new();
        let mut head = 0;
        while let Some(&v) = queue.get(head) {
            head += 1;
            let hops = reached[v as usize] + 1;
            if most.is_some_and(|most| hops > most) {
                break;
            }
            for &w in &neighbours[v as usize] {
                if reached[w as usize] == u32::MAX {
                    reached[w as usize] = hops;
                    queue.push(w);
                    if (w as usize) < i {
                        found.push((i as u32, w, hops as f32));
                    }
                }
            }
        }
        found
    };
    SparseGraph::new(n, (0..n).into_par_iter().map_init(Default::default, of_point).flatten_iter().collect())
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
