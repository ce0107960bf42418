//! `lacuna cost`

use super::{print, print_json};
use clap::{Args, ValueEnum};
use lacuna::data::files::read_json;
use lacuna::nn::{Activation, Arch, Count, Layer, counts_of, zoo};
use lacuna::report::Table;
use lacuna::{Error, Result};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Unit {
    /// Multiply-accumulates, which papers often call FLOPs
    Macs,
    /// Floating-point operations, two per multiply-accumulate
    Flops,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  lacuna cost --model vgg16-bn\n  lacuna cost runs/a")]
pub struct Cost {
    /// A run's folder, or an arch.json
    #[arg(conflicts_with = "model", required_unless_present = "model")]
    arch: Option<PathBuf>,
    /// A network of the literature: vgg11, vgg16 (-bn), resnet20, resnet56, basicnet, mobilenet
    #[arg(long)]
    model: Option<String>,
    /// Channels, height and width of --model's images [default: 3,32,32]
    #[arg(long, value_delimiter = ',', value_name = "C,H,W", requires = "model")]
    input: Option<Vec<usize>>,
    /// Classes of --model [default: 10]
    #[arg(long, requires = "model")]
    classes: Option<usize>,
    /// Hidden fully connected layers of a VGG's head, as 512 or 512,512
    #[arg(long, value_delimiter = ',', requires = "model")]
    head: Vec<usize>,
    /// Batch norm in that head
    #[arg(long, requires = "head")]
    head_norm: bool,
    /// Biases in convolutions that a batch norm follows
    #[arg(long, requires = "model")]
    conv_bias: bool,
    /// What is counted
    #[arg(long, value_enum, default_value = "macs")]
    count: Unit,
    /// Every layer
    #[arg(long)]
    layers: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Cost {
    fn arch(&self) -> Result<Arch> {
        if let Some(model) = &self.model {
            let (input, classes) = (self.input.clone().unwrap_or_else(|| vec![3, 32, 32]), self.classes.unwrap_or(10));
            let [c, h, w] = *input else { return Err(Error::input("--input takes channels, height and width")) };
            if [c, h, w].iter().any(|n| !(1..=65_536).contains(n)) || !(1..=1_000_000).contains(&classes) {
                return Err(Error::input("--input takes numbers from 1 to 65536, --classes from 1 to 1000000"));
            }
            let variant = zoo::Variant { head: self.head.clone(), head_norm: self.head_norm, conv_bias: self.conv_bias };
            return zoo::variant(model, &variant, [c, h, w], classes, Activation::parse("relu")?);
        }
        let path = self.arch.clone().unwrap_or_default();
        let path = if path.is_dir() { path.join("arch.json") } else { path };
        let arch: Arch = read_json(&path)?;
        arch.shapes().map_err(|e| Error::file(&path, e.to_string()))?;
        Ok(arch)
    }

    pub fn run(&self) -> Result<()> {
        let arch = self.arch()?;
        let counts = counts_of(&arch)?;
        let factor = if self.count == Unit::Flops { 2 } else { 1 };
        let unit = if self.count == Unit::Flops { "FLOPs" } else { "MACs" };
        let sum =
            counts.iter().fold(Count::default(), |s, c| Count { parameters: s.parameters + c.parameters, macs: s.macs + c.macs });
        let names: std::collections::BTreeMap<usize, String> = arch.weight_names().into_iter().collect();
        let name = |at: usize| names.get(&at).cloned().unwrap_or_else(|| format!("layer {at}"));
        if self.json {
            let of = |(at, c): (usize, &Count)| serde_json::json!({ "layer": name(at), "parameters": c.parameters, "macs": c.macs, "flops": 2 * c.macs });
            let layers: Vec<_> = counts.iter().enumerate().map(of).collect();
            return print_json(&serde_json::json!({
                "network": arch.title(), "parameters": sum.parameters, "macs": sum.macs, "flops": 2 * sum.macs, "layers": layers,
            }));
        }
        let mut told = String::new();
        if self.layers {
            let shapes = arch.shapes()?;
            let mut table = Table::new(&["layer", "gives", "parameters", unit]);
            for (at, count) in counts.iter().enumerate().filter(|(_, c)| c.parameters > 0 || c.macs > 0) {
                let out = match shapes[at + 1] {
                    lacuna::nn::Shape::Flat(n) => n.to_string(),
                    lacuna::nn::Shape::Maps(c, h, w) => format!("{c} x {h} x {w}"),
                };
                table.row([name(at), out, count.parameters.to_string(), (factor * count.macs).to_string()]);
            }
            told += &format!("{}\n", table.markdown());
        }
        let bias = match arch.layers.iter().find_map(|l| if let Layer::Conv { bias, .. } = l { Some(*bias) } else { None }) {
            Some(true) => "convolutions with biases, ",
            Some(false) => "convolutions without biases, ",
            None => "",
        };
        let head: Vec<String> = arch
            .layers
            .iter()
            .filter_map(|l| if let Layer::Linear { input, output } = l { Some(format!("{input} -> {output}")) } else { None })
            .collect();
        told += &format!(
            "{}: {} parameters, {} {unit} per sample\n({bias}fully connected {}; {unit} of convolutions and fully connected layers, without norms and activations)\n",
            arch.title(),
            sum.parameters,
            factor * sum.macs,
            head.join(", ")
        );
        print(&told)
    }
}
