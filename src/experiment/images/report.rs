//! What the experiment on images found: tables and curves.

use super::{BATCH, ImageRow, ImageTask, Images, PaceRow};
use crate::data::files::{write_json, write_text};
use crate::error::Result;
use crate::experiment::stats::{extremes, median};
use crate::nn::{Activation, Compute};
use crate::report::{Lines, Page, Picture, Table, counted};

/// The last test accuracies of some runs in percent, and their epochs to an accuracy.
fn figures(of: &[&ImageRow], goal: f64) -> (Vec<f64>, Vec<f64>) {
    let last = of.iter().map(|r| 100.0 * r.last()).collect();
    (last, of.iter().map(|r| r.epochs_to(goal).unwrap_or(f64::INFINITY)).collect())
}

/// The median of some numbers with the least and the largest; infinite ones are more than the
/// epochs.
fn ranged(values: &[f64], epochs: usize) -> String {
    let number = |x: f64| if x.is_finite() { format!("{x:.2}") } else { format!("> {epochs}") };
    let (low, high) = extremes(values);
    format!("{} ({} to {})", number(median(values)), number(low), number(high))
}

/// What the screening seeds found: every activation and initialisation at its best rate.
fn screening(options: &Images, rows: &[ImageRow], task: &ImageTask) -> Table {
    let mut table = Table::new(&["activation", "init", "rate", "last test accuracy, %", "epochs to the first's last"]);
    let mut goal = None;
    for activation in &options.activations {
        for init in options.inits_of(activation) {
            let settings = options.rates.iter().map(|&rate| (init, rate));
            let Some(((_, rate), runs)) = options.best_of(settings, rows, task, activation) else { continue };
            let goal = *goal.get_or_insert_with(|| median(&runs.iter().map(|r| r.last()).collect::<Vec<_>>()));
            let (last, to) = figures(&runs, goal);
            let (last, to) = (ranged(&last, task.epochs), ranged(&to, task.epochs));
            table.row([activation.title(), init.to_string(), rate.to_string(), last, to]);
        }
    }
    table
}

/// Writes report.md, report.html, a picture of every task, and settings.json.
pub(super) fn report(
    options: &Images,
    tasks: &[ImageTask],
    rows: &[ImageRow],
    paces: &[PaceRow],
    compute: &Compute,
) -> Result<()> {
    let info = compute.engine.info();
    let list = |all: Vec<String>| all.join(", ");
    let first_name = options.activations.first().map_or(String::new(), Activation::title);
    let on = match options.screening_train {
        n if tasks.iter().any(|t| t.train > n) => format!("{n} of the training images"),
        _ => "all training images".into(),
    };
    let about = format!(
        "Adam in batches of {BATCH}, the course of the rate {}. Every activation tried the rates {} and the initialisations {} with {} on {on}. Where two initialisations draw the same weights, it tried the first of them only. The setting with the best median of last test accuracies was kept, and {} trained with it; the first table has these, medians with the least and the largest. Epochs are counted to the median accuracy that {first_name} ends with, along straight lines between epochs. Seconds of an epoch were measured for all activations in turns. The second table has the screening seeds of every initialisation at its best rate. Trained by the {} engine's device on {}.",
        options.schedule,
        list(options.rates.iter().map(ToString::to_string).collect()),
        list(options.inits.iter().map(ToString::to_string).collect()),
        counted(options.screening, "screening seed"),
        counted(options.seeds, "fresh seed"),
        info.kind,
        info.adapter,
    );
    let mut text = format!("# Activations on real images\n\n{about}\n");
    let mut page = Page::new("Activations on real images");
    page.paragraph(&about);
    for task in tasks {
        let first = options.activations.first().map(|a| options.fresh(rows, task, a)).unwrap_or_default();
        if first.is_empty() {
            continue;
        }
        let goal = median(&first.iter().map(|r| r.last()).collect::<Vec<_>>());
        let mut table = Table::new(&[
            "activation",
            "init",
            "rate",
            "last test accuracy, %",
            "epochs to the first's last",
            "times fewer",
            "seconds an epoch",
            "seconds to the first's last",
            "times fewer",
        ]);
        let mut series = Vec::new();
        let (mut reference, mut reference_seconds) = (None, None);
        for activation in &options.activations {
            let of = options.fresh(rows, task, activation);
            let Some(one) = of.first() else { continue };
            let (last, to) = figures(&of, goal);
            let epochs = median(&to);
            let reference = *reference.get_or_insert(epochs);
            let ratio =
                if epochs.is_finite() && reference.is_finite() { format!("{:.2}", reference / epochs) } else { "-".into() };
            let of_pace = |r: &&PaceRow| r.task == *task && r.activation == *activation;
            let pace = paces.iter().rev().find(of_pace).map_or(f64::NAN, |r| r.step * task.train.div_ceil(BATCH) as f64);
            let seconds = epochs * pace;
            let reference_seconds = *reference_seconds.get_or_insert(seconds);
            let or_none = |x: f64, digits: usize| if x.is_finite() { format!("{x:.digits$}") } else { "-".into() };
            table.row([
                activation.title(),
                one.init.to_string(),
                one.rate.to_string(),
                ranged(&last, task.epochs),
                ranged(&to, task.epochs),
                ratio,
                or_none(pace, 2),
                or_none(seconds, 1),
                if seconds.is_finite() { or_none(reference_seconds / seconds, 2) } else { "-".into() },
            ]);
            let mean = |e: usize| {
                let seen: Vec<f64> = of.iter().filter_map(|r| r.test.get(e).copied()).collect();
                (!seen.is_empty()).then(|| (e as f64 + 1.0, 100.0 * seen.iter().sum::<f64>() / seen.len() as f64))
            };
            series.push((activation.title(), (0..task.epochs).filter_map(mean).collect()));
        }
        let picture = Lines {
            title: format!("{task}: test accuracy, mean of seeds"),
            x: "epoch".into(),
            y: "right answers, %".into(),
            series,
        };
        let name: String = task.to_string().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        picture.save(&options.out.join(format!("{name}.svg")))?;
        text += &format!("\n## {task} ({} training, {} test images)\n\n{}", task.train, task.test, table.markdown());
        page.heading(&format!("{task} ({} training, {} test images)", task.train, task.test));
        page.table(&table);
        let screening = screening(options, rows, task);
        let screened = options.screened(task).train;
        let heading = format!("The screening seeds, on {screened} images");
        text += &format!("\n{heading}:\n\n{}", screening.markdown());
        page.paragraph(&heading);
        page.table(&screening);
        page.picture(&picture)?;
    }
    let screened = options.screening_train.min(tasks.iter().map(|t| t.train).max().unwrap_or(0));
    write_json(
        &options.out.join("settings.json"),
        &(
            (tasks, &options.activations, &options.rates, &options.inits),
            (options.schedule, options.screening, screened, options.seeds),
        ),
    )?;
    write_text(&options.out.join("report.md"), &text)?;
    page.save(&options.out.join("report.html"))
}
