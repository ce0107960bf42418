//! A convolution that goes from place to place, one at a time, read from images with a border.
//!
//! Written out for a product of matrices, every number of an image stands there once for each place
//! of the window: nine times, for three by three. Here an image is copied once. Its rows lie one
//! behind the other, with as many zeros between two of them as the window reaches beyond an edge.
//! What a weight is multiplied by is then at one distance from the place that it counts for,
//! whichever the place is: each filter is a sum of the image, shifted and weighted, and the vector
//! instructions run along the places. The places between the rows are computed as well, and left
//! out.
//!
//! The gradients by the images are such a convolution too, of the gradients with the filters turned
//! round. The gradients by the weights are inner products of gradients and shifted images.

use super::Form;
use super::shifted::{FILTERS, Products, Sums, WIDEST, dispatch, filters_at_once};
use crate::nn::{Sides, Window};
use std::ops::Range;

/// Places in all below which a product of matrices is faster.
const FEW_PLACES: usize = 48;
/// Filters from which a product of matrices is faster for the gradients by the weights.
const MANY_FILTERS: usize = 48;
/// Numbers of images and gradients that are read again and again: half of a usual second-level
/// cache.
const CACHED: usize = 1 << 17;

/// How images lie with their borders, for a convolution whose steps are 1.
#[derive(Clone, Debug)]
pub(crate) struct Bordered {
    form: Form,
    /// From a row to the next: an image's width, and the zeros between rows.
    pitch: usize,
    /// From a channel to the next.
    plane: usize,
    distances: Vec<usize>,
}

/// What lies between a place and the number that a weight is multiplied by, for every weight of a
/// filter, where rows and channels are so far from each other.
fn distances(form: &Form, pitch: usize, plane: usize) -> Vec<usize> {
    let Sides { rows, columns } = form.window.size;
    let of_row = |channel, row| (0..columns).map(move |column| channel * plane + row * pitch + column);
    let of_channel = |channel| (0..rows).flat_map(move |row| of_row(channel, row));
    (0..form.input[0]).flat_map(of_channel).collect()
}

impl Bordered {
    /// Nothing where the window takes steps, where more zeros are put around an image than the
    /// window reaches, or where a product of matrices is faster.
    pub fn new(form: &Form) -> Option<Self> {
        let Window { size, stride, padding } = form.window;
        let fits = stride.area() == 1 && padding.rows < size.rows && padding.columns < size.columns;
        if !fits || form.groups > 1 || size.area() == 1 {
            return None;
        }
        let [_, height, width] = form.input;
        let pitch = width + padding.columns;
        let plane = (height + 2 * padding.rows) * pitch + padding.columns;
        let bordered = Self { form: *form, pitch, plane, distances: distances(form, pitch, plane) };
        (bordered.places() >= FEW_PLACES).then_some(bordered)
    }

    /// The convolution.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// Places from the first to the last, with those between the rows.
    fn places(&self) -> usize {
        let [_, high, wide] = self.form.output;
        (high - 1) * self.pitch + wide
    }

    /// The same in whole vectors.
    fn room(&self) -> usize {
        self.places().next_multiple_of(WIDEST)
    }

    /// Numbers of an image with its border, and of what a vector may read beyond it.
    fn len(&self) -> usize {
        self.form.input[0] * self.plane + 3 * WIDEST
    }

    /// Copies an image between the zeros, where channels are so far from each other.
    fn enclose(&self, image: &[f32], plane: usize, enclosed: &mut [f32]) {
        let [_, height, width] = self.form.input;
        let Sides { rows, columns } = self.form.window.padding;
        for (row, from) in image.chunks_exact(width).enumerate() {
            let (channel, row) = (row / height, row % height);
            enclosed[channel * plane + columns + (rows + row) * self.pitch..][..width].copy_from_slice(from);
        }
    }

    /// Copies the planes of some gradients, where they are so far from each other, and leaves the
    /// zeros at the places that nobody reads.
    fn spread(&self, gradients: &[f32], plane: usize, spread: &mut [f32]) {
        let [_, high, wide] = self.form.output;
        for (row, from) in gradients.chunks_exact(wide).enumerate() {
            spread[row / high * plane + row % high * self.pitch..][..wide].copy_from_slice(from);
        }
    }

    /// The convolution that gives the gradients by the images, from those by what this one gives.
    pub fn turned(&self) -> Option<Self> {
        let Window { size, stride, padding } = self.form.window;
        let padding = Sides { rows: size.rows - 1 - padding.rows, columns: size.columns - 1 - padding.columns };
        let window = Window { size, stride, padding };
        Self::new(&Form { window, groups: 1, input: self.form.output, output: self.form.input })
    }

