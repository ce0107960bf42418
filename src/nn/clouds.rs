//! The clouds of points that a layer's activations are.

use super::bridge::{self, TensorBuffer};
use crate::error::Result;
use crate::topology::{CloudView, Input};
use burn::tensor::Tensor;

/// One cloud for every channel of a layer, with a point for every sample: the numbers of the
/// sample's map. On a wgpu device the numbers stay where they are.
#[allow(missing_debug_implementations, reason = "see TensorBuffer")]
pub struct ActivationClouds {
    numbers: Numbers,
    views: Vec<CloudView>,
}

enum Numbers {
    Device(Box<TensorBuffer>),
    Host(Vec<f32>),
}

impl ActivationClouds {
    /// Of maps `[samples, channels, rows, columns]`.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device fails.
    pub fn of_channels(maps: Tensor<4>) -> Result<Self> {
        let views = views_of(&maps);
        let on_device = bridge::is_wgpu(&maps.device());
        let numbers =
            if on_device { Numbers::Device(Box::new(bridge::buffer_of(maps)?)) } else { Numbers::Host(bridge::read(maps)?) };
        Ok(Self { numbers, views })
    }

    /// As [`ActivationClouds::of_channels`], with the numbers brought to the host: hops between
    /// points are counted there.
    ///
    /// # Errors
    /// As [`ActivationClouds::of_channels`].
    pub fn on_host(maps: Tensor<4>) -> Result<Self> {
        let views = views_of(&maps);
        Ok(Self { numbers: Numbers::Host(bridge::read(maps)?), views })
    }

    /// One cloud of `[samples, numbers]`.
    ///
    /// # Errors
    /// As [`ActivationClouds::of_channels`].
    pub fn of_rows(rows: Tensor<2>) -> Result<Self> {
        Self::of_channels(as_one_channel(rows))
    }

    /// What an engine takes.
    pub fn input(&self) -> Input<'_> {
        match &self.numbers {
            Numbers::Device(buffer) => Input::on_device(buffer.numbers(), &self.views[..]),
            Numbers::Host(numbers) => Input::views(numbers, &self.views[..]),
        }
    }
}

fn views_of(maps: &Tensor<4>) -> Vec<CloudView> {
    let [samples, channels, rows, columns] = maps.dims();
    CloudView::of_channels(samples, channels, rows * columns)
}

fn as_one_channel(rows: Tensor<2>) -> Tensor<4> {
    let [samples, numbers] = rows.dims();
    rows.reshape([samples, 1, 1, numbers])
}

/// The spread of each channel's cloud: the root mean square distance of its points to their mean.
///
/// # Errors
/// [`crate::Error::Device`] when the device fails.
pub fn spreads(maps: Tensor<4>) -> Result<Vec<f64>> {
    let [samples, channels, rows, columns] = maps.dims();
    let flat = maps.reshape([samples, channels * rows * columns]);
    let centred = flat.clone() - flat.mean_dim(0);
    let squares = centred.powi_scalar(2).mean_dim(0).reshape([channels, rows * columns]).sum_dim(1);
    Ok(bridge::read(squares)?.into_iter().map(|s| f64::from(s).sqrt()).collect())
}

/// The spread of one cloud `[samples, numbers]`.
///
/// # Errors
/// As [`spreads`].
pub fn spread(rows: Tensor<2>) -> Result<f64> {
    Ok(spreads(as_one_channel(rows))?[0])
}
