//! Is there any scale and any reading at which filters with large Betti numbers can go?
//!
//! The founding paper (Kochar, Vengalil and Sinha, arXiv 2109.01572) gives neither the scale nor
//! what exactly its clouds are. Here both are scanned: the scale from the smallest, at which all
//! samples are apart, to the largest, at which a typical filter's cloud has merged; readings behind
//! and before the activation, class by class, by steps in the graph of nearest neighbours, and of
//! the output of all other filters. At each of them the same share of every layer goes, the largest
//! Betti numbers first and, as a control, the smallest first; the network is compensated and
//! tested. If the rule held at any scale, its line would lie above chance there.

use super::ledger::{Ledger, same, same_engine, same_subject};
use super::pruning::{Pruning, subject};
use super::stats::{extremes, median};
use crate::data::DataSet;
use crate::data::files::write_text;
use crate::error::{Error, Result};
use crate::nn::{Compute, Net};
use crate::progress::{Unwatched, Watch};
use crate::prune::{
    BettiOptions, Cloud, Compensation, Criterion, LayerRow, Plan, Reading, Scale, cut_and_compensate, score, shrink,
};
use crate::report::{Lines, Page, Picture, Table};
use crate::train::{Settings, accuracy};
use serde::{Deserialize, Serialize};

/// One cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanRow {
    /// How the Betti numbers were read, or `chance`.
    pub reading: String,
    /// Quantile of the lengths at which components merge; a seed for chance.
    pub scale: f64,
    /// Which go first: `highest` or `lowest`.
    pub goes: String,
    /// Betti numbers of all filters: the smallest, the median and the largest.
    pub numbers: [f64; 3],
    /// Filters above 300.
    pub above_300: usize,
    /// Right answers right after the cut, compensated.
    pub accuracy: f64,
}

const QUANTILES: [f64; 9] = [0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 1.0];
/// Nearest neighbours of the graphs; their scale is two steps.
const NEIGHBOURS: [usize; 5] = [3, 6, 12, 24, 48];
/// Share of every layer that goes: so much that it matters which, even after compensation.
const SHARE: f64 = 0.7;
const CHANCES: u64 = 5;
/// The published threshold.
const PUBLISHED: f64 = 300.0;

/// A way to read Betti numbers, with the scales that are scanned.
fn readings() -> Vec<(String, Vec<(f64, BettiOptions)>)> {
    let plain = BettiOptions::default();
    let by_quantile = |options: BettiOptions| {
        QUANTILES.iter().map(|&q| (q, BettiOptions { scale: Scale::Quantile(q), ..options })).collect::<Vec<_>>()
    };
    let hops = NEIGHBOURS.iter().map(|&k| (k as f64, BettiOptions { cloud: Cloud::Hops { k }, ..plain })).collect();
    vec![
        ("behind the activation".into(), by_quantile(plain)),
        ("before the activation".into(), by_quantile(BettiOptions { reading: Reading::Before, ..plain })),
        ("class by class".into(), by_quantile(BettiOptions { per_class: true, ..plain })),
        ("of all other filters".into(), by_quantile(BettiOptions { reading: Reading::Others, ..plain })),
        ("by neighbours' hops".into(), hops),
    ]
}

struct Lab<'a> {
    net: &'a Net,
    data: &'a DataSet,
    settings: Settings,
    compute: &'a Compute,
}

impl Lab<'_> {
    /// Accuracy, compensated, when the share goes by scores that are there already.
    fn cut(&self, rows: &[LayerRow], plan: &Plan, reverse: bool) -> Result<f64> {
        let plan = Plan { reverse, ..plan.clone() };
        let groups = plan.groups(&self.net.arch)?;
        let scores: Vec<_> = rows.iter().map(|r| r.scores.clone()).collect();
        let kept = plan.choose(&self.net.arch, &groups, &scores);
        let keep = rows.iter().zip(kept).map(|(r, kept)| (r.scores.layer, kept)).collect();
        let by = Compensation::of_at_most(self.data.train.len(), 0);
        let net = cut_and_compensate(self.net, &keep, &self.data.train, self.compute, Some(&by), &mut Unwatched)?;
        accuracy(&net, &self.data.test, &self.compute.device, &mut Unwatched)
    }
}

