//! Networks that leave: as ONNX files, and through `load_in_pytorch.py`.
#![cfg(all(feature = "cli", feature = "nn"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use burn::tensor::{Tensor, TensorData};
use lacuna::nn::{ACTIVATIONS, Activation, Arch, Compute, Net, OnnxNotes, zoo};
use lacuna::report::tensorboard::Events;
use std::process::Command;

/// Networks of every kind of layer and of every activation, and one with learnt parameters.
fn networks() -> Vec<(String, Net)> {
    let compute = Compute::cpu();
    let act = |name: &str| Activation::parse(name).unwrap();
    let mut archs = vec![
        zoo::named("resnet20:0.25", [3, 16, 16], 5, act("relu")).unwrap(),
        Arch::cnn([3, 16, 16], &[4, 6], 7, 5, act("tanh")).unwrap().without_norms(),
        zoo::named("mobilenet:0.05", [3, 16, 16], 5, act("relu")).unwrap(),
        serde_json::from_str(include_str!("common/every_kind.json")).unwrap(),
    ];
    for entry in ACTIVATIONS {
        let mut arch = Arch::mlp_for(&[6], 3, 8, 5, act(entry.name)).unwrap();
        arch.name = entry.name.into();
        archs.push(arch);
    }
    let mut learnt = Arch::cnn([3, 16, 16], &[4], 7, 5, act("fold:0.3,1")).unwrap();
    learnt.learn_activation = true;
    archs.push(learnt);
    archs
        .into_iter()
        .map(|arch| (format!("{} {}", arch.name, arch.activation), Net::new(&arch, 3, &compute.device).unwrap()))
        .collect()
}

fn numbers(net: &Net) -> (Vec<f32>, Vec<usize>) {
    let width: usize = net.arch.input.iter().product();
    let x = (0..2 * width).map(|i| (i as f32 * 0.7).sin() * 0.5 + 0.5).collect();
    (x, std::iter::once(2).chain(net.arch.input.iter().copied()).collect())
}

/// An ONNX file gives the same logits elsewhere. Needs Python with onnxruntime and numpy, whose
/// path `LACUNA_ONNX` gives.
#[test]
fn onnxruntime_says_the_same() {
    let Ok(python) = std::env::var("LACUNA_ONNX") else { return };
    let dir = tempfile::tempdir().unwrap();
    for (name, net) in networks() {
        let parts = net.arch.input[0];
        let (mean, deviation): (Vec<f32>, Vec<f32>) = (0..parts).map(|i| (0.4 + 0.05 * i as f32, 0.3 + 0.02 * i as f32)).unzip();
        let notes = OnnxNotes {
            classes: ["a", "b", "c", "d", "e"].map(String::from).to_vec(),
            normalisation: Some((mean.clone(), deviation.clone())),
        };
        std::fs::write(dir.path().join("net.onnx"), net.to_onnx(&notes).unwrap()).unwrap();
        let (x, shape) = numbers(&net);
        std::fs::write(dir.path().join("x.json"), serde_json::to_string(&x).unwrap()).unwrap();
        let says = format!(
            "import onnxruntime as o, numpy as n, json; s = o.InferenceSession('net.onnx'); \
             x = n.array(json.load(open('x.json')), 'f4').reshape({shape:?}); y = s.run(['logits'], {{'input': x}})[0]; \
             m = s.get_modelmeta().custom_metadata_map; assert json.loads(m['classes'])[4] == 'e', m; \
             print(json.dumps(y.ravel().tolist()))"
        );
        let out = Command::new(&python).args(["-c", &says]).current_dir(dir.path()).output().unwrap();
        assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
        let theirs: Vec<f32> = serde_json::from_slice(&out.stdout).unwrap();
        let each = x.len() / 2 / parts;
        let normalised: Vec<f32> =
            x.iter().enumerate().map(|(i, x)| (x - mean[i / each % parts]) / deviation[i / each % parts]).collect();
        let x = Tensor::<2>::from_data(TensorData::new(normalised, [2, x.len() / 2]), &Compute::cpu().device);
        let ours: Vec<f32> = net.forward(x).try_into_vec_as().unwrap();
        assert_eq!(ours.len(), theirs.len());
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() < 1e-4 * b.abs().max(1.0), "{name}: {ours:?} {theirs:?}");
        }
    }
}

