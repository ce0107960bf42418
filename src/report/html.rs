//! One self-contained HTML page.

use super::{Picture, Table};
use crate::data::files::write_text;
use crate::error::Result;
use std::path::Path;

/// A page under construction: headings, paragraphs, tables and pictures, in order.
///
/// The page is one file that needs no network. Charts show their values under the pointer (by
/// uPlot, which is inlined); without scripts they are drawings.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    body: String,
    headings: Vec<String>,
    /// Whether a chart is in it that a script draws anew.
    live: bool,
}

/// uPlot 1.6.32, MIT licence: see `assets/uplot/LICENSE`.
const CHARTS: (&str, &str) =
    (include_str!("../../assets/uplot/uPlot.min.css"), include_str!("../../assets/uplot/uPlot.iife.min.js"));
const STYLE: &str = include_str!("../../assets/page.css");
const SCRIPT: &str = include_str!("../../assets/page.js");

/// Text that is safe inside HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// [`escape`], with what stands between backticks as code.
fn with_code(text: &str) -> String {
    let parts: Vec<String> = text.split('`').map(escape).collect();
    if parts.len().is_multiple_of(2) {
        return escape(text);
    }
    let part = |(i, part): (usize, &String)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part.clone() };
    parts.iter().enumerate().map(part).collect()
}

/// Today, by Coordinated Universal Time, as 2026-01-31.
fn today() -> String {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    date_of((seconds / 86_400) as i64)
}

/// The date so many days after the first of January 1970 (Hinnant's algorithm: years begin in
/// March, so that leap days come last).
fn date_of(days: i64) -> String {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{:04}-{month:02}-{day:02}", year_of_era + 400 * era + i64::from(month <= 2))
}

/// The command line that this process runs, where it is this program's.
fn command() -> Option<String> {
    let mut words = std::env::args();
    let name = Path::new(&words.next()?).file_stem()?.to_str()?.to_string();
    let quoted = |w: String| if w.contains(char::is_whitespace) { format!("'{w}'") } else { w };
    (name == "lacuna").then(|| std::iter::once(name).chain(words.map(quoted)).collect::<Vec<_>>().join(" "))
}

/// By what a page was made, and when.
pub(super) fn made() -> String {
    let by = command().map_or(String::new(), |c| format!(" by <code>{}</code>", escape(&c)));
    format!("Made with Lacuna {} on {}{by}.", env!("CARGO_PKG_VERSION"), today())
}

impl Page {
    /// An empty page.
    pub fn new(title: &str) -> Self {
        Self { title: title.into(), body: String::new(), headings: Vec::new(), live: false }
    }

    /// Adds a heading.
    pub fn heading(&mut self, text: &str) {
        self.headings.push(text.into());
        self.body += &format!("<h2 id=\"part{}\">{}</h2>\n", self.headings.len(), escape(text));
    }

    /// Adds a paragraph; what stands between backticks is code, and long whole numbers get commas.
    pub fn paragraph(&mut self, text: &str) {
        let words: Vec<String> = text.split(' ').map(super::table::grouped).collect();
        self.body += &format!("<p>{}</p>\n", with_code(&words.join(" ")));
    }

    /// Adds a table.
    pub fn table(&mut self, table: &Table) {
        self.body += &table.html();
    }

    /// Adds a picture, drawn into the page.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] when it cannot be drawn.
    pub fn picture(&mut self, picture: &impl Picture) -> Result<()> {
        let figure = self.figure(picture)?;
        self.body += &figure;
        Ok(())
    }

    /// Adds pictures side by side, as many as there is room for.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] when one cannot be drawn.
    pub fn pictures<P: Picture>(&mut self, pictures: &[P]) -> Result<()> {
        self.body += "<div class=\"grid\">\n";
        for picture in pictures {
            self.picture(picture)?;
        }
        self.body += "</div>\n";
        Ok(())
    }

