//! The simplices that make bars.

use super::barcode::Bar;
use super::cpu::NamedPairs;
use super::order::{Key, WideEdge};

/// The simplex that creates the class of a bar, and the one that fills it. Gradients of births and
/// deaths with respect to the points go through these: a birth or a death is the length of an edge.
#[derive(Clone, Debug, PartialEq)]
pub struct BarEdges {
    /// In dimension 0 the vertex whose component it is: of two components that merge, the one that
    /// is born later dies, and of two that are born together the one whose first vertex has the
    /// larger number. In higher dimensions the two ends of the longest
    /// edge of the simplex that creates the class, the smaller number first.
    pub birth: Vec<u32>,
    /// The two ends of the longest edge of the simplex that fills it; nothing if it never dies.
    pub death: Option<[u32; 2]>,
}

/// The ends of an edge, the smaller number first.
fn ends(edge: WideEdge) -> [u32; 2] {
    let (i, j) = edge.ends;
    [j, i]
}

/// The vertices whose components end with each merge, in order, and those whose components never
/// end. Of two components the one that began later ends, and of two that began together the one
/// whose first vertex has the larger number.
fn components(n: usize, merges: &[WideEdge], births: &[f32]) -> (Vec<u32>, Vec<u32>) {
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
        let (a, b) = (root(&mut first, edge.ends.0), root(&mut first, edge.ends.1));
        let younger = (birth(births, a), a) > (birth(births, b), b);
        let (stays, ends) = if younger { (b, a) } else { (a, b) };
        first[ends as usize] = stays;
        ended.push(ends);
    }
    let never = (0..n as u32).filter(|&v| first[v as usize] == v).collect();
    (ended, never)
}

/// When a vertex enters.
fn birth(births: &[f32], vertex: u32) -> f32 {
    births.get(vertex as usize).copied().unwrap_or(0.0)
}

/// Bars with the simplices that make them, in the order of a barcode.
fn in_order(mut bars: Vec<(Bar, BarEdges)>) -> Vec<(Bar, BarEdges)> {
    bars.retain(|(bar, _)| bar.death > bar.birth);
    // Bars of the same ends stay in the order of the filtration.
    bars.sort_by(|(a, _), (b, _)| a.birth.total_cmp(&b.birth).then(a.death.total_cmp(&b.death)));
    bars
}

/// The bars of dimension 0 of a filtration whose vertices enter at `births`, and not at 0; those
/// that enter after the threshold are none of its.
pub(super) fn of_components(
    n: usize,
    merges: &[WideEdge],
    births: &[f32],
    threshold: Option<f32>,
    value: impl Fn(Key) -> f32,
) -> Vec<(Bar, BarEdges)> {
    let (ended, never) = components(n, merges, births);
    let bar = |vertex: u32, death: f32| Bar { birth: birth(births, vertex), death };
    let of_merge = |(vertex, merge): (u32, &WideEdge)| {
        let (i, j) = merge.ends;
        (bar(vertex, value(merge.key)), BarEdges { birth: vec![vertex], death: Some([j, i]) })
    };
    let endless = |vertex: u32| (bar(vertex, f32::INFINITY), BarEdges { birth: vec![vertex], death: None });
    let never = never.into_iter().filter(|&v| threshold.is_none_or(|t| birth(births, v) <= t));
    in_order(ended.into_iter().zip(merges).map(of_merge).chain(never.map(endless)).collect())
}

/// Of every bar of a barcode in dimensions 1 and above, in its order.
pub(super) fn of_classes(pairs: &NamedPairs, value: impl Fn(WideEdge) -> f32) -> Vec<Vec<BarEdges>> {
    let of_class = |&(birth, death): &(WideEdge, Option<WideEdge>)| {
        let bar = Bar { birth: value(birth), death: death.map_or(f32::INFINITY, &value) };
        (bar, BarEdges { birth: ends(birth).to_vec(), death: death.map(ends) })
    };
    let of_dimension = |classes: &Vec<_>| in_order(classes.iter().map(of_class).collect());
    pairs.classes.iter().map(|classes| of_dimension(classes).into_iter().map(|(_, edges)| edges).collect()).collect()
}
