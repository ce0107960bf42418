//! The command line: each subcommand parses, calls the library, and prints. No logic.

#[cfg(feature = "nn")]
mod activations;
mod barcode;
mod bench;
mod betti;
mod choice;
#[cfg(feature = "nn")]
mod compare;
#[cfg(feature = "nn")]
mod cost;
mod data;
#[cfg(feature = "nn")]
mod demo;
mod devices;
mod engine;
#[cfg(feature = "nn")]
mod evaluate;
#[cfg(feature = "nn")]
mod experiment;
#[cfg(feature = "nn")]
mod export;
#[cfg(feature = "nn")]
mod import;
mod input;
mod list;
#[cfg(feature = "nn")]
mod predict;
mod progress;
#[cfg(feature = "nn")]
mod prune;
#[cfg(feature = "nn")]
mod runs;
#[cfg(feature = "nn")]
mod serve;
#[cfg(feature = "nn")]
mod trace;
#[cfg(feature = "nn")]
mod train;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use lacuna::{Error, Result};
use std::error::Error as _;
use std::io::Write;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};
use std::process::ExitCode;

/// Sees the holes in what a neural network knows, and prunes the network by them.
#[derive(Debug, Parser)]
#[command(name = "lacuna", version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Say nothing on stderr but errors
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Threads of the native engine and of training on the CPU [default: RAYON_NUM_THREADS, or one
    /// for each core]
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole story on bundled data: activations, Betti numbers, pruning; ends with a page to
    /// look at
    #[cfg(feature = "nn")]
    Demo(demo::Demo),
    /// The adapters of this machine, and which engine `auto` takes
    Devices(devices::Devices),
    /// Persistent homology of a file of points, distances or edges
    Barcode(barcode::BarcodeCommand),
    /// Betti numbers of a file at a scale, or its Betti curves
    Betti(betti::Betti),
    /// Point sets whose Betti numbers are known
    Data(data::Data),
    /// Train a network into a run folder
    #[cfg(feature = "nn")]
    Train(train::Train),
    /// Betti numbers of every layer of a trained run, per class, with pictures
    #[cfg(feature = "nn")]
    Trace(trace::TraceCommand),
    /// The runs in a folder, compared
    #[cfg(feature = "nn")]
    Runs(runs::Runs),
    /// Accuracy of a trained run, class by class, and how far its certainty can be trusted
    #[cfg(feature = "nn")]
    Evaluate(evaluate::Evaluate),
    /// A trained run as a file that other programs run (ONNX)
    #[cfg(feature = "nn")]
    Export(export::Export),
    /// What a trained run takes images or rows of a table for
    #[cfg(feature = "nn")]
    Predict(predict::Predict),
    /// The activation functions: formulas, gains, and what mean-field theory says of them
    #[cfg(feature = "nn")]
    Activations(activations::Activations),
    /// Weights from PyTorch as a run that can be traced, pruned and trained on
    #[cfg(feature = "nn")]
    Import(import::Import),
    /// Parameters and multiply-accumulates of a network
    #[cfg(feature = "nn")]
    Cost(cost::Cost),
    /// Remove filters of a trained run into a new run folder
    #[cfg(feature = "nn")]
    Prune(prune::Prune),
    /// Prune a run by several criteria and shares, and compare
    #[cfg(feature = "nn")]
    Compare(compare::CompareCommand),
    /// Run an experiment: raw results, tables and plots, resumable
    #[cfg(feature = "nn")]
    Experiment(experiment::Experiment),
    /// Time this machine's engines side by side
    Bench(bench::Bench),
    /// The file that lets a shell complete this program's commands and options, as `lacuna
    /// completions bash > FILE`
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// The manual page, as `lacuna man | man -l -`
    Man {
        /// Of this command [default: of the program]
        command: Option<String>,
    },
}

/// What is wrong with the value of an option, in one line as every other mistake, if that is it.
fn bad_value(e: &clap::Error) -> Option<String> {
    let option = e.get(ContextKind::InvalidArg)?;
    match (e.kind(), e.get(ContextKind::InvalidValue), e.get(ContextKind::ValidValue), e.source()) {
        (ErrorKind::ValueValidation, Some(ContextValue::String(given)), _, Some(why)) => {
            Some(format!("{option}: {}", not_a_number(given, why).unwrap_or_else(|| why.to_string())))
        }
        (ErrorKind::InvalidValue, Some(ContextValue::String(given)), Some(ContextValue::Strings(known)), _) => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            (!given.is_empty()).then(|| format!("{option}: {}", Error::unknown("value", given, &known)))
        }
        _ => None,
    }
}

