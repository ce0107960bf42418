//! What is compared, and what comes of it.

use crate::error::Result;
use crate::nn::{Activation, Init};
use crate::train::Grown;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Shares of right answers whose steps are counted.
pub(super) const TARGETS: [f64; 4] = [0.9, 0.95, 0.99, 0.999];
/// Steps in which the learning rate halves.
pub(in crate::experiment) const HALF_LIFE: f64 = 2500.0;

/// A set and a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Name of the set, as `lacuna train --data` takes it.
    pub data: String,
    /// Linear layers.
    pub depth: usize,
    /// Numbers between them.
    pub width: usize,
    /// Steps after which a run is given up.
    pub steps: usize,
}

impl Task {
    /// A median of steps, or what it is beyond.
    pub(super) fn shown(&self, median: Option<f64>) -> String {
        median.map_or(format!("> {}", self.steps), |m| format!("{m}"))
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}x{}", self.data, self.depth, self.width)
    }
}

/// What to compare, and how thoroughly.
#[derive(Clone, Debug)]
pub struct Convergence {
    /// Folder of the results; an experiment that is there goes on.
    pub out: PathBuf,
    /// Sets and networks.
    pub tasks: Vec<Task>,
    /// The activations; the first is the one that the others are compared with.
    pub activations: Vec<Activation>,
    /// Learning rates of the grid.
    pub rates: Vec<f64>,
    /// Initialisations of the grid.
    pub inits: Vec<Init>,
    /// Seeds of the grid.
    pub screening: usize,
    /// Fresh seeds.
    pub fresh: usize,
}

impl Convergence {
    /// A quick one for a laptop, or all of it.
    ///
    /// # Errors
    /// None in fact: the names are of the table.
    pub fn new(out: &Path, quick: bool) -> Result<Self> {
        let task = |data: &str, depth, width, steps| Task { data: data.into(), depth, width, steps };
        let names =
            ["relu", "relu-normalised", "cabs", "fold:0.8,1", "sine", "sine-plus-linear", "tanh", "swish", "gelu", "smooth-cabs"];
        let names = if quick { &names[..7] } else { &names[..] };
        let tasks = if quick {
            vec![task("disks", 10, 15, 600), task("rings", 10, 25, 600)]
        } else {
            vec![
                task("disks", 10, 15, 1500),
                task("rings", 10, 25, 1500),
                task("disks", 5, 15, 1500),
                task("rings", 5, 25, 1500),
                task("spheres", 10, 25, 1500),
                task("disks:75", 10, 25, 2500),
                task("rings:38", 10, 25, 2500),
            ]
        };
        Ok(Self {
            out: out.into(),
            tasks,
            activations: names.iter().map(|n| Activation::parse(n)).collect::<Result<_>>()?,
            rates: if quick { vec![0.005, 0.01] } else { vec![0.002, 0.005, 0.01, 0.02] },
            inits: if quick { vec![Init::Own] } else { vec![Init::Own, Init::Glorot] },
            screening: if quick { 2 } else { 3 },
            fresh: 10,
        })
    }
}

/// One run of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// What was learnt by what.
    pub task: Task,
    /// The activation.
    pub activation: Activation,
    /// How weights were drawn.
    pub init: Init,
    /// What became of it.
    #[serde(flatten)]
    pub grown: Grown,
}

impl RunRow {
    /// Steps to a target, by its place among the shares of right answers that are looked for;
    /// infinity where it was not reached.
    pub fn steps_to(&self, target: usize) -> f64 {
        self.grown.reached.get(target).copied().flatten().map_or(f64::INFINITY, |s| s as f64)
    }
}

/// What was chosen for an activation on a task, and how its fresh seeds did.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Set and network.
    pub task: Task,
    /// The activation.
    pub activation: Activation,
    /// The initialisation that the screening chose, ...
    pub init: Init,
    /// ... and the learning rate.
    pub rate: f64,
    /// Steps of every fresh seed to 99.9 % of the training points; `null` where it never got there.
    pub steps: Vec<Option<f64>>,
    /// Median steps to each target; `null` is beyond the limit.
    pub medians: Vec<Option<f64>>,
    /// Share of seeds that reached 99.9 %.
    pub success: f64,
    /// Seeds whose loss left the numbers.
    pub diverged: usize,
    /// Median share of right answers on held-out points, at the end.
    pub held_out: f64,
    /// How many times fewer steps than the first activation, by medians to 99.9 %; `null` where
    /// this one did not get there.
    pub ratio: Option<f64>,
    /// Whether the first activation's median is beyond the limit, so that the ratio is at least
    /// this.
    pub at_least: bool,
    /// 95 % of that, when the seeds are drawn again; a run that never got there counts with the
    /// limit.
    pub interval: (f64, f64),
}

/// A task's name without what files must not hold.
pub(in crate::experiment) fn file_name(task: &Task) -> String {
    format!("{}-{}x{}", task.data.replace(':', "-"), task.depth, task.width)
}
