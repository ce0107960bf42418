//! Cutting in one step, in several with training between, or softly.

use super::criteria::{LayerScores, Scoring};
use super::plan::{Plan, Rule};
use super::surgery::{Keep, cut, silence};
use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::nn::{Compute, Net};
use crate::progress::Watch;
use crate::train::{Settings, Trainer};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// How the share that goes grows from step to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Curve {
    /// In equal steps.
    Linear,
    /// Large steps first: `1 - (1 - t)^3` (Zhu and Gupta, "To prune, or not to prune", arXiv 1710.01878).
    Cubic,
}

/// When filters go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// All at once.
    #[default]
    OneShot,
    /// In steps, each scored anew, with training between them.
    Iterative {
        /// How many.
        steps: usize,
        /// How the share grows.
        curve: Curve,
        /// Epochs of training after each step but the last.
        between: usize,
    },
    /// After every epoch the worst are scored anew and set to zero, and learn on with the others; what is zero at the end is cut (He et
    /// al., "Soft filter pruning", arXiv 1808.06866; with the criterion fpgm the form of arXiv 1811.00250).
    Soft {
        /// How many.
        epochs: usize,
    },
}

impl Schedule {
    pub(super) fn check(self, rule: &Rule) -> Result<()> {
        match self {
            Schedule::OneShot => Ok(()),
            Schedule::Iterative { steps: 0, .. } | Schedule::Soft { epochs: 0 } => {
                Err(Error::input("a schedule needs at least one step or epoch"))
            }
            Schedule::Iterative { .. } if !matches!(rule, Rule::Ratio(_)) => {
                Err(Error::input("an iterative schedule needs a --ratio: the share that is gone after the last step"))
            }
            _ => Ok(()),
        }
    }

    /// Shares of the final share after each step.
    fn parts(self) -> Vec<f64> {
        let Schedule::Iterative { steps, curve, .. } = self else { return vec![1.0] };
        let part = |step: usize| {
            let t = step as f64 / steps as f64;
            match curve {
                Curve::Linear => t,
                Curve::Cubic => 1.0 - (1.0 - t).powi(3),
            }
        };
        (1..=steps).map(part).collect()
    }
}

/// Filters of one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRow {
    /// Scores of its filters before the (first) cut.
    #[serde(flatten)]
    pub scores: LayerScores,
    /// Filters that stayed.
    pub kept: Vec<usize>,
    /// Name of the convolution, or of the first of those that are coupled.
    #[serde(default)]
    pub name: String,
}

/// What a schedule came to.
#[derive(Debug)]
pub struct Cut {
    /// The smaller network.
    pub net: Net,
    /// Group by group, in the terms of the network before.
    pub layers: Vec<LayerRow>,
    /// Seconds for scoring, cutting, and training between.
    pub seconds: [f64; 3],
}

