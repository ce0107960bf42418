//! The whole benchmark set with all peers: ours, the original Ripser (the crate that compiles its
//! C++), and the Python packages.
//!
//! `cargo bench --bench suite -- [--peers PYTHON benches/peers.py] [--clouds-dir FOLDER] [--only
//! TEXT] [--dim D] [--runs N] [--patience SECONDS] [--no-gpu] --out FOLDER`; `python3
//! benches/peers.py --setup FOLDER` makes the Python. Results: `suite.json` and `suite.md` in the
//! folder.

#![allow(clippy::print_stdout, reason = "a bench has no other way to tell what it found")]

use lacuna::bench::{Case, Kind, Measured, Request, Runner, Suite, all_cases, measure_ours, serve};
use lacuna::progress::Watch;
use lacuna::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let after = |name: &str| arguments.iter().position(|a| a == name).map(|at| &arguments[at + 1..]);
    if let Some([request, ..]) = after("--child") {
        let measure = |r: &Request| if r.engine == "ripser" { with_ripser(r) } else { measure_ours(r) };
        println!("{}", serve(request, measure)?);
        return Ok(());
    }
    let own = std::env::current_exe().map_err(Error::io("the program itself", "find"))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runners = Runner::ours(&own, &["--child"], threads, !arguments.iter().any(|a| a == "--no-gpu"));
    runners.push(Runner {
        name: "Ripser, 1 thread".into(),
        ours: false,
        program: own,
        arguments: vec!["--child".into()],
        engine: "ripser".into(),
        threads: 1,
        max_dim: 3,
    });
    if let Some([python, script, ..]) = after("--peers") {
        runners.extend(Runner::python(Path::new(python), Path::new(script), threads)?);
    }
    let first = |name: &str| after(name).and_then(|rest| rest.first());
    let runs = first("--runs").and_then(|n| n.parse().ok()).unwrap_or(5);
    let patience = first("--patience").and_then(|n| n.parse().ok()).unwrap_or(120);
    let suite = Suite { runners, runs, patience: Duration::from_secs(patience) };
    let folder = first("--clouds-dir").map(PathBuf::from);
    let only = first("--only").cloned().unwrap_or_default();
    let dim: Option<usize> = first("--dim").and_then(|d| d.parse().ok());
    let wanted = |c: &Case| c.name.contains(&only) && dim.is_none_or(|d| c.max_dim == d);
    let cases: Vec<_> = all_cases(folder.as_deref(), 0)?.into_iter().filter(wanted).collect();
    let name = dim.map_or("suite".into(), |d| format!("suite-dim{d}"));
    let out = first("--out").map_or_else(|| PathBuf::from("benches/results/latest"), PathBuf::from);
    suite.run(&cases, Some(&out), &name, &mut Lines)?;
    Ok(())
}

/// Every note a line.
struct Lines;

impl Watch for Lines {
    fn at(&mut self, _what: &str, _done: u64, _total: u64) {}
    fn note(&mut self, line: &str) {
        println!("{line}");
    }
}

/// The original Ripser: lower triangles of float32 distances, computed inside the timing.
fn with_ripser(request: &Request) -> Result<Measured> {
    let numbers = request.numbers()?;
    let (n, per_cloud) = match request.kind {
        Kind::Batch => (request.shape[1], request.shape[1] * request.shape[2]),
        _ => (request.shape[0], numbers.len()),
    };
    request.time(|| {
        let mut bars = vec![0; request.max_dim + 1];
        for cloud in numbers.chunks(per_cloud) {
            let row = |i: usize| &cloud[i * per_cloud / n..(i + 1) * per_cloud / n];
            let lower: Vec<f32> = (1..n)
                .flat_map(|i| (0..i).map(move |j| (i, j)))
                .map(|(i, j)| match request.kind {
                    Kind::Distances => row(i)[j],
                    _ => row(i).iter().zip(row(j)).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt(),
                })
                .collect();
            for bar in ripser::ripser(&lower, n, request.max_dim as i32, request.threshold) {
                bars[bar.dim as usize] += usize::from(bar.death > bar.birth && bar.death < f32::INFINITY);
            }
        }
        Ok(bars)
    })
}
