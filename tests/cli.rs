//! The program as its users run it: answers, files, and one clear line for every mistake.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn lacuna() -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_lacuna"));
    c.env_remove("RUST_BACKTRACE");
    c
}

fn run(arguments: &[&str]) -> Output {
    lacuna().args(arguments).output().unwrap()
}

fn stdout(o: &Output) -> String {
    assert!(o.status.success(), "{}", String::from_utf8_lossy(&o.stderr));
    String::from_utf8(o.stdout.clone()).unwrap()
}

/// One line on stderr that holds all of `says`, the exit code, and nothing on stdout.
fn refused(o: &Output, code: i32, says: &[&str]) {
    let err = String::from_utf8_lossy(&o.stderr);
    let lines: Vec<&str> = err.lines().filter(|l| l.starts_with("lacuna: ")).collect();
    assert_eq!(o.status.code(), Some(code), "{err}");
    assert_eq!(lines.len(), 1, "{err}");
    assert!(!err.contains("panicked"), "{err}");
    for s in says {
        assert!(lines[0].contains(s), "'{s}' is not in: {}", lines[0]);
    }
    assert!(o.stdout.is_empty());
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name).display().to_string()
    }
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

const SQUARE: &str = "0,0\n1,0\n1,1\n0,1\n";

#[test]
fn barcode_in_every_format() {
    let f = Folder::new();
    let square = f.write("square.csv", SQUARE);
    let o = run(&["barcode", &square, "--engine", "cpu"]);
    let answer: serde_json::Value = serde_json::from_str(&stdout(&o)).unwrap();
    let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 7);
    assert_eq!((&answer["n"], &answer["max_dim"], &answer["threshold"]), (&4.into(), &1.into(), &serde_json::Value::Null));
    assert_eq!(answer["bars"]["1"], serde_json::from_str::<serde_json::Value>("[[1.0, 1.4142135]]").unwrap());
    assert_eq!(answer["engine"]["kind"], "cpu");
    assert!(String::from_utf8_lossy(&o.stderr).contains("engine: cpu on"), "it says which engine ran");
    let csv = stdout(&run(&["barcode", &square, "--output-format", "csv", "--quiet"]));
    assert!(
        csv.starts_with("dimension,birth,death\n0,0,1\n") && csv.contains("0,0,inf\n") && csv.contains("1,1,1.4142135\n"),
        "{csv}"
    );
    for (name, plot) in [("b.npy", "p.svg"), ("b.pers", "p.png"), ("b.json", "q.svg")] {
        let (out, plot) = (f.path(name), f.path(plot));
        assert_eq!(stdout(&run(&["barcode", &square, "-o", out.to_str().unwrap(), "--plot", plot.to_str().unwrap()])), "");
        assert!(fs::metadata(out).unwrap().len() > 50 && fs::metadata(plot).unwrap().len() > 1000);
    }
    assert!(!f.names().iter().any(|n| n.contains("tmp")));
}

#[test]
fn every_input_format_is_one_square() {
    let f = Folder::new();
    let d = 2f32.sqrt();
    let full = format!("0 1 {d} 1\n1 0 1 {d}\n{d} 1 0 1\n1 {d} 1 0\n");
    let files = [
        (f.write("a.csv", SQUARE), "point-cloud"),
        (f.write("b.txt", full), "distance"),
        (f.write("c.txt", format!("1\n{d} 1\n1 {d} 1\n")), "lower-distance"),
        (f.write("d.txt", format!("0 1 1\n0 2 {d}\n1 2 1\n0 3 1\n1 3 {d}\n2 3 1\n")), "sparse"),
    ];
    for engine in ["cpu", "gpu"] {
        for (file, format) in &files {
            let o = run(&["betti", file, "--format", format, "--scale", "1.2", "--engine", engine]);
            assert_eq!(stdout(&o), "1 1\n", "{format} on {engine}");
        }
    }
    let curve = stdout(&run(&["betti", &files[0].0, "--quiet"]));
    assert_eq!(curve, "dimension,scale,betti\n0,0,4\n0,1,1\n1,1,1\n1,1.4142135,0\n");
    let o = run(&["betti", &files[0].0, "--scale", "0.5", "--json", "--quiet"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&stdout(&o)).unwrap()["betti"], serde_json::json!([4, 0]));
    let table = stdout(&run(&["betti", &files[0].0, "--scale", "0.5..1.5:0.5", "--quiet"]));
    assert_eq!(table, "scale,betti0,betti1\n0.5,4,0\n1,1,1\n1.5,1,0\n");
    refused(&run(&["betti", &files[0].0, "--scale", "1,2", "--threshold", "1.5"]), 2, &["the scale 2 is above the threshold"]);
    refused(&run(&["betti", &files[0].0, "--scale", "1..0"]), 2, &["write them as"]);
}

#[test]
fn both_engines_write_the_same_bars() {
    let f = Folder::new();
    let points: String =
        (0..120).map(f64::from).map(|t| format!("{},{},{}\n", (t * 0.7).sin(), (t * 1.3).cos(), (t * 0.11).sin())).collect();
    let file = f.write("p.csv", points);
    let bars = |engine: &str| {
        let answer: serde_json::Value = serde_json::from_str(&stdout(&run(&["barcode", &file, "--engine", engine]))).unwrap();
        assert_eq!(answer["engine"]["kind"], engine);
        answer["bars"].clone()
    };
    assert_eq!(bars("cpu"), bars("gpu"));
}

#[test]
fn devices_says_what_auto_takes() {
    let text = stdout(&run(&["devices"]));
    assert!(text.contains("--engine auto takes the"), "{text}");
    let answer: serde_json::Value = serde_json::from_str(&stdout(&run(&["devices", "--json"]))).unwrap();
    let first = &answer["adapters"][0];
    assert!(first["max_points"].as_u64().unwrap() > 1000 && first["driver"].is_string());
    if first["software"] == true {
        assert_eq!(answer["auto"], "cpu");
    }
    let name = first["name"].as_str().unwrap().split(' ').next().unwrap().to_lowercase();
    let f = Folder::new();
    let square = f.write("square.csv", SQUARE);
    let o = run(&["barcode", &square, "--adapter", &name]);
    assert!(stdout(&o).contains("\"gpu\""), "a named adapter is used even if it is software");
}

#[test]
fn bench_shows_both_engines() {
    let o = run(&["bench", "--clouds", "6", "--points", "40", "--features", "3", "--runs", "1", "--engine", "gpu", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&stdout(&o)).unwrap();
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["bars"], rows[1]["bars"]);
}

