//! Pixels without stairs: everything is drawn four times as large, and two by two pixels become
//! one. A picture has twice its pixels then in each direction, so that it stays sharp on screens
//! with small pixels and in print.

use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters::prelude::{FontDesc, TextStyle};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontFamily};

/// Drawn pixels per pixel of the picture's size.
const SCALE: u32 = 4;
/// Written pixels per pixel of the picture's size.
pub(super) const WRITTEN: u32 = 2;

/// Draws on a canvas of [`SCALE`] times its size.
pub(super) struct Fine<'a> {
    canvas: BitMapBackend<'a>,
    size: (u32, u32),
}

struct Thick(BackendColor, u32);

impl BackendStyle for Thick {
    fn color(&self) -> BackendColor {
        self.0
    }
    fn stroke_width(&self) -> u32 {
        self.1
    }
}

fn thick(style: &impl BackendStyle) -> Thick {
    Thick(style.color(), style.stroke_width() * SCALE)
}

fn far((x, y): BackendCoord) -> BackendCoord {
    // The middle of a pixel stays where it is.
    (x * SCALE as i32 + SCALE as i32 / 2, y * SCALE as i32 + SCALE as i32 / 2)
}

fn large(style: &impl BackendTextStyle) -> TextStyle<'static> {
    // The program brings one family of letters.
    let font = FontDesc::new(FontFamily::SansSerif, style.size() * f64::from(SCALE), style.style());
    TextStyle { font: font.transform(style.transform()), color: style.color(), pos: style.anchor() }
}

/// Bytes of the canvas of a picture, for [`Fine::new`].
pub(super) fn canvas((width, height): (u32, u32)) -> Vec<u8> {
    vec![255; 3 * (width * height * SCALE * SCALE) as usize]
}

/// The picture at [`WRITTEN`] times its size: means of what was drawn.
pub(super) fn shrunk(canvas: &[u8], (width, height): (u32, u32)) -> Option<image::RgbImage> {
    let drawn = image::RgbImage::from_raw(width * SCALE, height * SCALE, canvas.to_vec())?;
    let step = SCALE / WRITTEN;
    Some(image::RgbImage::from_fn(width * WRITTEN, height * WRITTEN, |x, y| {
        let parts = (0..step * step).map(|i| drawn.get_pixel(x * step + i % step, y * step + i / step).0);
        let sums = parts.fold([0u32; 3], |sums, p| [0, 1, 2].map(|c| sums[c] + u32::from(p[c])));
        image::Rgb(sums.map(|sum| ((sum + step * step / 2) / (step * step)) as u8))
    }))
}

impl<'a> Fine<'a> {
    /// On the bytes that [`canvas`] gave.
    pub(super) fn new(canvas: &'a mut [u8], size: (u32, u32)) -> Self {
        Self { canvas: BitMapBackend::with_buffer(canvas, (size.0 * SCALE, size.1 * SCALE)), size }
    }
}

type Outcome<'a> = Result<(), DrawingErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>>;

impl<'a> DrawingBackend for Fine<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }
    fn ensure_prepared(&mut self) -> Outcome<'a> {
        self.canvas.ensure_prepared()
    }
    fn present(&mut self) -> Outcome<'a> {
        self.canvas.present()
    }
    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Outcome<'a> {
        let (x, y, side) = (x * SCALE as i32, y * SCALE as i32, SCALE as i32 - 1);
        self.canvas.draw_rect((x, y), (x + side, y + side), &Thick(color, 1), true)
    }
    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Outcome<'a> {
        self.canvas.draw_path([far(from), far(to)], &thick(style))
    }
    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Outcome<'a> {
        let (from, to) = (far(from), far(to));
        if fill {
            return self.canvas.draw_rect(from, to, &thick(style), true);
        }
        let around = [from, (to.0, from.1), to, (from.0, to.1), from];
        self.canvas.draw_path(around, &thick(style))
    }
    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Outcome<'a> {
        self.canvas.draw_path(path.into_iter().map(far), &thick(style))
    }
    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Outcome<'a> {
        self.canvas.draw_circle(far(center), radius * SCALE, &thick(style), fill)
    }
    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, vert: I, style: &S) -> Outcome<'a> {
        self.canvas.fill_polygon(vert.into_iter().map(far), &thick(style))
    }
    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, (x, y): BackendCoord) -> Outcome<'a> {
        self.canvas.draw_text(text, &large(style), (x * SCALE as i32, y * SCALE as i32))
    }
}