/// What the standard library says of a value that is no number, in words that name the value.
fn not_a_number(given: &str, why: &(dyn std::error::Error + 'static)) -> Option<String> {
    match why.downcast_ref::<ParseIntError>().map(ParseIntError::kind) {
        Some(IntErrorKind::PosOverflow) => Some(format!("'{given}' is too large")),
        Some(_) => Some(format!("'{given}' is not a whole number of 0 or more")),
        None => why.is::<ParseFloatError>().then(|| format!("'{given}' is not a number")),
    }
}

/// What a program that was built without networks says of a command that needs them.
fn without_networks(e: &clap::Error) -> Option<String> {
    const COMMANDS: [&str; 13] = [
        "activations",
        "compare",
        "cost",
        "demo",
        "evaluate",
        "experiment",
        "export",
        "import",
        "predict",
        "prune",
        "runs",
        "trace",
        "train",
    ];
    match (e.kind(), e.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(name))) if COMMANDS.contains(&name.as_str()) => Some(format!(
            "this program was built with the engine alone, and `{name}` needs networks: build it with the feature nn, or install \
             the Python package lacuna-full"
        )),
        _ => None,
    }
}

/// The command with negative numbers as values of its options.
///
/// Without this a negative number is taken for an option, and the error does not name the option
/// whose value it was.
fn with_negatives(command: clap::Command) -> clap::Command {
    command
        .mut_args(|a| if a.get_action().takes_values() { a.allow_negative_numbers(true) } else { a })
        .mut_subcommands(with_negatives)
}

/// Parses, runs, and turns an error into one line and an exit code.
pub fn main() -> ExitCode {
    let parsed = with_negatives(Arguments::command()).try_get_matches().and_then(|found| {
        let name = found.subcommand_name().map(String::from);
        Ok((Arguments::from_arg_matches(&found)?, name.unwrap_or_default()))
    });
    let (arguments, name) = match parsed {
        Ok(parsed) => parsed,
        Err(e) => match bad_value(&e).or_else(|| without_networks(&e)) {
            Some(line) => {
                say(&format!("lacuna: {line}"));
                return ExitCode::from(2);
            }
            None => e.exit(),
        },
    };
    let quiet = arguments.quiet;
    let done = threads(arguments.threads, quiet).and_then(|()| run(arguments.command, quiet));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            say(&format!("lacuna: {e}{}", advice(&e, &name)));
            ExitCode::from(e.exit_code())
        }
    }
}

/// The same error, which says how to go on where training was stopped and saved.
#[cfg(feature = "nn")]
fn resumable(e: Error) -> Error {
    match e {
        stopped @ Error::Interrupted(_) => stopped.settings(&["resume"]),
        other => other,
    }
}

/// Which options of a command help against an error of the library, which knows none of them.
fn advice(e: &Error, command: &str) -> String {
    match e {
        Error::TooManyPoints { most, on_device: false, .. } => format!("; --max-points {most} takes a sample of them"),
        Error::TooManyPoints { most, .. } => {
            format!("; --max-points {most} takes a sample of them, and --engine cpu needs no adapter")
        }
        Error::NoAdapter(_) | Error::Device(_) => "; --engine cpu needs no adapter".into(),
        Error::Settings { error, settings } => {
            let all = Arguments::command();
            let known = |setting: &&&str| {
                let option = setting.split(' ').next();
                all.find_subcommand(command).is_some_and(|c| c.get_arguments().any(|a| a.get_long() == option))
            };
            let options: Vec<String> = settings.iter().filter(known).map(|s| format!("--{s}")).collect();
            let see = if options.is_empty() { String::new() } else { format!(" (see {})", options.join(", ")) };
            advice(error, command) + &see
        }
        _ => String::new(),
    }
}

/// Threads for each core, at most: more of them only take memory and time from each other.
const THREADS_PER_CORE: usize = 4;

