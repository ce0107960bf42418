//! What the engines answer: bars, Betti numbers, Betti curves.

use crate::error::{Error, Result};
use crate::topology::cycles::{Cocycle, Cycle};
use crate::topology::edges::BarEdges;
use crate::topology::metric::Metric;
use crate::topology::order::Key;

/// A class that is born at one length and dies at another; `death` is infinite when it never dies.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Bar {
    /// Diameter of the simplex that creates the class.
    pub birth: f32,
    /// Diameter of the simplex that fills it, or infinity.
    pub death: f32,
}

impl Bar {
    /// Whether the class is there in the complex of all simplices of diameter at most `scale`.
    pub fn alive_at(&self, scale: f32) -> bool {
        self.birth <= scale && (scale < self.death || self.death == f32::INFINITY)
    }

    /// `death - birth`.
    pub fn length(&self) -> f32 {
        self.death - self.birth
    }
}

/// Which engine and device answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EngineInfo {
    /// `"cpu"` or `"gpu"`.
    pub kind: String,
    /// The adapter's name, or how many threads the native engine had.
    pub adapter: String,
}

/// The barcode of one Vietoris-Rips filtration over Z/2. Diameters, not radii.
///
/// Bars of length zero are left out. Within a dimension the bars are ordered by birth, then death,
/// so two engines that agree give equal values.
#[derive(Clone, Debug, PartialEq)]
pub struct Barcode {
    /// Number of points.
    pub n: usize,
    /// How the distances were made.
    pub metric: Metric,
    /// The threshold that was asked for; `None` is the whole filtration.
    pub threshold: Option<f32>,
    /// Number of points that were given, if these are a sample of them
    /// ([`crate::topology::Options::max_points`]).
    pub sampled_from: Option<usize>,
    /// How far the given point is that is farthest from the sample, if these are bars of one and
    /// the metric obeys the triangle inequality; see [`Barcode::uncertainty`].
    pub covering_radius: Option<f32>,
    /// `bars[d]` are those of dimension `d`.
    pub bars: Vec<Vec<Bar>>,
    /// The simplices that every bar lies between, in the order of the bars, if they were asked for
    /// ([`crate::topology::Options::edges`]).
    pub edges: Option<Vec<Vec<BarEdges>>>,
    /// Cycles that stand for the longest bars of dimension 1, if they were asked for
    /// ([`crate::topology::Options::cycles`]).
    pub cycles: Option<Vec<Cycle>>,
    /// A cocycle for every bar, in the order of the bars, if they were asked for
    /// ([`crate::topology::Options::cocycles`]); none in dimension 0.
    pub cocycles: Option<Vec<Vec<Cocycle>>>,
}

impl Barcode {
    /// Highest dimension that was computed.
    pub fn max_dim(&self) -> usize {
        self.bars.len() - 1
    }

    /// Number of classes of dimension `dim` alive at `scale` (0 beyond the computed dimensions).
    pub fn betti(&self, dim: usize, scale: f32) -> usize {
        self.bars.get(dim).map_or(0, |bars| bars.iter().filter(|b| b.alive_at(scale)).count())
    }

    /// Betti numbers of every computed dimension at `scale`.
    pub fn betti_numbers(&self, scale: f32) -> Vec<usize> {
        (0..self.bars.len()).map(|d| self.betti(d, scale)).collect()
    }

    /// The Betti number of dimension `dim` as a step function of the scale.
    pub fn betti_curve(&self, dim: usize) -> BettiCurve {
        let mut jumps: Vec<(f32, i64)> = Vec::new();
        for bar in self.bars.get(dim).into_iter().flatten() {
            jumps.push((bar.birth, 1));
            if bar.death.is_finite() {
                jumps.push((bar.death, -1));
            }
        }
        jumps.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut scales, mut values, mut level) = (Vec::new(), Vec::new(), 0i64);
        for (scale, jump) in jumps {
            level += jump;
            if scales.last() == Some(&scale) {
                values.pop();
                values.push(level as usize);
            } else {
                scales.push(scale);
                values.push(level as usize);
            }
        }
        BettiCurve { scales, values }
    }

    /// How far bars of a sample can be off: twice its covering radius `r`; 0 if all points were
    /// looked at, nothing if it is not known.
    ///
    /// With `u` for `2 r`: every bar of the whole cloud that is longer than `u` is among these, and
    /// every one of these that is longer than `u` is one of the whole cloud, where it begins and
    /// ends at most `u` earlier. For a simplex of the whole cloud, moved to the nearest points of
    /// the sample, grows by `u` at most, and one of the sample is one of the whole: the two
    /// filtrations are interleaved, the sample's by `r` too late (Chazal, de Silva and Oudot,
    /// "Persistence stability for geometric complexes", 2014, with one of both maps an inclusion).
    /// Below a threshold this holds of what is below it.
    pub fn uncertainty(&self) -> Option<f32> {
        match (self.sampled_from, self.covering_radius) {
            (None, _) => Some(0.0),
            (Some(_), radius) => radius.map(|r| 2.0 * r),
        }
    }

    /// Whether a bar is certainly one of the whole cloud; see [`Barcode::uncertainty`].
    pub fn is_certain(&self, bar: &Bar) -> bool {
        let seen = self.threshold.map_or(bar.death, |t| bar.death.min(t));
        self.uncertainty().is_some_and(|u| u == 0.0 || seen - bar.birth > u)
    }

    /// The largest finite end of any bar, or 0.
    pub fn largest_end(&self) -> f32 {
        let ends = self.bars.iter().flatten().flat_map(|b| [b.birth, b.death]);
        ends.filter(|x| x.is_finite()).fold(0.0, f32::max)
    }
}

