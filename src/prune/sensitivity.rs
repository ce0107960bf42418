//! How much each layer alone can lose.

use super::compensate::cut_and_compensate;
use super::plan::Plan;
use super::shrink::score;
use super::surgery::Keep;
use crate::data::DataSet;
use crate::data::files::{create_folder, other_options, read_json, write_json, write_text};
use crate::error::{Error, Result};
use crate::nn::Compute;
use crate::progress::{Unwatched, Watch};
use crate::prune::Rule;
use crate::report::{Lines, Picture, Table};
use crate::train::{Run, accuracy, refuse_run};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Accuracy when one layer alone is cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Name of the layer.
    pub layer: String,
    /// Share of its filters that was asked for.
    pub ratio: f64,
    /// Filters that stayed.
    pub kept: usize,
    /// Share of right answers on the test samples.
    pub accuracy: f64,
}

/// What `sensitivity.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// The plan, whose ratio is replaced by those of the points.
    pub plan: Plan,
    /// Stands for the weights of the network.
    pub weights: String,
    /// Test samples.
    pub samples: usize,
    /// Accuracy of the whole network.
    pub baseline: f64,
    /// Layer by layer, share by share.
    pub points: Vec<Point>,
}

impl Sensitivity {
    /// One row per layer, one column per share.
    pub fn table(&self) -> Table {
        let mut ratios: Vec<f64> = self.points.iter().map(|p| p.ratio).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.dedup();
        let heads: Vec<String> = std::iter::once("layer".to_string()).chain(ratios.iter().map(|r| format!("{r}"))).collect();
        let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
        for layer in self.layers() {
            let of = |r: &f64| {
                let point = self.points.iter().find(|p| p.layer == layer && p.ratio == *r);
                point.map_or(String::new(), |p| format!("{:.2} %", 100.0 * p.accuracy))
            };
            table.row(std::iter::once(layer.to_string()).chain(ratios.iter().map(of)));
        }
        table
    }

    fn layers(&self) -> Vec<&str> {
        let mut layers: Vec<&str> = Vec::new();
        for p in &self.points {
            if !layers.contains(&p.layer.as_str()) {
                layers.push(&p.layer);
            }
        }
        layers
    }

    /// `layer,ratio,kept,accuracy`, line by line.
    pub fn csv(&self) -> String {
        let line = |p: &Point| format!("{},{},{},{}\n", p.layer, p.ratio, p.kept, p.accuracy);
        "layer,ratio,kept,accuracy\n".to_string() + &self.points.iter().map(line).collect::<String>()
    }

    fn picture(&self) -> Lines {
        let of = |layer: &&str| {
            let points = self.points.iter().filter(|p| p.layer == **layer).map(|p| (p.ratio, 100.0 * p.accuracy)).collect();
            ((*layer).to_string(), points)
        };
        Lines {
            title: format!("Accuracy when one layer alone is cut by {}", self.plan.criterion.name()),
            x: "share of the layer's filters removed".into(),
            y: "test accuracy, %".into(),
            series: self.layers().iter().map(of).collect(),
        }
    }
}

/// Cuts each layer alone by each of the shares, compensates if the plan says so, and tests the
/// network. Filters are scored once. Goes on where it was interrupted.
///
/// # Errors
/// As [`score`]; [`Error::Input`] when the folder holds another analysis; [`Error::Interrupted`],
/// after saving.
pub fn sensitivity(
    run: &Run,
    plan: &Plan,
    ratios: &[f64],
    out: &Path,
    data: &DataSet,
    compute: &Compute,
    watch: &mut dyn Watch,
) -> Result<Sensitivity> {
    plan.check(&run.arch)?;
    if plan.criterion.record().is_search {
        return Err(Error::input(format!(
            "{} finds a set for one share, not an order: it has no sensitivity",
            plan.criterion.name()
        )));
    }
    if data.test.is_empty() {
        return Err(Error::input("at least one test sample is needed"));
    }
    refuse_run(out)?;
    create_folder(out)?;
    let path = out.join("sensitivity.json");
    let net = run.network(compute)?;
    let mut found = if path.exists() {
        let old: Sensitivity = read_json(&path)?;
        let weights = run.fingerprint()?;
        if old.plan != *plan || old.samples != data.test.len() || old.weights != weights {
            let told = |plan: &Plan, samples: usize, weights: &str| serde_json::json!({ "plan": plan, "samples": samples, "weights": weights });
            let (before, now) = (told(&old.plan, old.samples, &old.weights), told(plan, data.test.len(), &weights));
            return Err(other_options("an analysis", out, &before, &now));
        }
        watch.note(&format!("going on after {} points", old.points.len()));
        old
    } else {
        let baseline = accuracy(&net, &data.test, &compute.device, watch)?;
        Sensitivity { plan: plan.clone(), weights: run.fingerprint()?, samples: data.test.len(), baseline, points: Vec::new() }
    };
    let rows = score(&net, data, plan, compute, watch)?;
    let groups = plan.groups(&net.arch)?;
    let total = (rows.len() * ratios.len()) as u64;
    for (row, group) in rows.iter().zip(&groups) {
        for &ratio in ratios {
            if found.points.iter().any(|p| p.layer == row.name && p.ratio == ratio) {
                continue;
            }
            let of_ratio = Plan { rule: Rule::Ratio(ratio), ..plan.clone() };
            let kept = of_ratio.choose(&net.arch, std::slice::from_ref(group), std::slice::from_ref(&row.scores)).remove(0);
            let keep = Keep::from([(row.scores.layer, kept.clone())]);
            let by = plan.compensate.as_ref();
            let smaller = cut_and_compensate(&net, &keep, &data.train, compute, by, &mut Unwatched)?;
            let right = accuracy(&smaller, &data.test, &compute.device, watch).map_err(|e| {
                if let Error::Interrupted(why) = e {
                    Error::Interrupted(format!("{why}; saved, run it again to go on"))
                } else {
                    e
                }
            })?;
            found.points.push(Point { layer: row.name.clone(), ratio, kept: kept.len(), accuracy: right });
            write_json(&path, &found)?;
            watch.at("layers and shares", found.points.len() as u64, total);
        }
    }
    write_text(&out.join("sensitivity.csv"), &found.csv())?;
    found.picture().save(&out.join("sensitivity.svg"))?;
    Ok(found)
}
