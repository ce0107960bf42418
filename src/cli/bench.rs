//! `lacuna bench`

use super::engine::EngineArgs;
use super::progress::Progress;
use super::{print, print_json};
use clap::Args;
use lacuna::bench::{Case, Runner, Suite, all_cases, measure_ours, plot_scaling, scaling_cases, serve};
use lacuna::progress::Unwatched;
use lacuna::report::Table;
use lacuna::topology::{Cloud, Engine, Options, PointCloud};
use lacuna::{Error, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  lacuna bench --engine gpu --profile")]
pub struct Bench {
    /// Clouds in the batch
    #[arg(long, default_value_t = 256)]
    clouds: usize,
    /// Points per cloud
    #[arg(long, default_value_t = 128)]
    points: usize,
    /// Coordinates per point
    #[arg(long, default_value_t = 8)]
    features: usize,
    /// Runs; the median counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print the GPU's time per stage on stderr
    #[arg(long)]
    profile: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// The whole benchmark set, every engine and case in a process of its own
    #[arg(long)]
    suite: bool,
    /// Time and memory against the number of points and of clouds, with plots
    #[arg(long)]
    scaling: bool,
    /// Python with the peers of benches/peers.py, which is the file given [suite: none]
    #[arg(long, num_args = 2, value_names = ["PYTHON", "PEERS.PY"])]
    peers: Option<Vec<PathBuf>>,
    /// Folder with the clouds of the set that are too large to be bundled
    #[arg(long, value_name = "FOLDER")]
    clouds_dir: Option<PathBuf>,
    /// Only cases whose names hold this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Seconds that one engine may take for one case of the suite
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// Leave the GPU engine out of the suite
    #[arg(long)]
    no_gpu: bool,
    /// Folder for the suite's results
    #[arg(long, short)]
    out: Option<PathBuf>,
    /// Measures one request: what the suite calls
    #[arg(long, hide = true)]
    child: Option<String>,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(serde::Serialize)]
struct Row {
    engine: String,
    adapter: String,
    median_seconds: f64,
    fastest_seconds: f64,
    bars: usize,
}

impl Bench {
    pub fn run(&self, quiet: bool) -> Result<()> {
        if let Some(request) = &self.child {
            return print(&(serve(request, measure_ours)? + "\n"));
        }
        if self.runs == 0 {
            return Err(Error::input("at least one run is needed"));
        }
        if self.suite || self.scaling {
            return self.run_suite(quiet);
        }
        if self.clouds == 0 {
            return Err(Error::input("at least one cloud is needed"));
        }
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut cloud = || {
            let data = (0..self.points * self.features).map(|_| rng.random::<f32>()).collect();
            PointCloud::new(self.points, self.features, data).map(Cloud::from)
        };
        let clouds = (0..self.clouds).map(|_| cloud()).collect::<Result<Vec<_>>>()?;
        let asked = self.engine.engine(quiet)?;
        // The native engine always runs: a time alone says little.
        let mut engines = vec![Engine::cpu()];
        if asked.gpu().is_some() {
            engines.push(asked);
        }
        let options = Options::default().profile(self.profile);
        let mut rows = Vec::new();
        for engine in &engines {
            let mut times = Vec::new();
            let mut bars = 0;
            // The first run builds pipelines and warms caches.
            for run in 0..=self.runs {
                let start = Instant::now();
                let mut barcodes = Vec::with_capacity(clouds.len());
                let seconds = engine.each(&clouds, &options, &mut Unwatched, &mut |_, barcode| barcodes.push(barcode))?;
                if self.profile && run == 1 && engine.gpu().is_some() {
                    super::print_stages(&seconds);
                }
                if run > 0 {
                    times.push(start.elapsed().as_secs_f64());
                }
                bars = barcodes.iter().flat_map(|b| &b.bars).map(Vec::len).sum();
            }
            times.sort_by(f64::total_cmp);
            let info = engine.info();
            rows.push(Row {
                engine: info.kind,
                adapter: info.adapter,
                median_seconds: times[times.len() / 2],
                fastest_seconds: times[0],
                bars,
            });
        }
        if self.json {
            let batch = [self.clouds, self.points, self.features];
            return print_json(
                &serde_json::json!({"clouds_points_features": batch, "max_dim": 1, "seed": self.seed, "rows": rows}),
            );
        }
        let mut table = Table::new(&["engine", "adapter", "median s", "fastest s", "clouds/s", "bars"]);
        for r in rows {
            table.row([
                r.engine,
                r.adapter,
                format!("{:.4}", r.median_seconds),
                format!("{:.4}", r.fastest_seconds),
                format!("{:.0}", self.clouds as f64 / r.median_seconds),
                r.bars.to_string(),
            ]);
        }
        let what = format!("{} clouds of {} points in R^{}, dimensions 0 and 1", self.clouds, self.points, self.features);
        print(&format!("{what}\n\n{}", table.markdown()))
    }

    fn run_suite(&self, quiet: bool) -> Result<()> {
        let program = std::env::current_exe().map_err(Error::io("the program itself", "find"))?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut runners = Runner::ours(&program, &["bench", "--child"], threads, !self.no_gpu);
        if let Some([python, script]) = self.peers.as_deref() {
            runners.extend(Runner::python(python, script, threads)?);
        }
        let suite = Suite { runners, runs: self.runs, patience: Duration::from_secs(self.patience) };
        let cases =
            if self.scaling { scaling_cases(self.seed, 10_000) } else { all_cases(self.clouds_dir.as_deref(), self.seed)? };
        let wanted = |c: &Case| self.only.as_ref().is_none_or(|only| c.name.contains(only.as_str()));
        let cases: Vec<Case> = cases.into_iter().filter(wanted).collect();
        let name = if self.scaling { "scaling" } else { "suite" };
        let rows = suite.run(&cases, self.out.as_deref(), name, &mut Progress::new(quiet))?;
        match &self.out {
            Some(out) if self.scaling => plot_scaling(&rows, out),
            Some(_) => Ok(()),
            None => print_json(&rows),
        }
    }
}
