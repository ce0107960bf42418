//! A trace as pictures and as a page that plays training back.

use super::{Projection, Trace};
use crate::error::Result;
use crate::report::{Heat, Lines, Page, Picture, Table};
use std::path::Path;

/// Betti numbers per layer, a line for each class, at one time.
pub fn lines(trace: &Trace, at: usize, dim: usize) -> Lines {
    let of_class = |c: &super::ClassTrace| {
        let points = c.layers.iter().enumerate().map(|(l, b)| (l as f64, b.betti.get(dim).map_or(f64::NAN, |&b| b as f64)));
        (c.class.clone(), points.collect())
    };
    Lines {
        title: format!("{}: Betti number {dim}, {}", trace.title, time(trace, at)),
        x: "layer (0 is the input, the last the logits)".into(),
        y: format!("Betti number {dim}"),
        series: trace.snapshots.get(at).map_or(Vec::new(), |s| s.classes.iter().map(of_class).collect()),
    }
}

/// All Betti numbers of all classes, by layer and time.
pub fn heat(trace: &Trace) -> Heat {
    let row = |(at, s): (usize, &super::Snapshot)| (time(trace, at), s.totals().into_iter().map(|t| t as f64).collect());
    Heat {
        title: format!("{}: total Betti number", trace.title),
        x: "layer".into(),
        y: "time".into(),
        columns: trace.names().0.into_iter().map(|l| l.trim_start_matches("layer ").to_string()).collect(),
        rows: trace.snapshots.iter().enumerate().map(row).collect(),
    }
}

fn time(trace: &Trace, at: usize) -> String {
    trace.snapshots.get(at).map_or(String::new(), |s| match s.epoch {
        0 => "before training".into(),
        e => format!("epoch {e}"),
    })
}

/// Area, settling layer and the like, a row per class and snapshot.
fn table(trace: &Trace) -> Table {
    let mut table = Table::new(&[
        "when",
        "class",
        "sums over layers, by dimension",
        "sum of all",
        "stays the same from layer",
        "one piece from layer",
        "accuracy",
    ]);
    for (at, s) in trace.snapshots.iter().enumerate() {
        for c in &s.classes {
            let area = c.area();
            let first = c.reaches(0, 1).map_or("none".into(), |l| l.to_string());
            let shown: Vec<String> = area.iter().map(ToString::to_string).collect();
            let accuracy = s.accuracy.map_or(String::new(), |a| format!("{:.2} %", 100.0 * a));
            let total = area.iter().sum::<usize>().to_string();
            table.row([time(trace, at), c.class.clone(), shown.join(", "), total, c.settles().to_string(), first, accuracy]);
        }
    }
    table
}

/// What the last snapshot comes to, in words.
fn conclusion(trace: &Trace) -> String {
    let Some(last) = trace.snapshots.last() else { return String::new() };
    let totals = last.totals();
    let [first, end] = [totals.first(), totals.last()].map(|t| t.copied().unwrap_or(0));
    let when =
        if last.epoch == 0 { "In this network".into() } else { format!("After {}", time(trace, trace.snapshots.len() - 1)) };
    let accuracy =
        last.accuracy.map_or(String::new(), |a| format!(" It gives {:.2} % of the test samples the right class.", 100.0 * a));
    let whole = last.classes.iter().filter(|c| c.layers.last().is_some_and(|l| l.betti.first() == Some(&1))).count();
    format!(
        "{when} the classes have {first} components and holes in all at the input, and {end} at the logits; {whole} of {} classes are one piece there.{accuracy}",
        last.classes.len()
    )
}

/// Writes pictures into a folder (`betti-D.svg`, `betti-heat.svg`, `layer-N.svg`) and a page,
/// `trace.html`, that plays the snapshots back.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn save_report(trace: &Trace, projections: &[Projection], folder: &Path) -> Result<()> {
    let last = trace.snapshots.len().saturating_sub(1);
    let (_, classes) = trace.names();
    let mut page = Page::new(&format!("Betti numbers of {}", trace.title));
    page.paragraph(&conclusion(trace));
    page.paragraph(&format!(
        "Computed by the {} engine on {}: {}, up to {} points a class, {}. The traces took {:.1} s beside {:.1} s of training.",
        trace.engine.kind,
        trace.engine.adapter,
        trace.procedure.measure,
        trace.procedure.points,
        match trace.procedure.split {
            super::Split::True => "classes by label",
            super::Split::Predicted => "classes as the network takes them",
        },
        trace.seconds(),
        trace.training_seconds
    ));
    if trace.is_trivial() {
        page.paragraph("Every class is one piece without holes at every layer: at this measure there is nothing to see.");
    }
    page.heading(if trace.snapshots.len() > 1 { "While it trained" } else { "Layer by layer" });
    let mut frames = Vec::new();
    if trace.snapshots.len() == 1 {
        page.pictures(&(0..=trace.procedure.max_dim).map(|dim| lines(trace, 0, dim)).collect::<Vec<_>>())?;
    }
    for at in (0..trace.snapshots.len()).filter(|_| trace.snapshots.len() > 1) {
        frames.push((time(trace, at), (0..=trace.procedure.max_dim).map(|dim| lines(trace, at, dim)).collect::<Vec<_>>()));
    }
    if !frames.is_empty() {
        page.film(&frames)?;
    }
    if trace.snapshots.len() > 1 {
        page.picture(&heat(trace))?;
    }
    heat(trace).save(&folder.join("betti-heat.svg"))?;
    page.table(&table(trace));
    for dim in 0..=trace.procedure.max_dim {
        lines(trace, last, dim).save(&folder.join(format!("betti-{dim}.svg")))?;
    }
    if !projections.is_empty() {
        page.heading("The layers, seen from their widest side");
        let mut pictures = Vec::new();
        for (l, p) in projections.iter().enumerate() {
            let picture = p.picture(2, &classes);
            picture.save(&folder.join(format!("layer-{l}.svg")))?;
            pictures.push(picture);
            // A third direction is worth a picture where it holds something.
            if p.shares[1] > p.shares[0] + 0.01 {
                pictures.push(p.picture(3, &classes));
            }
        }
        page.pictures(&pictures)?;
    }
    page.save(&folder.join("trace.html"))
}
