//! Points of the plane or of space with the cycles that stand for their longest bars.

use super::Scatter;
use super::chart::{Drawn, Picture, colour, fitting, legend, legend_size, range, text};
use crate::topology::{Cycle, PointCloud};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Where holes are: points, and a closed line around each hole. Both axes have one scale; of points
/// in space it is a view from the side and above.
#[derive(Clone, Copy, Debug)]
pub struct CycleMap<'a, S> {
    /// Above the picture.
    pub title: S,
    /// Points of two or three coordinates.
    pub points: &'a PointCloud,
    /// Cycles by the numbers of their points.
    pub cycles: &'a [Cycle],
}

/// Side of the picture, without the names beside it.
const SIDE: u32 = 560;

impl<S: AsRef<str>> CycleMap<'_, S> {
    fn names(&self) -> Vec<String> {
        let end = |death: Option<f32>| death.map_or("never".into(), |d| format!("{d:.3}"));
        self.cycles.iter().map(|c| format!("{:.3} to {}", c.birth, end(c.death))).collect()
    }
}

impl<S: AsRef<str>> Picture for CycleMap<'_, S> {
    fn alt(&self) -> String {
        format!("{}: {} points, and cycles born and dead at {}", self.title.as_ref(), self.points.len(), self.names().join(", "))
    }

    fn size(&self) -> (u32, u32) {
        let (wide, high) = legend_size(self.names().iter().map(String::as_str));
        (SIDE + wide, high.max(SIDE))
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn {
        text(area.fill(&WHITE))?;
        let (area, names) = area.split_horizontally(SIDE);
        let (area, _) = area.split_vertically(SIDE);
        let place = |i: usize| Scatter::flat(&self.points.point(i).iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
        let places: Vec<(f64, f64)> = (0..self.points.len()).map(place).collect();
        let (across, up) = (range(places.iter().map(|p| p.0)), range(places.iter().map(|p| p.1)));
        let half = 0.5 * (across.end - across.start).max(up.end - up.start);
        let around = |r: &std::ops::Range<f64>| {
            let middle = f64::midpoint(r.start, r.end);
            middle - half..middle + half
        };
        let title = self.title.as_ref();
        let mut chart = text(
            ChartBuilder::on(&area)
                .caption(title, ("sans-serif", fitting(title, 18, 540)))
                .margin(12)
                .build_cartesian_2d(around(&across), around(&up)),
        )?;
        let grey = RGBColor(0x88, 0x88, 0x88);
        text(chart.draw_series(places.iter().map(|&p| Circle::new(p, 2, grey.filled()))))?;
        for (i, cycle) in self.cycles.iter().enumerate() {
            let ends = |e: &[u32; 2]| e.map(|v| places.get(v as usize).copied().unwrap_or_default()).to_vec();
            let lines = cycle.edges.iter().map(|e| PathElement::new(ends(e), colour(i).stroke_width(3)));
            text(chart.draw_series(lines))?;
        }
        text(names.draw(&Text::new("birth to death", (4, 22), ("sans-serif", 13).into_font())))?;
        legend(&names, &self.names().iter().map(String::as_str).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every edge of every cycle is a line, every point a dot; an odd cloud is drawn too.
    #[test]
    fn cycles_lie_on_their_points() {
        let points = PointCloud::new(4, 2, vec![0.0, 0.0, 2.0, 0.0, 2.0, 1.0, 0.0, 1.0]).unwrap();
        let cycles = [Cycle { birth: 2.0, death: Some(2.236), edges: vec![[0, 1], [1, 2], [2, 3], [3, 0]] }];
        let svg = CycleMap { title: "square", points: &points, cycles: &cycles }.svg().unwrap();
        assert_eq!((svg.matches("<circle").count(), svg.matches("<polyline").count()), (4, 4));
        assert!(svg.contains("2.000 to 2.236"));
        let one = PointCloud::new(1, 3, vec![5.0; 3]).unwrap();
        assert!(CycleMap { title: "one", points: &one, cycles: &[] }.svg().unwrap().contains("<circle"));
    }
}
