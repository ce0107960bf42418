//! Tables of numbers in text: csv and what resembles it.

use super::rows::{Rows, which_columns};
use crate::error::{Error, Result};
use std::path::Path;

/// Reads numbers between commas, semicolons or blanks. `#` begins a comment, the first line may
/// name the columns, and `skip` lines are passed over before it. Where `columns` are given, only
/// these have to be numbers.
///
/// # Errors
/// [`Error::File`] that names the line.
pub(super) fn text_rows(path: &Path, bytes: &[u8], skip: usize, columns: &[String]) -> Result<Rows> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = 1 + bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        Error::line(path, line, "neither text nor a .npy or .npz file")
    })?;
    let mut rows = Rows { lines: true, ..Rows::default() };
    let mut kept: Option<Vec<usize>> = None;
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate().skip(skip) {
        let wrong = |message: String| Error::line(path, at + 1, message);
        let content = line.split('#').next().unwrap_or("").trim();
        if content.is_empty() {
            continue;
        }
        let fields = fields(content).map_err(wrong)?;
        if rows.starts.is_empty() && rows.header.is_none() && is_header(&fields) {
            if fields[0].is_empty() && columns.is_empty() {
                let message = "the first column has no name: if it numbers the rows, remove it, or choose the others";
                return Err(wrong(message.into()).settings(&["columns"]));
            }
            rows.header = Some(fields);
            continue;
        }
        if let (true, Some(names)) = (rows.starts.is_empty(), &rows.header)
            && names.len() != fields.len()
        {
            return Err(wrong(format!("{} numbers under a header of {} names", fields.len(), names.len())));
        }
        if kept.is_none() && !columns.is_empty() {
            kept = Some(which_columns(columns, rows.header.as_deref(), fields.len())?);
        }
        let all = || (0..fields.len()).collect();
        let start = rows.values.len();
        for column in kept.clone().unwrap_or_else(all) {
            let Some(field) = fields.get(column) else {
                return Err(wrong(format!("{} fields, so there is no column {column}", fields.len())));
            };
            rows.values.push(number(field).map_err(|why| wrong(format!("column {}: {why}", column + 1)))?);
        }
        rows.starts.push((start, at + 1));
    }
    if let (Some(names), Some(kept)) = (&mut rows.header, kept) {
        *names = kept.iter().map(|&c| names[c].clone()).collect();
    }
    if rows.starts.is_empty() {
        return Err(Error::file(path, "there are no numbers in the file"));
    }
    Ok(rows)
}

/// A field as a number. A finite number that is too large for 64 bits is not taken for infinity.
pub(super) fn number(field: &str) -> std::result::Result<f64, String> {
    match field.parse::<f64>() {
        Ok(x) if x.is_infinite() && !field.to_ascii_lowercase().contains("inf") => {
            Err(format!("'{field}' is too large for a number of 64 bits"))
        }
        Ok(x) => Ok(x),
        Err(_) if field.is_empty() => Err("is empty".into()),
        Err(_) => Err(format!("'{field}' is not a number")),
    }
}

/// The fields of a line, without the quotes around them: between semicolons, else commas, else
/// blanks, none of which counts between quotes. A separator at the end closes the last field.
pub(super) fn fields(line: &str) -> std::result::Result<Vec<String>, String> {
    let mut outside = line.split('"').step_by(2);
    if line.matches('"').count() % 2 == 1 {
        return Err("a quote is opened and not closed".into());
    }
    let has = |c: char| line.split('"').step_by(2).any(|part| part.contains(c));
    let separator: &dyn Fn(char) -> bool = match (has(';'), has(',')) {
        (true, true) => return Err("both ';' and ',' separate here; write decimals with a point".into()),
        (true, false) => &|c| c == ';',
        (false, true) => &|c| c == ',',
        (false, false) if outside.any(|part| part.contains(char::is_whitespace)) => &char::is_whitespace,
        (false, false) => &|_| false,
    };
    let blanks = separator('\t');
    let (mut found, mut now, mut quoted, mut was_quoted) = (Vec::new(), String::new(), false, false);
    let mut close = |now: &mut String, was_quoted: &mut bool| -> std::result::Result<(), String> {
        let field = now.trim().to_string();
        if *was_quoted && field.contains(',') && field.chars().all(|c| c.is_ascii_digit() || "+-.,eE ".contains(c)) {
            return Err(format!(
                "a comma inside the number '{field}': write decimals with a point, and thousands without a mark"
            ));
        }
        if !(blanks && field.is_empty() && !*was_quoted) {
            found.push(field);
        }
        now.clear();
        *was_quoted = false;
        Ok(())
    };
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            c if !quoted && separator(c) => close(&mut now, &mut was_quoted)?,
            c => now.push(c),
        }
    }
    if !(now.trim().is_empty() && !was_quoted && line.ends_with(separator)) {
        close(&mut now, &mut was_quoted)?;
    }
    Ok(found)
}

/// Whether a line names columns: no field is a number or begins like one, and not all of them are
/// words for a missing value.
pub(super) fn is_header(fields: &[String]) -> bool {
    let missing = |f: &String| ["", "na", "n/a", "null", "none", "-", "?"].contains(&f.to_lowercase().as_str());
    let like_number = |f: &String| {
        f.parse::<f64>().is_ok() || f.starts_with(|c: char| c.is_numeric() || "+-.\u{2212}".contains(c) && f.len() > c.len_utf8())
    };
    !fields.iter().any(like_number) && !fields.iter().all(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_do_not_count_between_quotes() {
        let read = |line: &str| fields(line).unwrap();
        assert_eq!(read("\"a, b\",2"), ["a, b", "2"]);
        assert_eq!(read("\"a;b\" 2\t3"), ["a;b", "2", "3"]);
        assert_eq!(read("1,,3,"), ["1", "", "3"]);
        assert_eq!(read("\"\",2"), ["", "2"]);
        assert_eq!(read("  1   2 "), ["1", "2"]);
        assert!(fields("\"1,5\",\"2\"").unwrap_err().contains("comma inside the number '1,5'"));
        assert!(fields("\"1;2").unwrap_err().contains("not closed"));
        assert!(fields("1;2,5").unwrap_err().contains("both"));
    }

    #[test]
    fn numbers_in_another_notation_are_no_header() {
        let header = |line: &str| is_header(&fields(line).unwrap());
        assert!(header("x,y") && header("\"name\";size") && header("a b"));
        for line in ["1\u{a0}234;5\u{a0}678", "0x10,0x20", "1d3,2d3", "10%,20%", "\u{2212}1,\u{2212}2", "NA,NA", "x,3"] {
            assert!(!header(line), "{line}");
        }
    }
}
