//! `lacuna betti`

use super::engine::EngineArgs;
use super::input::InputArgs;
use super::{print, print_json};
use clap::Args;
use lacuna::report::{Lines, Picture, check_plot_name};
use lacuna::{Error, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
pub struct Betti {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// Betti numbers of the complex of all simplices of this diameter or less [default: the whole curve]
    #[arg(long, allow_negative_numbers = true)]
    scale: Option<f32>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Draw the Betti curves into a .svg or .png file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

impl Betti {
    pub fn run(&self, quiet: bool) -> Result<()> {
        if let Some(path) = &self.plot {
            check_plot_name(path)?;
            self.input.refuse_as_output(Some(path))?;
        }
        let mut options = self.input.options()?;
        if let Some(scale) = self.scale {
            if scale.is_nan() || scale < 0.0 {
                return Err(Error::input("the scale must be a number, 0 or more"));
            }
            if self.plot.is_some() {
                return Err(Error::input("--plot draws the whole curve: drop --scale"));
            }
            if options.threshold.is_some_and(|t| t < scale) {
                return Err(Error::input("the scale is above the threshold: edges between the two would be missing"));
            }
            // Longer edges say nothing about this scale.
            options.threshold = Some(scale);
        }
        let cloud = self.input.cloud()?;
        let barcode = self.engine.engine(quiet)?.barcode(&cloud, &options)?;
        if let Some(scale) = self.scale {
            let numbers = barcode.betti_numbers(scale);
            if self.json {
                return print_json(
                    &serde_json::json!({"n": barcode.n, "metric": barcode.metric, "scale": scale, "betti": numbers}),
                );
            }
            let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
            return print(&(words.join(" ") + "\n"));
        }
        let curves: BTreeMap<String, _> = (0..=barcode.max_dim()).map(|d| (d.to_string(), barcode.betti_curve(d))).collect();
        if let Some(path) = &self.plot {
            let steps = |c: &lacuna::topology::BettiCurve| {
                let mut points = Vec::new();
                let mut level = 0.0;
                for (&s, &v) in c.scales.iter().zip(&c.values) {
                    points.push((f64::from(s), level));
                    level = v as f64;
                    points.push((f64::from(s), level));
                }
                points
            };
            let series = curves.iter().map(|(d, c)| (format!("H{d}"), steps(c))).collect();
            let title = format!("Betti curves of {}", self.input.name());
            Lines { title, x: "scale".into(), y: "Betti number".into(), series }.save(path)?;
        }
        if self.json {
            return print_json(&serde_json::json!({"n": barcode.n, "metric": barcode.metric, "curves": curves}));
        }
        let mut out = String::from("dimension,scale,betti\n");
        for (d, c) in &curves {
            for (s, v) in c.scales.iter().zip(&c.values) {
                out += &format!("{d},{s},{v}\n");
            }
        }
        print(&out)
    }
}
