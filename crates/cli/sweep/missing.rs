//! What a sweep has to do.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, bail};
use omiga_train::CONFIG_FILE;

use crate::output::note;
use crate::plan::{Cell, Outcome, Plan, Standing, Training, Trainings, collect};

/// The trainings of a plan that did not come to their end, on data that is recorded first where it is to be. Nothing if that was
/// stopped.
///
/// # Errors
/// Data or settings that cannot be, by name; without `resume` also runs that are there already.
pub fn missing(
    plan: &Plan,
    cells: &[Cell],
    resume: bool,
    threads: NonZeroUsize,
    stop: &AtomicBool,
) -> Result<Option<Vec<Training>>> {
    let runs: Vec<_> = cells.iter().flat_map(|cell| &cell.runs).collect();
    let there: Vec<_> = runs.iter().filter(|run| run.folder.join(CONFIG_FILE).exists()).collect();
    if let (false, Some(first)) = (resume, there.first()) {
        let (first, count, all) = (first.folder.display(), there.len(), runs.len());
        bail!(
            "{count} of {all} runs are there, e.g. `{first}`; do what is missing with --resume, or choose another `out`"
        );
    }
    let mut missing = Vec::new();
    for cell in cells {
        match collect(cell, threads, stop)? {
            Outcome::Interrupted => return Ok(None),
            Outcome::Done => note(format!("{}: data recorded", cell.name)),
            Outcome::Kept | Outcome::Failed => {}
        }
        for (_, training) in Trainings::of(plan, cell)?.runs {
            let training = training?;
            if training.standing()? != Standing::Current {
                missing.push(training);
            }
        }
    }
    Ok(Some(missing))
}
