//! Charts as SVG or PNG, in colours that the colour-blind tell apart and a printer keeps.

use super::fine::{self, Fine};
use crate::data::files::{write_atomically, write_text};
use crate::error::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use std::path::Path;
use std::sync::Once;

/// Petroff's ten colours ("Accessible color sequences for data visualization", arXiv 2107.02270),
/// of which the colour-blind tell every pair apart.
const PALETTE: [RGBColor; 10] = [
    RGBColor(0x3f, 0x90, 0xda),
    RGBColor(0xe7, 0x63, 0x00),
    RGBColor(0x83, 0x2d, 0xb6),
    RGBColor(0xff, 0xa9, 0x0e),
    RGBColor(0xbd, 0x1f, 0x01),
    RGBColor(0x71, 0x75, 0x81),
    RGBColor(0xa9, 0x6b, 0x59),
    RGBColor(0x92, 0xda, 0xdd),
    RGBColor(0xb9, 0xac, 0x70),
    RGBColor(0x94, 0xa4, 0xa2),
];

/// Dash and gap of the lines of the `i`-th series: after ten series the colours come again, with
/// dashes, then with dots.
fn dashes(i: usize) -> Option<(u32, u32)> {
    match i / PALETTE.len() {
        0 => None,
        1 => Some((9, 4)),
        _ => Some((2, 4)),
    }
}

/// Colour of the `i`-th series.
pub(super) fn colour(i: usize) -> RGBColor {
    PALETTE[i % PALETTE.len()]
}

/// Why drawing failed, as text: the backends' error types differ.
pub(super) type Drawn = std::result::Result<(), String>;

/// Turns a backend's error into text.
pub(super) fn text<T, E: std::fmt::Display>(r: std::result::Result<T, E>) -> std::result::Result<T, String> {
    r.map_err(|e| e.to_string())
}

/// Something that can be drawn.
pub trait Picture {
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// What it shows, for whoever cannot see it.
    fn alt(&self) -> String {
        "a picture".into()
    }

    /// Its numbers, where a page can draw it anew from them.
    fn data(&self) -> Option<serde_json::Value> {
        None
    }

    /// Draws on an empty area of that size.
    ///
    /// # Errors
    /// What the backend says.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> std::result::Result<(), String>;

    /// The picture as an SVG document.
    ///
    /// # Errors
    /// [`Error::Internal`] when it cannot be drawn.
    fn svg(&self) -> Result<String> {
        fonts();
        let mut out = String::new();
        {
            let area = SVGBackend::with_string(&mut out, self.size()).into_drawing_area();
            self.draw(&area).and_then(|()| text(area.present())).map_err(Error::Internal)?;
        }
        Ok(out)
    }

    /// Writes the picture to a `.svg` or `.png` file.
    ///
    /// # Errors
    /// [`Error::Input`] for another ending, [`Error::Io`].
    fn save(&self, path: &Path) -> Result<()> {
        check_plot_name(path)?;
        match path.extension().and_then(|e| e.to_str()) {
            Some("svg") => write_text(path, &self.svg()?),
            _ => {
                fonts();
                let size = self.size();
                let mut canvas = fine::canvas(size);
                {
                    let area = Fine::new(&mut canvas, size).into_drawing_area();
                    self.draw(&area).and_then(|()| text(area.present())).map_err(Error::Internal)?;
                }
                let image = fine::shrunk(&canvas, size);
                let image = image.ok_or_else(|| Error::Internal("the picture's buffer is too small".into()))?;
                let mut bytes = std::io::Cursor::new(Vec::new());
                image.write_to(&mut bytes, image::ImageFormat::Png).map_err(|e| Error::Internal(e.to_string()))?;
                write_atomically(path, |w| w.write_all(bytes.get_ref()))
            }
        }
    }
}

/// Whether a picture can be saved there, judged by the name: to be asked before the work that it
/// will show.
///
/// # Errors
/// [`Error::Input`] for an ending other than `.svg` and `.png`.
pub fn check_plot_name(path: &Path) -> Result<()> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("svg" | "png") => Ok(()),
        _ => Err(Error::input(format!("{}: a plot ends in .svg or .png", path.display()))),
    }
}

