//! `lacuna compare`

use super::engine::EngineArgs;
use super::list::Numbers;
use super::print;
use super::progress::Progress;
use super::prune::{CompensateArgs, CriterionArgs, LimitArgs, RecoveryArgs, shares};
use clap::Args;
use lacuna::data::lock_folder;
use lacuna::experiment::{Compare, Rival, compare};
use lacuna::train::Run;
use lacuna::{Error, Result};
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  lacuna compare runs/a --by effect,barcode,l1,random --ratios 0.3,0.6 --out results/c")]
pub struct CompareCommand {
    /// Folder of the trained run
    run: PathBuf,
    /// Folder of the results; what is there is gone on with
    #[arg(long, short)]
    out: PathBuf,
    /// Criteria, as `lacuna prune --by` names them; NAME:reverse removes the best, as a control,
    /// and barcode:AIM has another aim: each brings its control without topology along,
    /// barcode:logits or barcode:outputs
    #[arg(long, value_delimiter = ',', default_value = "effect,barcode,samples-h0,l1,l2,fpgm,taylor,random")]
    by: Vec<String>,
    /// Shares of each layer's filters, as 0.1..0.9 (steps of 0.1) or a list
    #[arg(long, default_value = "0.1..0.9")]
    ratios: Numbers,
    /// Seeds of each; chance has three at least
    #[arg(long, default_value_t = 3)]
    seeds: usize,
    /// Epochs of training after each cut
    #[arg(long, default_value_t = 1, value_name = "EPOCHS")]
    recover: usize,
    /// Training samples of an epoch [default: all]
    #[arg(long, value_name = "N")]
    train: Option<usize>,
    /// Test samples [default: all]
    #[arg(long, value_name = "N")]
    test: Option<usize>,
    #[command(flatten)]
    compensate: CompensateArgs,
    /// In place of epochs, steps of gentle training of 128 images each
    #[arg(long, value_name = "STEPS", conflicts_with_all = ["recover", "lr", "as_trained"])]
    recover_steps: Option<usize>,
    #[command(flatten)]
    recovery: RecoveryArgs,
    /// Learning rate of a recovery as the run was trained [default: the run's]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Keep a multiple of this many filters per layer
    #[arg(long, default_value_t = 1, value_name = "K")]
    round_to: usize,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    criterion: CriterionArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl CompareCommand {
    pub fn run(&self, quiet: bool) -> Result<()> {
        let run = Run::open(&self.run)?;
        let _lock = lock_folder(&self.out)?;
        self.criterion.check_for(&self.by)?;
        let data = run.data()?;
        let most = data.train.len().min(self.train.unwrap_or(usize::MAX));
        let compensate = self.compensate.compensation(&data.train.shape, most, 0)?;
        let recovery = self.recovery.recovery(compensate.is_some() || self.recover_steps.is_some());
        if self.lr.is_some() && recovery.is_some() {
            return Err(Error::input("--lr is for a recovery as the run was trained: give --as-trained, or --recover-rate"));
        }
        let mut rivals: Vec<Rival> = Vec::new();
        let mut names = self.by.clone();
        for name in &self.by {
            if names.iter().filter(|n| *n == name).count() > 1 {
                return Err(Error::input(format!("'{name}' is named twice")));
            }
        }
        let mut at = 0;
        while at < names.len() {
            // Options are for the criteria that have them; the others go without.
            let rival = Rival::labelled(&names[at], |base| self.criterion.for_one_of_many(base, most))?;
            // A topological measure is never shown without its control.
            if let Some(control) = rival.control().filter(|c| !names.contains(c)) {
                names.insert(at + 1, control);
            }
            rivals.push(rival);
            at += 1;
        }
        if self.seeds == 0 {
            return Err(Error::input("at least one seed is needed"));
        }
        let mut options = Compare::new(&run, rivals);
        options.ratios = shares(&self.ratios)?;
        (options.seeds, options.recover, options.train, options.test) = (self.seeds, self.recover, self.train, self.test);
        (options.round_to, options.limits) = (self.round_to, self.limits.limits()?);
        (options.compensate, options.recovery, options.recover_steps) = (compensate, recovery, self.recover_steps);
        options.settings.optimiser.rate = self.lr.unwrap_or(options.settings.optimiser.rate);
        options.settings.optimiser.check()?;
        let compute = self.engine.compute(quiet)?;
        let mut progress = Progress::new(quiet);
        compare(&options, &self.out, &compute, &mut progress)?;
        drop(progress);
        let path = self.out.join("report.md");
        print(&std::fs::read_to_string(&path).map_err(Error::io(&path, "read"))?)
    }
}
