//! What the experiment on forecasts found: tables and curves.

use super::run::Cell;
use super::{FoldedNetworks, ForecastData, ForecastRow, chosen};
use crate::data::files::write_text;
use crate::data::sequences::SequenceSet;
use crate::error::Result;
use crate::experiment::stats::{extremes, median};
use crate::nn::Compute;
use crate::report::{Lines, Page, Picture, Table, counted};

/// Writes report.md, report.html, and a picture of every task that has results.
pub(super) fn report(options: &FoldedNetworks, rows: &[ForecastRow], sets: &[SequenceSet], compute: &Compute) -> Result<()> {
    let info = compute.engine.info();
    let title = "Forecasts by temporally folded networks and by recurrent ones";
    let rates: Vec<String> = options.rates.iter().map(ToString::to_string).collect();
    let about = format!(
        "Each network reads a sequence and forecasts every next frame. The loss is the cross-entropy of the frame, \
         in nats, a mean over steps: the negative log-likelihood where frames hold only 0 and 1. Adam tried the rates {} with the \
         first seed, and the one with the smallest validation loss was kept. The test loss is that after the epoch with the smallest \
         validation loss: the median, and the range over {}. The folded network, its cell above all, is our reading of a paper \
         of which we know the abstract. Trained by the {} engine's device on {}.",
        rates.join(", "),
        counted(options.seeds, "seed"),
        info.kind,
        info.adapter,
    );
    let mut text = format!("# {title}\n\n{about}\n");
    let mut page = Page::new(title);
    page.paragraph(&about);
    for (task, set) in options.tasks.iter().zip(sets) {
        let of_task: Vec<&ForecastRow> = rows.iter().filter(|r| r.data == task.data).collect();
        if of_task.is_empty() {
            continue;
        }
        let [height, width] = set.frame;
        let counts = [&set.train, &set.valid, &set.test].map(Vec::len);
        let heading = format!(
            "{} ({} training, {} validation and {} test sequences, frames of {height} x {width})",
            task.data, counts[0], counts[1], counts[2]
        );
        let mut table =
            Table::new(&["network", "test loss", "range", "numbers learnt", "rate", "best epoch", "seconds an epoch"]);
        let mut series = Vec::new();
        for network in &task.networks {
            let Some(rate) = chosen(rows, &options.rates, task, network) else { continue };
            let of: Vec<&ForecastRow> =
                (0..options.seeds as u64).filter_map(|seed| Cell { task, network, rate, seed }.find(rows)).collect();
            let best: Vec<(usize, f64, f64)> = of.iter().filter_map(|r| r.best()).collect();
            let losses: Vec<f64> = best.iter().map(|b| b.2).collect();
            let epochs: Vec<f64> = best.iter().map(|b| b.0 as f64 + 1.0).collect();
            let (low, high) = extremes(&losses);
            let pace: Vec<f64> = of.iter().map(|r| r.seconds / r.losses.len().max(1) as f64).collect();
            table.row([
                network.to_string(),
                format!("{:.3}", median(&losses)),
                format!("{low:.3} to {high:.3}"),
                of.first().map_or(0, |r| r.parameters).to_string(),
                rate.to_string(),
                format!("{:.0}", median(&epochs)),
                format!("{:.1}", median(&pace)),
            ]);
            let mean = |epoch: usize| {
                let seen: Vec<f64> = of.iter().filter_map(|r| Some(r.losses.get(epoch)?.valid)).collect();
                (!seen.is_empty()).then(|| (epoch as f64 + 1.0, seen.iter().sum::<f64>() / seen.len() as f64))
            };
            series.push((network.to_string(), (0..task.epochs).filter_map(mean).collect()));
        }
        for control in of_task.iter().filter(|r| r.network.is_none()) {
            let loss = control.best().map_or(f64::NAN, |b| b.2);
            let none = || "-".to_string();
            let numbers = control.parameters.to_string();
            table.row([control.name.clone(), format!("{loss:.3}"), none(), numbers, none(), none(), none()]);
        }
        text += &format!("\n## {heading}\n\n{}", table.markdown());
        page.heading(&heading);
        page.table(&table);
        if task.data == ForecastData::Chorales {
            let known = "Bai, Kolter and Koltun (arXiv 1803.01271) report 8.45 for an LSTM, 8.43 for a GRU and 8.10 for a temporal convolutional network, on the same pieces.";
            text += &format!("\n{known}\n");
            page.paragraph(known);
        }
        if !series.is_empty() {
            let picture = Lines {
                title: format!("{}: validation loss, mean of seeds", task.data),
                x: "epoch".into(),
                y: "nats a frame".into(),
                series,
            };
            picture.save(&options.out.join(format!("{}.svg", task.data.to_string().replace(' ', "-"))))?;
            page.picture(&picture)?;
        }
    }
    write_text(&options.out.join("report.md"), &text)?;
    page.save(&options.out.join("report.html"))
}
