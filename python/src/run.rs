//! One call of an engine, beside which Python goes on: other threads run, Ctrl-C is heard, progress
//! is told.

use crate::engines;
use crate::found::Found;
use crate::given::Cloud;
use lacuna::progress::Watch;
use lacuna::topology::{Barcode, CloudView, Engine, Input, Metric, Options};
use numpy::{PyReadonlyArray2, PyReadonlyArray3};
use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// How often a waiting call looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// An error of the library as an exception, with the settings as names of arguments.
pub fn raised(error: lacuna::Error) -> PyErr {
    use lacuna::Error;
    match error {
        Error::Settings { error, settings } => {
            let inner = raised(*error);
            let names: Vec<String> = settings.iter().map(|s| s.replace('-', "_")).collect();
            Python::attach(|py| {
                let message = format!("{} (see {})", inner.value(py), names.join(", "));
                PyErr::from_type(inner.get_type(py), message)
            })
        }
        Error::TooManyPoints { message, most, .. } => {
            PyMemoryError::new_err(format!("{message}; max_points={most} takes a sample of them"))
        }
        Error::TooLarge(message) => PyMemoryError::new_err(message),
        Error::Device(_) | Error::Internal(_) | Error::NoAdapter(_) | Error::Interrupted(_) => {
            PyRuntimeError::new_err(error.to_string())
        }
        other => PyValueError::new_err(other.to_string()),
    }
}

/// What a call asks for, as Python says it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Asked {
    dim: usize,
    metric: String,
    k: usize,
    threshold: Option<f32>,
    max_points: Option<usize>,
    cycles: usize,
    edges: bool,
    cocycles: bool,
    engine: String,
    adapter: Option<String>,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
}

impl Asked {
    fn options(&self) -> PyResult<Options> {
        let metric = Metric::parse(&self.metric).map_err(raised)?;
        let options = Options::default().max_dim(self.dim).metric(metric).k(self.k);
        let options = options.threshold(self.threshold).max_points(self.max_points);
        Ok(options.cycles(self.cycles).edges(self.edges).cocycles(self.cocycles))
    }
}

/// What the calling thread and the computing one tell each other.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

/// The computing side of it.
struct Told<'a>(&'a Shared);

impl Watch for Told<'_> {
    fn at(&mut self, _what: &str, done: u64, total: u64) {
        self.0.done.store(done, Ordering::Relaxed);
        self.0.total.store(total, Ordering::Relaxed);
    }

    fn note(&mut self, line: &str) {
        let line = line.to_string();
        // A warning that is turned into an exception has nowhere to go from here.
        let _ = Python::attach(|py| {
            let category = py.get_type::<pyo3::exceptions::PyUserWarning>();
            PyErr::warn(py, &category, &std::ffi::CString::new(line).unwrap_or_default(), 2)
        });
    }

    fn stopped(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }
}

/// Pairs of points whose loops take less than a waiting call takes to look around.
const FEW: usize = 1 << 14;

/// Runs `work` on threads of its own while Python goes on; few pairs of points are not worth one
/// more thread, which would take longer than they do.
fn beside<T: Send>(
    py: Python<'_>,
    asked: &Asked,
    pairs: usize,
    work: impl FnOnce(&Engine, &mut dyn Watch) -> lacuna::Result<T> + Send,
) -> PyResult<T> {
    let pool = engines::pool(engines::threads(asked.threads)?)?;
    let engine = engines::engine(&asked.engine, asked.adapter.as_deref())?;
    let shared = Shared::default();
    if pairs <= FEW && asked.dim <= 1 && asked.progress.is_none() {
        return py.detach(|| pool.install(|| work(&engine, &mut Told(&shared)))).map_err(raised);
    }
    let look = |py: Python<'_>| -> PyResult<()> {
        py.check_signals()?;
        if let Some(progress) = &asked.progress {
            progress.call1(py, (shared.done.load(Ordering::Relaxed), shared.total.load(Ordering::Relaxed)))?;
        }
        Ok(())
    };
    let (found, interrupted) = py.detach(|| {
        std::thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            let (engine, shared) = (&engine, &shared);
            scope.spawn(move || {
                // Nobody listens any more only after a panic elsewhere.
                let _ = send.send(pool.install(|| work(engine, &mut Told(shared))));
            });
            let mut interrupted = None;
            loop {
                match receive.recv_timeout(LOOK) {
                    Ok(found) => break (Some(found), interrupted),
                    Err(mpsc::RecvTimeoutError::Timeout) if interrupted.is_none() => {
                        if let Err(e) = Python::attach(look) {
                            shared.stop.store(true, Ordering::Relaxed);
                            interrupted = Some(e);
                        }
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    Err(mpsc::RecvTimeoutError::Disconnected) => break (None, interrupted),
                }
            }
        })
    });
    match (interrupted, found) {
        (Some(e), _) => Err(e),
        (None, Some(found)) => found.map_err(raised),
        (None, None) => Err(PyRuntimeError::new_err("the computation ended without an answer")),
    }
}

