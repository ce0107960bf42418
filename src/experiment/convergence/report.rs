//! What a convergence experiment found, as tables, pictures and a page.

use super::rows::{Convergence, HALF_LIFE, Verdict, file_name};
use crate::data::files::{write_json, write_text};
use crate::error::Result;
use crate::nn::{Activation, Compute};
use crate::report::{Lines, Page, Picture, Table};

/// A task's verdicts as a table.
fn table(verdicts: &[&Verdict]) -> Table {
    let mut table = Table::new(&[
        "activation",
        "init",
        "rate",
        "90 %",
        "95 %",
        "99 %",
        "99.9 %",
        "range to 99.9 %",
        "times fewer (95 %)",
        "success",
        "held out",
    ]);
    for v in verdicts {
        let reached: Vec<f64> = v.steps.iter().flatten().copied().collect();
        let missed = v.steps.len() - reached.len();
        let (low, high) = (reached.iter().copied().fold(f64::INFINITY, f64::min), reached.iter().copied().fold(0.0, f64::max));
        let range = match (reached.is_empty(), missed) {
            (true, _) => "none".to_string(),
            (_, 0) => format!("{low} to {high}"),
            _ => format!("{low} to > {}", v.task.steps),
        };
        let cells = v.medians.iter().map(|m| v.task.shown(*m));
        let bound = if v.at_least { "at least " } else { "" };
        let ratio = v.ratio.map_or("-".into(), |r| format!("{bound}{r:.1} ({:.1} to {:.1})", v.interval.0, v.interval.1));
        table.row([v.activation.title(), v.init.to_string(), v.rate.to_string()].into_iter().chain(cells).chain([
            range,
            ratio,
            format!("{:.0} %", 100.0 * v.success),
            format!("{:.2} %", 100.0 * v.held_out),
        ]));
    }
    table
}

/// Writes verdicts.json, report.md, report.html and a picture for every task.
///
/// # Errors
/// [`crate::Error::Io`].
pub(super) fn report(options: &Convergence, verdicts: &[Verdict], compute: &Compute) -> Result<()> {
    write_json(&options.out.join("verdicts.json"), &verdicts)?;
    let info = compute.engine.info();
    let about = format!(
        "Full-batch Adam, learning rate halving every {HALF_LIFE} steps. Grid for all alike: rates {:?}, initialisations {}; {} screening seeds, then {} fresh \
         ones with what the screening chose. Trained by the {} engine on {}. A run that never reaches a target counts as infinitely long in medians, and with \
         the limit in intervals.",
        options.rates,
        options.inits.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        options.screening,
        options.fresh,
        info.kind,
        info.adapter
    );
    let mut page = Page::new("Steps to learn sets of known topology");
    page.paragraph(&about);
    let mut text = format!("# Steps to learn sets of known topology\n\n{about}\n");
    let first = options.activations.first().map_or(String::new(), Activation::title);
    let note = format!(
        "Steps (medians of fresh seeds) to shares of right answers on the training points; \"times fewer\" than {first}."
    );
    page.paragraph(&note);
    text += &format!("\n{note}\n");
    for task in &options.tasks {
        let of_task: Vec<&Verdict> = verdicts.iter().filter(|v| v.task == *task).collect();
        if of_task.is_empty() {
            continue;
        }
        let table = table(&of_task);
        page.heading(&task.to_string());
        page.table(&table);
        text += &format!("\n## {task}\n\n{}", table.markdown());
        // The share of seeds that have got there, step by step.
        let picture = Lines {
            title: format!("Seeds at 99.9 %: {task}"),
            x: "steps".into(),
            y: "share of seeds".into(),
            series: of_task.iter().map(|v| (v.activation.title(), arrivals(v))).collect(),
        };
        picture.save(&options.out.join(format!("{}.svg", file_name(task))))?;
        page.picture(&picture)?;
    }
    write_text(&options.out.join("report.md"), &text)?;
    page.save(&options.out.join("report.html"))
}

fn arrivals(v: &Verdict) -> Vec<(f64, f64)> {
    let mut steps: Vec<f64> = v.steps.iter().flatten().copied().collect();
    steps.sort_by(f64::total_cmp);
    let mut points = vec![(0.0, 0.0)];
    for (i, s) in steps.iter().enumerate() {
        points.push((*s, i as f64 / v.steps.len() as f64));
        points.push((*s, (i + 1) as f64 / v.steps.len() as f64));
    }
    points.push((v.task.steps as f64, v.success));
    points
}
