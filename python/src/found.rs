//! What Python gets: one barcode as arrays that own their memory.

use lacuna::topology::{Bar, Barcode, Cocycle};
use numpy::{IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray2};
use pyo3::prelude::*;

/// A barcode.
#[pyclass(frozen, module = "lacuna_tda._core")]
pub struct Found {
    barcode: Barcode,
}

impl From<Barcode> for Found {
    fn from(barcode: Barcode) -> Self {
        Self { barcode }
    }
}

/// Rows of so many numbers as an array.
fn rows<'py, T: numpy::Element>(py: Python<'py>, numbers: Vec<T>, width: usize) -> PyResult<Bound<'py, PyArray2<T>>> {
    let count = numbers.len() / width;
    numbers.into_pyarray(py).reshape([count, width])
}

#[pymethods]
impl Found {
    /// Number of points that were looked at.
    #[getter]
    fn n(&self) -> usize {
        self.barcode.n
    }

    /// Number of points that were given, if these are a sample of them.
    #[getter]
    fn sampled_from(&self) -> Option<usize> {
        self.barcode.sampled_from
    }

    /// How far the given point is that is farthest from the sample, where it says how far bars are
    /// off.
    #[getter]
    fn covering_radius(&self) -> Option<f32> {
        self.barcode.covering_radius
    }

    /// Births and deaths of every dimension, `(bars, 2)` in float32; what never dies has an
    /// infinite death.
    fn diagrams<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyArray2<f32>>>> {
        let of = |bars: &Vec<Bar>| rows(py, bars.iter().flat_map(|b| [b.birth, b.death]).collect(), 2);
        self.barcode.bars.iter().map(of).collect()
    }

    /// For every bar of every dimension the simplices that make it, `(bars, 4)` in int64: the
    /// vertex of the birth, twice, or the two ends of its edge; the two ends of the edge of the
    /// death, or -1 where there is none.
    fn edges<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Bound<'py, PyArray2<i64>>>>> {
        let of = |edges: &Vec<lacuna::topology::BarEdges>| {
            let row = |e: &lacuna::topology::BarEdges| {
                let (first, last) = (e.birth.first().copied().unwrap_or(0), e.birth.last().copied().unwrap_or(0));
                let death = e.death.map_or([-1, -1], |d| d.map(i64::from));
                [i64::from(first), i64::from(last), death[0], death[1]]
            };
            rows(py, edges.iter().flat_map(row).collect(), 4)
        };
        self.barcode.edges.as_ref().map(|all| all.iter().map(of).collect()).transpose()
    }

    /// Of every dimension a cocycle for each bar: its simplices, `(simplices, dimension + 1)` in
    /// int64; none in dimension 0.
    #[allow(clippy::type_complexity, reason = "lists are what Python goes through")]
    fn cocycles<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Vec<Bound<'py, PyArray2<i64>>>>>> {
        let of_dimension = |(dim, all): (usize, &Vec<Cocycle>)| {
            let one = |c: &Cocycle| rows(py, c.simplices.iter().flatten().map(|&v| i64::from(v)).collect(), dim + 1);
            all.iter().map(one).collect::<PyResult<Vec<_>>>()
        };
        self.barcode.cocycles.as_ref().map(|all| all.iter().enumerate().map(of_dimension).collect()).transpose()
    }

    /// Cycles of the longest bars of dimension 1: birth, death and edges `(edges, 2)` in int64.
    #[allow(clippy::type_complexity, reason = "a tuple is what Python unpacks")]
    fn cycles<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<(f32, f32, Bound<'py, PyArray2<i64>>)>>> {
        let of = |c: &lacuna::topology::Cycle| {
            let ends = c.edges.iter().flatten().map(|&v| i64::from(v)).collect();
            Ok((c.birth, c.death.unwrap_or(f32::INFINITY), rows(py, ends, 2)?))
        };
        self.barcode.cycles.as_ref().map(|all| all.iter().map(of).collect()).transpose()
    }
}

/// Births and deaths from their rows.
fn ends(rows: &PyReadonlyArray2<'_, f64>) -> Vec<(f64, f64)> {
    rows.as_array().outer_iter().map(|row| (row[0], row[1])).collect()
}

/// The Wasserstein distance between the finite bars of two arrays `(bars, 2)`.
#[pyfunction]
pub fn wasserstein(py: Python<'_>, a: PyReadonlyArray2<'_, f64>, b: PyReadonlyArray2<'_, f64>, order: f64) -> f64 {
    let (a, b) = (ends(&a), ends(&b));
    py.detach(|| lacuna::topology::wasserstein_of(&a, &b, order))
}

/// The bottleneck distance between the finite bars of two arrays `(bars, 2)`.
#[pyfunction]
pub fn bottleneck(py: Python<'_>, a: PyReadonlyArray2<'_, f64>, b: PyReadonlyArray2<'_, f64>) -> f64 {
    let (a, b) = (ends(&a), ends(&b));
    py.detach(|| lacuna::topology::bottleneck_of(&a, &b))
}

/// The page of a barcode, and the style and the script that it needs.
#[pyfunction]
pub fn page() -> (&'static str, &'static str, &'static str) {
    (
        include_str!("../../assets/barcode/page.html"),
        include_str!("../../assets/barcode/draw.css"),
        include_str!("../../assets/barcode/draw.js"),
    )
}
