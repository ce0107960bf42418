//! Filters that training itself switches off.
//!
//! Mehta, Kim and Theobalt ("On implicit filter level sparsity in convolutional neural networks",
//! CVPR 2019, arXiv 1811.12495): networks with batch norm and ReLU that are trained by adaptive
//! optimisers with L2 regularisation end with many filters that answer no input; plain descent
//! hardly does that, and decoupled decay less. A filter counts as off by its norm's scale (below
//! 1e-3) or by its activations (at most 1e-12 on every training sample). Those that are off by
//! scale are removed and what they add as constants is kept ([`crate::prune::cut_and_fold`]): the
//! test error must not change.

use super::ledger::{Ledger, same, same_engine, same_subject};
use crate::data::files::write_text;
use crate::data::{DataSet, Samples};
use crate::error::{Error, Result};
use crate::nn::{Activation, Compute, Flow, Net, bridge, zoo};
use crate::progress::Watch;
use crate::prune::{Keep, cut_and_fold};
use crate::report::{Lines, Page, Picture, Table};
use crate::train::{Optimiser, OptimiserKind, Settings, Trainer, accuracy, load_data};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Scales below this are off.
const OFF_BY_SCALE: f32 = 1e-3;
/// Largest activations up to this are off.
const OFF_BY_ACTIVATION: f32 = 1e-12;

/// What to train.
#[derive(Clone, Debug)]
pub struct ImplicitSparsity {
    /// Folder of the results; an experiment that is there goes on.
    pub out: PathBuf,
    /// Name of the network.
    pub network: String,
    /// Name of the data set, and its folder.
    pub data: (String, Option<PathBuf>),
    /// Training and test samples at most.
    pub samples: (u32, u32),
    /// Passes over them.
    pub epochs: usize,
    /// Samples per step.
    pub batch: usize,
    /// Rules, with their momentum and rates.
    pub rules: Vec<(OptimiserKind, f64, f64)>,
    /// Regularisations.
    pub lambdas: Vec<f32>,
    /// Seeds of each.
    pub seeds: usize,
}

impl ImplicitSparsity {
    /// A narrow network on bundled images, or BasicNet on CIFAR-10 as the paper has it (batches of
    /// 40).
    pub fn new(out: PathBuf, quick: bool, data_dir: Option<PathBuf>) -> Self {
        // In the quick form 1,200 steps must suffice to take a scale from 1 to 0: higher rates, and
        // a regularisation that is felt.
        let adaptive = if quick { 3e-3 } else { 1e-3 };
        let rules = vec![
            (OptimiserKind::Sgd, 0.0, 0.1),
            (OptimiserKind::Sgd, 0.9, 0.01),
            (OptimiserKind::Adam, 0.0, adaptive),
            (OptimiserKind::Amsgrad, 0.0, adaptive),
            (OptimiserKind::Adagrad, 0.0, 1e-2),
            (OptimiserKind::Adadelta, 0.0, 1.0),
            (OptimiserKind::Rmsprop, 0.0, adaptive),
        ];
        if quick {
            return Self {
                out,
                network: "basicnet:0.0625".into(),
                data: ("fashion-mnist".into(), None),
                samples: (3000, 1000),
                epochs: 16,
                batch: 40,
                rules,
                lambdas: vec![1e-2],
                seeds: 1,
            };
        }
        Self {
            out,
            network: "basicnet".into(),
            data: ("cifar-10".into(), data_dir),
            samples: (u32::MAX, u32::MAX),
            epochs: 250,
            batch: 40,
            rules,
            lambdas: vec![1e-5, 1e-4, 1e-3],
            seeds: 3,
        }
    }
}

/// Filters that are off in one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Off {
    /// Name of the convolution.
    pub layer: String,
    /// Its filters.
    pub filters: usize,
    /// Off by the norm's scale.
    pub by_scale: usize,
    /// Off by activations.
    pub by_activation: usize,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SparsityRow {
    /// The rule with its regularisation.
    pub rule: Optimiser,
    /// Draws weights and the order of samples.
    pub seed: u64,
    /// Test accuracy after each epoch.
    pub test: Vec<f64>,
    /// Layer by layer, after each epoch.
    pub off: Vec<Vec<Off>>,
    /// Test accuracy once those off by scale are removed.
    pub cut_accuracy: f64,
    /// Parameters before and after.
    pub parameters: [usize; 2],
    /// Seconds of training.
    pub seconds: f64,
}

fn share(off: &[Off], number: impl Fn(&Off) -> usize) -> f64 {
    let filters: usize = off.iter().map(|o| o.filters).sum();
    off.iter().map(number).sum::<usize>() as f64 / filters.max(1) as f64
}

