//! Pictures as SVG.

mod curves;
mod episode;

pub use curves::curves;
pub use episode::{Episode, episode};

use plotters::coord::Shift;
use plotters::prelude::*;

/// Colours of Okabe and Ito, which people with any colour vision tell apart.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

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

fn refused(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot draw: {error}")
}
