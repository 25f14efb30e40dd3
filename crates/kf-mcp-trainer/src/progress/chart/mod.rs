//! The points of metrics as a PNG line chart. No font is read from the system: the letters are bitmaps of the binary.

mod canvas;

use plotters::prelude::{
    BLACK, Color, DrawingArea, DrawingAreaErrorKind, IntoDrawingArea, IntoFont, IntoTextStyle, LineSeries, RGBColor,
    Text, WHITE,
};

use self::canvas::{Canvas, LETTER, bytes, encode};
use super::{Along, Series, short};

/// Size of the picture in pixels.
const SIZE: (u32, u32) = (640, 320);
/// Metrics in one chart.
const MOST: usize = 4;
/// The largest picture: it travels as text in an answer.
pub(crate) const MAX_PNG: usize = 40_000;
/// Letters of the names on top.
const HEAD: usize = 68;

/// Colours that are told apart also by people who do not see all of them.
const COLOURS: [RGBColor; MOST] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

type Failed = DrawingAreaErrorKind<std::convert::Infallible>;

/// The metrics that one chart shows: those like the first that have points; a loss and a learning rate have no scale in
/// common.
pub(crate) fn together(series: &[Series]) -> Vec<&Series> {
    let drawn = || series.iter().filter(|series| series.y.len() > 1);
    let Some(first) = drawn().next() else {
        return Vec::new();
    };
    let kind = |name: &str| name.rsplit(['_', '/', '-']).next().unwrap_or_default().to_owned();
    let like = drawn().filter(|series| kind(&series.name) == kind(&first.name) && series.by == first.by);
    like.take(MOST).collect()
}

/// A PNG file with a line for each metric; none when there is nothing to draw, or it would be too large.
pub(crate) fn png(series: &[&Series]) -> Option<Vec<u8>> {
    let by = series.first()?.by;
    let mut pixels = vec![0; bytes(SIZE)];
    draw(Canvas::new(SIZE, &mut pixels), series, by).ok()?;
    encode(SIZE, &pixels).filter(|png| png.len() <= MAX_PNG)
}

fn draw(canvas: Canvas<'_>, series: &[&Series], by: Along) -> Result<(), Failed> {
    let area = canvas.into_drawing_area();
    area.fill(&WHITE)?;
    legend(&area, series)?;
    let x = range(series.iter().flat_map(|series| &series.x));
    let y = range(series.iter().flat_map(|series| &series.y));
    let mut chart = plotters::prelude::ChartBuilder::on(&area)
        .margin_top(LETTER.1 + 12)
        .margin_right(24)
        .x_label_area_size(LETTER.1 + 8)
        .y_label_area_size(9 * LETTER.0)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .x_labels(6)
        .y_labels(6)
        .max_light_lines(1)
        .label_style(font())
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .axis_style(RGBColor(120, 120, 120))
        .x_label_formatter(&|value| short(*value))
        .y_label_formatter(&|value| short(*value))
        .draw()?;
    for (series, colour) in series.iter().zip(COLOURS) {
        let points = series
            .x
            .iter()
            .copied()
            .map(near)
            .zip(series.y.iter().copied().map(near));
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    let along = format!("by {}", by.words());
    let end = (SIZE.0 as i32 - (along.len() as i32 + 1) * LETTER.0 as i32, 6);
    area.draw(&Text::new(along, end, font().into_text_style(&area).color(&BLACK)))?;
    area.present()
}

fn font() -> plotters::style::FontDesc<'static> {
    ("monospace", f64::from(LETTER.1)).into_font()
}

/// The names on top, each in the colour of its line.
fn legend(area: &DrawingArea<Canvas<'_>, plotters::coord::Shift>, series: &[&Series]) -> Result<(), Failed> {
    let (mut at, room) = (0, HEAD / series.len().max(1));
    for (series, colour) in series.iter().zip(COLOURS) {
        let name: String = series.name.chars().take(room.saturating_sub(2)).collect();
        let place = (8 + at as i32 * LETTER.0 as i32, 6);
        at += name.chars().count() + 2;
        area.draw(&Text::new(name, place, font().into_text_style(area).color(&colour)))?;
    }
    Ok(())
}

