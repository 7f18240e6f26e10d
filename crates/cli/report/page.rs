//! The tables as Markdown.

use std::collections::BTreeSet;

use super::cell::{Algorithm, Cell, Run};
use super::reference::Reference;
use crate::scores::{Row, mean_std};

/// From worst to best.
const QUALITIES: [&str; 5] = ["random", "medium-replay", "medium", "medium-expert", "expert"];

/// The page about all cells; `figure` is the file of a task's curves, beside the page.
pub fn page(cells: &[Cell], reference: Option<&Reference>, figure: impl Fn(&str) -> String) -> String {
    let mut text = String::from(HEAD);
    for task in tasks(cells) {
        let cells = of_task(cells, task);
        text += &format!("\n## {task}\n\n{}", episodes(&cells));
        text += &format!("\n**Last checkpoint**\n\n{}", last_checkpoints(&cells, reference));
        text += &format!("\n**Second half of the training**\n\n{}", second_halves(&cells));
        text += &format!("\n![Returns in training: {task}]({})\n", figure(task));
        text += &format!("\n**Every run**\n\n{}", every_run(&cells));
    }
    let shown = |reference: &&Reference| cells.iter().any(|cell| reference.of(&cell.task, &cell.quality).is_some());
    if let Some(reference) = reference.filter(shown) {
        text += &format!("\n## Source of the columns \"{}\"\n\n{}\n", reference.name, reference.source.trim());
    }
    text
}

const HEAD: &str = "# Results

Made by `omiga report`, the last step of `make reproduce`. Do not edit.

Returns are undiscounted sums of the team's reward, played by the exported policies in the native engine; every policy of a row
plays the same episodes. Behind the data's mean and that of a policy that did not learn stands the standard deviation over episodes,
behind an algorithm's mean that over its seeds. Nothing was selected for a last checkpoint. The mean of all evaluations in the second
half of the training depends less on the moment at which a run ends. The best checkpoint, in the table of every run, is the one that
did best in an evaluation during training, which played other episodes; its return here is that of a new evaluation.
";

/// Names of the tasks, each once, in the order of the cells.
pub fn tasks(cells: &[Cell]) -> Vec<&str> {
    let mut names: Vec<&str> = cells.iter().map(|cell| cell.task.as_str()).collect();
    names.dedup();
    names
}

/// A task's cells, from the worst quality to the best; others behind them.
pub fn of_task<'a>(cells: &'a [Cell], task: &str) -> Vec<&'a Cell> {
    let mut cells: Vec<_> = cells.iter().filter(|cell| cell.task == task).collect();
    cells.sort_by_key(|cell| QUALITIES.iter().position(|q| *q == cell.quality).unwrap_or(QUALITIES.len()));
    cells
}

/// Every algorithm that some cell has, in the alphabet's order.
pub fn algorithms<'a>(cells: &[&'a Cell]) -> Vec<&'a str> {
    sorted(cells.iter().flat_map(|cell| &cell.algorithms).map(|a| a.name.as_str()))
}

/// Each name once, in the alphabet's order.
fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns of what was kept last, beside the data's, those of policies that did not learn, and what others published.
fn last_checkpoints(cells: &[&Cell], reference: Option<&Reference>) -> String {
    let algorithms = algorithms(cells);
    let others = sorted(cells.iter().flat_map(|cell| &cell.others).map(|row| row.name.as_str()));
    let published = |cell: &Cell| reference.and_then(|reference| reference.of(&cell.task, &cell.quality));
    let theirs = cells.iter().filter_map(|cell| published(cell)).flat_map(|p| p.returns.keys());
    let mut theirs = sorted(theirs.map(String::as_str));
    // Theirs in the order of ours: the data first.
    theirs.sort_by_key(|name| *name != "dataset");

    let mut head = vec!["data".to_owned(), "dataset".to_owned()];
    head.extend(others.iter().chain(&algorithms).map(|name| (*name).to_owned()));
    head.extend(theirs.iter().map(|name| format!("{}: {name}", reference.map_or("", |r| &r.name))));
    let places = decimals(cells);
    let over_episodes = |row: &Row| format!("{:.places$} ± {:.places$}", row.return_mean, row.return_std);
    let rows = cells.iter().map(|cell| {
        let mut row = vec![cell.quality.clone(), cell.dataset.as_ref().map_or(String::new(), over_episodes)];
        let other = |name: &&str| cell.others.iter().find(|row| row.name == *name).map_or(String::new(), over_episodes);
        row.extend(others.iter().map(other));
        row.extend(algorithms.iter().map(|name| over_seeds(cell, name, Run::last, places)));
        let their = |name: &&str| published(cell).and_then(|p| p.returns.get(*name).cloned()).unwrap_or_default();
        row.extend(theirs.iter().map(their));
        row
    });
    markdown(&head, rows.collect())
}