/// Starts the threads of this process.
fn threads(asked: Option<usize>, quiet: bool) -> Result<()> {
    if asked == Some(0) {
        return Err(Error::input("--threads must be at least 1"));
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let environment = || std::env::var("RAYON_NUM_THREADS").ok()?.trim().parse::<usize>().ok().filter(|&n| n > 0);
    let Some(wanted) = asked.or_else(environment) else { return Ok(()) };
    let most = THREADS_PER_CORE * cores;
    if wanted > most && !quiet {
        say(&format!("note: {wanted} threads were asked for; {most} are used, {THREADS_PER_CORE} for each of {cores} cores"));
    }
    let built = rayon::ThreadPoolBuilder::new().num_threads(wanted.min(most)).build_global();
    built.map_err(|e| Error::Internal(format!("threads: {e}")))
}

fn run(command: Command, quiet: bool) -> Result<()> {
    match command {
        #[cfg(feature = "nn")]
        Command::Demo(c) => c.run(quiet),
        Command::Devices(c) => c.run(),
        Command::Barcode(c) => c.run(quiet),
        Command::Betti(c) => c.run(quiet),
        Command::Data(c) => c.run(),
        #[cfg(feature = "nn")]
        Command::Train(c) => c.run(quiet),
        #[cfg(feature = "nn")]
        Command::Trace(c) => c.run(quiet),
        #[cfg(feature = "nn")]
        Command::Evaluate(c) => c.run(quiet),
        #[cfg(feature = "nn")]
        Command::Runs(c) => c.run(),
        #[cfg(feature = "nn")]
        Command::Export(c) => c.run(),
        #[cfg(feature = "nn")]
        Command::Predict(c) => c.run(quiet),
        #[cfg(feature = "nn")]
        Command::Activations(c) => c.run(),
        #[cfg(feature = "nn")]
        Command::Import(c) => c.run(quiet),
        #[cfg(feature = "nn")]
        Command::Cost(c) => c.run(),
        #[cfg(feature = "nn")]
        Command::Prune(c) => c.run(quiet),
        #[cfg(feature = "nn")]
        Command::Compare(c) => c.run(quiet),
        #[cfg(feature = "nn")]
        Command::Experiment(c) => c.run(quiet),
        Command::Bench(c) => c.run(quiet),
        Command::Completions { shell } => {
            let mut file = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "lacuna", &mut file);
            print(&String::from_utf8_lossy(&file))
        }
        Command::Man { command } => {
            let mut all = Arguments::command();
            all.build();
            let page = match &command {
                None => all,
                Some(name) => all.find_subcommand(name).cloned().ok_or_else(|| {
                    let known: Vec<&str> = all.get_subcommands().map(clap::Command::get_name).collect();
                    Error::unknown("command", name, &known)
                })?,
            };
            let mut text = Vec::new();
            clap_mangen::Man::new(page).render(&mut text).map_err(|e| Error::Internal(e.to_string()))?;
            print(&String::from_utf8_lossy(&text))
        }
    }
}

/// Prints a result on stdout. A reader that has gone away (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io("stdout", "write")(e)),
        _ => Ok(()),
    }
}

/// Prints a line on stderr. Nobody may be listening any more; the work goes on. Control characters,
/// which a file that is quoted may hold, are written out, so that they cannot colour the terminal
/// or move its cursor.
fn say(line: &str) {
    let plain = |c: char| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.to_string() };
    let _ = writeln!(std::io::stderr().lock(), "{}", line.chars().map(plain).collect::<String>());
}

/// Prints a value as indented JSON.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::Internal(e.to_string()))?;
    print(&(text + "\n"))
}

/// A time between two, in words.
fn duration(least: f64, most: f64) -> String {
    let (unit, by) = match most {
        m if m < 1.0 => return "less than a second".into(),
        m if m < 120.0 => ("seconds", 1.0),
        m if m < 7200.0 => ("minutes", 60.0),
        m if m < 172_800.0 => ("hours", 3600.0),
        _ => ("days", 86_400.0),
    };
    let short = |x: f64| if x < 10.0 { format!("{x:.1}") } else { format!("{x:.0}") };
    format!("{} to {} {unit}", short(least / by), short(most / by))
}

/// Prints the time of each stage on stderr.
fn print_stages(seconds: &[(String, f64)]) {
    for (stage, seconds) in seconds {
        say(&format!("{stage:<20} {:>10.3} ms", 1e3 * seconds));
    }
}
