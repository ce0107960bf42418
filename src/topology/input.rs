//! What an engine is given, wherever the numbers lie.

use super::cloud::{Cloud, CloudView, DistanceMatrix, PointCloud, SparseGraph};
use super::metric::Metric;
use super::source::Source;
use crate::error::{Error, Result};
use std::borrow::Cow;

/// Numbers that are on a device already.
#[cfg(feature = "gpu")]
#[derive(Clone, Copy, Debug)]
pub struct DeviceNumbers<'a> {
    /// A storage buffer of f32 of the engine's own device.
    pub buffer: &'a wgpu::Buffer,
    /// First byte, a multiple of the device's `min_storage_buffer_offset_alignment`.
    pub offset: u64,
    /// Number of bytes.
    pub bytes: u64,
}

/// One cloud or many, on the host or on the engine's device, borrowed or owned.
///
/// Clouds, matrices and graphs become an input by themselves, and so do lists of [`Cloud`]:
///
/// ```
/// use lacuna::topology::{CloudView, Engine, Input, Options, PointCloud};
/// let square = [0., 0., 1., 0., 1., 1., 0., 1.];
/// let (engine, options) = (Engine::cpu(), Options::default());
/// let owned = engine.barcode(PointCloud::new(4, 2, square.to_vec())?, &options)?;
/// let borrowed = engine.barcode(Input::points(&square, 2)?, &options)?;
/// let double = engine.barcode(Input::points_f64(&square.map(f64::from), 2)?, &options)?;
/// let edge = |first: usize| CloudView { len: 2, features: 2, offset: 2 * first, stride: 2 };
/// let many = engine.barcodes(Input::views(&square, vec![edge(0), edge(1)]), &options)?;
/// assert!(owned == borrowed && owned == double && many[0] == many[1]);
/// # Ok::<(), lacuna::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Input<'a>(pub(super) Kind<'a>);

#[derive(Clone, Debug)]
pub(super) enum Kind<'a> {
    /// Clouds of the input's own.
    Owned(Vec<Cloud>),
    /// Clouds that are borrowed.
    Borrowed(Vec<Source<'a>>),
    /// The points of one cloud in double precision, and how many coordinates each has.
    Wide(&'a [f64], usize),
    /// Clouds of points in one array.
    Views(&'a [f32], Cow<'a, [CloudView]>),
    /// The same on the engine's device.
    #[cfg(feature = "gpu")]
    Device(DeviceNumbers<'a>, Cow<'a, [CloudView]>),
}

/// How many points of so many coordinates there are.
fn rows(numbers: usize, features: usize) -> Result<usize> {
    match numbers.checked_div(features) {
        Some(points) if points > 0 && points * features == numbers => Ok(points),
        _ => Err(Error::input(format!("{numbers} numbers are not points of {features} coordinates, one after the other"))),
    }
}

impl<'a> Input<'a> {
    /// One cloud of points with `features` coordinates each, point by point. Nothing is copied.
    ///
    /// # Errors
    /// [`Error::Input`] when the numbers are not a whole number of points, one at least.
    pub fn points(numbers: &'a [f32], features: usize) -> Result<Self> {
        let len = rows(numbers.len(), features)?;
        Ok(Self::views(numbers, vec![CloudView { len, features, offset: 0, stride: features }]))
    }

    /// One cloud of points in double precision. They are rounded as [`PointCloud::from_f64`] rounds
    /// them, for the metric of the options; if points become equal, the watch gets a note.
    ///
    /// # Errors
    /// As [`Input::points`].
    pub fn points_f64(numbers: &'a [f64], features: usize) -> Result<Self> {
        rows(numbers.len(), features)?;
        Ok(Self(Kind::Wide(numbers, features)))
    }

    /// Many clouds of points inside one array of numbers. Nothing is copied.
    pub fn views(numbers: &'a [f32], views: impl Into<Cow<'a, [CloudView]>>) -> Self {
        Self(Kind::Views(numbers, views.into()))
    }

    /// Many clouds of points inside one buffer of the engine's own device. They never come to the
    /// host, so they are neither sampled nor rescaled, and hops between them are not counted: a
    /// call that would need any of this is refused.
    #[cfg(feature = "gpu")]
    pub fn on_device(numbers: DeviceNumbers<'a>, views: impl Into<Cow<'a, [CloudView]>>) -> Self {
        Self(Kind::Device(numbers, views.into()))
    }

    /// How many clouds there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kind::Owned(clouds) => clouds.len(),
            Kind::Borrowed(clouds) => clouds.len(),
            Kind::Wide(..) => 1,
            Kind::Views(_, views) => views.len(),
            #[cfg(feature = "gpu")]
            Kind::Device(_, views) => views.len(),
        }
    }

    /// Whether there is no cloud.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same in single precision, and how many points became equal to another one that they
    /// differed from.
    ///
    /// # Errors
    /// As [`PointCloud::from_f64`].
    pub(super) fn narrow(self, metric: Metric) -> Result<(Self, usize)> {
        match self.0 {
            Kind::Wide(numbers, features) => {
                let (points, merged) = PointCloud::from_f64(numbers.len() / features, features, numbers, metric)?;
                Ok((points.into(), merged))
            }
            _ => Ok((self, 0)),
        }
    }

    /// Refuses all but one cloud.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub(super) fn check_one(&self) -> Result<()> {
        match self.len() {
            1 => Ok(()),
            many => Err(Error::input(format!("one cloud is asked about, and {many} are given"))),
        }
    }

    /// Whether points of some cloud enter the filtration later than at 0.
    pub(super) fn has_births(&self) -> bool {
        match &self.0 {
            Kind::Owned(clouds) => clouds.iter().any(|c| !Source::from(c).births().is_empty()),
            Kind::Borrowed(clouds) => clouds.iter().any(|c| !c.births().is_empty()),
            _ => false,
        }
    }

    /// The clouds on the host, in single precision.
    ///
    /// # Errors
    /// [`Error::Input`] for a view that is empty or reaches beyond the numbers.
    pub(super) fn sources(&self) -> Result<Cow<'_, [Source<'_>]>> {
        Ok(match &self.0 {
            Kind::Owned(clouds) => clouds.iter().map(Source::from).collect(),
            Kind::Borrowed(clouds) => Cow::Borrowed(&clouds[..]),
            Kind::Views(numbers, views) => {
                check_views(views, numbers.len())?;
                views.iter().map(|v| Source::Points(numbers, *v)).collect()
            }
            Kind::Wide(..) => return Err(Error::Internal("points in double precision were not rounded".into())),
            #[cfg(feature = "gpu")]
            Kind::Device(..) => {
                return Err(Error::input("the numbers are on a device, and are needed on the host: read them back first"));
            }
        })
    }
}

