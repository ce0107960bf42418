//! What is compared, and what comes of it.

use crate::error::{Error, Result};
use crate::prune::{Aim, Compensation, Cost, Criterion, FilterPoints, Limits, Recovery};
use crate::train::{Run, Settings};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A criterion under comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// What it is called in results.
    pub label: String,
    /// What it is.
    pub criterion: Criterion,
    /// Whether the best go, as a control.
    #[serde(default)]
    pub reverse: bool,
}

impl Rival {
    /// A criterion by its name, with `:reverse` behind it as the control in which the best go;
    /// behind `barcode` there may be another of its aims, as in `barcode:logits`, the control
    /// without topology, or `joint` and a dash before it for a joint choice; `topological:refitted`
    /// asks for the fitness after refitting.
    ///
    /// # Errors
    /// As [`Criterion::named`].
    pub fn named(name: &str, samples: usize) -> Result<Self> {
        Self::labelled(name, |base| Criterion::named(base, samples, 0))
    }

    /// As [`Rival::named`], with the criterion that `make` gives for the name without `:reverse`.
    ///
    /// # Errors
    /// Whatever `make` returns.
    pub fn labelled(name: &str, make: impl FnOnce(&str) -> Result<Criterion>) -> Result<Self> {
        let (base, reverse) = name.strip_suffix(":reverse").map_or((name, false), |base| (base, true));
        let (plain, variant) = match base.split_once(':') {
            Some((plain @ ("barcode" | "topological"), variant)) => (plain, Some(variant)),
            _ => (base, None),
        };
        let mut criterion = make(plain)?;
        match (&mut criterion, variant) {
            (_, None) => {}
            (Criterion::Barcode(options), Some(variant)) => {
                let (joint, aim) =
                    variant.strip_prefix("joint").map_or((false, variant), |rest| (true, rest.trim_start_matches('-')));
                options.joint = joint;
                options.aim = if aim.is_empty() { options.aim } else { Aim::named(aim)? };
            }
            (Criterion::Topological(options), Some("refitted")) => {
                options.points = FilterPoints::Refitted { samples: FilterPoints::REFITTED }
            }
            _ => {
                return Err(Error::input(format!(
                    "unknown criterion '{base}': topological has the variant topological:refitted"
                )));
            }
        }
        Ok(Self { label: name.into(), criterion, reverse })
    }

    /// The label of the same reconstruction without topology, where this is one with it.
    pub fn control(&self) -> Option<String> {
        let Criterion::Barcode(options) = &self.criterion else { return None };
        let control = options.aim.control();
        let joint = if options.joint { "joint-" } else { "" };
        (options.aim != control && !self.reverse).then(|| format!("barcode:{joint}{}", control.name()))
    }

    /// Chance is run with three seeds at least: it is what the others are compared with.
    pub(super) fn seeds(&self, seeds: usize) -> usize {
        if matches!(self.criterion, Criterion::Random { .. }) { seeds.max(3) } else { seeds }
    }
}

/// What to compare, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compare {
    /// Folder of the trained run.
    pub run: PathBuf,
    /// The criteria.
    pub rivals: Vec<Rival>,
    /// Shares of each layer's filters that go.
    pub ratios: Vec<f64>,
    /// Seeds of each.
    pub seeds: usize,
    /// Epochs of training after the cut.
    pub recover: usize,
    /// Training samples of such an epoch, and of the criteria; all if not given.
    pub train: Option<usize>,
    /// Test samples; all if not given.
    pub test: Option<usize>,
    /// Filters kept per layer are a multiple of this.
    pub round_to: usize,
    /// Which filters never go.
    pub limits: Limits,
    /// How much less than before counts as recovered.
    pub slack: f64,
    /// How the recovery learns; its number of epochs is [`Compare::recover`].
    pub settings: Settings,
    /// How what is left is fitted to the whole network after each cut, if it is. Each seed draws
    /// images of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensate: Option<Compensation>,
    /// A gentle recovery in place of one by `settings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// Steps of a gentle recovery, in place of epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover_steps: Option<usize>,
}

impl Compare {
    /// Every share of 0.1 to 0.9, three seeds, as the run was trained.
    pub fn new(run: &Run, rivals: Vec<Rival>) -> Self {
        Self {
            run: run.folder.clone(),
            rivals,
            ratios: (1..10).map(|i| f64::from(i) / 10.0).collect(),
            seeds: 3,
            recover: 1,
            train: None,
            test: None,
            round_to: 1,
            limits: Limits::default(),
            slack: 0.005,
            settings: run.config.settings,
            compensate: None,
            recovery: None,
            recover_steps: None,
        }
    }
}

/// One cut and its recovery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompareRow {
    /// Label of the criterion.
    pub by: String,
    /// Share of each layer's filters that went.
    pub ratio: f64,
    /// Decides what is left to chance, and the order of samples.
    pub seed: u64,
    /// The network right after the cut.
    pub cost: Cost,
    /// Accuracy after each epoch of the recovery.
    pub recovery: Vec<f64>,
    /// Seconds for scoring, cutting, and each epoch of the recovery on average.
    pub seconds: [f64; 3],
}

impl CompareRow {
    /// Accuracy at the end.
    pub fn last(&self) -> f64 {
        self.recovery.last().copied().unwrap_or(self.cost.accuracy)
    }

    /// Epochs until the accuracy is at least `goal`, 0 if it is right after the cut.
    pub fn epochs_to(&self, goal: f64) -> Option<usize> {
        std::iter::once(&self.cost.accuracy).chain(&self.recovery).position(|&a| a >= goal)
    }
}

/// What `settings.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Setting {
    pub compare: Compare,
    pub network: String,
    pub data: String,
    pub test_samples: usize,
    pub train_samples: usize,
    /// Stands for the weights before.
    pub weights: String,
    pub before: Cost,
}
