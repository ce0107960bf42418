//! What a network's answers on some samples are to keep: how much a change of each logit matters.

use super::effect::normal;
use crate::error::{Error, Result};
use crate::topology::{DistanceMatrix, Engine, Options};
use serde::{Deserialize, Serialize};

/// What a reconstruction is to keep of the samples' logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aim {
    /// The barcode of dimension 0 that the samples have in the space of logits: the lengths of the
    /// edges of their minimum spanning tree.
    #[default]
    Components,
    /// Those of the tree's edges that join samples of different predicted classes: where classes
    /// merge.
    Seams,
    /// The barcode of dimension 1: the edges at which its loops are born and die.
    Loops,
    /// The logits themselves, whatever their topology: the control of those above.
    Logits,
    /// The barcode of dimension 0 that the samples have in each layer that reads the filters.
    Layers,
    /// The outputs of each such layer, whatever their topology: the control of [`Aim::Layers`].
    Outputs,
}

impl std::str::FromStr for Aim {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        Self::named(name)
    }
}

impl Aim {
    /// All of them by their names on the command line.
    pub const ALL: [(&'static str, Aim); 6] = [
        ("barcode", Aim::Components),
        ("seams", Aim::Seams),
        ("loops", Aim::Loops),
        ("logits", Aim::Logits),
        ("layers", Aim::Layers),
        ("outputs", Aim::Outputs),
    ];

    /// Whether it looks at inner layers, not at the network's answers.
    pub fn is_inner(self) -> bool {
        matches!(self, Aim::Layers | Aim::Outputs)
    }

    /// The aim without topology that it is compared with.
    pub fn control(self) -> Self {
        if self.is_inner() { Aim::Outputs } else { Aim::Logits }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, aim)| *aim == self).map_or("", |(name, _)| name)
    }

    /// The aim of a name.
    ///
    /// # Errors
    /// [`Error::Input`] with the names that there are.
    pub fn named(name: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, aim)| *aim);
        known.ok_or_else(|| Error::unknown("aim", name, &Self::ALL.map(|(n, _)| n)))
    }

    /// How much each logit of each sample counts, `[samples, classes]`: by chance, so that the
    /// expected square of a change, weighted in this way, is the sum of squares of the changes that
    /// the aim sees (Gauss and Newton's approximation).
    ///
    /// For a barcode the aim sees lengths `|a - b|` of some edges, whose derivative by `a` is `(a -
    /// b) / |a - b|`.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub(super) fn cotangents(self, logits: &[f32], classes: usize, seed: u64, engine: &Engine) -> Result<Vec<f32>> {
        let row = |i: usize| &logits[i * classes..(i + 1) * classes];
        let n = logits.len() / classes;
        let edges = match self {
            Aim::Logits | Aim::Outputs => return Ok(normal(logits.len(), seed)),
            Aim::Components | Aim::Layers => spanning_tree(n, &row),
            Aim::Seams => {
                let class = |i: usize| (0..classes).max_by(|&a, &b| row(i)[a].total_cmp(&row(i)[b]));
                let mut edges = spanning_tree(n, &row);
                edges.retain(|&(a, b)| class(a) != class(b));
                edges
            }
            Aim::Loops => loop_edges(n, &row, engine)?,
        };
        let chance = normal(edges.len(), seed);
        let mut cotangents = vec![0.0f32; logits.len()];
        for (&(a, b), xi) in edges.iter().zip(chance) {
            let length = distance(row(a), row(b));
            if length > 0.0 {
                for c in 0..classes {
                    let slope = xi * (row(a)[c] - row(b)[c]) / length;
                    cotangents[a * classes + c] += slope;
                    cotangents[b * classes + c] -= slope;
                }
            }
        }
        Ok(cotangents)
    }
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f32>().sqrt()
}

/// The edges of the minimum spanning tree, by Prim's method.
fn spanning_tree<'a>(n: usize, row: &impl Fn(usize) -> &'a [f32]) -> Vec<(usize, usize)> {
    let mut nearest = vec![(f32::INFINITY, 0usize); n];
    let mut left: Vec<usize> = (1..n).collect();
    let (mut at, mut edges) = (0, Vec::with_capacity(n.saturating_sub(1)));
    while !left.is_empty() {
        for &other in &left {
            let length = distance(row(at), row(other));
            if length < nearest[other].0 {
                nearest[other] = (length, at);
            }
        }
        let Some(place) = (0..left.len()).min_by(|&a, &b| nearest[left[a]].0.total_cmp(&nearest[left[b]].0)) else { break };
        at = left.swap_remove(place);
        edges.push((nearest[at].1, at));
    }
    edges
}

