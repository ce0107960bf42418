//! How a network is pruned: by what, which filters go, which never do.

use super::budget::Shares;
use super::compensate::Compensation;
use super::criteria::Criterion;
use super::rule::{Limits, Rule};
use super::schedule::Schedule;
use super::scoring::{LayerRow, LayerScores};
use crate::error::{Error, Result};
use crate::nn::{Arch, Group};
use crate::train::{Gentle, Optimiser, OptimiserKind, Settings};
use serde::{Deserialize, Serialize};

/// How a run is pruned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What filters are worth.
    pub criterion: Criterion,
    /// Which of them go.
    pub rule: Rule,
    /// Filters kept per layer are a multiple of this where the layer has that many.
    pub round_to: usize,
    /// How much training follows the cut.
    pub recover: Recover,
    /// How that training goes; as the run was trained if not given.
    #[serde(default)]
    pub recovery: Option<Recovery>,
    /// How what is left is fitted to the whole network after every cut, if it is.
    #[serde(default)]
    pub compensate: Option<Compensation>,
    /// Which never go.
    #[serde(default)]
    pub limits: Limits,
    /// In one step or several.
    #[serde(default)]
    pub schedule: Schedule,
    /// Whether the best go in place of the worst: a control.
    #[serde(default)]
    pub reverse: bool,
}

/// How much training follows a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Recover {
    /// Passes over the training samples.
    Epochs(usize),
    /// Steps of one batch each.
    Steps {
        /// How many.
        steps: usize,
    },
}

impl Recover {
    /// Whether there is none.
    pub fn is_none(self) -> bool {
        matches!(self, Recover::Epochs(0) | Recover::Steps { steps: 0 })
    }
}

/// Training after a cut that does not harm what was compensated: see [`crate::train::Gentle`]. By
/// SGD with momentum 0.9, a weight decay of 0.0001, batches of 128.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// The learning rate that it begins with.
    pub rate: f64,
    /// Whether the answers of the whole network are learnt, in place of the labels.
    pub distill: bool,
}

impl Default for Recovery {
    fn default() -> Self {
        Self { rate: 0.001, distill: true }
    }
}

/// Samples of a step of [`Recovery`].
const RECOVERY_BATCH: usize = 128;

/// Names of a group's convolutions.
pub(super) fn names_of(arch: &Arch, group: &Group) -> Vec<String> {
    arch.weight_names().into_iter().filter(|(at, _)| group.convs.contains(at)).map(|(_, name)| name).collect()
}

