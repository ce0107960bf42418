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

    /// Adds frames that play one after the other, with a slider to choose one. Without scripts all are shown, one below the other.
    pub fn animation(&mut self, frames: &[(String, String)]) {
        let id = self.body.len();
        self.body += &format!("<div class=\"film\" id=\"film{id}\">\n");
        for (title, svg) in frames {
            self.body += &format!("<figure title=\"{}\">{svg}</figure>\n", escape(title));
        }
        self.body += &format!(
            "<script>(() => {{ const film = document.getElementById('film{id}'), frames = [...film.querySelectorAll('figure')];\n\
             if (frames.length < 2) return;\n\
             const bar = document.createElement('p'), play = document.createElement('button'), slide = document.createElement('input'), \
             name = document.createElement('span');\n\
             slide.type = 'range'; slide.max = frames.length - 1; slide.value = frames.length - 1; bar.append(play, ' ', slide, ' ', name); film.prepend(bar);\n\
             let timer = null; const show = () => {{ frames.forEach((f, i) => f.hidden = i != slide.value); name.textContent = frames[slide.value].title; }};\n\
             const stop = () => {{ clearInterval(timer); timer = null; play.textContent = 'Play'; }};\n\
             play.onclick = () => {{ if (timer) return stop(); play.textContent = 'Stop';\n\
             timer = setInterval(() => {{ slide.value = (+slide.value + 1) % frames.length; show(); }}, 700); }};\n\
             slide.oninput = () => {{ stop(); show(); }}; stop(); show(); }})();</script></div>\n"
        );
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
