//! What Python gives: clouds of their own, made once and used often.

use crate::run::raised;
use lacuna::topology::{DistanceMatrix, Metric, PointCloud, SparseGraph};
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

/// Points, a distance matrix or a weighted graph, copied out of its array.
#[pyclass(frozen, module = "lacuna_tda._core")]
pub struct Cloud(pub lacuna::topology::Cloud);

#[pymethods]
impl Cloud {
    /// Points, one in each row.
    #[staticmethod]
    fn points(rows: PyReadonlyArray2<'_, f32>) -> PyResult<Self> {
        let (len, features) = (rows.as_array().nrows(), rows.as_array().ncols());
        let data = rows.as_array().iter().copied().collect();
        Ok(Self(PointCloud::new(len, features, data).map_err(raised)?.into()))
    }

    /// Points in double precision, rounded for a metric, and how many became equal to another.
    #[staticmethod]
    fn points_f64(rows: PyReadonlyArray2<'_, f64>, metric: &str) -> PyResult<(Self, usize)> {
        let (len, features) = (rows.as_array().nrows(), rows.as_array().ncols());
        let data: Vec<f64> = rows.as_array().iter().copied().collect();
        let metric = Metric::parse(metric).map_err(raised)?;
        let (points, merged) = PointCloud::from_f64(len, features, &data, metric).map_err(raised)?;
        Ok((Self(points.into()), merged))
    }

    /// Distances between `n` things: the strict lower triangle, row by row, and when each of them
    /// enters, if not at 0.
    #[staticmethod]
    #[pyo3(signature = (n, lower, births=None))]
    fn lower(n: usize, lower: PyReadonlyArray1<'_, f32>, births: Option<PyReadonlyArray1<'_, f32>>) -> PyResult<Self> {
        let lower = lower.as_array().iter().copied().collect();
        let matrix = DistanceMatrix::from_lower(n, lower).map_err(raised)?;
        Ok(Self(match births {
            Some(births) => matrix.with_births(births.as_array().to_vec()).map_err(raised)?.into(),
            None => matrix.into(),
        }))
    }

    /// A weighted graph on `n` vertices: the two ends and the length of every edge, and when each
    /// vertex enters, if not at 0.
    #[staticmethod]
    #[pyo3(signature = (n, i, j, length, births=None))]
    fn graph(
        n: usize,
        i: PyReadonlyArray1<'_, u32>,
        j: PyReadonlyArray1<'_, u32>,
        length: PyReadonlyArray1<'_, f32>,
        births: Option<PyReadonlyArray1<'_, f32>>,
    ) -> PyResult<Self> {
        let ends = i.as_array().iter().copied().zip(j.as_array().iter().copied()).collect::<Vec<_>>();
        let edges = ends.into_iter().zip(length.as_array().iter()).map(|((i, j), &d)| (i, j, d)).collect();
        let graph = SparseGraph::new(n, edges).map_err(raised)?;
        Ok(Self(match births {
            Some(births) => graph.with_births(births.as_array().to_vec()).map_err(raised)?.into(),
            None => graph.into(),
        }))
    }

    /// Number of points.
    fn __len__(&self) -> usize {
        self.0.len()
    }
}