#[test]
fn the_suite_runs_every_engine_in_a_process_of_its_own() {
    let f = Folder::new();
    let out = f.path("results");
    let o = run(&["bench", "--suite", "--only", "random16", "--runs", "1", "--out", out.to_str().unwrap()]);
    assert!(o.status.success(), "{}", String::from_utf8_lossy(&o.stderr));
    let results: serde_json::Value = serde_json::from_str(&fs::read_to_string(out.join("suite.json")).unwrap()).unwrap();
    let rows = results["rows"].as_array().unwrap();
    assert!(rows.len() >= 2 && rows.iter().any(|r| r["engine"] == "lacuna gpu"));
    assert!(rows.iter().all(|r| r["measured"]["bars"] == serde_json::json!([49, 39, 16]) && r["median_seconds"].is_number()));
    assert!(fs::read_to_string(out.join("suite.md")).unwrap().contains("random16_50"));
}

#[test]
fn higher_dimensions_samples_hops_and_cycles() {
    let f = Folder::new();
    let octahedron = f.write("o.csv", "1,0,0\n-1,0,0\n0,1,0\n0,-1,0\n0,0,1\n0,0,-1\n");
    let json = |o: &Output| serde_json::from_str::<serde_json::Value>(&stdout(o)).unwrap();
    for dim in ["2", "3"] {
        for engine in ["cpu", "gpu"] {
            let answer = json(&run(&["barcode", &octahedron, "--dim", dim, "--engine", engine]));
            assert_eq!(answer["bars"]["1"].as_array().unwrap().len(), 0);
            let voids = answer["bars"]["2"].as_array().unwrap();
            assert_eq!((voids.len(), voids[0][1].as_f64()), (1, Some(2.0)));
        }
    }
    let ring: String = (0..24).map(|i| format!("{},{}\n", (i as f32 * 0.2618).cos(), (i as f32 * 0.2618).sin())).collect();
    let ring = f.write("ring.csv", ring);
    let answer = json(&run(&["barcode", &ring, "--cycles", "2"]));
    assert_eq!(answer["cycles"].as_array().unwrap().len(), 1);
    assert_eq!(answer["cycles"][0]["edges"].as_array().unwrap().len(), 24);
    // One loop, which the longest of its 24 sides opens; every point but the first is a component
    // that ends.
    let answer = json(&run(&["barcode", &ring, "--edges", "--engine", "cpu"]));
    let edges = &answer["edges"];
    assert_eq!((edges["0"].as_array().unwrap().len(), edges["1"].as_array().unwrap().len()), (24, 1));
    assert_eq!(edges["0"][23], serde_json::json!([[0], null]));
    let plain = json(&run(&["barcode", &ring, "--engine", "cpu"]));
    assert_eq!(answer["bars"], plain["bars"]);
    let answer = json(&run(&["barcode", &ring, "--cocycles"]));
    let across = answer["cocycles"]["1"][0]["simplices"].as_array().unwrap();
    assert!(!across.is_empty() && across.iter().all(|edge| edge.as_array().unwrap().len() == 2));
    refused(&run(&["barcode", &ring, "--cocycles", "--dim", "0"]), 2, &["dimension 0"]);
    // A page holds edges and cycles, whether the answer does or not.
    let page = f.path("ring.html").display().to_string();
    let answer = json(&run(&["barcode", &ring, "--plot", &page]));
    assert!(answer.get("edges").is_none() && answer.get("cycles").is_none());
    let text = fs::read_to_string(&page).unwrap();
    let data = text.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!((data["edges"][1].as_array().unwrap().len(), data["cycles"]["0"].as_array().unwrap().len()), (1, 24));
    let answer = json(&run(&["barcode", &ring, "--plot", &page, "--cycles", "1", "--edges"]));
    assert!(answer["edges"].is_object() && answer["cycles"].as_array().unwrap().len() == 1);
    refused(&run(&["barcode", &ring, "--plot", "x.pdf"]), 2, &[".svg, .png or .html"]);
    refused(&run(&["barcode", &ring, "--plot", &page, "--max-points", "9"]), 2, &["a page names points"]);
    let drawn = f.path("ring.png").display().to_string();
    stdout(&run(&["barcode", &ring, "--cycles", "2", "--plot-cycles", &drawn]));
    assert!(fs::read(&drawn).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(run(&["barcode", &ring, "--plot-cycles", &drawn]).status.code(), Some(2), "without --cycles");
    refused(&run(&["barcode", &ring, "--cycles", "1", "--plot-cycles", "x.pdf"]), 2, &[".svg or .png"]);
    let matrix = f.write("m.csv", "0,1,1\n1,0,1\n1,1,0\n");
    refused(&run(&["barcode", &matrix, "--cycles", "1", "--plot-cycles", &drawn]), 2, &["two or three coordinates"]);
    let sampled = run(&["barcode", &ring, "--max-points", "12"]);
    assert!(String::from_utf8_lossy(&sampled.stderr).contains("Certain bars by dimension"));
    let answer = json(&sampled);
    assert!(answer["covering_radius"].as_f64().unwrap() > 0.0);
    assert_eq!((answer["n"].as_u64(), answer["sampled_from"].as_u64()), (Some(12), Some(24)));
    let answer = json(&run(&["barcode", &ring, "--metric", "knn-hops", "--k", "3"]));
    assert_eq!((answer["metric"].as_str(), answer["bars"]["1"][0][0].as_f64()), (Some("knn-hops"), Some(1.0)));
    assert_eq!(stdout(&run(&["betti", &ring, "--metric", "knn-hops", "--k", "3", "--scale", "2"])), "1 1\n");
    let estimate = json(&run(&["barcode", &ring, "--estimate", "--json"]));
    assert!(estimate["bytes"].as_u64() > Some(4 * 24 * 24) && estimate["seconds"].is_array());
    refused(&run(&["barcode", &ring, "--cycles", "2", "--output-format", "csv"]), 2, &["--cycles", "json"]);
    refused(&run(&["barcode", &ring, "--cycles", "2", "--max-points", "5"]), 2, &["those of a sample"]);
    refused(&run(&["barcode", &ring, "--metric", "knn-hops", "--k", "99"]), 2, &["99 nearest neighbours"]);
}

#[test]
fn bad_files_are_explained() {
    let f = Folder::new();
    let bad = |name: &str, content: &str, says: &[&str]| refused(&run(&["barcode", &f.write(name, content)]), 2, says);
    bad("ragged.csv", "1,2\n3,4\n5\n", &["ragged.csv, line 3", "1 numbers"]);
    bad("nan.csv", "1,2\nnan,4\n", &["nan.csv, line 2", "NaN"]);
    bad("empty.csv", "", &["empty.csv", "empty"]);
    bad("words.csv", "1,2\nfoo,4\n", &["words.csv, line 2", "'foo'"]);
    refused(&run(&["barcode", "/nonexistent.csv"]), 2, &["/nonexistent.csv", "cannot read"]);
    refused(&run(&["barcode", f.0.path().to_str().unwrap()]), 2, &["cannot read"]);
}

#[test]
fn bad_options_are_explained() {
    let f = Folder::new();
    let square = f.write("square.csv", SQUARE);
    refused(&run(&["barcode", &square, "--metric", "taxi"]), 2, &["taxi", "cityblock"]);
    refused(&run(&["barcode", &square, "--format", "dipha"]), 2, &["dipha", "lower-distance"]);
    refused(&run(&["barcode", &square, "--dim", "4"]), 2, &["dimension 4"]);
    refused(&run(&["barcode", &square, "--threshold", "-1"]), 2, &["threshold"]);
    refused(&run(&["barcode", &square, "--k", "3"]), 2, &["--metric knn-hops"]);
    refused(&run(&["betti", &square, "--scale", "nan"]), 2, &["scale"]);
    let matrix = f.write("matrix.csv", "0 1\n1 0\n");
    refused(&run(&["barcode", &matrix, "--format", "distance", "--metric", "cosine"]), 2, &["--metric is for points"]);
    refused(&run(&["barcode", &square, "--output-format", "npy"]), 2, &["--out"]);
    refused(&run(&["barcode", &square, "-o", &square]), 2, &["is the input"]);
    refused(&run(&["barcode", &square, "-o", "x.svg", "--plot", "x.svg"]), 2, &["same file"]);
    refused(&run(&["betti", &square, "--scale", "1", "--threshold", "0.5"]), 2, &["above the threshold"]);
    refused(&run(&["bench", "--clouds", "0"]), 2, &["at least one cloud"]);
    assert_eq!(stdout(&run(&["betti", &square, "--scale", "inf"])), "1 0\n");
    refused(&run(&["barcode", &square, "--plot", "x.pdf"]), 2, &["x.pdf", ".svg, .png or .html"]);
    refused(&run(&["barcode", &square, "-o", "/nonexistent/x.json"]), 2, &["/nonexistent/x.json"]);
    refused(&run(&["barcode", &square, "--engine", "cpu", "--adapter", "0"]), 2, &["--adapter"]);
    refused(&run(&["barcode", &square, "--adapter", "no such card"]), 2, &["no such card"]);
}

#[test]
fn no_adapter_is_explained_and_auto_goes_on() {
    let f = Folder::new();
    let square = f.write("square.csv", SQUARE);
    let blind = |engine: &str| {
        let mut c = lacuna();
        // Drivers that are not there, in the loader's old and new names.
        c.env("VK_ICD_FILENAMES", "/nonexistent.json").env("VK_DRIVER_FILES", "/nonexistent.json").env("WGPU_BACKEND", "vulkan");
        c.args(["barcode", &square, "--engine", engine]).output().unwrap()
    };
    refused(&blind("gpu"), 2, &["no GPU adapter", "mesa-vulkan-drivers", "--engine cpu"]);
    let o = blind("auto");
    assert!(stdout(&o).contains("\"cpu\""));
    assert!(String::from_utf8_lossy(&o.stderr).contains("engine: cpu on"), "auto says what it took");
}

#[test]
fn a_cloud_beyond_the_device_is_explained() {
    let devices: serde_json::Value = serde_json::from_str(&stdout(&run(&["devices", "--json"]))).unwrap();
    let most = devices["adapters"][0]["max_points"].as_u64().unwrap() as usize;
    let f = Folder::new();
    let file = f.write("large.csv", (0..=most).map(|i| format!("{i}\n")).collect::<String>());
    let o = run(&["barcode", &file, "--engine", "gpu", "--dim", "0", "--metric", "cityblock"]);
    refused(&o, 2, &[&format!("{} points", most + 1), "bytes", &most.to_string(), "--engine cpu"]);
    // Euclidean distances of points of few dimensions need no table, so the native engine steps in.
    let o = run(&["barcode", &file, "--engine", "gpu", "--json"]);
    assert!(stdout(&o).contains("\"cpu\""), "{}", stdout(&o));
    let file = f.write("huge.csv", (0..65_536).map(|i| format!("{i}\n")).collect::<String>());
    let o = run(&["barcode", &file, "--engine", "cpu", "--metric", "cityblock"]);
    refused(&o, 2, &["65536 points", "65535", "--max-points"]);
    let o = run(&["barcode", &file, "--engine", "cpu", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&stdout(&o)).unwrap();
    assert_eq!((found["bars"]["0"].as_array().unwrap().len(), found["bars"]["1"].as_array().unwrap().len()), (65_536, 0));
}

#[cfg(feature = "nn")]
mod networks {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::path::Path;
    use std::process::Stdio;

    const SMALL: [&str; 8] = ["--filters", "4,6", "--hidden", "16", "--batch", "100", "--engine", "cpu"];

    fn json(path: &Path) -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    fn train(out: &Path, more: &[&str]) -> Output {
        lacuna().args(["train", "--out"]).arg(out).args(SMALL).args(more).output().unwrap()
    }

    #[test]
    fn unknown_data_is_explained() {
        let f = Folder::new();
        let out = f.path("run");
        refused(&train(&out, &["--data", "imagenet"]), 2, &["imagenet", "fashion-mnist"]);
        refused(&train(&out, &["--data-dir", "/nonexistent"]), 2, &["/nonexistent", "no such folder"]);
        let dir = f.0.path().to_str().unwrap();
        refused(&train(&out, &["--data-dir", dir]), 2, &[dir, "train-images-idx3-ubyte"]);
        for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
            f.write(name, [0u8, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 28, 0, 0, 0, 28, 1, 2, 3]);
        }
        refused(&train(&out, &["--data-dir", dir]), 2, &["train-images-idx3-ubyte", "truncated"]);
        refused(&train(&out, &["--activation", "rleu"]), 2, &["rleu", "relu"]);
        refused(&train(&out, &["--filters", "0"]), 2, &["filter"]);
        refused(&train(&out, &["--filters", "4,4,4,4,4,4"]), 2, &["does not fit"]);
        refused(&train(&out, &["--depth", "3"]), 2, &["--depth"]);
        refused(&train(&out, &["--momentum", "0.5"]), 2, &["--momentum"]);
        refused(&train(&out, &["--weight-decay", "nan"]), 2, &["weight decay"]);
        refused(&train(&out, &["--epochs", "0"]), 2, &["epoch"]);
        assert!(!out.exists(), "nothing is left of runs that could not begin");
        refused(&run(&["prune", "/nonexistent", "--out", out.to_str().unwrap()]), 2, &["/nonexistent", "no such run"]);
    }

    #[test]
    fn a_run_is_trained_pruned_and_pruned_again() {
        let f = Folder::new();
        let (a, b, c) = (f.path("a"), f.path("b"), f.path("c"));
        let told = stdout(&train(&a, &["--epochs", "1", "--seed", "3"]));
        assert!(told.contains("on 1000 test samples after 1 epoch"), "{told}");
        for name in ["config.json", "arch.json", "weights.safetensors", "metrics.jsonl", "accuracy.svg", "engine.json"] {
            assert!(a.join(name).is_file(), "{name}");
        }
        refused(&train(&a, &[]), 2, &["holds a run already", "--resume"]);
        let prune = |from: &Path, out: &Path, more: &[&str]| {
            lacuna().arg("prune").arg(from).arg("--out").arg(out).args(["--engine", "cpu"]).args(more).output().unwrap()
        };
        refused(&prune(&a, &b, &["--by", "l1", "--ratio", "1"]), 2, &["ratio"]);
        refused(&prune(&a, &b, &["--by", "l1", "--above", "3"]), 2, &["--above"]);
        refused(&prune(&a, &b, &["--samples", "6001"]), 2, &["6001"]);
        refused(&prune(&a, &b, &["--by", "l1", "--samples", "5"]), 2, &["--samples"]);
        refused(&prune(&a, &b, &["--by", "betti", "--above", "nan"]), 2, &["--above"]);
        refused(&prune(&a, &b, &["--resume"]), 2, &["no such run"]);
        assert_eq!(f.names(), ["a"], "a refused pruning leaves nothing");
        let told = stdout(&prune(&a, &b, &["--by", "betti", "--above", "30", "--samples", "64", "--recover", "1"]));
        assert!(told.contains("after the cut") && told.contains("recovered"), "{told}");
        let outcome = json(&b.join("prune.json"));
        let kept: Vec<usize> =
            outcome["layers"].as_array().unwrap().iter().map(|l| l["kept"].as_array().unwrap().len()).collect();
        assert!(kept[0] < 4 || kept[1] < 6, "{kept:?}");
        assert!(outcome["recovered"]["parameters"].as_u64() < outcome["before"]["parameters"].as_u64());
        assert_eq!(json(&b.join("arch.json"))["layers"][0]["output"], kept[0]);
        refused(&prune(&a, &b, &[]), 2, &["holds a run already"]);
        // A pruned run is a run.
        let told = stdout(&prune(&b, &c, &["--by", "random", "--ratio", "0.5", "--json"]));
        let again: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(again["before"]["accuracy"], outcome["recovered"]["accuracy"], "it loads again and answers the same");
        // A damaged run is explained.
        fs::write(c.join("weights.safetensors"), b"nothing").unwrap();
        refused(&prune(&c, &f.path("d"), &[]), 2, &["weights.safetensors"]);
        fs::write(c.join("arch.json"), "{").unwrap();
        refused(&prune(&c, &f.path("d"), &[]), 2, &["arch.json, line 1"]);
    }

    #[test]
    fn an_interrupted_run_goes_on() {
        let f = Folder::new();
        let out = f.path("run");
        let mut child = lacuna()
            .args(["train", "--out"])
            .arg(&out)
            .args(SMALL)
            .args(["--epochs", "400"])
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        lines.find(|l| l.starts_with("epoch 1:")).expect("the first epoch is told");
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let rest: Vec<String> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
        assert!(rest.iter().any(|l| l.contains("saved, to be resumed from there (see --resume)")), "{rest:?}");
        let done = fs::read_to_string(out.join("metrics.jsonl")).unwrap().lines().count();
        assert!(out.join("checkpoint/state.json").is_file());
        let total = (done + 1).to_string();
        let resume = |more: &[&str]| {
            lacuna().args(["train", "--engine", "cpu", "--resume", "--out"]).arg(&out).args(more).output().unwrap()
        };
        refused(&resume(&["--epochs", "0"]), 2, &["through already"]);
        assert_eq!(resume(&["--lr", "1"]).status.code(), Some(2), "a resumed run keeps its options");
        let o = resume(&["--epochs", &total]);
        assert!(stdout(&o).contains(&format!("after {total} epochs")));
        assert!(String::from_utf8_lossy(&o.stderr).contains(&format!("going on after epoch {done}")));
    }

    /// A file system that takes no more: the limit on file sizes stands in for a full disk, which a
    /// test cannot make.
    #[cfg(unix)]
    #[test]
    fn a_full_disk_is_explained_and_leaves_nothing_half_written() {
        let f = Folder::new();
        let out = f.path("run");
        let script = format!("trap '' XFSZ; ulimit -f 8; exec '{}' \"$@\"", env!("CARGO_BIN_EXE_lacuna"));
        let limited = |arguments: &[&str]| Command::new("bash").args(["-c", &script, "lacuna"]).args(arguments).output().unwrap();
        let arguments = [&["train", "--epochs", "1", "--out", out.to_str().unwrap()], &SMALL[..]].concat();
        refused(&limited(&arguments), 1, &["checkpoint.new/model.bpk", "cannot write", "large"]);
        let names: Vec<String> = fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        let half =
            |n: &String| n.contains("tmp") || n.contains("checkpoint") || n == "weights.safetensors" || n == "metrics.jsonl";
        assert!(!names.iter().any(half), "{names:?}");
        // With room again the same folder goes on.
        let o = lacuna().args(["train", "--engine", "cpu", "--resume", "--out"]).arg(&out).output().unwrap();
        assert!(stdout(&o).contains("after 1 epoch"));
        let square = f.write("many.csv", (0..900).map(|i| format!("{},{}\n", (i * i) % 97, i % 31)).collect::<String>());
        let answer = f.path("answer.json");
        refused(&limited(&["barcode", &square, "-o", answer.to_str().unwrap()]), 1, &["answer.json", "cannot write"]);
        assert!(!answer.exists() && !f.names().iter().any(|n| n.contains("tmp")));
    }
}

#[test]
fn points_with_known_betti_numbers() {
    let f = Folder::new();
    let path = |name: &str| f.path(name).to_str().unwrap().to_string();
    let (npy, csv, plot) = (path("d.npy"), path("s.csv"), path("d.png"));
    let o = run(&["data", "make", "disks", "--copies", "75", "--out", &npy, "--plot", &plot]);
    assert!(stdout(&o).contains("inside (75, 0, 0), outside (1, 75, 0); 151 in all"), "{}", stdout(&o));
    assert!(f.path("d-labels.npy").exists() && f.path("d.png").exists());
    // The points of one class are what the engine takes; Naitzat's procedure finds the true
    // numbers.
    let rings = path("r.npy");
    stdout(&run(&["data", "make", "rings", "--points", "9000", "--class", "1", "--out", &rings]));
    let o = run(&["betti", &rings, "--metric", "knn-hops", "--k", "14", "--scale", "2", "--quiet"]);
    assert_eq!(stdout(&o).trim(), "9 9");
    let o = run(&["data", "make", "spheres", "--density", "100", "--noise", "0.01", "--out", &csv, "--json"]);
    let made: serde_json::Value = serde_json::from_str(&stdout(&o)).unwrap();
    assert_eq!((made["points"].as_u64(), made["total_betti"].as_u64()), (Some(900), Some(54)));
    let line = fs::read_to_string(f.path("s.csv")).unwrap().lines().next().unwrap().to_string();
    assert_eq!(line.split(',').count(), 4);
    assert!(stdout(&run(&["data", "list"])).contains("(18, 0, 18)"));
    for (arguments, says) in [
        (vec!["data", "make", "cubes", "--out", &npy], "use one of disks"),
        (vec!["data", "make", "disks", "--out", "d.txt"], ".npy or .csv"),
        (vec!["data", "make", "disks", "--margin", "3", "--out", &npy], "margin"),
    ] {
        refused(&run(&arguments), 2, &[says]);
    }
}

#[cfg(feature = "nn")]
#[test]
fn activations_are_listed() {
    let table = stdout(&run(&["activations"]));
    assert!(table.contains("parametric-split") && table.contains("cabs = fold:1,1"));
    let o = run(&["activations", "s-exp", "--sigma-b2", "0.1", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&stdout(&o)).unwrap();
    assert!((answer[0]["edge_of_chaos"]["weights"].as_f64().unwrap() - 1.0408).abs() < 1e-3);
    let o = run(&["activations", "rleu"]);
    assert_eq!(o.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&o.stderr).contains("leaky_relu"));
}

/// The activation that is taken unasked is the one found best for the data.
#[cfg(feature = "nn")]
#[test]
fn the_default_activation_goes_by_the_data() {
    let f = Folder::new();
    let small = ["--epochs", "1", "--batch", "500", "--engine", "cpu", "--quiet"];
    for (name, what, activation, init) in [
        ("a", ["--data", "disks", "--model", "mlp"].as_slice(), "fold:1,1", "own"),
        ("b", &["--model", "cnn", "--filters", "2", "--hidden", "4"], "relu", "own"),
        ("c", &["--model", "cnn", "--filters", "2", "--hidden", "4", "--activation", "fold:0.2,1"], "fold:0.2,1", "own"),
        ("d", &["--model", "mlp", "--depth", "2", "--width", "4"], "relu", "own"),
    ] {
        let out = f.path(name);
        let o = run(&[&["train"], what, &small, &["--out", out.to_str().unwrap()]].concat());
        assert!(o.status.success(), "{}", String::from_utf8_lossy(&o.stderr));
        let config: serde_json::Value = serde_json::from_str(&fs::read_to_string(out.join("config.json")).unwrap()).unwrap();
        assert_eq!((config["activation"].as_str(), config["init"].as_str()), (Some(activation), Some(init)), "{name}");
    }
}

#[cfg(feature = "nn")]
#[test]
fn a_run_is_traced_after_every_epoch_and_afterwards() {
    let f = Folder::new();
    let out = f.path("run");
    let folder = out.to_str().unwrap();
    let train = ["train", "--data", "disks", "--model", "mlp", "--depth", "3", "--width", "6", "--activation", "fold:0.8"];
    let rest =
        ["--learn-activation", "--batch", "500", "--epochs", "2", "--trace", "--points", "200", "--k", "8", "--out", folder];
    let o = run(&[&train[..], &rest[..]].concat());
    assert!(o.status.success(), "{}", String::from_utf8_lossy(&o.stderr));
    let trace = |name: &str| serde_json::from_str::<serde_json::Value>(&fs::read_to_string(out.join(name)).unwrap()).unwrap();
    assert_eq!(trace("trace.json")["snapshots"].as_array().unwrap().len(), 2);
    let o = run(&["trace", folder, "--live", "--epochs", "3", "--points", "200", "--k", "8", "--json"]);
    let live: serde_json::Value = serde_json::from_str(&stdout(&o)).unwrap();
    let snapshots = live["snapshots"].as_array().unwrap();
    assert_eq!(snapshots.len(), 3);
    let layers = snapshots[2]["classes"][1]["layers"].as_array().unwrap();
    assert_eq!((layers.len(), layers[0]["layer"].as_str(), layers[3]["layer"].as_str()), (4, Some("input"), Some("logits")));
    let page = fs::read_to_string(out.join("trace.html")).unwrap();
    assert!(page.contains("epoch 3") && page.contains("film") && out.join("betti-heat.svg").exists());
    let other = f.path("other");
    let o = run(&["trace", folder, "--scale", "0.4", "--split", "predicted", "--classes", "1", "--out", other.to_str().unwrap()]);
    assert!(o.status.success(), "{}", String::from_utf8_lossy(&o.stderr));
    assert!(stdout(&o).contains("outside") && other.join("layer-0.svg").exists());
    for (arguments, says) in [
        (vec!["trace", folder, "--k", "5000"], "5000 nearest neighbours of 1500 points"),
        (vec!["trace", folder, "--classes", "2", "--out", other.to_str().unwrap()], "there is no class 2"),
        (vec!["trace", folder], "holds the trace of several epochs"),
        (vec!["trace", folder, "--live", "--epochs", "1"], "3 epochs are through already"),
        (vec!["trace", folder, "--live", "--points", "200", "--k", "9"], "another procedure"),
        (vec!["trace", "nowhere"], "no such run"),
    ] {
        refused(&run(&arguments), 2, &[says]);
    }
}

#[cfg(feature = "nn")]
#[test]
fn experiments_write_reports_and_go_on() {
    let f = Folder::new();
    let (convergence, decay) = (f.path("convergence-quick"), f.path("betti-decay"));
    let few = ["--quick", "--only", "disks", "--activations", "relu;cabs", "--seeds", "2", "--limit", "60", "--rates", "0.01"];
    let o = run(&[&["experiment", "convergence", "--out", convergence.to_str().unwrap()], &few[..]].concat());
    assert!(o.status.success(), "{}", String::from_utf8_lossy(&o.stderr));
    assert!(stdout(&o).contains("| cabs"), "{}", stdout(&o));
    let raw = fs::read_to_string(convergence.join("results.jsonl")).unwrap();
    assert_eq!(raw.lines().count(), 2 * (2 + 2));
    let o = run(&[&["experiment", "betti-decay", "--out", decay.to_str().unwrap()], &few[..]].concat());
    assert!(stdout(&o).contains("Rank correlation") && decay.join("report.html").exists());
    assert_eq!(fs::read_to_string(convergence.join("results.jsonl")).unwrap(), raw, "what is there is not run again");
    for (arguments, says) in [
        (vec!["experiment", "convergence", "--only", "cubes"], "no task"),
        (vec!["experiment", "convergence", "--rates", "-1"], "above 0"),
        (vec!["experiment", "images", "--activations", "rleu"], "unknown activation"),
        (vec!["experiment", "images", "--train", "0"], "--train must be from 10"),
        (vec!["experiment", "images", "--screening", "0"], "--screening must be from 1"),
        (vec!["experiment", "folded", "--screening", "2"], "--screening does not apply to folded"),
        (vec!["experiment", "folded", "--quick", "--data-dir", "nowhere"], "holds neither jsb-chorales nor fashion-mnist"),
        (vec!["experiment", "folded", "--quick", "--only", "chorales"], "chorales (with --data-dir)"),
        (vec!["experiment", "images", "--data-dir", "nowhere"], "holds none of the folders"),
        (vec!["experiment", "convergence", "--seeds", "99999999999"], "--seeds must be from 1 to 1000"),
    ] {
        refused(&run(&arguments), 2, &[says]);
    }
}

/// What a first user tries: files of every origin, from stdin too, and one clear line where
/// something was assumed.
#[test]
fn files_are_read_as_they_are_meant() {
    let f = Folder::new();
    let bars =
        |arguments: &[&str]| stdout(&run(&[&["barcode", "--engine", "cpu", "--output-format", "csv"], arguments].concat()));
    let square = f.write("square.csv", SQUARE);
    let want = bars(&[&square]);
    // From a pipe.
    let mut child = lacuna();
    child.args(["barcode", "-", "--engine", "cpu", "--output-format", "csv", "-q"]);
    child.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = child.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), SQUARE.as_bytes()).unwrap();
    assert_eq!(stdout(&child.wait_with_output().unwrap()), want);
    // A distance matrix is noticed, and said.
    let r = std::f64::consts::SQRT_2;
    let matrix = f.write("d.csv", format!("0,1,{r},1\n1,0,1,{r}\n{r},1,0,1\n1,{r},1,0\n"));
    let o = run(&["barcode", &matrix, "--engine", "cpu", "--output-format", "csv"]);
    assert_eq!(stdout(&o), want);
    let said = String::from_utf8_lossy(&o.stderr);
    assert!(said.contains("read as distances") && said.contains("--format points"), "{said}");
    assert_ne!(bars(&[&matrix, "--format", "points"]), want);
    refused(&run(&["barcode", &matrix, "--metric", "cosine"]), 2, &["--format points"]);
    // Columns by name below a line of words, far from the origin.
    let far: String = SQUARE
        .lines()
        .map(|l| {
            let (x, y) = l.split_once(',').unwrap();
            format!("p,{},{y}\n", 1.7e9 + x.parse::<f64>().unwrap())
        })
        .collect();
    let table = f.write("t.csv", format!("made in 2026\nid,time,y\n{far}"));
    let o = run(&["barcode", &table, "--skip", "1", "--columns", "time,y", "--engine", "cpu", "--output-format", "csv"]);
    assert_eq!(stdout(&o), want);
    assert!(String::from_utf8_lossy(&o.stderr).contains("the first line names the columns: time, y"));
    assert_eq!(bars(&[&square, "--metric", "l1"]), bars(&[&square, "--metric", "cityblock"]));
    // What would be another number is refused, and no file colours the terminal.
    let german = f.write("g.csv", "\"1,5\",\"2,5\"\n\"1,7\",\"0\"\n");
    refused(&run(&["barcode", &german]), 2, &["line 1", "comma inside the number"]);
    let escape = f.write("e.csv", "1,2\n\u{1b}[31mred,2\n");
    let o = run(&["barcode", &escape]);
    refused(&o, 2, &["\\u{1b}[31mred"]);
    assert!(!o.stderr.contains(&0x1b));
    let large = f.write("l.csv", "1e30\n-1e30\n");
    refused(&run(&["barcode", &large, "--metric", "sqeuclidean"]), 2, &["beyond the numbers of 32 bits"]);
}