fn fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The only failure is a damaged font, and these are compiled in.
        let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
    });
}

/// A range that holds all finite values, never empty, with a little air.
pub(super) fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values.filter(|v| v.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return 0.0..1.0;
    }
    let air = if high > low { 0.05 * (high - low) } else { 0.5 };
    (if low >= 0.0 && low - air < 0.0 { 0.0 } else { low - air })..high + air
}

/// Lines over a common axis: Betti numbers per layer, accuracy per epoch.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// Above the chart.
    pub title: String,
    /// Below the horizontal axis.
    pub x: String,
    /// Beside the vertical axis.
    pub y: String,
    /// Name and points of each line.
    pub series: Vec<(String, Vec<(f64, f64)>)>,
}

/// Pixels between the names of two series.
const LEGEND_ROW: u32 = 22;

/// Room for the names of some series, right of the chart: width and height.
pub(super) fn legend_size<'a>(names: impl Iterator<Item = &'a str> + Clone) -> (u32, u32) {
    let longest = names.clone().map(|n| n.chars().count()).max().unwrap_or(0) as u32;
    ((46 + 15 * longest / 2).clamp(90, 360), 64 + LEGEND_ROW * names.count() as u32)
}

/// Writes names beside marks of their colours, one below the other: over the chart they would hide
/// lines.
pub(super) fn legend<B: DrawingBackend>(area: &DrawingArea<B, Shift>, names: &[&str]) -> Drawn {
    for (i, name) in names.iter().enumerate() {
        let y = (52 + LEGEND_ROW * i as u32) as i32;
        match dashes(i) {
            None => text(area.draw(&Rectangle::new([(4, y - 6), (22, y + 2)], colour(i).filled())))?,
            Some((dash, gap)) => {
                for from in (4..22).step_by((dash + gap) as usize) {
                    text(area.draw(&Rectangle::new([(from, y - 4), ((from + dash as i32).min(22), y)], colour(i).filled())))?;
                }
            }
        }
        text(area.draw(&Text::new((*name).to_string(), (28, y - 8), ("sans-serif", 13).into_font())))?;
    }
    Ok(())
}

/// Places for the labels of an axis: round numbers, seven at most; whole ones where all `values`
/// are whole.
pub(super) fn ticks(range: &std::ops::Range<f64>, mut values: impl Iterator<Item = f64>) -> Vec<f64> {
    let whole = values.all(|v| !v.is_finite() || v.fract() == 0.0);
    let rough = (range.end - range.start) / 7.0;
    let unit = 10f64.powf(rough.max(f64::MIN_POSITIVE).log10().floor());
    let mut step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * unit).find(|s| *s >= rough).unwrap_or(unit);
    if whole {
        step = step.max(1.0).ceil();
    }
    let first = (range.start / step - 1e-9).ceil() as i64;
    (first..first + 12).map(|i| i as f64 * step).take_while(|t| *t <= range.end + 1e-9 * step).collect()
}

