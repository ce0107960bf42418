//! Cases against engines, each pair in a process of its own.

use super::cases::Case;
use super::child::{Measured, Request};
use super::machine::Machine;
use crate::data::files;
use crate::error::{Error, Result};
use crate::gpu::adapters;
use crate::progress::Watch;
use crate::report::{Lines, Picture, Table};
use serde::Serialize;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An engine that runs as a child process: the program is called with `arguments` and then the
/// request.
#[derive(Clone, Debug)]
pub struct Runner {
    /// Name in the tables.
    pub name: String,
    /// Whether it is one of ours.
    pub ours: bool,
    /// The program.
    pub program: PathBuf,
    /// What comes before the request.
    pub arguments: Vec<String>,
    /// The engine in the program's words.
    pub engine: String,
    /// Threads it gets.
    pub threads: usize,
    /// Highest dimension that it is worth waiting for.
    pub max_dim: usize,
}

impl Runner {
    /// Our engines: the native one on one thread and on all, and the GPU engine.
    pub fn ours(program: &Path, arguments: &[&str], threads: usize, gpu: bool) -> Vec<Self> {
        let one = |name: String, engine: &str, threads: usize, max_dim: usize| Self {
            name,
            ours: true,
            program: program.into(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            engine: engine.into(),
            threads,
            max_dim,
        };
        let mut all = vec![one("lacuna cpu, 1 thread".into(), "cpu", 1, 3)];
        if threads > 1 {
            all.push(one(format!("lacuna cpu, {threads} threads"), "cpu", threads, 3));
        }
        if gpu && !adapters().is_empty() {
            all.push(one("lacuna gpu".into(), "gpu", threads, 2));
        }
        all
    }

    /// The packages that this Python has, by `benches/peers.py`; each on one thread, and on all
    /// where it can.
    ///
    /// # Errors
    /// [`Error::Input`] when the script does not answer.
    pub fn python(python: &Path, script: &Path, threads: usize) -> Result<Vec<Self>> {
        let answer = Command::new(python).arg(script).arg("--list").output().map_err(Error::io(python, "start"))?;
        if !answer.status.success() {
            return Err(Error::input(format!("{} --list fails: {}", script.display(), String::from_utf8_lossy(&answer.stderr))));
        }
        let mut all = Vec::new();
        for engine in String::from_utf8_lossy(&answer.stdout).lines() {
            let mut threads_of = vec![1];
            if threads > 1 && !matches!(engine, "ripser.py" | "ripser++") {
                threads_of.push(threads);
            }
            for threads in threads_of {
                let plural = if threads == 1 { "" } else { "s" };
                all.push(Self {
                    name: format!("{engine}, {threads} thread{plural}"),
                    ours: false,
                    program: python.into(),
                    arguments: vec![script.to_string_lossy().into_owned()],
                    engine: engine.into(),
                    threads,
                    max_dim: 3,
                });
            }
        }
        Ok(all)
    }
}

/// One engine on one case.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Name of the input.
    pub case: String,
    /// Points of a cloud.
    pub points: usize,
    /// Clouds.
    pub clouds: usize,
    /// Highest dimension.
    pub max_dim: usize,
    /// Engine and threads.
    pub engine: String,
    /// Threads.
    pub threads: usize,
    /// Whether it is one of ours.
    pub ours: bool,
    /// Median of the runs.
    pub median_seconds: Option<f64>,
    /// What was measured.
    pub measured: Measured,
    /// Why there is nothing.
    pub failed: Option<String>,
}

/// Cases, engines, and the patience to wait for them.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The engines.
    pub runners: Vec<Runner>,
    /// Runs of each.
    pub runs: usize,
    /// No engine gets more seconds for one case.
    pub patience: Duration,
}

/// A suite's outcome as it is written.
#[derive(Serialize)]
struct Results<'a> {
    machine: &'a Machine,
    command: String,
    runs: usize,
    rows: &'a [Row],
}