/// TensorBoard reads back the numbers of every epoch. Needs Python with tensorboard, whose path
/// `LACUNA_TENSORBOARD` gives.
#[test]
fn tensorboard_reads_the_numbers() {
    let Ok(python) = std::env::var("LACUNA_TENSORBOARD") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut events = Events::create(dir.path()).unwrap();
    for epoch in 1..=3 {
        events.scalars(epoch, &[("loss/train", 1.0 / epoch as f64), ("accuracy/test", 0.25 * epoch as f64)]).unwrap();
    }
    let says = "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as A; import sys, json; \
                a = A(sys.argv[1]); a.Reload(); \
                print(json.dumps({t: [[s.step, s.value] for s in a.Scalars(t)] for t in a.Tags()['scalars']}))";
    let out = Command::new(&python).args(["-c", says]).arg(dir.path()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let read: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(read["accuracy/test"], serde_json::json!([[1, 0.25], [2, 0.5], [3, 0.75]]));
    assert_eq!(read["loss/train"].as_array().unwrap().len(), 3);
}

/// Every file is one that names its input, its output and its weights.
#[test]
fn onnx_files_name_their_parts() {
    for (name, net) in networks() {
        let bytes = net.to_onnx(&OnnxNotes::default()).unwrap();
        let has = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(has("input") && has("logits") && has("lacuna") && has("Gemm"), "{name}");
        assert!(bytes.len() > 4 * net.parameters(), "{name}: the weights are in it");
    }
}

/// The loader beside every run gives the same logits in PyTorch, whatever the activation, and
/// normalises as the run was trained. Needs Python with torch and safetensors, whose path
/// `LACUNA_PYTORCH` gives.
#[test]
fn pytorch_says_the_same_with_every_activation() {
    let Ok(python) = std::env::var("LACUNA_PYTORCH") else { return };
    let dir = tempfile::tempdir().unwrap();
    let loader = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/pytorch/load_in_pytorch.py");
    std::fs::copy(loader, dir.path().join("load_in_pytorch.py")).unwrap();
    for (name, net) in networks().into_iter().filter(|(_, net)| !net.arch.learn_activation) {
        std::fs::write(dir.path().join("arch.json"), serde_json::to_string(&net.arch).unwrap()).unwrap();
        std::fs::write(
            dir.path().join("config.json"),
            r#"{"classes": ["a", "b"], "normalisation": {"mean": [0.5], "deviation": [2.0]}}"#,
        )
        .unwrap();
        net.save(&dir.path().join("weights.safetensors")).unwrap();
        let (x, shape) = numbers(&net);
        std::fs::write(dir.path().join("x.json"), serde_json::to_string(&x).unwrap()).unwrap();
        let says = format!(
            "import torch, json; from load_in_pytorch import load; net = load(); assert net.classes == ['a', 'b']; \
             x = torch.tensor(json.load(open('x.json'))).reshape({shape:?}); print(json.dumps(net(net.normalise(x)).flatten().tolist()))"
        );
        let out = Command::new(&python).args(["-c", &says]).current_dir(dir.path()).output().unwrap();
        assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
        let theirs: Vec<f32> = serde_json::from_slice(&out.stdout).unwrap();
        let normalised: Vec<f32> = x.iter().map(|x| (x - 0.5) / 2.0).collect();
        let x = Tensor::<2>::from_data(TensorData::new(normalised, [2, x.len() / 2]), &Compute::cpu().device);
        let ours: Vec<f32> = net.forward(x).try_into_vec_as().unwrap();
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() < 1e-3 * b.abs().max(1.0), "{name}: {ours:?} {theirs:?}");
        }
    }
}

/// What `lacuna_export.py` writes of a network with blocks, shortcuts and dropout is the same
/// network here. Needs Python with torch and safetensors, whose path `LACUNA_PYTORCH` gives.
#[test]
fn a_network_comes_from_pytorch() {
    let Ok(python) = std::env::var("LACUNA_PYTORCH") else { return };
    let dir = tempfile::tempdir().unwrap();
    let says = r#"
import json, sys, torch
from torch import nn
from lacuna_export import export

class Block(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.a, self.n = nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o)
        self.b = nn.Conv2d(o, o, 3, padding=1)
        self.short = nn.Identity() if i == o else nn.Conv2d(i, o, 1)

    def forward(self, x):
        return torch.relu(self.b(torch.relu(self.n(self.a(x)))) + self.short(x))

torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.LeakyReLU(0.1), Block(6, 6), nn.AvgPool2d(3, 2, padding=1),
                    nn.Conv2d(6, 6, 3, padding="same", groups=6), nn.GELU(), nn.Conv2d(6, 8, (1, 4), padding=(0, 2), groups=2),
                    nn.MaxPool2d((2, 1)), Block(8, 9), nn.Dropout(0.3), nn.AdaptiveAvgPool2d((1, 5)), nn.Flatten(), nn.Linear(45, 4))
export(net, (2, 8, 8), "out")
x = torch.sin(torch.arange(2 * 2 * 8 * 8.0) * 0.7).reshape(2, 2, 8, 8)
print(json.dumps(net(x).flatten().tolist()))
class Beside(nn.Module):
    def forward(self, x):
        return torch.cat([x, x], 1)

for bad, why in [(nn.Sequential(nn.Conv2d(2, 4, 3, dilation=2)), "dilation"), (nn.Sequential(nn.Conv2d(2, 4, 3), nn.InstanceNorm2d(4)), "InstanceNorm2d"),
                 (nn.Sequential(nn.Conv2d(2, 4, 3), Beside()), "cat"), (nn.Sequential(nn.Conv2d(2, 4, 3), nn.GELU("tanh")), "GELU")]:
    try:
        export(bad, (2, 8, 8), "bad")
        sys.exit("not refused")
    except NotImplementedError as e:
        assert why in str(e), e
"#;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/pytorch");
    let out = Command::new(&python)
        .args(["-c", says])
        .current_dir(dir.path())
        .env("PYTHONPATH", folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(!dir.path().join("bad").exists(), "nothing is left of what was refused");
    let theirs: Vec<f32> = serde_json::from_slice(&out.stdout).unwrap();
    let arch: Arch = serde_json::from_str(&std::fs::read_to_string(dir.path().join("out/arch.json")).unwrap()).unwrap();
    let net = Net::load(&arch, &dir.path().join("out/weights.safetensors"), &Compute::cpu().device).unwrap();
    let x: Vec<f32> = (0..256).map(|i| (i as f32 * 0.7).sin()).collect();
    let ours: Vec<f32> =
        net.forward(Tensor::<2>::from_data(TensorData::new(x, [2, 128]), &Compute::cpu().device)).try_into_vec_as().unwrap();
    for (a, b) in ours.iter().zip(&theirs) {
        assert!((a - b).abs() < 1e-4 * b.abs().max(1.0), "{ours:?} {theirs:?}");
    }
}
