//! Do Betti numbers fall in earlier layers where training is faster? The networks of
//! [`super::convergence`], traced.
//!
//! For every activation, the setting that the screening of the other experiment chose, fresh seeds,
//! trained until all training points are right (or the limit), then Betti numbers of both classes
//! after every layer. Then rank correlations, over activations, of steps with the area under the
//! Betti curves, and with the rival predictor: the slope at initialisation by mean-field theory.

use super::convergence::{Task, Verdict, file_name, recipe};
use super::ledger::{Ledger, same, same_engine};
use super::stats::{median, partial_rank_correlation, rank_correlation};
use crate::data::files::{write_json, write_text};
use crate::data::generate::Request;
use crate::error::Result;
use crate::nn::mean_field::MeanField;
use crate::nn::{Activation, Compute, Init, Net};
use crate::progress::Watch;
use crate::report::{Lines, Page, Picture, Table};
use crate::trace::{ClassTrace, Procedure, trace_nets};
use crate::train::{Grown, Member, load_data, train_ensemble};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What to trace.
#[derive(Clone, Debug)]
pub struct BettiDecay {
    /// Folder of the results; an experiment that is there goes on.
    pub out: PathBuf,
    /// Fresh seeds of each activation.
    pub seeds: usize,
}

impl BettiDecay {
    fn seeds(&self) -> std::ops::Range<u64> {
        200..200 + self.seeds as u64
    }
}

/// Whether a traced network was trained as a verdict says.
fn is_of(row: &DecayRow, v: &Verdict) -> bool {
    row.task == v.task && row.activation == v.activation && row.init == v.init && same(row.rate, v.rate)
}

/// How the classes of a set are measured: nine copies as Naitzat, Zhitnikov and Lim did, more with
/// more points. The outside of disks has many holes and needs more points and neighbours than they.
fn procedures(task: &Task) -> Result<[Procedure; 2]> {
    let (shape, copies) = task.data.split_once(':').unwrap_or((&task.data, ""));
    let request = Request::new(shape, 2, 0)?;
    let points = (request.shape.points_per_copy / 2 * copies.parse::<usize>().unwrap_or(request.shape.copies)).max(1500);
    let outside = if shape == "disks" { Procedure::hops(2 * points, 35) } else { Procedure::hops(points, 14) };
    Ok([Procedure::hops(points, 14), outside])
}

/// One traced network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecayRow {
    /// What was learnt by what.
    pub task: Task,
    /// The activation.
    pub activation: Activation,
    /// How weights were drawn.
    pub init: Init,
    /// The learning rate.
    pub rate: f64,
    /// The seed.
    pub seed: u64,
    /// Steps to all training points, or the limit.
    pub steps: usize,
    /// Share of right answers on the training points.
    pub accuracy: f64,
    /// Both classes.
    pub classes: Vec<ClassTrace>,
}

/// What a task's activations say together.
#[derive(Clone, Debug, Serialize)]
pub struct Decay {
    /// Set and network.
    pub task: Task,
    /// Activations of which more than half of the seeds reached 99.9 %.
    pub activations: usize,
    /// Rank correlation of median steps to 99.9 % with the mean area under the curve of b0, class
    /// 0.
    pub steps_b0: f64,
    /// ... of b1.
    pub steps_b1: f64,
    /// ... of both dimensions, both classes.
    pub steps_total: f64,
    /// ... with the slope at initialisation.
    pub steps_slope: f64,
    /// Steps with the b0 area, the slope held fixed.
    pub steps_b0_given_slope: f64,
    /// Steps with the slope, the b0 area held fixed.
    pub steps_slope_given_b0: f64,
}