#[test]
fn estimates_speak_to_people_and_to_programs() {
    let f = Folder::new();
    let points: String =
        (0..3000).map(|i| format!("{},{}\n", (f64::from(i) * 0.37).sin(), (f64::from(i) * 0.91).cos())).collect();
    let file = f.write("p.csv", &points);
    let said = stdout(&run(&["barcode", &file, "--estimate", "--engine", "cpu"]));
    assert!(said.starts_with("3000 points up to dimension 1 take at most ") && said.contains("samples of up to"), "{said}");
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&run(&["barcode", &file, "--estimate", "--json", "--engine", "cpu"]))).unwrap();
    assert_eq!((&json["points"], &json["fits"]), (&3000.into(), &true.into()));
    let said = stdout(&run(&["barcode", &file, "--estimate", "--dim", "3", "--max-points", "2900", "--engine", "cpu"]));
    assert!(said.contains("does not fit") || said.contains("samples of up to"), "{said}");
}

#[test]
fn threads_are_capped() {
    let f = Folder::new();
    let square = f.write("square.csv", SQUARE);
    let cores = std::thread::available_parallelism().unwrap().get();
    let o = lacuna().args(["barcode", &square, "--engine", "cpu"]).env("RAYON_NUM_THREADS", "100000").output().unwrap();
    let answer: serde_json::Value = serde_json::from_str(&stdout(&o)).unwrap();
    assert_eq!(answer["engine"]["adapter"], format!("{} threads", 4 * cores));
    assert!(String::from_utf8_lossy(&o.stderr).contains("100000 threads were asked for"));
    let o = run(&["barcode", &square, "--engine", "cpu", "--threads", "1", "-q"]);
    let answer: serde_json::Value = serde_json::from_str(&stdout(&o)).unwrap();
    assert_eq!(answer["engine"]["adapter"], "1 thread");
    assert!(o.stderr.is_empty());
    refused(&run(&["barcode", &square, "--threads", "0"]), 2, &["--threads must be at least 1"]);
}