fn name(rule: &Optimiser) -> String {
    let momentum = if rule.momentum > 0.0 { " with momentum" } else { "" };
    format!("{}{momentum}", rule.kind.usual().0)
}

/// Trains every rule with both regularisations, and none, and writes raw results, tables and
/// pictures.
///
/// # Errors
/// [`Error::Interrupted`], after saving the runs that are through; whatever data or training say.
pub fn implicit_sparsity(options: &ImplicitSparsity, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<SparsityRow>> {
    let data = load_data(&options.data.0, options.data.1.as_deref(), 0)?.with_at_most(
        options.samples.0 as usize,
        options.samples.1 as usize,
        0,
    );
    same_engine(&options.out, compute)?;
    same_subject(&options.out, &(&options.network, &options.data.0, options.samples, options.epochs, options.batch))?;
    let mut ledger = Ledger::<SparsityRow>::open(&options.out.join("sparsity.jsonl"))?;
    let mut wanted = Vec::new();
    for &(kind, momentum, rate) in &options.rules {
        let plain = Optimiser { momentum, ..Optimiser::new(kind, rate) };
        wanted.push(plain);
        for &weight_decay in &options.lambdas {
            wanted.extend([false, true].map(|decoupled| Optimiser { weight_decay, decoupled, ..plain }));
        }
    }
    let total = wanted.len() * options.seeds;
    for (nth, rule) in wanted.iter().enumerate() {
        for seed in 0..options.seeds as u64 {
            let is = |r: &SparsityRow| {
                let (a, b) = (&r.rule, rule);
                a.kind == b.kind
                    && a.decoupled == b.decoupled
                    && same(a.momentum, b.momentum)
                    && same(f64::from(a.weight_decay), f64::from(b.weight_decay))
                    && r.seed == seed
            };
            if ledger.rows.iter().any(is) {
                continue;
            }
            if let Some(row) = run(options, rule, seed, &data, compute, watch)? {
                let last = row.off.last().map_or(0.0, |o| share(o, |x| x.by_scale));
                watch.note(&format!(
                    "{} of {total}: {}, {} {}: {:.2} %, {:.1} % of filters off by scale",
                    nth * options.seeds + seed as usize + 1,
                    name(rule),
                    if rule.decoupled { "decoupled" } else { "L2" },
                    rule.weight_decay,
                    100.0 * row.test.last().copied().unwrap_or(0.0),
                    100.0 * last
                ));
                ledger.add(row)?;
            }
        }
    }
    report(options, &data, &ledger.rows, compute)?;
    Ok(ledger.rows)
}

/// One run; `None` when it diverged, which is said.
fn run(
    options: &ImplicitSparsity,
    rule: &Optimiser,
    seed: u64,
    data: &DataSet,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<Option<SparsityRow>> {
    let [c, h, w] = *data.train.shape else { return Err(Error::input("this experiment needs images")) };
    let arch = zoo::named(&options.network, [c, h, w], data.classes.len(), Activation::parse("relu")?)?;
    let net = Net::new(&arch, seed, &compute.device)?;
    let mut trainer = Trainer::new(net, Settings::new(options.epochs, options.batch, *rule, seed), &compute.device);
    let mut row =
        SparsityRow { rule: *rule, seed, test: Vec::new(), off: Vec::new(), cut_accuracy: 0.0, parameters: [0, 0], seconds: 0.0 };
    for _ in 0..options.epochs {
        match trainer.epoch(&data.train, watch) {
            Ok(record) => row.seconds += record.seconds,
            Err(Error::Diverged(why)) => {
                watch.note(&format!("{}, seed {seed}: {why}", name(rule)));
                return Ok(None);
            }
            Err(Error::Interrupted(_)) => {
                return Err(Error::Interrupted("stopped; runs that are through are saved, start again to go on".into()));
            }
            Err(other) => return Err(other),
        }
        let net = trainer.network();
        row.test.push(accuracy(&net, &data.test, &compute.device, watch)?);
        row.off.push(off(&net, &data.train, compute)?.0);
    }
    let net = trainer.network();
    let keep = off(&net, &data.train, compute)?.1;
    let smaller = cut_and_fold(&net, &keep, &compute.device)?;
    row.cut_accuracy = accuracy(&smaller, &data.test, &compute.device, watch)?;
    row.parameters = [net.parameters(), smaller.parameters()];
    row.seconds = (1e3 * row.seconds).round() / 1e3;
    Ok(Some(row))
}

/// What is off, layer by layer, and what is to be kept once that is removed (one filter of each
/// layer at least).
fn off(net: &Net, samples: &Samples, compute: &Compute) -> Result<(Vec<Off>, Keep)> {
    let groups = net.arch.groups()?;
    let names: std::collections::BTreeMap<usize, String> = net.arch.weight_names().into_iter().collect();
    let all: Vec<usize> = (0..samples.len()).collect();
    let mut largest: Vec<Option<Tensor<1>>> = vec![None; groups.len()];
    for some in all.chunks(500) {
        let x = TensorData::new(samples.gather(some), [some.len(), samples.width()]);
        net.forward_with(Tensor::from_data(x, &compute.device), &mut |at, flow| {
            if let (Some(g), Flow::Maps(maps)) = (groups.iter().position(|g| g.seen.contains(&at)), flow) {
                let most = maps.clone().abs().max_dim(3).max_dim(2).max_dim(0).flatten::<1>(0, 3);
                largest[g] = Some(largest[g].take().map_or(most.clone(), |m| m.max_pair(most)));
            }
            true
        });
    }
    let (mut found, mut keep) = (Vec::new(), Keep::new());
    for (group, largest) in groups.iter().zip(largest) {
        // Coupled channels are off only if all that is added to them is; what comes through a
        // shortcut has no scale of its own.
        let always_on = group.norms.is_empty() || !group.into.is_empty();
        let mut scales = vec![if always_on { f32::INFINITY } else { 0.0 }; group.filters];
        for &at in &group.norms {
            let gamma = bridge::read(net.norm(at).gamma.val())?;
            scales.iter_mut().zip(gamma).for_each(|(s, g)| *s = s.max(g.abs()));
        }
        let most = largest.map(bridge::read).transpose()?.unwrap_or_default();
        let mut kept: Vec<usize> = (0..group.filters).filter(|&f| scales[f] >= OFF_BY_SCALE).collect();
        found.push(Off {
            layer: names.get(&group.leader()).cloned().unwrap_or_default(),
            filters: group.filters,
            by_scale: group.filters - kept.len(),
            by_activation: most.iter().filter(|m| **m <= OFF_BY_ACTIVATION).count(),
        });
        if kept.is_empty() {
            let best = (0..group.filters).max_by(|&a, &b| scales[a].total_cmp(&scales[b])).unwrap_or(0);
            kept.push(best);
        }
        keep.insert(group.leader(), kept);
    }
    Ok((found, keep))
}

fn report(options: &ImplicitSparsity, data: &DataSet, rows: &[SparsityRow], compute: &Compute) -> Result<()> {
    let title = format!("Implicit filter sparsity: {} on {}", options.network, data.name);
    let about = format!(
        "{} training and {} test samples, {} epochs, batches of {}, on {}. Off by scale: the norm's scale is below 1e-3; by activation: at most 1e-12 on every training \
         sample. Then those off by scale are removed and their constants folded into the next layer, without training.",
        data.train.len(),
        data.test.len(),
        options.epochs,
        options.batch,
        compute.engine.info().adapter
    );
    let mut table = Table::new(&[
        "optimiser",
        "regularisation",
        "lambda",
        "off by scale",
        "off by activation",
        "test error",
        "after the cut",
        "parameters left",
    ]);
    for r in rows {
        let off = r.off.last().map(Vec::as_slice).unwrap_or_default();
        let percent = |x: f64| format!("{:.2} %", 100.0 * x);
        let kind = match (r.rule.weight_decay > 0.0, r.rule.decoupled) {
            (false, _) => "none",
            (true, false) => "L2",
            (true, true) => "decoupled",
        };
        table.row([
            name(&r.rule),
            kind.into(),
            format!("{}", r.rule.weight_decay),
            percent(share(off, |o| o.by_scale)),
            percent(share(off, |o| o.by_activation)),
            percent(1.0 - r.test.last().copied().unwrap_or(0.0)),
            percent(1.0 - r.cut_accuracy),
            percent(r.parameters[1] as f64 / r.parameters[0].max(1) as f64),
        ]);
    }
    let mut page = Page::new(&title);
    page.paragraph(&about);
    page.table(&table);
    for (kind, decoupled) in [("L2", false), ("decoupled", true)] {
        let of = |r: &&SparsityRow| r.rule.weight_decay > 0.0 && r.rule.decoupled == decoupled && r.seed == 0;
        let series = rows.iter().filter(of).map(|r| {
            let points = r.off.iter().enumerate().map(|(e, o)| (e as f64 + 1.0, 100.0 * share(o, |x| x.by_scale))).collect();
            (format!("{} {}", name(&r.rule), r.rule.weight_decay), points)
        });
        let picture = Lines {
            title: format!("Filters off by scale, {kind}"),
            x: "epoch".into(),
            y: "share of filters, %".into(),
            series: series.collect(),
        };
        picture.save(&options.out.join(format!("off-{kind}.svg")))?;
        page.picture(&picture)?;
    }
    write_text(&options.out.join("report.md"), &format!("# {title}\n\n{about}\n\n{}", table.markdown()))?;
    page.save(&options.out.join("report.html"))
}
