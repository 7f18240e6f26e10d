//! Returns of several policies on the same episodes, in one table.

mod play;
mod rows;
mod show;

use anyhow::{Result, anyhow, ensure};
use omiga_format::atomic;

use crate::Verdict;
use crate::args::EvalArgs;
use crate::cores;
use crate::evaluate::first_episode;
use crate::figure::episode;
use crate::film;
use crate::progress::Progress;
use crate::scores::Failure;

pub use play::{Match, play};
pub use rows::{RowSpec, Who};
pub use show::text as table_of;

/// `omiga eval`.
pub fn eval(args: &EvalArgs) -> Result<Verdict> {
    let rows = rows::rows(args)?;
    let looked_at = rows.iter().rev().find(|row| !matches!(row.who, Who::Dataset(..)));
    ensure!(
        looked_at.is_some() || args.plot.is_none() && args.replay.is_none(),
        "nobody plays whose episode could be drawn; give --bundle, --run, --behaviour or --random"
    );
    let task = args.task.clone().map_or_else(|| rows::task_of(&rows), Ok)?;
    let threads = cores::threads(args.threads);
    let played = rows.iter().filter(|row| !matches!(row.who, Who::Dataset(..))).count();
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
    if let Some(row) = looked_at {
        look(&task, row, args)?;
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

/// Draw and film the first of a row's episodes, as far as asked for.
fn look(task: &str, row: &RowSpec, args: &EvalArgs) -> Result<()> {
    if args.plot.is_none() && args.replay.is_none() {
        return Ok(());
    }
    let (spec, played) = first_episode(task, |spec| row.who.team(spec, args.engine), args.seed)?;
    let title = format!("{task}, {}", row.name());
    if let Some(path) = &args.plot {
        atomic::write(path, episode(&title, &spec, &played)?.as_bytes())?;
    }
    if let Some(path) = &args.replay {
        atomic::write(path, film::page(&title, &spec, &played)?.as_bytes())?;
    }
    Ok(())
}