/// Mean returns of the evaluations in the second half of the training.
fn second_halves(cells: &[&Cell]) -> String {
    let (algorithms, places) = (algorithms(cells), decimals(cells));
    let head: Vec<_> = ["data", "dataset"].iter().chain(&algorithms).map(|name| (*name).to_owned()).collect();
    let rows = cells.iter().map(|cell| {
        let dataset = cell.dataset.as_ref().map_or(String::new(), |row| format!("{:.places$}", row.return_mean));
        let late = algorithms.iter().map(|name| over_seeds(cell, name, Run::second_half, places));
        [cell.quality.clone(), dataset].into_iter().chain(late).collect()
    });
    markdown(&head, rows.collect())
}

/// Decimals of a task's returns: none where they go into the hundreds.
fn decimals(cells: &[&Cell]) -> usize {
    let played = cells.iter().flat_map(|cell| &cell.algorithms).flat_map(|a| &a.runs).map(|run| &run.played);
    let mut rows = played.chain(cells.iter().filter_map(|cell| cell.dataset.as_ref()));
    if rows.any(|row| row.return_mean.abs() >= 100.0) { 0 } else { 2 }
}

/// How many episodes stand behind the numbers.
fn episodes(cells: &[&Cell]) -> String {
    let runs = cells.iter().flat_map(|cell| &cell.algorithms).flat_map(|a| &a.runs);
    let played = counts(runs.map(|run| run.played.episodes));
    let recorded = counts(cells.iter().filter_map(|cell| cell.dataset.as_ref()).map(|row| row.episodes));
    format!("Episodes that each policy plays: {played}; of each dataset: {recorded}.\n")
}

/// One number if all are equal, else from the smallest to the largest.
fn counts(numbers: impl Iterator<Item = usize> + Clone) -> String {
    match (numbers.clone().min(), numbers.max()) {
        (Some(low), Some(high)) if low < high => format!("{low} to {high}"),
        (low, _) => low.unwrap_or(0).to_string(),
    }
}

fn every_run(cells: &[&Cell]) -> String {
    let head =
        ["data", "algorithm", "run", "updates", "last", "95 % interval", "steps", "best", "95 % interval", "steps"];
    let (mut rows, places) = (Vec::new(), decimals(cells));
    for cell in cells {
        for algorithm in &cell.algorithms {
            rows.extend(algorithm.runs.iter().map(|run| run_row(cell, algorithm, run, places)));
        }
    }
    markdown(&head.map(str::to_owned), rows)
}

fn run_row(cell: &Cell, algorithm: &Algorithm, run: &Run, places: usize) -> Vec<String> {
    let mut row = vec![cell.quality.clone(), algorithm.name.clone(), run.name.clone(), run.updates.to_string()];
    for played in [Some(&run.played), run.best.as_ref()] {
        row.extend(played.map_or([const { String::new() }; 3], |row| {
            let (low, high) = row.ci95;
            [
                format!("{:.places$}", row.return_mean),
                format!("[{low:.places$}, {high:.places$}]"),
                format!("{:.0}", row.length_mean),
            ]
        }));
    }
    row
}

/// Nothing where the cell lacks the algorithm, or one of its runs the measure.
fn over_seeds(cell: &Cell, algorithm: &str, measure: fn(&Run) -> Option<f64>, places: usize) -> String {
    let algorithm = cell.algorithms.iter().find(|a| a.name == algorithm);
    let values: Option<Vec<f64>> = algorithm.and_then(|a| a.runs.iter().map(measure).collect());
    match values.as_deref().map(mean_std) {
        Some((mean, Some(std))) => format!("{mean:.places$} ± {std:.places$}"),
        Some((mean, None)) => format!("{mean:.places$}"),
        None => String::new(),
    }
}

fn markdown(head: &[String], rows: Vec<Vec<String>>) -> String {
    let mut text = String::new();
    let rule: Vec<_> = head.iter().map(|_| "---".to_owned()).collect();
    for row in [head, &rule].into_iter().chain(rows.iter().map(Vec::as_slice)) {
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}
