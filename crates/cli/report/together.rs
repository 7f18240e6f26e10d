//! Runs of one dataset from several places: seeds that were added later, or on another machine.

use anyhow::{Result, bail};

use super::cell::Cell;

/// Cells of one task and name as one, if they are of the same data and played the same episodes. They are in the order of both.
///
/// # Errors
/// What two of them have not in common, or a run that is in both.
pub fn together(cells: Vec<Cell>) -> Result<Vec<Cell>> {
    let mut all: Vec<Cell> = Vec::new();
    for cell in cells {
        match all.last_mut().filter(|last| (&last.task, &last.quality) == (&cell.task, &cell.quality)) {
            None => all.push(cell),
            Some(last) => match apart(last, &cell) {
                None => add(last, cell),
                Some(why) => {
                    let (a, b) = (last.folder.display(), cell.folder.display());
                    let data = format!("{} {}", cell.task, cell.quality);
                    bail!(
                        "`{a}` and `{b}` are both of {data}, but {why}; name the folders differently, or leave one out"
                    );
                }
            },
        }
    }
    Ok(all)
}

/// Why two cells are not of one table; `None` if they are.
fn apart(a: &Cell, b: &Cell) -> Option<String> {
    let sha256 = |cell: &Cell| cell.dataset.as_ref().and_then(|row| row.sha256.clone());
    let (ours, theirs) = (sha256(a), sha256(b));
    if ours.is_none() || ours != theirs {
        return Some("their data is not, or not said to be, the same".to_owned());
    }
    if a.episodes != b.episodes {
        let said = |(seed, count): (u64, u32)| format!("{count} episodes of seed {seed}");
        return Some(format!("{} and {} were played", said(a.episodes), said(b.episodes)));
    }
    if (&a.simulator, &a.engine) != (&b.simulator, &b.engine) {
        return Some("other programs played them".to_owned());
    }
    let runs = |cell: &Cell| -> Vec<String> {
        cell.algorithms.iter().flat_map(|a| a.runs.iter().map(move |run| format!("{}/{}", a.name, run.name))).collect()
    };
    let (ours, theirs) = (runs(a), runs(b));
    ours.into_iter().find(|run| theirs.contains(run)).map(|run| format!("`{run}` is in both"))
}

/// Take another one's runs, and what else it has.
fn add(cell: &mut Cell, more: Cell) {
    for algorithm in more.algorithms {
        algorithm.runs.into_iter().for_each(|run| cell.put(&algorithm.name, run));
    }
    let known = |name: &str| cell.others.iter().any(|row| row.name == name);
    let others: Vec<_> = more.others.into_iter().filter(|row| !known(&row.name)).collect();
    cell.others.extend(others);
    cell.failed.extend(more.failed);
    cell.sort();
}
