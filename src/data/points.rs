//! Readers of point clouds, distance matrices and weighted graphs.

use crate::error::{Error, Result};
use crate::topology::{Cloud, DistanceMatrix, PointCloud, SparseGraph};
use std::fs;
use std::path::Path;

/// What a file of numbers means; the names are Ripser's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormat {
    /// A point a line (or an `(n, d)` array).
    PointCloud,
    /// A full square distance matrix.
    Distance,
    /// The strict lower triangle, row by row.
    LowerDistance,
    /// The strict upper triangle, row by row.
    UpperDistance,
    /// Lines `i j length`: a weighted graph.
    Sparse,
    /// The strict lower triangle as little-endian f32.
    Binary,
}

impl InputFormat {
    /// All of them, with their names.
    pub const ALL: [(&'static str, InputFormat); 6] = [
        ("point-cloud", InputFormat::PointCloud),
        ("distance", InputFormat::Distance),
        ("lower-distance", InputFormat::LowerDistance),
        ("upper-distance", InputFormat::UpperDistance),
        ("sparse", InputFormat::Sparse),
        ("binary", InputFormat::Binary),
    ];

    /// Finds a format by its name.
    ///
    /// # Errors
    /// [`Error::Input`] with the known names.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, f)| *f).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|(n, _)| *n).collect();
            Error::input(format!("unknown input format '{name}': use one of {}", known.join(", ")))
        })
    }

    /// What the name of a file suggests: points, unless it ends like one of Ripser's own.
    pub fn of_path(path: &Path) -> Self {
        match path.extension().and_then(|e| e.to_str()).unwrap_or("") {
            "lower_distance_matrix" | "ldm" => InputFormat::LowerDistance,
            "upper_distance_matrix" => InputFormat::UpperDistance,
            "distance_matrix" => InputFormat::Distance,
            "sparse" => InputFormat::Sparse,
            "bin" => InputFormat::Binary,
            _ => InputFormat::PointCloud,
        }
    }
}

/// Reads a cloud from a text file (numbers between commas, semicolons or blanks; `#` begins a comment) or, when it
/// begins like one, from a NumPy `.npy` file.
///
/// # Errors
/// [`Error::Io`], or [`Error::File`] that names the line.
pub fn read_cloud(path: &Path, format: InputFormat) -> Result<Cloud> {
    let bytes = fs::read(path).map_err(Error::io(path, "read"))?;
    parse_cloud(path, &bytes, format)
}

/// [`read_cloud`] from bytes; `path` is for messages only.
///
/// # Errors
/// [`Error::File`] that names the line.
pub fn parse_cloud(path: &Path, bytes: &[u8], format: InputFormat) -> Result<Cloud> {
    if bytes.is_empty() {
        return Err(Error::file(path, "the file is empty"));
    }
    if format == InputFormat::Binary {
        return from_triangle(path, &binary(path, bytes)?, true);
    }
    let rows = if bytes.starts_with(b"\x93NUMPY") { npy_rows(path, bytes)? } else { text_rows(path, bytes)? };
    let about_file = |e: Error| Error::file(path, e.to_string());
    match format {
        InputFormat::PointCloud => {
            let width = rows.same_width(path)?;
            rows.all_finite(path)?;
            let count = rows.starts.len();
            Ok(PointCloud::new(count, width, rows.values).map_err(about_file)?.into())
        }
        InputFormat::Distance => {
            let (width, n) = (rows.same_width(path)?, rows.starts.len());
            if width != n {
                return Err(Error::file(path, format!("a distance matrix must be square, this is {n} x {width}")));
            }
            Ok(DistanceMatrix::from_square(n, &rows.values).map_err(about_file)?.into())
        }
        InputFormat::LowerDistance | InputFormat::UpperDistance => {
            from_triangle(path, &rows.values, format == InputFormat::LowerDistance)
        }
        InputFormat::Sparse => from_edges(path, &rows),
        InputFormat::Binary => unreachable!("handled above"),
    }
}

/// Numbers in rows that need not be equally long.
struct Rows {
    values: Vec<f32>,
    /// Where each row begins, and the line that it stood on.
    starts: Vec<(usize, usize)>,
}

impl Rows {
    fn row(&self, i: usize) -> (&[f32], usize) {
        let end = self.starts.get(i + 1).map_or(self.values.len(), |s| s.0);
        (&self.values[self.starts[i].0..end], self.starts[i].1)
    }

