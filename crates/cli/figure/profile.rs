//! Performance profiles: the share of runs above each score, a line an algorithm.

use anyhow::Result;
use plotters::prelude::*;

use super::{COLOURS, legend, line, mesh, refused, svg};
use crate::report::Overall;

/// Pixels of the figure.
const SIZE: (u32, u32) = (560, 340);
/// Size of the letters.
const LABELS: u32 = 12;

/// The profiles of all algorithms; shaded, their 95 % intervals where several seeds are behind them.
///
/// # Errors
/// What the drawing library refuses.
pub fn profile(overall: &Overall) -> Result<String> {
    let (first, last) = (overall.taus.first().copied(), overall.taus.last().copied());
    svg(SIZE, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(56)
            .build_cartesian_2d(first.unwrap_or(0.0)..last.unwrap_or(1.0), 0.0..1.02)
            .map_err(refused)?;
        mesh(&mut chart, LABELS)
            .x_desc("score (0: random actions, 1: the dataset)")
            .y_desc("share of runs above it")
            .draw()
            .map_err(refused)?;
        for (scored, colour) in overall.algorithms.iter().zip(COLOURS.iter().cycle()) {
            if let Some(intervals) = &scored.profile_ci95 {
                let ends = || overall.taus.iter().copied().zip(intervals);
                let low = ends().map(|(tau, (low, _))| (tau, *low));
                let high = ends().map(|(tau, (_, high))| (tau, *high)).rev();
                let band = Polygon::new(low.chain(high).collect::<Vec<_>>(), colour.mix(0.15).filled());
                chart.draw_series([band]).map_err(refused)?;
            }
            let points = overall.taus.iter().copied().zip(scored.profile.iter().copied());
            line(&mut chart, &scored.name, colour.stroke_width(2), points)?;
        }
        legend(&mut chart, SeriesLabelPosition::LowerLeft, LABELS)
    })
}
