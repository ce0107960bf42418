//! Numbers in rows, as files hold them: in double precision, and with where each row stood.

use crate::error::{Error, Result};
use std::path::Path;

/// Numbers in rows that need not be equally long.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub values: Vec<f64>,
    /// Where each row begins, and the line that it stood on, counted from 1.
    pub starts: Vec<(usize, usize)>,
    /// Whether rows are lines of a text, or else rows of an array.
    pub lines: bool,
    /// The names of the columns, if the file has them.
    pub header: Option<Vec<String>>,
}

impl Rows {
    /// The rows of an array of `n` times `width` numbers.
    pub fn of_array(n: usize, width: usize, values: Vec<f64>) -> Self {
        Self { values, starts: (0..n).map(|i| (i * width, i + 1)).collect(), lines: false, header: None }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// The numbers of row `i`.
    pub fn row(&self, i: usize) -> &[f64] {
        let end = self.starts.get(i + 1).map_or(self.values.len(), |s| s.0);
        &self.values[self.starts[i].0..end]
    }

    /// An error about row `i`.
    pub fn wrong(&self, path: &Path, i: usize, message: impl Into<String>) -> Error {
        let at = self.starts[i].1;
        if self.lines { Error::line(path, at, message) } else { Error::file(path, format!("row {at}: {}", message.into())) }
    }

    /// The width of all rows.
    ///
    /// # Errors
    /// [`Error::File`] with the row that has another one.
    pub fn same_width(&self, path: &Path) -> Result<usize> {
        let width = self.row(0).len();
        match (1..self.len()).find(|&i| self.row(i).len() != width) {
            None => Ok(width),
            Some(i) => {
                let triangle = (0..self.len()).all(|i| self.row(i).len() == i + 1);
                let error = self.wrong(path, i, format!("{} numbers, but the rows before have {width}", self.row(i).len()));
                // It may be the lower triangle of a distance matrix.
                Err(if triangle { error.settings(&["format lower-distance"]) } else { error })
            }
        }
    }

    /// # Errors
    /// [`Error::File`] with the first number that is not finite.
    pub fn all_finite(&self, path: &Path) -> Result<()> {
        for i in 0..self.len() {
            if let Some((column, value)) = self.row(i).iter().enumerate().find(|(_, x)| !x.is_finite()) {
                return Err(self.wrong(path, i, format!("{value} in column {}: coordinates must be finite", column + 1)));
            }
        }
        Ok(())
    }

    /// Only some columns: by their names, or by their numbers from 0 on.
    ///
    /// # Errors
    /// [`Error::Input`] for a column that is not there.
    pub fn columns(self, path: &Path, wanted: &[String]) -> Result<Self> {
        if wanted.is_empty() {
            return Ok(self);
        }
        let width = self.same_width(path)?;
        let kept = which_columns(wanted, self.header.as_deref(), width)?;
        let values = (0..self.len()).flat_map(|i| kept.iter().map(|&c| self.row(i)[c]).collect::<Vec<_>>()).collect();
        let starts = self.starts.iter().enumerate().map(|(i, s)| (i * kept.len(), s.1)).collect();
        let header = self.header.map(|names| kept.iter().map(|&c| names[c].clone()).collect());
        Ok(Self { values, starts, lines: self.lines, header })
    }
}

/// The indices of columns: names of the header, numbers from 0 on, or ranges of them as `2..5`,
/// both ends included.
///
/// # Errors
/// [`Error::Input`] for a column that is not there.
pub(super) fn which_columns(wanted: &[String], header: Option<&[String]>, width: usize) -> Result<Vec<usize>> {
    let mut kept = Vec::new();
    for word in wanted.iter().map(|w| w.trim()) {
        if let Some(at) = header.and_then(|names| names.iter().position(|n| n == word)) {
            kept.push(at);
            continue;
        }
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let range = match word.split_once("..") {
            Some((from, to)) => number(from).zip(number(to)),
            None => number(word).map(|n| (n, n)),
        };
        let names = header.map_or(String::new(), |names| format!(", or a name: {}", names.join(", ")));
        match range {
            Some((from, to)) if from <= to && to < width => kept.extend(from..=to),
            _ => return Err(Error::input(format!("there is no column '{word}': give a number from 0 to {}{names}", width - 1))),
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_by_name_number_and_range() {
        let names = ["x", "y", "2"].map(String::from).to_vec();
        let which = |wanted: &[&str], header| {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            which_columns(&wanted, header, 3)
        };
        assert_eq!(which(&["y", "0"], Some(&names)).unwrap(), [1, 0]);
        assert_eq!(which(&["0..1"], None).unwrap(), [0, 1]);
        assert_eq!(which(&["2"], Some(&names)).unwrap(), [2], "a name goes before a number");
        for bad in ["3", "z", "1..0", "0..3", "-1"] {
            assert!(which(&[bad], Some(&names)).unwrap_err().to_string().contains("number from 0 to 2, or a name: x, y, 2"));
        }
    }
}