/// SIGTERM saves like Ctrl-C, and a folder that is worked on is not touched by a second process.
#[cfg(all(unix, feature = "nn"))]
#[test]
fn a_run_is_kept_on_sigterm_and_from_others() {
    let f = Folder::new();
    let out = f.path("run");
    let out = out.to_str().unwrap();
    let arguments = ["train", "--data", "disks", "--model", "mlp", "--epochs", "100000", "--engine", "cpu", "--out", out];
    let mut first =
        lacuna().args(arguments).stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let weights = f.path("run").join("weights.safetensors");
    while !weights.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(first.try_wait().unwrap().is_none());
    }
    let second = run(&["train", "--resume", "--out", out]);
    refused(&second, 2, &["is being worked on by process", &first.id().to_string()]);
    assert!(Command::new("kill").arg(first.id().to_string()).status().unwrap().success());
    let ended = first.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("saved, to be resumed from there (see --resume)"), "{said}");
    assert_eq!(f.names(), ["run"], "no lock is left");
    // A flipped bit in the checkpoint is noticed.
    let model = f.path("run").join("checkpoint").join("optimiser.bpk");
    let mut bytes = fs::read(&model).unwrap();
    let last = bytes.len() - 9;
    bytes[last] ^= 4;
    fs::write(&model, bytes).unwrap();
    refused(&run(&["train", "--resume", "--out", out]), 2, &["optimiser.bpk", "its checksum is another one"]);
    let taken = run(&["train", "--data", "disks", "--model", "mlp", "--epochs", "1", "--engine", "cpu", "--out", out]);
    refused(&taken, 2, &["--force"]);
    let again = run(&["train", "--data", "disks", "--model", "mlp", "--epochs", "1", "--engine", "cpu", "--out", out, "--force"]);
    assert!(stdout(&again).contains("after 1 epoch"));
}

