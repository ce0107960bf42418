//! What a pruning came to.

use super::compensate::Refit;
use super::cost::Cost;
use super::latency::LATENCY_BATCH;
use super::plan::Plan;
use super::rule::Rule;
use super::scoring::{LayerRow, LayerScores};
use crate::report::{Pairs, Table};
use crate::topology::EngineInfo;
use serde::{Deserialize, Serialize};

/// How far a pruning has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Cut and saved; recovery is not through.
    Cut,
    /// Through.
    Done,
}

/// What `prune.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The run that was pruned.
    pub from: String,
    /// How.
    pub plan: Plan,
    /// What computed the Betti numbers.
    pub engine: EngineInfo,
    /// Layer by layer.
    pub layers: Vec<LayerRow>,
    /// What the compensation made of each layer that it fitted; none without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refits: Vec<Refit>,
    /// The network before.
    pub before: Cost,
    /// Right after the cut.
    pub after_cut: Cost,
    /// After the recovery, if there was one.
    pub recovered: Option<Cost>,
    /// Seconds for scoring, cutting and training (between steps and in the recovery).
    pub seconds: [f64; 3],
    /// How far it has come.
    pub stage: Stage,
}

impl Outcome {
    /// By what filters went, which, and how many; why, if none did.
    pub fn summary(&self) -> String {
        let all: usize = self.layers.iter().map(|l| l.scores.scores.len()).sum();
        let gone = all - self.layers.iter().map(|l| l.kept.len()).sum::<usize>();
        let first = if self.plan.criterion.high_goes() != self.plan.reverse { "highest" } else { "lowest" };
        let rule = match self.plan.rule {
            Rule::Above(limit) => format!("scores above {limit} go"),
            Rule::Below(limit) => format!("scores below {limit} go"),
            Rule::Ratio(share) => {
                format!("{share} of each layer goes, the {first} scores first")
            }
            Rule::Target { budget, share, .. } => {
                format!("until {share} of the {} are left, the {first} scores first", budget.name())
            }
            Rule::Latency { ms, .. } => {
                format!("until a batch of {LATENCY_BATCH} takes {ms} ms, the {first} scores first")
            }
            Rule::Global(share) => format!("{share} of all goes, the {first} scores first"),
        };
        let scores = || self.layers.iter().flat_map(|l| l.scores.scores.iter().copied());
        let (low, most) = (scores().fold(f64::INFINITY, f64::min), scores().fold(f64::NEG_INFINITY, f64::max));
        let mut said = format!("By {}, {rule}: {gone} of {all} filters removed.", self.plan.criterion.name());
        if gone == 0 {
            said += &format!(
                " Nothing was removed: scores are from {low:.4} to {most:.4}, and every layer keeps {} of its filters at least.",
                self.plan.limits.minimum
            );
        }
        [said, self.compensation(), self.verdict()].iter().filter(|s| !s.is_empty()).cloned().collect::<Vec<_>>().join("\n")
    }

    /// What the compensation did, and what its reader should know.
    fn compensation(&self) -> String {
        let Some(by) = self.plan.compensate else { return String::new() };
        if self.refits.is_empty() {
            return String::new();
        }
        let mean = |of: fn(&Refit) -> f64| 100.0 * self.refits.iter().map(of).sum::<f64>() / self.refits.len() as f64;
        let mut said = format!(
            "{} layers were fitted to what the whole network gives for {} training images, without labels: on average they miss {:.1} % of it, and {:.1} % before the fit.",
            self.refits.len(),
            by.images,
            mean(|r| r.missed_after),
            mean(|r| r.missed_before)
        );
        let few: Vec<&str> = self.refits.iter().filter(|r| r.rows < r.inputs).map(|r| r.layer.as_str()).collect();
        if !few.is_empty() {
            said += &format!(
                " There were fewer rows than inputs for {}: there the ridge of {} decides; more images for the compensation may help.",
                few.join(", "),
                by.ridge
            );
        }
        let raised: Vec<&str> = self.refits.iter().filter(|r| r.ridge > by.ridge).map(|r| r.layer.as_str()).collect();
        if !raised.is_empty() {
            said += &format!(" What {} reads is singular: a larger ridge than {} was needed there.", raised.join(", "), by.ridge);
        }
        said
    }

    /// What it came to in one sentence.
    fn verdict(&self) -> String {
        let (before, after) = (&self.before, &self.after_cut);
        let less = |from: usize, to: usize| 100.0 * (1.0 - to as f64 / from.max(1) as f64);
        let mut said = format!(
            "{:.0} % fewer MACs and {:.0} % fewer parameters; accuracy {:.2} % before, {:.2} % right after the cut",
            less(before.macs, after.macs),
            less(before.parameters, after.parameters),
            100.0 * before.accuracy,
            100.0 * after.accuracy
        );
        if let Some(last) = &self.recovered {
            said += &format!(", {:.2} % after the recovery", 100.0 * last.accuracy);
        }
        said + "."
    }

    /// Filters of every layer before and after, with the spread of their scores.
    pub fn layer_table(&self) -> Table {
        let mut table = Table::new(&["layer", "filters", "kept", "lowest score", "median", "highest"]);
        // What some criteria say besides.
        type Other = (&'static str, fn(&LayerScores) -> Option<f64>);
        let others: [Other; 2] = [("scale", |s| s.scale), ("barcode distance", |s| s.distance)];
        let others: Vec<Other> =
            others.into_iter().filter(|(_, of)| self.layers.iter().any(|l| of(&l.scores).is_some())).collect();
        table.header.extend(others.iter().map(|o| o.0.to_string()));
        for row in &self.layers {
            let mut sorted = row.scores.scores.clone();
            sorted.sort_by(f64::total_cmp);
            let number = |x: Option<&f64>| {
                x.map_or(String::new(), |x| format!("{x:.4}").trim_end_matches('0').trim_end_matches('.').into())
            };
            let cells = [
                row.title(),
                sorted.len().to_string(),
                row.kept.len().to_string(),
                number(sorted.first()),
                number(sorted.get(sorted.len() / 2)),
                number(sorted.last()),
            ];
            table.row(cells.into_iter().chain(others.iter().map(|(_, of)| number(of(&row.scores).as_ref()))));
        }
        table
    }

    /// Accuracy and costs before, after the cut, and after recovery.
    pub fn cost_table(&self) -> Table {
        let mut table = Table::new(&["network", "accuracy", "parameters", "MACs", "bytes", "ms per 64"]);
        let recovered = self.recovered.as_ref().map(|c| ("recovered", c));
        for (name, c) in [("before", &self.before), ("after the cut", &self.after_cut)].into_iter().chain(recovered) {
            table.row([
                name.into(),
                format!("{:.2} %", 100.0 * c.accuracy),
                c.parameters.to_string(),
                c.macs.to_string(),
                c.bytes.to_string(),
                format!("{:.2}", c.latency_ms),
            ]);
        }
        table
    }

    /// Filters per layer, before and after.
    pub fn filters_picture(&self) -> Pairs {
        let entry = |r: &LayerRow| (r.name.clone(), r.scores.scores.len() as f64, r.kept.len() as f64);
        Pairs {
            title: format!("Filters per layer, pruned by {}", self.plan.criterion.name()),
            y: "filters".into(),
            names: ["before".into(), "kept".into()],
            entries: self.layers.iter().map(entry).collect(),
        }
    }
}
