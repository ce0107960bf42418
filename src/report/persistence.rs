//! The barcode and the persistence diagram, side by side.

use super::chart::{Drawn, Picture, colour, text};
use crate::topology::{Bar, Barcode};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Bars of a dimension that are drawn; of more, the longest.
const MOST_BARS: usize = 40;

/// Rows that the heading of a dimension takes.
const HEAD: usize = 5;

/// A barcode to draw: bars on the left, points over the diagonal on the right. What never dies ends at the dashed line.
#[derive(Clone, Debug)]
pub struct Persistence<'a> {
    /// Above both.
    pub title: String,
    /// What is drawn.
    pub barcode: &'a Barcode,
}

impl Persistence<'_> {
    fn drawn(&self, dim: usize) -> Vec<Bar> {
        let mut bars = self.barcode.bars[dim].clone();
        bars.sort_by(|a, b| b.length().total_cmp(&a.length()));
        bars.truncate(MOST_BARS);
        bars.sort_by(|a, b| a.birth.total_cmp(&b.birth).then(a.death.total_cmp(&b.death)));
        bars
    }
}

impl Picture for Persistence<'_> {
    fn alt(&self) -> String {
        let counts = self.barcode.bars.iter().enumerate().map(|(d, bars)| format!("{} bars of dimension {d}", bars.len()));
        format!("{}: barcode and persistence diagram, {}", self.title, counts.collect::<Vec<_>>().join(", "))
    }

    fn size(&self) -> (u32, u32) {
        (960, 480)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn {
        text(area.fill(&WHITE))?;
        let area = text(area.titled(&self.title, ("sans-serif", 20)))?;
        let (left, right) = area.split_horizontally(540);
        let end = match f64::from(self.barcode.largest_end()) {
            0.0 => 1.0,
            end => end,
        };
        let never = 1.08 * end;
        self.bars(&left, never)?;
        self.diagram(&right, end, never)
    }
}

impl Persistence<'_> {
    fn bars<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, never: f64) -> Drawn {
        let dims: Vec<Vec<Bar>> = (0..self.barcode.bars.len()).map(|d| self.drawn(d)).collect();
        let rows: usize = dims.iter().map(|d| d.len() + HEAD).sum();
        let mut chart = text(
            ChartBuilder::on(area)
                .margin(12)
                .x_label_area_size(42)
                .y_label_area_size(16)
                .build_cartesian_2d(0.0..1.02 * never, -(rows as f64)..0.0),
        )?;
        text(chart.configure_mesh().disable_y_mesh().disable_y_axis().x_desc("scale").max_light_lines(0).draw())?;
        let mut row = 1.0;
        for (dim, bars) in dims.iter().enumerate() {
            let colour = colour(dim);
            let all = self.barcode.bars[dim].len();
            let some = if all > bars.len() { format!(", the longest {}", bars.len()) } else { String::new() };
            let label = format!("H{dim}: {all} bars{some}");
            let place = (0.02 * never, -(row + 0.6));
            text(chart.draw_series(std::iter::once(Text::new(label, place, ("sans-serif", 13).into_font().color(&colour)))))?;
            row += HEAD as f64 - 1.0;
            for bar in bars {
                let to = if bar.death.is_finite() { f64::from(bar.death) } else { never };
                let line = PathElement::new(vec![(f64::from(bar.birth), -row), (to, -row)], colour.stroke_width(2));
                text(chart.draw_series(std::iter::once(line)))?;
                row += 1.0;
            }
        }
        Ok(())
    }

    fn diagram<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, end: f64, never: f64) -> Drawn {
        let mut chart = text(
            ChartBuilder::on(area)
                .margin(12)
                .x_label_area_size(42)
                .y_label_area_size(52)
                .build_cartesian_2d(-0.02 * end..1.02 * never, -0.02 * end..1.04 * never),
        )?;
        text(chart.configure_mesh().x_desc("birth").y_desc("death").max_light_lines(0).draw())?;
        let below = Polygon::new(vec![(0.0, 0.0), (never, 0.0), (never, never)], BLACK.mix(0.06));
        text(chart.draw_series(std::iter::once(below)))?;
        let dashes = DashedLineSeries::new([(0.0, never), (never, never)], 5, 4, BLACK.stroke_width(1));
        text(chart.draw_series(dashes))?;
        for (dim, bars) in self.barcode.bars.iter().enumerate() {
            let colour = colour(dim);
            let place = |b: &Bar| (f64::from(b.birth), if b.death.is_finite() { f64::from(b.death) } else { never });
            text(chart.draw_series(bars.iter().map(|b| Circle::new(place(b), 3, colour.mix(0.7).filled()))))?
                .label(format!("H{dim}"))
                .legend(move |(x, y)| Circle::new((x + 7, y), 4, colour.filled()));
        }
        text(
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::LowerRight)
                .background_style(WHITE.mix(0.85))
                .border_style(BLACK.mix(0.3))
                .label_font(("sans-serif", 13))
                .draw(),
        )
    }
}
