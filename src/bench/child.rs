//! One measurement in a process of its own.

use super::cases::Kind;
use crate::error::{Error, Result};
use crate::gpu::AdapterChoice;
use crate::topology::{Cloud, DistanceMatrix, Engine, EngineKind, Options, PointCloud};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Instant;

/// What a child is asked for; goes to it as one JSON argument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Which engine, in the child's own words.
    pub engine: String,
    /// Little-endian float32 numbers.
    pub file: PathBuf,
    /// What they are.
    pub kind: Kind,
    /// Sizes of the array.
    pub shape: Vec<usize>,
    /// Highest dimension.
    pub max_dim: usize,
    /// Longest edge.
    pub threshold: Option<f32>,
    /// Threads it may use.
    pub threads: usize,
    /// Runs that are timed, if they do not take too long: see `seconds_at_most`.
    pub runs: usize,
    /// No further run begins after so many seconds.
    pub seconds_at_most: f64,
}

/// What a child answers, as one line of JSON.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Of every timed run.
    pub seconds: Vec<f64>,
    /// Bars of each dimension, of all clouds together, those of no length left out.
    pub bars: Vec<usize>,
    /// Most memory that the process ever had, if the system says; the program itself and the input
    /// included.
    pub peak_bytes: Option<u64>,
    /// Version, adapter.
    pub note: String,
}

impl Request {
    /// Reads the numbers.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Input`].
    pub fn numbers(&self) -> Result<Vec<f32>> {
        let bytes = std::fs::read(&self.file).map_err(Error::io(&self.file, "read"))?;
        Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// Times `work` as often as is asked for; it returns the bars of each dimension that end.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn time(&self, mut work: impl FnMut() -> Result<Vec<usize>>) -> Result<Measured> {
        let begin = Instant::now();
        let mut measured = Measured::default();
        // The first run pays for what is set up once, where there are others.
        for run in 0..=self.runs {
            let start = Instant::now();
            measured.bars = work()?;
            let took = start.elapsed().as_secs_f64();
            let enough = begin.elapsed().as_secs_f64() > self.seconds_at_most;
            if run > 0 || enough {
                measured.seconds.push(took);
            }
            if enough {
                break;
            }
        }
        measured.peak_bytes = peak_bytes();
        Ok(measured)
    }
}

/// Most resident memory that this process has had.
pub fn peak_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// Answers a request for one of our own engines, `cpu` or `gpu`. Threads are rayon's:
/// `RAYON_NUM_THREADS`.
///
/// # Errors
/// As [`Engine::barcodes`].
pub fn measure_ours(request: &Request) -> Result<Measured> {
    let kind = if request.engine == "gpu" { EngineKind::Gpu } else { EngineKind::Cpu };
    let engine = Engine::new(kind, &AdapterChoice::Best)?;
    let numbers = request.numbers()?;
    let options = Options::default().max_dim(request.max_dim).threshold(request.threshold);
    let clouds: Vec<Cloud> = match request.kind {
        Kind::Points => vec![PointCloud::new(request.shape[0], request.shape[1], numbers)?.into()],
        Kind::Distances => vec![DistanceMatrix::from_square(request.shape[0], &numbers)?.into()],
        Kind::Batch => {
            let (points, features) = (request.shape[1], request.shape[2]);
            let cloud = |n: &[f32]| PointCloud::new(points, features, n.to_vec()).map(Cloud::from);
            numbers.chunks(points * features).map(cloud).collect::<Result<_>>()?
        }
    };
    let mut measured = request.time(|| {
        let mut bars = vec![0; request.max_dim + 1];
        for barcode in engine.barcodes(&clouds, &options)? {
            bars.iter_mut()
                .zip(&barcode.bars)
                .for_each(|(count, bars)| *count += bars.iter().filter(|b| b.death < f32::INFINITY).count());
        }
        Ok(bars)
    })?;
    measured.note = engine.info().adapter;
    Ok(measured)
}

/// Parses a request, has it measured, and gives the line to print.
///
/// # Errors
/// [`Error::Input`] for a request that is none; those of `measure`.
pub fn serve(request: &str, measure: impl FnOnce(&Request) -> Result<Measured>) -> Result<String> {
    let request: Request = serde_json::from_str(request).map_err(|e| Error::input(format!("not a request: {e}")))?;
    serde_json::to_string(&measure(&request)?).map_err(|e| Error::Internal(e.to_string()))
}
