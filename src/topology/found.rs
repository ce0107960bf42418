//! What an engine finds out about a cloud, and the barcode that is made of it.

use super::barcode::{Barcode, Pairs};
use super::cpu;
use super::cycles::{Cocycle, Cycle};
use super::edges::{self, BarEdges};
use super::metric::Metric;
use super::options::Options;
use super::order::{Edge, Key};
use crate::error::Result;

/// What an engine found out about a cloud.
#[derive(Default)]
pub(super) struct Found {
    /// Births and deaths.
    pub pairs: Pairs,
    /// The same with the edges that make them.
    pub named: Option<cpu::NamedPairs>,
    /// Cycles of the longest bars of dimension 1.
    pub cycles: Option<Vec<cpu::KeyedCycle>>,
    /// Cocycles of all bars of dimensions 1 and above.
    pub cocycles: Option<Vec<Vec<cpu::NamedCocycle>>>,
}

impl From<Pairs> for Found {
    fn from(pairs: Pairs) -> Self {
        Self { pairs, ..Self::default() }
    }
}

/// Which cloud that was.
pub(super) struct Of<'a> {
    /// Number of points that were looked at.
    pub points: usize,
    /// When they enter the filtration; nothing if all do at 0.
    pub births: &'a [f32],
    /// How its distances are made.
    pub metric: Metric,
    /// By what its distances were multiplied.
    pub factor: f32,
    /// Number of points before sampling, and the covering radius of the sample.
    pub sampled: Option<(usize, Key)>,
}

impl Of<'_> {
    /// Turns keys into distances.
    ///
    /// # Errors
    /// [`crate::Error::Input`] when a distance is then beyond what 32 bits can hold.
    pub fn barcode(&self, found: Found, options: &Options) -> Result<Barcode> {
        let Found { pairs, named, cycles, cocycles } = found;
        let unscale = 1.0 / self.factor;
        let value = |key: Key| self.metric.distance(key) * unscale;
        let length = |edge: Edge| value(edge.key());
        let mut barcode = pairs.into_barcode(self.points, self.metric, options.threshold, unscale)?;
        if let Some((all, radius)) = self.sampled {
            barcode.sampled_from = Some(all);
            // The graph of hops of a sample is another one than that of the whole.
            barcode.covering_radius = self.metric.obeys_triangles().then(|| value(radius));
        }
        if let Some(named) = named {
            let components = edges::of_components(self.points, &named.merges, self.births, options.threshold, value);
            let (bars, of_bars): (Vec<_>, Vec<BarEdges>) = components.into_iter().unzip();
            barcode.bars[0] = bars;
            barcode.edges =
                options.edges.then(|| std::iter::once(of_bars).chain(edges::of_classes(&named, |e| value(e.key))).collect());
        }
        barcode.cycles = cycles.map(|cycles| {
            let cycle = |(birth, death, edges): cpu::KeyedCycle| Cycle { birth: value(birth), death: death.map(value), edges };
            cycles.into_iter().map(cycle).collect()
        });
        barcode.cocycles = cocycles.map(|all| {
            let cocycle = |(birth, death, simplices): cpu::NamedCocycle| Cocycle {
                birth: length(birth),
                death: death.map(length),
                simplices,
            };
            let of_dimension = |of: Vec<cpu::NamedCocycle>| {
                let mut of: Vec<Cocycle> = of.into_iter().map(cocycle).collect();
                // Rounding may leave a bar no length, as it does of bars.
                of.retain(|c| c.death != Some(c.birth));
                let ends = |c: &Cocycle| (c.birth, c.death.unwrap_or(f32::INFINITY));
                of.sort_by(|a, b| ends(a).0.total_cmp(&ends(b).0).then(ends(a).1.total_cmp(&ends(b).1)));
                of
            };
            std::iter::once(Vec::new()).chain(all.into_iter().map(of_dimension)).collect()
        });
        Ok(barcode)
    }

    /// The Betti numbers at the threshold of the filtration.
    pub fn betti_numbers(&self, found: &Found, threshold: f32) -> Vec<usize> {
        let born = if self.births.is_empty() { self.points } else { self.births.iter().filter(|&&b| b <= threshold).count() };
        found.pairs.alive(born)
    }
}
