//! The curve of relevance by size, as SVG.
//!
//! Sizes stand evenly apart, whatever they count. They are a menu of 1 to 25 steps from which a person chooses, so each
//! step gets the same room: bins like 1, 2, 5, 10 look as on a logarithmic scale, bins like 1, 2, 3, 4 as on a linear
//! one, and labels never run into each other. Relevance stands on an axis that holds zero, so a small difference looks
//! small.

use lookalike::words::{Scores, short_size};
use lookalike::{AudienceSize, audience_report::Size};
use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::palette::{ACCENT, AXIS, BAD, INK, MUTED, PAPER, RULE, Shade};

/// A measured size.
struct Point {
    size: AudienceSize,
    score: f64,
    mark: Mark,
}

/// What became of a size.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Exported,
    Missing,
    NotAskedFor,
}

/// How large a drawing is, in its own pixels.
struct Frame {
    class: &'static str,
    width: u32,
    height: u32,
}

/// One for each width of page: text that shrinks with a drawing could not be read on a phone.
const FRAMES: [Frame; 2] =
    [Frame { class: "wide", width: 720, height: 300 }, Frame { class: "narrow", width: 320, height: 250 }];

/// Beyond these the arithmetic of a drawing is no longer sound. No service is known to come near.
const DRAWABLE: std::ops::Range<f64> = -1e12..1e12;

/// The curve, once for each width of page; nothing where no size has a relevance that can be drawn.
pub(crate) fn curve(sizes: &[Size], scores: Scores) -> Option<Markup> {
    let points: Vec<Point> = sizes.iter().filter_map(Point::of).collect();
    if points.is_empty() || !points.iter().all(|point| DRAWABLE.contains(&point.score)) {
        return None;
    }
    let told = |point: &Point| format!("{} at {}", scores.write(point.score), lookalike::words::size(point.size));
    let description = match &points[..] {
        [only] => format!("One size: {}.", told(only)),
        [first, .., last] => format!("{} sizes, from {} to {}.", points.len(), told(first), told(last)),
        [] => String::new(),
    };
    let drawings = FRAMES.iter().map(|frame| draw(&points, scores, frame).ok().map(|drawing| (frame, drawing)));
    let drawings = drawings.collect::<Option<Vec<_>>>()?;
    Some(html! {
        @for (Frame { class, width, height }, drawing) in drawings {
            svg class={ "curve " (class) } viewBox={ "0 0 " (width) " " (height) } role="img"
                aria-labelledby={ "curve-" (class) } aria-describedby={ "curve-" (class) "-text" } {
                title id={ "curve-" (class) } { "Relevance by size of the audience" }
                desc id={ "curve-" (class) "-text" } { (description) " The table of sizes has every number." }
                (PreEscaped(drawing))
            }
        }
    })
}

impl Point {
    fn of(size: &Size) -> Option<Self> {
        let mark = match &size.export {
            Some(export) if export.is_ready => Mark::Exported,
            Some(_) => Mark::Missing,
            None => Mark::NotAskedFor,
        };
        Some(Self { size: size.audience_size, score: size.relevance?, mark })
    }
}

impl Shade {
    fn ink(self) -> RGBColor {
        let (red, green, blue) = self.light;
        RGBColor(red, green, blue)
    }
}