/// Traces what is missing; writes traces.jsonl, decay.json, report.md, report.html and pictures.
///
/// # Errors
/// [`crate::Error::Interrupted`] when stopped, with all finished networks kept; as training and
/// tracing.
pub fn betti_decay(options: &BettiDecay, verdicts: &[Verdict], compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<Decay>> {
    same_engine(&options.out, compute)?;
    let mut ledger = Ledger::<DecayRow>::open(&options.out.join("traces.jsonl"))?;
    for v in verdicts {
        let is = |r: &DecayRow, seed: u64| is_of(r, v) && r.seed == seed;
        let seeds: Vec<u64> = options.seeds().filter(|&s| !ledger.rows.iter().any(|r| is(r, s))).collect();
        if seeds.is_empty() {
            continue;
        }
        let data = load_data(&v.task.data, None, 0)?;
        let mut recipe = recipe(&v.task, &v.activation, v.init, &data)?;
        recipe.targets = vec![1.0];
        let members: Vec<Member> = seeds.iter().map(|&seed| Member { seed, rate: v.rate }).collect();
        let mut grown: Vec<Grown> = Vec::new();
        train_ensemble(&recipe, &members, &data.train, &data.test, compute, watch, &mut |_, g| {
            grown.push(g);
            Ok(())
        })?;
        grown.retain(|g| g.diverged.is_none());
        let nets: Vec<Net> = grown.iter().map(|g| g.net(&recipe, &compute.device)).collect::<Result<_>>()?;
        // More points of the same set than it learnt, so that holes are seen.
        let more = crate::train::dense_data(&v.task.data)?;
        let nets: Vec<&Net> = nets.iter().collect();
        let mut classes: Vec<Vec<ClassTrace>> = vec![Vec::new(); nets.len()];
        let procedures = procedures(&v.task)?;
        for class in 0..2u8 {
            let found = trace_nets(&nets, &more.train, &[class], &procedures[usize::from(class)], compute)?;
            for (of_net, layers) in classes.iter_mut().zip(found.into_iter().flatten()) {
                of_net.push(ClassTrace { class: more.classes[usize::from(class)].clone(), layers });
            }
        }
        for (g, classes) in grown.iter().zip(classes) {
            let (task, activation) = (v.task.clone(), v.activation.clone());
            ledger.add(DecayRow {
                task,
                activation,
                init: v.init,
                rate: v.rate,
                seed: g.member.seed,
                steps: g.steps,
                accuracy: g.train_accuracy,
                classes,
            })?;
        }
        watch.note(&format!("{}: {} traced", v.task, v.activation.title()));
    }
    report(options, verdicts, &ledger.rows, compute)
}

/// The slope at which an activation's first layers treat differences, at its own or another
/// initialisation.
fn slope(activation: &Activation, init: Init, width: usize) -> f64 {
    let weights = match init {
        Init::Own => activation.weight_variance(),
        Init::Edge => return 1.0,
        Init::Glorot => 2.0 / (2 * width) as f64 * width as f64,
        Init::Variance(a) => a,
    };
    MeanField::of(activation, weights, 0.0).map_or(f64::NAN, |m| m.slope)
}

/// Mean areas of a row: b0 and b1 of class 0, and everything.
fn areas(rows: &[&DecayRow]) -> [f64; 3] {
    let mean = |f: &dyn Fn(&DecayRow) -> usize| rows.iter().map(|r| f(r) as f64).sum::<f64>() / rows.len().max(1) as f64;
    let of = |r: &DecayRow, class: usize, dim: usize| r.classes[class].area().get(dim).copied().unwrap_or(0);
    [mean(&|r| of(r, 0, 0)), mean(&|r| of(r, 0, 1)), mean(&|r| r.classes.iter().flat_map(ClassTrace::area).sum())]
}

fn report(options: &BettiDecay, verdicts: &[Verdict], rows: &[DecayRow], compute: &Compute) -> Result<Vec<Decay>> {
    let mut tasks: Vec<&Task> = Vec::new();
    verdicts.iter().for_each(|v| {
        if !tasks.contains(&&v.task) {
            tasks.push(&v.task);
        }
    });
    let info = compute.engine.info();
    let about = format!(
        "Networks trained until every training point is right (or the limit), {} seeds each; engine {} on {}. Distances are numbers of hops in the graph of \
         the k nearest points, complex at 2 hops. Areas are sums over all layers but the input, means over seeds.",
        options.seeds, info.kind, info.adapter
    );
    let mut text = format!("# Betti numbers, layer by layer\n\n{about}\n");
    let mut page = Page::new("Betti numbers, layer by layer");
    page.paragraph(&about);
    let mut found = Vec::new();
    for task in tasks {
        let mut table = Table::new(&[
            "activation",
            "median steps to 99.9 %",
            "slope chi",
            "b0 area",
            "b1 area",
            "area of all",
            "b0 = 1 first at",
            "mean b0,b1 of class 0 by layer",
        ]);
        let (mut steps, mut b0, mut b1, mut all, mut chi) = (vec![], vec![], vec![], vec![], vec![]);
        let mut pictures = [0, 1].map(|dim| Lines {
            title: format!("{task}: mean Betti number {dim} of class 0"),
            x: "layer (0 is the input, the last the logits)".into(),
            y: format!("Betti number {dim}"),
            series: Vec::new(),
        });
        for v in verdicts.iter().filter(|v| v.task == *task) {
            let of: Vec<&DecayRow> = rows.iter().filter(|r| is_of(r, v) && options.seeds().contains(&r.seed)).collect();
            if of.is_empty() {
                continue;
            }
            let area = areas(&of);
            let slope = slope(&v.activation, v.init, task.width);
            if let (Some(m), true) = (v.medians[3], slope.is_finite()) {
                steps.push(m);
                b0.push(area[0]);
                b1.push(area[1]);
                all.push(area[2]);
                chi.push(slope);
            }
            let layers = of[0].classes[0].layers.len();
            let mean =
                |l: usize, d: usize| of.iter().map(|r| r.classes[0].layers[l].betti[d] as f64).sum::<f64>() / of.len() as f64;
            let first =
                median(&of.iter().map(|r| r.classes[0].reaches(0, 1).map_or(layers as f64, |l| l as f64)).collect::<Vec<_>>());
            let curve: Vec<String> = (0..layers).map(|l| format!("{:.0},{:.0}", mean(l, 0), mean(l, 1))).collect();
            for (dim, picture) in pictures.iter_mut().enumerate() {
                picture.series.push((v.activation.title(), (0..layers).map(|l| (l as f64, mean(l, dim))).collect()));
            }
            let number = |x: f64| format!("{x:.1}");
            let to = v.medians[3].map_or(format!("> {}", task.steps), |m| m.to_string());
            table.row([
                v.activation.title(),
                to,
                format!("{slope:.2}"),
                number(area[0]),
                number(area[1]),
                number(area[2]),
                number(first),
                curve.join(" "),
            ]);
        }
        let decay = Decay {
            task: task.clone(),
            activations: steps.len(),
            steps_b0: rank_correlation(&steps, &b0),
            steps_b1: rank_correlation(&steps, &b1),
            steps_total: rank_correlation(&steps, &all),
            steps_slope: rank_correlation(&steps, &chi),
            steps_b0_given_slope: partial_rank_correlation(&steps, &b0, &chi),
            steps_slope_given_b0: partial_rank_correlation(&steps, &chi, &b0),
        };
        let [a, b] = procedures(task)?;
        let measured = format!("Class 0: {} points, {}; class 1: {} points, {}.", a.points, a.measure, b.points, b.measure);
        let says = format!(
            "{measured} Rank correlation of steps over the {} activations that got there: with the b0 area of class 0 {:.2}, its b1 area {:.2}, all areas {:.2}, the slope at \
             initialisation {:.2}; b0 area with the slope held fixed {:.2}, slope with the b0 area held fixed {:.2}.",
            decay.activations,
            decay.steps_b0,
            decay.steps_b1,
            decay.steps_total,
            decay.steps_slope,
            decay.steps_b0_given_slope,
            decay.steps_slope_given_b0
        );
        text += &format!("\n## {task}\n\n{}\n{says}\n", table.markdown());
        page.heading(&task.to_string());
        page.table(&table);
        page.paragraph(&says);
        for (dim, picture) in pictures.iter().enumerate() {
            picture.save(&options.out.join(format!("{}-b{dim}.svg", file_name(task))))?;
            page.picture(picture)?;
        }
        found.push(decay);
    }
    write_json(&options.out.join("decay.json"), &found)?;
    write_text(&options.out.join("report.md"), &text)?;
    page.save(&options.out.join("report.html"))?;
    Ok(found)
}
