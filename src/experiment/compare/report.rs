//! Tables and pictures of a comparison of criteria.

use super::rows::{CompareRow, Setting};
use crate::data::files::write_text;
use crate::error::Result;
use crate::experiment::ledger::same;
use crate::experiment::stats::median;
use crate::nn::Compute;
use crate::report::{self, Lines, Page, Picture, Table};
use std::path::Path;

/// The rows of one criterion at one share.
fn of<'a>(rows: &'a [CompareRow], by: &str, ratio: f64) -> Vec<&'a CompareRow> {
    rows.iter().filter(|r| r.by == by && same(r.ratio, ratio)).collect()
}

fn middle(rows: &[&CompareRow], number: impl Fn(&CompareRow) -> f64) -> f64 {
    median(&rows.iter().map(|r| number(r)).collect::<Vec<_>>())
}

/// Writes `report.md`, `report.html` and the pictures.
pub(super) fn report(out: &Path, setting: &Setting, rows: &[CompareRow], compute: &Compute) -> Result<()> {
    let title = format!("Pruning {} by several criteria", setting.network);
    let (mut page, mut text) = (Page::new(&title), format!("# {title}\n\n"));
    let about = about(setting, compute);
    // What it comes to first, then the pictures, then the numbers.
    let (best, (verdict, against_chance)) = (best(setting, rows), against_chance(setting, rows));
    for paragraph in [&best, &verdict, &about] {
        page.paragraph(paragraph);
    }
    text += &format!("{best}\n\n{verdict}\n\n{about}\n\n");
    for (name, what, y) in [("after-cut", "right after the cut", false), ("recovered", "after the recovery", true)] {
        if y && !was_recovered(rows) {
            continue;
        }
        page.heading(&format!("Accuracy by size, {what}"));
        for (x_name, x_title, x) in axes() {
            let series = setting.compare.rivals.iter().map(|rival| {
                let point = |&ratio: &f64| {
                    let cell = of(rows, &rival.label, ratio);
                    let accuracy = middle(&cell, |r| if y { r.last() } else { r.cost.accuracy });
                    (!cell.is_empty()).then(|| (middle(&cell, x), 100.0 * accuracy))
                };
                (rival.label.clone(), setting.compare.ratios.iter().filter_map(point).collect())
            });
            let picture = Lines {
                title: format!("{}: accuracy {what}", setting.network),
                x: x_title.into(),
                y: "test accuracy, %".into(),
                series: series.collect(),
            };
            picture.save(&out.join(format!("{name}-{x_name}.svg")))?;
            page.picture(&picture)?;
        }
    }
    let mut tables = vec![("Accuracy right after the cut", accuracies(setting, rows, |r| r.cost.accuracy))];
    if was_recovered(rows) {
        tables.push(("Accuracy after the recovery", accuracies(setting, rows, CompareRow::last)));
    }
    tables.push(("What is left", costs(setting, rows)));
    if was_recovered(rows) {
        tables.push(("Recovery", recoveries(setting, rows)));
    }
    for (heading, table) in tables {
        page.heading(heading);
        page.table(&table);
        text += &format!("## {heading}\n\n{}\n", table.markdown());
    }
    if !against_chance.is_empty() {
        page.heading("Against chance");
        against_chance.iter().for_each(|line| page.paragraph(line));
        text += &format!("## Against chance\n\n{}\n\n", against_chance.join("\n\n"));
    }
    if let Some(table) = topology_beside_its_twin(setting, rows) {
        page.heading("Topology beside its twin");
        page.table(&table);
        text += &format!("## Topology beside its twin\n\nSeed by seed, right after the cut.\n\n{}\n", table.markdown());
    }
    write_text(&out.join("report.md"), &text)?;
    page.save(&out.join("report.html"))
}

/// The best criterion at each share, by medians, after all that was done to the network.
fn best(setting: &Setting, rows: &[CompareRow]) -> String {
    let when = if was_recovered(rows) { "after the recovery" } else { "right after the cut" };
    let best_at = |&ratio: &f64| {
        let cells = setting.compare.rivals.iter().map(|r| (&r.label, of(rows, &r.label, ratio)));
        let medians = cells.filter(|c| !c.1.is_empty()).map(|(label, cell)| (label, middle(&cell, CompareRow::last)));
        let best = medians.max_by(|a, b| a.1.total_cmp(&b.1));
        best.map(|(label, accuracy)| format!("{label} at {ratio} ({:.2} %)", 100.0 * accuracy))
    };
    let found: Vec<String> = setting.compare.ratios.iter().filter_map(best_at).collect();
    format!(
        "Best {when}, by the share of filters that went: {}. Before: {:.2} %.",
        found.join(", "),
        100.0 * setting.before.accuracy
    )
}

