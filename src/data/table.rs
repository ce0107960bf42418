//! Tables of labelled rows: one's own data, from csv or .npy.

use super::npy;
use super::rows::which_columns;
use super::samples::{DataSet, Samples};
use super::text::{fields, is_header, number};
use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::path::Path;

/// Of every so many rows of a class one is for testing.
const TEST_OF: usize = 5;
/// Decides which rows are for testing, whatever the seed of a training is, so that all runs are
/// judged by the same rows.
const SPLIT_SEED: u64 = 0;

/// Whether the name of a data set is that of a table.
pub fn is_table(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or("").to_lowercase();
    ["csv", "tsv", "txt", "npy"].contains(&ending.as_str())
}

/// A table of numbers, row by row, and what stood in its column of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledTable {
    /// Names of the columns of numbers, or their places in the file.
    pub columns: Vec<String>,
    /// The numbers, row by row.
    pub numbers: Vec<f64>,
    /// The label of each row; empty if none were asked for.
    pub labels: Vec<String>,
}

impl LabelledTable {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.numbers.len() / self.columns.len().max(1)
    }
}

/// Reads a table: text with or without a header, or an array of two dimensions. `label` is a
/// column, by its name or its number from 0 on, or the name of a .npy file with a label for each
/// row. `wanted` are the columns of numbers, in their order; all others if there are none.
///
/// # Errors
/// [`Error::File`] naming the line, [`Error::Input`] for a column that is not there.
pub fn read_table(path: &Path, label: Option<&str>, wanted: &[String]) -> Result<LabelledTable> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let beside = label.filter(|l| l.ends_with(".npy"));
    let column = label.filter(|_| beside.is_none());
    let mut table = if bytes.starts_with(npy::NPY) {
        of_array(path, &bytes, column, wanted)?
    } else {
        of_text(path, &bytes, column, wanted)?
    };
    if let Some(file) = beside {
        let file = Path::new(file);
        let labels = npy::npy_array(file, &std::fs::read(file).map_err(Error::io(file, "read"))?)?.values;
        if labels.len() != table.rows() {
            return Err(Error::file(file, format!("holds {} labels for {} rows", labels.len(), table.rows())));
        }
        table.labels = labels.iter().map(ToString::to_string).collect();
    }
    if table.columns.is_empty() || table.rows() == 0 {
        return Err(Error::file(path, "holds no numbers besides the labels"));
    }
    Ok(table)
}

/// The column of labels, and those of numbers.
fn places(
    header: Option<&[String]>,
    width: usize,
    label: Option<&str>,
    wanted: &[String],
) -> Result<(Option<usize>, Vec<usize>)> {
    let one = |name: &str| which_columns(&[name.to_string()], header, width).map(|found| found[0]);
    let label = label.map(one).transpose()?;
    let numbers = if wanted.is_empty() {
        (0..width).filter(|c| Some(*c) != label).collect()
    } else {
        which_columns(wanted, header, width)?
    };
    Ok((label, numbers))
}

fn of_array(path: &Path, bytes: &[u8], label: Option<&str>, wanted: &[String]) -> Result<LabelledTable> {
    let rows = npy::as_rows(path, npy::npy_array(path, bytes)?)?;
    let width = rows.same_width(path)?;
    rows.all_finite(path)?;
    let (label, numbers) = places(None, width, label, wanted)?;
    Ok(LabelledTable {
        columns: numbers.iter().map(ToString::to_string).collect(),
        numbers: (0..rows.len()).flat_map(|i| numbers.iter().map(|&c| rows.row(i)[c]).collect::<Vec<_>>()).collect(),
        labels: label.map_or(Vec::new(), |c| (0..rows.len()).map(|i| rows.row(i)[c].to_string()).collect()),
    })
}

fn of_text(path: &Path, bytes: &[u8], label: Option<&str>, wanted: &[String]) -> Result<LabelledTable> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::file(path, "neither text nor a .npy file"))?;
    let mut header: Option<Vec<String>> = None;
    let mut chosen: Option<(usize, Option<usize>, Vec<usize>)> = None;
    let mut found = LabelledTable { columns: Vec::new(), numbers: Vec::new(), labels: Vec::new() };
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let wrong = |message: String| Error::line(path, at + 1, message);
        if line.trim().is_empty() {
            continue;
        }
        let mut cells = fields(line.trim()).map_err(wrong)?;
        // A separator at the end closes the last cell, unless a cell is missing then: it is empty.
        let expected = chosen.as_ref().map(|c| c.0).or(header.as_ref().map(Vec::len));
        if expected == Some(cells.len() + 1) && line.trim_end().ends_with([',', ';']) {
            cells.push(String::new());
        }
        if chosen.is_none() && header.is_none() {
            // With a column of words, the first line is a header where no cell of it is a number.
            if is_header(&cells) {
                header = Some(cells);
                continue;
            }
        }
        if let (None, Some(names)) = (&chosen, &header)
            && names.len() != cells.len()
        {
            return Err(wrong(format!("{} cells under a header of {} names", cells.len(), names.len())));
        }
        if chosen.is_none() {
            let (label, numbers) = places(header.as_deref(), cells.len(), label, wanted)?;
            let name = |c: &usize| header.as_ref().map_or(c.to_string(), |h| h.get(*c).cloned().unwrap_or_default());
            found.columns = numbers.iter().map(name).collect();
            chosen = Some((cells.len(), label, numbers));
        }
        let Some((width, label, numbers)) = &chosen else { continue };
        if cells.len() != *width {
            return Err(wrong(format!("{} cells, but the rows before have {width}", cells.len())));
        }
        for &c in numbers {
            let about = |why: String| wrong(format!("column {}: {why}", found.columns.get(c).cloned().unwrap_or(c.to_string())));
            let x = number(&cells[c]).map_err(about)?;
            if !x.is_finite() {
                return Err(about(format!("{x}: numbers must be finite")));
            }
            found.numbers.push(x);
        }
        if let Some(c) = label {
            if cells[*c].is_empty() {
                return Err(wrong("the label is missing".into()));
            }
            found.labels.push(cells[*c].clone());
        }
    }
    Ok(found)
}

