//! `lacuna trace`, and `lacuna train --trace`

use super::engine::EngineArgs;
use super::list::Numbers;
use super::progress::Progress;
use super::{print, print_json};
use clap::{Args, ValueEnum};
use lacuna::data::DataSet;
use lacuna::data::files::{create_folder, read_json, write_json};
use lacuna::nn::Compute;
use lacuna::progress::Watch;
use lacuna::report::Table;
use lacuna::trace::{Measure, Procedure, Snapshot, Split, Trace, project, save_report};
use lacuna::train::{Run, accuracy};
use lacuna::{Error, Result};
use std::path::PathBuf;

/// Points that the pictures of the layers show.
const SHOWN: usize = 600;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    /// Labels
    True,
    /// What the network takes samples for
    Predicted,
}

/// How a trace measures.
#[derive(Clone, Debug, Args)]
pub struct ProcedureArgs {
    /// Trace: points of each class [default: 300 of images, 1500 of shapes]
    #[arg(long)]
    points: Option<usize>,
    /// Trace: distances are numbers of steps in the graph of so many nearest neighbours, the point
    /// itself among them, and the complex is that at 2 steps [default for shapes: 14]
    #[arg(long, conflicts_with = "scale")]
    k: Option<usize>,
    /// Trace: distances are Euclidean, and the complex is that at this scale, in units of the root
    /// mean square distance to the cloud's mean [default for images: 1]
    #[arg(long)]
    scale: Option<f32>,
    /// Trace: highest dimension, 0 to 2
    #[arg(long, default_value_t = 1)]
    dim: usize,
    /// Trace: what decides the class of a sample
    #[arg(long, value_enum, default_value = "true")]
    split: By,
    /// Trace: only these classes, by number [default: all, ten at most]
    #[arg(long, value_name = "NUMBERS")]
    classes: Option<Numbers>,
}

impl ProcedureArgs {
    /// An error if these do not fit the data: to be asked before anything is made.
    pub fn check(&self, data: &DataSet) -> Result<()> {
        self.procedure(data, 0).and(self.classes(data).map(drop))
    }

    /// Where nothing else is asked for, each kind of data is measured in the way that shows
    /// something of it: classes of images are one piece in the graph of their neighbours at every
    /// layer.
    fn procedure(&self, data: &DataSet, seed: u64) -> Result<Procedure> {
        let images = data.train.shape.len() == 3;
        let measure = match (self.scale, self.k) {
            (Some(scale), _) => Measure::Euclidean { scale },
            (None, None) if images => Measure::Euclidean { scale: 1.0 },
            (None, k) => Measure::Hops { k: k.unwrap_or(14) },
        };
        let procedure = Procedure {
            points: self.points.unwrap_or(if images { 300 } else { 1500 }),
            measure,
            max_dim: self.dim,
            split: match self.split {
                By::True => Split::True,
                By::Predicted => Split::Predicted,
            },
            seed,
        };
        procedure.check()?;
        Ok(procedure)
    }

