//! Engines and threads, one set for each process: neither threads nor GPU devices live on in a
//! process that was forked.

use crate::run::raised;
use lacuna::gpu::{AdapterChoice, adapters};
use lacuna::topology::{Engine, EngineKind};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What a process has opened, and which process that is.
type Opened<K, V> = Mutex<Option<(u32, HashMap<K, V>)>>;

/// By their number of threads.
static POOLS: Opened<usize, &'static ThreadPool> = Mutex::new(None);
/// By the names of the engine and the adapter.
static ENGINES: Opened<(String, Option<String>), Engine> = Mutex::new(None);

/// How many threads a call gets: what it asks for, else what the environment says, else all cores.
/// The environment is read at every call, since Ray and joblib set it after a process has begun.
pub fn threads(asked: Option<usize>) -> PyResult<usize> {
    if let Some(threads) = asked {
        return if threads > 0 { Ok(threads) } else { Err(PyValueError::new_err("threads must be at least 1")) };
    }
    for name in ["LACUNA_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS"] {
        let Ok(text) = std::env::var(name) else { continue };
        match text.trim().parse() {
            Ok(0) | Err(_) if name == "LACUNA_THREADS" => {
                return Err(PyValueError::new_err(format!(
                    "LACUNA_THREADS is '{text}': it must be a number of threads, 1 or more"
                )));
            }
            Ok(threads) if threads > 0 => return Ok(threads),
            _ => {}
        }
    }
    Ok(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

/// The threads of this process for calls with so many of them. They stay until the process ends; a
/// forked child leaves its parent's alone and starts its own.
pub fn pool(threads: usize) -> PyResult<&'static ThreadPool> {
    let mut opened = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    let (owner, pools) = opened.get_or_insert_with(|| (process, HashMap::new()));
    if *owner != process {
        (*owner, *pools) = (process, HashMap::new());
    }
    if let Some(pool) = pools.get(&threads) {
        return Ok(pool);
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    let pool: &'static ThreadPool = Box::leak(Box::new(pool.map_err(|e| PyRuntimeError::new_err(e.to_string()))?));
    pools.insert(threads, pool);
    Ok(pool)
}

/// The engine of a name, opened at its first use.
pub fn engine(name: &str, adapter: Option<&str>) -> PyResult<Engine> {
    let kind = match name {
        "auto" => EngineKind::Auto,
        "cpu" => EngineKind::Cpu,
        "gpu" => EngineKind::Gpu,
        other => return Err(PyValueError::new_err(format!("unknown engine '{other}': use auto, cpu or gpu"))),
    };
    if kind == EngineKind::Cpu && adapter.is_none() {
        return Ok(Engine::cpu());
    }
    let mut opened = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((owner, engines)) = &*opened
        && *owner != process
        && engines.values().any(|e| e.gpu().is_some())
    {
        if kind == EngineKind::Auto && adapter.is_none() {
            return Ok(Engine::cpu());
        }
        return Err(PyRuntimeError::new_err(
            "this process was forked from one that uses a GPU, which does not survive that: use multiprocessing's 'spawn' method, or engine='cpu'",
        ));
    }
    let (owner, engines) = opened.get_or_insert_with(|| (process, HashMap::new()));
    if *owner != process {
        (*owner, *engines) = (process, HashMap::new());
    }
    let key = (name.to_string(), adapter.map(String::from));
    if let Some(engine) = engines.get(&key) {
        return Ok(engine.clone());
    }
    let choice = adapter.map_or(AdapterChoice::Best, |a| AdapterChoice::Named(a.into()));
    let engine = Engine::new(kind, &choice).map_err(raised)?;
    engines.insert(key, engine.clone());
    Ok(engine)
}

/// The adapters of this machine: name, backend, whether it is software, and the most points of one
/// cloud.
#[pyfunction]
pub fn devices() -> Vec<(String, String, bool, usize)> {
    adapters().iter().map(|a| (a.name.clone(), a.backend.clone(), a.software, a.max_points)).collect()
}