/// Numbers as short as they can be.
pub(super) fn short(value: &f64) -> String {
    if *value != 0.0 && !(1e-3..1e6).contains(&value.abs()) {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Names after one another, the first of many.
fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(12);
    let some = names[..names.len() - more].join(", ");
    if more > 0 { format!("{some} and {more} more") } else { some }
}

impl Picture for Lines {
    fn alt(&self) -> String {
        let names: Vec<&str> = self.series.iter().map(|(name, _)| name.as_str()).collect();
        format!("{}: {} by {}; {}", self.title, self.y, self.x, listed(&names))
    }

    fn data(&self) -> Option<serde_json::Value> {
        let finite = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            points.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite()).collect()
        };
        let series: Vec<_> = self.series.iter().map(|(name, p)| serde_json::json!({"name": name, "points": finite(p)})).collect();
        let colours: Vec<String> = PALETTE.iter().map(|c| format!("#{:02x}{:02x}{:02x}", c.0, c.1, c.2)).collect();
        Some(serde_json::json!({"title": self.title, "x": self.x, "y": self.y, "series": series, "colours": colours}))
    }

    fn size(&self) -> (u32, u32) {
        let (wide, high) = legend_size(self.series.iter().map(|(name, _)| name.as_str()));
        (560 + wide, high.max(380))
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn {
        text(area.fill(&WHITE))?;
        let (area, names) = area.split_horizontally(560);
        let points = || self.series.iter().flat_map(|(_, p)| p);
        let mut chart = text(
            ChartBuilder::on(&area)
                .caption(&self.title, ("sans-serif", fitting(&self.title, 18, 540)))
                .margin(12)
                .x_label_area_size(42)
                .y_label_area_size(56)
                .build_cartesian_2d(Axis::of(points().map(|p| p.0)), Axis::of(points().map(|p| p.1))),
        )?;
        text(chart.configure_mesh().x_desc(&self.x).y_desc(&self.y).max_light_lines(0).label_style(("sans-serif", 13)).draw())?;
        for (i, (_, points)) in self.series.iter().enumerate() {
            let colour = colour(i);
            let finite = || points.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite());
            match dashes(i) {
                None => text(chart.draw_series(LineSeries::new(finite(), colour.stroke_width(2)))).map(drop)?,
                Some((dash, gap)) => {
                    text(chart.draw_series(DashedLineSeries::new(finite(), dash, gap, colour.stroke_width(2)))).map(drop)?;
                }
            }
            // Lines that lie on each other are told apart by their marks; many points need none.
            if points.len() <= 40 {
                text(chart.draw_series(finite().map(|p| Circle::new(p, 3 + i as i32 % 3, colour.stroke_width(1)))))?;
            }
        }
        legend(&names, &self.series.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
    }
}

/// An axis with labels at given places.
struct Axis {
    range: std::ops::Range<f64>,
    ticks: Vec<f64>,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let range = range(values.clone());
        Self { ticks: ticks(&range, values), range }
    }
}

impl Ranged for Axis {
    type FormatOption = plotters::coord::ranged1d::NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: plotters::coord::ranged1d::KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.clone()
    }
}

impl plotters::coord::ranged1d::ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        short(value)
    }
}

/// The size of letters at which a title takes no more than so many pixels.
pub(super) fn fitting(title: &str, size: u32, pixels: u32) -> u32 {
    let wide = 0.62 * f64::from(size) * title.chars().count() as f64;
    if wide <= f64::from(pixels) { size } else { (f64::from(size) * f64::from(pixels) / wide).max(9.0) as u32 }
}

/// Charts one below the other, each with its own vertical axis: Betti curves of dimensions that
/// differ in size.
#[derive(Clone, Debug, Default)]
pub struct Panels(
    /// From top to bottom.
    pub Vec<Lines>,
);

impl Picture for Panels {
    fn alt(&self) -> String {
        self.0.iter().map(Picture::alt).collect::<Vec<_>>().join(". ")
    }

    fn size(&self) -> (u32, u32) {
        let sizes = || self.0.iter().map(Picture::size);
        (sizes().map(|s| s.0).max().unwrap_or(560), sizes().map(|s| s.1 * 3 / 4).sum::<u32>().max(200))
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn {
        text(area.fill(&WHITE))?;
        for (panel, lines) in area.split_evenly((self.0.len().max(1), 1)).iter().zip(&self.0) {
            lines.draw(panel)?;
        }
        Ok(())
    }
}

/// Two bars side by side per entry: filters before and after, layer by layer.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    /// Above the chart.
    pub title: String,
    /// Beside the vertical axis.
    pub y: String,
    /// What the first and the second bar of each entry are.
    pub names: [String; 2],
    /// Label and values of each entry.
    pub entries: Vec<(String, f64, f64)>,
}

impl Picture for Pairs {
    fn alt(&self) -> String {
        format!("{}: {} and {} of {} entries", self.title, self.names[0], self.names[1], self.entries.len())
    }

