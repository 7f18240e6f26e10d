//! What the runs were learned from.

use anyhow::Result;
use omiga_dataset::{Card, Dataset, Distribution, LoadOptions, MetricCard, decimals};

use crate::figure::{Histogram, histograms};
use crate::report::cell::{Algorithm, Cell, DATA_FILE};
use crate::web::Figures;

/// The dataset, if it lies where a plan puts it.
///
/// # Errors
/// One that is there and cannot be read.
pub fn read(cell: &Cell) -> Result<Option<Dataset>> {
    let path = cell.folder.join(DATA_FILE);
    Ok(path.is_file().then(|| Dataset::load(&path, &LoadOptions::default())).transpose()?)
}

/// Its card, and the returns of its episodes beside those of the policies.
pub fn card(cell: &Cell, data: &Dataset, figures: &mut Figures) -> Result<String> {
    let card = data.card()?;
    let Distribution { mean, std, min, max, .. } = card.returns;
    let places = decimals([mean, std]);
    let name = format!("{}-{}-returns", cell.task, cell.quality);
    figures.insert(name.clone(), histograms(&[returns(cell, &card)])?);
    let fields = [
        ("file", format!("`{}`", card.file)),
        ("sha256", format!("`{}`", card.sha256)),
        (
            "episodes",
            format!("{} ({} ended by themselves, {} by the clock)", card.episodes, card.terminations, card.timeouts),
        ),
        ("transitions", card.transitions.to_string()),
        ("agents", card.agents.to_string()),
        ("observation, action, state", format!("{}, {}, {}", card.raw_obs_dim, card.action_dim, card.state_dim)),
        ("return", format!("{mean:.places$} ± {std:.places$}, from {min:.places$} to {max:.places$}")),
        ("actions at their bounds", card.actions_at_bounds.map_or("choices".into(), |x| format!("{:.1} %", 100.0 * x))),
        ("repaired, assumed, ignored", repairs(&card)),
    ];
    let metric = |found: &MetricCard| (found.metric.name.clone(), found.metric.text(found.values.mean));
    let fields =
        fields.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(card.metrics.iter().map(metric));
    let rows: String = fields.map(|(name, value)| format!("| {name} | {value} |\n")).collect();
    Ok(format!("\n### Data\n\n| | |\n|---|---|\n{rows}\n![Returns of recorded and played episodes]({name})\n"))
}

fn returns(cell: &Cell, card: &Card) -> Histogram {
    let recorded = card.episode_results.iter().map(|(found, _)| *found).collect();
    let played = |algorithm: &Algorithm| {
        let returns = algorithm.runs.iter().flat_map(|run| run.played.returns.iter().copied()).collect();
        (algorithm.name.clone(), returns)
    };
    let values = std::iter::once(("dataset".to_owned(), recorded)).chain(cell.algorithms.iter().map(played)).collect();
    Histogram { title: "Returns of episodes".into(), unit: "return".into(), range: None, values }
}

fn repairs(card: &Card) -> String {
    let each: Vec<_> = card.repaired.iter().map(|repair| format!("{} ({})", repair.what, repair.count)).collect();
    if each.is_empty() { "nothing".into() } else { each.join("; ") }
}
