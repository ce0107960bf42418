//! One self-contained HTML page.

use super::{Picture, Table};
use crate::data::files::write_text;
use crate::error::Result;
use std::path::Path;

/// A page under construction: headings, paragraphs, tables and pictures, in order.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    body: String,
}

/// Text that is safe inside HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Page {
    /// An empty page.
    pub fn new(title: &str) -> Self {
        Self { title: title.into(), body: format!("<h1>{}</h1>\n", escape(title)) }
    }

    /// Adds a heading.
    pub fn heading(&mut self, text: &str) {
        self.body += &format!("<h2>{}</h2>\n", escape(text));
    }

    /// Adds a paragraph.
    pub fn paragraph(&mut self, text: &str) {
        self.body += &format!("<p>{}</p>\n", escape(text));
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
        self.body += &format!("<figure>{}</figure>\n", picture.svg()?);
        Ok(())
    }

    /// The whole document.
    pub fn html(&self) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>\n\
             body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }}\n\
             h1 {{ line-height: 1.2 }} h2 {{ margin-top: 2.5rem; border-bottom: 1px solid #ddd }}\n\
             table {{ border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }}\n\
             th, td {{ padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: right; font-variant-numeric: tabular-nums }}\n\
             th:first-child, td:first-child {{ text-align: left }}\n\
             figure {{ margin: 1rem 0 }} figure svg {{ max-width: 100%; height: auto }}\n\
             </style></head><body>\n{}</body></html>\n",
            escape(&self.title),
            self.body
        )
    }

    /// Writes the page.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        write_text(path, &self.html())
    }
}
