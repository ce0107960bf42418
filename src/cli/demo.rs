//! `lacuna demo`

use super::engine::EngineArgs;
use super::print;
use super::progress::Progress;
use super::serve::serve;
use clap::Args;
use lacuna::Result;
use lacuna::data::lock_folder;
use lacuna::experiment::{DemoOptions, demo};
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  lacuna demo\n  lacuna demo --serve")]
pub struct Demo {
    /// Folder for the page and the runs; what an earlier demo left there is replaced
    #[arg(long, short, default_value = "runs/demo")]
    out: PathBuf,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Serve the page of the engine in the browser, on this machine alone, and do nothing else
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "web/dist/page", conflicts_with_all = ["out", "seed"])]
    serve: Option<PathBuf>,
    /// Where the page is served
    #[arg(long, default_value_t = 8000, requires = "serve")]
    port: u16,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Demo {
    pub fn run(&self, quiet: bool) -> Result<()> {
        if let Some(folder) = &self.serve {
            return serve(folder, self.port);
        }
        let compute = self.engine.compute(quiet)?;
        let _lock = lock_folder(&self.out)?;
        let mut progress = Progress::new(quiet);
        let told = demo(&DemoOptions { out: self.out.clone(), seed: self.seed }, &compute, &mut progress)?;
        drop(progress);
        print(&told)
    }
}
