//! What a convolution reads, written out for some of its places.

use crate::nn::Window;
use std::ops::Range;

/// Numbers of patches that are made at once: half of a usual second-level cache.
const PATCHES: usize = 1 << 17;

/// The form of a convolution, for one sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Size, steps, and what is put around the plane.
    pub window: Window,
    /// Parts of channels and filters that know nothing of each other.
    pub groups: usize,
    /// Channels, height, width of what it reads.
    pub input: [usize; 3],
    /// Filters, height, width of what it gives.
    pub output: [usize; 3],
}

impl Form {
    /// Numbers that a filter has.
    pub fn taps(&self) -> usize {
        self.input[0] / self.groups * self.window.size.area()
    }

    /// Numbers of an image, and of a plane that it gives.
    pub fn sizes(&self) -> (usize, usize) {
        (self.input.iter().product(), self.output[1] * self.output[2])
    }

    /// The rows of places in blocks whose patches stay in the cache.
    pub fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let [_, high, wide] = self.output;
        let rows = (PATCHES / (self.taps() * wide)).clamp(1, high);
        (0..high).step_by(rows).map(move |first| first..(first + rows).min(high))
    }

    /// Whether it reads every number once and in order, so that an image is its own patches.
    pub fn is_plain(&self) -> bool {
        let Window { size, stride, padding } = self.window;
        size.area() == 1 && stride.area() == 1 && padding.array() == [0, 0]
    }

    /// Goes through the lines of patches for some rows of places of a group: for every weight of a
    /// filter and every row of places one line, place after place. `line` gets the line's number,
    /// and where it lies in the image: the first of its numbers, and the places that are in the
    /// plane.
    fn lines(&self, group: usize, rows: Range<usize>, mut line: impl FnMut(usize, usize, Range<usize>)) {
        let Window { size, stride, padding } = self.window;
        let ([channels, height, width], wide) = (self.input, self.output[2]);
        let own = channels / self.groups;
        let mut at = 0;
        for channel in group * own..(group + 1) * own {
            for tap in 0..size.area() {
                let (down, right) = (tap / size.columns, tap % size.columns);
                // The places whose column lies in the plane.
                let first = padding.columns.saturating_sub(right).div_ceil(stride.columns).min(wide);
                let end = (width + padding.columns).saturating_sub(right).div_ceil(stride.columns).clamp(first, wide);
                for place in rows.clone() {
                    let row = (place * stride.rows + down).wrapping_sub(padding.rows);
                    if row >= height || first == end {
                        line(at, 0, 0..0);
                    } else {
                        let from = (channel * height + row) * width + first * stride.columns + right - padding.columns;
                        line(at, from, first..end);
                    }
                    at += 1;
                }
            }
        }
    }

    /// Writes what some rows of places of a group read: for every weight of a filter the numbers
    /// that it is multiplied by, place after place.
    pub fn patches(&self, image: &[f32], group: usize, rows: Range<usize>, patches: &mut [f32]) {
        let (wide, step) = (self.output[2], self.window.stride.columns);
        self.lines(group, rows, |at, from, places| {
            let to = &mut patches[at * wide..][..wide];
            if places.len() < wide {
                to.fill(0.0);
            }
            if step == 1 {
                to[places.clone()].copy_from_slice(&image[from..from + places.len()]);
            } else if !places.is_empty() {
                to[places].iter_mut().zip(image[from..].iter().step_by(step)).for_each(|(to, x)| *to = *x);
            }
        });
    }

    /// Adds numbers of patches to the numbers of the image that they stand for.
    pub fn add_patches(&self, patches: &[f32], group: usize, rows: Range<usize>, image: &mut [f32]) {
        let (wide, step) = (self.output[2], self.window.stride.columns);
        self.lines(group, rows, |at, from, places| {
            let read = &patches[at * wide..][..wide][places.clone()];
            if step == 1 {
                image[from..from + places.len()].iter_mut().zip(read).for_each(|(to, x)| *to += x);
            } else if !places.is_empty() {
                image[from..].iter_mut().step_by(step).zip(read).for_each(|(to, x)| *to += x);
            }
        });
    }
}