type Axis = (&'static str, &'static str, fn(&CompareRow) -> f64);

/// What the accuracy is drawn over. Times are in the table alone: those of one moment each would
/// make a curve of noise.
fn axes() -> [Axis; 2] {
    [
        ("parameters", "parameters, thousands", |r| r.cost.parameters as f64 / 1e3),
        ("macs", "MACs, millions", |r| r.cost.macs as f64 / 1e6),
    ]
}

fn about(setting: &Setting, compute: &Compute) -> String {
    let (c, b) = (&setting.compare, &setting.before);
    let rule = c.settings.optimiser;
    let much = c.recover_steps.map_or_else(
        || format!("{} of {} training samples", report::counted(c.recover, "epoch"), setting.train_samples),
        |s| format!("{s} steps"),
    );
    let recovery = match &c.recovery {
        _ if c.recover == 0 && c.recover_steps.is_none() => "there is no recovery".into(),
        Some(by) => format!(
            "the recovery is {much} towards {}, norms frozen, SGD with a rate that falls from {} to 0",
            if by.distill { "the whole network's answers" } else { "the labels" },
            by.rate
        ),
        None => format!("the recovery is {much} with {} at {}, batches of {}", rule.kind.usual().0, rule.rate, c.settings.batch),
    };
    let compensation = c.compensate.map_or("Nothing is compensated".into(), |by| {
        format!(
            "What is left is fitted to the whole network on {} images, {} places each, ridge {}, other images for each seed",
            by.images, by.places, by.ridge
        )
    });
    format!(
        "{} on {}: {:.2} % of {} test samples, {} parameters, {} MACs, {:.2} ms for 64 samples on {}. Each criterion removes the same share of every layer. {compensation}; \
         {recovery}. Medians over the seeds ({}; chance at least 3).",
        setting.network,
        setting.data,
        100.0 * b.accuracy,
        setting.test_samples,
        b.parameters,
        b.macs,
        b.latency_ms,
        compute.engine.info().adapter,
        c.seeds,
    )
}

/// One row per criterion, one column per share.
fn accuracies(setting: &Setting, rows: &[CompareRow], number: impl Fn(&CompareRow) -> f64) -> Table {
    let heads: Vec<String> =
        std::iter::once("criterion".into()).chain(setting.compare.ratios.iter().map(|r| format!("{r}"))).collect();
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for rival in &setting.compare.rivals {
        let cell = |&ratio: &f64| {
            let cell = of(rows, &rival.label, ratio);
            if cell.is_empty() { String::new() } else { format!("{:.2} %", 100.0 * middle(&cell, &number)) }
        };
        table.row(std::iter::once(rival.label.clone()).chain(setting.compare.ratios.iter().map(cell)));
    }
    table
}

/// What is left at each share: the same for all criteria but for latency, which is the median over
/// all.
fn costs(setting: &Setting, rows: &[CompareRow]) -> Table {
    let mut table = Table::new(&["share removed", "parameters", "MACs", "bytes", "ms per 64"]);
    let b = &setting.before;
    let line = |share: String, p: usize, m: usize, bytes: usize, ms: f64| {
        [share, p.to_string(), m.to_string(), bytes.to_string(), format!("{ms:.2}")]
    };
    table.row(line("0".into(), b.parameters, b.macs, b.bytes, b.latency_ms));
    for &ratio in &setting.compare.ratios {
        let cell: Vec<&CompareRow> = rows.iter().filter(|r| same(r.ratio, ratio)).collect();
        if let Some(first) = cell.first() {
            let ms = middle(&cell, |r| r.cost.latency_ms);
            table.row(line(format!("{ratio}"), first.cost.parameters, first.cost.macs, first.cost.bytes, ms));
        }
    }
    table
}

