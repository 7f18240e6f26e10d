//! A dataset as a page in one file, for a browser.

use anyhow::Result;
use omiga_dataset::{Card, Distribution, FieldCard, Readiness, Repair, Sample, StateKind, decimals};
use omiga_format::ActionSpace;

use crate::figure::{Histogram, histograms};
use crate::web::{self, Figures, Renderer, STYLE};

/// Transitions that histograms are of.
pub const SAMPLE: usize = 10_000;
/// Panels of a figure; a page with more of them is slow to open.
const PANELS: usize = 60;
/// Rows of a table.
const ROWS: usize = 500;

/// The page.
///
/// # Errors
/// What the drawing library refuses.
pub fn page(card: &Card, sample: &Sample) -> Result<String> {
    let mut figures = Figures::new();
    let mut text = format!("# {}\n\n{}{}", plain(&card.file), verdict(card), facts(card));
    text += &episodes(card, &mut figures)?;
    text += &actions(sample, &mut figures)?;
    text += &masks(sample);
    text += &fields(card, sample, &mut figures)?;
    let body = Renderer::new(figures).html(&text);
    Ok(web::document(&format!("{}: dataset", card.file), STYLE, &body, None))
}

/// A text of a file, in Markdown.
fn plain(text: &str) -> String {
    text.chars().flat_map(|c| c.is_ascii_punctuation().then_some('\\').into_iter().chain([c])).collect()
}

/// Ready or not, and what to do.
fn verdict(card: &Card) -> String {
    let warnings = card.repaired.iter().filter(|repair| repair.is_warning()).count();
    let says = match (card.verdict, warnings) {
        (Readiness::Ready, _) => "ready".to_owned(),
        (Readiness::ReadyWithWarnings, 1) => "ready, with a warning".to_owned(),
        (Readiness::ReadyWithWarnings, n) => format!("ready, with {n} warnings"),
    };
    let mut text = format!("**Verdict: {says}.**\n");
    if card.repaired.is_empty() {
        return text + "\nNothing was repaired, assumed or ignored.\n";
    }
    text += "\n| times | repaired, assumed or ignored | what to do |\n|---:|---|---|\n";
    for Repair { what, count, advice } in &card.repaired {
        text += &format!("| {count} | {} | {} |\n", plain(what), plain(advice));
    }
    text
}

fn facts(card: &Card) -> String {
    let state = match card.state_kind {
        StateKind::Shared => "the observations of all agents",
        StateKind::PerAgent => "one an agent",
        StateKind::Global => "one of the whole team",
    };
    let types: Vec<_> = card.dtypes.iter().map(|(key, dtype)| format!("{} {}", plain(key), plain(dtype))).collect();
    let bounds = card.actions_at_bounds.map_or(String::new(), |share| format!(", {:.1} % at a bound", 100.0 * share));
    let kind = if card.actions_at_bounds.is_some() { "commands" } else { "choices" };
    let rows = [
        ("task", format!("{}, {} agents", plain(&card.task), card.agents)),
        ("format", format!("{}, {}", card.format, card.format.about())),
        ("sha256", format!("`{}`", card.sha256)),
        ("size", format!("{} episodes, {} transitions, {} rows", card.episodes, card.transitions, card.rows)),
        ("ends", format!("{} terminations, {} time-outs", card.terminations, card.timeouts)),
        ("observations", format!("{} wide", card.obs_dim)),
        ("state", format!("{} wide, {state}", card.state_dim)),
        ("actions", format!("{} {kind} an agent{bounds}", card.action_dim)),
        ("stored as", types.join(", ")),
    ];
    let rows: String = rows.iter().map(|(name, value)| format!("| {name} | {value} |\n")).collect();
    format!("\n## What it is\n\n| | |\n|---|---|\n{rows}")
}

/// Returns and lengths.
fn episodes(card: &Card, figures: &mut Figures) -> Result<String> {
    let (returns, lengths) = (card.returns, card.lengths);
    let panel = |title: &str, unit: &str, values: Vec<f64>| Histogram::of_data(title, unit, None, values);
    let results = &card.episode_results;
    let panels = [
        panel("Returns", "sum of rewards", results.iter().map(|(found, _)| *found).collect()),
        panel("Lengths", "steps", results.iter().map(|(_, steps)| *steps).collect()),
    ];
    figures.insert("episodes".into(), histograms(&panels)?);
    let row = |name: &str, Distribution { mean, std, min, max, .. }: Distribution| {
        let p = 1 + decimals([mean, std]);
        format!("| {name} | {mean:.p$} | {std:.p$} | {min:.p$} | {max:.p$} |\n")
    };
    let mut rows = row("return", returns) + &row("steps", lengths);
    for found in &card.metrics {
        let v = found.values;
        let [mean, std, min, max] = [v.mean, v.std, v.min, v.max].map(|value| found.metric.number(value));
        let name = format!("{} {}", found.metric.name, found.metric.shown_unit());
        rows += &format!("| {} | {mean} | {std} | {min} | {max} |\n", plain(name.trim()));
    }
    let head = "| | mean | deviation | least | most |\n|---|---:|---:|---:|---:|\n";
    Ok(format!("\n## Episodes\n\n{head}{rows}\n![Returns and lengths of episodes](episodes)\n"))
}

