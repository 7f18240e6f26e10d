//! How values are spread: panels beside each other, in each a stepped line for whoever the values are of.

use anyhow::Result;
use omiga_format::{ActionSpace, AgentSpec};
use plotters::prelude::*;

use super::{Area, COLOURS, FONT, legend, line, mesh, refused, span, svg, unit_of};

/// Pixels of a panel.
const PANEL: (u32, u32) = (300, 220);
/// Panels beside each other, at most.
const COLUMNS: usize = 3;
/// Size of the letters at the axes and in the legend.
const LABELS: u32 = 11;
/// Bins of a panel.
const BINS: usize = 30;

/// Values of several in one panel.
#[derive(Clone, Debug)]
pub struct Histogram {
    pub title: String,
    /// Below the axis of values.
    pub unit: String,
    /// Ends of the axis; without them it spans the values.
    pub range: Option<(f64, f64)>,
    /// By name, the data first.
    pub values: Vec<(String, Vec<f64>)>,
}

impl Histogram {
    /// Values of a dataset alone.
    pub fn of_data(title: impl Into<String>, unit: &str, range: Option<(f64, f64)>, values: Vec<f64>) -> Self {
        let unit = unit_of(unit).unwrap_or_default().to_owned();
        Self { title: title.into(), unit, range, values: vec![("dataset".to_owned(), values)] }
    }

    /// A panel a command of an agent, or one of its choices; the dataset's values are still to come.
    pub fn of_actions(agent: &AgentSpec) -> Vec<Self> {
        let panel = |title, unit: &str, low, high| Self::of_data(title, unit, Some((low, high)), Vec::new());
        match &agent.action {
            ActionSpace::Continuous(fields) => fields
                .iter()
                .map(|f| panel(format!("{}: {}", agent.name, f.name), &f.unit, f.range.low.into(), f.range.high.into()))
                .collect(),
            ActionSpace::Discrete(names) => {
                vec![panel(agent.name.clone(), "index of the choice", -0.5, names.len() as f64 - 0.5)]
            }
        }
    }
}

/// A panel each, of shares of the values.
///
/// # Errors
/// What the drawing library refuses.
pub fn histograms(panels: &[Histogram]) -> Result<String> {
    let columns = panels.len().clamp(1, COLUMNS);
    let rows = panels.len().div_ceil(columns).max(1);
    svg((PANEL.0 * columns as u32, PANEL.1 * rows as u32), |area| {
        panels.iter().zip(area.split_evenly((rows, columns))).try_for_each(|(panel, area)| draw(panel, &area))
    })
}

fn draw(panel: &Histogram, area: &Area<'_>) -> Result<()> {
    let all = || panel.values.iter().flat_map(|(_, values)| values).copied();
    let x = panel.range.map_or_else(|| span(all()), |(low, high)| low..high);
    let shares: Vec<_> = panel.values.iter().map(|(_, values)| shares(values, x.start, x.end)).collect();
    let most = shares.iter().flatten().copied().fold(0.0, f64::max).max(1e-6);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, (FONT, 13))
        .margin(6)
        .x_label_area_size(34)
        .y_label_area_size(44)
        .build_cartesian_2d(x.clone(), 0.0..most / (1.0 - covered(panel.values.len())))
        .map_err(refused)?;
    mesh(&mut chart, LABELS)
        .x_labels(4)
        .y_labels(4)
        .y_label_formatter(&|share| format!("{:.0} %", 100.0 * share))
        .x_desc(&panel.unit)
        .draw()
        .map_err(refused)?;
    let width = (x.end - x.start) / BINS as f64;
    for (i, ((name, _), shares)) in panel.values.iter().zip(&shares).enumerate() {
        // The data is a grey area behind the lines.
        let steps = shares.iter().enumerate().flat_map(|(bin, share)| {
            let left = x.start + width * bin as f64;
            [(left, *share), (left + width, *share)]
        });
        if i == 0 {
            let grey = RGBColor(128, 128, 128);
            let area = std::iter::once((x.start, 0.0)).chain(steps.clone()).chain([(x.end, 0.0)]);
            let area = Polygon::new(area.collect::<Vec<_>>(), grey.mix(0.25).filled());
            chart.draw_series([area]).map_err(refused)?;
            line(&mut chart, name, grey.stroke_width(1), steps)?;
        } else {
            line(&mut chart, name, COLOURS[(i - 1) % COLOURS.len()].stroke_width(2), steps)?;
        }
    }
    // What is alone needs no name.
    if panel.values.len() > 1 { legend(&mut chart, SeriesLabelPosition::UpperRight, LABELS) } else { Ok(()) }
}

/// Share of a panel's height that stays free of what is drawn, for the names of so many.
fn covered(names: usize) -> f64 {
    // Margins, title and labels take the rest of a panel; nobody can draw so many that nothing is left for the bars.
    let (legend, height) = (f64::from(LABELS) * 1.3 * names as f64 + 20.0, f64::from(PANEL.1) - 66.0);
    if names > 1 { (legend / height).min(0.7) } else { 0.23 }
}

/// The share of the values in each bin; those beyond the ends count in the outermost.
fn shares(values: &[f64], low: f64, high: f64) -> Vec<f64> {
    let mut shares = vec![0.0; BINS];
    let of_one = 1.0 / values.len().max(1) as f64;
    for value in values.iter().filter(|x| x.is_finite()) {
        let place = ((value - low) / (high - low) * BINS as f64).floor();
        shares[place.clamp(0.0, (BINS - 1) as f64) as usize] += of_one;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names lie beside what they name: even a bar of the largest share in the last bin is below them.
    #[test]
    fn names_cover_no_bar() {
        for names in 2..6 {
            let values = (0..names).map(|i| (format!("of {i}"), vec![1.0; 9])).collect();
            let panel = Histogram { title: "t".into(), unit: String::new(), range: Some((0.0, 1.0)), values };
            let svg = histograms(&[panel]).unwrap();
            let heights = |tag: &str, key: &str| -> Vec<f64> {
                let of = |part: &str| part.split_once(&format!(" {key}=\""))?.1.split_once('"')?.0.parse().ok();
                svg.split(&format!("<{tag} ")).skip(1).filter_map(of).collect()
            };
            // The grey area's highest point; the background of the names ends above it.
            let bars =
                svg.split_once("<polygon ").unwrap().1.split_once(" points=\"").unwrap().1.split_once('"').unwrap().0;
            let top = bars
                .split_whitespace()
                .map(|xy| xy.split_once(',').unwrap().1.parse::<f64>().unwrap())
                .fold(f64::MAX, f64::min);
            let (y, height) = (heights("rect", "y"), heights("rect", "height"));
            let below = y.iter().zip(&height).skip(1).map(|(y, height)| y + height).fold(0.0, f64::max);
            assert!(below > 0.0 && below <= top, "{names} names end at {below}, the bars begin at {top}");
        }
    }

    #[test]
    fn every_value_is_counted_once() {
        let found = shares(&[0.0, 0.5, 1.0, 2.0, -1.0], 0.0, 1.0);
        assert_eq!((found[0], found[BINS / 2], found[BINS - 1]), (0.4, 0.2, 0.4));
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(shares(&[f64::NAN], 0.0, 1.0).iter().all(|share| *share == 0.0));
    }
}
