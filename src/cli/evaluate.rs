//! `lacuna evaluate`

use super::engine::EngineArgs;
use super::progress::Progress;
use super::{print, print_json};
use clap::Args;
use lacuna::Result;
use lacuna::report::Table;
use lacuna::train::{Evaluation, Run, logits};
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  lacuna evaluate runs/a")]
pub struct Evaluate {
    /// Folder of a trained run
    run: PathBuf,
    /// On the samples that it learnt from, in place of the test samples
    #[arg(long)]
    train: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Evaluate {
    pub fn run(&self, quiet: bool) -> Result<()> {
        let run = Run::open(&self.run)?;
        let compute = self.engine.compute(quiet)?;
        let data = run.data()?;
        let samples = if self.train { &data.train } else { &data.test };
        let net = run.network(&compute)?;
        let mut progress = Progress::new(quiet);
        let answers = logits(&net, samples, &compute.device, &mut progress)?;
        drop(progress);
        let found = Evaluation::new(&answers, &samples.labels, &data.classes);
        if self.json {
            return print_json(&found);
        }
        let percent = |x: Option<f64>| x.map_or("none".into(), |x| format!("{:.2} %", 100.0 * x));
        let mut classes = Table::new(&["class", "samples", "found", "of those answered so, right", "most often taken for"]);
        for (c, name) in found.classes.iter().enumerate() {
            let row = &found.confusion[c];
            let wrong = (0..row.len()).filter(|&o| o != c && row[o] > 0).max_by_key(|&o| row[o]);
            classes.row([
                name.clone(),
                row.iter().sum::<usize>().to_string(),
                percent(found.recall[c]),
                percent(found.precision[c]),
                wrong.map_or(String::new(), |o| format!("{} ({})", found.classes[o], row[o])),
            ]);
        }
        let numbers: Vec<String> = (0..found.classes.len()).map(|c| c.to_string()).collect();
        let header: Vec<&str> = std::iter::once("class \\ answer").chain(numbers.iter().map(String::as_str)).collect();
        let mut confusion = Table::new(&header);
        for (c, name) in found.classes.iter().enumerate() {
            let cells = found.confusion[c].iter().map(ToString::to_string);
            confusion.row(std::iter::once(format!("{c} {name}")).chain(cells));
        }
        let mut calibration = Table::new(&["probability of the answer", "samples", "mean", "right"]);
        for (bin, &(samples, mean, right)) in found.calibration.iter().enumerate().filter(|(_, b)| b.0 > 0) {
            let range = format!("{:.1} to {:.1}", bin as f64 / 10.0, (bin + 1) as f64 / 10.0);
            calibration.row([range, samples.to_string(), percent(Some(mean)), percent(Some(right))]);
        }
        print(&format!(
            "{}: {:.2} % right on {} {} samples of {}, loss {:.4}.\n\n{}\nHow the samples of each class were answered:\n\n{}\n\
             How far its certainty can be trusted (off by {:.2} % on average):\n\n{}",
            run.folder.display(),
            100.0 * found.accuracy,
            found.samples,
            if self.train { "training" } else { "test" },
            data.name,
            found.loss,
            classes.markdown(),
            confusion.markdown(),
            100.0 * found.calibration_error,
            calibration.markdown()
        ))
    }
}