fn each(py: Python<'_>, input: Input<'_>, pairs: usize, asked: &Asked) -> PyResult<Vec<Found>> {
    let options = asked.options()?;
    beside(py, asked, pairs, move |engine, watch| {
        let mut all: Vec<Barcode> = Vec::with_capacity(input.len());
        engine.each(input, &options, watch, &mut |_, barcode| all.push(barcode))?;
        Ok(all.into_iter().map(Found::from).collect())
    })
}

/// The barcode of one array of points, which is read where it lies if its rows follow each other.
#[pyfunction]
pub fn barcodes_of_points(py: Python<'_>, points: PyReadonlyArray2<'_, f32>, asked: Asked) -> PyResult<Vec<Found>> {
    let (len, features) = (points.as_array().nrows(), points.as_array().ncols());
    let pairs = len.saturating_mul(len);
    // Of the two orders in memory only that of rows is the engine's.
    match points.as_array().to_slice() {
        Some(numbers) if features > 0 => each(py, Input::points(numbers, features).map_err(raised)?, pairs, &asked),
        _ => {
            let numbers: Vec<f32> = points.as_array().iter().copied().collect();
            each(py, Input::points(&numbers, features).map_err(raised)?, pairs, &asked)
        }
    }
}

/// The barcodes of clouds of one size, `[clouds, points, features]`, read where they lie.
#[pyfunction]
pub fn barcodes_of_batch(py: Python<'_>, clouds: PyReadonlyArray3<'_, f32>, asked: Asked) -> PyResult<Vec<Found>> {
    let (count, len, features) = clouds.as_array().dim();
    let views: Vec<CloudView> =
        (0..count).map(|c| CloudView { len, features, offset: c * len * features, stride: features }).collect();
    let copied: Vec<f32>;
    let numbers = match clouds.as_array().to_slice() {
        Some(numbers) => numbers,
        None => {
            copied = clouds.as_array().iter().copied().collect();
            &copied
        }
    };
    each(py, Input::views(numbers, views), count.saturating_mul(len).saturating_mul(len), &asked)
}

/// Pairs of points of all clouds together.
fn all_pairs(clouds: &[PyRef<'_, Cloud>]) -> usize {
    clouds.iter().map(|c| c.0.len().saturating_mul(c.0.len())).fold(0, usize::saturating_add)
}

/// The barcodes of clouds of any kind and size.
#[pyfunction]
pub fn barcodes(py: Python<'_>, clouds: Vec<PyRef<'_, Cloud>>, asked: Asked) -> PyResult<Vec<Found>> {
    each(py, clouds.iter().map(|c| &c.0).collect::<Vec<_>>().into(), all_pairs(&clouds), &asked)
}

/// Betti numbers of every cloud at a scale, dimension by dimension.
#[pyfunction]
pub fn betti_numbers(py: Python<'_>, clouds: Vec<PyRef<'_, Cloud>>, scale: f32, asked: Asked) -> PyResult<Vec<Vec<usize>>> {
    let options = asked.options()?;
    let input: Input<'_> = clouds.iter().map(|c| &c.0).collect::<Vec<_>>().into();
    beside(py, &asked, all_pairs(&clouds), move |engine, watch| engine.betti_numbers(input, scale, &options, watch))
}