/// A panel an agent and command, or an agent.
fn actions(sample: &Sample, figures: &mut Figures) -> Result<String> {
    let agents = &sample.task.agents;
    let mut panels: Vec<_> = agents.iter().flat_map(Histogram::of_actions).collect();
    let ranges: Vec<_> = agents.iter().flat_map(|agent| agent.action.ranges()).collect();
    let total = panels.len();
    panels.truncate(PANELS);
    for (i, panel) in panels.iter_mut().enumerate() {
        panel.values[0].1 = match ranges.get(i) {
            Some(range) => {
                let commands = sample.actions.iter().skip(i).step_by(total);
                commands.map(|action| f64::from(range.physical(*action))).collect()
            }
            None => sample.action_indices.iter().skip(i).step_by(total).map(|index| f64::from(*index)).collect(),
        };
    }
    figures.insert("actions".into(), histograms(&panels)?);
    Ok(format!(
        "\n## Actions\n\nOf {} transitions{}.\n\n![Actions of each agent](actions)\n",
        sample.size,
        first_of(panels.len(), total)
    ))
}

/// How often choices could be taken and were, and who was alive.
fn masks(sample: &Sample) -> String {
    let (n, choices) = (sample.task.n_agents(), sample.task.action_dim());
    let mut text = String::new();
    let percent = |part: usize, of: usize| match of {
        0 => "-".to_owned(),
        _ => format!("{:.1} %", 100.0 * part as f64 / of as f64),
    };
    let is_alive = |i: usize| sample.alive.get(i).is_none_or(|alive| *alive == 1);
    if !sample.action_mask.is_empty() {
        text += "\n## Masks\n\nOf agents alive.\n\n| choice | available | chosen where available |\n|---|---:|---:|\n";
        let names = match &sample.task.agents[0].action {
            ActionSpace::Discrete(names) => names.as_slice(),
            ActionSpace::Continuous(_) => &[],
        };
        let alive: Vec<_> = (0..sample.size * n).filter(|i| is_alive(*i)).collect();
        for choice in 0..choices.min(ROWS) {
            let available = alive.iter().filter(|i| sample.action_mask[**i * choices + choice] == 1);
            let (could, did) = available.fold((0, 0), |(could, did), i| {
                (could + 1, did + usize::from(sample.action_indices[*i] as usize == choice))
            });
            let name = names.get(choice).map_or_else(|| choice.to_string(), |name| plain(name));
            text += &format!("| {name} | {} | {} |\n", percent(could, alive.len()), percent(did, could));
        }
    }
    if !sample.alive.is_empty() {
        text += "\n## Alive\n\n| agent | share of steps |\n|---|---:|\n";
        for (i, agent) in sample.task.agents.iter().enumerate() {
            let alive = sample.alive.iter().skip(i).step_by(n).filter(|alive| **alive == 1).count();
            text += &format!("| {} | {} |\n", plain(&agent.name), percent(alive, sample.size));
        }
    }
    text
}

/// Every field: its numbers and how its values are spread, over all agents that have it.
fn fields(card: &Card, sample: &Sample, figures: &mut Figures) -> Result<String> {
    let (n, dim) = (sample.task.n_agents(), card.obs_dim);
    // What is filled up is no field of an agent's.
    let own: Vec<_> = match card.obs_dim == card.raw_obs_dim {
        true => sample.task.obs_dims(),
        false => vec![dim; n],
    };
    let mut rows = String::new();
    for FieldCard { name, unit, values: v } in card.fields.iter().take(ROWS) {
        let numbers = [v.mean, v.std, v.min, v.max].map(|x| format!("{x:.4}")).join(" | ");
        rows += &format!("| {} | {} | {numbers} |\n", plain(name), plain(unit));
    }
    let mut panels = Vec::new();
    for (i, field) in card.fields.iter().take(PANELS).enumerate() {
        let vectors = sample.obs.chunks_exact(dim).enumerate().filter(|(agent, _)| i < own[agent % n]);
        let values = vectors.map(|(_, obs)| f64::from(obs[i])).collect();
        panels.push(Histogram::of_data(&field.name, &field.unit, None, values));
    }
    figures.insert("fields".into(), histograms(&panels)?);
    Ok(format!(
        "\n## Observations\n\nOf all transitions and agents{}.\n\n| field | unit | mean | deviation | least | most |\n\
         |---|---|---:|---:|---:|---:|\n{rows}\nOf {} transitions{}.\n\n![Values of each field](fields)\n",
        first_of(card.fields.len().min(ROWS), card.fields.len()),
        sample.size,
        first_of(panels.len(), card.fields.len()),
    ))
}

/// What is said where not all are shown.
fn first_of(shown: usize, all: usize) -> String {
    if shown < all { format!("; the first {shown} of {all}, the others are in `--json`") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_file_are_no_markdown() {
        let html =
            Renderer::new(Figures::new()).html(&format!("| {} |\n|---|\n| x |\n", plain("a|b *c* <i> [d](e) `f`")));
        assert!(html.contains("<th>a|b *c* &lt;i&gt; [d](e) `f`</th>"), "{html}");
        assert_eq!(first_of(3, 3), "");
    }
}
