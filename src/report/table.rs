//! Tables for people: aligned text, Markdown and HTML of the same rows.

/// Rows of text under a header; the first column is left-aligned, the others right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub header: Vec<String>,
    /// The rows, as wide as the header.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|h| (*h).to_string()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Markdown with aligned columns, which is readable as it is.
    pub fn markdown(&self) -> String {
        let all = || std::iter::once(&self.header).chain(&self.rows);
        let widths: Vec<usize> = (0..self.header.len())
            .map(|c| all().map(|r| r.get(c).map_or(0, |s| s.chars().count())).max().unwrap_or(0).max(3))
            .collect();
        let line = |row: &Vec<String>| {
            let cell = |(c, w): (usize, &usize)| {
                let s = row.get(c).map_or("", String::as_str);
                let pad = " ".repeat(w - s.chars().count().min(*w));
                if c == 0 { format!("{s}{pad}") } else { format!("{pad}{s}") }
            };
            format!("| {} |\n", widths.iter().enumerate().map(cell).collect::<Vec<_>>().join(" | "))
        };
        let rule =
            widths.iter().enumerate().map(|(c, w)| if c == 0 { "-".repeat(*w) } else { format!("{}:", "-".repeat(w - 1)) });
        let rule = format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
        let mut out = line(&self.header) + &rule;
        out.extend(self.rows.iter().map(line));
        out
    }

    /// An HTML table.
    pub fn html(&self) -> String {
        let cells = |row: &[String], tag: &str| {
            row.iter().map(|c| format!("<{tag}>{}</{tag}>", super::html::escape(&grouped(c)))).collect::<String>()
        };
        let mut out = format!("<table><thead><tr>{}</tr></thead><tbody>\n", cells(&self.header, "th"));
        for row in &self.rows {
            out += &format!("<tr>{}</tr>\n", cells(row, "td"));
        }
        out + "</tbody></table>\n"
    }
}

/// A whole number of more than four digits with a comma before every three of them; anything else
/// as it is.
pub(super) fn grouped(cell: &str) -> String {
    if cell.len() < 5 || !cell.bytes().all(|b| b.is_ascii_digit()) {
        return cell.into();
    }
    let before = |(i, c): (usize, char)| if i > 0 && (cell.len() - i).is_multiple_of(3) { vec![',', c] } else { vec![c] };
    cell.chars().enumerate().flat_map(before).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_escaped() {
        let mut t = Table::new(&["layer", "kept"]);
        t.row(["conv <1>".into(), "12".into()]);
        assert_eq!(t.markdown(), "| layer    | kept |\n| -------- | ---: |\n| conv <1> |   12 |\n");
        assert!(t.html().contains("<td>conv &lt;1&gt;</td>"));
    }
}
