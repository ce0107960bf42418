//! `lacuna demo`

use super::engine::EngineArgs;
use super::print;
use super::progress::Progress;
use clap::Args;
use lacuna::Result;
use lacuna::data::lock_folder;
use lacuna::experiment::{DemoOptions, demo};
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Folder for the page and the runs; what an earlier demo left there is replaced
    #[arg(long, short, default_value = "runs/demo")]
    out: PathBuf,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Demo {
    pub fn run(&self, quiet: bool) -> Result<()> {
        let compute = self.engine.compute(quiet)?;
        let _lock = lock_folder(&self.out)?;
        let mut progress = Progress::new(quiet);
        let told = demo(&DemoOptions { out: self.out.clone(), seed: self.seed }, &compute, &mut progress)?;
        drop(progress);
        print(&told)
    }
}