    fn same_width(&self, path: &Path) -> Result<usize> {
        let width = self.row(0).0.len();
        for i in 1..self.starts.len() {
            let (row, line) = self.row(i);
            if row.len() != width {
                return Err(Error::line(path, line, format!("{} numbers, but the rows before have {width}", row.len())));
            }
        }
        Ok(width)
    }

    fn all_finite(&self, path: &Path) -> Result<()> {
        for i in 0..self.starts.len() {
            let (row, line) = self.row(i);
            if let Some((column, value)) = row.iter().enumerate().find(|(_, x)| !x.is_finite()) {
                return Err(Error::line(path, line, format!("{value} in column {}: coordinates must be finite", column + 1)));
            }
        }
        Ok(())
    }
}

/// The fields of a line: between semicolons, else commas, else blanks. A separator at the end closes the last field.
fn fields(line: &str) -> std::result::Result<Vec<&str>, String> {
    let separator = match (line.contains(';'), line.contains(',')) {
        (true, true) => return Err("both ';' and ',' separate here; write decimals with a point".into()),
        (true, false) => ';',
        (false, true) => ',',
        (false, false) => return Ok(line.split_whitespace().collect()),
    };
    let line = line.strip_suffix(separator).unwrap_or(line);
    Ok(line.split(separator).map(|f| f.trim().trim_matches('"')).collect())
}

/// Whether a line names columns: no number, and not all of it words for a missing value.
fn is_header(fields: &[&str]) -> bool {
    let missing = |f: &&str| ["", "na", "n/a", "null", "none", "-", "?"].contains(&f.to_lowercase().as_str());
    fields.iter().all(|f| f.parse::<f32>().is_err()) && !fields.iter().all(missing)
}

fn text_rows(path: &Path, bytes: &[u8]) -> Result<Rows> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = 1 + bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        Error::line(path, line, "neither text nor a .npy file")
    })?;
    let mut rows = Rows { values: Vec::new(), starts: Vec::new() };
    let mut header: Option<usize> = None;
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let wrong = |message: String| Error::line(path, at + 1, message);
        let content = line.split('#').next().unwrap_or("").trim();
        if content.is_empty() {
            continue;
        }
        let fields = fields(content).map_err(wrong)?;
        if rows.starts.is_empty() && header.is_none() && is_header(&fields) {
            if fields[0].is_empty() {
                return Err(wrong("the first column has no name: if it numbers the rows, remove it".into()));
            }
            header = Some(fields.len());
            continue;
        }
        let start = rows.values.len();
        for (column, field) in fields.iter().enumerate() {
            let value = field.parse::<f32>().map_err(|_| match *field {
                "" => wrong(format!("column {} is empty", column + 1)),
                word => wrong(format!("'{word}' is not a number")),
            })?;
            rows.values.push(value);
        }
        if rows.starts.is_empty() && header.is_some_and(|names| names != fields.len()) {
            return Err(wrong(format!("{} numbers under a header of {} names", fields.len(), header.unwrap_or(0))));
        }
        rows.starts.push((start, at + 1));
    }
    if rows.starts.is_empty() {
        return Err(Error::file(path, "there are no numbers in the file"));
    }
    Ok(rows)
}

/// Looks at the header before the parser does: on nested brackets its time grows without bound, and it believes any length.
fn check_npy_header(bytes: &[u8]) -> std::result::Result<(), &'static str> {
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
    Ok(())
}

