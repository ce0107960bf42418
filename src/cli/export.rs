//! `lacuna export`

use super::print;
use clap::Args;
use lacuna::data::files::write_atomically;
use lacuna::nn::{Compute, OnnxNotes};
use lacuna::train::Run;
use lacuna::{Error, Result};
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  lacuna export runs/a --onnx net.onnx")]
pub struct Export {
    /// Folder of a trained run
    run: PathBuf,
    /// The file, in ONNX (opset 17). It normalises its input itself: images go in as pixels from 0
    /// to 1, rows of a table as they are
    #[arg(long, value_name = "FILE")]
    onnx: PathBuf,
    /// Leave the normalisation to whoever uses the file
    #[arg(long)]
    normalised: bool,
}

impl Export {
    pub fn run(&self) -> Result<()> {
        let run = Run::open(&self.run)?;
        if self.onnx.extension().is_none_or(|e| e != "onnx") {
            return Err(Error::input(format!("{}: an ONNX file ends in .onnx", self.onnx.display())));
        }
        let net = run.network(&Compute::cpu())?;
        let normalisation = match &run.config.normalisation {
            _ if self.normalised => None,
            Some(by) => Some((by.mean.clone(), by.deviation.clone())),
            // Runs of earlier versions did not take down what their data set is normalised by.
            None => run.data()?.train.normalisation(),
        };
        let bytes = net.to_onnx(&OnnxNotes { classes: run.classes()?, normalisation: normalisation.clone() })?;
        write_atomically(&self.onnx, |w| w.write_all(&bytes))?;
        let takes = match (&normalisation, run.arch.input.len()) {
            (Some(_), 3) => "pixels from 0 to 1",
            (Some(_), _) => "rows as they are in the table",
            (None, _) => "samples normalised as in training",
        };
        print(&format!(
            "{}: {}, {} classes, {:.1} KB; input [batch, {}], {takes}; output logits\n",
            self.onnx.display(),
            run.arch.title(),
            run.arch.classes()?,
            bytes.len() as f64 / 1e3,
            run.arch.input.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ))
    }
}