/// A value that an axis can have: beyond, the differences are no numbers any more.
fn near(value: f64) -> f64 {
    value.clamp(-1e100, 1e100)
}

/// From the lowest to the highest with a little air; values that are all the same get room above and below.
fn range<'a>(values: impl Iterator<Item = &'a f64>) -> std::ops::Range<f64> {
    let (low, high) = values
        .copied()
        .map(near)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    if !(low.is_finite() && high.is_finite()) {
        return 0.0..1.0;
    }
    let air = if high - low > low.abs() * 1e-9 {
        (high - low) * 0.03
    } else {
        low.abs().max(1e-6) * 0.1
    };
    low - air..high + air
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, points: usize, value: impl Fn(f64) -> f64) -> Series {
        let x: Vec<f64> = (0..points).map(|at| at as f64).collect();
        let y: Vec<f64> = x.iter().map(|at| value(*at)).collect();
        Series {
            name: name.into(),
            latest: None,
            min: None,
            max: None,
            by: Along::Step,
            x,
            y,
            trend: String::new(),
            not_finite: 0,
            not_finite_now: false,
        }
    }

    fn pixels(file: &[u8]) -> (::png::OutputInfo, Vec<u8>) {
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut buffer).unwrap();
        (info, buffer)
    }

    #[test]
    fn a_chart_is_a_png_with_lines_and_letters() {
        let loss = series("train_loss", 100, |at| 2.0 * (-at / 30.0).exp());
        let file = png(&[&loss]).unwrap();
        let (info, pixels) = pixels(&file);
        assert_eq!((info.width, info.height), SIZE);
        let colour = |wanted: [u8; 3]| pixels.chunks(3).filter(|pixel| **pixel == wanted).count();
        assert!(colour([255, 255, 255]) > 100_000, "it is white");
        assert!(colour([0, 114, 178]) > 500, "it has a line: {}", colour([0, 114, 178]));
        let dark = pixels
            .chunks(3)
            .filter(|pixel| pixel.iter().all(|part| *part < 60))
            .count();
        assert!(dark > 100, "it has letters: {dark}");
    }

    #[test]
    fn the_largest_chart_fits_into_an_answer() {
        let wild = |seed: u64| {
            move |at: f64| ((at as u64).wrapping_mul(2_654_435_761).wrapping_add(seed * 97) % 10_007) as f64
        };
        let all: Vec<Series> = (0..4)
            .map(|n| series(&format!("{}_loss", "x".repeat(40)), 200, wild(n)))
            .collect();
        let file = png(&all.iter().collect::<Vec<_>>()).unwrap();
        assert!(file.len() <= MAX_PNG, "{} bytes", file.len());
    }

    #[test]
    fn what_is_odd_is_drawn_too_or_not_at_all() {
        let flat = series("loss", 5, |_| 1.0);
        let huge = series("loss", 5, |at| if at > 2.0 { f64::MAX } else { f64::MIN });
        let zero = series("loss", 2, |_| 0.0);
        let one = series("loss", 1, |_| 1.0);
        let foreign = series("verlust_日本", 3, |at| at);
        let tiny = series("loss", 5, |at| at * f64::MIN_POSITIVE);
        let apart = series("loss", 5, |at| 1e15 + at * 0.25);
        let powers = series("loss", 200, |at| 10_f64.powf(at - 100.0));
        for odd in [&flat, &huge, &zero, &one, &foreign, &tiny, &apart, &powers] {
            assert!(png(&[odd]).is_some(), "{odd:?}");
        }
        assert_eq!(png(&[]), None);
    }

    #[test]
    fn a_chart_shows_what_has_a_scale_in_common() {
        let all = [
            series("loss", 3, |at| at),
            series("eval_loss", 3, |at| at),
            series("learning_rate", 3, |at| at),
            series("test/loss", 1, |at| at),
        ];
        let names: Vec<&str> = together(&all).iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["loss", "eval_loss"]);
        assert!(together(&all[3..]).is_empty());
    }
}
