//! One page on which points, barcode and diagram are linked: what is pointed at in one shows in
//! all.

use super::html::{escape, made};
use crate::data::files::write_text;
use crate::error::{Error, Result};
use crate::topology::picture::{places, shortest_edges};
use crate::topology::{Bar, Barcode, Cloud, Metric};
use serde_json::{Value, json};
use std::path::Path;

/// A self-contained page of a barcode, whose [`Barcode::edges`] are shown if it has them, and its
/// [`Barcode::cycles`].
#[derive(Clone, Copy, Debug)]
pub struct LinkedPage<'a> {
    /// Above the page.
    pub title: &'a str,
    /// What was computed. Points are drawn; distances and graphs have no place.
    pub cloud: &'a Cloud,
    /// How the distances of points are made.
    pub metric: Metric,
    /// The bars.
    pub barcode: &'a Barcode,
}

/// Bars of dimension 1 whose cycles a page shows.
pub const CYCLES_ON_A_PAGE: usize = 200;
/// Points of a page, so that it stays smooth.
const MOST_POINTS: usize = 10_000;
/// The shortest edges, which the slider of scale draws.
const MOST_EDGES: usize = 20_000;

const PAGE: &str = include_str!("../../assets/barcode/page.html");
const STYLE: &str = include_str!("../../assets/barcode/draw.css");
const SCRIPT: &str = include_str!("../../assets/barcode/draw.js");

