//! Pictures as SVG, and a curve as text.

mod curves;
mod episode;
mod histograms;
mod moments;
mod profile;
mod terminal;

pub use curves::curves;
pub use episode::{Episode, episode};
pub use histograms::{Histogram, histograms};
pub use moments::views;
pub use profile::profile;
pub use terminal::{Marks, curve};

use anyhow::Result;
use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// Colours of Okabe and Ito, which people with any colour vision tell apart.
pub const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];
/// Letters.
pub const FONT: &str = "sans-serif";

/// What is drawn on.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Mesh<'a, 'b, 'c> = MeshStyle<'a, 'b, RangedCoordf64, RangedCoordf64, SVGBackend<'c>>;

/// A unit that is worth writing: none of a number without dimension, or where nobody knows it.
pub fn unit_of(unit: &str) -> Option<&str> {
    Some(unit).filter(|unit| !matches!(*unit, "" | "1"))
}

/// What `draw` puts onto a white area of this many pixels.
pub fn svg(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    area.fill(&WHITE).map_err(refused)?;
    draw(&area)?;
    area.present().map_err(refused)?;
    drop(area);
    Ok(svg)
}

/// Axes and a light grid, to be labelled and drawn.
fn mesh<'a, 'b, 'c>(chart: &'b mut Chart<'a, 'c>, font: u32) -> Mesh<'a, 'b, 'c> {
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT).bold_line_style(BLACK.mix(0.1)).axis_style(BLACK.mix(0.5));
    mesh.label_style((FONT, font));
    mesh
}

/// A line, by its name in the legend.
fn line(
    chart: &mut Chart<'_, '_>,
    name: &str,
    style: ShapeStyle,
    points: impl Iterator<Item = (f64, f64)>,
) -> Result<()> {
    let pen = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style);
    chart.draw_series(LineSeries::new(points, style)).map_err(refused)?.label(name).legend(pen);
    Ok(())
}

/// The names of what was drawn.
fn legend<'a, 'b: 'a>(chart: &mut Chart<'a, 'b>, position: SeriesLabelPosition, font: u32) -> Result<()> {
    let mut labels = chart.configure_series_labels();
    labels.position(position).label_font((FONT, font)).background_style(WHITE.mix(0.8)).draw().map_err(refused)
}

/// Smallest and largest of finite values with some room around them; a flat line lies in the middle.
fn span(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let ends = values.filter(|x| x.is_finite()).fold(None, |ends: Option<(f64, f64)>, x| match ends {
        Some((low, high)) => Some((low.min(x), high.max(x))),
        None => Some((x, x)),
    });
    let (low, high) = ends.unwrap_or((0.0, 1.0));
    let room = (0.06 * (high - low)).max(1e-3 * high.abs()).max(1e-6);
    low - room..high + room
}

/// What the drawing library says.
pub fn refused(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot draw: {error}")
}
