//! Bars with the simplices that make them.

use super::barcode::Bar;
use super::cpu::named::{Edge, NamedPairs};
use super::metric::Metric;

/// A bar, the simplex that creates its class, and the one that fills it. Gradients of births and
/// deaths with respect to the points go through these: a birth or a death is the length of an edge.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BarEdges {
    /// Birth and death.
    pub bar: Bar,
    /// In dimension 0 the vertex whose component it is: of two components that merge, the one whose
    /// first vertex has the larger number dies. In higher dimensions the two ends of the longest
    /// edge of the simplex that creates the class, the smaller number first.
    pub birth: Vec<u32>,
    /// The two ends of the longest edge of the simplex that fills it; nothing if it never dies.
    pub death: Option<[u32; 2]>,
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
        let [a, b] = edge.ends().map(|v| root(&mut first, v));
        first[a.max(b) as usize] = a.min(b);
        ended.push(a.max(b));
    }
    let never = (0..n as u32).filter(|&v| first[v as usize] == v).collect();
    (ended, never)
}

/// Bars of all dimensions, without those of length zero, in the order of a barcode's.
pub(super) fn bars(n: usize, pairs: &NamedPairs, metric: Metric, unscale: f32) -> Vec<Vec<BarEdges>> {
    let value = |edge: Edge| metric.distance(edge.key) * unscale;
    let (ended, never) = components(n, &pairs.merges);
    let of_merge = |(&vertex, &edge): (&u32, &Edge)| BarEdges {
        bar: Bar { birth: 0.0, death: value(edge) },
        birth: vec![vertex],
        death: Some(edge.ends()),
    };
    let endless = |vertex: u32| BarEdges { bar: Bar { birth: 0.0, death: f32::INFINITY }, birth: vec![vertex], death: None };
    let of_class = |&(birth, death): &(Edge, Option<Edge>)| BarEdges {
        bar: Bar { birth: value(birth), death: death.map_or(f32::INFINITY, value) },
        birth: birth.ends().to_vec(),
        death: death.map(Edge::ends),
    };
    let mut bars = vec![ended.iter().zip(&pairs.merges).map(of_merge).chain(never.into_iter().map(endless)).collect()];
    bars.extend(pairs.classes.iter().map(|classes| classes.iter().map(of_class).collect::<Vec<_>>()));
    for dim in &mut bars {
        dim.retain(|b| b.bar.death > b.bar.birth);
        // Bars of the same ends stay in the order of the filtration.
        dim.sort_by(|a, b| a.bar.birth.total_cmp(&b.bar.birth).then(a.bar.death.total_cmp(&b.bar.death)));
    }
    bars
}
