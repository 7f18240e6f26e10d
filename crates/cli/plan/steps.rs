//! The steps of a cell, one function each.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail, ensure};
use omiga_format::{Bundle, SUMS_FILE, hash};
use omiga_runtime::EngineKind;
use omiga_train::{BEST_FILE, LAST_FILE};

use super::cell::{Cell, Source};
use super::record::{Request, Standing, Step, in_words};
use super::summary::Outcome;
use crate::args::CollectArgs;
use crate::command::{bundle_of, record as record_episodes};
use crate::engines::load_each;
use crate::report::BUNDLE_FOLDER;

/// Record the cell's dataset, unless it is there as asked for.
pub fn collect(cell: &Cell, threads: NonZeroUsize, stop: &AtomicBool) -> Result<Outcome> {
    let data = cell.data();
    let Some((mut args, step)) = collecting(cell) else {
        ensure!(data.exists(), "there is no dataset `{}`; correct `data.file`", data.display());
        return Ok(Outcome::Kept);
    };
    match step.standing()? {
        Standing::Current => return Ok(Outcome::Kept),
        // Whoever removed it wants it anew.
        _ if !data.exists() => {}
        Standing::Begun => fs::remove_file(&data).with_context(|| format!("cannot remove `{}`", data.display()))?,
        Standing::New => bail!("`{0}` lies there and nothing says how it was made; {REMEDY} `{0}`", data.display()),
        Standing::Differs(differences) => {
            bail!("`{0}` was asked for otherwise: {1}; {REMEDY} `{0}`", data.display(), in_words(&differences))
        }
        Standing::Changed(path) => bail!("`{0}` is not as it was collected; {REMEDY} `{0}`", path.display()),
    }
    args.threads = Some(threads);
    step.begin()?;
    if !record_episodes(&args, stop)? {
        return Ok(Outcome::Interrupted);
    }
    step.end(&[data])?;
    Ok(Outcome::Done)
}

const REMEDY: &str = "choose another `out`, or remove";

/// Is there something to collect, and how does it stand?
pub fn collect_standing(cell: &Cell) -> Result<Standing> {
    collecting(cell).map_or(Ok(Standing::Current), |(_, step)| step.standing())
}

fn collecting(cell: &Cell) -> Option<(CollectArgs, Step)> {
    let (Source::Collected { quality, episodes, seed }, Some(task)) = (&cell.source, &cell.task) else { return None };
    let request = [
        ("task", task.clone()),
        ("quality", quality.name().to_owned()),
        ("episodes", episodes.to_string()),
        ("seed", seed.to_string()),
    ];
    let args = CollectArgs {
        task: task.clone(),
        quality: *quality,
        episodes: *episodes,
        seed: *seed,
        threads: None,
        out: cell.data(),
        force: false,
        json: false,
    };
    Some((args, Step::new(cell.folder.join("data.step.json"), of(request))))
}

/// In a run's folder: its data, its settings, and whether it came to its end.
const TRAINING_RECORD: &str = "train.step.json";

/// The record of a training in `folder`: its data and its settings.
pub fn training(folder: &Path, data_sha256: &str, settings: &str) -> Step {
    let request = [("data", data_sha256.to_owned()), ("settings", settings.to_owned())];
    Step::new(folder.join(TRAINING_RECORD), of(request))
}

/// With which settings the training in `folder` came to its end, if it did.
pub fn trained_with(folder: &Path) -> Result<Option<String>> {
    let request = Step::new(folder.join(TRAINING_RECORD), Request::new()).ended()?;
    Ok(request.map(|mut request| request.remove("settings").unwrap_or_default()))
}

/// A bundle of a run's checkpoint, which lies beside it.
#[derive(Clone, Debug)]
pub struct Exported {
    pub row: String,
    pub checkpoint: PathBuf,
    pub folder: PathBuf,
}

impl Exported {
    /// Of the checkpoint that evaluations during the training of the run in `folder` selected.
    pub fn best(row: String, run: &Path) -> Self {
        Self { row: row + "/best", checkpoint: run.join(BEST_FILE), folder: run.join("best-bundle") }
    }

    /// Of the last checkpoint of the run in `folder`.
    pub fn last(row: String, run: &Path) -> Self {
        Self { row, checkpoint: run.join(LAST_FILE), folder: run.join(BUNDLE_FOLDER) }
    }

    /// Export it, unless that was done.
    pub fn export(&self) -> Result<Outcome> {
        let request = [("checkpoint", hash::of_file(&self.checkpoint)?), ("program", program())];
        let step = Step::new(self.folder.with_extension("step.json"), of(request));
        if step.standing()? == Standing::Current {
            return Ok(Outcome::Kept);
        }
        let bundle = bundle_of(&self.checkpoint)?;
        step.begin()?;
        bundle.write(&self.folder)?;
        step.end(&[self.sums()])?;
        Ok(Outcome::Done)
    }

    /// Replay every golden vector in each engine, unless that was done.
    pub fn verify(&self, engines: &[EngineKind]) -> Result<Outcome> {
        let names = engines.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let request = [("bundle", self.sha256()?), ("engines", names), ("program", program())];
        let step = Step::new(self.folder.with_extension("verify.step.json"), of(request));
        if step.standing()? == Standing::Current {
            return Ok(Outcome::Kept);
        }
        step.begin()?;
        let bundle = Bundle::read(&self.folder)?;
        for (engine, loaded) in load_each(&bundle, engines) {
            loaded.with_context(|| format!("`{}` in the {engine} engine", self.folder.display()))?;
        }
        step.end(&[])?;
        Ok(Outcome::Done)
    }

    /// What stands for the whole bundle.
    pub fn sha256(&self) -> Result<String> {
        Ok(hash::of_file(&self.sums())?)
    }

    fn sums(&self) -> PathBuf {
        self.folder.join(SUMS_FILE)
    }
}

/// A request of these pairs.
pub fn of<const N: usize>(pairs: [(&str, String); N]) -> Request {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Other versions may make other bundles and tables of the same.
pub fn program() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