/// Refuses views that are empty or reach beyond the numbers that there are.
///
/// # Errors
/// [`Error::Input`].
pub(super) fn check_views(views: &[CloudView], have: usize) -> Result<()> {
    match views.iter().position(|v| v.len == 0 || v.end() > have) {
        Some(bad) => Err(Error::input(format!("cloud {bad} of the batch is empty or reaches beyond its {have} numbers"))),
        None => Ok(()),
    }
}

impl<'a> From<&'a [Cloud]> for Input<'a> {
    fn from(clouds: &'a [Cloud]) -> Self {
        Self(Kind::Borrowed(clouds.iter().map(Source::from).collect()))
    }
}

impl<'a> From<Vec<&'a Cloud>> for Input<'a> {
    fn from(clouds: Vec<&'a Cloud>) -> Self {
        Self(Kind::Borrowed(clouds.into_iter().map(Source::from).collect()))
    }
}

impl<'a, const N: usize> From<&'a [Cloud; N]> for Input<'a> {
    fn from(clouds: &'a [Cloud; N]) -> Self {
        clouds.as_slice().into()
    }
}

impl<'a> From<&'a Vec<Cloud>> for Input<'a> {
    fn from(clouds: &'a Vec<Cloud>) -> Self {
        clouds.as_slice().into()
    }
}

impl From<Vec<Cloud>> for Input<'_> {
    fn from(clouds: Vec<Cloud>) -> Self {
        Self(Kind::Owned(clouds))
    }
}

impl<'a> From<&'a Cloud> for Input<'a> {
    fn from(cloud: &'a Cloud) -> Self {
        std::slice::from_ref(cloud).into()
    }
}

impl From<Cloud> for Input<'_> {
    fn from(cloud: Cloud) -> Self {
        vec![cloud].into()
    }
}

impl<'a> From<&'a PointCloud> for Input<'a> {
    fn from(points: &'a PointCloud) -> Self {
        Self(Kind::Borrowed(vec![points.into()]))
    }
}

impl<'a> From<&'a DistanceMatrix> for Input<'a> {
    fn from(matrix: &'a DistanceMatrix) -> Self {
        Self(Kind::Borrowed(vec![Source::Distances(matrix)]))
    }
}

impl<'a> From<&'a SparseGraph> for Input<'a> {
    fn from(graph: &'a SparseGraph) -> Self {
        Self(Kind::Borrowed(vec![Source::Edges(graph)]))
    }
}

impl From<PointCloud> for Input<'_> {
    fn from(points: PointCloud) -> Self {
        Cloud::from(points).into()
    }
}

impl From<DistanceMatrix> for Input<'_> {
    fn from(matrix: DistanceMatrix) -> Self {
        Cloud::from(matrix).into()
    }
}

impl From<SparseGraph> for Input<'_> {
    fn from(graph: SparseGraph) -> Self {
        Cloud::from(graph).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_whole() {
        assert!(Input::points(&[], 2).is_err());
        assert!(Input::points(&[1.0, 2.0, 3.0], 2).unwrap_err().to_string().contains("3 numbers"));
        assert!(Input::points_f64(&[1.0], 0).is_err());
        assert_eq!(Input::points(&[1.0, 2.0], 2).unwrap().len(), 1);
        assert!(Input::from(Vec::<Cloud>::new()).is_empty());
    }
}
