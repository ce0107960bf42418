//! Arrays of NumPy (.npy) and archives of them (.npz).

use super::rows::Rows;
use crate::error::{Error, Result};
use std::io::{Cursor, Read};
use std::path::Path;

/// What every .npy file begins with.
pub(super) const NPY: &[u8] = b"\x93NUMPY";
/// What every .npz file, a zip archive, begins with.
pub(super) const ZIP: &[u8] = b"PK\x03\x04";

/// An array of numbers.
pub(super) struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// Looks at the header before the parser does: on nested brackets its time grows without bound, and
/// it believes any length. Returns where the numbers begin.
fn check_header(bytes: &[u8]) -> std::result::Result<usize, &'static str> {
    let length = match bytes.get(6) {
        Some(1) => bytes.get(8..10).map(|b| 10 + usize::from(u16::from_le_bytes([b[0], b[1]]))),
        Some(2 | 3) => bytes.get(8..12).map(|b| 12 + u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize),
        _ => return Err("unknown version"),
    };
    let header = length.and_then(|end| bytes.get(10..end)).ok_or("truncated within its header")?;
    let count = |c: &[u8]| header.iter().filter(|b| c.contains(b)).count();
    if count(b"{") != 1 || count(b"[(") > 4 {
        return Err("its header is damaged");
    }
    Ok(length.unwrap_or(0))
}

/// A number of 16 bits, as IEEE 754 has it.
fn half(bits: u16) -> f64 {
    let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    };
    if sign == 1 { -size } else { size }
}

/// Reads an array of any shape.
///
/// # Errors
/// [`Error::File`] for what is damaged, or not numbers.
pub(super) fn npy_array(path: &Path, bytes: &[u8]) -> Result<Array> {
    use npyz::{DType, Endianness, NpyFile, Order, TypeChar};
    let bad = |m: String| Error::file(path, m);
    let begin = check_header(bytes).map_err(|why| bad(format!("not a readable .npy file: {why}")))?;
    let npy = NpyFile::new(bytes).map_err(|e| bad(format!("not a readable .npy file: {e}")))?;
    let DType::Plain(kind) = npy.dtype() else {
        return Err(bad(format!("the array holds records ({}), numbers are needed", npy.dtype().descr())));
    };
    // The header's word is not taken for what is really there.
    let shape = npy.shape().to_vec();
    let count = shape.iter().try_fold(1u64, |product, &s| product.checked_mul(s));
    let need = count.and_then(|c| c.checked_mul(kind.size_field())).filter(|&c| c <= bytes.len() as u64);
    let (Some(count), Some(_)) = (count, need) else {
        let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
        return Err(bad(format!("the header promises {} numbers, but the file is too short: truncated?", shape.join(" x "))));
    };
    let order = npy.order();
    macro_rules! read {
        ($t:ty) => {
            npy.into_vec::<$t>().map_err(|e| bad(format!("truncated or damaged: {e}")))?.into_iter().map(|x| x as f64).collect()
        };
    }
    let values: Vec<f64> = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 2) => {
            let numbers = bytes.get(begin..begin + 2 * count as usize).ok_or_else(|| bad("truncated".into()))?;
            let big = kind.endianness() == Endianness::Big;
            let bits = |b: &[u8]| if big { u16::from_be_bytes([b[0], b[1]]) } else { u16::from_le_bytes([b[0], b[1]]) };
            numbers.chunks_exact(2).map(|b| half(bits(b))).collect()
        }
        (TypeChar::Float, 4) => read!(f32),
        (TypeChar::Float, 8) => read!(f64),
        (TypeChar::Int, 1) => read!(i8),
        (TypeChar::Int, 2) => read!(i16),
        (TypeChar::Int, 4) => read!(i32),
        (TypeChar::Int, 8) => read!(i64),
        (TypeChar::Uint, 1) => read!(u8),
        (TypeChar::Uint, 2) => read!(u16),
        (TypeChar::Uint, 4) => read!(u32),
        (TypeChar::Uint, 8) => read!(u64),
        _ => return Err(bad(format!("numbers of type {kind} are not read: save the array as float32"))),
    };
    let shape: Vec<usize> = shape.iter().map(|&s| s as usize).collect();
    let values = match (order, shape.as_slice()) {
        (Order::Fortran, &[n, width]) => (0..n * width).map(|k| values[k / width + (k % width) * n]).collect(),
        (Order::Fortran, more) if more.len() > 2 => {
            return Err(bad("an array in Fortran's order has two dimensions at most here".into()));
        }
        _ => values,
    };
    Ok(Array { shape, values })
}

