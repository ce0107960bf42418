//! Readers of point clouds, distance matrices and weighted graphs.

use super::npy::{self, Archive, NPY, ZIP};
use super::rows::Rows;
use super::text::text_rows;
use crate::error::{Error, Result};
use crate::topology::{Cloud, DistanceMatrix, Metric, PointCloud, SparseGraph};
use std::io::Read;
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

impl std::str::FromStr for InputFormat {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        Self::parse(name)
    }
}

impl InputFormat {
    /// All of them, with their names.
    pub const ALL: [(&'static str, InputFormat); 6] = [
        ("points", InputFormat::PointCloud),
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
        let name = if name == "point-cloud" { "points" } else { name };
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, f)| *f).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|(n, _)| *n).collect();
            Error::unknown("input format", name, &known)
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

/// How a file is read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// What its numbers mean; if not given, what the name suggests, and a square, symmetric table
    /// with a diagonal of zeros is taken for distances.
    pub format: Option<InputFormat>,
    /// The metric that points are for: it says what may be done before coordinates are rounded to
    /// 32 bits.
    pub metric: Metric,
    /// The columns of a table that are read, by name, number from 0 on, or range; all if there are
    /// none.
    pub columns: Vec<String>,
    /// Lines of a text that are passed over.
    pub skip: usize,
    /// Which array of an archive (.npz).
    pub array: Option<String>,
}

impl From<InputFormat> for ReadOptions {
    fn from(format: InputFormat) -> Self {
        Self { format: Some(format), ..Self::default() }
    }
}

/// What a file gave.
#[derive(Clone, Debug)]
pub struct ReadCloud {
    /// Points, distances or edges.
    pub cloud: Cloud,
    /// What was assumed or lost, a sentence each.
    pub notes: Vec<String>,
}

/// Reads a cloud from a text file (numbers between commas, semicolons or blanks; `#` begins a
/// comment) or, when it begins like one, from a NumPy `.npy` or `.npz` file. The path `-` is the
/// standard input.
///
/// # Errors
/// [`Error::Io`], or [`Error::File`] that names the line.
pub fn read_cloud(path: &Path, options: &ReadOptions) -> Result<ReadCloud> {
    parse_cloud(path, &read_bytes(path)?, options)
}

/// The bytes of a file, or of the standard input (`-`), if they fit into half of the memory that is
/// free.
fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let most = crate::memory::available().map_or(1 << 34, |free| free / 2);
    let (mut bytes, read);
    if path == Path::new("-") {
        bytes = Vec::new();
        read = std::io::stdin().lock().take(most + 1).read_to_end(&mut bytes);
    } else {
        let file = std::fs::File::open(path).map_err(Error::io(path, "read"))?;
        let promised = file.metadata().map_or(0, |m| m.len());
        if promised > most {
            return Err(Error::TooLarge(format!("{}: {promised} bytes do not fit into the memory that is free", path.display())));
        }
        bytes = Vec::with_capacity(promised as usize);
        read = file.take(most + 1).read_to_end(&mut bytes);
    }
    read.map_err(Error::io(path, "read"))?;
    if bytes.len() as u64 > most {
        return Err(Error::TooLarge(format!(
            "{}: more than {most} bytes do not fit into the memory that is free",
            path.display()
        )));
    }
    Ok(bytes)
}

