//! `lacuna predict`

use super::engine::EngineArgs;
use super::progress::Progress;
use super::{print, print_json};
use clap::Args;
use lacuna::data::table::{is_table, read_table};
use lacuna::data::{Samples, image_folder};
use lacuna::train::{Run, largest, logits, probabilities};
use lacuna::{Error, Result};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  lacuna predict runs/a photo.png other.jpg\n  lacuna predict runs/iris new.csv --json")]
pub struct Predict {
    /// Folder of a trained run
    run: PathBuf,
    /// Images (png, jpg), or tables (csv, .npy) with the columns that the network was trained on
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// As JSON, with the probabilities of all classes
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Predict {
    pub fn run(&self, quiet: bool) -> Result<()> {
        let run = Run::open(&self.run)?;
        let classes = run.classes()?;
        let compute = self.engine.compute(quiet)?;
        let net = run.network(&compute)?;
        let mut progress = Progress::new(quiet);
        let mut found = Vec::new();
        for file in &self.files {
            let mut samples = samples(&run, file)?;
            if let Some(by) = &run.config.normalisation {
                samples.normalise(&by.mean, &by.deviation)?;
            }
            let answers = logits(&net, &samples, &compute.device, &mut progress)?;
            found.extend(
                answers.chunks(classes.len()).enumerate().map(|(row, l)| (file.display().to_string(), row, probabilities(l))),
            );
        }
        drop(progress);
        if self.json {
            let one = |(file, row, p): &(String, usize, Vec<f64>)| {
                let all: serde_json::Map<String, serde_json::Value> =
                    classes.iter().cloned().zip(p.iter().map(|&p| json!(p))).collect();
                json!({"file": file, "row": row, "class": classes[largest(p)], "probabilities": all})
            };
            return print_json(&found.iter().map(one).collect::<Vec<_>>());
        }
        let quoted =
            |text: &str| if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() };
        let mut out = String::from("file,row,class,probability\n");
        for (file, row, p) in &found {
            let best = largest(p);
            out += &format!("{},{row},{},{:.6}\n", quoted(file), quoted(&classes[best]), p[best]);
        }
        print(&out)
    }
}

/// What a file holds, for the network of a run.
fn samples(run: &Run, file: &Path) -> Result<Samples> {
    match *run.arch.input {
        [channels, height, width] => {
            let pixels = image_folder::image_planes(file, [channels, height, width])?;
            let (mean, deviation) = (0.0, 1.0);
            Samples::images([channels, height, width], pixels, vec![0], mean, deviation)
        }
        _ => {
            let features = run.arch.input.iter().product::<usize>();
            if !is_table(&file.to_string_lossy()) {
                return Err(Error::file(file, format!("the network takes rows of {features} numbers: give .csv or .npy")));
            }
            // By name, if both files name their columns; else in their order.
            let by_name = run.config.columns.iter().any(|c| c.parse::<usize>().is_err());
            let table = read_table(file, None, if by_name { &run.config.columns } else { &[] });
            let table = table.or_else(|e| if by_name { read_table(file, None, &[]) } else { Err(e) })?;
            if table.columns.len() != features {
                let wanted = if by_name { format!(": {}", run.config.columns.join(", ")) } else { String::new() };
                return Err(Error::file(
                    file,
                    format!("has {} columns of numbers, the network takes {features}{wanted}", table.columns.len()),
                ));
            }
            let numbers: Vec<f32> = table.numbers.iter().map(|&x| x as f32).collect();
            Samples::vectors(features, numbers, vec![0; table.rows()])
        }
    }
}
