//! What a trace holds, and what is read from it.

use super::{LayerBetti, Procedure, trace_nets};
use crate::data::DataSet;
use crate::error::Result;
use crate::nn::{Compute, Net};
use crate::topology::EngineInfo;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// One class after every layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassTrace {
    /// Its name.
    pub class: String,
    /// From the input to the logits.
    pub layers: Vec<LayerBetti>,
}

impl ClassTrace {
    /// Sums of the Betti numbers behind all layers but the input, dimension by dimension: the area
    /// under their curves.
    pub fn area(&self) -> Vec<usize> {
        let dims = self.layers.first().map_or(0, |l| l.betti.len());
        (0..dims).map(|d| self.layers.iter().skip(1).map(|l| l.betti[d]).sum()).collect()
    }

    /// The first layer from which on the Betti numbers stay what they are at the logits.
    pub fn settles(&self) -> usize {
        let end = self.layers.last().map(|l| &l.betti);
        self.layers.iter().rposition(|l| Some(&l.betti) != end).map_or(0, |at| at + 1)
    }

    /// The first layer with this Betti number in that dimension.
    pub fn reaches(&self, dim: usize, betti: usize) -> Option<usize> {
        self.layers.iter().position(|l| l.betti.get(dim) == Some(&betti))
    }
}

/// All classes at one time of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Epochs (or, where training takes all samples a step, steps) that were through.
    pub epoch: usize,
    /// Share of right answers on the test samples, where it is known.
    pub accuracy: Option<f64>,
    /// Seconds that the trace took.
    pub seconds: f64,
    /// The classes.
    pub classes: Vec<ClassTrace>,
}

impl Snapshot {
    /// Takes one of a network.
    ///
    /// # Errors
    /// As [`trace_nets`].
    pub fn take(
        net: &Net,
        data: &DataSet,
        classes: &[u8],
        epoch: usize,
        procedure: &Procedure,
        compute: &Compute,
    ) -> Result<Self> {
        let start = Instant::now();
        let found = trace_nets(&[net], &data.train, classes, procedure, compute)?.into_iter().flatten();
        let named =
            |(layers, &class): (Vec<LayerBetti>, &u8)| ClassTrace { class: data.classes[usize::from(class)].clone(), layers };
        let classes = found.zip(classes).map(named).collect();
        Ok(Self { epoch, accuracy: None, seconds: start.elapsed().as_secs_f64(), classes })
    }

    /// All Betti numbers of all classes after each layer.
    pub fn totals(&self) -> Vec<usize> {
        let layers = self.classes.iter().map(|c| c.layers.len()).min().unwrap_or(0);
        (0..layers).map(|l| self.classes.iter().flat_map(|c| &c.layers[l].betti).sum()).collect()
    }
}

/// A network's Betti numbers while it trained: what `trace.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// What was traced.
    pub title: String,
    /// How.
    pub procedure: Procedure,
    /// On what.
    pub engine: EngineInfo,
    /// Seconds of training between the first and the last snapshot.
    pub training_seconds: f64,
    /// In the order of training.
    pub snapshots: Vec<Snapshot>,
}

impl Trace {
    /// Seconds that all snapshots took.
    pub fn seconds(&self) -> f64 {
        self.snapshots.iter().map(|s| s.seconds).sum()
    }

    /// Whether every class is one piece without holes at every layer, so that the measure sees
    /// nothing.
    pub fn is_trivial(&self) -> bool {
        let one_piece = |l: &LayerBetti| l.betti.first() == Some(&1) && l.betti[1..].iter().all(|&b| b == 0);
        let layers = || self.snapshots.iter().flat_map(|s| &s.classes).flat_map(|c| &c.layers);
        layers().next().is_some() && layers().all(one_piece)
    }

    /// Names of the layers, and of the classes.
    pub fn names(&self) -> (Vec<String>, Vec<String>) {
        let first = self.snapshots.first();
        let classes = first.map_or(Vec::new(), |s| s.classes.iter().map(|c| c.class.clone()).collect());
        let layers = first.and_then(|s| s.classes.first());
        (layers.map_or(Vec::new(), |c| c.layers.iter().map(|l| l.layer.clone()).collect()), classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_curve() {
        let layer = |betti: [usize; 2]| LayerBetti { layer: String::new(), points: 9, betti: betti.to_vec() };
        let layers = [[9, 1], [9, 2], [3, 0], [1, 0], [1, 0]].map(layer).to_vec();
        let class = ClassTrace { class: "a".into(), layers };
        assert_eq!(class.area(), [14, 2]);
        assert_eq!((class.settles(), class.reaches(0, 1), class.reaches(1, 5)), (3, Some(3), None));
        let snapshot = Snapshot { epoch: 1, accuracy: None, seconds: 0.0, classes: vec![class.clone(), class] };
        assert_eq!(snapshot.totals(), [20, 22, 6, 2, 2]);
    }
}
