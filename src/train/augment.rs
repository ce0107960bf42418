//! The usual augmentation of small photographs, on the device: mirrored by chance, and cropped
//! after a shift.

use burn::tensor::{Int, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Pixels that an image may shift in each direction.
const SHIFT: usize = 4;

/// Mirrors and shifts each image of `[samples, channels * height * width]`. What comes in at the
/// sides is zero, that is, of the data set's mean colour. The seed decides.
pub(super) fn augmented(x: Tensor<2>, shape: [usize; 3], seed: u64) -> Tensor<2> {
    let [samples, width_in_all] = x.dims();
    let [channels, height, width] = shape;
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut rows, mut columns) = (Vec::with_capacity(samples * height), Vec::with_capacity(samples * width));
    for _ in 0..samples {
        let (down, right) = (rng.random_range(0..=2 * SHIFT), rng.random_range(0..=2 * SHIFT));
        let mirrored = rng.random_bool(0.5);
        rows.extend((0..height).map(|r| (r + down) as i32));
        columns.extend((0..width).map(|c| (right + if mirrored { width - 1 - c } else { c }) as i32));
    }
    let device = x.device();
    let index = |numbers: Vec<i32>, shape: [usize; 4]| Tensor::<4, Int>::from_data(TensorData::new(numbers, shape), &device);
    let maps = x.reshape([samples, channels, height, width]).pad((SHIFT, SHIFT, SHIFT, SHIFT), 0.0);
    let rows = index(rows, [samples, 1, height, 1]).expand([samples, channels, height, width + 2 * SHIFT]);
    let columns = index(columns, [samples, 1, 1, width]).expand([samples, channels, height, width]);
    maps.gather(2, rows).gather(3, columns).reshape([samples, width_in_all])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn images_are_shifted_and_mirrored() {
        let (c, h, w) = (2, 5, 6);
        let numbers: Vec<f32> = (0..40 * c * h * w).map(|i| 1.0 + i as f32).collect();
        let x = Tensor::<2>::from_data(TensorData::new(numbers.clone(), [40, c * h * w]), &Device::flex());
        let out: Vec<f32> = augmented(x.clone(), [c, h, w], 7).try_into_vec_as().unwrap();
        let again: Vec<f32> = augmented(x, [c, h, w], 7).try_into_vec_as().unwrap();
        assert_eq!(out, again);
        let pixel = |s: usize, ch: usize, r: isize, col: isize| {
            if (0..h as isize).contains(&r) && (0..w as isize).contains(&col) {
                numbers[((s * c + ch) * h + r as usize) * w + col as usize]
            } else {
                0.0
            }
        };
        let mut kinds = std::collections::BTreeSet::new();
        for s in 0..40 {
            let same = |down: isize, right: isize, mirrored: bool| {
                (0..c * h * w).all(|i| {
                    let (ch, r, col) = (i / (h * w), (i / w % h) as isize, (i % w) as isize);
                    let from = if mirrored { w as isize - 1 - col } else { col };
                    out[s * c * h * w + i] == pixel(s, ch, r + down, from + right)
                })
            };
            let found =
                (-4..=4).flat_map(|d| (-4..=4).flat_map(move |r| [(d, r, false), (d, r, true)])).find(|&(d, r, m)| same(d, r, m));
            kinds.insert(found.expect("a shift and a mirroring explain every image"));
        }
        assert!(kinds.len() > 20 && kinds.iter().any(|k| k.2) && kinds.iter().any(|k| !k.2));
    }
}
