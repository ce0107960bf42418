//! Point clouds from arrays of the crate `ndarray`: a row for each point.

use super::cloud::PointCloud;
use super::metric::Metric;
use crate::error::Error;
use ndarray::ArrayView2;

impl TryFrom<ArrayView2<'_, f32>> for PointCloud {
    type Error = Error;

    /// # Errors
    /// As [`PointCloud::new`].
    fn try_from(points: ArrayView2<'_, f32>) -> Result<Self, Error> {
        Self::new(points.nrows(), points.ncols(), points.iter().copied().collect())
    }
}

impl TryFrom<ArrayView2<'_, f64>> for PointCloud {
    type Error = Error;

    /// For metrics of which only differences count; [`PointCloud::from_f64`] takes any other.
    ///
    /// # Errors
    /// As [`PointCloud::from_f64`].
    fn try_from(points: ArrayView2<'_, f64>) -> Result<Self, Error> {
        let data: Vec<f64> = points.iter().copied().collect();
        Ok(Self::from_f64(points.nrows(), points.ncols(), &data, Metric::Euclidean)?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rows_are_points_however_they_lie_in_memory() {
        let square = array![[0.0f32, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        let cloud = PointCloud::try_from(square.view()).unwrap();
        assert_eq!((cloud.len(), cloud.features(), cloud.point(2)), (4, 2, [1.0, 1.0].as_slice()));
        let turned = square.t();
        assert_eq!(PointCloud::try_from(turned).unwrap().point(0), [0.0, 1.0, 1.0, 0.0]);
        let wide = square.mapv(f64::from);
        assert_eq!(PointCloud::try_from(wide.view()).unwrap().len(), 4);
        assert!(PointCloud::try_from(array![[f32::NAN]].view()).is_err());
    }
}
