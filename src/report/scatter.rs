//! Points in the plane by class, and values over a grid of cells.

use super::chart::{Drawn, Picture, colour, fitting, legend, legend_size, range, short, text};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Points by class; of points in space, a view from the side and above.
#[derive(Clone, Debug, Default)]
pub struct Scatter {
    /// Above the chart.
    pub title: String,
    /// Name of each class.
    pub names: Vec<String>,
    /// Two or three coordinates, and the class.
    pub points: Vec<(Vec<f64>, usize)>,
}

/// Most points that are drawn.
const MOST: usize = 6000;

impl Scatter {
    pub(super) fn flat(point: &[f64]) -> (f64, f64) {
        match *point {
            [x] => (x, 0.0),
            [x, y] => (x, y),
            [x, y, z, ..] => (0.87 * x - 0.5 * y, z + 0.25 * (x + y)),
            [] => (0.0, 0.0),
        }
    }
}

impl Picture for Scatter {
    fn alt(&self) -> String {
        format!("{}: {} points of the classes {}", self.title, self.points.len(), self.names.join(", "))
    }

    fn size(&self) -> (u32, u32) {
        let (wide, high) = legend_size(self.names.iter().map(String::as_str));
        (500 + wide, high.max(480))
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn {
        text(area.fill(&WHITE))?;
        let (area, names) = area.split_horizontally(500);
        let step = self.points.len().div_ceil(MOST).max(1);
        let points: Vec<((f64, f64), usize)> = self.points.iter().step_by(step).map(|(p, c)| (Self::flat(p), *c)).collect();
        let mut chart = text(
            ChartBuilder::on(&area)
                .caption(&self.title, ("sans-serif", fitting(&self.title, 18, 480)))
                .margin(12)
                .x_label_area_size(30)
                .y_label_area_size(46)
                .build_cartesian_2d(range(points.iter().map(|p| p.0.0)), range(points.iter().map(|p| p.0.1))),
        )?;
        text(
            chart
                .configure_mesh()
                .disable_mesh()
                .x_label_formatter(&short)
                .y_label_formatter(&short)
                .label_style(("sans-serif", 12))
                .draw(),
        )?;
        let finite = points.iter().filter(|p| p.0.0.is_finite() && p.0.1.is_finite());
        text(chart.draw_series(finite.map(|&(p, class)| Circle::new(p, 2, colour(class).filled()))))?;
        legend(&names, &self.names.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// A value for every cell of a grid: layers across, epochs upwards.
#[derive(Clone, Debug, Default)]
pub struct Heat {
    /// Above the chart.
    pub title: String,
    /// Below the horizontal axis.
    pub x: String,
    /// Beside the vertical axis.
    pub y: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Name and values of each row, the lowest first; NaN is left white.
    pub rows: Vec<(String, Vec<f64>)>,
}

impl Heat {
    /// Dark for much, light for little, readable without colour.
    fn shade(share: f64) -> RGBColor {
        let mix = |low: f64, high: f64| (low + share * (high - low)) as u8;
        RGBColor(mix(240.0, 8.0), mix(246.0, 48.0), mix(252.0, 107.0))
    }
}

impl Picture for Heat {
    fn alt(&self) -> String {
        format!("{}: a table of colours, {} by {}", self.title, self.y, self.x)
    }

    fn size(&self) -> (u32, u32) {
        (720, 120 + 26 * self.rows.len().clamp(4, 24) as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn {
        text(area.fill(&WHITE))?;
        let (columns, rows) = (self.columns.len().max(1), self.rows.len().max(1));
        let highest = self.rows.iter().flat_map(|r| &r.1).copied().filter(|v| v.is_finite()).fold(1.0, f64::max);
        let mut chart = text(
            ChartBuilder::on(area)
                .caption(&self.title, ("sans-serif", 18))
                .margin(12)
                .x_label_area_size(42)
                .y_label_area_size(110)
                .build_cartesian_2d(0.0..columns as f64, 0.0..rows as f64),
        )?;
        let named = |names: Vec<String>| {
            move |v: &f64| {
                let at = (v - 0.5).round();
                let near = (v - 0.5 - at).abs() < 0.01 && at >= 0.0;
                if near { names.get(at as usize).cloned().unwrap_or_default() } else { String::new() }
            }
        };
        let (of_columns, of_rows) = (named(self.columns.clone()), named(self.rows.iter().map(|r| r.0.clone()).collect()));
        text(
            chart
                .configure_mesh()
                .disable_mesh()
                .x_labels(2 * columns + 1)
                .y_labels(2 * rows + 1)
                .x_label_formatter(&of_columns)
                .y_label_formatter(&of_rows)
                .x_desc(&self.x)
                .y_desc(&self.y)
                .label_style(("sans-serif", 11))
                .draw(),
        )?;
        for (y, (_, values)) in self.rows.iter().enumerate() {
            for (x, &value) in values.iter().enumerate().filter(|v| v.1.is_finite()) {
                let (x, y, share) = (x as f64, y as f64, value / highest);
                let cell = Rectangle::new([(x + 0.02, y + 0.02), (x + 0.98, y + 0.98)], Self::shade(share).filled());
                text(chart.draw_series(std::iter::once(cell)))?;
                let ink = if share > 0.55 { WHITE } else { BLACK };
                let style = ("sans-serif", 11).into_font().color(&ink);
                text(chart.draw_series(std::iter::once(Text::new(short(&value), (x + 0.3, y + 0.62), style))))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_drawn_empty_and_full() {
        assert!(Scatter::default().svg().unwrap().contains("<svg"));
        assert!(Heat::default().svg().unwrap().contains("<svg"));
        let points = (0..50).map(|i| (vec![f64::from(i), f64::from(i % 7), 1.0], (i % 2) as usize)).collect();
        let scatter = Scatter { title: "t".into(), names: vec!["inside".into(), "outside".into()], points };
        assert!(scatter.svg().unwrap().matches("<circle").count() >= 50);
        let rows = vec![("epoch 1".into(), vec![3.0, f64::NAN]), ("epoch 2".into(), vec![1.0, 0.0])];
        let heat = Heat { columns: vec!["input".into(), "logits".into()], rows, ..Heat::default() };
        let svg = heat.svg().unwrap();
        assert!(svg.contains("epoch 2") && svg.contains("logits") && svg.matches("<rect").count() >= 3);
    }
}
