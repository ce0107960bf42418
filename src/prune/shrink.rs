//! From a network to a smaller one, in the steps of a schedule.

use super::budget::Shares;
use super::compensate::{Choice, Choices, Refit, compensate, compensate_choosing};
use super::criteria::Criterion;
use super::fold::cut_and_fold;
use super::plan::Plan;
use super::rule::Rule;
use super::schedule::Schedule;
use super::scoring::{LayerRow, LayerScores, Scoring};
use super::surgery::{Keep, cut, silence};
use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::nn::{Compute, Group, Net};
use crate::progress::Watch;
use crate::train::{Gentle, Settings, Trainer};
use std::collections::BTreeMap;
use std::time::Instant;

/// What a schedule came to.
#[derive(Debug)]
pub struct Cut {
    /// The smaller network.
    pub net: Net,
    /// Group by group, in the terms of the network before.
    pub layers: Vec<LayerRow>,
    /// What the last compensation made of each layer that it fitted.
    pub refits: Vec<Refit>,
    /// Seconds for scoring, cutting (with compensating), and training between.
    pub seconds: [f64; 3],
}

/// Scores the filters of a network and says which stay.
///
/// # Errors
/// [`Error::Input`] for a plan that makes no sense; whatever the criterion says.
pub fn score(net: &Net, data: &DataSet, plan: &Plan, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<LayerRow>> {
    Ok(score_and_count(net, data, plan, compute, watch)?.0)
}

/// Rows, and how much each output counts of the layers that read filters, where the criterion says
/// so.
type Scored = (Vec<LayerRow>, BTreeMap<usize, Vec<f64>>);

fn score_and_count(net: &Net, data: &DataSet, plan: &Plan, compute: &Compute, watch: &mut dyn Watch) -> Result<Scored> {
    plan.check(&net.arch)?;
    let groups = plan.groups(&net.arch)?;
    let limited = |plan: &Plan, effects: Option<&[LayerScores]>, watch: &mut dyn Watch| match plan.rule {
        Rule::Latency { ms, shares } if shares == Shares::Same || effects.is_some() => {
            super::latency::within(plan, (ms, shares), &net.arch, &groups, effects, &compute.device, watch)
        }
        _ => plan.within_budget(&net.arch, &groups, effects),
    };
    let plan = &limited(plan, None, watch)?;
    let stays = plan.sizes(&net.arch, &groups);
    let mut scoring =
        Scoring { net, samples: &data.train, compute, groups: groups.clone(), stays, watch, counts: BTreeMap::new() };
    let scores = plan.criterion.score(&mut scoring)?;
    let plan = &match plan.rule {
        rule if rule.needs_effects() => {
            let by_effect = Criterion::named("effect", data.train.len().min(512), 0)?;
            let effects =
                if matches!(plan.criterion, Criterion::Effect(_)) { scores.clone() } else { by_effect.score(&mut scoring)? };
            limited(plan, Some(&effects), scoring.watch)?
        }
        _ => plan.clone(),
    };
    if let Some(bad) = scores.iter().find(|s| s.scores.iter().any(|x| !x.is_finite())) {
        return Err(Error::input(format!("the scores of layer {} are not finite: has the network diverged?", bad.layer)));
    }
    let kept = plan.choose(&net.arch, &groups, &scores);
    let row = |((scores, kept), group): ((LayerScores, Vec<usize>), &Group)| {
        let mut names = super::plan::names_of(&net.arch, group).into_iter();
        LayerRow { scores, kept, name: names.next().unwrap_or_default(), coupled: names.collect() }
    };
    let counts = scoring.counts;
    Ok((scores.into_iter().zip(kept).zip(&groups).map(row).collect(), counts))
}

/// For a joint choice: the groups that are chosen in the middle of a compensation, because one
/// layer alone reads them.
fn choices(net: &Net, plan: &Plan, rows: &[LayerRow], counts: &BTreeMap<usize, Vec<f64>>) -> Result<Choices> {
    let mut found = Choices::new();
    if !matches!(&plan.criterion, Criterion::Barcode(options) if options.joint) || plan.compensate.is_none() || plan.reverse {
        return Ok(found);
    }
    let groups = net.arch.groups()?;
    let is_later = |group: &Group| !group.is_coupled() && group.readers.len() == 1;
    for row in rows.iter().filter(|r| r.kept.len() < r.scores.scores.len()) {
        let Some(group) = groups.iter().find(|g| g.leader() == row.scores.layer && is_later(g)) else { continue };
        let at = group.readers[0].layer();
        let Some(all) = counts.get(&at) else { continue };
        // The outputs that are there when it comes to this layer: those of groups that are cut
        // before.
        let cut_before = groups.iter().find(|g| g.convs.contains(&at) && !is_later(g));
        let of_outputs = cut_before.and_then(|g| rows.iter().find(|r| r.scores.layer == g.leader()));
        let counts = of_outputs.map_or(all.clone(), |r| r.kept.iter().map(|&k| all[k]).collect());
        found.insert(group.leader(), Choice { stays: row.kept.len(), counts });
    }
    Ok(found)
}

/// Where a schedule stands after some of its steps or epochs.
#[derive(Debug)]
pub struct Standing {
    /// Steps or epochs that are through.
    pub done: usize,
    /// Group by group, in the terms of the network before.
    pub layers: Vec<LayerRow>,
    /// Seconds for scoring, cutting, and training between.
    pub seconds: [f64; 3],
    /// The network as it stands.
    pub net: Net,
}

/// Keeps where a schedule stands, so that it can go on after an interruption.
pub trait Keeper {
    /// What was kept last, if anything.
    ///
    /// # Errors
    /// Whatever reading says.
    fn load(&mut self) -> Result<Option<Standing>>;
    /// Keeps it.
    ///
    /// # Errors
    /// Whatever writing says.
    fn save(&mut self, standing: &Standing) -> Result<()>;
}

/// Keeps nothing.
impl Keeper for () {
    fn load(&mut self) -> Result<Option<Standing>> {
        Ok(None)
    }
    fn save(&mut self, _: &Standing) -> Result<()> {
        Ok(())
    }
}

/// Cuts a network as a plan has it; training between steps is by `settings`, those of the run, or
/// gentle where the plan's recovery is. Goes on from what `keeper` has and keeps every step; `()`
/// keeps nothing.
///
/// # Errors
/// As [`score`], and whatever training and the keeper say.
pub fn shrink(
    net: &Net,
    data: &DataSet,
    plan: &Plan,
    settings: &Settings,
    compute: &Compute,
    watch: &mut dyn Watch,
    keeper: &mut dyn Keeper,
) -> Result<Cut> {
    plan.check(&net.arch)?;
    let begin = || Standing { done: 0, layers: Vec::new(), seconds: [0.0; 3], net: net.clone() };
    let mut now = keeper.load()?.unwrap_or_else(begin);
    let mut refits = Vec::new();
    match plan.schedule {
        Schedule::Soft { epochs } => {
            // Filters that are to come back have to learn as the network did.
            let settings = &Settings { gentle: None, ..*settings };
            let mut loud = net.clone();
            while now.done < epochs {
                train_between(&mut now, net, data, 1, settings, compute, watch)?;
                loud = now.net.clone();
                let start = Instant::now();
                now.layers = score(&now.net, data, plan, compute, watch)?;
                now.net = silence(&now.net, &kept(&now.layers), &compute.device)?;
                now.seconds[0] += start.elapsed().as_secs_f64();
                now.done += 1;
                // The last epoch is not kept: what is cut is fitted to the network before its
                // filters were silenced.
                if now.done < epochs {
                    keeper.save(&now)?;
                }
            }
            // What is zero goes: scored again, filters that are zero might look well to some
            // criteria.
            let start = Instant::now();
            now.net = cut_and_fold(&now.net, &kept(&now.layers), &compute.device)?;
            if let Some(by) = &plan.compensate {
                (now.net, refits) = compensate(&loud, &now.net, &kept(&now.layers), &data.train, compute, by, watch)?;
            }
            now.seconds[1] += start.elapsed().as_secs_f64();
        }
        Schedule::OneShot | Schedule::Iterative { .. } => {
            let parts = plan.schedule.parts();
            while now.done < parts.len() {
                if let (Schedule::Iterative { between, .. }, true) = (plan.schedule, now.done > 0) {
                    let gentle = plan.recovery_settings(settings, data.train.len());
                    train_between(&mut now, net, data, between, &gentle, compute, watch)?;
                }
                let of_step = match plan.schedule {
                    Schedule::Iterative { .. } => plan.step(&now.net.arch, &net.arch, parts[now.done])?,
                    _ => plan.clone(),
                };
                let start = Instant::now();
                let (mut rows, counts) = score_and_count(&now.net, data, &of_step, compute, watch)?;
                let choices = choices(&now.net, plan, &rows, &counts)?;
                let waits = |r: &LayerRow| r.kept.len() == r.scores.scores.len() || choices.contains_key(&r.scores.layer);
                now.seconds[0] += start.elapsed().as_secs_f64();
                let start = Instant::now();
                let mut at_once = kept(&rows);
                rows.iter().filter(|r| waits(r)).for_each(|r| {
                    at_once.remove(&r.scores.layer);
                });
                now.net = cut(&now.net, &at_once, &compute.device)?;
                if let Some(by) = &plan.compensate {
                    // What has gone by now, in the terms of the network at the beginning.
                    let mut gone = if now.layers.is_empty() { Keep::new() } else { kept(&now.layers) };
                    for (leader, stay) in at_once {
                        let all = gone.get(&leader).map_or(stay.clone(), |all| stay.iter().map(|&k| all[k]).collect());
                        gone.insert(leader, all);
                    }
                    let (fitted, chosen, report) =
                        compensate_choosing(net, &now.net, &gone, &choices, &data.train, compute, by, watch)?;
                    (now.net, refits) = (fitted, report);
                    for row in &mut rows {
                        if let Some(stay) = chosen.get(&row.scores.layer) {
                            row.kept.clone_from(stay);
                        }
                    }
                }
                if now.layers.is_empty() {
                    now.layers = rows;
                } else {
                    for (all, step) in now.layers.iter_mut().zip(rows) {
                        all.kept = step.kept.iter().map(|&k| all.kept[k]).collect();
                    }
                }
                now.seconds[1] += start.elapsed().as_secs_f64();
                now.done += 1;
                if now.done < parts.len() {
                    keeper.save(&now)?;
                }
            }
        }
    }
    Ok(Cut { net: now.net, layers: now.layers, refits, seconds: now.seconds })
}

fn kept(rows: &[LayerRow]) -> Keep {
    rows.iter().map(|l| (l.scores.layer, l.kept.clone())).collect()
}

/// Some epochs, each step with its own order of samples.
fn train_between(
    now: &mut Standing,
    whole: &Net,
    data: &DataSet,
    epochs: usize,
    settings: &Settings,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<()> {
    let start = Instant::now();
    let gentle = settings.gentle.map(|g| Gentle { steps: 0, ..g });
    let settings = Settings { epochs, gentle, seed: settings.seed.wrapping_add(now.done as u64), ..*settings };
    let mut trainer = Trainer::new(now.net.clone(), settings, &compute.device).taught_by(whole);
    for _ in 0..epochs {
        trainer.epoch(&data.train, watch)?;
    }
    now.net = trainer.network();
    now.seconds[2] += start.elapsed().as_secs_f64();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Arch};
    use crate::prune::{Criterion, Curve};
    use crate::train::Optimiser;

    /// Every schedule ends with the number of filters that the ratio says, and with a network that
    /// the kept filters make.
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
        let run = |schedule| {
            shrink(&net, &data, &plan(schedule), &settings, &compute, &mut crate::progress::Unwatched, &mut ()).unwrap()
        };
        let once = run(Schedule::OneShot);
        assert_eq!(once.layers.iter().map(|l| l.kept.len()).collect::<Vec<_>>(), [5, 4]);
        assert_eq!(once.layers[1].name, "layers.4");
        // Without training between, steps by weights' norms find the same filters.
        let steps = run(Schedule::Iterative { steps: 3, curve: Curve::Cubic, between: 0 });
        assert_eq!(steps.layers[0].kept, once.layers[0].kept);
        assert_eq!(steps.net.parameters(), once.net.parameters());
        let soft = run(Schedule::Soft { epochs: 2 });
        assert_eq!(soft.net.arch.groups().unwrap()[0].filters, 5);
        assert_eq!(soft.layers.iter().map(|l| l.kept.len()).collect::<Vec<_>>(), [5, 4]);
        assert!(soft.seconds[2] > 0.0);
        // What was set to zero learns again, where the activation lets a gradient through.
        let mut net = net;
        for norm in net.norms_mut() {
            norm.beta = burn::module::Param::from_tensor(norm.beta.val() + 0.3);
        }
        let rows = score(&net, &data, &plan(Schedule::OneShot), &compute, &mut crate::progress::Unwatched).unwrap();
        let silent = silence(&net, &kept(&rows), &compute.device).unwrap();
        let norm = |net: &Net| -> Vec<f32> {
            net.conv(0).weight.val().powi_scalar(2).flatten::<2>(1, 3).sum_dim(1).try_into_vec_as().unwrap()
        };
        assert_eq!(norm(&silent).iter().filter(|n| **n == 0.0).count(), 5);
        let mut standing = Standing { done: 0, layers: rows, seconds: [0.0; 3], net: silent };
        train_between(&mut standing, &net, &data, 1, &settings, &compute, &mut crate::progress::Unwatched).unwrap();
        assert!(norm(&standing.net).iter().all(|n| *n > 1e-8), "{:?}", norm(&standing.net));
    }
}