/// One's own table: trained on, judged, asked about new rows, and the run says what the network has
/// to know of its data.
#[cfg(feature = "nn")]
#[test]
fn a_table_of_ones_own() {
    let f = Folder::new();
    let kind = |i: usize| ["setosa", "virginica", "wild, other"][i % 3];
    let row = |i: usize| {
        let wave = |k: f64| (i as f64 * k).sin();
        format!(
            "{:.4},{:.4},{:.4}",
            1000.0 + 3.0 * (i % 3) as f64 + wave(1.3),
            0.01 * wave(0.7),
            5.0 * (i % 3) as f64 + wave(2.1)
        )
    };
    let rows: String = (0..240).map(|i| format!("{},\"{}\"\n", row(i), kind(i))).collect();
    let table = f.write("t.csv", format!("length,\"width, cm\",area,kind\n{rows}"));
    let out = f.path("run").display().to_string();
    let train = |more: &[&str]| {
        run(&[
            &[
                "train", "--data", &table, "--epochs", "30", "--batch", "16", "--lr", "0.01", "--engine", "cpu", "--out", &out,
                "-q",
            ],
            more,
        ]
        .concat())
    };
    refused(&train(&[]), 2, &["--label COLUMN"]);
    refused(&train(&["--label", "sort"]), 2, &["no column 'sort'", "width, cm"]);
    let said = stdout(&train(&["--label", "kind", "--depth", "3", "--activation", "relu"]));
    assert!(said.contains("on 48 test samples"), "{said}");
    let config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(f.path("run").join("config.json")).unwrap()).unwrap();
    assert_eq!(config["classes"], serde_json::json!(["setosa", "virginica", "wild, other"]));
    assert_eq!(config["columns"], serde_json::json!(["length", "width, cm", "area"]));
    let mean = config["normalisation"]["mean"][0].as_f64().unwrap();
    assert!((mean - 1003.0).abs() < 0.5, "{mean}");
    let found: serde_json::Value = serde_json::from_str(&stdout(&run(&["evaluate", &out, "--json", "--engine", "cpu"]))).unwrap();
    assert_eq!(found["samples"], 48);
    assert!(found["accuracy"].as_f64().unwrap() > 0.9, "{found}");
    assert!(said.contains(&format!("{:.2} %", 100.0 * found["accuracy"].as_f64().unwrap())), "{said}");
    // What nothing is said about suffices, too.
    let plain = f.path("plain").display().to_string();
    stdout(&run(&["train", "--data", &table, "--label", "kind", "--engine", "cpu", "--out", &plain]));
    let judged: serde_json::Value =
        serde_json::from_str(&stdout(&run(&["evaluate", &plain, "--json", "--engine", "cpu"]))).unwrap();
    assert!(judged["accuracy"].as_f64().unwrap() > 0.9, "{judged}");
    let text = stdout(&run(&["evaluate", &out, "--engine", "cpu"]));
    assert!(text.contains("wild, other") && text.contains("certainty"), "{text}");
    // New rows, with a label that is passed over; in another order of columns, by their names.
    let new = f.write(
        "new.csv",
        format!("kind,area,length,\"width, cm\"\n?,{}\n", {
            let r = row(1);
            let c: Vec<&str> = r.split(',').collect();
            format!("{},{},{}", c[2], c[0], c[1])
        }),
    );
    let answer = stdout(&run(&["predict", &out, &new, "--engine", "cpu"]));
    assert!(answer.starts_with("file,row,class,probability\n") && answer.contains(",0,virginica,"), "{answer}");
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&run(&["predict", &out, &new, "--json", "--engine", "cpu"]))).unwrap();
    let sum: f64 = json[0]["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9 && json[0]["class"] == "virginica");
    let narrow = f.write("narrow.csv", "1,2\n");
    refused(
        &run(&["predict", &out, &narrow, "--engine", "cpu"]),
        2,
        &["narrow.csv", "the network takes 3: length, width, cm, area"],
    );
}