/// [`read_cloud`] from bytes; `path` is for messages, and for its ending.
///
/// # Errors
/// [`Error::File`] that names the line.
pub fn parse_cloud(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<ReadCloud> {
    if bytes.is_empty() {
        return Err(Error::file(path, "the file is empty"));
    }
    let format = options.format.unwrap_or_else(|| InputFormat::of_path(path));
    let mut notes = Vec::new();
    if format == InputFormat::Binary {
        return Ok(ReadCloud { cloud: from_triangle(path, &binary(path, bytes)?, true)?, notes });
    }
    let text = !bytes.starts_with(NPY) && !bytes.starts_with(ZIP);
    if options.skip > 0 && !text {
        return Err(Error::input(format!("--skip is for texts; {} is an array", path.display())));
    }
    if options.array.is_some() && !bytes.starts_with(ZIP) {
        return Err(Error::input(format!("--array is for archives (.npz); {} is none", path.display())));
    }
    let rows = if text {
        text_rows(path, bytes, options.skip, &options.columns)?
    } else {
        let array = if bytes.starts_with(NPY) {
            npy::npy_array(path, bytes)?
        } else {
            match npy::npz(path, bytes, options.array.as_deref())? {
                Archive::Array(array) => array,
                Archive::Sparse { entries, rows, columns } => {
                    return Ok(ReadCloud { cloud: from_sparse(path, entries, rows, columns)?, notes });
                }
            }
        };
        npy::as_rows(path, array)?.columns(path, &options.columns)?
    };
    if let Some(names) = &rows.header {
        notes.push(format!("the first line names the columns: {}", names.join(", ")));
    }
    let cloud = match format {
        InputFormat::PointCloud if options.format.is_none() && is_distance_matrix(&rows) => {
            notes.push("the table is square and symmetric and its diagonal is 0, so it is read as distances".into());
            from_square(path, &rows)?
        }
        InputFormat::PointCloud => from_points(path, &rows, options.metric, &mut notes)?,
        InputFormat::Distance => from_square(path, &rows)?,
        InputFormat::LowerDistance => match without_diagonal(&rows) {
            Some(lower) => {
                notes.push("the rows of the triangle end with the diagonal, which is 0 and is left out".into());
                from_triangle(path, &as_lengths(path, &rows, &lower)?, true)?
            }
            None => from_triangle(path, &as_lengths(path, &rows, &rows.values)?, true)?,
        },
        InputFormat::UpperDistance => from_triangle(path, &as_lengths(path, &rows, &rows.values)?, false)?,
        InputFormat::Sparse => from_edges(path, &rows)?,
        InputFormat::Binary => unreachable!("handled above"),
    };
    Ok(ReadCloud { cloud, notes })
}

/// Whether rows can hardly be anything but a distance matrix.
fn is_distance_matrix(rows: &Rows) -> bool {
    let n = rows.len();
    let square = n > 1 && (0..n).all(|i| rows.row(i).len() == n && rows.row(i)[i] == 0.0);
    let alike = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-6 * a.abs().max(b.abs());
    square
        && (0..n).all(|i| (0..i).all(|j| rows.row(i)[j] >= 0.0 && alike(rows.row(i)[j], rows.row(j)[i])))
        && rows.values.iter().any(|&d| d != 0.0)
}

/// The strict lower triangle, where rows of 1, 2, 3, ... numbers end with the zeros of the
/// diagonal.
fn without_diagonal(rows: &Rows) -> Option<Vec<f64>> {
    let with = rows.len() > 1 && (0..rows.len()).all(|i| rows.row(i).len() == i + 1 && rows.row(i)[i] == 0.0);
    with.then(|| (0..rows.len()).flat_map(|i| rows.row(i)[..i].to_vec()).collect())
}

fn from_points(path: &Path, rows: &Rows, metric: Metric, notes: &mut Vec<String>) -> Result<Cloud> {
    let width = rows.same_width(path)?;
    rows.all_finite(path)?;
    let (points, merged) =
        PointCloud::from_f64(rows.len(), width, &rows.values, metric).map_err(|e| Error::file(path, e.to_string()))?;
    if merged > 0 {
        notes.push(format!(
            "{merged} points differ from another by less than the 32 bits of a coordinate hold, and count as equal to it: scale the columns alike"
        ));
    }
    Ok(points.into())
}

/// Distances in 32 bits. One that is finite stays finite, and one that is not 0 does not become 0.
fn as_lengths(path: &Path, rows: &Rows, values: &[f64]) -> Result<Vec<f32>> {
    let lost = |d: f64| (d.is_finite() && !(d as f32).is_finite()) || (d != 0.0 && d as f32 == 0.0);
    if let Some(bad) = values.iter().copied().find(|&d| lost(d)) {
        let row = (0..rows.len()).find(|&i| rows.row(i).contains(&bad)).unwrap_or(0);
        return Err(rows.wrong(path, row, format!("the distance {bad:e} is beyond the numbers of 32 bits: scale all distances")));
    }
    Ok(values.iter().map(|&d| d as f32).collect())
}

fn from_square(path: &Path, rows: &Rows) -> Result<Cloud> {
    let (width, n) = (rows.same_width(path)?, rows.len());
    if width != n {
        return Err(Error::file(path, format!("a distance matrix must be square, this is {n} x {width}")));
    }
    let lengths = as_lengths(path, rows, &rows.values)?;
    Ok(DistanceMatrix::from_square(n, &lengths).map_err(|e| Error::file(path, e.to_string()))?.into())
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
    let mut edges = Vec::with_capacity(rows.len());
    let mut len = 0;
    for i in 0..rows.len() {
        let wrong = |message: String| rows.wrong(path, i, message);
        let &[a, b, d] = rows.row(i) else {
            return Err(wrong(format!("{} numbers, an edge has three: i j length", rows.row(i).len())));
        };
        let vertex = |x: f64| {
            let whole = x >= 0.0 && x.fract() == 0.0 && x < f64::from(u32::MAX);
            if whole { Ok(x as u32) } else { Err(wrong(format!("{x} is not a vertex number"))) }
        };
        let (a, b) = (vertex(a)?, vertex(b)?);
        if d.is_nan() || d < 0.0 {
            return Err(wrong(format!("the length {d} must be 0 or more")));
        }
        len = len.max(a.max(b) as usize + 1);
        edges.push((a, b, as_lengths(path, rows, &[d])?[0]));
    }
    graph(path, len, edges)
}

/// A graph of edges, among which `(i, i, length)` says when the vertex `i` enters: at 0 where
/// nothing is said.
fn graph(path: &Path, len: usize, mut edges: Vec<(u32, u32, f32)>) -> Result<Cloud> {
    let mut births = Vec::new();
    for (vertex, _, birth) in edges.extract_if(.., |e| e.0 == e.1) {
        births.resize(len, f32::NAN);
        let before = std::mem::replace(&mut births[vertex as usize], birth);
        if !before.is_nan() && before != birth {
            return Err(Error::file(path, format!("the vertex {vertex} enters at {before} and at {birth}")));
        }
    }
    births.iter_mut().filter(|b| b.is_nan()).for_each(|b| *b = 0.0);
    let graph = SparseGraph::new(len, edges).and_then(|g| if births.is_empty() { Ok(g) } else { g.with_births(births) });
    graph.map(Cloud::from).map_err(|e| Error::file(path, e.to_string()))
}

/// A sparse distance matrix, as SciPy has it: what is listed is an edge, in one direction or both,
/// and on the diagonal when a vertex enters.
fn from_sparse(path: &Path, entries: Vec<(usize, usize, f64)>, rows: usize, columns: usize) -> Result<Cloud> {
    let bad = |m: String| Error::file(path, m);
    if rows != columns {
        return Err(bad(format!("a sparse distance matrix must be square, this is {rows} x {columns}")));
    }
    let mut edges = Vec::with_capacity(entries.len());
    for (i, j, d) in entries {
        let narrow = d as f32;
        if i == j && d == 0.0 {
            continue;
        }
        if d.is_nan() || d < 0.0 || !narrow.is_finite() || (narrow == 0.0 && d != 0.0) {
            return Err(bad(format!("the entry ({i},{j}) is {d}: a distance of 32 bits, 0 or more, is needed")));
        }
        let (Ok(a), Ok(b)) = (u32::try_from(i), u32::try_from(j)) else {
            return Err(bad(format!("the entry ({i},{j}) names a row beyond the {} that can be", u32::MAX)));
        };
        edges.push((a, b, narrow));
    }
    graph(path, rows, edges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_as(bytes: &[u8], format: InputFormat) -> Result<Cloud> {
        Ok(parse_cloud(Path::new("t.csv"), bytes, &format.into())?.cloud)
    }

    fn parse(text: &str, format: InputFormat) -> Result<Cloud> {
        bytes_as(text.as_bytes(), format)
    }

    #[test]
    fn one_matrix_in_every_format() {
        let full = parse("0,1,2\n1,0,3\n2,3,0\n", InputFormat::Distance).unwrap();
        assert_eq!(parse("1\n2 3\n", InputFormat::LowerDistance).unwrap(), full);
        assert_eq!(parse("1 2\n3\n", InputFormat::UpperDistance).unwrap(), full);
        let bytes: Vec<u8> = [1f32, 2.0, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(bytes_as(&bytes, InputFormat::Binary).unwrap(), full);
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
            ("1,2\n3,x\n", InputFormat::PointCloud, "t.csv, line 2: column 2: 'x' is not a number"),
            ("1,,2\n3,4,5\n", InputFormat::PointCloud, "t.csv, line 1: column 2: is empty"),
            ("0,0;1,5\n", InputFormat::PointCloud, "t.csv, line 1: both ';' and ','"),
            ("NA,NA\n0,0\n", InputFormat::PointCloud, "t.csv, line 1: column 1: 'NA' is not a number"),
            ("a,b\nc,d\n0,0\n", InputFormat::PointCloud, "t.csv, line 2: column 1: 'c' is not a number"),
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
        let read = |bytes: &[u8]| bytes_as(bytes, InputFormat::PointCloud);
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

    /// What every format gives when the format is left to the reader.
    fn guessed(text: &str) -> ReadCloud {
        parse_cloud(Path::new("t.csv"), text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    #[test]
    fn numbers_in_another_notation_are_refused() {
        for (text, says) in [
            ("\"1,5\",\"2,5\"\n\"1,7\",\"0\"\n", "line 1: a comma inside the number '1,5'"),
            ("\"1,000\",\"2\"\n", "line 1: a comma inside the number '1,000'"),
            ("1\u{a0}234;5\u{a0}678\n1;2\n", "line 1: column 1: '1\u{a0}234' is not a number"),
            ("0x10,0x20\n1,2\n", "line 1: column 1: '0x10'"),
            ("1d3,2d3\n1,2\n", "'1d3' is not a number"),
            ("10%,20%\n1,2\n", "'10%' is not a number"),
            ("\u{2212}1,2\n1,2\n", "is not a number"),
            ("1e400,2\n1,2\n", "'1e400' is too large"),
        ] {
            let e = parse_cloud(Path::new("t.csv"), text.as_bytes(), &ReadOptions::default()).unwrap_err();
            assert!(e.to_string().contains(says), "{e}");
        }
        let e = parse("0,1e400\n1e400,0\n", InputFormat::Distance).unwrap_err();
        assert!(e.to_string().contains("too large"), "{e}");
        let e = parse("0,1e50\n1e50,0\n", InputFormat::Distance).unwrap_err();
        assert!(e.to_string().contains("line 1: the distance 1e50 is beyond"), "{e}");
    }

    #[test]
    fn a_header_is_said() {
        let read = guessed("x,\"y, in m\"\n1,2\n3,5\n");
        assert_eq!(read.notes, ["the first line names the columns: x, y, in m"]);
    }

    #[test]
    fn what_is_a_distance_matrix_is_read_as_one() {
        let text = "0,1,2\n1,0,3\n2,3,0\n";
        let read = guessed(text);
        assert_eq!(read.cloud, parse(text, InputFormat::Distance).unwrap());
        assert!(read.notes[0].contains("read as distances"));
        assert!(matches!(parse(text, InputFormat::PointCloud).unwrap(), Cloud::Points(_)));
        // Not symmetric, no zeros on the diagonal, negative, all zero: points.
        for text in ["0,1\n2,0\n", "1,2\n2,1\n", "0,-1\n-1,0\n", "0,0\n0,0\n"] {
            assert!(matches!(guessed(text).cloud, Cloud::Points(_)), "{text}");
        }
    }

    #[test]
    fn a_triangle_may_bring_its_diagonal() {
        let read = parse_cloud(Path::new("t"), b"0\n1 0\n2 3 0\n", &InputFormat::LowerDistance.into()).unwrap();
        assert_eq!(read.cloud, parse("1\n2 3\n", InputFormat::LowerDistance).unwrap());
        assert!(read.notes[0].contains("diagonal"));
        let e = parse("1\n2 3\n4 5 6\n", InputFormat::PointCloud).unwrap_err();
        assert!(matches!(&e, Error::Settings { settings: ["format lower-distance"], .. }), "{e}");
    }

    /// Corners of a unit square where 32 bits have steps of 128: its digits stay, in every metric
    /// that sees differences only.
    #[test]
    fn far_from_the_origin_digits_stay() {
        let text = "1700000000,5\n1700000001,5\n1700000001,6\n1700000000,6\n";
        let Cloud::Points(points) = parse(text, InputFormat::PointCloud).unwrap() else { panic!() };
        assert_eq!(points.point(1)[0] - points.point(0)[0], 1.0);
        // Columns of very different sizes: what cannot be kept is said.
        let lost = guessed("0,0\n1e9,0\n1000000000.01,0\n");
        assert!(lost.notes.iter().any(|n| n.starts_with("1 points differ")), "{:?}", lost.notes);
        assert!(guessed("1,2\n1,2\n").notes.is_empty());
    }

    #[test]
    fn columns_and_lines_can_be_chosen() {
        let text = "made by a tool\nid,x,name,y\na1,1,p,2\na2,3,q,4\n";
        let read = |columns: &[&str]| {
            let columns = columns.iter().map(ToString::to_string).collect();
            parse_cloud(Path::new("t.csv"), text.as_bytes(), &ReadOptions { columns, skip: 1, ..ReadOptions::default() })
        };
        let want = parse("1,2\n3,4\n", InputFormat::PointCloud).unwrap();
        assert_eq!(read(&["x", "y"]).unwrap().cloud, want);
        assert_eq!(read(&["1", "3"]).unwrap().cloud, want);
        assert!(read(&["z"]).unwrap_err().to_string().contains("or a name: id, x, name, y"));
        assert!(read(&["name"]).unwrap_err().to_string().contains("line 3: column 3: 'p' is not a number"));
    }

    fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        let pad = 64 - (10 + header.len() + 1) % 64;
        let header = format!("{header}{}\n", " ".repeat(pad));
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn archive(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in members {
            zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn f64s(data: &[f64]) -> Vec<u8> {
        data.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    fn i32s(data: &[i32]) -> Vec<u8> {
        data.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    #[test]
    fn archives_half_precision_and_sparse_matrices() {
        let want = parse("1,2\n3,4\n", InputFormat::PointCloud).unwrap();
        let halves: Vec<u8> = [0x3c00u16, 0x4000, 0x4200, 0x4400].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(bytes_as(&npy("<f2", "(2, 2)", &halves), InputFormat::PointCloud).unwrap(), want);
        let one = npy("<f8", "(2, 2)", &f64s(&[1., 2., 3., 4.]));
        assert_eq!(bytes_as(&archive(&[("x", one.clone())]), InputFormat::PointCloud).unwrap(), want);
        let two = archive(&[("x", one.clone()), ("y", one)]);
        assert!(bytes_as(&two, InputFormat::PointCloud).unwrap_err().to_string().contains("name one of them"));
        let named = ReadOptions { array: Some("y".into()), format: Some(InputFormat::PointCloud), ..ReadOptions::default() };
        assert_eq!(parse_cloud(Path::new("t.npz"), &two, &named).unwrap().cloud, want);
        let flat = npy("<f8", "(3,)", &f64s(&[1., 2., 3.]));
        assert!(bytes_as(&flat, InputFormat::PointCloud).unwrap_err().to_string().contains("reshape(-1, 1)"));
        // A vertex that enters late, and an edge that is there before one of its ends.
        let late = parse("0 1 5\n1 1 3\n", InputFormat::Sparse).unwrap();
        assert!(matches!(late, Cloud::Edges(g) if g.births() == [0.0, 3.0]));
        assert!(parse("0 1 5\n1 1 6\n", InputFormat::Sparse).unwrap_err().to_string().contains("is born at 6"));
        // The graph 0 - 1 - 2 with lengths 5 and 7, in SciPy's three formats.
        let graph = parse("0 1 5\n1 2 7\n", InputFormat::Sparse).unwrap();
        let common =
            |kind: &str| vec![("format", npy("|S3", "()", kind.as_bytes())), ("shape", npy("<i4", "(2,)", &i32s(&[3, 3])))];
        for kind in ["csr", "csc"] {
            let mut members = common(kind);
            members.push(("data", npy("<f8", "(4,)", &f64s(&[5., 5., 7., 7.]))));
            members.push(("indices", npy("<i4", "(4,)", &i32s(&[1, 0, 2, 1]))));
            members.push(("indptr", npy("<i4", "(4,)", &i32s(&[0, 1, 3, 4]))));
            assert_eq!(
                parse_cloud(Path::new("t.npz"), &archive(&members), &ReadOptions::default()).unwrap().cloud,
                graph,
                "{kind}"
            );
        }
        let mut members = common("coo");
        members.push(("data", npy("<f8", "(2,)", &f64s(&[5., 7.]))));
        members.push(("row", npy("<i4", "(2,)", &i32s(&[0, 1]))));
        members.push(("col", npy("<i4", "(2,)", &i32s(&[1, 2]))));
        assert_eq!(parse_cloud(Path::new("t.npz"), &archive(&members), &ReadOptions::default()).unwrap().cloud, graph);
        members[2].1 = npy("<f8", "(1,)", &f64s(&[5.]));
        assert!(parse_cloud(Path::new("t.npz"), &archive(&members), &ReadOptions::default()).is_err());
    }

    proptest! {
        /// Whatever the bytes, the readers answer or explain; they never panic.
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), npy: bool, which in 0usize..6) {
            let mut all = if npy { b"\x93NUMPY\x01\x00".to_vec() } else { Vec::new() };
            all.extend(bytes);
            let _ = bytes_as(&all, InputFormat::ALL[which].1);
            let _ = parse_cloud(Path::new("t"), &all, &ReadOptions::default());
        }

        #[test]
        fn any_digits_are_survived(text in "[-0-9., \n#eEnaif]{0,80}", which in 0usize..6) {
            let _ = parse(&text, InputFormat::ALL[which].1);
            let _ = parse_cloud(Path::new("t"), text.as_bytes(), &ReadOptions::default());
        }
    }
}
