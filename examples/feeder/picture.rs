//! What happened, as an SVG: voltages, reactive powers, and whose command each was.

use std::ops::Range;

use anyhow::{Result, anyhow};
use omiga_runtime::Source;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::plant::{Second, Trouble};

/// Colours of Okabe and Ito, which people with any colour vision tell apart.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];
const GREY: RGBColor = RGBColor(120, 120, 120);
const SIZE: (u32, u32) = (960, 800);
/// Room on the right for the legends.
const LEGEND: i32 = 170;
const FONT: (&str, u32) = ("sans-serif", 14);
/// Seconds between two drawn ones.
const EVERY: usize = 10;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// `names` are those of the buses that the inverters are at.
pub fn draw(seconds: &[Second], names: &[String], troubles: &[Trouble]) -> Result<String> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(refused)?;
    let (volts, rest) = area.split_vertically(260);
    let (powers, whose) = rest.split_vertically(280);
    voltages(&volts, seconds, troubles)?;
    reactive_powers(&powers, seconds, names)?;
    sources(&whose, seconds, names)?;
    area.present().map_err(refused)?;
    drop((volts, rest, powers, whose, area));
    Ok(svg)
}

fn voltages(area: &Area<'_>, seconds: &[Second], troubles: &[Trouble]) -> Result<()> {
    let (bottom, top) = (0.93, seconds.iter().map(|second| second.highest_pu).fold(1.06, f64::max) + 0.02);
    let mut chart = chart(area, "Voltage, p.u.", seconds, bottom..top, Some(2))?;
    for trouble in troubles {
        let [begin, end] = [trouble.minutes.start, trouble.minutes.end].map(|minute| minute as f64);
        let shade = Rectangle::new([(begin, bottom), (end, top)], BLACK.mix(0.07).filled());
        chart.draw_series([shade]).map_err(refused)?;
        chart.draw_series([Text::new(trouble.what, (begin + 0.5, top - 0.004), FONT)]).map_err(refused)?;
    }
    for limit in [0.95, 1.05] {
        let ends = [(0.0, limit), (minutes(seconds), limit)];
        chart.draw_series(DashedLineSeries::new(ends, 6, 4, BLACK.stroke_width(1))).map_err(refused)?;
    }
    let [low, high]: [fn(&Second) -> f64; 2] = [|second| second.lowest_pu, |second| second.highest_pu];
    for (of, colour) in [low, high].into_iter().zip(COLOURS) {
        let points = thinned(seconds).map(|(minute, second)| (minute, of(second)));
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2))).map_err(refused)?;
    }
    let entries = [("lowest of all buses", COLOURS[0]), ("highest of all buses", COLOURS[1]), ("the band", BLACK)];
    legend(area, entries.map(|(name, colour)| (name.to_owned(), colour)))
}

fn reactive_powers(area: &Area<'_>, seconds: &[Second], names: &[String]) -> Result<()> {
    let all = || seconds.iter().flat_map(|second| second.q.iter().map(|(mvar, _)| *mvar));
    let (low, high) = (all().fold(0.0, f64::min) - 0.1, all().fold(0.0, f64::max) + 0.1);
    let mut chart = chart(area, "Reactive power, Mvar; above 0 feeds in", seconds, low..high, Some(1))?;
    for ((i, _), colour) in names.iter().enumerate().zip(COLOURS.into_iter().cycle()) {
        let points = thinned(seconds).map(|(minute, second)| (minute, second.q[i].0));
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2))).map_err(refused)?;
    }
    legend(area, names.iter().map(|name| format!("bus {name}")).zip(COLOURS.into_iter().cycle()))
}

/// A bar for each inverter, coloured by who commands.
fn sources(area: &Area<'_>, seconds: &[Second], names: &[String]) -> Result<()> {
    let kinds = [
        (Some(Source::Policy), "the policy", COLOURS[2]),
        (Some(Source::Held), "its last, held", COLOURS[5]),
        (Some(Source::Safe), "the safe command", COLOURS[1]),
        (None, "nobody: switched off", GREY),
    ];
    let count = names.len() as f64;
    let mut chart = chart(area, "Who commands; minutes", seconds, 0.0..count, None)?;
    for (i, name) in names.iter().enumerate() {
        let bottom = count - 1.0 - i as f64;
        for (kind, _, colour) in kinds {
            let bar = |(begin, end)| Rectangle::new([(begin, bottom + 0.1), (end, bottom + 0.9)], colour.filled());
            chart.draw_series(runs(seconds, i, kind).into_iter().map(bar)).map_err(refused)?;
        }
        let at = (0.01 * minutes(seconds), bottom + 0.75);
        chart.draw_series([Text::new(format!("bus {name}"), at, FONT.into_font().color(&WHITE))]).map_err(refused)?;
    }
    legend(area, kinds.map(|(_, name, colour)| (name.to_owned(), colour)))
}

/// Axes: minutes, and what is drawn with so many digits; `None`: without numbers.
fn chart<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    seconds: &[Second],
    y: Range<f64>,
    digits: Option<usize>,
) -> Result<Chart<'a, 'b>> {
    let mut builder = ChartBuilder::on(area);
    builder.caption(title, FONT).margin(8).margin_right(LEGEND).x_label_area_size(24).y_label_area_size(56);
    let mut chart = builder.build_cartesian_2d(0.0..minutes(seconds), y).map_err(refused)?;
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT).bold_line_style(BLACK.mix(0.1)).axis_style(BLACK.mix(0.5)).label_style(FONT);
    mesh.x_label_formatter(&|minute| format!("{minute:.0}"));
    // Sums of steps miss 0 by a rounding, which would be -0.0.
    let near = |y: f64| if y.abs() < 1e-9 { 0.0 } else { y };
    let number = |y: &f64| digits.map_or_else(String::new, |digits| format!("{:.digits$}", near(*y)));
    mesh.y_label_formatter(&number);
    mesh.draw().map_err(refused)?;
    Ok(chart)
}

/// Names and colours on the right of a chart.
fn legend(area: &Area<'_>, entries: impl IntoIterator<Item = (String, RGBColor)>) -> Result<()> {
    let left = SIZE.0 as i32 - LEGEND + 12;
    for ((name, colour), row) in entries.into_iter().zip(0..) {
        let top = 34 + 22 * row;
        area.draw(&Rectangle::new([(left, top), (left + 14, top + 12)], colour.filled())).map_err(refused)?;
        area.draw(&Text::new(name, (left + 20, top), FONT)).map_err(refused)?;
    }
    Ok(())
}

/// Seconds and their minute, thinned out.
fn thinned(seconds: &[Second]) -> impl Iterator<Item = (f64, &Second)> {
    seconds.iter().enumerate().step_by(EVERY).map(|(i, second)| (i as f64 / 60.0, second))
}

fn minutes(seconds: &[Second]) -> f64 {
    seconds.len() as f64 / 60.0
}

/// From which minute to which an inverter was commanded so.
fn runs(seconds: &[Second], inverter: usize, kind: Option<Source>) -> Vec<(f64, f64)> {
    let mut runs: Vec<(f64, f64)> = Vec::new();
    for (i, second) in seconds.iter().enumerate() {
        let (begin, end) = (i as f64 / 60.0, (i + 1) as f64 / 60.0);
        match runs.last_mut() {
            _ if second.q[inverter].1 != kind => {}
            Some(last) if last.1 >= begin => last.1 = end,
            _ => runs.push((begin, end)),
        }
    }
    runs
}

fn refused(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}
