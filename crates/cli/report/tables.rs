//! The tables of the page.

use omiga_env::statistics::{Estimate, Interval};
use omiga_format::{Better, Measured, Metric};

use super::cell::{Algorithm, Cell, Measure, Run};
use super::overall::Overall;
use super::page::{algorithms, sorted};
use super::reference::Reference;
use crate::scores::{self, Row};

/// Returns of what was kept last, beside the data's, those of policies that did not learn, and what others published.
pub fn last_checkpoints(cells: &[&Cell], reference: Option<&Reference>) -> String {
    let algorithms = algorithms(cells);
    let others = others(cells);
    let published = |cell: &Cell| reference.and_then(|reference| reference.of(&cell.task, &cell.quality));
    let theirs = cells.iter().filter_map(|cell| published(cell)).flat_map(|p| p.returns.keys());
    let mut theirs = sorted(theirs.map(String::as_str));
    // Theirs in the order of ours: the data first.
    theirs.sort_by_key(|name| *name != "dataset");

    let mut head = vec!["data".to_owned(), "dataset".to_owned()];
    head.extend(others.iter().chain(&algorithms).map(|name| (*name).to_owned()));
    head.extend(theirs.iter().map(|name| format!("{}: {name}", reference.map_or("", |r| &r.name))));
    let places = decimals(cells);
    let over_episodes = |row: &Row| format!("{:.places$}{}", row.return_mean, interval(row.ci95, places));
    let rows = cells.iter().map(|cell| {
        let mut row = vec![cell.quality.clone(), cell.dataset.as_ref().map_or(String::new(), over_episodes)];
        let other = |name: &&str| cell.others.iter().find(|row| row.name == *name).map_or(String::new(), over_episodes);
        row.extend(others.iter().map(other));
        let last = |name: &&str| cell.algorithm(name).map_or(String::new(), |a| learned(a, a.last(), places));
        row.extend(algorithms.iter().map(last));
        let their = |name: &&str| published(cell).and_then(|p| p.returns.get(*name).cloned()).unwrap_or_default();
        row.extend(theirs.iter().map(their));
        row
    });
    markdown(&head, rows.collect())
}

/// What the task is judged by beside the return, one table each, in the columns of [`last_checkpoints`]; nothing for most tasks.
pub fn metrics(cells: &[&Cell]) -> String {
    let (algorithms, others) = (algorithms(cells), others(cells));
    let mut text = String::new();
    for metric in metrics_of(cells) {
        let mut head = vec!["data".to_owned(), "dataset".to_owned()];
        head.extend(others.iter().chain(&algorithms).map(|name| (*name).to_owned()));
        let number =
            |row: Option<&Row>| row.and_then(|row| row.measured(metric)).map_or(String::new(), Measured::number);
        let rows = cells.iter().map(|cell| {
            let mut row = vec![cell.quality.clone(), number(cell.dataset.as_ref())];
            row.extend(others.iter().map(|name| number(cell.others.iter().find(|row| row.name == *name))));
            let last = |name: &&str| cell.algorithm(name).and_then(|algorithm| measured(algorithm, metric));
            row.extend(algorithms.iter().map(|name| last(name).unwrap_or_default()));
            row
        });
        let good = if metric.better == Better::Higher { "more is better" } else { "less is better" };
        text += &format!("\n**Last checkpoint: {}** ({good})\n\n{}", metric.heading(), markdown(&head, rows.collect()));
    }
    text
}

/// Every metric that some row has.
fn metrics_of<'a>(cells: &[&'a Cell]) -> Vec<&'a Metric> {
    let runs = cells.iter().flat_map(|cell| &cell.algorithms).flat_map(|a| &a.runs).map(|run| &run.played);
    scores::metrics(cells.iter().flat_map(|cell| cell.dataset.iter().chain(&cell.others)).chain(runs))
}

/// Policies that did not learn.
fn others<'a>(cells: &[&'a Cell]) -> Vec<&'a str> {
    sorted(cells.iter().flat_map(|cell| &cell.others).map(|row| row.name.as_str()))
}