/// Scores the filters of a network and says which stay.
///
/// # Errors
/// [`Error::Input`] for a plan that makes no sense; whatever the criterion says.
pub fn score(net: &Net, data: &DataSet, plan: &Plan, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<LayerRow>> {
    plan.check(&net.arch)?;
    let groups = plan.groups(&net.arch)?;
    let stays = plan.sizes(&net.arch, &groups);
    let mut scoring = Scoring { net, samples: &data.train, compute, groups: groups.clone(), stays, watch };
    let scores = plan.criterion.score(&mut scoring)?;
    if let Some(bad) = scores.iter().find(|s| s.scores.iter().any(|x| !x.is_finite())) {
        return Err(Error::input(format!("the scores of layer {} are not finite: has the network diverged?", bad.layer)));
    }
    let kept = plan.choose(&net.arch, &groups, &scores);
    let row = |((scores, kept), group): ((LayerScores, Vec<usize>), &crate::nn::Group)| {
        let name = super::plan::names_of(&net.arch, group).into_iter().next().unwrap_or_default();
        LayerRow { scores, kept, name }
    };
    Ok(scores.into_iter().zip(kept).zip(&groups).map(row).collect())
}

/// Cuts a network as a plan has it; training between steps is by `settings`.
///
/// # Errors
/// As [`score`], and whatever training says.
pub fn shrink(
    net: &Net,
    data: &DataSet,
    plan: &Plan,
    settings: &Settings,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<Cut> {
    plan.check(&net.arch)?;
    let mut seconds = [0.0; 3];
    let mut timed = |at: usize, start: Instant| seconds[at] += start.elapsed().as_secs_f64();
    let start = Instant::now();
    let mut now = match plan.schedule {
        Schedule::Soft { epochs } => {
            let soft = soft(net, data, plan, epochs, settings, compute, watch)?;
            timed(2, start);
            soft
        }
        _ => net.clone(),
    };
    let mut layers: Vec<LayerRow> = Vec::new();
    let parts = plan.schedule.parts();
    let whole: Vec<usize> = plan.groups(&net.arch)?.iter().map(|g| g.filters).collect();
    for (step, part) in parts.iter().enumerate() {
        let of_step = match plan.schedule {
            Schedule::Iterative { .. } => plan.step(&now.arch, &whole, *part)?,
            _ => plan.clone(),
        };
        let start = Instant::now();
        let rows = score(&now, data, &of_step, compute, watch)?;
        timed(0, start);
        let start = Instant::now();
        let keep: Keep = rows.iter().map(|l| (l.scores.layer, l.kept.clone())).collect();
        now = cut(&now, &keep, &compute.device)?;
        timed(1, start);
        if layers.is_empty() {
            layers = rows;
        } else {
            for (all, step) in layers.iter_mut().zip(rows) {
                all.kept = step.kept.iter().map(|&k| all.kept[k]).collect();
            }
        }
        if let Schedule::Iterative { between, .. } = plan.schedule
            && step + 1 < parts.len()
        {
            let start = Instant::now();
            now = trained(now, data, between, settings, compute, watch)?;
            timed(2, start);
        }
    }
    Ok(Cut { net: now, layers, seconds })
}

/// A network after some epochs.
fn trained(
    net: Net,
    data: &DataSet,
    epochs: usize,
    settings: &Settings,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<Net> {
    let mut trainer = Trainer::new(net, Settings { epochs, ..*settings }, &compute.device);
    for _ in 0..epochs {
        trainer.epoch(&data.train, watch)?;
    }
    Ok(trainer.network())
}

fn soft(
    net: &Net,
    data: &DataSet,
    plan: &Plan,
    epochs: usize,
    settings: &Settings,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<Net> {
    let mut now = net.clone();
    for epoch in 0..epochs {
        // Each epoch has its own order of samples.
        let of_epoch = Settings { seed: settings.seed.wrapping_add(epoch as u64), ..*settings };
        now = trained(now, data, 1, &of_epoch, compute, watch)?;
        let rows = score(&now, data, plan, compute, watch)?;
        let keep: Keep = rows.iter().map(|l| (l.scores.layer, l.kept.clone())).collect();
        now = silence(&now, &keep, &compute.device)?;
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Arch};
    use crate::prune::Criterion;
    use crate::train::Optimiser;

    #[test]
    fn shares_grow_as_they_should() {
        let parts = |curve| Schedule::Iterative { steps: 4, curve, between: 1 }.parts();
        assert_eq!(parts(Curve::Linear), [0.25, 0.5, 0.75, 1.0]);
        assert_eq!(parts(Curve::Cubic), [0.578125, 0.875, 0.984375, 1.0]);
        assert_eq!(Schedule::OneShot.parts(), [1.0]);
        let none = Schedule::Soft { epochs: 0 };
        assert!(none.check(&Rule::Ratio(0.5)).is_err());
        let steps = Schedule::Iterative { steps: 2, curve: Curve::Linear, between: 0 };
        assert!(steps.check(&Rule::Above(3.0)).is_err());
    }

    /// Every schedule ends with the number of filters that the ratio says, and with a network that the kept filters make.
    #[test]
    fn schedules_end_at_the_ratio() {
        let compute = Compute::cpu();
        let samples = crate::prune::criteria::testing::waves(60);
        let names = ["a", "b", "c"].map(String::from).to_vec();
        let data = DataSet { name: "waves".into(), classes: names, train: samples.clone(), test: samples };
        let arch = Arch::cnn([1, 8, 8], &[10, 8], 6, 3, Activation::parse("relu").unwrap()).unwrap();
        let net = Net::new(&arch, 1, &compute.device).unwrap();
        let settings = Settings::new(1, 20, Optimiser::adam(0.001), 0);
        let plan = |schedule| Plan { schedule, ..Plan::ratio(Criterion::L1, 0.5) };
        let run = |schedule| shrink(&net, &data, &plan(schedule), &settings, &compute, &mut crate::progress::Unwatched).unwrap();
        let once = run(Schedule::OneShot);
        assert_eq!(once.layers.iter().map(|l| l.kept.len()).collect::<Vec<_>>(), [5, 4]);
        assert_eq!(once.layers[1].name, "layers.4");
        // Without training between, steps by weights' norms find the same filters.
        let steps = run(Schedule::Iterative { steps: 3, curve: Curve::Cubic, between: 0 });
        assert_eq!(steps.layers[0].kept, once.layers[0].kept);
        assert_eq!(steps.net.parameters(), once.net.parameters());
        let soft = run(Schedule::Soft { epochs: 2 });
        assert_eq!(soft.layers.iter().map(|l| l.kept.len()).collect::<Vec<_>>(), [5, 4]);
        assert!(soft.seconds[2] > 0.0);
    }
}
