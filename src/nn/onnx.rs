//! Networks as ONNX files, which other programs run.
//!
//! The file is a protocol buffer (the fields' numbers are those of `onnx.proto3`, version 1.14,
//! opset 17). Nothing is read back here.

use super::activation::Symbol;
use super::{Layer, Net, Window, bridge};
use crate::data::protobuf::Message;
use crate::error::Result;
use std::collections::HashMap;

/// What a program has to know of the samples beside the network.
#[derive(Clone, Debug, Default)]
pub struct OnnxNotes {
    /// Names of the classes, in the order of the answers.
    pub classes: Vec<String>,
    /// Means and deviations by which samples are normalised: the network does it itself then.
    pub normalisation: Option<(Vec<f32>, Vec<f32>)>,
}

/// An attribute of a node.
enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
}

/// Data types of ONNX.
const FLOAT: i64 = 1;

#[derive(Default)]
struct Graph {
    nodes: Vec<Message>,
    initialisers: Vec<Message>,
    numbers: HashMap<u32, String>,
}

impl Graph {
    fn node(&mut self, operation: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let output = format!("t{}", self.nodes.len());
        self.named_node(operation, inputs, attributes, &output);
        output
    }

    fn named_node(&mut self, operation: &str, inputs: &[&str], attributes: &[(&str, Attribute)], output: &str) {
        let mut node = inputs.iter().fold(Message::default(), |m, input| m.text(1, input)).text(2, output).text(4, operation);
        for (name, value) in attributes {
            let attribute = Message::default().text(1, name);
            let attribute = match value {
                Attribute::Float(x) => attribute.float(2, *x).number(20, 1),
                Attribute::Int(x) => attribute.number(3, *x).number(20, 2),
                Attribute::Ints(all) => all.iter().fold(attribute, |m, x| m.number(8, *x)).number(20, 7),
            };
            node = node.message(5, &attribute);
        }
        self.nodes.push(node);
    }

    fn tensor(&mut self, name: &str, dims: &[usize], numbers: &[f32]) -> String {
        let tensor = dims.iter().fold(Message::default(), |m, &d| m.number(1, d as i64)).number(2, FLOAT).text(8, name);
        let raw: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.initialisers.push(tensor.bytes(9, &raw));
        name.into()
    }

    fn constant(&mut self, x: f64) -> String {
        let x = x as f32;
        if let Some(name) = self.numbers.get(&x.to_bits()) {
            return name.clone();
        }
        let name = format!("number{}", self.numbers.len());
        self.tensor(&name, &[], &[x]);
        self.numbers.insert(x.to_bits(), name.clone());
        name
    }

