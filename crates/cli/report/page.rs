//! The page as Markdown.

use std::collections::BTreeSet;

use super::cell::Cell;
use super::overall::Overall;
use super::reference::Reference;
use super::tables;
use crate::scores::Late;

/// The page about all cells; `figure` is the file of a task's curves, or of the profile, beside the page.
pub fn page(
    cells: &[Cell],
    overall: Option<&Overall>,
    beyond: Option<&str>,
    reference: Option<&Reference>,
    baseline: &str,
    figure: impl Fn(&str) -> String,
) -> String {
    let mut text = format!("{HEAD}{}\n", played_by(cells));
    if let Some(overall) = overall {
        text += &format!("\n## All datasets\n\n{}", tables::overall(overall, baseline));
        text += &format!("\n![Share of runs above a score]({})\n", figure("profile"));
    }
    if let Some(beyond) = beyond {
        text += &format!("\n## Beyond chance\n\n{beyond}");
    }
    for task in tasks(cells) {
        let cells = of_task(cells, task);
        text += &format!("\n## {task}\n\n{}", tables::episodes(&cells));
        text += &format!("\n**Last checkpoint**\n\n{}", tables::last_checkpoints(&cells, reference));
        text += &tables::metrics(&cells);
        text += &format!("\n**Mean of the last {} evaluations in training**\n\n{}", Late::MOST, tables::late(&cells));
        if let Some(table) = tables::differences(&cells, baseline) {
            text += &format!("\n**Difference to {baseline}**\n\n{table}");
        }
        text += &format!("\n![Returns in training: {task}]({})\n", figure(task));
        text += &format!("\n**Every run**\n\n{}", tables::every_run(&cells));
        for (cell, failed) in cells.iter().flat_map(|cell| cell.failed.iter().map(move |failed| (cell, failed))) {
            text += &format!("\nNot played: {} `{}`: {}\n", cell.quality, failed.name, failed.error);
        }
    }
    let shown = |reference: &&Reference| cells.iter().any(|cell| reference.of(&cell.task, &cell.quality).is_some());
    if let Some(reference) = reference.filter(shown) {
        text += &format!("\n## Source of the columns \"{}\"\n\n{}\n", reference.name, reference.source.trim());
    }
    text
}

const HEAD: &str = "# Results

Made by `omiga report`, the last step of `make reproduce`. Do not edit.

Returns are undiscounted sums of the team's reward, played by the exported policies. All policies of a row play the same episodes,
which were in no evaluation during training.

**In brackets stands the 95 % interval of the mean before it.** Of `dataset` and of policies that did not learn it is over episodes;
of an algorithm over training seeds and episodes, as if both were drawn anew. With one seed, marked `*`, it is over episodes alone and
says nothing about another seed. One dataset was recorded for each row: no interval knows how another recording would do.

A difference is taken seed by seed (if both have the same seeds) and episode by episode. It is **bold** where its interval leaves 0
out; of equal algorithms one interval in twenty does so by chance, which \"Beyond chance\" takes into account. † marks data that an
algorithm was tuned on. The table of every run also has the best checkpoint, which was
selected on its own episodes in training and is played here on others; offline learning has no environment to select in.
";

/// Engine and simulator, where there is one.
fn played_by(cells: &[Cell]) -> String {
    let names = sorted(cells.iter().flat_map(|cell| cell.engine.iter().chain(&cell.simulator)).map(String::as_str));
    if names.is_empty() { String::new() } else { format!("\nPlayed by: {}.", names.join(", ")) }
}

/// Names of the tasks, each once, in the order of the cells.
pub fn tasks(cells: &[Cell]) -> Vec<&str> {
    let mut names: Vec<&str> = cells.iter().map(|cell| cell.task.as_str()).collect();
    names.dedup();
    names
}

/// A task's cells, in their order.
pub fn of_task<'a>(cells: &'a [Cell], task: &str) -> Vec<&'a Cell> {
    cells.iter().filter(|cell| cell.task == task).collect()
}

/// Every algorithm that some cell has, in the alphabet's order.
pub fn algorithms<'a>(cells: &[&'a Cell]) -> Vec<&'a str> {
    sorted(cells.iter().flat_map(|cell| &cell.algorithms).map(|a| a.name.as_str()))
}

/// Each name once, in the alphabet's order.
pub fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.collect::<BTreeSet<_>>().into_iter().collect()
}
