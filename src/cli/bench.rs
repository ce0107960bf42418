//! `lacuna bench`

use super::engine::EngineArgs;
use super::{print, print_json};
use clap::Args;
use lacuna::report::Table;
use lacuna::topology::{Cloud, Engine, Options, PointCloud};
use lacuna::{Error, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Instant;

#[derive(Clone, Debug, Args)]
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
        if self.clouds == 0 || self.runs == 0 {
            return Err(Error::input("at least one cloud and one run are needed"));
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
        let options = Options { profile: self.profile, ..Options::default() };
        let mut rows = Vec::new();
        for engine in &engines {
            let mut times = Vec::new();
            let mut bars = 0;
            // The first run builds pipelines and warms caches.
            for run in 0..=self.runs {
                let start = Instant::now();
                let (barcodes, seconds) = engine.timed(&clouds, &options)?;
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
}
