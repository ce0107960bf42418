//! What Python gets: one barcode as arrays that own their memory.

use lacuna::topology::Barcode;
use numpy::{IntoPyArray, PyArray2, PyArrayMethods};
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

    /// Births and deaths of every dimension, `(bars, 2)` in float32; what never dies has an infinite
    /// death.
    fn diagrams<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyArray2<f32>>>> {
        let of = |bars: &Vec<lacuna::topology::Bar>| rows(py, bars.iter().flat_map(|b| [b.birth, b.death]).collect(), 2);
        self.barcode.bars.iter().map(of).collect()
    }

    /// For every bar of every dimension the simplices that make it, `(bars, 4)` in int64: the vertex
    /// of the birth, twice, or the two ends of its edge; the two ends of the edge of the death, or
    /// -1 where there is none.
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