/// The drawing without its outermost tag. Drawing into a string does not fail, but the crate's signatures may.
fn draw(points: &[Point], scores: Scores, frame: &Frame) -> Result<String, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (frame.width, frame.height)).into_drawing_area();
        let steps = u32::try_from(points.len())?;
        let (first, last) = (-0.5, f64::from(steps) - 0.5);
        let (low, high) = range(points);
        let mut chart = ChartBuilder::on(&area)
            .margin_top(26)
            .margin_right(6)
            .x_label_area_size(26)
            .y_label_area_size(40)
            .build_cartesian_2d(first..last, low..high)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_labels(5)
            .y_label_formatter(&|value: &f64| tick(*value))
            .y_label_offset(2)
            .label_style(text(MUTED))
            .axis_style(TRANSPARENT)
            .light_line_style(TRANSPARENT)
            .bold_line_style(RULE.ink())
            .set_all_tick_mark_size(0)
            .draw()?;
        chart.draw_series(LineSeries::new([(first, 0.0), (last, 0.0)], AXIS.ink()))?;
        let at = |(step, point): (u32, &Point)| (f64::from(step), point.score);
        chart.draw_series(LineSeries::new((0..).zip(points).map(at), ACCENT.ink().stroke_width(2)))?;

        let step_width = f64::from(frame.width - 46) / f64::from(steps);
        let radius = (step_width / 4.0).clamp(2.0, 6.0);
        let all_values_fit = points.iter().all(|point| fits(&scores.write(point.score), step_width));
        let every =
            (1..=steps).find(|every| points.iter().all(|p| fits(&short_size(p.size), step_width * f64::from(*every))));
        let bottom = i32::try_from(frame.height)? - 20;
        for (step, point) in (0..).zip(points) {
            let (x, y) = chart.backend_coord(&at((step, point)));
            point.draw(&area, (x, y), radius)?;
            if all_values_fit {
                let beside = |step: usize| points.get(step).map(|other| other.score);
                let before = step.checked_sub(1).and_then(|step| beside(step as usize));
                let (pos, (right, down)) = beside_the_line(before, point.score, beside(step as usize + 1));
                area.draw(&Text::new(scores.write(point.score), (x + right, y + down), text(INK).pos(pos)))?;
            }
            if every.is_some_and(|every| step % every == 0) {
                let shade = if point.mark == Mark::Exported { INK } else { MUTED };
                let below = text(shade).pos(Pos::new(HPos::Center, VPos::Top));
                area.draw(&Text::new(short_size(point.size), (x, bottom), below))?;
            }
        }
        area.present()?;
    }
    // The page has an outermost tag of its own, with a title.
    let inner = svg.split_once('>').and_then(|(_, inner)| inner.trim_end().strip_suffix("</svg>"));
    Ok(inner.ok_or("no svg")?.to_owned())
}

impl Point {
    /// Exported is full, not asked for is hollow, missing is crossed: to be told apart without colours.
    #[allow(clippy::cast_possible_truncation)] // A radius of a few pixels.
    fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, plotters::coord::Shift>,
        at: (i32, i32),
        radius: f64,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let radius = radius.round() as i32;
        area.draw(&Circle::new(at, radius + radius.min(4) / 2, PAPER.ink().filled()))?;
        match self.mark {
            Mark::Exported => area.draw(&Circle::new(at, radius, ACCENT.ink().filled())),
            Mark::NotAskedFor => area.draw(&Circle::new(at, radius - 1, ACCENT.ink().stroke_width(2))),
            Mark::Missing => area.draw(&Cross::new(at, radius - 1, BAD.ink().stroke_width(2))),
        }
    }
}

/// From the least score to the most, with zero and some room above; never empty.
fn range(points: &[Point]) -> (f64, f64) {
    let low = points.iter().map(|point| point.score).fold(0.0, f64::min);
    let high = points.iter().map(|point| point.score).fold(0.0, f64::max);
    let height = high - low;
    if height < 1e-9 { (0.0, 1.0) } else { (low - if low < 0.0 { height * 0.05 } else { 0.0 }, high + height * 0.05) }
}

/// Where a value stands so that the line does not run through it, and how far right and down of its mark.
fn beside_the_line(before: Option<f64>, score: f64, after: Option<f64>) -> (Pos, (i32, i32)) {
    let is_higher = |other: Option<f64>| other.is_some_and(|other| other > score);
    match (is_higher(before), is_higher(after)) {
        (true, true) => (Pos::new(HPos::Center, VPos::Top), (0, 9)),
        (true, false) => (Pos::new(HPos::Left, VPos::Bottom), (-3, -9)),
        (false, true) => (Pos::new(HPos::Right, VPos::Bottom), (3, -9)),
        (false, false) => (Pos::new(HPos::Center, VPos::Bottom), (0, -9)),
    }
}

/// Text of the drawing; the page's CSS sets its font.
fn text(shade: Shade) -> TextStyle<'static> {
    ("sans-serif", 16).into_font().color(&shade.ink())
}

/// Whether a label has room: a digit is about 7 pixels wide.
#[allow(clippy::cast_precision_loss)] // A few characters.
fn fits(label: &str, width: f64) -> bool {
    label.chars().count() as f64 * 7.0 + 6.0 <= width
}

/// A number beside the axis: `0.5`, `−2`, `1.5e4`.
fn tick(value: f64) -> String {
    let size = value.abs();
    let text = if size >= 1e4 || (size > 1e-9 && size < 1e-3) {
        format!("{value:.1e}")
    } else {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if text == "-0" { "0".to_owned() } else { text.replace('-', "\u{2212}") }
}
