//! The founding paper's second claim: filters whose output has a Betti number above a threshold can
//! go.
//!
//! Kochar, Vengalil and Sinha (arXiv 2109.01572) remove filters above 300 without training
//! afterwards and report no significant loss. Here the threshold is scanned; beside each, as many
//! filters of each layer go by other criteria: the lowest Betti numbers (which must be worse if the
//! idea is right), norms, and chance.

use super::ledger::{Ledger, same, same_engine, same_subject};
use super::pruning::{Pruning, subject};
use super::stats::median;
use crate::data::files::write_text;
use crate::error::Result;
use crate::nn::Compute;
use crate::progress::{Unwatched, Watch};
use crate::prune::{BettiOptions, Cost, Criterion, LayerRow, Plan, Rule, score, shrink};
use crate::report::{Lines, Page, Picture, Table};
use crate::train::accuracy;
use serde::{Deserialize, Serialize};

/// One cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdRow {
    /// Betti numbers above it go.
    pub threshold: f64,
    /// By what as many filters were chosen.
    pub by: String,
    /// Decides what is left to chance.
    pub seed: u64,
    /// Filters that went.
    pub gone: usize,
    /// The network afterwards, without training.
    pub cost: Cost,
}

/// Shares of all filters that the scanned thresholds remove, besides the published threshold.
const SHARES: [f64; 6] = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7];
/// The published threshold.
const PUBLISHED: f64 = 300.0;
const CONTROLS: [&str; 6] = ["betti:reverse", "l1", "l2", "fpgm", "taylor", "random"];

