//! A boundary matrix over few rows, reduced left to right.
//!
//! Rows are the classes that were born (loops, voids), columns what may kill one, as bits. The
//! pivot of a column is the youngest class in it.

use crate::error::{Error, Result};
use crate::memory::{gib, short_of};

/// The columns that are reduced, one for every class that has died.
pub(super) struct Columns {
    /// Words of a column.
    words: usize,
    /// `killer[class]`: what killed it, in the numbers of the caller.
    pub killer: Vec<Option<u32>>,
    /// Where the column with pivot `class` begins; it ends with the word of the pivot.
    at: Vec<usize>,
    bits: Vec<u64>,
    /// Classes that have died.
    pub deaths: usize,
}

impl Columns {
    /// For so many classes, by birth.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when the matrix would not fit what memory is left.
    pub fn new(classes: usize) -> Result<Self> {
        let words = classes.div_ceil(64);
        // Column by column they are half as long on the average.
        let most = 4 * classes as u64 * words as u64;
        if let Some(free) = short_of(most) {
            return Err(Error::TooLarge(format!(
                "{classes} classes make a matrix of up to {:.1} GiB, and {:.1} GiB are free: use a threshold, or sample the cloud",
                gib(most),
                gib(free)
            )));
        }
        Ok(Self { words, killer: vec![None; classes], at: vec![0; classes], bits: Vec::new(), deaths: 0 })
    }

    /// Words of a column.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Classes that have not died yet.
    pub fn alive(&self) -> usize {
        self.killer.len() - self.deaths
    }

    /// Whether every class has died.
    pub fn all_dead(&self) -> bool {
        self.alive() == 0
    }

    /// The cycle that dies with a class that has died, as a column up to its pivot.
    pub fn column(&self, class: usize) -> &[u64] {
        &self.bits[self.at[class]..][..class / 64 + 1]
    }

    /// Adds earlier columns until the youngest class is one that is still alive, and kills it; or
    /// until nothing is left. Returns the class, and leaves `column` in pieces.
    #[inline(always)]
    pub fn reduce(&mut self, killer: u32, column: &mut [u64]) -> Option<usize> {
        let mut top = column.len();
        loop {
            top = column[..top].iter().rposition(|&w| w != 0)? + 1;
            let pivot = top * 64 - 1 - column[top - 1].leading_zeros() as usize;
            if self.killer[pivot].is_none() {
                self.killer[pivot] = Some(killer);
                self.at[pivot] = self.bits.len();
                self.bits.extend_from_slice(&column[..top]);
                self.deaths += 1;
                return Some(pivot);
            }
            column[..top].iter_mut().zip(&self.bits[self.at[pivot]..]).for_each(|(x, y)| *x ^= *y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// As many deaths as the matrix has rank, and every kept column has its pivot where it
        /// says.
        #[test]
        fn deaths_are_the_rank(columns in prop::collection::vec(prop::collection::vec(any::<bool>(), 70..=70), 0..90)) {
            let mut matrix = Columns::new(70).unwrap();
            let mut basis: Vec<u128> = Vec::new();
            for (i, column) in columns.iter().enumerate() {
                let mut bits = [0u64; 2];
                column.iter().enumerate().for_each(|(at, &b)| bits[at / 64] |= u64::from(b) << (at % 64));
                let mut wide = u128::from(bits[1]) << 64 | u128::from(bits[0]);
                basis.iter().for_each(|b| wide = wide.min(wide ^ b));
                let found = matrix.reduce(i as u32, &mut bits);
                prop_assert_eq!(found.is_some(), wide != 0);
                if let Some(class) = found {
                    basis.push(wide);
                    basis.sort_unstable_by(|a, b| b.cmp(a));
                    let kept = matrix.column(class);
                    prop_assert_eq!(kept.len() * 64 - 1 - kept[kept.len() - 1].leading_zeros() as usize, class);
                    prop_assert_eq!(matrix.killer[class], Some(i as u32));
                }
            }
            prop_assert_eq!(matrix.deaths, basis.len());
        }
    }
}
