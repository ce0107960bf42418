//! `lacuna betti`

use super::engine::EngineArgs;
use super::input::InputArgs;
use super::list::Numbers;
use super::progress::Progress;
use super::{print, print_json};
use clap::Args;
use lacuna::report::{Lines, Panels, Picture, check_plot_name};
use lacuna::topology::Barcode;
use lacuna::{Error, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  lacuna betti points.npy --scale 0.1..0.9")]
pub struct Betti {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// Betti numbers of the complex of all simplices of this diameter or less; for several, as
    /// 0.1,0.5 or 0.1..0.9, a table [default: the whole curve]
    #[arg(long, value_name = "NUMBERS")]
    scale: Option<Numbers>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Draw the Betti curves into a .svg or .png file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// A line of Betti numbers for each scale.
fn several(scales: &[f64], barcode: &Barcode, json: bool) -> Result<()> {
    if let Some(bad) = scales.iter().find(|s| **s < 0.0) {
        return Err(Error::input(format!("the scale {bad} must be 0 or more")));
    }
    let rows = scales.iter().map(|&scale| (scale, barcode.betti_numbers(scale as f32)));
    if json {
        let rows: Vec<_> = rows.map(|(scale, betti)| serde_json::json!({"scale": scale, "betti": betti})).collect();
        return print_json(&serde_json::json!({"n": barcode.n, "metric": barcode.metric, "scales": rows}));
    }
    let names: Vec<String> = (0..=barcode.max_dim()).map(|d| format!("betti{d}")).collect();
    let mut out = format!("scale,{}\n", names.join(","));
    for (scale, betti) in rows {
        out += &format!("{scale},{}\n", betti.iter().map(usize::to_string).collect::<Vec<_>>().join(","));
    }
    print(&out)
}

impl Betti {
    pub fn run(&self, quiet: bool) -> Result<()> {
        if let Some(path) = &self.plot {
            check_plot_name(path)?;
            self.input.refuse_as_output(Some(path))?;
        }
        let options = self.input.options()?;
        if self.scale.is_some() && self.plot.is_some() {
            return Err(Error::input("--plot draws the whole curve: drop --scale"));
        }
        let cloud = self.input.cloud(quiet)?;
        let engine = self.engine.engine(quiet)?;
        if let Some(scale) = self.scale.as_ref().and_then(|s| if let [one] = s.0[..] { Some(one as f32) } else { None }) {
            let numbers = engine.betti_numbers(&cloud, scale, &options, &mut Progress::new(quiet))?.remove(0);
            if self.json {
                let n = options.max_points.map_or(cloud.len(), |most| most.min(cloud.len()));
                return print_json(
                    &serde_json::json!({"n": n, "metric": cloud.metric(options.metric), "scale": scale, "betti": numbers}),
                );
            }
            let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
            return print(&(words.join(" ") + "\n"));
        }
        let barcode = engine.answer(&cloud, &options, &mut Progress::new(quiet))?.barcode;
        if let Some(Numbers(scales)) = &self.scale {
            if let Some(most) = options.threshold
                && let Some(bad) = scales.iter().find(|s| **s as f32 > most)
            {
                return Err(Error::input(format!("the scale {bad} is above the threshold {most}")));
            }
            return several(scales, &barcode, self.json);
        }
        let curves: BTreeMap<String, _> = (0..=barcode.max_dim()).map(|d| (d.to_string(), barcode.betti_curve(d))).collect();
        if let Some(path) = &self.plot {
            // All panels over the same scales, from 0 to where nothing changes any more.
            let last = curves.values().flat_map(|c| &c.scales).fold(0.0f32, |m, &s| m.max(s));
            let steps = |c: &lacuna::topology::BettiCurve| {
                let mut points = vec![(0.0, 0.0)];
                let mut level = 0.0;
                for (&s, &v) in c.scales.iter().zip(&c.values) {
                    points.push((f64::from(s), level));
                    level = v as f64;
                    points.push((f64::from(s), level));
                }
                points.push((f64::from(last), level));
                points
            };
            // A panel for each dimension: beside hundreds of components the loops would be a flat
            // line.
            let panel = |(d, c): (&String, &lacuna::topology::BettiCurve)| Lines {
                title: format!("Betti curve of {}, dimension {d}", self.input.name()),
                x: "scale".into(),
                y: "Betti number".into(),
                series: vec![(format!("H{d}"), steps(c))],
            };
            Panels(curves.iter().map(panel).collect()).save(path)?;
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