    fn figure(&mut self, picture: &impl Picture) -> Result<String> {
        let label = escape(&picture.alt());
        let data = picture.data().map_or(String::new(), |data| {
            self.live = true;
            format!(" data-chart=\"{}\"", escape(&data.to_string()))
        });
        let svg = picture.svg()?.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{label}\" "), 1);
        // On a phone a wide drawing is moved sideways, not made too small to read.
        let wide = if data.is_empty() && picture.size().0 > 640 { " class=\"wide\"" } else { "" };
        Ok(format!("<figure{wide}{data} aria-label=\"{label}\">{svg}</figure>\n"))
    }

    /// Adds frames that play one after the other, with a slider to choose one: each has a name and
    /// as many charts as the others, whose vertical axes are the same in all. Without scripts all
    /// are shown, one below the other.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] when one cannot be drawn.
    pub fn film<P: Picture>(&mut self, frames: &[(String, Vec<P>)]) -> Result<()> {
        self.live |= frames.len() > 1;
        self.body += "<div class=\"film\">\n";
        for (name, pictures) in frames {
            self.body += &format!("<section class=\"grid\" data-name=\"{}\">\n", escape(name));
            for picture in pictures {
                self.picture(picture)?;
            }
            self.body += "</section>\n";
        }
        self.body += "</div>\n";
        Ok(())
    }

    /// The whole document.
    pub fn html(&self) -> String {
        self.html_with(&[])
    }

    /// The whole document, with links to files that lie beside it.
    fn html_with(&self, files: &[String]) -> String {
        let link = |(i, text): (usize, &String)| format!("<a href=\"#part{}\">{}</a>", i + 1, escape(text));
        let contents = match self.headings.len() {
            0..3 => String::new(),
            _ => {
                format!("<nav aria-label=\"Contents\">{}</nav>\n", self.headings.iter().enumerate().map(link).collect::<String>())
            }
        };
        let file = |f: &String| format!("<a href=\"{0}\">{0}</a>", escape(f));
        let raw = match files {
            [] => String::new(),
            _ => format!(" The numbers lie beside this page: {}.", files.iter().map(file).collect::<Vec<_>>().join(", ")),
        };
        let (css, scripts) = if self.live {
            (CHARTS.0, format!("<script>{}</script>\n<script>\n{SCRIPT}</script>\n", CHARTS.1))
        } else {
            ("", String::new())
        };
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{0}</title>\n<style>\n{css}\n{STYLE}</style>\
             </head><body>\n<h1>{0}</h1>\n{contents}{1}\
             <footer>{2}{raw}</footer>\n{scripts}</body></html>\n",
            escape(&self.title),
            self.body,
            made()
        )
    }

    /// Writes the page, with links to the files of numbers that lie beside it by then.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut files: Vec<String> = path
            .parent()
            .and_then(|folder| std::fs::read_dir(folder).ok())
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| [".json", ".jsonl", ".csv", ".md"].iter().any(|ending| name.ends_with(ending)))
            .collect();
        files.sort();
        write_text(path, &self.html_with(&files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Lines;

    #[test]
    fn dates() {
        for (days, date) in
            [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_778, "2026-11-21"), (-1, "1969-12-31")]
        {
            assert_eq!(date_of(days), date);
        }
    }

    #[test]
    fn a_page_stands_alone_and_says_what_it_shows() {
        let mut page = Page::new("A <title>");
        let lines = |name: &str| Lines {
            title: name.into(),
            x: "layer".into(),
            y: "loops".into(),
            series: vec![("a \"b\"".into(), vec![(0.0, 1.0), (1.0, 2.0)])],
        };
        for part in ["One", "Two", "Three"] {
            page.heading(part);
        }
        page.paragraph("Run `lacuna demo` & look.");
        page.picture(&lines("first")).unwrap();
        page.pictures(&[lines("second"), lines("third")]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("trace.json"), "{}").unwrap();
        page.save(&dir.path().join("p.html")).unwrap();
        let html = std::fs::read_to_string(dir.path().join("p.html")).unwrap();
        assert!(html.contains("<h1>A &lt;title&gt;</h1>") && html.contains("<code>lacuna demo</code> &amp; look."));
        assert!(html.contains("href=\"#part3\">Three") && html.contains("href=\"trace.json\""));
        assert_eq!(html.matches("data-chart=").count(), 3);
        assert!(html.contains("aria-label=\"first: loops by layer; a &quot;b&quot;\""));
        for outside in ["src=\"http", "href=\"http", "@import", "fetch("] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
