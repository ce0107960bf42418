//! `lacuna activations`

use super::{print, print_json};
use clap::Args;
use lacuna::Result;
use lacuna::nn::mean_field::MeanField;
use lacuna::nn::{ACTIVATIONS, ALIASES, Activation};
use lacuna::report::{Lines, Picture, Table, check_plot_name};
use serde_json::json;
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
pub struct Activations {
    /// Only this one, as NAME or NAME:P1,P2
    name: Option<String>,
    /// Variance of the biases at the edge of chaos
    #[arg(long, allow_negative_numbers = true, default_value_t = 0.01)]
    sigma_b2: f64,
    /// Draw the functions and their derivatives, as .svg or .png
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Activations {
    pub fn run(&self) -> Result<()> {
        if !(self.sigma_b2 >= 0.0 && self.sigma_b2.is_finite()) {
            return Err(lacuna::Error::input("--sigma-b2 must be a number, 0 or more"));
        }
        if let Some(plot) = &self.plot {
            check_plot_name(plot)?;
        }
        let all: Vec<Activation> = match &self.name {
            Some(name) => vec![Activation::parse(name)?],
            None => ACTIVATIONS.iter().map(|e| Activation::parse(e.name)).collect::<Result<_>>()?,
        };
        if let Some(plot) = &self.plot {
            let curve = |f: &dyn Fn(f64) -> f64| (-120..=120).map(|i| f64::from(i) / 30.0).map(|x| (x, f(x))).collect();
            let series = all.iter().flat_map(|a| {
                let values = (a.title(), curve(&|x| a.value(x)));
                let slopes = (format!("{}'", a.title()), curve(&|x| a.derivative(x)));
                if all.len() == 1 { vec![values, slopes] } else { vec![values] }
            });
            Lines { title: "Activation functions".into(), x: "x".into(), y: "f(x)".into(), series: series.collect() }
                .save(plot)?;
        }
        let of = |a: &Activation| ACTIVATIONS.iter().find(|e| e.name == a.name());
        let edge = |a: &Activation| MeanField::edge_of_chaos(a, self.sigma_b2).ok();
        let usual = |a: &Activation| MeanField::of(a, a.weight_variance(), 0.0).ok();
        if self.json {
            let rows = all.iter().map(|a| {
                json!({"name": a.to_string(), "formula": of(a).map(|e| e.formula), "source": of(a).map(|e| e.source),
                       "parameters": of(a).map(|e| e.parameters.iter().map(|p| json!({"name": p.name, "default": p.default,
                           "range": p.range, "trainable": p.trainable})).collect::<Vec<_>>()),
                       "weight_variance": a.weight_variance(), "own_init": usual(a), "edge_of_chaos": edge(a)})
            });
            return print_json(&rows.collect::<Vec<_>>());
        }
        let mut table = Table::new(&[
            "activation",
            "formula",
            "weight variance x fan-in",
            "slope chi there",
            "edge of chaos: weights",
            "variance",
            "source",
        ]);
        for a in &all {
            let Some(e) = of(a) else { continue };
            let parameters: Vec<String> = e.parameters.iter().map(|p| format!("{}={}", p.name, p.default)).collect();
            let name =
                if parameters.is_empty() { a.name().to_string() } else { format!("{}:{}", a.name(), parameters.join(",")) };
            let number = |x: Option<f64>| x.map_or("none".into(), |x| format!("{x:.4}"));
            let (usual, edge) = (usual(a), edge(a));
            table.row([
                name,
                e.formula.into(),
                format!("{:.4}", a.weight_variance()),
                number(usual.map(|m| m.slope)),
                number(edge.map(|m| m.weights)),
                number(edge.map(|m| m.variance)),
                e.source.into(),
            ]);
        }
        let mut text = table.markdown();
        if self.name.is_none() {
            let names: Vec<String> = ALIASES.iter().map(|(a, full)| format!("{a} = {full}")).collect();
            text += &format!("\nOther names: {}.\n", names.join(", "));
        }
        print(&text)
    }
}