impl Suite {
    /// Runs all, and writes JSON and Markdown into `out` after every case.
    ///
    /// # Errors
    /// [`Error::Io`] when results cannot be written, [`Error::Interrupted`] when stopped; what was
    /// measured is in the folder.
    pub fn run(&self, cases: &[Case], out: Option<&Path>, name: &str, watch: &mut dyn Watch) -> Result<Vec<Row>> {
        let machine = Machine::this();
        let folder = tempfile::tempdir().map_err(Error::io(std::env::temp_dir(), "create a folder in"))?;
        let mut rows: Vec<Row> = Vec::new();
        for (done, case) in cases.iter().enumerate() {
            let file = folder.path().join(format!("{done}.f32"));
            std::fs::write(&file, bytemuck::cast_slice::<f32, u8>(&case.data)).map_err(Error::io(&file, "write"))?;
            for runner in self.runners.iter().filter(|r| case.max_dim <= r.max_dim) {
                if watch.stopped() {
                    return Err(Error::Interrupted(format!("stopped after {done} of {} cases", cases.len())));
                }
                watch.at(&format!("{} H{}", case.name, case.max_dim), done as u64, cases.len() as u64);
                let row = self.one(case, &file, runner);
                watch.note(&row.line());
                rows.push(row);
            }
            let _ = std::fs::remove_file(&file);
            if let Some(out) = out {
                std::fs::create_dir_all(out).map_err(Error::io(out, "create"))?;
                let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
                let results = Results { machine: &machine, command, runs: self.runs, rows: &rows };
                files::write_json(&out.join(format!("{name}.json")), &results)?;
                files::write_text(&out.join(format!("{name}.md")), &markdown(&machine, &rows))?;
            }
        }
        Ok(rows)
    }

    fn one(&self, case: &Case, file: &Path, runner: &Runner) -> Row {
        let request = Request {
            engine: runner.engine.clone(),
            file: file.into(),
            kind: case.kind,
            shape: case.shape.clone(),
            max_dim: case.max_dim,
            threshold: case.threshold,
            threads: runner.threads,
            runs: self.runs,
            seconds_at_most: self.patience.as_secs_f64() / 4.0,
        };
        let (measured, failed) = match self.ask(runner, &request) {
            Ok(measured) => (measured, None),
            Err(why) => (Measured::default(), Some(why)),
        };
        let mut seconds = measured.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let batch = case.shape.len() == 3;
        Row {
            case: case.name.clone(),
            points: case.shape[usize::from(batch)],
            clouds: if batch { case.shape[0] } else { 1 },
            max_dim: case.max_dim,
            engine: runner.name.clone(),
            threads: runner.threads,
            ours: runner.ours,
            median_seconds: seconds.get(seconds.len() / 2).copied(),
            measured,
            failed,
        }
    }

    /// Starts the child and waits for its line.
    fn ask(&self, runner: &Runner, request: &Request) -> std::result::Result<Measured, String> {
        let request = serde_json::to_string(request).map_err(|e| e.to_string())?;
        let threads = runner.threads.to_string();
        // A file, for a pipe that nobody empties stops a child that complains at length.
        let mut complaints = tempfile::tempfile().map_err(|e| e.to_string())?;
        let mut child = Command::new(&runner.program)
            .args(&runner.arguments)
            .arg(request)
            .env("RAYON_NUM_THREADS", &threads)
            .env("OMP_NUM_THREADS", &threads)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(complaints.try_clone().map_err(|e| e.to_string())?)
            .spawn()
            .map_err(|e| format!("cannot start: {e}"))?;
        let start = Instant::now();
        let status = loop {
            match child.try_wait().map_err(|e| e.to_string())? {
                Some(status) => break status,
                None if start.elapsed() > self.patience => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("more than {} s", self.patience.as_secs()));
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let (mut line, mut complaint) = (String::new(), String::new());
        let _ = child.stdout.take().map(|mut out| out.read_to_string(&mut line));
        let _ = complaints.rewind().and_then(|()| complaints.read_to_string(&mut complaint));
        if !status.success() {
            return Err(complaint.lines().last().unwrap_or("no answer").to_string());
        }
        serde_json::from_str(line.lines().last().unwrap_or_default()).map_err(|e| format!("no answer: {e}"))
    }
}

impl Row {
    fn line(&self) -> String {
        let what = format!("{:<22} H{} {:<28}", self.case, self.max_dim, self.engine);
        match (&self.failed, self.median_seconds) {
            (Some(why), _) => format!("{what} {why}"),
            (None, s) => format!("{what} {:>9.4} s {:>7} MiB  bars {:?}", s.unwrap_or(0.0), self.mib(), self.measured.bars),
        }
    }