    fn classes(&self, data: &DataSet) -> Result<Vec<u8>> {
        let all = data.classes.len();
        match &self.classes {
            Some(Numbers(given)) => match given.iter().find(|c| c.fract() != 0.0 || !(0.0..all as f64).contains(*c)) {
                Some(bad) => Err(Error::input(format!("there is no class {bad}: {} has {all}, counted from 0", data.name))),
                None => Ok(given.iter().map(|&c| c as u8).collect::<std::collections::BTreeSet<u8>>().into_iter().collect()),
            },
            None => Ok((0..all.min(10) as u8).collect()),
        }
    }
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  lacuna trace runs/a")]
pub struct TraceCommand {
    /// Folder of a trained run
    run: PathBuf,
    /// Where trace.json, trace.html and the pictures go [default: the run's folder]
    #[arg(long, short)]
    out: Option<PathBuf>,
    /// Go on with the run's training, tracing after every epoch
    #[arg(long)]
    live: bool,
    /// Train to so many epochs, with --live [default: those of the run]
    #[arg(long, requires = "live")]
    epochs: Option<usize>,
    /// The trace as JSON on stdout
    #[arg(long)]
    json: bool,
    /// Chooses the points [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    procedure: ProcedureArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl TraceCommand {
    pub fn run(&self, quiet: bool) -> Result<()> {
        let mut run = Run::open(&self.run)?;
        let seed = self.seed.unwrap_or(0);
        let compute = self.engine.compute(quiet)?;
        let _lock = lacuna::data::lock_folder(self.out.as_deref().unwrap_or(&self.run))?;
        let data = run.data()?;
        let procedure = self.procedure.procedure(&data, seed)?;
        let mut progress = Progress::new(quiet);
        let trace = if self.live {
            if self.out.is_some() {
                return Err(Error::input("--live writes into the run's folder: leave --out away"));
            }
            if run.folder.join("prune.json").exists() {
                return Err(Error::input("this run was made by `lacuna prune`, which trains it: trace it without --live"));
            }
            if self.seed.is_some() {
                return Err(Error::input("--live draws its points by the run's own seed: leave --seed away"));
            }
            if let Some(epochs) = self.epochs {
                let done = run.metrics()?.len();
                if epochs < done.max(1) {
                    return Err(Error::input(format!("{done} epochs are through already, {epochs} were asked for")));
                }
                run.config.settings.epochs = epochs;
                run.write_config()?;
            }
            live(&run, &data, &self.procedure, &compute, &mut progress).map_err(|e| match e {
                Error::Interrupted(why) => Error::Interrupted(format!("{why} by this command again")),
                other => other,
            })?
        } else {
            let path = run.folder.join("trace.json");
            if self.out.is_none() && path.exists() && read_json::<Trace>(&path)?.snapshots.len() > 1 {
                return Err(Error::file(&path, "holds the trace of several epochs: give another folder with --out"));
            }
            let net = run.network(&compute)?;
            let classes = self.procedure.classes(&data)?;
            let done = run.metrics()?.len();
            progress.note(&format!(
                "tracing {} classes of {} points through {}: {}",
                classes.len(),
                procedure.points,
                run.arch.title(),
                procedure.measure
            ));
            let mut snapshot = Snapshot::take(&net, &data, &classes, done, &procedure, &compute)?;
            snapshot.accuracy = Some(accuracy(&net, &data.test, &compute.device, &mut progress)?);
            let trace = fresh(&run, procedure, &compute, vec![snapshot], run.metrics()?.iter().map(|m| m.seconds).sum());
            let out = self.out.clone().unwrap_or_else(|| run.folder.clone());
            create_folder(&out)?;
            write_json(&out.join("trace.json"), &trace)?;
            save_report(&trace, &project(&net, &data.train, SHOWN, seed, &compute)?, &out)?;
            trace
        };
        drop(progress);
        if self.json {
            return print_json(&trace);
        }
        print(&format!("{}\n{}\n{}", table(&trace).markdown(), summary(&trace), trivial(&trace)))
    }
}

fn fresh(run: &Run, procedure: Procedure, compute: &Compute, snapshots: Vec<Snapshot>, training_seconds: f64) -> Trace {
    let title = format!("{}, {}, {}", run.arch.title(), run.arch.activation.title(), run.config.data);
    Trace { title, procedure, engine: compute.engine.info(), training_seconds, snapshots }
}

/// Trains a run to its end and traces it after every epoch; goes on with a trace that is there.
pub fn live(run: &Run, data: &DataSet, args: &ProcedureArgs, compute: &Compute, progress: &mut Progress) -> Result<Trace> {
    let procedure = args.procedure(data, run.config.settings.seed)?;
    let classes = args.classes(data)?;
    let path = run.folder.join("trace.json");
    let mut trace = fresh(run, procedure, compute, Vec::new(), 0.0);
    if path.exists() {
        let before: Trace = read_json(&path)?;
        let names: Vec<&String> = classes.iter().map(|&c| &data.classes[usize::from(c)]).collect();
        let same = |s: &Snapshot| s.classes.iter().map(|c| &c.class).eq(names.iter().copied());
        if before.procedure == procedure && before.snapshots.iter().all(same) {
            trace.snapshots = before.snapshots;
            trace.training_seconds = before.training_seconds;
        } else if before.snapshots.len() > 1 {
            return Err(Error::file(&path, "was made by another procedure: go on with the same options, or move it away"));
        }
    }
    let net = run.train_observed(None, None, data, compute, progress, &mut |record, net| {
        let mut snapshot = Snapshot::take(net, data, &classes, record.epoch, &procedure, compute)?;
        snapshot.accuracy = record.test_accuracy;
        trace.snapshots.retain(|s| s.epoch < record.epoch);
        trace.snapshots.push(snapshot);
        trace.training_seconds += record.seconds;
        write_json(&path, &trace)
    })?;
    if trace.snapshots.is_empty() {
        let done = run.metrics()?.len();
        trace.snapshots.push(Snapshot::take(&net, data, &classes, done, &procedure, compute)?);
        write_json(&path, &trace)?;
    }
    save_report(&trace, &project(&net, &data.train, SHOWN, procedure.seed, compute)?, &run.folder)?;
    progress.note(&summary(&trace));
    Ok(trace)
}

fn summary(trace: &Trace) -> String {
    let of = if trace.snapshots.len() == 1 { "snapshot" } else { "snapshots" };
    format!("{} {of} in {:.2} s", trace.snapshots.len(), trace.seconds())
}

/// A word for whoever sees nothing but ones and zeros.
fn trivial(trace: &Trace) -> String {
    if !trace.is_trivial() {
        return String::new();
    }
    let other = match trace.procedure.measure {
        Measure::Hops { .. } => "Euclidean distances (--scale 1) may show more",
        Measure::Euclidean { .. } => "a smaller or larger --scale, or steps between neighbours (--k 14), may show more",
    };
    format!("Every class is one piece without holes at every layer: this measure sees nothing here; {other}.\n")
}

/// The last snapshot, a row per class.
fn table(trace: &Trace) -> Table {
    let mut table = Table::new(&["Betti numbers after layer"]);
    let Some(last) = trace.snapshots.last() else { return table };
    table.header.extend(trace.names().0.iter().map(|l| l.trim_start_matches("layer ").to_string()));
    table.header.extend(["sum over layers".to_string(), "same from layer".to_string()]);
    for class in &last.classes {
        let shown = |betti: &[usize]| betti.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let cells = class.layers.iter().map(|l| shown(&l.betti));
        table.row(std::iter::once(class.class.clone()).chain(cells).chain([shown(&class.area()), class.settles().to_string()]));
    }
    table
}
