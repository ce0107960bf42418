//! `lacuna prune`

use super::engine::EngineArgs;
use super::progress::Progress;
use super::{print, print_json};
use clap::{Args, ValueEnum};
use lacuna::prune::{BettiDimension, BettiOptions, Criterion, Plan, Rule, Scale, prune_run, resume_prune};
use lacuna::report::Picture;
use lacuna::train::Run;
use lacuna::{Error, Result};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    /// Betti number of the filter's output space
    Betti,
    /// Sum of the filter's absolute weights
    L1,
    /// Chance, the control
    Random,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dimension {
    #[value(name = "0")]
    Zero,
    #[value(name = "1")]
    One,
    Sum,
}

#[derive(Clone, Debug, Args)]
pub struct Prune {
    /// Folder of the trained run
    run: PathBuf,
    /// Folder for the smaller one
    #[arg(long, short)]
    out: PathBuf,
    /// What a filter is worth
    #[arg(long, value_enum, default_value = "betti")]
    by: By,
    /// Remove filters whose Betti number is above this [default for betti: 300]
    #[arg(long, conflicts_with = "ratio")]
    above: Option<f64>,
    /// Remove this share of every layer's filters, the worst first [default for the others: 0.5]
    #[arg(long, allow_negative_numbers = true)]
    ratio: Option<f64>,
    /// Keep a multiple of this many filters per layer
    #[arg(long, default_value_t = 1, value_name = "K")]
    round_to: usize,
    /// Epochs of training after the cut
    #[arg(long, default_value_t = 0, value_name = "EPOCHS")]
    recover: usize,
    /// Samples, that is points of each filter's cloud [default: 512]
    #[arg(long)]
    samples: Option<usize>,
    /// Which Betti number [default: sum]
    #[arg(long, value_enum)]
    betti: Option<Dimension>,
    /// Scale of the Betti numbers, a distance between activations [default: chosen per layer]
    #[arg(long, allow_negative_numbers = true)]
    scale: Option<f32>,
    /// Decides the samples, and the scores of `random` [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// Go on with a recovery that was interrupted, by its own options
    #[arg(long, conflicts_with_all = ["by", "above", "ratio", "round_to", "recover", "samples", "betti", "scale", "seed"])]
    resume: bool,
    /// Print prune.json instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Prune {
    fn plan(&self) -> Result<Plan> {
        let for_betti =
            [(self.samples.is_some(), "--samples"), (self.betti.is_some(), "--betti"), (self.scale.is_some(), "--scale")];
        if !matches!(self.by, By::Betti)
            && let Some((_, option)) = for_betti.iter().find(|(given, _)| *given)
        {
            return Err(Error::input(format!("{option} is for --by betti")));
        }
        if matches!(self.by, By::L1) && self.seed.is_some() {
            return Err(Error::input("--seed does not apply to --by l1"));
        }
        let seed = self.seed.unwrap_or(0);
        let criterion = match self.by {
            By::Betti => Criterion::Betti(BettiOptions {
                samples: self.samples.unwrap_or(512),
                dimension: match self.betti {
                    Some(Dimension::Zero) => BettiDimension::Zero,
                    Some(Dimension::One) => BettiDimension::One,
                    Some(Dimension::Sum) | None => BettiDimension::Sum,
                },
                scale: match self.scale {
                    Some(s) if !(s >= 0.0 && s.is_finite()) => return Err(Error::input("the scale must be a number, 0 or more")),
                    Some(s) => Scale::Given(s),
                    None => Scale::LayerMedian,
                },
                seed,
            }),
            By::L1 => Criterion::L1,
            By::Random => Criterion::Random { seed },
        };
        let rule = match (self.above, self.ratio, self.by) {
            (Some(limit), _, _) => Rule::Above(limit),
            (None, Some(ratio), _) => Rule::Ratio(ratio),
            (None, None, By::Betti) => Rule::Above(300.0),
            (None, None, _) => Rule::Ratio(0.5),
        };
        Ok(Plan { criterion, rule, round_to: self.round_to, recover: self.recover })
    }

    pub fn run(&self, quiet: bool) -> Result<()> {
        let run = Run::open(&self.run)?;
        let (outcome, progress) = if self.resume {
            let compute = self.engine.compute(quiet)?;
            let mut progress = Progress::new(quiet);
            (resume_prune(&run, &self.out, &compute, &mut progress)?.0, progress)
        } else {
            let plan = self.plan()?;
            let data = run.data()?;
            let compute = self.engine.compute(quiet)?;
            let mut progress = Progress::new(quiet);
            (prune_run(&run, &plan, &self.out, &data, &compute, &mut progress)?.0, progress)
        };
        drop(progress);
        outcome.filters_picture().save(&self.out.join("filters.svg"))?;
        if self.json {
            return print_json(&outcome);
        }
        print(&format!("{}\n{}", outcome.layer_table().markdown(), outcome.cost_table().markdown()))
    }
}
