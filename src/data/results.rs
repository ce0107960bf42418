//! Barcodes and labelled points in the formats that other tools read.

use super::files;
use crate::error::{Error, Result};
use crate::topology::{Bar, Barcode};
use std::fmt::Write as _;
use std::path::Path;

fn bars(barcode: &Barcode) -> impl Iterator<Item = (usize, &Bar)> {
    barcode.bars.iter().enumerate().flat_map(|(dim, bars)| bars.iter().map(move |b| (dim, b)))
}

/// Lines `dimension,birth,death` under a header; `inf` never dies.
pub fn barcode_csv(barcode: &Barcode) -> String {
    let mut out = String::from("dimension,birth,death\n");
    for (dim, bar) in bars(barcode) {
        let _ = writeln!(out, "{dim},{},{}", bar.birth, bar.death);
    }
    out
}

/// GUDHI's text format: lines `dimension birth death`.
pub fn barcode_pers(barcode: &Barcode) -> String {
    let mut out = String::from("# dimension birth death\n");
    for (dim, bar) in bars(barcode) {
        let _ = writeln!(out, "{dim} {} {}", bar.birth, bar.death);
    }
    out
}

/// A NumPy array of float32 of shape `(bars, 3)`: birth, death, dimension, as giotto-tda orders
/// them.
///
/// # Errors
/// [`Error::Internal`] if the encoder refuses.
pub fn barcode_npy(barcode: &Barcode) -> Result<Vec<u8>> {
    use npyz::WriterBuilder;
    let rows: Vec<f32> = bars(barcode).flat_map(|(dim, bar)| [bar.birth, bar.death, dim as f32]).collect();
    let mut bytes = Vec::new();
    let internal = |e: std::io::Error| Error::Internal(e.to_string());
    let options = npyz::WriteOptions::<f32>::new().default_dtype().shape(&[rows.len() as u64 / 3, 3]);
    let mut writer = options.writer(&mut bytes).begin_nd().map_err(internal)?;
    writer.extend(rows).map_err(internal)?;
    writer.finish().map_err(internal)?;
    Ok(bytes)
}

/// Writes labelled points: as csv with the label last, or as .npy with the labels (int64) in a file
/// beside it, `NAME-labels.npy`.
///
/// # Errors
/// [`Error::Io`].
pub fn write_labelled(path: &Path, csv: bool, rows: &[(Vec<f32>, u8)]) -> Result<()> {
    if csv {
        let line = |(p, label): &(Vec<f32>, u8)| p.iter().map(|x| format!("{x},")).collect::<String>() + &format!("{label}\n");
        return files::write_text(path, &rows.iter().map(line).collect::<String>());
    }
    let width = rows.first().map_or(0, |r| r.0.len()) as u64;
    let numbers: Vec<f32> = rows.iter().flat_map(|r| r.0.iter().copied()).collect();
    let labels: Vec<i64> = rows.iter().map(|r| i64::from(r.1)).collect();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    write_npy(&path.with_file_name(format!("{stem}-labels.npy")), &[rows.len() as u64], &labels)?;
    write_npy(path, &[rows.len() as u64, width], &numbers)
}

fn write_npy<T: npyz::Serialize + npyz::AutoSerialize + Copy>(path: &Path, shape: &[u64], values: &[T]) -> Result<()> {
    use npyz::WriterBuilder;
    files::write_atomically(path, |out| {
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut *out).begin_nd()?;
        writer.extend(values.iter().copied())?;
        writer.finish()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Metric;

    #[test]
    fn every_format_holds_every_bar() {
        let bars = vec![vec![Bar { birth: 0.0, death: f32::INFINITY }], vec![Bar { birth: 1.5, death: 2.0 }]];
        let b = Barcode {
            n: 3,
            metric: Metric::Euclidean,
            threshold: None,
            sampled_from: None,
            covering_radius: None,
            bars,
            edges: None,
            cycles: None,
            cocycles: None,
        };
        assert_eq!(barcode_csv(&b), "dimension,birth,death\n0,0,inf\n1,1.5,2\n");
        assert_eq!(barcode_pers(&b), "# dimension birth death\n0 0 inf\n1 1.5 2\n");
        let npy = npyz::NpyFile::new(barcode_npy(&b).unwrap().as_slice()).unwrap().into_vec::<f32>().unwrap();
        assert_eq!(npy, [0.0, f32::INFINITY, 0.0, 1.5, 2.0, 1.0]);
    }
}