/// Epochs and seconds to the accuracy before, less the slack, and seconds of scoring.
fn recoveries(setting: &Setting, rows: &[CompareRow]) -> Table {
    let goal = setting.before.accuracy - setting.compare.slack;
    let goal_text = format!("epochs (seconds) to {:.2} %", 100.0 * goal);
    let mut table = Table::new(&["criterion", "share", "reached", &goal_text, "seconds to score"]);
    for rival in &setting.compare.rivals {
        for &ratio in &setting.compare.ratios {
            let cell = of(rows, &rival.label, ratio);
            if cell.is_empty() {
                continue;
            }
            let reached: Vec<(f64, f64)> =
                cell.iter().filter_map(|r| r.epochs_to(goal).map(|e| (e as f64, e as f64 * r.seconds[2]))).collect();
            let epochs = if reached.is_empty() {
                format!("> {}", setting.compare.recover)
            } else {
                let of = |n: fn(&(f64, f64)) -> f64| median(&reached.iter().map(n).collect::<Vec<_>>());
                format!("{} ({:.1})", of(|r| r.0), of(|r| r.1))
            };
            table.row([
                rival.label.clone(),
                format!("{ratio}"),
                format!("{} of {}", reached.len(), cell.len()),
                epochs,
                format!("{:.2}", middle(&cell, |r| r.seconds[0])),
            ]);
        }
    }
    table
}

/// Greedy reconstruction by barcodes beside the same by logits, seed by seed: with what topology
/// adds to it.
fn topology_beside_its_twin(setting: &Setting, rows: &[CompareRow]) -> Option<Table> {
    // Each has the control that differs by the aim alone.
    let rivals = &setting.compare.rivals;
    let pairs: Vec<(&str, String)> = rivals.iter().filter_map(|r| Some((r.label.as_str(), r.control()?))).collect();
    if !pairs.iter().any(|(_, twin)| rivals.iter().any(|r| r.label == *twin)) {
        return None;
    }
    let mut table = Table::new(&["share", "criterion", "seeds", "mean", "mean of its twin without topology", "better in"]);
    for &ratio in &setting.compare.ratios {
        for (by, twin) in &pairs {
            let pairs: Vec<(f64, f64)> = of(rows, by, ratio)
                .iter()
                .filter_map(|r| {
                    let twin = of(rows, twin, ratio).into_iter().find(|t| t.seed == r.seed)?;
                    Some((r.cost.accuracy, twin.cost.accuracy))
                })
                .collect();
            if pairs.is_empty() {
                continue;
            }
            let mean = |side: fn(&(f64, f64)) -> f64| 100.0 * pairs.iter().map(side).sum::<f64>() / pairs.len() as f64;
            table.row([
                format!("{ratio}"),
                (*by).to_string(),
                pairs.len().to_string(),
                format!("{:.2} %", mean(|p| p.0)),
                format!("{:.2} %", mean(|p| p.1)),
                format!("{} of {}", pairs.iter().filter(|(a, b)| a > b).count(), pairs.len()),
            ]);
        }
    }
    Some(table)
}

/// Whether any network was trained after its cut.
fn was_recovered(rows: &[CompareRow]) -> bool {
    rows.iter().any(|r| !r.recovery.is_empty())
}

/// How many criteria are below the median of chance, after the cut and after the recovery, and
/// which.
fn against_chance(setting: &Setting, rows: &[CompareRow]) -> (String, Vec<String>) {
    let Some(chance) = setting.compare.rivals.iter().find(|r| r.label == "random") else {
        return ("Chance was not among the criteria: nothing says whether they are worth more.".into(), Vec::new());
    };
    let cut: fn(&CompareRow) -> f64 = |r| r.cost.accuracy;
    let moments = [("Right after the cut", cut), ("After the recovery", CompareRow::last)];
    let moments = &moments[..if was_recovered(rows) { 2 } else { 1 }];
    let (mut counts, mut lines) = (Vec::new(), Vec::new());
    for &(when, number) in moments {
        for &ratio in &setting.compare.ratios {
            let bar = middle(&of(rows, &chance.label, ratio), number);
            let others = setting.compare.rivals.iter().filter(|r| *r != chance);
            let cells = others.map(|r| (r.label.as_str(), of(rows, &r.label, ratio))).filter(|(_, cell)| !cell.is_empty());
            let (worse, rest): (Vec<_>, Vec<_>) = cells.partition(|(_, cell)| middle(cell, number) < bar);
            if !worse.is_empty() {
                counts.push(format!("{} of {} {} at {ratio}", worse.len(), worse.len() + rest.len(), when.to_lowercase()));
            }
            let names: Vec<&str> = worse.into_iter().map(|(label, _)| label).collect();
            let named = if names.is_empty() { "none".into() } else { names.join(", ") };
            lines.push(format!("{when}, at {ratio}, below the {:.2} % of chance: {named}.", 100.0 * bar));
        }
    }
    let told = match counts.as_slice() {
        [] => "No criterion is below the median of chance.".into(),
        counts => format!("Criteria below the median of chance: {}.", counts.join(", ")),
    };
    (told, lines)
}