/// Scans the threshold and writes raw results, tables and pictures.
///
/// # Errors
/// As the training of a network and [`shrink`]; [`crate::Error::Interrupted`], after saving.
pub fn betti_pruning(options: &Pruning, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<ThresholdRow>> {
    let run = subject(options, compute, watch)?;
    let (data, net) = (run.data()?, run.network(compute)?);
    same_engine(&options.out, compute)?;
    same_subject(&options.out, &(run.arch.title(), run.fingerprint()?))?;
    let before = Cost::of(&net, accuracy(&net, &data.test, &compute.device, watch)?, &compute.device)?;
    let betti = || Criterion::Betti(BettiOptions::default());
    watch.note("scoring every filter by the Betti number of the cloud that it makes of 512 samples");
    let scored = score(&net, &data, &Plan { rule: Rule::Above(PUBLISHED), ..Plan::ratio(betti(), 0.0) }, compute, watch)?;
    let mut thresholds: Vec<f64> = SHARES.iter().map(|&share| threshold(&scored, share)).collect();
    thresholds.push(PUBLISHED);
    thresholds.sort_by(|a, b| b.total_cmp(a));
    thresholds.dedup();
    let mut ledger = Ledger::<ThresholdRow>::open(&options.out.join("thresholds.jsonl"))?;
    let seeds = options.seeds.unwrap_or(3).max(1) as u64;
    let mut done = 0;
    let total = thresholds.len() * (CONTROLS.len() + seeds as usize);
    for &threshold in &thresholds {
        let plan = Plan { rule: Rule::Above(threshold), ..Plan::ratio(betti(), 0.0) };
        let groups = plan.groups(&net.arch)?;
        let scores: Vec<_> = scored.iter().map(|r| r.scores.clone()).collect();
        let kept = plan.choose(&net.arch, &groups, &scores);
        let rows: Vec<LayerRow> = scored.iter().zip(kept).map(|(r, kept)| LayerRow { kept, ..r.clone() }).collect();
        let gone = rows.iter().map(|r| r.scores.scores.len() - r.kept.len()).sum();
        for by in std::iter::once("betti").chain(CONTROLS) {
            for seed in 0..if by == "random" { seeds } else { 1 } {
                done += 1;
                watch.at("cuts", done as u64, total as u64);
                if ledger.rows.iter().any(|r| same(r.threshold, threshold) && r.by == by && r.seed == seed) {
                    continue;
                }
                if watch.stopped() {
                    return Err(crate::Error::Interrupted("stopped; what is through is saved, run it again to go on".into()));
                }
                let rival = match by {
                    "betti" | "betti:reverse" => Plan { reverse: by != "betti", ..Plan::same_counts(betti(), &rows) },
                    _ => Plan::same_counts(Criterion::named(by, 512, seed)?, &rows),
                };
                let cut = shrink(&net, &data, &rival, &run.config.settings, compute, &mut Unwatched, &mut ())?;
                let right = accuracy(&cut.net, &data.test, &compute.device, &mut Unwatched)?;
                watch.note(&format!("above {threshold}: {gone} filters go by {by}, seed {seed}: {:.2} %", 100.0 * right));
                ledger.add(ThresholdRow {
                    threshold,
                    by: by.into(),
                    seed,
                    gone,
                    cost: Cost::of(&cut.net, right, &compute.device)?,
                })?;
            }
        }
    }
    report(options, &run.arch.title(), &data.name, &before, &scored, &ledger.rows, compute)?;
    Ok(ledger.rows)
}

/// The score above which a share of all filters lies.
fn threshold(scored: &[LayerRow], share: f64) -> f64 {
    let mut all: Vec<f64> = scored.iter().flat_map(|r| r.scores.scores.iter().copied()).collect();
    all.sort_by(|a, b| b.total_cmp(a));
    let at = ((share * all.len() as f64) as usize).min(all.len().saturating_sub(1));
    all.get(at).copied().unwrap_or(PUBLISHED)
}

fn report(
    options: &Pruning,
    network: &str,
    data: &str,
    before: &Cost,
    scored: &[LayerRow],
    rows: &[ThresholdRow],
    compute: &Compute,
) -> Result<()> {
    let title = format!("{network}: filters with large Betti numbers removed");
    let about = format!(
        "{network} on {data}: {:.2} % before, {} parameters, {} MACs, {} bytes, {:.2} ms for 64 samples on {}. No training after the cut. Each column removes as many \
         filters of each layer as have a Betti number (components and loops together, of 512 samples, at the layer's own scale) above the threshold; \
         random is the median over its seeds.",
        100.0 * before.accuracy,
        before.parameters,
        before.macs,
        before.bytes,
        before.latency_ms,
        compute.engine.info().adapter
    );
    let (mut page, mut text) = (Page::new(&title), format!("# {title}\n\n{about}\n\n"));
    page.paragraph(&about);
    let mut spread = Table::new(&["layer", "filters", "lowest", "median", "highest", "above 300"]);
    for row in scored {
        let mut sorted = row.scores.scores.clone();
        sorted.sort_by(f64::total_cmp);
        let above = sorted.iter().filter(|s| **s > PUBLISHED).count();
        let number = |x: f64| format!("{x:.0}");
        let (n, m) = (sorted.len(), sorted[sorted.len() / 2]);
        spread.row([row.name.clone(), n.to_string(), number(sorted[0]), number(m), number(sorted[n - 1]), above.to_string()]);
    }
    let names: Vec<&str> = std::iter::once("betti").chain(CONTROLS).collect();
    let heads: Vec<&str> =
        ["threshold", "filters gone", "parameters", "bytes", "ms per 64"].into_iter().chain(names.iter().copied()).collect();
    let mut table = Table::new(&heads);
    let mut thresholds: Vec<f64> = rows.iter().map(|r| r.threshold).collect();
    thresholds.sort_by(|a, b| b.total_cmp(a));
    thresholds.dedup();
    let middle = |threshold: f64, by: &str| {
        let of: Vec<f64> = rows.iter().filter(|r| same(r.threshold, threshold) && r.by == by).map(|r| r.cost.accuracy).collect();
        median(&of)
    };
    for &threshold in &thresholds {
        if let Some(first) = rows.iter().find(|r| same(r.threshold, threshold) && r.by == "betti") {
            let c = &first.cost;
            let fixed = [
                format!("{threshold:.0}"),
                first.gone.to_string(),
                c.parameters.to_string(),
                c.bytes.to_string(),
                format!("{:.2}", c.latency_ms),
            ];
            table.row(fixed.into_iter().chain(names.iter().map(|by| format!("{:.2} %", 100.0 * middle(threshold, by)))));
        }
    }
    for (heading, table) in [("Betti numbers of the filters", &spread), ("Test accuracy right after the cut", &table)] {
        page.heading(heading);
        page.table(table);
        text += &format!("## {heading}\n\n{}\n", table.markdown());
    }
    let gone = |t: f64| rows.iter().find(|r| same(r.threshold, t)).map_or(0, |r| r.gone) as f64;
    let series = names.iter().map(|by| {
        let mut points: Vec<(f64, f64)> = thresholds.iter().map(|&t| (gone(t), 100.0 * middle(t, by))).collect();
        points.insert(0, (0.0, 100.0 * before.accuracy));
        ((*by).to_string(), points)
    });
    let picture = Lines { title, x: "filters removed".into(), y: "test accuracy, %".into(), series: series.collect() };
    picture.save(&options.out.join("thresholds.svg"))?;
    page.picture(&picture)?;
    write_text(&options.out.join("report.md"), &text)?;
    page.save(&options.out.join("report.html"))
}
