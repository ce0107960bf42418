//! The engine for JavaScript. `web/js/worker.js` calls it in a worker; pages use `web/js/lacuna.js`.
#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Float32Array, Float64Array, Function, Int32Array, Object, Reflect, Uint32Array};
use lacuna::gpu::Gpu;
use lacuna::progress::Watch;
use lacuna::topology::{Answer, BarEdges, Cloud, DistanceMatrix, Engine, Metric, Options, PointCloud, SparseGraph, picture};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

/// Clouds that a page draws have at most so many points, and so many of their edges are drawn.
const DRAWN: (usize, usize) = (10_000, 20_000);

/// Both engines; that of the GPU if the browser has one.
#[wasm_bindgen]
pub struct Engines {
    gpu: Option<Gpu>,
    /// Why there is none.
    without: String,
}

#[wasm_bindgen]
impl Engines {
    /// Asks the browser for its GPU.
    pub async fn open(gpu: bool) -> Engines {
        std::panic::set_hook(Box::new(|info| {
            // The worker reads it: after a panic nothing of the engine is left.
            let _ = Reflect::set(&js_sys::global(), &"lacunaPanic".into(), &info.to_string().into());
        }));
        if !gpu {
            return Self { gpu: None, without: "not asked for".into() };
        }
        match Gpu::open_in_browser().await {
            Ok(gpu) => Self { gpu: Some(gpu), without: String::new() },
            Err(e) => Self { gpu: None, without: e.to_string() },
        }
    }

    /// What there is: `{gpu, adapter, software, maxPoints, why}`.
    pub fn about(&self) -> Object {
        let about = Object::new();
        set(&about, "gpu", self.gpu.is_some());
        set(&about, "why", self.without.as_str());
        if let Some(record) = self.gpu.as_ref().map(Gpu::record) {
            set(&about, "adapter", record.name.as_str());
            set(&about, "software", record.software);
            set(&about, "maxPoints", record.max_points as f64);
        }
        about
    }

    /// The barcodes of clouds, as an array.
    ///
    /// A cloud is `{numbers, features}`, of points row by row; `{numbers}`, the lower triangle of a
    /// distance matrix; or `{numbers, points, ends}`, a graph's lengths with two ends for each.
    /// Numbers are a `Float32Array` or a `Float64Array`. `request` has `dim`, `metric`, `k`,
    /// `threshold`, `maxPoints`, `cycles`, `edges`, `engine` and `tinyPools`. `progress` is called
    /// with a name and two numbers, and may return false to stop.
    ///
    /// # Errors
    /// The engine's, as text.
    pub async fn barcodes(&self, clouds: Array, request: Object, progress: Function) -> Result<Array, JsError> {
        let number = |name: &str| get(&request, name).as_f64();
        let metric = Metric::parse(&get(&request, "metric").as_string().unwrap_or_else(|| "euclidean".into()))?;
        let options = Options::default()
            .max_dim(number("dim").unwrap_or(1.0) as usize)
            .metric(metric)
            .threshold(number("threshold").map(|t| t as f32))
            .max_points(number("maxPoints").map(|n| n as usize))
            .cycles(number("cycles").unwrap_or(0.0) as usize)
            .edges(get(&request, "edges").is_truthy());
        let options = number("k").map_or(options, |k| options.k(k as usize));
        let engine = match get(&request, "engine").as_string().as_deref() {
            Some("cpu") => Engine::cpu(),
            Some("gpu") => Engine::on(self.gpu.clone().ok_or_else(|| JsError::new(&self.without))?),
            // A software GPU is the same processor, by a detour.
            _ => self.gpu.clone().filter(|gpu| !gpu.record().software).map_or_else(Engine::cpu, Engine::on),
        };
        let engine = if get(&request, "tinyPools").is_truthy() { engine.with_tiny_pools() } else { engine };
        PROGRESS.set(progress);
        let mut listener = Listener { stopped: false };
        if let [one] = &clouds.to_vec()[..] {
            let answer = engine.answer_async(cloud(one, metric)?, &options, &mut listener).await?;
            return Ok([told(&answer)].into_iter().collect());
        }
        let clouds: Vec<Cloud> = clouds.iter().map(|c| cloud(&c, metric)).collect::<Result<_, JsError>>()?;
        let mut barcodes = Vec::new();
        let seconds = engine.each_async(&clouds, &options, &mut listener, &mut |_, barcode| barcodes.push(barcode)).await?;
        let answer = |barcode| told(&Answer { barcode, engine: engine.info(), seconds: seconds.clone() });
        Ok(barcodes.into_iter().map(answer).collect())
    }

    /// Destroys the device as a driver reset would. For tests.
    #[wasm_bindgen(js_name = loseDevice)]
    pub fn lose_device(&self) {
        if let Some(gpu) = &self.gpu {
            gpu.simulate_loss();
        }
    }

    /// What a page draws of points: `{places, axes, ends, lengths, whole}`; null for too many.
    ///
    /// # Errors
    /// For numbers that are no points.
    pub fn picture(points: &Object, metric: &str) -> Result<JsValue, JsError> {
        let metric = Metric::parse(metric)?;
        let Cloud::Points(points) = cloud(points, metric)? else { return Ok(JsValue::NULL) };
        let len = points.len();
        if len > DRAWN.0 {
            return Ok(JsValue::NULL);
        }
        let (places, axes) = picture::places(&points);
        let edges = picture::shortest_edges(&points, metric, DRAWN.1);
        let of_place = |p: &Vec<f32>| Float32Array::from(p.as_slice());
        let picture = Object::new();
        set(&picture, "places", places.iter().map(of_place).collect::<Array>());
        set(&picture, "axes", axes);
        let ends: Vec<u32> = edges.iter().flat_map(|e| [e.1, e.2]).collect();
        set(&picture, "ends", Uint32Array::from(ends.as_slice()));
        let lengths: Vec<f32> = edges.iter().map(|e| e.0).collect();
        set(&picture, "lengths", Float32Array::from(lengths.as_slice()));
        set(&picture, "whole", edges.len() == len * len.saturating_sub(1) / 2);
        Ok(picture.into())
    }
}

fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// A cloud as [`Engines::barcodes`] takes it.
fn cloud(given: &JsValue, metric: Metric) -> Result<Cloud, JsError> {
    let numbers = get(given, "numbers");
    let wide = numbers.dyn_ref::<Float64Array>().map(Float64Array::to_vec);
    let narrow = numbers.dyn_ref::<Float32Array>().map(Float32Array::to_vec);
    let narrowed = || match (&wide, &narrow) {
        (Some(wide), _) => wide.iter().map(|&d| d as f32).collect(),
        (_, narrow) => narrow.clone().unwrap_or_default(),
    };
    let features = get(given, "features").as_f64().unwrap_or(0.0) as usize;
    if let Some(ends) = get(given, "ends").dyn_ref::<Uint32Array>() {
        let points = get(given, "points").as_f64().unwrap_or(0.0) as usize;
        let edge = |(ends, length): (&[u32], f32)| (ends[0].max(ends[1]), ends[0].min(ends[1]), length);
        let edges = ends.to_vec().chunks_exact(2).zip(narrowed()).map(edge).collect();
        return Ok(SparseGraph::new(points, edges)?.into());
    }
    if features == 0 {
        let lower: Vec<f32> = narrowed();
        let points = (1.0 + (1.0 + 8.0 * lower.len() as f64).sqrt()) / 2.0;
        return Ok(DistanceMatrix::from_lower(points.round() as usize, lower)?.into());
    }
    if let Some(wide) = wide {
        return Ok(PointCloud::from_f64(wide.len() / features, features, &wide, metric)?.0.into());
    }
    let narrow = narrow.unwrap_or_default();
    Ok(PointCloud::new(narrow.len() / features, features, narrow)?.into())
}

fn set(object: &Object, name: &str, value: impl Into<JsValue>) {
    // A plain object takes any member.
    let _ = Reflect::set(object, &name.into(), &value.into());
}

/// `{n, bars, edges, cycles, ...}`: bars as births and deaths in turns, edges as four numbers each.
fn told(answer: &Answer) -> Object {
    let barcode = &answer.barcode;
    let object = Object::new();
    set(&object, "n", barcode.n as f64);
    set(&object, "metric", barcode.metric.name());
    let number = |x: Option<f64>| x.map_or(JsValue::NULL, JsValue::from);
    set(&object, "threshold", number(barcode.threshold.map(f64::from)));
    set(&object, "sampledFrom", number(barcode.sampled_from.map(|n| n as f64)));
    set(&object, "coveringRadius", number(barcode.covering_radius.map(f64::from)));
    let of_dim = |bars: &Vec<lacuna::topology::Bar>| {
        let ends: Vec<f32> = bars.iter().flat_map(|b| [b.birth, b.death]).collect();
        Float32Array::from(ends.as_slice())
    };
    set(&object, "bars", barcode.bars.iter().map(of_dim).collect::<Array>());
    if let Some(edges) = &barcode.edges {
        let row = |e: &BarEdges| {
            let end = |v: Option<&u32>| v.map_or(-1, |&v| v as i32);
            let death = e.death.map_or([-1, -1], |d| d.map(|v| v as i32));
            [end(e.birth.first()), end(e.birth.last()), death[0], death[1]]
        };
        let of_dim = |edges: &Vec<BarEdges>| Int32Array::from(edges.iter().flat_map(row).collect::<Vec<i32>>().as_slice());
        set(&object, "edges", edges.iter().map(of_dim).collect::<Array>());
    }
    if let Some(cycles) = &barcode.cycles {
        let of_cycle = |cycle: &lacuna::topology::Cycle| {
            let one = Object::new();
            set(&one, "birth", cycle.birth);
            set(&one, "death", cycle.death.unwrap_or(f32::INFINITY));
            let ends: Vec<u32> = cycle.edges.iter().flatten().copied().collect();
            set(&one, "edges", Uint32Array::from(ends.as_slice()));
            one
        };
        set(&object, "cycles", cycles.iter().map(of_cycle).collect::<Array>());
    }
    set(&object, "engine", answer.engine.kind.as_str());
    set(&object, "adapter", answer.engine.adapter.as_str());
    let seconds = answer.seconds.last().map(|s| s.1);
    set(&object, "seconds", number(seconds));
    object
}

thread_local! {
    /// What the call that is running tells its progress. A worker is one thread.
    static PROGRESS: RefCell<Function> = RefCell::new(Function::default());
}

/// Hands progress on to JavaScript.
struct Listener {
    stopped: bool,
}

impl Watch for Listener {
    fn at(&mut self, what: &str, done: u64, total: u64) {
        let told = PROGRESS.with_borrow(|f| f.call3(&JsValue::NULL, &what.into(), &(done as f64).into(), &(total as f64).into()));
        self.stopped |= told.is_ok_and(|told| told == JsValue::FALSE);
    }

    fn note(&mut self, line: &str) {
        let _ = PROGRESS.with_borrow(|f| f.call3(&JsValue::NULL, &line.into(), &JsValue::NULL, &JsValue::NULL));
    }

    fn stopped(&self) -> bool {
        self.stopped
    }
}