impl LinkedPage<'_> {
    /// Refuses what no page could show.
    ///
    /// # Errors
    /// [`Error::Input`] for too many points.
    pub fn check(cloud: &Cloud) -> Result<()> {
        if cloud.len() > MOST_POINTS {
            return Err(Error::input(format!(
                "a page shows up to {MOST_POINTS} points, and these are {}: draw them into a .svg or .png file",
                cloud.len()
            )));
        }
        Ok(())
    }

    /// Writes the page.
    ///
    /// # Errors
    /// [`Error::Input`] for too many points; [`Error::File`] when it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        Self::check(self.cloud)?;
        let of = |(dim, bars): (usize, &Vec<Bar>)| format!("{} in dimension {dim}", super::counted(bars.len(), "bar"));
        let bars: Vec<String> = self.barcode.bars.iter().enumerate().map(of).collect();
        let about = format!("{} points, metric {}: {}.", self.barcode.n, self.barcode.metric.name(), bars.join(", "));
        // A script's text ends where a tag would begin.
        let data = self.data().to_string().replace('<', "\\u003c");
        let parts = [
            ("{{TITLE}}", escape(self.title)),
            ("{{ABOUT}}", escape(&about)),
            ("{{FOOT}}", made()),
            ("{{STYLE}}", STYLE.to_string()),
            ("{{SCRIPT}}", SCRIPT.to_string()),
            ("{{DATA}}", data),
        ];
        // In one pass: what was filled in may look like a placeholder.
        let mut page = String::new();
        let mut rest = PAGE;
        while let Some(at) = rest.find("{{") {
            page += &rest[..at];
            rest = &rest[at..];
            match parts.iter().find(|(name, _)| rest.starts_with(name)) {
                Some((name, text)) => {
                    page += text;
                    rest = &rest[name.len()..];
                }
                None => {
                    page += "{{";
                    rest = &rest[2..];
                }
            }
        }
        write_text(path, &(page + rest))
    }

    fn data(&self) -> Value {
        let finite = |x: f32| x.is_finite().then_some(x);
        let of_bar = |b: &Bar| json!([b.birth, finite(b.death)]);
        let bars: Vec<Vec<Value>> = self.barcode.bars.iter().map(|of| of.iter().map(of_bar).collect()).collect();
        let edges = self.barcode.edges.as_ref().map(|all| {
            let row = |e: &crate::topology::BarEdges| {
                let (first, last) = (e.birth.first(), e.birth.last());
                let death = e.death.map_or([-1, -1], |d| d.map(i64::from));
                json!([first, last, death[0], death[1]])
            };
            all.iter().map(|of| of.iter().map(row).collect::<Vec<_>>()).collect::<Vec<_>>()
        });
        let points = if let Cloud::Points(points) = self.cloud { Some(points) } else { None };
        let (places, axes) = points.map(places).unzip();
        let nearest = points.filter(|_| self.metric != Metric::KnnHops).map(|p| shortest_edges(p, self.metric, MOST_EDGES));
        let whole = nearest.as_ref().is_some_and(|n| n.len() == self.cloud.len() * (self.cloud.len() - 1) / 2);
        let nearest = nearest.map(|edges| {
            json!({
                "ends": edges.iter().flat_map(|e| [e.1, e.2]).collect::<Vec<_>>(),
                "lengths": edges.iter().map(|e| e.0).collect::<Vec<_>>(),
            })
        });
        json!({
            "n": self.barcode.n, "bars": bars, "edges": edges, "cycles": self.cycles(),
            "points": places, "axes": axes, "nearest": nearest, "whole": whole,
            "threshold": self.barcode.threshold,
        })
    }

    /// The cycles under the places of their bars.
    fn cycles(&self) -> Value {
        let Some(bars) = self.barcode.bars.get(1) else { return Value::Null };
        let mut taken = vec![false; bars.len()];
        let mut found = serde_json::Map::new();
        for cycle in self.barcode.cycles.iter().flatten() {
            let (birth, death) = (cycle.birth, cycle.death.unwrap_or(f32::INFINITY));
            let same = |&i: &usize| !taken[i] && bars[i].birth == birth && bars[i].death == death;
            if let Some(place) = (0..bars.len()).find(same) {
                taken[place] = true;
                found.insert(place.to_string(), json!(cycle.edges));
            }
        }
        found.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Engine, Options, PointCloud};

    /// A circle in a tilted plane of R^5: the page holds its one long loop with edges and cycle,
    /// and its principal axes show the circle as it is.
    #[test]
    fn a_page_holds_what_it_links() {
        let turn = |i: usize| i as f32 * std::f32::consts::TAU / 40.0;
        let point = |i: usize| [turn(i).cos(), turn(i).sin(), turn(i).cos(), 3.0, -turn(i).sin()];
        let points = PointCloud::new(40, 5, (0..40).flat_map(point).collect()).unwrap();
        let barcode = Engine::cpu().barcode(&points, &Options::default().edges(true).cycles(9)).unwrap();
        let cloud: Cloud = points.into();
        let page = LinkedPage { title: "a < b", cloud: &cloud, metric: Metric::Euclidean, barcode: &barcode };
        let data = page.data();
        assert_eq!(data["bars"][1].as_array().unwrap().len(), 1);
        assert_eq!(data["cycles"]["0"].as_array().unwrap().len(), 40);
        assert_eq!(data["edges"][0].as_array().unwrap().len(), 40);
        assert!(data["whole"].as_bool().unwrap() && data["nearest"]["lengths"].as_array().unwrap().len() == 780);
        for p in data["points"].as_array().unwrap() {
            let [x, y, z] = [0, 1, 2].map(|k| p[k].as_f64().unwrap());
            assert!((x.hypot(y) - 2f64.sqrt()).abs() < 1e-4 && z.abs() < 1e-4, "{p}");
        }
        assert!(data["axes"].as_str().unwrap().contains("100 %"));
        let out = tempfile::tempdir().unwrap();
        page.save(&out.path().join("x.html")).unwrap();
        let text = std::fs::read_to_string(out.path().join("x.html")).unwrap();
        assert!(text.contains("<h1>a &lt; b</h1>") && !text.contains("{{"), "a placeholder is left");
        let many: Cloud = PointCloud::new(MOST_POINTS + 1, 1, vec![0.0; MOST_POINTS + 1]).unwrap().into();
        assert_eq!(LinkedPage::check(&many).unwrap_err().exit_code(), 2);
    }
}