/// An array of two dimensions as rows.
///
/// # Errors
/// [`Error::File`] for another number of dimensions, or none of something.
pub(super) fn as_rows(path: &Path, array: Array) -> Result<Rows> {
    let bad = |m: String| Error::file(path, m);
    match *array.shape.as_slice() {
        [n, width] if n > 0 && width > 0 => Ok(Rows::of_array(n, width, array.values)),
        [n, width] => Err(bad(format!("the array is empty: its shape is ({n}, {width})"))),
        [_] => Err(bad(
            "the array has 1 dimension, 2 are needed, points by coordinates: reshape(-1, 1) makes points of one coordinate"
                .into(),
        )),
        ref more => Err(bad(format!("the array has {} dimensions, 2 are needed: points by coordinates", more.len()))),
    }
}

/// What an archive of arrays holds.
pub(super) enum Archive {
    /// One array.
    Array(Array),
    /// A sparse matrix of SciPy: rows, columns and values of its entries, and how many rows and
    /// columns it has.
    Sparse { entries: Vec<(usize, usize, f64)>, rows: usize, columns: usize },
}

/// The largest archive, unpacked, that is read: 8 GiB.
const MOST_UNPACKED: u64 = 8 << 30;

/// Reads an archive: its only array, the one that `wanted` names, or a sparse matrix as
/// `scipy.sparse.save_npz` writes it.
///
/// # Errors
/// [`Error::File`] for what is damaged, or several arrays and no name.
pub(super) fn npz(path: &Path, bytes: &[u8], wanted: Option<&str>) -> Result<Archive> {
    let bad = |m: String| Error::file(path, m);
    let broken = |e: zip::result::ZipError| bad(format!("not a readable .npz file: {e}"));
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let names: Vec<String> = archive.file_names().filter_map(|n| Some(n.ok()?.strip_suffix(".npy")?.to_string())).collect();
    let mut unpack = |name: &str| -> Result<Vec<u8>> {
        let member = archive.by_name(&format!("{name}.npy")).map_err(broken)?;
        let mut unpacked = Vec::new();
        let read = member.take(MOST_UNPACKED + 1).read_to_end(&mut unpacked);
        read.map_err(|e| bad(format!("not a readable .npz file: {name}: {e}")))?;
        if unpacked.len() as u64 > MOST_UNPACKED {
            return Err(bad(format!("the array {name} is larger than {} GiB", MOST_UNPACKED >> 30)));
        }
        Ok(unpacked)
    };
    let has = |name: &str| names.iter().any(|n| n == name);
    if wanted.is_none() && has("shape") && has("data") && has("format") {
        let text = unpack("format")?;
        let kind = ["csr", "csc", "coo"].into_iter().find(|k| text.windows(3).rev().take(16).any(|w| w == k.as_bytes()));
        let mut array = |name: &str| Ok::<_, Error>(npy_array(path, &unpack(name)?)?.values);
        let shape = array("shape")?;
        let data = array("data")?;
        let (first, second) = match kind {
            Some("coo") => (array("row")?, array("col")?),
            Some(_) => {
                let (starts, indices) = (array("indptr")?, array("indices")?);
                let of = |w: &[f64], i: usize| vec![i as f64; (w[1] - w[0]).max(0.0) as usize];
                if starts.windows(2).map(|w| (w[1] - w[0]).max(0.0)).sum::<f64>() != indices.len() as f64 {
                    return Err(bad("the sparse matrix is damaged: its index pointers do not fit its indices".into()));
                }
                let major: Vec<f64> = starts.windows(2).enumerate().flat_map(|(i, w)| of(w, i)).collect();
                if kind == Some("csr") { (major, indices) } else { (indices, major) }
            }
            None => {
                return Err(bad("a sparse matrix of another format than csr, csc or coo: call .tocsr() before saving it".into()));
            }
        };
        let ([rows, columns], true) = (shape.as_slice(), first.len() == data.len() && second.len() == data.len()) else {
            return Err(bad("the sparse matrix is damaged: its arrays do not fit each other".into()));
        };
        let entries = first.iter().zip(&second).zip(&data).map(|((&i, &j), &d)| (i as usize, j as usize, d)).collect();
        return Ok(Archive::Sparse { entries, rows: *rows as usize, columns: *columns as usize });
    }
    let name = match (wanted, names.as_slice()) {
        (Some(name), _) if has(name) => name.to_string(),
        (None, [one]) => one.clone(),
        (_, []) => return Err(bad("the archive holds no array".into())),
        (_, several) => {
            let message = format!("the archive holds the arrays {}: name one of them", several.join(", "));
            return Err(bad(message).settings(&["array"]));
        }
    };
    Ok(Archive::Array(npy_array(path, &unpack(&name)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        for (bits, want) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 2f64.powi(-24)), (0x3555, 0.333_251_953_125), (0, 0.0)]
        {
            assert_eq!(half(bits), want);
        }
        assert_eq!(half(0x7c00), f64::INFINITY);
        assert!(half(0x7e00).is_nan());
    }
}
