//! What a convolution reads and gives at some places of some images, as rows of numbers.

use crate::nn::{Layer, Window};
use burn::tensor::{Int, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Places of the plane that a convolution gives, some for each image.
#[derive(Clone, Debug)]
pub(super) struct Places {
    per_image: usize,
    width: usize,
    /// Index of each place in its plane, image after image.
    at: Vec<usize>,
}

/// What a layer reads of `[images, channels, height, width]`, row by row: at some places of the
/// plane `[height, width]` that it gives if it is a convolution, else all of each image.
pub(super) fn rows_read(layer: &Layer, maps: Tensor<4>, plane: [usize; 2], most: usize, seed: u64) -> Tensor<2> {
    match Window::of(layer) {
        Some(kernel) => Places::draw(maps.dims()[0], plane, most, seed).patches(maps, kernel),
        None => maps.flatten(1, 3),
    }
}

impl Places {
    /// What decides the places of a layer for a batch of images.
    pub fn seed(seed: u64, layer: usize, batch: usize) -> u64 {
        seed.wrapping_mul(1_000_003).wrapping_add((layer * 65_537 + batch) as u64)
    }

    /// At most `most` places of each image's `[height, width]` by chance, which `seed` decides; all
    /// of them, once each, if there are no more.
    pub fn draw(images: usize, [height, width]: [usize; 2], most: usize, seed: u64) -> Self {
        let plane = height * width;
        let per_image = plane.min(most);
        let at = if plane <= most {
            (0..images).flat_map(|_| 0..plane).collect()
        } else {
            let mut rng = StdRng::seed_from_u64(seed);
            (0..images * per_image).map(|_| rng.random_range(0..plane)).collect()
        };
        Self { per_image, width, at }
    }

    /// Number of rows that [`Places::pick`] and [`Places::patches`] give.
    pub fn rows(&self) -> usize {
        self.at.len()
    }

    /// The numbers of all channels at some pixels of `[images, channels, height, width]`, row by
    /// row: whole rows are copied from where channels lie beside each other.
    fn pixels(maps: Tensor<4>, which: Vec<i32>) -> Tensor<2> {
        let ([images, channels, height, width], device) = (maps.dims(), maps.device());
        let pixels = maps.permute([0, 2, 3, 1]).reshape([images * height * width, channels]);
        let count = which.len();
        pixels.select(0, Tensor::<1, Int>::from_data(TensorData::new(which, [count]), &device))
    }

    /// Each place with its image.
    fn each(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.at.iter().enumerate().map(|(row, &place)| (row / self.per_image, place))
    }

    /// What maps `[images, channels, height, width]` of the places' plane hold there: `[rows,
    /// channels]`.
    pub fn pick(&self, maps: Tensor<4>) -> Tensor<2> {
        let plane = maps.dims()[2] * maps.dims()[3];
        Self::pixels(maps, self.each().map(|(image, place)| (image * plane + place) as i32).collect())
    }

    /// What a convolution reads of `[images, channels, height, width]` for those places: `[rows,
    /// channels * kernel rows * kernel columns]`, in the order of its weights.
    pub fn patches(&self, maps: Tensor<4>, kernel: Window) -> Tensor<2> {
        let Window { size, stride, padding } = kernel;
        let padded = match padding.array() {
            [0, 0] => maps,
            // In the order left, right, top, bottom.
            [rows, columns] => maps.pad((columns, columns, rows, rows), 0.0),
        };
        let [_, channels, high, wide] = padded.dims();
        let taps = size.area();
        let which = self.each().flat_map(|(image, place)| {
            let corner = (image * high + place / self.width * stride.rows) * wide + place % self.width * stride.columns;
            (0..taps).map(move |tap| (corner + tap / size.columns * wide + tap % size.columns) as i32)
        });
        let rows = Self::pixels(padded, which.collect()).reshape([self.rows(), taps, channels]);
        rows.swap_dims(1, 2).reshape([self.rows(), channels * taps])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Sides;
    use burn::tensor::Device;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;

    /// Patches times weights are what the convolution gives at those places, whatever its stride
    /// and padding.
    #[test]
    fn patches_are_what_a_convolution_reads() {
        let device = Device::flex();
        let wave = |n: usize, k: f32| (0..n).map(|i| (i as f32 * k).sin()).collect::<Vec<f32>>();
        let windows =
            [(3, 3, 1, 1), (3, 3, 2, 1), (1, 1, 1, 0), (5, 5, 1, 2), (3, 3, 1, 0), (1, 1, 2, 0), (3, 3, 2, 2), (1, 4, 1, 3)];
        for (rows, columns, stride, padding) in windows {
            let padding = Sides { rows: padding.min(rows / 2), columns: padding };
            let window = Window { size: Sides { rows, columns }, stride: stride.into(), padding };
            let x = Tensor::<4>::from_data(TensorData::new(wave(5 * 3 * 9 * 8, 0.37), [5, 3, 9, 8]), &device);
            let w = Tensor::<4>::from_data(TensorData::new(wave(4 * 3 * rows * columns, 0.9), [4, 3, rows, columns]), &device);
            let options = ConvOptions::new([stride, stride], padding.array(), [1, 1], 1);
            let out = conv2d(x.clone(), w.clone(), None, options);
            let [_, _, height, width] = out.dims();
            for most in [7, 1000] {
                let places = Places::draw(5, [height, width], most, 3);
                assert_eq!(places.rows(), 5 * most.min(height * width));
                let rows = places.patches(x.clone(), window);
                let got: Vec<f32> = rows.matmul(w.clone().flatten::<2>(1, 3).transpose()).try_into_vec_as().unwrap();
                let want: Vec<f32> = places.pick(out.clone()).try_into_vec_as().unwrap();
                assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-4), "{window:?} {most}");
            }
        }
    }
}