/// Scans readings and scales and writes raw results, a table and a picture.
///
/// # Errors
/// As the training of a network and [`shrink`]; [`Error::Interrupted`], after saving.
pub fn betti_scan(options: &Pruning, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<ScanRow>> {
    let run = subject(options, compute, watch)?;
    let data = run.data()?;
    let data = data.with_at_most(data.train.len(), options.test.unwrap_or(data.test.len()), 0);
    let net = run.network(compute)?;
    same_engine(&options.out, compute)?;
    same_subject(&options.out, &(run.arch.title(), run.fingerprint()?, data.test.len()))?;
    let before = accuracy(&net, &data.test, &compute.device, watch)?;
    let lab = Lab { net: &net, data: &data, settings: run.config.settings, compute };
    let mut ledger = Ledger::<ScanRow>::open(&options.out.join("scan.jsonl"))?;
    let stopped = || Error::Interrupted("stopped; what is through is saved, run it again to go on".into());
    let readings = readings();
    let total = readings.iter().map(|(_, scales)| scales.len()).sum::<usize>() + CHANCES as usize;
    let mut done = 0;
    for seed in 0..CHANCES {
        done += 1;
        watch.at("cuts", done as u64, total as u64);
        if ledger.rows.iter().any(|r| r.reading == "chance" && same(r.scale, seed as f64)) {
            continue;
        }
        let by = Compensation::of_at_most(data.train.len(), seed);
        let plan = Plan::ratio(Criterion::Random { seed }, SHARE).compensated(by);
        let cut = shrink(&net, &data, &plan, &lab.settings, compute, &mut Unwatched, &mut ())?;
        let accuracy = accuracy(&cut.net, &data.test, &compute.device, &mut Unwatched)?;
        watch.note(&format!("chance, seed {seed}: {:.2} %", 100.0 * accuracy));
        let (reading, goes) = ("chance".to_string(), "chance".to_string());
        ledger.add(ScanRow { reading, scale: seed as f64, goes, numbers: [0.0; 3], above_300: 0, accuracy })?;
    }
    for (reading, scales) in &readings {
        for (scale, betti) in scales {
            done += 1;
            watch.at("readings and scales", done as u64, total as u64);
            if ledger.rows.iter().filter(|r| r.reading == *reading && same(r.scale, *scale)).count() == 2 {
                continue;
            }
            if watch.stopped() {
                return Err(stopped());
            }
            let samples = betti.samples.min(data.train.len());
            let criterion = Criterion::Betti(BettiOptions { samples, ..*betti });
            let plan = Plan::ratio(criterion, SHARE);
            let rows = score(&net, &data, &plan, compute, &mut Unwatched)?;
            let mut all: Vec<f64> = rows.iter().flat_map(|r| r.scores.scores.iter().copied()).collect();
            all.sort_by(f64::total_cmp);
            let numbers = [all[0], all[all.len() / 2], all[all.len() - 1]];
            let above_300 = all.iter().filter(|n| **n > PUBLISHED).count();
            for (goes, reverse) in [("highest", false), ("lowest", true)] {
                if ledger.rows.iter().any(|r| r.reading == *reading && same(r.scale, *scale) && r.goes == goes) {
                    continue;
                }
                let accuracy = lab.cut(&rows, &plan, reverse)?;
                watch.note(&format!("{reading}, scale {scale}, the {goes} go: {:.2} %", 100.0 * accuracy));
                let (reading, goes) = (reading.clone(), goes.to_string());
                ledger.add(ScanRow { reading, scale: *scale, goes, numbers, above_300, accuracy })?;
            }
        }
    }
    report(options, &run.arch.title(), &data, before, &ledger.rows)?;
    Ok(ledger.rows)
}

fn report(options: &Pruning, network: &str, data: &DataSet, before: f64, rows: &[ScanRow]) -> Result<()> {
    let chance: Vec<f64> = rows.iter().filter(|r| r.reading == "chance").map(|r| r.accuracy).collect();
    let (low, high) = extremes(&chance);
    let middle = median(&chance);
    let title = format!("{network}: large Betti numbers at every scale");
    let of = |goes: &'static str| rows.iter().filter(move |r| r.goes == goes);
    let above = of("highest").filter(|r| r.accuracy > high).count();
    let best = of("highest").map(|r| r.accuracy).fold(f64::NEG_INFINITY, f64::max);
    let lossless = of("highest").filter(|r| r.accuracy >= before - 0.005).count();
    let about = format!(
        "{network} on {}: {:.2} % of {} test samples before. Of every layer {:.0} % of the filters go, and what is left is compensated. By chance that leaves {:.2} % (median of \
         {CHANCES} seeds, {:.2} to {:.2}). In {} readings and scales, removing the filters with the largest Betti numbers beats the best of the chances {above} times, leaves {:.2} % at \
         best, and is without loss (within half a point of before) {lossless} times.",
        data.name,
        100.0 * before,
        data.test.len(),
        100.0 * SHARE,
        100.0 * middle,
        100.0 * low,
        100.0 * high,
        of("highest").count(),
        100.0 * best,
    );
    let mut table = Table::new(&["reading", "scale", "smallest", "median", "largest", "above 300", "largest go", "smallest go"]);
    for row in of("highest") {
        let twin = of("lowest").find(|r| r.reading == row.reading && same(r.scale, row.scale));
        let percent = |a: f64| format!("{:.2} %", 100.0 * a);
        let number = |x: f64| format!("{x:.1}");
        table.row([
            row.reading.clone(),
            format!("{}", row.scale),
            number(row.numbers[0]),
            number(row.numbers[1]),
            number(row.numbers[2]),
            row.above_300.to_string(),
            percent(row.accuracy),
            twin.map_or(String::new(), |t| percent(t.accuracy)),
        ]);
    }
    let mut page = Page::new(&title);
    page.paragraph(&about);
    for (goes, name) in [("highest", "largest"), ("lowest", "smallest")] {
        let mut series: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
        // Hops have no quantile: their five graphs stand side by side over the same width.
        for row in of(goes) {
            let nth = NEIGHBOURS.iter().position(|&k| row.reading.contains("hops") && same(k as f64, row.scale));
            let x = nth.map_or(row.scale, |i| i as f64 / (NEIGHBOURS.len() - 1) as f64);
            match series.iter_mut().find(|s| s.0 == row.reading) {
                Some(line) => line.1.push((x, 100.0 * row.accuracy)),
                None => series.push((row.reading.clone(), vec![(x, 100.0 * row.accuracy)])),
            }
        }
        series.push(("chance".into(), vec![(0.0, 100.0 * middle), (1.0, 100.0 * middle)]));
        let picture = Lines {
            title: format!("{network}: filters with the {name} Betti numbers removed"),
            x: "scale, as a quantile of merging lengths (hops: 3 to 48 neighbours)".into(),
            y: "test accuracy, compensated, %".into(),
            series,
        };
        picture.save(&options.out.join(format!("{name}-go.svg")))?;
        page.picture(&picture)?;
    }
    page.heading("Every reading and scale");
    page.table(&table);
    let text = format!("# {title}\n\n{about}\n\n{}", table.markdown());
    write_text(&options.out.join("report.md"), &text)?;
    page.save(&options.out.join("report.html"))
}