/// Whether a name is the one given or lies under it.
fn is_under(name: &str, given: &str) -> bool {
    name.strip_prefix(given).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Plan {
    /// A share of each layer by a criterion, in one step, without recovery.
    pub fn ratio(criterion: Criterion, share: f64) -> Self {
        let (limits, schedule) = (Limits::default(), Schedule::OneShot);
        Self {
            criterion,
            rule: Rule::Ratio(share),
            round_to: 1,
            recover: Recover::Epochs(0),
            recovery: None,
            compensate: None,
            limits,
            schedule,
            reverse: false,
        }
    }

    /// The same with what is left fitted to the whole network, and gentle training.
    pub fn compensated(self, by: Compensation) -> Self {
        Self { compensate: Some(by), recovery: Some(Recovery::default()), ..self }
    }

    /// How the training after the cut goes, for a run that was trained by `settings` on so many
    /// samples.
    pub fn recovery_settings(&self, settings: &Settings, samples: usize) -> Settings {
        let mut learnt = match self.recovery {
            None => Settings { gentle: None, patience: None, warm_up: 0, ..*settings },
            Some(by) => {
                let sgd = Optimiser { momentum: 0.9, weight_decay: 1e-4, ..Optimiser::new(OptimiserKind::Sgd, by.rate) };
                let gentle = Some(Gentle { distill: by.distill, steps: 0 });
                Settings { gentle, augment: settings.augment, ..Settings::new(0, RECOVERY_BATCH, sgd, settings.seed) }
            }
        };
        match (self.recover, &mut learnt.gentle) {
            (Recover::Epochs(epochs), _) => learnt.epochs = epochs,
            (Recover::Steps { steps }, gentle) => {
                let batch = if learnt.batch == 0 { samples } else { learnt.batch };
                learnt.epochs = steps.div_ceil(samples.div_ceil(batch).max(1));
                if let Some(gentle) = gentle {
                    gentle.steps = steps;
                }
            }
        }
        learnt
    }

    /// As many filters of each layer as another pruning took, by a criterion.
    pub fn same_counts(criterion: Criterion, rows: &[LayerRow]) -> Self {
        let mut plan = Self::ratio(criterion, 0.0);
        let share = |r: &LayerRow| (r.name.clone(), 1.0 - r.kept.len() as f64 / r.scores.scores.len().max(1) as f64);
        plan.limits.ratios = rows.iter().map(share).collect();
        plan
    }

    /// Whether the plan makes sense for an architecture.
    ///
    /// # Errors
    /// [`Error::Input`] with what does not.
    pub fn check(&self, arch: &Arch) -> Result<()> {
        let name = self.criterion.name();
        let share = |r: f64| {
            if (0.0..1.0).contains(&r) {
                return Ok(());
            }
            Err(Error::input(format!("the ratio {r} must be at least 0 and below 1: every layer keeps a filter")))
        };
        match self.rule {
            Rule::Above(_) if !self.criterion.high_goes() => {
                let message = format!("filters go above a score where high scores go; by {name} the low ones do: give a ratio");
                return Err(Error::setting(message, &["above", "ratio"]));
            }
            Rule::Below(_) if self.criterion.high_goes() => {
                return Err(Error::setting(
                    format!("by {name} the high scores go, not the low ones: give a score above which they do, or a ratio"),
                    &["above", "ratio"],
                ));
            }
            Rule::Above(limit) | Rule::Below(limit) if !limit.is_finite() => {
                return Err(Error::setting("the score above or below which filters go must be a number", &["above", "below"]));
            }
            Rule::Ratio(r) | Rule::Global(r) => share(r)?,
            Rule::Target { share, .. } if !(share > 0.0 && share <= 1.0) => {
                return Err(Error::input(format!("the target {share} must be above 0 and at most 1: the share that is left")));
            }
            Rule::Latency { ms, .. } if !(ms > 0.0 && ms.is_finite()) => {
                return Err(Error::input(format!("the target of {ms} ms must be above 0")));
            }
            _ => {}
        }
        let sized = match self.rule {
            Rule::Ratio(_) => true,
            Rule::Target { shares, .. } | Rule::Latency { shares, .. } => shares == Shares::Same,
            _ => false,
        };
        if matches!(self.criterion, Criterion::Topological(_)) && !sized {
            return Err(Error::setting("the topological search looks for sets of a given size: give a ratio", &["ratio"]));
        }
        if let Some(by) = &self.compensate {
            by.check()?;
        }
        if let Some(by) = self.recovery
            && !(by.rate > 0.0 && by.rate.is_finite())
        {
            return Err(Error::input("the learning rate of the recovery must be a number above 0"));
        }
        if let (Recover::Steps { .. }, None) = (self.recover, self.recovery) {
            let message = "a number of steps is for gentle recoveries: give epochs, or let the whole network teach";
            return Err(Error::setting(message, &["recover-steps", "recover", "distill"]));
        }
        if self.reverse && self.criterion.record().is_search {
            return Err(Error::input(format!("{name} finds a set, not an order: there is no reverse of it")));
        }
        if self.round_to == 0 || self.limits.minimum == 0 {
            let message = "the number that filters are rounded to, and the least that a layer keeps, must be at least 1";
            return Err(Error::setting(message, &["round-to", "min-filters"]));
        }
        for (_, r) in &self.limits.ratios {
            share(*r)?;
        }
        if self.rule.needs_effects() && !self.limits.ratios.is_empty() {
            let message = "shares by effect decide what each layer loses: no layer can have a ratio of its own";
            return Err(Error::setting(message, &["layer-ratio", "shares"]));
        }
        let groups = arch.groups()?;
        if groups.is_empty() {
            return Err(Error::input(format!("{} has no convolution whose filters could be removed", arch.name)));
        }
        let names: Vec<String> = groups.iter().flat_map(|g| names_of(arch, g)).collect();
        for given in self.limits.ignore.iter().chain(self.limits.ratios.iter().map(|(n, _)| n)) {
            if !names.iter().any(|n| is_under(n, given)) {
                return Err(Error::input(format!("no convolution is called '{given}': there are {}", names.join(", "))));
            }
        }
        for (given, _) in &self.limits.ratios {
            let mut of_name = groups.iter().filter(|g| names_of(arch, g).iter().any(|n| is_under(n, given)));
            if !self.limits.coupled && of_name.all(Group::is_coupled) {
                let message = format!("'{given}' is coupled, and coupled layers stay whole: it can have no ratio of its own");
                return Err(Error::setting(message, &["inner", "layer-ratio"]));
            }
        }
        self.schedule.check(&self.rule)
    }

    /// The groups that may be cut.
    ///
    /// # Errors
    /// As [`Arch::groups`]; [`Error::Input`] when none is left.
    pub fn groups(&self, arch: &Arch) -> Result<Vec<Group>> {
        let ignored = |g: &Group| {
            let names = names_of(arch, g);
            self.limits.ignore.iter().any(|i| names.iter().any(|n| is_under(n, i)))
        };
        let mut groups = arch.groups()?;
        groups.retain(|g| !ignored(g) && (self.limits.coupled || !g.is_coupled()));
        if groups.is_empty() {
            return Err(Error::input("every convolution is to stay whole: nothing is left to prune"));
        }
        Ok(groups)
    }

    /// The share of a group that goes, where the plan says so.
    fn share_of(&self, arch: &Arch, group: &Group) -> Option<f64> {
        let names = names_of(arch, group);
        let own = self.limits.ratios.iter().find(|(given, _)| names.iter().any(|n| is_under(n, given)));
        match (own, self.rule) {
            (Some((_, share)), _) => Some(*share),
            (None, Rule::Ratio(share)) => Some(share),
            _ => None,
        }
    }

    /// Filters of a group that stay when `goes` of them were to go.
    fn stays(&self, filters: usize, goes: usize) -> usize {
        filters
            .saturating_sub(goes)
            .max(self.limits.minimum)
            .min(filters)
            .div_ceil(self.round_to)
            .saturating_mul(self.round_to)
            .min(filters)
    }

    /// One step of an iterative schedule: what takes a network to where a part of every share is
    /// gone of what the `original` one had.
    pub(super) fn step(&self, now: &Arch, original: &Arch, part: f64) -> Result<Self> {
        if let Rule::Target { budget, share, shares } = self.rule {
            // The same budget as a share of what the network has now.
            let share = budget.of(original)? * (1.0 - part * (1.0 - share)) / budget.of(now)?;
            return Ok(Self { rule: Rule::Target { budget, share: share.min(1.0), shares }, ..self.clone() });
        }
        let (groups, whole) = (self.groups(now)?, self.groups(original)?);
        let stays = groups.iter().zip(&whole).map(|(group, whole)| {
            let gone = goes(part * self.share_of(now, group).unwrap_or(0.0), whole.filters);
            self.stays(whole.filters, gone).min(group.filters)
        });
        Ok(self.keeping(now, &groups, &stays.collect::<Vec<_>>()))
    }

    /// The plan with so many filters of each group to stay.
    pub(super) fn keeping(&self, arch: &Arch, groups: &[Group], stays: &[usize]) -> Self {
        let mut plan = Self { rule: Rule::Ratio(0.0), ..self.clone() };
        let of_group = |(group, &stays): (&Group, &usize)| {
            let name = names_of(arch, group).into_iter().next().unwrap_or_default();
            (name, 1.0 - stays as f64 / group.filters as f64)
        };
        plan.limits.ratios = groups.iter().zip(stays).map(of_group).collect();
        plan
    }

    /// Where a budget rules, the plan with the share of each group that brings the network within
    /// it. Where effects decide and `effects` are not there yet, nothing changes.
    pub(super) fn within_budget(&self, arch: &Arch, groups: &[Group], effects: Option<&[LayerScores]>) -> Result<Self> {
        let Rule::Target { budget, share, shares } = self.rule else { return Ok(self.clone()) };
        let limit = share * budget.of(arch)?;
        let stays = match (shares, effects) {
            (Shares::Same, _) => budget.same_shares(arch, groups, limit, self.round_to > 1, &|group, share| {
                self.stays(group.filters, goes(self.share_of(arch, group).unwrap_or(share), group.filters))
            })?,
            (Shares::Effect, Some(effects)) => {
                budget.by_effect(arch, groups, effects, limit, self.round_to, &|group| self.limits.minimum.min(group.filters))?
            }
            (Shares::Effect, None) => return Ok(self.clone()),
        };
        Ok(self.keeping(arch, groups, &stays))
    }

    /// For searches: how many filters of each group are to stay; half where the rule does not say.
    pub fn sizes(&self, arch: &Arch, groups: &[Group]) -> Vec<usize> {
        let of = |g: &Group| self.stays(g.filters, goes(self.share_of(arch, g).unwrap_or(0.5), g.filters));
        groups.iter().map(of).collect()
    }

    /// The filters of each group that stay, ascending.
    pub fn choose(&self, arch: &Arch, groups: &[Group], scores: &[LayerScores]) -> Vec<Vec<usize>> {
        let worth = |s: f64| if self.criterion.high_goes() != self.reverse { -s } else { s };
        let global = if let Rule::Global(share) = self.rule { Some(self.global(share, scores, &worth)) } else { None };
        let of_group = |(g, (group, scores)): (usize, (&Group, &LayerScores))| {
            let scores = &scores.scores;
            let going = match (self.share_of(arch, group), self.rule, &global) {
                (Some(share), ..) => goes(share, group.filters),
                (None, Rule::Above(limit), _) => scores.iter().filter(|&&s| s > limit).count(),
                (None, Rule::Below(limit), _) => scores.iter().filter(|&&s| s < limit).count(),
                (None, _, Some(global)) => global[g],
                (None, _, None) => 0,
            };
            // The worst first; of equals the later.
            let mut order: Vec<usize> = (0..group.filters).collect();
            order.sort_by(|&a, &b| worth(scores[a]).total_cmp(&worth(scores[b])).then(b.cmp(&a)));
            let mut kept = order.split_off(group.filters - self.stays(group.filters, going));
            kept.sort_unstable();
            kept
        };
        groups.iter().zip(scores).enumerate().map(of_group).collect()
    }

    /// How many of each group go if a share of all go.
    fn global(&self, share: f64, scores: &[LayerScores], worth: &impl Fn(f64) -> f64) -> Vec<usize> {
        let mut all: Vec<(f64, usize)> = Vec::new();
        for (g, layer) in scores.iter().enumerate() {
            let mean = layer.scores.iter().map(|s| s.abs()).sum::<f64>() / layer.scores.len().max(1) as f64;
            let mean = if self.criterion.record().alike { 1.0 } else { mean };
            all.extend(layer.scores.iter().map(|&s| (worth(s) / mean.max(f64::MIN_POSITIVE), g)));
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut counts = vec![0; scores.len()];
        all[..goes(share, all.len())].iter().for_each(|&(_, g)| counts[g] += 1);
        counts
    }
}

/// A share of some filters, rounded down.
fn goes(share: f64, filters: usize) -> usize {
    (share * filters as f64 + 1e-9).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, zoo};
    use crate::prune::{BettiOptions, SampleOptions};

    fn arch(filters: &[usize]) -> Arch {
        Arch::cnn([1, 32, 32], filters, 8, 2, Activation::parse("relu").unwrap()).unwrap()
    }

    fn plan(criterion: Criterion, rule: Rule, round_to: usize) -> Plan {
        Plan { rule, round_to, ..Plan::ratio(criterion, 0.0) }
    }

    fn keep(plan: &Plan, scores: &[f64]) -> Vec<usize> {
        let arch = arch(&[scores.len()]);
        let scores = [LayerScores::new(0, scores.to_vec())];
        plan.choose(&arch, &arch.groups().unwrap(), &scores).remove(0)
    }

    #[test]
    fn rules_keep_the_right_filters() {
        let scores = [300.0, 301.0, 10.0, 400.0];
        let betti = || Criterion::Betti(BettiOptions::default());
        assert_eq!(keep(&plan(betti(), Rule::Above(300.0), 1), &scores), [0, 2]);
        assert_eq!(keep(&plan(betti(), Rule::Above(5.0), 1), &scores), [2], "the best stays");
        assert_eq!(keep(&plan(betti(), Rule::Ratio(0.5), 1), &scores), [0, 2]);
        assert_eq!(keep(&plan(Criterion::L1, Rule::Ratio(0.5), 1), &scores), [1, 3]);
        assert_eq!(keep(&plan(Criterion::L1, Rule::Below(301.0), 1), &scores), [1, 3]);
        assert_eq!(keep(&plan(Criterion::L1, Rule::Ratio(0.3), 1), &scores).len(), 3);
        assert_eq!(keep(&plan(Criterion::L1, Rule::Ratio(0.75), 2), &scores), [1, 3]);
        assert_eq!(keep(&plan(Criterion::L1, Rule::Ratio(0.5), 8), &scores).len(), 4);
        assert_eq!(keep(&plan(Criterion::L1, Rule::Ratio(0.5), 1), &[1.0; 4]), [0, 1], "of equals the later go");
        let reverse = Plan { reverse: true, ..plan(betti(), Rule::Ratio(0.5), 1) };
        assert_eq!(keep(&reverse, &scores), [1, 3]);
        let least = Plan { limits: Limits { minimum: 3, ..Limits::default() }, ..plan(betti(), Rule::Above(5.0), 1) };
        assert_eq!(keep(&least, &scores), [0, 1, 2]);
    }

    #[test]
    fn global_shares_compare_layers() {
        let arch = arch(&[4, 4]);
        let layer = |scores: [f64; 4]| LayerScores::new(0, scores.to_vec());
        // The second layer's scores are ten times as large; over their means, its two small ones
        // are the worst of all.
        let scores = [layer([1.0, 1.1, 0.9, 1.0]), layer([1.0, 1.0, 19.0, 19.0])];
        let kept = plan(Criterion::L1, Rule::Global(0.25), 1).choose(&arch, &arch.groups().unwrap(), &scores);
        assert_eq!(kept, [vec![0, 1, 2, 3], vec![2, 3]]);
        let slim = plan(Criterion::BnScale, Rule::Global(0.25), 1).choose(&arch, &arch.groups().unwrap(), &scores);
        assert_eq!(slim, [vec![0, 1], vec![0, 1, 2, 3]], "scales are compared as they are");
        let mut own = plan(Criterion::L1, Rule::Global(0.25), 1);
        own.limits.ratios.push(("layers.0".into(), 0.5));
        assert_eq!(own.choose(&arch, &arch.groups().unwrap(), &scores)[0], [0, 1]);
    }

    #[test]
    fn layers_can_be_spared() {
        let arch = zoo::named("resnet20", [3, 32, 32], 10, Activation::parse("relu").unwrap()).unwrap();
        let mut plan = Plan::ratio(Criterion::L1, 0.5);
        assert_eq!(plan.groups(&arch).unwrap().len(), 12);
        plan.limits.ignore = vec!["layer3".into()];
        assert_eq!(plan.groups(&arch).unwrap().len(), 8, "the stage's own group has a convolution there too");
        plan.limits = Limits { coupled: false, ..Limits::default() };
        assert_eq!(plan.groups(&arch).unwrap().len(), 9);
        plan.limits.ratios = vec![("layer1.0".into(), 0.5)];
        plan.check(&arch).unwrap();
        plan.limits.ratios = vec![("layer1.0.conv2".into(), 0.5)];
        assert!(plan.check(&arch).unwrap_err().to_string().contains("coupled"), "it would do nothing");
        plan.limits.ratios.clear();
        plan.limits.ignore = vec!["layer1.0.conv".into()];
        assert!(plan.check(&arch).unwrap_err().to_string().contains("layer1.0.conv1"));
    }

    #[test]
    fn senseless_plans_are_refused() {
        let some = SampleOptions::default();
        let arch = arch(&[4]);
        let mut unnamed = plan(Criterion::L1, Rule::Ratio(0.5), 1);
        unnamed.limits.ratios.push(("layers.0".into(), 1.0));
        for bad in [
            plan(Criterion::L1, Rule::Above(300.0), 1),
            plan(Criterion::Apoz(some), Rule::Below(0.1), 1),
            plan(Criterion::L1, Rule::Ratio(1.0), 1),
            plan(Criterion::L1, Rule::Global(-0.1), 1),
            plan(Criterion::L1, Rule::Ratio(0.5), 0),
            plan(Criterion::Topological(Default::default()), Rule::Global(0.5), 1),
            Plan { reverse: true, ..plan(Criterion::Energy(Default::default()), Rule::Ratio(0.5), 1) },
            unnamed,
        ] {
            assert_eq!(bad.check(&arch).unwrap_err().exit_code(), 2, "{bad:?}");
        }
        let mlp = Arch::mlp(2, 3, 4, 2, Activation::parse("relu").unwrap()).unwrap();
        assert!(plan(Criterion::L1, Rule::Ratio(0.5), 1).check(&mlp).unwrap_err().to_string().contains("no convolution"));
    }
}
