//! A dataset's table: which policies are in it, and their returns.

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use omiga_dataset::{Dataset, LoadOptions};
use omiga_env::{Quality, has_task};
use omiga_format::atomic;
use omiga_runtime::EngineKind;
use omiga_train::{BEST_FILE, LAST_FILE};

use super::cell::{Cell, Run};
use super::file::Plan;
use super::record::{Request, Standing, Step};
use super::steps::{Exported, of, program};
use super::summary::Outcome;
use crate::command::{Match, RowSpec, Who, play as play_rows, table_of};
use crate::output::note;
use crate::report::{self, folders, name};
use crate::scores::{DATASET, SCORES_FILE, Scores};

/// The table as it is printed.
const TEXT_FILE: &str = "results.txt";

/// Bundles to be played: of the plan's trainings, and of others that somebody laid beside them.
pub fn bundles(plan: &Plan, cell: &Cell, trained: &[&Run]) -> Result<Vec<Exported>> {
    let is_trained = |run: &&Run| trained.iter().any(|trained| trained.folder == run.folder);
    let planned = cell.runs.iter().filter(is_trained).map(|run| (run.name(), run.folder.clone()));
    let mut all = Vec::new();
    for (row, folder) in planned.chain(beside(cell)?) {
        all.push(Exported::last(row.clone(), &folder));
        if plan.evaluate.best && folder.join(BEST_FILE).is_file() {
            all.push(Exported::best(row, &folder));
        }
    }
    Ok(all)
}

/// Runs in `<algorithm>/<seed>` below the cell that the plan does not name.
fn beside(cell: &Cell) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    if !cell.folder.is_dir() {
        return Ok(found);
    }
    for algorithm in folders(&cell.folder)? {
        for run in folders(&algorithm)? {
            let is_planned = cell.runs.iter().any(|planned| planned.folder == run);
            if !is_planned && run.join(LAST_FILE).is_file() {
                found.push((format!("{}/{}", name(&algorithm), name(&run)), run));
            }
        }
    }
    Ok(found)
}

/// Engines in which a bundle repeats its golden vectors: the one that plays, and the native one.
pub fn engines(plan: &Plan) -> Vec<EngineKind> {
    let plays = plan.evaluate.engine.0;
    if plays == EngineKind::Native { vec![plays] } else { vec![EngineKind::Native, plays] }
}

/// Play every bundle, unless that was done; write the table.
///
/// # Errors
/// What keeps a row from being had.
pub fn play(
    plan: &Plan,
    cell: &Cell,
    data_sha256: &str,
    bundles: &[Exported],
    threads: NonZeroUsize,
) -> Result<Outcome> {
    let step = Step::new(cell.folder.join("eval.step.json"), request(plan, cell, data_sha256, bundles)?);
    if step.standing()? == Standing::Current {
        return Ok(Outcome::Kept);
    }
    let outline = Dataset::outline(&cell.data(), &LoadOptions::default())?;
    let named = cell.task.as_deref().or(outline.declared_task());
    let mut rows = vec![RowSpec::new(DATASET, Who::Dataset(cell.data(), None))];
    let is_played = named.is_some_and(has_task);
    let task = named.unwrap_or(&outline.task);
    if is_played {
        let random =
            plan.evaluate.random.then(|| RowSpec::new(Quality::Random.name(), Who::Behaviour(Quality::Random)));
        rows.extend(random);
        rows.extend(bundles.iter().map(|bundle| RowSpec::new(&bundle.row, Who::Bundle(bundle.folder.clone()))));
    } else {
        let why = match named {
            Some(task) => format!("task `{task}` has no environment here"),
            None => "the file does not say its task; name it with `data.task`".to_owned(),
        };
        note(format!("{}: policies are not played: {why}", cell.name));
    }
    let baseline = bundles.iter().map(|b| b.row.as_str()).find(|row| row.split('/').next() == Some(plan.baseline()));
    let how = Match {
        task,
        episodes: cell.episodes,
        seed: plan.evaluate.seed,
        engine: plan.evaluate.engine.0,
        threads,
        against: baseline.filter(|_| is_played),
        seen: &|| (),
    };
    step.begin()?;
    let scores = play_rows(&rows, &how)?;
    let (json, text) = (cell.folder.join(SCORES_FILE), cell.folder.join(TEXT_FILE));
    atomic::write(&json, &serde_json::to_vec_pretty(&scores).context("cannot write JSON")?)?;
    atomic::write(&text, format!("{}\n", table_of(&scores)).as_bytes())?;
    if let [first, ..] = scores.failed.as_slice() {
        bail!("{} of {} rows could not be had; `{}`: {}", scores.failed.len(), rows.len(), first.name, first.error);
    }
    step.end(&[json, text])?;
    Ok(Outcome::Done)
}

fn request(plan: &Plan, cell: &Cell, data_sha256: &str, bundles: &[Exported]) -> Result<Request> {
    let mut request = of([
        ("data", data_sha256.to_owned()),
        ("episodes", cell.episodes.to_string()),
        ("seed", plan.evaluate.seed.to_string()),
        ("engine", plan.evaluate.engine.0.to_string()),
        ("random", plan.evaluate.random.to_string()),
        ("program", program()),
    ]);
    for bundle in bundles {
        request.insert(format!("bundle {}", bundle.row), bundle.sha256()?);
    }
    request.insert("against".to_owned(), plan.baseline().to_owned());
    Ok(request)
}

/// The table as it was stored.
pub fn read(cell: &Cell) -> Result<Scores> {
    Scores::read(&cell.folder.join(SCORES_FILE))
}

/// The pages about all datasets that have a table.
pub fn page(plan: &Plan, request: &report::Request) -> Result<Outcome> {
    let root = plan.out.clone().context("a plan with a page needs `out`, a folder")?;
    let read = || -> Vec<_> { request.pages().map(|page| fs::read(page).ok()).collect() };
    let before = read();
    report::write(&[root], request)?;
    Ok(if before == read() { Outcome::Kept } else { Outcome::Done })
}
