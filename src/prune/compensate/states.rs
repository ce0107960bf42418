//! Where the whole network and the cut one stand on the same images, layer after layer.

use crate::data::Samples;
use crate::error::Result;
use crate::nn::{Net, Pass, Shape};
use crate::prune::scoring::BATCH;
use burn::tensor::{Device, Tensor, TensorData};

/// Bytes of activations that are kept between layers. What is beyond them is computed from the
/// images again for every layer, so memory does not grow with the number of images.
pub(super) const MOST_BYTES: usize = 1 << 30;

/// The whole network's pass and the cut one's.
#[derive(Clone, Debug)]
pub(super) struct Both {
    pub whole: Pass,
    pub cut: Pass,
}

/// Some images, and where the networks stand on them if that is kept.
#[derive(Debug)]
struct Batch {
    which: Vec<usize>,
    kept: bool,
    both: Option<Both>,
}

/// The images in batches.
#[derive(Debug)]
pub(super) struct States<'a> {
    samples: &'a Samples,
    device: &'a Device,
    batches: Vec<Batch>,
}

impl<'a> States<'a> {
    /// Stands before the first layer.
    pub fn new(whole: &Net, samples: &'a Samples, which: &[usize], device: &'a Device, most_bytes: usize) -> Result<Self> {
        let largest = whole.arch.shapes()?.into_iter().map(Shape::numbers).max().unwrap_or(1);
        // What flows and what a shortcut comes back to, of two networks, in single precision.
        let of_batch = BATCH * largest * 2 * 2 * 4;
        let kept = (most_bytes / of_batch).max(1);
        let batch = |(nth, some): (usize, &[usize])| Batch { which: some.to_vec(), kept: nth < kept, both: None };
        Ok(Self { samples, device, batches: which.chunks(BATCH).enumerate().map(batch).collect() })
    }

    pub fn batches(&self) -> usize {
        self.batches.len()
    }

    /// Images of a batch.
    pub fn images(&self, batch: usize) -> usize {
        self.batches[batch].which.len()
    }

    /// The passes of a batch, both before layer `at`.
    pub fn take(&mut self, batch: usize, at: usize, whole: &Net, cut: &Net) -> Both {
        let batch = &mut self.batches[batch];
        if let Some(both) = batch.both.take() {
            return both;
        }
        let data = TensorData::new(self.samples.gather(&batch.which), [batch.which.len(), self.samples.width()]);
        let x = Tensor::<2>::from_data(data, self.device);
        let mut both = Both { whole: whole.begin(x.clone()), cut: cut.begin(x) };
        while both.whole.next < at {
            both = Both { whole: whole.advance(both.whole), cut: cut.advance(both.cut) };
        }
        both
    }

    /// Takes the passes back, and keeps them if there is room.
    pub fn put(&mut self, batch: usize, both: Both) {
        let batch = &mut self.batches[batch];
        batch.both = Some(both).filter(|_| batch.kept);
    }

    /// Moves all passes that are kept.
    pub fn each(&mut self, step: impl Fn(Both) -> Both) {
        for batch in &mut self.batches {
            batch.both = batch.both.take().map(&step);
        }
    }
}