    /// What [`Filters`] the turned convolution has.
    pub fn turn(&self, weights: &[f32]) -> Vec<f32> {
        let (channels, area) = (self.form.input[0], self.form.window.size.area());
        let mut turned = vec![0.0; weights.len()];
        for (at, window) in weights.chunks_exact(area).enumerate() {
            let (filter, channel) = (at / channels, at % channels);
            let to = &mut turned[(channel * self.form.output[0] + filter) * area..][..area];
            to.iter_mut().zip(window.iter().rev()).for_each(|(to, w)| *to = *w);
        }
        turned
    }

    /// What some filters give for an image; `output` holds their planes.
    pub fn forward(&self, image: &[f32], filters: &Filters, first: usize, output: &mut [f32], scratch: &mut Vec<f32>) {
        let ([_, high, wide], room) = (self.form.output, self.room());
        // What is beside the image stays zero from one image to the next.
        scratch.resize(self.len() + FILTERS * room, 0.0);
        let (enclosed, sums) = scratch.split_at_mut(self.len());
        self.enclose(image, self.plane, enclosed);
        let count = output.len() / (high * wide);
        for (at, size, weights) in filters.blocks(first..first + count) {
            dispatch(Sums { enclosed, distances: &self.distances, weights, size, places: self.places(), room, sums });
            for k in 0..size {
                let bias = filters.bias.map_or(0.0, |b| b[at + k]);
                let rows = output[(at - first + k) * high * wide..][..high * wide].chunks_exact_mut(wide);
                for (row, to) in rows.enumerate() {
                    let from = &sums[k * room + row * self.pitch..][..wide];
                    to.iter_mut().zip(from).for_each(|(to, sum)| *to = sum + bias);
                }
            }
        }
    }

    /// Whether [`Self::by_weights`] is faster than a product of matrices.
    pub fn is_for_weights(&self) -> bool {
        self.form.output[0] < MANY_FILTERS
    }

    /// Adds the gradients by the weights of some images, `[filters, weights]`, to `sums`.
    pub fn by_weights(&self, images: &[f32], gradients: &[f32], sums: &mut [f32], scratch: &mut Vec<f32>) {
        let ([channels, height, _], filters) = (self.form.input, self.form.output[0]);
        let Window { size, padding, .. } = self.form.window;
        let sizes = (self.form.sizes().0, filters * self.form.sizes().1);
        // The images of a channel lie one behind the other, with the zeros of one border between
        // two of them, and the gradients at the same distances. There are as many as stay in the
        // cache, or a part of the places of one.
        let sample = (height + padding.rows) * self.pitch;
        let at_once = (CACHED / ((channels + filters) * sample)).clamp(1, images.len() / sizes.0);
        let places = (at_once * sample).next_multiple_of(WIDEST);
        let plane = places + size.rows * self.pitch + size.columns;
        let step = (CACHED / (channels + filters)).max(512) / WIDEST * WIDEST;
        let distances = distances(&self.form, self.pitch, plane);
        scratch.clear();
        scratch.resize(channels * plane + filters * places, 0.0);
        let (enclosed, spread) = scratch.split_at_mut(channels * plane);
        for (images, gradients) in images.chunks(at_once * sizes.0).zip(gradients.chunks(at_once * sizes.1)) {
            let samples = images.len() / sizes.0;
            if samples < at_once {
                // What is left of the images before would be read along with the last place.
                spread.fill(0.0);
            }
            for (at, image) in images.chunks_exact(sizes.0).enumerate() {
                self.enclose(image, plane, &mut enclosed[at * sample..]);
            }
            for (at, gradient) in gradients.chunks_exact(sizes.1).enumerate() {
                self.spread(gradient, places, &mut spread[at * sample..]);
            }
            let end = (samples * sample).next_multiple_of(WIDEST);
            for first in (0..end).step_by(step) {
                let len = (end - first).min(step);
                dispatch(Products { enclosed, distances: &distances, spread, places, first, len, filters, sums });
            }
        }
    }
}

/// Filters in the order in which the innermost loop reads them: blocks of as many as it takes at
/// once, and in a block weight after weight the numbers of all of its filters.
pub(crate) struct Filters<'a> {
    weights: Vec<f32>,
    taps: usize,
    count: usize,
    /// Filters of a whole block.
    most: usize,
    bias: Option<&'a [f32]>,
}