fn npy_rows(path: &Path, bytes: &[u8]) -> Result<Rows> {
    use npyz::{DType, NpyFile, Order, TypeChar};
    let bad = |m: String| Error::file(path, m);
    check_npy_header(bytes).map_err(|why| bad(format!("not a readable .npy file: {why}")))?;
    let npy = NpyFile::new(bytes).map_err(|e| bad(format!("not a readable .npy file: {e}")))?;
    let shape = npy.shape().to_vec();
    let &[n, width] = shape.as_slice() else {
        return Err(bad(format!("the array has {} dimensions, 2 are needed: points by coordinates", shape.len())));
    };
    let DType::Plain(kind) = npy.dtype() else {
        return Err(bad(format!("the array holds records ({}), numbers are needed", npy.dtype().descr())));
    };
    // The header's word is not taken for what is really there.
    let need = n.checked_mul(width).and_then(|c| c.checked_mul(kind.size_field())).filter(|&c| c <= bytes.len() as u64);
    if need.is_none() {
        return Err(bad(format!("the header promises {n} x {width} numbers, but the file is too short: truncated?")));
    }
    let order = npy.order();
    macro_rules! read {
        ($t:ty) => {
            npy.into_vec::<$t>().map_err(|e| bad(format!("truncated or damaged: {e}")))?.into_iter().map(|x| x as f32).collect()
        };
    }
    let values: Vec<f32> = match (kind.type_char(), kind.size_field()) {
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
    let (n, width) = (n as usize, width as usize);
    if n == 0 || width == 0 {
        return Err(bad(format!("the array is empty: its shape is ({n}, {width})")));
    }
    let values = match order {
        Order::C => values,
        Order::Fortran => (0..n * width).map(|k| values[k / width + (k % width) * n]).collect(),
    };
    Ok(Rows { values, starts: (0..n).map(|i| (i * width, i + 1)).collect() })
}

fn binary(path: &Path, bytes: &[u8]) -> Result<Vec<f32>> {
    if !bytes.len().is_multiple_of(4) {
        return Err(Error::file(path, format!("{} bytes are not a whole number of 4-byte floats: truncated?", bytes.len())));
    }
    Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

fn from_triangle(path: &Path, values: &[f32], lower: bool) -> Result<Cloud> {
    let n = ((1.0 + 8.0 * values.len() as f64).sqrt() as usize).div_ceil(2);
    if n * (n - 1) / 2 != values.len() {
        return Err(Error::file(
            path,
            format!("{} numbers do not make a triangle; {} or {} would", values.len(), n * (n - 1) / 2, n * (n + 1) / 2),
        ));
    }
    let triangle = if lower {
        values.to_vec()
    } else {
        let at = |i: usize, j: usize| j * (2 * n - j - 1) / 2 + (i - j - 1);
        (1..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| values[at(i, j)]).collect()
    };
    DistanceMatrix::from_lower(n, triangle).map(Cloud::from).map_err(|e| Error::file(path, e.to_string()))
}

fn from_edges(path: &Path, rows: &Rows) -> Result<Cloud> {
    let mut edges = Vec::with_capacity(rows.starts.len());
    let mut len = 0;
    for i in 0..rows.starts.len() {
        let (row, line) = rows.row(i);
        let &[a, b, d] = row else {
            return Err(Error::line(path, line, format!("{} numbers, an edge has three: i j length", row.len())));
        };
        let vertex = |x: f32| {
            let whole = x >= 0.0 && x.fract() == 0.0 && x < 16_777_216.0;
            if whole { Ok(x as u32) } else { Err(Error::line(path, line, format!("{x} is not a vertex number"))) }
        };
        let (a, b) = (vertex(a)?, vertex(b)?);
        if d.is_nan() || d < 0.0 {
            return Err(Error::line(path, line, format!("the length {d} must be 0 or more")));
        }
        len = len.max(a.max(b) as usize + 1);
        edges.push((a, b, d));
    }
    SparseGraph::new(len, edges).map(Cloud::from).map_err(|e| Error::file(path, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str, format: InputFormat) -> Result<Cloud> {
        parse_cloud(Path::new("t.csv"), text.as_bytes(), format)
    }

    #[test]
    fn one_matrix_in_every_format() {
        let full = parse("0,1,2\n1,0,3\n2,3,0\n", InputFormat::Distance).unwrap();
        assert_eq!(parse("1\n2 3\n", InputFormat::LowerDistance).unwrap(), full);
        assert_eq!(parse("1 2\n3\n", InputFormat::UpperDistance).unwrap(), full);
        let bytes: Vec<u8> = [1f32, 2.0, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(parse_cloud(Path::new("t.bin"), &bytes, InputFormat::Binary).unwrap(), full);
        let graph = parse("0 1 1\n2 0 2\n# a comment\n1 2 3\n", InputFormat::Sparse).unwrap();
        assert_eq!(graph.len(), 3);
    }

    #[test]
    fn headers_comments_and_separators() {
        let want = parse("1,2\n3,4\n", InputFormat::PointCloud).unwrap();
        assert_eq!(parse("\"x\",\"y\"\n\"1\", 2,\n3, 4\n", InputFormat::PointCloud).unwrap(), want);
        assert_eq!(parse("x;y\n1;2 # first\n\n3\t4\n", InputFormat::PointCloud).unwrap(), want);
    }

    #[test]
    fn mistakes_name_file_and_line() {
        for (text, format, says) in [
            ("1,2\n3\n", InputFormat::PointCloud, "t.csv, line 2: 1 numbers, but the rows before have 2"),
            ("1,2\n3,nan\n", InputFormat::PointCloud, "t.csv, line 2: NaN in column 2"),
            ("1,2\n3,x\n", InputFormat::PointCloud, "t.csv, line 2: 'x' is not a number"),
            ("1,,2\n3,4,5\n", InputFormat::PointCloud, "t.csv, line 1: column 2 is empty"),
            ("0,0;1,5\n", InputFormat::PointCloud, "t.csv, line 1: both ';' and ','"),
            ("NA,NA\n0,0\n", InputFormat::PointCloud, "t.csv, line 1: 'NA' is not a number"),
            ("a,b\nc,d\n0,0\n", InputFormat::PointCloud, "t.csv, line 2: 'c' is not a number"),
            ("a,b,c\n0,0\n", InputFormat::PointCloud, "t.csv, line 2: 2 numbers under a header of 3 names"),
            (",x,y\n0,1,2\n", InputFormat::PointCloud, "t.csv, line 1: the first column has no name"),
            ("", InputFormat::PointCloud, "t.csv: the file is empty"),
            ("# nothing\n", InputFormat::PointCloud, "t.csv: there are no numbers"),
            ("0,1\n1,0\n2,2\n", InputFormat::Distance, "t.csv: a distance matrix must be square, this is 3 x 2"),
            ("1 2 3 4\n", InputFormat::LowerDistance, "4 numbers do not make a triangle; 3 or 6 would"),
            ("0 1\n", InputFormat::Sparse, "t.csv, line 1: 2 numbers, an edge has three"),
            ("0 1.5 2\n", InputFormat::Sparse, "1.5 is not a vertex number"),
        ] {
            let e = parse(text, format).unwrap_err();
            assert!(e.to_string().contains(says), "{e}");
            assert_eq!(e.exit_code(), 2);
        }
    }

    #[test]
    fn npy_of_either_order_and_truncated() {
        let write = |order: &str, data: &[f64]| {
            let header = format!("{{'descr': '<f8', 'fortran_order': {order}, 'shape': (2, 3), }}");
            let pad = 64 - (10 + header.len() + 1) % 64;
            let header = format!("{header}{}\n", " ".repeat(pad));
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((header.len() as u16).to_le_bytes());
            bytes.extend(header.as_bytes());
            bytes.extend(data.iter().flat_map(|x| x.to_le_bytes()));
            bytes
        };
        let read = |bytes: &[u8]| parse_cloud(Path::new("t.npy"), bytes, InputFormat::PointCloud);
        let c = read(&write("False", &[1., 2., 3., 4., 5., 6.])).unwrap();
        let f = read(&write("True", &[1., 4., 2., 5., 3., 6.])).unwrap();
        assert_eq!(c, f);
        let cut = write("False", &[1., 2., 3., 4.]);
        assert!(read(&cut).unwrap_err().to_string().contains("truncated"));
        let mut deep = b"\x93NUMPY\x01\x00\x40\x00".to_vec();
        deep.extend([b'['; 64]);
        assert!(read(&deep).unwrap_err().to_string().contains("header is damaged"));
        assert!(read(&cut[..20]).unwrap_err().to_string().contains("not a readable .npy"));
    }

    proptest! {
        /// Whatever the bytes, the readers answer or explain; they never panic.
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), npy: bool, which in 0usize..6) {
            let mut all = if npy { b"\x93NUMPY\x01\x00".to_vec() } else { Vec::new() };
            all.extend(bytes);
            let _ = parse_cloud(Path::new("t"), &all, InputFormat::ALL[which].1);
        }

        #[test]
        fn any_digits_are_survived(text in "[-0-9., \n#eEnaif]{0,80}", which in 0usize..6) {
            let _ = parse_cloud(Path::new("t"), text.as_bytes(), InputFormat::ALL[which].1);
        }
    }
}
