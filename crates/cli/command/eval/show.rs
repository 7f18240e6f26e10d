//! The table, or JSON.

use anyhow::Result;
use omiga_dataset::decimals;
use omiga_env::statistics::Interval;
use omiga_format::Measured;

use crate::output::{say, say_json, table};
use crate::scores::{Row, Scores, metrics};

pub fn show(scores: &Scores, json: bool) -> Result<()> {
    if json { say_json(scores) } else { say(text(scores)) }
}

/// For a person.
pub fn text(scores: &Scores) -> String {
    let diverged = scores.rows.iter().any(|row| row.diverged > 0);
    let mut header: Vec<String> =
        ["policy", "mean return", "95 % interval", "std", "steps", "episodes"].map(str::to_owned).into();
    header.extend(diverged.then(|| "diverged".to_owned()));
    let metrics = metrics(scores.rows.iter());
    header.extend(metrics.iter().map(|metric| metric.heading()));
    let against = scores.against.as_ref().filter(|_| scores.rows.iter().any(|row| row.difference.is_some()));
    header.extend(against.map(|name| format!("difference to\n{name}")));
    let places = decimals(scores.rows.iter().flat_map(|row| [row.return_mean, row.return_std]));
    let cells = |row: &Row| {
        let mut cells = vec![
            row.name.clone(),
            format!("{:.places$}", row.return_mean),
            row.ci95.map_or(String::new(), |ci| interval(ci, places)),
            format!("{:.places$}", row.return_std),
            format!("{:.1}", row.length_mean),
            row.episodes.to_string(),
        ];
        if diverged {
            cells.push(if row.diverged > 0 { format!("{} of {}", row.diverged, row.episodes) } else { String::new() });
        }
        cells.extend(metrics.iter().map(|metric| row.measured(metric).map_or(String::new(), Measured::number)));
        if against.is_some() {
            let text = |d: crate::scores::Difference| {
                format!(
                    "{:+.places$}{}",
                    d.mean,
                    d.ci95.map_or(String::new(), |ci| format!(" {}", interval(ci, places)))
                )
            };
            cells.push(row.difference.map_or(String::new(), text));
        }
        cells
    };
    let by = scores.engine.iter().map(|engine| format!(", policies run by the {engine} engine"));
    let in_what = scores.simulator.iter().map(|simulator| format!(", {simulator}"));
    let head = format!("task {}{}", scores.task, in_what.chain(by).collect::<String>());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    format!("{head}\n{}", table(&header, 1, scores.rows.iter().map(cells).collect()))
}

fn interval((low, high): Interval, places: usize) -> String {
    format!("[{low:.places$}, {high:.places$}]")
}
