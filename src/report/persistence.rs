//! The barcode and the persistence diagram, side by side.

use super::chart::{Drawn, Picture, colour, text};
use crate::topology::{Bar, Barcode};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::collections::HashSet;

/// Bars of a dimension that are drawn; of more, the longest.
const MOST_BARS: usize = 40;

/// Rows that the heading of a dimension takes.
const HEAD: usize = 5;

/// A barcode to draw: bars on the left, points over the diagonal on the right. What never dies ends
/// at the dashed line.
#[derive(Clone, Debug)]
pub struct Persistence<'a> {
    /// Above both.
    pub title: String,
    /// What is drawn.
    pub barcode: &'a Barcode,
}

/// Bars that may stand out, at most.
const MOST_MARKED: usize = 20;
/// Points of the diagram are told apart on a grid of so many cells a side: as many as it has
/// pixels.
const CELLS: f64 = 400.0;
/// By how many times the shortest bar that stands out is longer than the next.
const GAP: f32 = 1.5;

/// From which length on bars stand out: above the widest gap between the longest ones, as a
/// quotient, where there is one that can be seen.
fn marked(bars: &[Bar]) -> Option<f32> {
    let mut lengths: Vec<f32> = bars.iter().map(Bar::length).filter(|l| l.is_finite()).collect();
    lengths.sort_by(|a, b| b.total_cmp(a));
    let gap = |i: &usize| lengths[*i] / lengths[i + 1].max(f32::MIN_POSITIVE);
    let most = lengths.len().saturating_sub(1).min(MOST_MARKED);
    let widest = (0..most).max_by(|a, b| gap(a).total_cmp(&gap(b)))?;
    (gap(&widest) >= GAP).then(|| lengths[widest])
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
            let some = if all > bars.len() { format!(", the longest {} shown", bars.len()) } else { String::new() };
            let mark = if dim > 0 { marked(&self.barcode.bars[dim]) } else { None };
            let count = mark.map_or(0, |m| self.barcode.bars[dim].iter().filter(|b| b.length() >= m).count());
            let out = if count > 0 { format!(", {count} of which stand out") } else { String::new() };
            let label = format!("H{dim}: {all} bars{some}{out}");
            let place = (0.02 * never, -(row + 0.6));
            text(chart.draw_series(std::iter::once(Text::new(label, place, ("sans-serif", 13).into_font().color(&colour)))))?;
            row += HEAD as f64 - 1.0;
            for bar in bars {
                let to = if bar.death.is_finite() { f64::from(bar.death) } else { never };
                let stands_out = mark.is_none_or(|m| bar.length() >= m);
                let style = if stands_out { colour.stroke_width(3) } else { colour.mix(0.45).stroke_width(2) };
                let line = PathElement::new(vec![(f64::from(bar.birth), -row), (to, -row)], style);
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
            let mark = if dim > 0 { marked(bars) } else { None };
            let looks = |b: &Bar| if mark.is_none_or(|m| b.length() >= m) { (4, colour.mix(0.9)) } else { (3, colour.mix(0.45)) };
            // Of points that lie on each other one is drawn: a million would make a file of 100 MB.
            let mut seen = HashSet::new();
            let cell = |b: &Bar| (place(b).0 / never * CELLS, place(b).1 / never * CELLS);
            let shown = bars.iter().filter(|b| seen.insert((cell(b).0 as u32, cell(b).1 as u32, looks(b).0)));
            text(chart.draw_series(shown.map(|b| Circle::new(place(b), looks(b).0, looks(b).1.filled()))))?
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_above_the_widest_gap_stand_out() {
        let bars = |lengths: &[f32]| lengths.iter().map(|&l| Bar { birth: 1.0, death: 1.0 + l }).collect::<Vec<_>>();
        let long = marked(&bars(&[0.1, 3.0, 0.2, 2.5, 0.15])).unwrap();
        assert!((long - 2.5).abs() < 1e-6);
        assert!(marked(&bars(&[1.0, 0.9, 0.8, 0.7])).is_none(), "no gap is wide");
        assert!(marked(&[]).is_none() && marked(&bars(&[1.0])).is_none());
        let endless = [Bar { birth: 0.0, death: f32::INFINITY }];
        assert!(marked(&endless).is_none());
    }
}
