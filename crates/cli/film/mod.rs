//! A page that plays an episode: what was where, drawn by a few lines of script.

use anyhow::{Context, Result, ensure};
use omiga_dataset::decimals;
use omiga_env::{Scene, Side, View};
use omiga_format::TaskSpec;
use serde::Serialize;

use crate::figure::{Episode, views};
use crate::web;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Time of a step where the task has none.
const STEP_MS: f64 = 100.0;

/// What the script reads. Numbers have three decimals.
#[derive(Serialize)]
struct Film<'a> {
    /// Of a step.
    period_ms: f64,
    /// Is that the task's own?
    timed: bool,
    /// What does not change, of each disc.
    discs: Vec<Painted<'a>>,
    /// The begin, then what came of each step.
    frames: Vec<Frame>,
}

#[derive(Serialize)]
struct Painted<'a> {
    radius: f64,
    side: &'static str,
    label: &'a str,
}

#[derive(Serialize)]
struct Frame {
    /// Of this step; nothing at the begin.
    reward: Option<f64>,
    /// Left, top, width and height, y pointing down.
    view: [f64; 4],
    /// Place of each disc, and its health, if it has any.
    discs: Vec<(f64, f64, Option<f64>)>,
    /// Begin, end and width of each line, and whose it is.
    lines: Vec<(f64, f64, f64, f64, f64, &'static str)>,
}

/// The page about an episode.
///
/// # Errors
/// A task without pictures.
pub fn page(title: &str, task: &TaskSpec, played: &Episode) -> Result<String> {
    let Some(first) = played.scenes.first() else {
        anyhow::bail!("task `{}` has no pictures to replay; --plot draws what was commanded", task.name)
    };
    ensure!(
        played.scenes.iter().all(|scene| scene.discs.len() == first.discs.len()),
        "task `{}` has other discs in other steps; this is a fault of its environment",
        task.name
    );
    let rewards = std::iter::once(None).chain(played.rewards.iter().copied().map(Some));
    let frames = played.scenes.iter().zip(views(&played.scenes)).zip(rewards);
    let period = task.period_ns.map(|ns| ns as f64 * 1e-6);
    let film = Film {
        period_ms: period.unwrap_or(STEP_MS),
        timed: period.is_some(),
        discs: first
            .discs
            .iter()
            .map(|d| Painted { radius: short(d.radius), side: name(d.side), label: &d.label })
            .collect(),
        frames: frames.map(|((scene, view), reward)| frame(scene, view, reward)).collect(),
    };
    let json = serde_json::to_string(&film).context("cannot write JSON")?;
    let total: f64 = played.rewards.iter().sum();
    let places = decimals([total]);
    let (last, name) = (film.frames.len() - 1, web::escaped(title));
    let body = format!(
        "<h1>{name}</h1>\n<p class=\"quiet\">One episode: return {total:.places$} in {} steps. Space plays it, the arrow keys go step by \
         step.</p>\n<noscript><p>This page draws with a script, which this browser does not run.</p></noscript>\n\
         <svg id=\"stage\" role=\"img\" aria-label=\"{name}\"></svg>\n\
         <div id=\"controls\">\n<button id=\"play\" type=\"button\">Play</button>\n\
         <input id=\"step\" type=\"range\" min=\"0\" max=\"{last}\" value=\"0\" aria-label=\"Step\">\n\
         <label>Speed <select id=\"speed\"><option>0.25</option><option>0.5</option><option selected>1</option><option>2</option>\
         <option>5</option></select></label>\n</div>\n<p><output id=\"clock\"></output></p>\n{}",
        played.rewards.len(),
        web::data("film", &json)
    );
    Ok(web::document(&format!("{title}: replay"), STYLE, &body, Some(SCRIPT)))
}

fn frame(scene: &Scene, view: View, reward: Option<f64>) -> Frame {
    let [width, height] = view.size();
    let line = |l: &omiga_env::Line| {
        let [x, y] = l.from.map(short);
        let [u, v] = l.to.map(short);
        (x, -y, u, -v, short(l.width), name(l.side))
    };
    Frame {
        reward: reward.map(|reward| (reward * 1e4).round() / 1e4),
        view: [view.low[0], -view.high[1], width, height].map(short),
        discs: scene.discs.iter().map(|d| (short(d.at[0]), -short(d.at[1]), d.health.map(short))).collect(),
        lines: scene.lines.iter().map(line).collect(),
    }
}

/// As the style sheet calls it.
fn name(side: Side) -> &'static str {
    match side {
        Side::Team => "team",
        Side::Opponent => "opponent",
        Side::World => "world",
    }
}

fn short(x: f32) -> f64 {
    (f64::from(x) * 1e3).round() / 1e3
}
