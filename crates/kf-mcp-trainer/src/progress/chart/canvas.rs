//! What charts are drawn on: pixels in memory, with letters that need no font of the system.

use std::convert::Infallible;

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use plotters::backend::DrawingBackend;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendTextStyle, DrawingErrorKind};

const WEIGHT: FontWeight = FontWeight::Regular;
const HEIGHT: RasterHeight = RasterHeight::Size16;

/// Width and height of a letter in pixels.
pub(super) const LETTER: (u32, u32) = (get_raster_width(WEIGHT, HEIGHT) as u32, HEIGHT.val() as u32);

/// A picture of three bytes a pixel, in the memory of whoever draws it.
pub(super) struct Canvas<'a> {
    size: (u32, u32),
    pixels: &'a mut [u8],
}

/// How many bytes a picture has.
pub(super) const fn bytes(size: (u32, u32)) -> usize {
    size.0 as usize * size.1 as usize * 3
}

/// A picture as a PNG file.
pub(super) fn encode(size: (u32, u32), pixels: &[u8]) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(pixels).ok()?;
    writer.finish().ok()?;
    Some(file)
}

impl<'a> Canvas<'a> {
    /// A picture in as many bytes as [`bytes`] says.
    pub(super) fn new(size: (u32, u32), pixels: &'a mut [u8]) -> Self {
        Self { size, pixels }
    }

    /// Lays a colour over a pixel; outside of the picture there is none.
    fn blend(&mut self, (x, y): BackendCoord, (red, green, blue): (u8, u8, u8), alpha: f64) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return;
        };
        if x >= self.size.0 || y >= self.size.1 {
            return;
        }
        let at = (y as usize * self.size.0 as usize + x as usize) * 3;
        let Some(pixel) = self.pixels.get_mut(at..at + 3) else {
            return;
        };
        for (below, above) in pixel.iter_mut().zip([red, green, blue]) {
            *below = (f64::from(*below) * (1.0 - alpha) + f64::from(above) * alpha).round() as u8;
        }
    }
}

/// Width and height of a text. Letters have one width, whatever size the style asks for.
fn size(text: &str) -> (u32, u32) {
    (LETTER.0.saturating_mul(text.chars().count() as u32), LETTER.1)
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn draw_pixel(&mut self, at: BackendCoord, colour: BackendColor) -> Result<(), DrawingErrorKind<Infallible>> {
        self.blend(at, colour.rgb, colour.alpha.clamp(0.0, 1.0));
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let (width, height) = size(text);
        let (width, height) = (width as i32, height as i32);
        let left = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Center => width / 2,
            HPos::Right => width,
        };
        let above = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => height / 2,
            VPos::Bottom => height,
        };
        let colour = style.color();
        for (index, letter) in text.chars().enumerate() {
            let Some(raster) = get_raster(letter, WEIGHT, HEIGHT).or_else(|| get_raster('?', WEIGHT, HEIGHT)) else {
                continue;
            };
            let from = (at.0 - left + index as i32 * LETTER.0 as i32, at.1 - above);
            for (y, row) in raster.rows().enumerate() {
                for (x, strength) in row.iter().enumerate() {
                    let alpha = f64::from(*strength) / 255.0 * colour.alpha;
                    self.blend((from.0 + x as i32, from.1 + y as i32), colour.rgb, alpha);
                }
            }
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        _: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok(size(text))
    }
}