impl<'a> Filters<'a> {
    /// Of weights `[filters, taps]`.
    pub fn new(weights: &[f32], taps: usize, bias: Option<&'a [f32]>) -> Self {
        Self::in_blocks(weights, taps, filters_at_once(), bias)
    }

    fn in_blocks(weights: &[f32], taps: usize, most: usize, bias: Option<&'a [f32]>) -> Self {
        let mut filters = Self { weights: vec![0.0; weights.len()], taps, count: weights.len() / taps, most, bias };
        for (at, size) in filters.sizes() {
            for k in 0..size {
                for tap in 0..taps {
                    filters.weights[at * taps + tap * size + k] = weights[(at + k) * taps + tap];
                }
            }
        }
        filters
    }

    /// The filters of all blocks: the first, and how many. What is left of the whole blocks is
    /// halved and halved again.
    fn sizes(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (count, most, mut at) = (self.count, self.most, 0);
        std::iter::from_fn(move || {
            let size = (0..).map(|k| most >> k).take_while(|&s| s > 0).find(|s| at + s <= count)?;
            at += size;
            Some((at - size, size))
        })
    }

    /// The blocks in a range of filters that begins and ends with whole ones.
    fn blocks(&self, filters: Range<usize>) -> impl Iterator<Item = (usize, usize, &[f32])> {
        let taps = self.taps;
        let own = self.sizes().filter(move |&(at, _)| filters.contains(&at));
        own.map(move |(at, size)| (at, size, &self.weights[at * taps..][..size * taps]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks are whole ones first, then what is left in halves.
    #[test]
    fn filters_are_taken_in_blocks() {
        let weights = (0..23u8 * 2).map(f32::from).collect::<Vec<_>>();
        let filters = Filters::in_blocks(&weights, 2, 8, None);
        let blocks: Vec<(usize, usize)> = filters.blocks(0..23).map(|b| (b.0, b.1)).collect();
        assert_eq!(blocks, [(0, 8), (8, 8), (16, 4), (20, 2), (22, 1)]);
        let shared: Vec<(usize, usize)> = filters.blocks(16..23).map(|b| (b.0, b.1)).collect();
        assert_eq!(shared, [(16, 4), (20, 2), (22, 1)]);
        let halves = Filters::in_blocks(&weights, 2, 4, None);
        assert_eq!(halves.blocks(8..23).map(|b| b.1).collect::<Vec<_>>(), [4, 4, 4, 2, 1]);
        let (_, size, block) = filters.blocks(16..20).next().expect("there is one");
        assert_eq!(block[size + 1], weights[17 * 2 + 1]);
    }

    /// A plane of more places than are taken at once, and several images.
    #[test]
    fn gradients_by_the_weights_are_those_of_a_plain_loop() {
        let ([channels, filters], [high, wide]) = ([2, 3], [170, 171]);
        let sides = |rows, columns| Sides { rows, columns };
        let window = Window { size: sides(3, 2), stride: sides(1, 1), padding: sides(1, 1) };
        let form = Form { window, groups: 1, input: [channels, high, wide], output: [filters, high, wide + 1] };
        let bordered = Bordered::new(&form).expect("it fits");
        let (image, plane) = (channels * high * wide, high * (wide + 1));
        let images: Vec<f32> = (0..2 * image).map(|i| (i as f32 * 0.37).sin()).collect();
        let gradients: Vec<f32> = (0..2 * filters * plane).map(|i| (i as f32 * 0.11).cos()).collect();
        let mut sums = vec![0.0; filters * form.taps()];
        bordered.by_weights(&images, &gradients, &mut sums, &mut vec![f32::NAN; 9]);
        for (at, found) in sums.iter().enumerate() {
            let (filter, channel, down, right) = (at / form.taps(), at / 6 % channels, at % 6 / 2, at % 2);
            let mut wanted = 0.0;
            for (sample, row) in (0..2).flat_map(|s| (0..high).map(move |row| (s, row))) {
                for column in 0..=wide {
                    let (Some(y), Some(x)) = ((row + down).checked_sub(1), (column + right).checked_sub(1)) else { continue };
                    if y < high && x < wide {
                        let gradient = gradients[((sample * filters + filter) * high + row) * (wide + 1) + column];
                        wanted += f64::from(gradient) * f64::from(images[sample * image + (channel * high + y) * wide + x]);
                    }
                }
            }
            assert!((f64::from(*found) - wanted).abs() < 0.02, "{at}: {found}, {wanted}");
        }
    }
}