/// A Betti number as a step function: `values[i]` from `scales[i]` on, 0 before the first.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct BettiCurve {
    /// Where bars begin or end, ascending.
    pub scales: Vec<f32>,
    /// The value from there on.
    pub values: Vec<usize>,
}

impl BettiCurve {
    /// The value at `scale`.
    pub fn at(&self, scale: f32) -> usize {
        match self.scales.partition_point(|&s| s <= scale) {
            0 => 0,
            i => self.values[i - 1],
        }
    }
}

/// Wall seconds by step, in order.
pub type Seconds = Vec<(String, f64)>;

/// A barcode with who computed it and how long it took, in the published JSON shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The bars.
    pub barcode: Barcode,
    /// Who computed them.
    pub engine: EngineInfo,
    /// How long it took.
    pub seconds: Seconds,
}

/// What an engine returns for one cloud before values are restored: pairs of keys in filtration
/// order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// Keys of the minimum spanning forest's edges: the deaths of dimension 0.
    pub merges: Vec<Key>,
    /// Keys of birth and death of every class of dimensions 1, 2, ...; `None` never dies.
    pub classes: Vec<Vec<(Key, Option<Key>)>>,
}

impl Pairs {
    /// How many classes of every dimension never die: the Betti numbers at the threshold of the
    /// filtration.
    pub fn alive(&self, n: usize) -> Vec<usize> {
        let of_dimension = |classes: &Vec<(Key, Option<Key>)>| classes.iter().filter(|c| c.1.is_none()).count();
        std::iter::once(n - self.merges.len()).chain(self.classes.iter().map(of_dimension)).collect()
    }

    /// Turns keys into distances, drops bars of length zero, and orders what is left.
    ///
    /// `unscale` undoes the power of two by which the coordinates were multiplied.
    ///
    /// # Errors
    /// [`Error::Input`] when a distance is then beyond what 32 bits can hold.
    pub fn into_barcode(self, n: usize, metric: Metric, threshold: Option<f32>, unscale: f32) -> Result<Barcode> {
        let value = |key: Key| metric.distance(key) * unscale;
        let ends = self.classes.iter().flatten().flat_map(|&(birth, death)| [Some(birth), death]).flatten();
        let lost = |key: Key| !value(key).is_finite() || (value(key) == 0.0 && key != Key(0));
        if let Some(key) = self.merges.iter().copied().chain(ends).find(|&key| lost(key)) {
            let length = f64::from(metric.distance(key)) * f64::from(unscale);
            return Err(Error::input(format!(
                "a distance of {length:e} between points is beyond the numbers of 32 bits: multiply the coordinates by {}",
                if length > 1.0 { "1e-20" } else { "1e20" }
            )));
        }
        let mut zero: Vec<Bar> = self.merges.iter().map(|&k| Bar { birth: 0.0, death: value(k) }).collect();
        zero.extend((self.merges.len()..n).map(|_| Bar { birth: 0.0, death: f32::INFINITY }));
        let mut bars = vec![zero];
        let death = |d: Option<Key>| d.map_or(f32::INFINITY, value);
        for classes in &self.classes {
            bars.push(classes.iter().map(|&(b, d)| Bar { birth: value(b), death: death(d) }).collect());
        }
        for dim in &mut bars {
            dim.retain(|b| b.death > b.birth);
            dim.sort_by(|a, b| a.birth.total_cmp(&b.birth).then(a.death.total_cmp(&b.death)));
        }
        Ok(Barcode {
            n,
            metric,
            threshold,
            sampled_from: None,
            covering_radius: None,
            bars,
            edges: None,
            cycles: None,
            cocycles: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Barcode {
        let pairs = Pairs {
            merges: vec![Key(0), Key::of_length(1.0)],
            classes: vec![vec![(Key::of_length(4.0), Some(Key::of_length(9.0))), (Key::of_length(4.0), None)]],
        };
        pairs.into_barcode(3, Metric::Euclidean, None, 1.0).unwrap()
    }

    #[test]
    fn zero_bars_go_and_roots_are_taken() {
        let b = sample();
        assert_eq!(b.bars[0], [Bar { birth: 0.0, death: 1.0 }, Bar { birth: 0.0, death: f32::INFINITY }]);
        assert_eq!(b.bars[1], [Bar { birth: 2.0, death: 3.0 }, Bar { birth: 2.0, death: f32::INFINITY }]);
    }

    #[test]
    fn betti_numbers_and_curve_agree() {
        let b = sample();
        for scale in [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 10.0, f32::INFINITY] {
            for d in 0..2 {
                assert_eq!(b.betti_curve(d).at(scale), b.betti(d, scale), "dimension {d} at {scale}");
            }
        }
        assert_eq!(b.betti_numbers(2.5), [1, 2]);
    }
}