/// The data set of a table: its classes are what the labels say, in the order of numbers or of
/// letters; every fifth row of a class, by chance, is for testing. Numbers are as they are: see
/// [`DataSet::normalise`] and [`standard`].
///
/// # Errors
/// As [`read_table`]; [`Error::Input`] for fewer than 2 or more than 256 classes, or a class with a
/// single row.
pub fn table_set(path: &Path, label: &str) -> Result<DataSet> {
    let table = read_table(path, Some(label), &[])?;
    let mut classes: Vec<String> = table.labels.clone();
    classes.sort_by(|a, b| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) => x.total_cmp(&y),
        _ => a.cmp(b),
    });
    classes.dedup();
    if classes.len() < 2 || classes.len() > 256 {
        return Err(Error::file(
            path,
            format!("the column '{label}' holds {} different labels: from 2 to 256 are needed", classes.len()),
        ));
    }
    let place = |l: &String| classes.iter().position(|c| c == l).unwrap_or(0) as u8;
    let labels: Vec<u8> = table.labels.iter().map(place).collect();
    let features = table.columns.len();
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(&mut StdRng::seed_from_u64(SPLIT_SEED));
    let mut seen = vec![0usize; classes.len()];
    let (test, train): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|&i| {
        let count = &mut seen[usize::from(labels[i])];
        *count += 1;
        *count % TEST_OF == 2
    });
    if let Some(rare) = seen.iter().position(|&n| n < 2) {
        return Err(Error::file(
            path,
            format!("the class '{}' has a single row: one to learn from and one to judge by are needed", classes[rare]),
        ));
    }
    let part = |which: Vec<usize>| {
        let numbers =
            which.iter().flat_map(|&i| table.numbers[i * features..(i + 1) * features].iter().map(|&x| x as f32)).collect();
        Samples::vectors(features, numbers, which.iter().map(|&i| labels[i]).collect())
    };
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("table").to_string();
    DataSet { name, train: part(train)?, test: part(test)?, classes }.checked()
}

/// Mean and deviation of each feature of vectors; a deviation of 0, of a feature that never
/// changes, counts as 1.
pub fn standard(samples: &Samples) -> (Vec<f32>, Vec<f32>) {
    let (n, width) = (samples.len(), samples.width());
    let rows = samples.gather(&(0..n).collect::<Vec<_>>());
    let of_column = |c: usize| rows.iter().skip(c).step_by(width.max(1)).map(|&x| f64::from(x));
    let column = |c: usize| {
        let mean = of_column(c).sum::<f64>() / n as f64;
        let variance = of_column(c).map(|x| (x - mean) * (x - mean)).sum::<f64>() / n as f64;
        (mean as f32, if variance > 0.0 { variance.sqrt() as f32 } else { 1.0 })
    };
    (0..width).map(column).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, label: &str) -> Result<DataSet> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        table_set(&path, label)
    }

    #[test]
    fn classes_are_what_the_labels_say() {
        let rows: String = (0..50).map(|i| format!("{i},{},{}\n", ["b", "a"][i % 2], 100 * (i % 2))).collect();
        let data = set(&format!("size,kind,price\n{rows}"), "kind").unwrap();
        assert_eq!(data.classes, ["a", "b"]);
        assert_eq!((data.train.len(), data.test.len(), data.train.shape.as_slice()), (40, 10, &[2][..]));
        for part in [&data.train, &data.test] {
            for i in 0..part.len() {
                let row = part.gather(&[i]);
                assert_eq!(usize::from(part.labels[i]), (row[0] as usize + 1) % 2, "each row kept its label");
                assert_eq!(row[1], 100.0 * (row[0] % 2.0));
            }
        }
        let (mean, deviation) = standard(&data.train);
        let mut scaled = data.clone();
        scaled.normalise(&mean, &deviation).unwrap();
        let (zero, one) = standard(&scaled.train);
        assert!(zero.iter().all(|m| m.abs() < 1e-5) && one.iter().all(|d| (d - 1.0).abs() < 1e-5));
        // Numbers as labels are in the order of numbers.
        let rows: String = (0..60).map(|i| format!("{},{}\n", i, i % 12)).collect();
        assert_eq!(set(&rows, "1").unwrap().classes[1..3], ["1", "2"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, label, says) in [
            ("x,y\n1,a\n2,b\n", "z", "no column 'z'"),
            ("x,y\n1,a\n2,a\n", "y", "holds 1 different labels"),
            ("x,y\n1,a\n2,a\n3,b\n", "y", "the class 'b' has a single row"),
            ("x,y\n1,a\nq,b\n", "y", "line 3: column x: 'q' is not a number"),
            ("x,y\n1,a\n2\n", "y", "line 3: 1 cells"),
            ("x,y\n1,\n2,b\n", "y", "line 2: the label is missing"),
            ("x,y\n1,a,3\n2,b\n", "y", "line 2: 3 cells under a header of 2 names"),
        ] {
            let e = set(text, label).unwrap_err();
            assert!(e.to_string().contains(says), "{e}");
            assert_eq!(e.exit_code(), 2);
        }
    }
}
