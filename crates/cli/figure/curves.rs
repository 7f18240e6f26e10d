//! Returns during training: a panel a dataset.

use std::ops::Range;

use anyhow::Result;
use omiga_env::statistics;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Area, COLOURS, Chart, FONT, mesh, refused, span, svg};
use crate::report::{Algorithm, Cell, algorithms};

/// From here on updates are written as thousands: none of six labels loses its digits.
const IN_THOUSANDS: f64 = 10_000.0;

/// Pixels of a panel.
const PANEL: (u32, u32) = (460, 320);
/// Size of the letters at the axes and in the strip.
const LABELS: u32 = 12;
/// Panels beside each other, at most.
const COLUMNS: usize = 2;

/// Pixels of the strip above the panels that names the lines.
const KEY: u32 = 32;
/// Pixels of a line in that strip, and of the room before its name.
const PEN: i32 = 22;
const GAP: i32 = 6;
/// Pixels of a dash and of the room behind it.
const DASH: (i32, i32) = (6, 4);

/// The curves of a task's cells: mean over seeds, from the worst seed to the best shaded, the dataset's mean dashed.
///
/// # Errors
/// What the drawing library refuses.
pub fn curves(cells: &[&Cell]) -> Result<String> {
    let columns = cells.len().clamp(1, COLUMNS);
    let rows = cells.len().div_ceil(columns).max(1);
    let names = algorithms(cells);
    svg((PANEL.0 * columns as u32, KEY + PANEL.1 * rows as u32), |area| {
        let (strip, area) = area.split_vertically(KEY as i32);
        key(&strip, &names)?;
        let mut panels = cells.iter().zip(area.split_evenly((rows, columns)));
        panels.try_for_each(|(cell, panel)| draw(cell, &names, &panel))
    })
}

/// Decimals by which the labels of an axis of this length differ.
fn decimals(length: f64) -> usize {
    (1.0 - length.log10().floor()).clamp(0.0, 6.0) as usize
}

fn draw(cell: &Cell, names: &[&str], panel: &Area<'_>) -> Result<()> {
    let (x, y) = extent(cell);
    let height = y.end - y.start;
    let mut chart = ChartBuilder::on(panel)
        .caption(format!("{} {}", cell.task, cell.quality), (FONT, 16))
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(x.clone(), y)
        .map_err(refused)?;
    let in_thousands = x.end >= IN_THOUSANDS;
    let decimals = decimals(height);
    mesh(&mut chart, LABELS)
        .x_labels(6)
        .x_label_formatter(&|step| if in_thousands { format!("{:.0}k", step / 1000.0) } else { format!("{step:.0}") })
        .y_label_formatter(&|y| format!("{y:.decimals$}"))
        .x_desc("updates")
        .y_desc("return")
        .draw()
        .map_err(refused)?;
    if let Some(dataset) = &cell.dataset {
        let ends = [(x.start, dataset.return_mean), (x.end, dataset.return_mean)];
        chart.draw_series(DashedLineSeries::new(ends, DASH.0, DASH.1, BLACK.into())).map_err(refused)?;
    }
    for algorithm in &cell.algorithms {
        let place = names.iter().position(|name| *name == algorithm.name).unwrap_or_default();
        curve(&mut chart, algorithm, colour(place))?;
    }
    Ok(())
}

/// The dataset's dashes and each algorithm's colour, by name.
fn key(strip: &Area<'_>, names: &[&str]) -> Result<()> {
    let (middle, mut x) = (KEY as i32 / 2, 2 * GAP);
    let text = (FONT, LABELS).into_font().into_text_style(strip).pos(Pos::new(HPos::Left, VPos::Center));
    for (name, place) in [("dataset", None)].into_iter().chain(names.iter().copied().zip((0..).map(Some))) {
        let pen = [(x, middle), (x + PEN, middle)];
        match place {
            None => strip.draw(&DashedPathElement::new(pen, DASH.0, DASH.1, BLACK)),
            Some(place) => strip.draw(&PathElement::new(pen, colour(place).stroke_width(2))),
        }
        .map_err(refused)?;
        let (width, _) = strip.estimate_text_size(name, &text).map_err(refused)?;
        strip.draw(&Text::new(name, (x + PEN + GAP, middle), text.clone())).map_err(refused)?;
        x += PEN + width as i32 + 4 * GAP;
    }
    Ok(())
}

fn colour(place: usize) -> RGBColor {
    COLOURS[place % COLOURS.len()]
}

fn curve(chart: &mut Chart<'_, '_>, algorithm: &Algorithm, colour: RGBColor) -> Result<()> {
    let points = over_seeds(algorithm);
    let up = points.iter().map(|(x, low, _, _)| (*x, *low));
    let back = points.iter().rev().map(|(x, _, _, high)| (*x, *high));
    let band = Polygon::new(up.chain(back).collect::<Vec<_>>(), colour.mix(0.15).filled());
    chart.draw_series([band]).map_err(refused)?;
    let means = points.iter().map(|(x, _, mean, _)| (*x, *mean));
    chart.draw_series(LineSeries::new(means, colour.stroke_width(2))).map_err(refused)?;
    Ok(())
}

/// Updates, and the lowest, mean and highest return of the seeds that got that far.
fn over_seeds(algorithm: &Algorithm) -> Vec<(f64, f64, f64, f64)> {
    let mut steps: Vec<u64> = algorithm.runs.iter().flat_map(|run| &run.curve).map(|(step, _)| *step).collect();
    steps.sort_unstable();
    steps.dedup();
    let at = |step: u64| -> Vec<f64> {
        algorithm.runs.iter().flat_map(|run| &run.curve).filter(|(s, _)| *s == step).map(|(_, x)| *x).collect()
    };
    let point = |step: u64| {
        let returns = at(step);
        let (low, high) = returns.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(*x), b.max(*x)));
        (step as f64, low, statistics::mean(&returns), high)
    };
    steps.into_iter().map(point).collect()
}

/// What the axes span.
fn extent(cell: &Cell) -> (Range<f64>, Range<f64>) {
    let curves = || cell.algorithms.iter().flat_map(|a| &a.runs).flat_map(|run| &run.curve);
    let last = curves().map(|(step, _)| *step).max().unwrap_or(1) as f64;
    let returns = curves().map(|(_, x)| *x).chain(cell.dataset.as_ref().map(|row| row.return_mean));
    (0.0..last, span(returns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_an_axis_differ() {
        for (length, expected) in
            [(0.0, 6), (0.06, 3), (0.6, 2), (2.0, 1), (9.0, 1), (12.0, 0), (3000.0, 0), (f64::NAN, 0)]
        {
            assert_eq!(decimals(length), expected, "{length}");
        }
    }
}
