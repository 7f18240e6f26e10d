//! One episode as an SVG: moments of it, the reward, and what each agent commanded.

use anyhow::Result;
use omiga_dataset::decimals;
use omiga_env::Scene;
use omiga_format::{ActionSpace, AgentSpec, TaskSpec};
use plotters::prelude::*;

use super::{Area, COLOURS, FONT, legend, line, mesh, moments, refused, span, svg, unit_of};

/// Pixels of a panel.
const PANEL: (u32, u32) = (900, 170);

/// Size of the letters at the axes and in the legend.
const LABELS: u32 = 11;
/// The axis of time is longer than the episode by this factor, for the names of the lines.
const LEGEND_ROOM: f64 = 1.15;

/// What happened in an episode, a row a step.
#[derive(Debug, Default)]
pub struct Episode {
    pub rewards: Vec<f64>,
    /// Commands in physical units [T, N * A], or indices of choices [T, N].
    pub actions: Vec<Vec<f32>>,
    /// The begin, then what came of each step; empty if the task has no pictures.
    pub scenes: Vec<Scene>,
}

/// Moments above, if the task has pictures; below them the reward and a panel an agent. Choices are not drawn where there are
/// pictures, which show what came of them.
///
/// # Errors
/// What the drawing library refuses.
pub fn episode(title: &str, task: &TaskSpec, episode: &Episode) -> Result<String> {
    let (period, unit) = match task.period_ns {
        Some(nanoseconds) => (nanoseconds as f64 * 1e-9, "s"),
        None => (1.0, "steps"),
    };
    let agents = if episode.scenes.is_empty() || !task.is_discrete() { task.agents.as_slice() } else { &[] };
    let (panels, above) = (agents.len() + 1, moments::height(&episode.scenes, PANEL.0));
    svg((PANEL.0, above + PANEL.1 * panels as u32), |area| {
        let (scenes, below) = area.split_vertically(above);
        if above > 0 {
            moments::draw(&scenes, &episode.scenes, (period, unit))?;
        }
        let panels = below.split_evenly((panels, 1));
        let total: f64 = episode.rewards.iter().sum();
        let reward = ("reward".to_owned(), episode.rewards.clone());
        let of_team = format!("{title}: return {total:.*} in {} steps", decimals([total]) - 1, episode.rewards.len());
        draw(&panels[0], &of_team, (period, unit), &[reward])?;
        let mut first = 0;
        for (agent, panel) in agents.iter().zip(&panels[1..]) {
            let (lines, width) = commands(agent, episode, first);
            draw(panel, &agent.name, (period, unit), &lines)?;
            first += width;
        }
        Ok(())
    })
}

/// An agent's lines by name, and how many columns of the actions are its own.
fn commands(agent: &AgentSpec, episode: &Episode, first: usize) -> (Vec<(String, Vec<f64>)>, usize) {
    let column = |i: usize| episode.actions.iter().filter_map(|row| Some(f64::from(*row.get(first + i)?))).collect();
    match &agent.action {
        ActionSpace::Continuous(fields) => {
            let unit = |unit: &str| unit_of(unit).map_or(String::new(), |unit| format!(" [{unit}]"));
            let line =
                |(i, f): (usize, &omiga_format::ActionField)| (format!("{}{}", f.name, unit(&f.unit)), column(i));
            (fields.iter().enumerate().map(line).collect(), fields.len())
        }
        ActionSpace::Discrete(_) => (vec![("choice".to_owned(), column(0))], 1),
    }
}

fn draw(panel: &Area<'_>, title: &str, (period, unit): (f64, &str), lines: &[(String, Vec<f64>)]) -> Result<()> {
    let steps = lines.iter().map(|(_, values)| values.len()).max().unwrap_or(0).max(1);
    let y = span(lines.iter().flat_map(|(_, values)| values).copied());
    let mut chart = ChartBuilder::on(panel)
        .caption(title, (FONT, 14))
        .margin(6)
        .x_label_area_size(28)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..steps as f64 * period * LEGEND_ROOM, y)
        .map_err(refused)?;
    mesh(&mut chart, LABELS).y_labels(4).x_desc(unit).draw().map_err(refused)?;
    for (i, (name, values)) in lines.iter().enumerate() {
        let style = COLOURS[i % COLOURS.len()].stroke_width(1);
        let points = values.iter().enumerate().map(|(t, x)| (t as f64 * period, *x));
        line(&mut chart, name, style, points)?;
    }
    legend(&mut chart, SeriesLabelPosition::UpperRight, LABELS)
}
