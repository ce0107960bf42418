//! Shared by the integration tests: the golden barcodes, their comparison rule, random clouds, a
//! GPU engine.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "each test file uses a part of it, and ends where it fails")]

use lacuna::data::points::{InputFormat, read_cloud};
use lacuna::gpu::{AdapterChoice, Gpu};
use lacuna::topology::{Bar, Barcode, Cloud, Engine, Metric, Options, PointCloud};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The GPU engine. Its absence is a failure: a test that skips itself proves nothing.
pub fn gpu_engine() -> Engine {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    let open = || Gpu::open(&AdapterChoice::Best).expect("the tests need an adapter: install mesa-vulkan-drivers");
    Engine::on(GPU.get_or_init(open).clone())
}

pub fn cloud_of(seed: u64, n: usize, d: usize) -> PointCloud {
    let mut rng = StdRng::seed_from_u64(seed);
    PointCloud::new(n, d, (0..n * d).map(|_| rng.random::<f32>()).collect()).unwrap()
}

/// A golden case.
pub struct Case {
    pub name: String,
    pub cloud: Cloud,
    pub options: Options,
    pub bars: Vec<Vec<Bar>>,
    pub tolerance: f64,
}

pub fn golden_cases() -> Vec<Case> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/oracle"));
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let dir = entry.unwrap().path();
        let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(dir.join("barcode.json")).unwrap()).unwrap();
        let (file, format) = match json["input"].as_str().unwrap() {
            "points" => ("points.csv", InputFormat::PointCloud),
            "distances" => ("lower.csv", InputFormat::LowerDistance),
            _ => ("edges.csv", InputFormat::Sparse),
        };
        let metric = Metric::parse(json["metric"].as_str().unwrap()).unwrap_or_default();
        let threshold = json["threshold"].as_f64().map(|t| t as f32);
        let max_dim = json["maxdim"].as_u64().unwrap() as usize;
        let bars = (0..=max_dim).map(|d| {
            let list = json["bars"][d.to_string()].as_array().unwrap();
            let end = |v: &serde_json::Value| v.as_f64().map_or(f32::INFINITY, |x| x as f32);
            list.iter().map(|b| Bar { birth: end(&b[0]), death: end(&b[1]) }).collect()
        });
        let name = json["name"].as_str().unwrap().to_string();
        // Coordinates of order 1000 lose digits in f32 before any engine sees them.
        let tolerance = if name == "offset_1e3_80" { 1e-4 } else { 1e-6 };
        let cloud = read_cloud(&dir.join(file), &format.into()).unwrap().cloud;
        assert_eq!(cloud.len() as u64, json["n"].as_u64().unwrap());
        cases.push(Case {
            name,
            cloud,
            options: Options::default().max_dim(max_dim).metric(metric).threshold(threshold),
            bars: bars.collect(),
            tolerance,
        });
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// The rule of the golden set: bars match one to one within the tolerance at both ends; bars no
/// longer than twice the tolerance may stay alone. Says what does not fit.
pub fn disagreement(want: &[Vec<Bar>], got: &Barcode, tolerance: f64) -> Option<String> {
    let scale = want.iter().flatten().flat_map(|b| [b.birth, b.death]).filter(|x| x.is_finite()).fold(0.0f32, f32::max);
    let scale = if scale == 0.0 { 1.0 } else { f64::from(scale) };
    let tol = tolerance * scale;
    for (dim, want) in want.iter().enumerate() {
        if let Some(why) = unmatched(want, &got.bars[dim], tol) {
            return Some(format!("H{dim}: {why}"));
        }
    }
    None
}

fn unmatched(want: &[Bar], got: &[Bar], tol: f64) -> Option<String> {
    let near = |a: &Bar, b: &Bar| {
        let close = |x: f32, y: f32| x == y || (f64::from(x) - f64::from(y)).abs() <= tol;
        close(a.birth, b.birth) && close(a.death, b.death)
    };
    let short = |b: &Bar| f64::from(b.length()) <= 2.0 * tol;
    // Kuhn's matching: first every long bar of `want`, then every long bar of `got` must find a
    // partner.
    let one_side = |a: &[Bar], b: &[Bar]| {
        let mut owner: Vec<Option<usize>> = vec![None; b.len()];
        for i in (0..a.len()).filter(|&i| !short(&a[i])) {
            if !augment(i, a, b, &near, &mut owner, &mut vec![false; b.len()]) {
                return Some(a[i]);
            }
        }
        None
    };
    one_side(want, got)
        .map(|b| format!("golden bar {b:?} has no partner"))
        .or_else(|| one_side(got, want).map(|b| format!("bar {b:?} is not in the golden set")))
}

fn augment(
    i: usize,
    a: &[Bar],
    b: &[Bar],
    near: &impl Fn(&Bar, &Bar) -> bool,
    owner: &mut Vec<Option<usize>>,
    seen: &mut Vec<bool>,
) -> bool {
    for j in 0..b.len() {
        if !seen[j] && near(&a[i], &b[j]) {
            seen[j] = true;
            if owner[j].is_none_or(|o| augment(o, a, b, near, owner, seen)) {
                owner[j] = Some(i);
                return true;
            }
        }
    }
    false
}

/// Stops after so many questions whether to stop.
pub struct StopAfter(pub std::cell::Cell<usize>);

impl lacuna::progress::Watch for StopAfter {
    fn at(&mut self, _: &str, _: u64, _: u64) {}
    fn note(&mut self, _: &str) {}
    fn stopped(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left == 0
    }
}