/// The edges whose lengths are the births and deaths of the bars of dimension 1. Of edges of one
/// length the first is taken.
fn loop_edges<'a>(n: usize, row: &impl Fn(usize) -> &'a [f32], engine: &Engine) -> Result<Vec<(usize, usize)>> {
    let lower: Vec<f32> = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| distance(row(i), row(j))).collect();
    let barcode = engine.barcode(DistanceMatrix::from_lower(n, lower.clone())?, &Options::default())?;
    let mut by_length = std::collections::HashMap::new();
    let mut at = 0;
    for i in 0..n {
        for j in 0..i {
            by_length.entry(lower[at].to_bits()).or_insert((i, j));
            at += 1;
        }
    }
    let ends = barcode.bars[1].iter().flat_map(|bar| [bar.birth, bar.death]);
    Ok(ends.filter_map(|length| by_length.get(&length.to_bits()).copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean square of a random projection of a change is the sum of the squares of what the
    /// lengths of the tree's edges change.
    #[test]
    fn cotangents_see_the_barcode() {
        let (n, classes) = (12, 3);
        let engine = Engine::cpu();
        let logits: Vec<f32> = (0..n * classes).map(|i| ((i * i % 37) as f32 * 0.31).sin() * 3.0).collect();
        let change: Vec<f32> = (0..n * classes).map(|i| (i as f32 * 0.7).cos() * 1e-3).collect();
        let changed: Vec<f32> = logits.iter().zip(&change).map(|(l, c)| l + c).collect();
        let deaths = |logits: &[f32]| -> Vec<f64> {
            let cloud = crate::topology::PointCloud::new(n, classes, logits.to_vec()).unwrap();
            let barcode = engine.barcode(cloud, &Options::default()).unwrap();
            let mut deaths: Vec<f64> = barcode.bars[0].iter().map(|b| f64::from(b.death)).filter(|d| d.is_finite()).collect();
            deaths.sort_by(f64::total_cmp);
            deaths
        };
        let want: f64 = deaths(&changed).iter().zip(deaths(&logits)).map(|(a, b)| (a - b) * (a - b)).sum();
        let mean = |aim: Aim| {
            let of_seed = |seed: u64| {
                let cotangents = aim.cotangents(&logits, classes, seed, &engine).unwrap();
                cotangents.iter().zip(&change).map(|(a, b)| f64::from(a * b)).sum::<f64>().powi(2)
            };
            (0..4000).map(of_seed).sum::<f64>() / 4000.0
        };
        assert!((mean(Aim::Components) / want - 1.0).abs() < 0.15, "{} {want}", mean(Aim::Components));
        let all: f64 = change.iter().map(|c| f64::from(c * c)).sum();
        assert!((mean(Aim::Logits) / all - 1.0).abs() < 0.15);
        // Fewer edges, less to keep.
        assert!(mean(Aim::Seams) < mean(Aim::Components));
    }

    /// Eight points on a circle: one loop, born with the octagon's sides, dead with its third
    /// diagonals.
    #[test]
    fn loops_are_found_by_their_edges() {
        let points: Vec<f32> = (0..8)
            .flat_map(|i| {
                let angle = std::f32::consts::TAU * i as f32 / 8.0;
                // Not quite a circle, so that no two edges are equally long.
                [angle.cos() * (1.0 + 0.01 * i as f32), angle.sin() * (1.0 + 0.013 * i as f32)]
            })
            .collect();
        let row = |i: usize| &points[2 * i..2 * i + 2];
        let edges = loop_edges(8, &row, &Engine::cpu()).unwrap();
        assert_eq!(edges.len(), 2);
        let steps = |(a, b): (usize, usize)| (a + 8 - b) % 8;
        assert!([1, 7].contains(&steps(edges[0])) && [3, 5].contains(&steps(edges[1])), "{edges:?}");
        assert!(Aim::Loops.cotangents(&points, 2, 1, &Engine::cpu()).unwrap().iter().any(|c| *c != 0.0));
    }
}
