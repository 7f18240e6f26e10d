//! Returns of several policies on the same episodes, in one table.

mod play;
mod rows;
mod show;

use std::path::Path;

use anyhow::{Result, anyhow};
use omiga_format::atomic;
use omiga_runtime::{LoadOptions, Team};

use crate::Verdict;
use crate::args::EvalArgs;
use crate::cores;
use crate::evaluate::first_episode;
use crate::figure::episode;
use crate::progress::Progress;
use crate::scores::Failure;

pub use play::{Match, play};
pub use rows::{RowSpec, Who};
pub use show::text as table_of;

/// `omiga eval`.
pub fn eval(args: &EvalArgs) -> Result<Verdict> {
    let rows = rows::rows(args)?;
    let task = args.task.clone().map_or_else(|| rows::task_of(&rows), Ok)?;
    let threads = cores::threads(args.threads);
    let played = rows.iter().filter(|row| !matches!(row.who, Who::Dataset(_))).count();
    let progress = Progress::of_episodes(played as u64 * u64::from(args.episodes), "");
    let scores = play(
        &rows,
        &Match {
            task: &task,
            episodes: args.episodes,
            seed: args.seed,
            engine: args.engine,
            threads,
            against: args.against.as_deref(),
            seen: &|| progress.advance(),
        },
    )?;
    drop(progress);
    show::show(&scores, args.json)?;
    if let Some(path) = &args.plot {
        let last = rows.iter().rev().find(|row| matches!(row.who, Who::Bundle(_)));
        last.map_or(Ok(()), |row| plot(path, &task, row, args))?;
    }
    match scores.failed.as_slice() {
        [] => Ok(Verdict::Yes),
        failed => Err(not_played(failed, rows.len())),
    }
}

/// Every error.
fn not_played(failed: &[Failure], rows: usize) -> anyhow::Error {
    let each: Vec<_> = failed.iter().map(|Failure { name, error }| format!("`{name}`: {error}")).collect();
    anyhow!("{} of {rows} rows could not be had: {}", failed.len(), each.join("; "))
}

/// Draw the first of a bundle's episodes.
fn plot(path: &Path, task: &str, row: &RowSpec, args: &EvalArgs) -> Result<()> {
    let Some(bundle) = row.who.bundle()? else { return Ok(()) };
    let team = Team::from_bundle(&bundle, &LoadOptions::default().with_engine(args.engine))?;
    let (spec, played) = first_episode(task, team, args.seed)?;
    let drawn = episode(&format!("{task}, {}", row.name()), &spec, &played)?;
    Ok(atomic::write(path, drawn.as_bytes())?)
}
