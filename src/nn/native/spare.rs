//! Memory of tensors that nobody reads any more, for the next ones of the same size.
//!
//! A vector must be filled before loops may write to it. Filling what is overwritten at once took a
//! sixth of the time that ResNet-20 trains, for the numbers of a tensor do not fit into the cache.
//! The steps of a training need tensors of the same sizes again and again. So what a step is done
//! with is kept here, with whatever numbers it holds, and the next step writes over it.

use super::{Host, filled};
use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Mutex;

/// Numbers below which a vector is not worth keeping.
const LEAST: usize = 1 << 12;
/// Numbers that are kept at most: 512 MiB.
const MOST: usize = 1 << 27;
/// A vector goes that nobody has taken while so many others came.
const AGE: usize = 1 << 10;

/// What is kept, the longest first.
#[derive(Default)]
struct Spare {
    /// Vectors, and how many had come before each.
    kept: VecDeque<(usize, Vec<f32>)>,
    /// Numbers of all of them.
    total: usize,
    /// Vectors that have come so far.
    come: usize,
}

impl Spare {
    fn take(&mut self, count: usize) -> Option<Vec<f32>> {
        // The last that came may still be in the cache.
        let at = self.kept.iter().rposition(|(_, numbers)| numbers.len() == count)?;
        self.total -= count;
        Some(self.kept.remove(at)?.1)
    }

    fn give(&mut self, numbers: Vec<f32>) {
        self.total += numbers.len();
        self.kept.push_back((self.come, numbers));
        self.come += 1;
        while let Some((came, oldest)) = self.kept.front() {
            if self.total <= MOST && came + AGE >= self.come {
                break;
            }
            self.total -= oldest.len();
            self.kept.pop_front();
        }
    }
}

static SPARE: Mutex<Spare> = Mutex::new(Spare { kept: VecDeque::new(), total: 0, come: 0 });

fn spare<T>(work: impl FnOnce(&mut Spare) -> T) -> T {
    work(&mut SPARE.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// As many numbers, all of which the caller writes over: what they are is not defined.
pub fn room(count: usize) -> Vec<f32> {
    let found = if count < LEAST { None } else { spare(|spare| spare.take(count)) };
    match found {
        // A test that reads what was not written fails.
        Some(mut found) if cfg!(test) => {
            found.fill(f32::NAN);
            found
        }
        Some(found) => found,
        None => filled(count, 0.0),
    }
}

/// Keeps the memory of a tensor, if nobody else reads it.
pub fn give(tensor: Host) {
    if let Some(numbers) = memory_of(tensor) {
        spare(|spare| spare.give(numbers));
    }
}

/// The memory of a tensor that nobody else reads, if it is worth keeping.
fn memory_of(tensor: Host) -> Option<Vec<f32>> {
    if !tensor.is_unique() || tensor.as_slice::<f32>()?.len() < LEAST {
        return None;
    }
    tensor.into_data().try_into_vec().ok()
}

/// What is kept is freed when this goes, at the end of a training. Another training that goes on
/// makes its vectors anew.
#[derive(Debug)]
pub struct Keeping;

impl Drop for Keeping {
    fn drop(&mut self) {
        drop(spare(std::mem::take));
    }
}

/// A tensor that the gradients of an operation need. Its memory is kept when they are done.
pub struct Held(Option<Host>);

impl Held {
    pub fn new(tensor: Host) -> Self {
        Self(Some(tensor))
    }
}

impl Deref for Held {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.as_ref().map_or(&[], super::numbers)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(tensor) = self.0.take() {
            give(tensor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_ages_and_the_limit_decide_what_is_kept() {
        let mut spare = Spare::default();
        spare.give(vec![1.0; LEAST]);
        spare.give(vec![2.0; LEAST]);
        assert!(spare.take(LEAST + 1).is_none());
        assert_eq!(spare.take(LEAST).unwrap()[0], 2.0);
        spare.give(vec![3.0; MOST - LEAST]);
        assert_eq!((spare.kept.len(), spare.total), (2, MOST));
        // One number too many: the oldest goes.
        spare.give(vec![4.0]);
        assert_eq!((spare.kept.len(), spare.total), (2, MOST - LEAST + 1));
        for _ in 0..=AGE {
            spare.give(vec![5.0; 2]);
            assert!(spare.take(2).is_some());
        }
        assert_eq!((spare.kept.len(), spare.total), (0, 0));
    }

    /// What someone still reads is not kept.
    #[test]
    fn a_tensor_that_is_shared_stays_as_it_is() {
        let tensor = super::super::tensor(vec![7.0; LEAST + 3], [LEAST + 3]);
        let other = tensor.clone();
        assert!(memory_of(tensor).is_none());
        assert_eq!(memory_of(other), Some(vec![7.0; LEAST + 3]));
    }
}
