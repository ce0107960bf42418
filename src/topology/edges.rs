//! The simplices that make bars.

use super::barcode::Bar;
use super::cpu::NamedPairs;
use super::metric::Metric;
use super::order::Edge;

/// The simplex that creates the class of a bar, and the one that fills it. Gradients of births and
/// deaths with respect to the points go through these: a birth or a death is the length of an edge.
#[derive(Clone, Debug, PartialEq)]
pub struct BarEdges {
    /// In dimension 0 the vertex whose component it is: of two components that merge, the one whose
    /// first vertex has the larger number dies. In higher dimensions the two ends of the longest
    /// edge of the simplex that creates the class, the smaller number first.
    pub birth: Vec<u32>,
    /// The two ends of the longest edge of the simplex that fills it; nothing if it never dies.
    pub death: Option<[u32; 2]>,
}

/// The ends of an edge, the smaller number first.
fn ends(edge: Edge) -> [u32; 2] {
    let (i, j) = edge.name().ends();
    [j as u32, i as u32]
}

/// The vertices whose components end with each merge, in order, and those whose components never
/// end.
fn components(n: usize, merges: &[Edge]) -> (Vec<u32>, Vec<u32>) {
    let mut first: Vec<u32> = (0..n as u32).collect();
    fn root(first: &mut [u32], mut v: u32) -> u32 {
        while first[v as usize] != v {
            first[v as usize] = first[first[v as usize] as usize];
            v = first[v as usize];
        }
        v
    }
    let mut ended = Vec::with_capacity(merges.len());
    for edge in merges {
        let [a, b] = ends(*edge).map(|v| root(&mut first, v));
        first[a.max(b) as usize] = a.min(b);
        ended.push(a.max(b));
    }
    let never = (0..n as u32).filter(|&v| first[v as usize] == v).collect();
    (ended, never)
}

/// Of every bar of a barcode, in its order.
pub(super) fn of_bars(n: usize, pairs: &NamedPairs, metric: Metric, unscale: f32) -> Vec<Vec<BarEdges>> {
    let value = |edge: Edge| metric.distance(edge.key()) * unscale;
    let (ended, never) = components(n, &pairs.merges);
    let of_merge = |(&vertex, &edge): (&u32, &Edge)| {
        (Bar { birth: 0.0, death: value(edge) }, BarEdges { birth: vec![vertex], death: Some(ends(edge)) })
    };
    let endless = |vertex: u32| (Bar { birth: 0.0, death: f32::INFINITY }, BarEdges { birth: vec![vertex], death: None });
    let of_class = |&(birth, death): &(Edge, Option<Edge>)| {
        let bar = Bar { birth: value(birth), death: death.map_or(f32::INFINITY, value) };
        (bar, BarEdges { birth: ends(birth).to_vec(), death: death.map(ends) })
    };
    let mut bars = vec![ended.iter().zip(&pairs.merges).map(of_merge).chain(never.into_iter().map(endless)).collect()];
    bars.extend(pairs.classes.iter().map(|classes| classes.iter().map(of_class).collect::<Vec<_>>()));
    let in_order = |mut bars: Vec<(Bar, BarEdges)>| {
        bars.retain(|(bar, _)| bar.death > bar.birth);
        // Bars of the same ends stay in the order of the filtration.
        bars.sort_by(|(a, _), (b, _)| a.birth.total_cmp(&b.birth).then(a.death.total_cmp(&b.death)));
        bars.into_iter().map(|(_, edges)| edges).collect()
    };
    bars.into_iter().map(in_order).collect()
}
