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
#[command(after_help = "Examples:\n  lacuna activations\n  lacuna activations fold:0.2")]
pub struct Activations {
    /// Only this one, as NAME or NAME:P1,P2
    name: Option<String>,
    /// Variance of the biases at the edge of chaos
    #[arg(long, default_value_t = 0.01)]
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
        let number = |x: Option<f64>| x.map_or("none".into(), |x| format!("{x:.4}"));
        if let (Some(_), [a]) = (&self.name, all.as_slice()) {
            let Some(e) = of(a) else { return Ok(()) };
            let (usual, edge) = (usual(a), edge(a));
            return print(&format!(
                "{a}\n  {}\n  source: {}\n  variance of its weights, times the inputs of a unit: {:.4}\n  growth of a small \
                 difference per layer there (1 is the edge of chaos): {}\n  at the edge of chaos, with biases of variance {}: weights {}, \
                 what flows has variance {}\n",
                e.formula,
                e.source,
                a.weight_variance(),
                number(usual.map(|m| m.slope)),
                self.sigma_b2,
                number(edge.map(|m| m.weights)),
                number(edge.map(|m| m.variance)),
            ));
        }
        let mut table = Table::new(&["activation", "parameters", "weights", "growth", "edge of chaos"]);
        for a in &all {
            let Some(e) = of(a) else { continue };
            let parameters: Vec<String> = e.parameters.iter().map(|p| format!("{}={}", p.name, rounded(p.default))).collect();
            table.row([
                a.name().to_string(),
                parameters.join(","),
                format!("{:.4}", a.weight_variance()),
                number(usual(a).map(|m| m.slope)),
                number(edge(a).map(|m| m.weights)),
            ]);
        }
        let names: Vec<String> = ALIASES.iter().map(|(a, full)| format!("  {a} = {full}\n")).collect();
        print(&format!(
            "{}\nweights: their variance times the inputs of a unit, as they are drawn.\ngrowth: of a small difference per layer \
             with such weights; 1 is the edge of chaos.\nedge of chaos: the variance of weights at which the growth is 1.\n\
             `lacuna activations NAME` gives the formula and the source.\n\nOther names:\n{}",
            table.markdown(),
            names.concat()
        ))
    }
}

/// A number with four digits behind the point at most.
fn rounded(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