/// Mean returns of the last evaluations in training.
pub fn late(cells: &[&Cell]) -> String {
    let (algorithms, places) = (algorithms(cells), decimals(cells));
    let head: Vec<_> = ["data"].iter().chain(&algorithms).map(|name| (*name).to_owned()).collect();
    let rows = cells.iter().map(|cell| {
        let late = |name: &&str| cell.algorithm(name).and_then(|a| Some(learned(a, a.late()?, places)));
        let late = algorithms.iter().map(|name| late(name).unwrap_or_default());
        [cell.quality.clone()].into_iter().chain(late).collect()
    });
    markdown(&head, rows.collect())
}

/// How much better than the baseline all others are; nothing if there is none, or no others.
pub fn differences(cells: &[&Cell], baseline: &str) -> Option<String> {
    let others: Vec<&str> = algorithms(cells).into_iter().filter(|name| *name != baseline).collect();
    if others.is_empty() || cells.iter().all(|cell| cell.algorithm(baseline).is_none()) {
        return None;
    }
    let places = decimals(cells);
    let mut head = vec!["data".to_owned()];
    head.extend(others.iter().map(|name| format!("{name}, last checkpoint")));
    head.extend(others.iter().map(|name| format!("{name}, last evaluations")));
    let rows = cells.iter().map(|cell| {
        let difference = |name: &str, measure| cell.algorithm(name)?.above(cell.algorithm(baseline)?, measure);
        let of = |measure| others.iter().map(move |name| difference(name, measure));
        let cells = of(Measure::LastCheckpoint).chain(of(Measure::LastEvaluations));
        let cells = cells.map(|e| e.map_or(String::new(), |e| above(e, places)));
        [cell.quality.clone()].into_iter().chain(cells).collect()
    });
    Some(markdown(&head, rows.collect()))
}

/// All datasets in one number an algorithm.
pub fn overall(overall: &Overall, baseline: &str) -> String {
    let head = ["algorithm".to_owned(), "IQM".to_owned(), format!("P(better than {baseline})")];
    let rows = overall.algorithms.iter().map(|scored| {
        let improvement = scored.improvement.map(|(p, ci95)| format!("{p:.2}{}", interval(ci95, 2)));
        vec![
            scored.name.clone(),
            format!("{:.2}{}", scored.iqm, interval(scored.iqm_ci95, 2)),
            improvement.unwrap_or_default(),
        ]
    });
    let left_out = match overall.left_out.as_slice() {
        [] => String::new(),
        cells => format!(" Left out, because random actions earn as much as the data: {}.", cells.join(", ")),
    };
    format!(
        "A run's score is 0 where random actions are and 1 where its dataset is (last checkpoint). IQM: mean of the middle half of the \
         scores of all runs. P: probability that a run is better than one of {baseline} on the same dataset. Both and their \
         intervals are rliable's: seeds are drawn anew within each dataset, which with few seeds makes intervals too short; without \
         several seeds there is none. Datasets: {}.{left_out}\n\n{}",
        overall.cells.join(", "),
        markdown(&head, rows.collect())
    )
}

/// How many episodes and seeds stand behind the numbers.
pub fn episodes(cells: &[&Cell]) -> String {
    let runs = || cells.iter().flat_map(|cell| &cell.algorithms).flat_map(|a| &a.runs);
    let played = counts(runs().map(|run| run.played.episodes));
    let recorded = counts(cells.iter().filter_map(|cell| cell.dataset.as_ref()).map(|row| row.episodes));
    let seeds = counts(cells.iter().flat_map(|cell| &cell.algorithms).map(|a| a.runs.len()));
    format!(
        "Seeds of each algorithm: {seeds}. Episodes that each policy plays: {played}; of each dataset: {recorded}.\n"
    )
}