    /// An expression of `argument`; what was written down already is taken from there.
    fn expression(&mut self, symbol: &Symbol, argument: &str, seen: &mut HashMap<*const Vec<Symbol>, String>) -> String {
        match symbol {
            Symbol::Argument => argument.into(),
            Symbol::Number(x) => self.constant(*x),
            Symbol::Of(operation, parts) => {
                let place = std::rc::Rc::as_ptr(parts);
                if let Some(name) = seen.get(&place) {
                    return name.clone();
                }
                let names: Vec<String> = parts.iter().map(|p| self.expression(p, argument, seen)).collect();
                let output = self.node(operation, &names.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
                seen.insert(place, output.clone());
                output
            }
        }
    }
}

/// What goes in or comes out: its name, and its dimensions behind that of the batch.
fn value(name: &str, dims: &[usize]) -> Message {
    let free = Message::default().text(2, "batch");
    let sides: Vec<Message> = dims.iter().map(|&d| Message::default().number(1, d as i64)).collect();
    let shape = Message::default().message(1, &free).all(1, &sides);
    let tensor = Message::default().number(1, FLOAT).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

fn ints(numbers: &[usize]) -> Attribute {
    Attribute::Ints(numbers.iter().map(|&n| n as i64).collect())
}

/// How a convolution or a pooling moves over its plane.
fn window(layer: &Layer) -> Vec<(&'static str, Attribute)> {
    let Some(Window { size, stride, padding }) = Window::of(layer) else { return Vec::new() };
    let pads = [padding.array(), padding.array()].concat();
    vec![("kernel_shape", ints(&size.array())), ("strides", ints(&stride.array())), ("pads", ints(&pads))]
}

impl Net {
    /// The network as an ONNX file: `input`, `[batch, ...]` as the architecture takes it, to
    /// `logits`, `[batch, classes]`. Where the notes say how samples are normalised, the file does
    /// that first, so that images go in as pixels from 0 to 1.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the weights cannot be read, [`crate::Error::Input`] when the
    /// architecture does not fit together.
    pub fn to_onnx(&self, notes: &OnnxNotes) -> Result<Vec<u8>> {
        let arch = &self.arch;
        let (mut graph, mut given): (Graph, Vec<String>) = (Graph::default(), Vec::new());
        let mut flow = String::from("input");
        if let Some((mean, deviation)) = &notes.normalisation {
            let dims: Vec<usize> = std::iter::once(mean.len()).chain(std::iter::repeat_n(1, arch.input.len() - 1)).collect();
            let mean = graph.tensor("mean", &dims, mean);
            let deviation = graph.tensor("deviation", &dims, deviation);
            flow = graph.node("Sub", &["input", &mean], &[]);
            flow = graph.node("Div", &[&flow, &deviation], &[]);
        }
        let names: HashMap<usize, String> = arch.weight_names().into_iter().collect();
        let name = |at: usize| names.get(&at).cloned().unwrap_or_else(|| format!("layers.{at}"));
        for (at, layer) in arch.layers.iter().enumerate() {
            flow = match layer {
                Layer::Conv { input, output, kernel, groups, .. } => {
                    let conv = self.conv(at);
                    let dims = [*output, *input / *groups, kernel.rows, kernel.columns];
                    let weight = graph.tensor(&format!("{}.weight", name(at)), &dims, &bridge::read(conv.weight.val())?);
                    let mut inputs = vec![flow, weight];
                    if let Some(bias) = &conv.bias {
                        inputs.push(graph.tensor(&format!("{}.bias", name(at)), &[*output], &bridge::read(bias.val())?));
                    }
                    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
                    let mut attributes = window(layer);
                    attributes.push(("group", Attribute::Int(*groups as i64)));
                    graph.node("Conv", &inputs, &attributes)
                }
                Layer::BatchNorm { channels } => {
                    let norm = self.norm(at);
                    let parts = [
                        ("weight", norm.gamma.val()),
                        ("bias", norm.beta.val()),
                        ("running_mean", norm.running_mean.value_sync()),
                        ("running_var", norm.running_var.value_sync()),
                    ];
                    let mut inputs = vec![flow];
                    for (part, values) in parts {
                        inputs.push(graph.tensor(&format!("{}.{part}", name(at)), &[*channels], &bridge::read(values)?));
                    }
                    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
                    graph.node("BatchNormalization", &inputs, &[("epsilon", Attribute::Float(norm.epsilon as f32))])
                }
                Layer::Linear { input, output } => {
                    let linear = self.linear(at);
                    let weight =
                        graph.tensor(&format!("{}.weight", name(at)), &[*input, *output], &bridge::read(linear.weight.val())?);
                    let mut inputs = vec![flow, weight];
                    if let Some(bias) = &linear.bias {
                        inputs.push(graph.tensor(&format!("{}.bias", name(at)), &[*output], &bridge::read(bias.val())?));
                    }
                    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
                    graph.node("Gemm", &inputs, &[])
                }
                Layer::Activation { .. } => {
                    let learnt = self.learnt(at).map(bridge::read).transpose()?;
                    let symbol = arch.activation_behind(at).symbol(learnt.as_deref());
                    graph.expression(&symbol, &flow, &mut HashMap::new())
                }
                Layer::MaxPool { .. } => graph.node("MaxPool", &[&flow], &window(layer)),
                Layer::AvgPool { .. } => {
                    let mut attributes = window(layer);
                    attributes.push(("count_include_pad", Attribute::Int(1)));
                    graph.node("AveragePool", &[&flow], &attributes)
                }
                Layer::Dropout { .. } => flow,
                Layer::GlobalMean => {
                    let mean = graph.node("GlobalAveragePool", &[&flow], &[]);
                    graph.node("Flatten", &[&mean], &[("axis", Attribute::Int(1))])
                }
                Layer::Flatten => graph.node("Flatten", &[&flow], &[("axis", Attribute::Int(1))]),
                Layer::Branch { from } => given[*from].clone(),
                Layer::Add { with } => graph.node("Add", &[&flow, &given[*with]], &[]),
                Layer::Shortcut { input, stride, channels } => {
                    // A convolution of side 1 that passes some channels on and gives zeros for the
                    // others.
                    let passes = channels.iter().flat_map(|from| (0..*input).map(move |i| f32::from(u8::from(*from == Some(i)))));
                    let weight =
                        graph.tensor(&format!("shortcut{at}"), &[channels.len(), *input, 1, 1], &passes.collect::<Vec<_>>());
                    graph.node("Conv", &[&flow, &weight], &[("kernel_shape", ints(&[1, 1])), ("strides", ints(&[*stride; 2]))])
                }
            };
            given.push(flow.clone());
        }
        graph.named_node("Identity", &[&flow], &[], "logits");
        let body = Message::default()
            .all(1, &graph.nodes)
            .text(2, &arch.name)
            .all(5, &graph.initialisers)
            .message(11, &value("input", &arch.input))
            .message(12, &value("logits", &[arch.classes()?]));
        let note = |key: &str, text: &str| Message::default().text(1, key).text(2, text);
        let mut model = Message::default()
            .number(1, 8)
            .text(2, "lacuna")
            .text(3, env!("CARGO_PKG_VERSION"))
            .message(7, &body)
            .message(8, &Message::default().text(1, "").number(2, 17));
        if !notes.classes.is_empty() {
            let classes = serde_json::to_string(&notes.classes).unwrap_or_default();
            model = model.message(14, &note("classes", &classes));
        }
        let input = if notes.normalisation.is_some() { "as read; pixels from 0 to 1" } else { "normalised as in training" };
        Ok(model.message(14, &note("input", input)).0)
    }
}