    fn size(&self) -> (u32, u32) {
        let (wide, high) = legend_size(self.names.iter().map(String::as_str));
        (500 + wide, high.max(360))
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn {
        text(area.fill(&WHITE))?;
        let (area, names) = area.split_horizontally(500);
        let high = self.entries.iter().map(|e| e.1.max(e.2)).fold(1.0, f64::max);
        let mut chart = text(
            ChartBuilder::on(&area)
                .caption(&self.title, ("sans-serif", 18))
                .margin(12)
                .x_label_area_size(36)
                .y_label_area_size(56)
                .build_cartesian_2d(0.0..self.entries.len().max(1) as f64, 0.0..high * 1.15),
        )?;
        let label = |x: &f64| {
            let at = (x - 0.5).round();
            let near = (x - 0.5 - at).abs() < 0.26 && at >= 0.0;
            if near { self.entries.get(at as usize).map(|e| e.0.clone()).unwrap_or_default() } else { String::new() }
        };
        text(
            chart
                .configure_mesh()
                .disable_x_mesh()
                .x_labels(2 * self.entries.len() + 1)
                .x_label_formatter(&label)
                .y_desc(&self.y)
                .y_label_formatter(&short)
                .max_light_lines(0)
                .bold_line_style(BLACK.mix(0.14))
                .label_style(("sans-serif", 13))
                .draw(),
        )?;
        for which in 0..2 {
            let colour = colour(which);
            let bar = |(i, e): (usize, &(String, f64, f64))| {
                let left = i as f64 + 0.15 + 0.35 * which as f64;
                let height = if which == 0 { e.1 } else { e.2 };
                Rectangle::new([(left, 0.0), (left + 0.33, height)], colour.filled())
            };
            text(chart.draw_series(self.entries.iter().enumerate().map(bar)))?;
        }
        legend(&names, &[&self.names[0], &self.names[1]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Lines {
        let series = vec![("a".into(), vec![(0.0, 1.0), (1.0, 3.0)]), ("b".into(), vec![(0.0, 2.0), (1.0, f64::NAN)])];
        Lines { title: "Title".into(), x: "layer".into(), y: "Betti number".into(), series }
    }

    #[test]
    fn both_formats_are_written_and_others_refused() {
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("a.svg");
        lines().save(&svg).unwrap();
        let drawn = std::fs::read_to_string(&svg).unwrap();
        assert!(drawn.contains("<svg") && drawn.contains("Betti number") && drawn.trim_end().ends_with("</svg>"));
        let png = dir.path().join("a.png");
        lines().save(&png).unwrap();
        let image = image::open(&png).unwrap().to_rgb8();
        let (width, height) = lines().size();
        assert_eq!(image.dimensions(), (2 * width, 2 * height));
        assert!(image.pixels().any(|p| p.0 == [0x3f, 0x90, 0xda]), "the first line is there");
        assert_eq!(lines().save(&dir.path().join("a.pdf")).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn no_two_series_look_alike_and_all_are_named() {
        let series = |i: usize| (format!("series {i}"), vec![(0.0, i as f64), (1.0, 2.0 * i as f64)]);
        let many = Lines { series: (0..25).map(series).collect(), ..lines() };
        let looks: std::collections::HashSet<_> = (0..25).map(|i| (colour(i).rgb(), dashes(i))).collect();
        assert_eq!(looks.len(), 25);
        let svg = many.svg().unwrap();
        assert!(svg.contains("series 24"));
        let (_, height) = many.size();
        let lowest = svg.split("y=\"").skip(1).filter_map(|t| t.split('"').next()?.parse::<f64>().ok()).fold(0.0, f64::max);
        assert!(lowest < f64::from(height), "the last name lies at {lowest} of {height}");
    }

    #[test]
    fn axes_of_whole_numbers_have_whole_labels() {
        assert_eq!(ticks(&(0.0..3.2), [0.0, 1.0, 3.0].into_iter()), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(ticks(&(0.0..1.05), [0.0, 0.5, 1.0].into_iter()), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(&(0.5..5.5), [1.0, 5.0].into_iter()), [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!(ticks(&(0.0..421_738.0), std::iter::empty()).len() < 9);
    }

    #[test]
    fn empty_charts_are_drawn() {
        assert!(Lines::default().svg().unwrap().contains("<svg"));
        assert!(Pairs::default().svg().unwrap().contains("<svg"));
    }
}