pub fn every_run(cells: &[&Cell]) -> String {
    let diverged = cells.iter().flat_map(|cell| &cell.algorithms).flat_map(|a| &a.runs).any(|r| r.played.diverged > 0);
    let head = ["data", "algorithm", "run", "updates", "last", "steps", "best (selected)", "steps"];
    let metrics = metrics_of(cells);
    let head = head.iter().copied().chain(diverged.then_some("diverged")).map(str::to_owned);
    let head: Vec<_> = head.chain(metrics.iter().map(|metric| metric.heading())).collect();
    let (mut rows, places) = (Vec::new(), decimals(cells));
    for cell in cells {
        for algorithm in &cell.algorithms {
            rows.extend(algorithm.runs.iter().map(|run| {
                let mut row = run_row(cell, algorithm, run, diverged, places);
                row.extend(metrics.iter().map(|m| run.played.measured(m).map_or(String::new(), Measured::number)));
                row
            }));
        }
    }
    markdown(&head, rows)
}

fn run_row(cell: &Cell, algorithm: &Algorithm, run: &Run, diverged: bool, places: usize) -> Vec<String> {
    let mut row = vec![cell.quality.clone(), algorithm.name.clone(), run.name.clone(), run.updates.to_string()];
    for played in [Some(&run.played), run.best.as_ref()] {
        row.extend(played.map_or([const { String::new() }; 2], |row| {
            let value = format!("{:.places$}{}", row.return_mean, interval(row.ci95, places));
            [value, format!("{:.0}", row.length_mean)]
        }));
    }
    row.extend(diverged.then(|| match run.played.diverged {
        0 => String::new(),
        n => format!("{n} of {}", run.played.episodes),
    }));
    row
}

/// Decimals of a task's returns: none where they go into the hundreds, more than two where they are small.
pub fn decimals(cells: &[&Cell]) -> usize {
    let played = cells.iter().flat_map(|cell| &cell.algorithms).flat_map(|a| &a.runs).map(|run| &run.played);
    let rows = played.chain(cells.iter().filter_map(|cell| cell.dataset.as_ref()));
    let means: Vec<_> = rows.map(|row| row.return_mean).collect();
    if means.iter().any(|mean| mean.abs() >= 100.0) { 0 } else { omiga_dataset::decimals(means) }
}

/// One number if all are equal, else from the smallest to the largest.
fn counts(numbers: impl Iterator<Item = usize> + Clone) -> String {
    match (numbers.clone().min(), numbers.max()) {
        (Some(low), Some(high)) if low < high => format!("{low} to {high}"),
        (low, _) => low.unwrap_or(0).to_string(),
    }
}

pub fn interval(ci95: Option<Interval>, places: usize) -> String {
    ci95.map_or(String::new(), |(low, high)| format!(" [{low:.places$}, {high:.places$}]"))
}

/// A star where no other seed is behind it.
fn star(runs: usize) -> &'static str {
    if runs == 1 { "\\*" } else { "" }
}

/// A dagger where somebody was tuned on the data.
pub fn dagger(tuned: bool) -> &'static str {
    if tuned { " †" } else { "" }
}

/// With a star and a dagger, as it deserves.
fn learned(algorithm: &Algorithm, e: Estimate, places: usize) -> String {
    format!("{:.places$}{}{}{}", e.mean, interval(e.ci95, places), star(e.runs), dagger(algorithm.tuned))
}

/// As [`learned`], in the metric's unit.
fn measured(algorithm: &Algorithm, metric: &Metric) -> Option<String> {
    let Estimate { mean, ci95, runs } = algorithm.measured(metric)?;
    let number = Measured { metric: metric.clone(), mean, ci95, values: Vec::new() }.number();
    Some(number + star(runs) + dagger(algorithm.tuned))
}

/// Bold where its interval leaves 0 out, which a single seed's never tells.
fn above(e: Estimate, places: usize) -> String {
    let text = signed(e, places);
    if e.runs > 1 && e.differs() { format!("**{text}**") } else { text }
}

/// A difference, with its star.
pub fn signed(e: Estimate, places: usize) -> String {
    format!("{:+.places$}{}{}", e.mean, interval(e.ci95, places), star(e.runs))
}

pub fn markdown(head: &[String], rows: Vec<Vec<String>>) -> String {
    let mut text = String::new();
    let rule: Vec<_> = head.iter().map(|_| "---".to_owned()).collect();
    for row in [head, &rule].into_iter().chain(rows.iter().map(Vec::as_slice)) {
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}