#[test]
fn help_that_helps() {
    assert!(stdout(&run(&["completions", "bash"])).contains("_lacuna"));
    assert!(stdout(&run(&["man"])).contains(".TH lacuna"));
    assert!(stdout(&run(&["man", "barcode"])).contains("threshold"));
    let f = Folder::new();
    let square = f.write("s.csv", SQUARE);
    refused(&run(&["barcode", &square, "--metric", "euclidian"]), 2, &["did you mean 'euclidean'?"]);
}

#[cfg(feature = "nn")]
#[test]
fn lists_fit_the_terminal() {
    for arguments in [&["activations"][..], &["activations", "fold:0.2"], &["experiment"]] {
        let text = stdout(&run(arguments));
        assert!(text.lines().all(|l| l.chars().count() <= 100), "{arguments:?}: {text}");
    }
    assert!(stdout(&run(&["activations", "fold:0.2"])).starts_with("fold:0.2"));
    assert!(stdout(&run(&["experiment"])).contains("convergence"));
}

/// The course of the learning rate, early stopping, and the table of runs.
#[cfg(feature = "nn")]
#[test]
fn courses_of_training_and_the_table_of_runs() {
    let f = Folder::new();
    let train = |name: &str, more: &[&str]| {
        let out = f.path("runs").join(name).display().to_string();
        run(&[&["train", "--data", "disks", "--depth", "4", "--batch", "500", "--engine", "cpu", "--out", &out], more].concat())
    };
    let metrics = |name: &str| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(f.path("runs").join(name).join("metrics.jsonl")).unwrap();
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    };
    stdout(&train("cycle", &["--epochs", "10", "--schedule", "one-cycle", "--lr", "0.01", "--tensorboard"]));
    let events = || {
        fs::read_dir(f.path("runs/cycle"))
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().to_string_lossy().contains("tfevents"))
            .count()
    };
    assert_eq!(events(), 1);
    let rates: Vec<f64> = metrics("cycle").iter().map(|m| m["rate"].as_f64().unwrap()).collect();
    let top = (0..10).max_by(|&a, &b| rates[a].total_cmp(&rates[b])).unwrap();
    assert!((2..=4).contains(&top) && rates[top] > 0.009 && rates[9] < 0.001 && rates[0] < rates[top], "{rates:?}");
    assert!(metrics("cycle").iter().all(|m| m["test_loss"].as_f64().unwrap() > 0.0));
    for file in ["loss.svg", "accuracy.svg", "train.html"] {
        assert!(f.path("runs").join("cycle").join(file).exists(), "{file}");
    }
    // A course is laid out over its epochs: it cannot be made longer afterwards.
    let out = f.path("runs").join("cycle").display().to_string();
    refused(&run(&["train", "--resume", "--out", &out, "--epochs", "20", "--engine", "cpu"]), 2, &["laid out over 10 epochs"]);
    // Far too large a rate: nothing gets better for long, and the best epoch's weights stay.
    let said = train("early", &["--epochs", "400", "--patience", "3", "--lr", "0.3"]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    let last = stdout(&said);
    let all = metrics("early");
    let losses: Vec<f64> = all.iter().map(|m| m["validation_loss"].as_f64().unwrap()).collect();
    let best = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap();
    assert!(all.len() < 400 && all.len() == best + 4, "{} epochs, best {best}", all.len());
    assert!(text.contains(&format!("those of epoch {}", best + 1)) && text.contains("samples/s"), "{text}");
    let accuracy = 100.0 * all[best]["test_accuracy"].as_f64().unwrap();
    assert!(last.contains(&format!("{accuracy:.2} %")), "{last}");
    let out = f.path("runs").join("early").display().to_string();
    let judged: serde_json::Value =
        serde_json::from_str(&stdout(&run(&["evaluate", &out, "--json", "--engine", "cpu"]))).unwrap();
    assert!((100.0 * judged["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-9, "the weights are the best epoch's");
    refused(&train("bad", &["--schedule", "cosin"]), 2, &["did you mean 'cosine'?"]);
    refused(&train("bad", &["--epochs", "3", "--warm-up", "3"]), 2, &["leaves none"]);
    refused(&train("bad", &["--warm-up", "-1"]), 2, &["--warm-up <", "'-1' is not a whole number"]);
    refused(&run(&["experiment", "active-learning", "--quick", "--test", "0"]), 2, &["--test must be from 1"]);
    // What private training cannot honour is refused, and leaves no folder.
    for (given, says) in [
        (&["--clip", "0"][..], "the clip must be"),
        (&["--noise", "-1"], "the noise must be"),
        (&["--delta", "1"], "delta must be"),
        (&["--epsilon", "0.0001"], "cannot be reached"),
        (&["--patience", "2"], "--patience"),
    ] {
        refused(&train("bad", &[&["--private"], given].concat()), 2, &[says]);
        assert!(!f.path("runs").join("bad").join("config.json").exists(), "{given:?}");
    }
    let out = f.path("runs").join("bad").display().to_string();
    refused(&run(&["train", "--private", "--engine", "cpu", "--out", &out]), 2, &["mixes the samples", "--no-norm"]);
    let said = train("private", &["--private", "--epsilon", "4", "--epochs", "2"]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    let spent = metrics("private")[1]["epsilon"].as_f64().unwrap();
    assert!(spent <= 4.0 && spent > 3.9 && text.contains(&format!("epsilon {spent:.3} at delta 1e-5 spent")), "{text}");
    // The epsilon that a run was begun with holds for its later epochs too.
    let private = f.path("runs").join("private").display().to_string();
    let resumed = |more: &[&str]| run(&[&["train", "--resume", "--out", &private, "--engine", "cpu"], more].concat());
    refused(&resumed(&["--epochs", "9"]), 2, &["9 epochs would spend", "begun with --epsilon 4", "enough for 2 epochs"]);
    for option in ["--clip", "--noise", "--epsilon", "--delta", "--noise-seed"] {
        let said = resumed(&[option, "1"]);
        assert!(said.status.code() == Some(2) && String::from_utf8_lossy(&said.stderr).contains(option), "{said:?}");
    }
    let from = |more: &[&str]| {
        let out = f.path("runs").join("later").display().to_string();
        let said =
            run(&[&["train", "--from", &private, "--out", &out, "--epochs", "1", "--force", "--engine", "cpu"], more].concat());
        String::from_utf8_lossy(&said.stderr).into_owned()
    };
    assert!(from(&[]).contains("was private; this one is not"));
    assert!(from(&["--private"]).contains(&format!("has spent an epsilon of {spent:.3}")));
    let page = fs::read_to_string(f.path("runs").join("private").join("train.html")).unwrap();
    assert!(page.contains(&format!("spent an epsilon of {spent:.3} at delta 1e-5")), "{page}");
    let table = stdout(&run(&["runs", f.path("runs").to_str().unwrap()]));
    assert!(table.contains(&format!("| {spent:>7.3} |")), "{table}");
    assert!(table.contains("| cycle") && table.contains("| early") && table.contains(" *"), "{table}");
    refused(&run(&["runs", f.path("nowhere").to_str().unwrap()]), 2, &["no such folder"]);
}