    fn mib(&self) -> String {
        self.measured.peak_bytes.map_or("?".into(), |b| format!("{:.0}", b as f64 / f64::from(1 << 20)))
    }
}

/// Draws time and memory against the number of points and of clouds, on logarithmic axes, into a
/// folder.
///
/// # Errors
/// As for writing a plot.
pub fn plot_scaling(rows: &[Row], out: &Path) -> Result<()> {
    let log = |x: f64| x.max(1e-9).log10();
    type Value = fn(&Row) -> Option<f64>;
    let seconds: Value = |r| r.median_seconds;
    let memory: Value = |r| r.measured.peak_bytes.map(|b| b as f64 / f64::from(1 << 20));
    let size: Value = |r| Some(if r.case.starts_with("uniform") { r.points } else { r.clouds } as f64);
    for (single, what) in [(true, "points"), (false, "clouds of 128 points in R^8")] {
        for (value, unit, name) in [(seconds, "seconds", "time"), (memory, "MiB at the peak", "memory")] {
            let mut series: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
            for row in rows.iter().filter(|r| r.case.starts_with("uniform") == single) {
                let Some((x, y)) = size(row).zip(value(row)) else { continue };
                match series.iter_mut().find(|(name, _)| *name == row.engine) {
                    Some((_, points)) => points.push((log(x), log(y))),
                    None => series.push((row.engine.clone(), vec![(log(x), log(y))])),
                }
            }
            let kind = if single { "points" } else { "clouds" };
            let lines = Lines {
                title: format!("{unit} against the number of {what}"),
                x: format!("log10 of the number of {kind}"),
                y: format!("log10 of {unit}"),
                series,
            };
            lines.save(&out.join(format!("{name}-{kind}.svg")))?;
        }
    }
    Ok(())
}

/// The machine, a table with a row per case, and how we compare with the fastest peer.
fn markdown(machine: &Machine, rows: &[Row]) -> String {
    let memory = machine.memory_gib.map_or(String::new(), |m| format!(", {m} GiB"));
    let mut text = format!(
        "{} ({} threads{memory}, {}); {}; lacuna {}\n\nMedian seconds of the call alone (peak MiB of the whole process).\n\n",
        machine.processor,
        machine.threads,
        machine.system,
        machine.adapters.join(", "),
        machine.lacuna
    );
    let mut engines: Vec<&str> = Vec::new();
    rows.iter().for_each(|r| {
        if !engines.contains(&r.engine.as_str()) {
            engines.push(&r.engine);
        }
    });
    let mut cases: Vec<(&str, usize)> = Vec::new();
    rows.iter().for_each(|r| {
        if !cases.contains(&(&r.case, r.max_dim)) {
            cases.push((&r.case, r.max_dim));
        }
    });
    let mut head = vec!["case", "dim"];
    head.extend(&engines);
    head.extend(["best peer / cpu, 1 thread each", "best peer / cpu, all threads"]);
    let mut table = Table::new(&head);
    for (case, dim) in cases {
        let of_case: Vec<&Row> = rows.iter().filter(|r| (r.case.as_str(), r.max_dim) == (case, dim)).collect();
        let mut cells = vec![case.to_string(), format!("0-{dim}")];
        for engine in &engines {
            let row = of_case.iter().find(|r| r.engine == *engine);
            cells.push(match row.map(|r| (r, r.median_seconds)) {
                Some((r, Some(s))) => format!("{s:.4} ({})", r.mib()),
                Some((r, None)) => r.failed.clone().unwrap_or_default(),
                None => String::new(),
            });
        }
        let best = |ours: bool, most: usize| {
            let fits = |r: &&&Row| r.ours == ours && r.threads <= most && !r.engine.contains("gpu");
            of_case.iter().filter(fits).filter_map(|r| r.median_seconds).min_by(f64::total_cmp)
        };
        for most in [1, usize::MAX] {
            cells.push(best(false, most).zip(best(true, most)).map_or(String::new(), |(peer, own)| format!("{:.1}", peer / own)));
        }
        table.row(cells);
    }
    text += &table.markdown();
    text
}
