//! A training of a plan: what is to be done, and the record of what was asked for.

use std::cell::LazyCell;
use std::path::Path;

use anyhow::{Error, Result, anyhow};
use omiga_dataset::{Dataset, LoadOptions, Outline};
use omiga_train::config::Config;
use omiga_train::{CONFIG_FILE, LAST_FILE};

use super::cell::{Cell, Run};
use super::file::Plan;
use super::record::{Standing, Step};
use super::summary::Outcome;
use super::{settings, steps};
use crate::training::{Job, State};

/// One run of `omiga train`.
#[derive(Clone, Debug)]
pub struct Training {
    pub job: Job,
    pub data_sha256: String,
    step: Step,
}

/// What is trained on a dataset that is there.
pub struct Trainings<'a> {
    /// Of the dataset.
    pub data_sha256: String,
    /// Every run, with its training or why there can be none.
    pub runs: Vec<(&'a Run, Result<Training>)>,
}

impl<'a> Trainings<'a> {
    /// Of all runs of a cell.
    ///
    /// # Errors
    /// Data that cannot be read.
    pub fn of(plan: &Plan, cell: &'a Cell) -> Result<Self> {
        let data = cell.data();
        let (outline, data_sha256) = Dataset::outline_and_sha256(&data, &LoadOptions::default())?;
        let training = |run: &Run| {
            let config = settings::of_run(plan, cell, run, &outline)?;
            Training::new(name(cell, run), &data, &data_sha256, &run.folder, config)
        };
        let runs = cell.runs.iter().map(|run| (run, training(run))).collect();
        Ok(Self { data_sha256, runs })
    }
}

/// Did a run come to its end?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    No,
    /// With the plan's settings, as far as that is known without its data.
    AsAsked,
    /// With others.
    Otherwise,
}

impl Ended {
    /// Of all runs of a cell, in their order. Its data is not compared with theirs; no more of it is looked at than its outline, and that
    /// only for runs that came to their end.
    ///
    /// # Errors
    /// A record that cannot be read, or settings that cannot be.
    pub fn of_runs(plan: &Plan, cell: &Cell) -> Result<Vec<Self>> {
        let outline = LazyCell::new(|| Dataset::outline(&cell.data(), &LoadOptions::default()).ok());
        cell.runs.iter().map(|run| Self::of(plan, cell, run, || outline.as_ref())).collect()
    }

    fn of<'a>(plan: &Plan, cell: &Cell, run: &Run, outline: impl FnOnce() -> Option<&'a Outline>) -> Result<Self> {
        let Some(then) = steps::trained_with(&run.folder)? else { return Ok(Self::No) };
        let Some(outline) = outline() else { return Ok(Self::AsAsked) };
        let now = settings::of_run(plan, cell, run, outline)?.to_toml()?;
        Ok(if then == now { Self::AsAsked } else { Self::Otherwise })
    }
}

/// What a training is called in messages.
pub fn name(cell: &Cell, run: &Run) -> String {
    format!("{}: train {}", cell.name, run.name())
}

impl Training {
    /// On the dataset with this hash, into the folder `out`, in which it goes on if a run is there.
    ///
    /// # Errors
    /// A configuration that TOML cannot hold.
    pub fn new(name: String, data: &Path, data_sha256: &str, out: &Path, config: Config) -> Result<Self> {
        let step = steps::training(out, data_sha256, &config.to_toml()?);
        let resume = out.join(CONFIG_FILE).is_file();
        let job = Job { name, data: data.to_owned().into(), out: out.to_owned(), config, resume, profile: None };
        Ok(Self { job, data_sha256: data_sha256.to_owned(), step })
    }

    /// What the books say.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn standing(&self) -> Result<Standing> {
        self.step.standing()
    }

    /// Write down what became of it: the record of one that came to its end.
    ///
    /// # Errors
    /// Why it failed, or why that cannot be written.
    pub fn end(&self, result: Result<State, String>) -> Result<Outcome, Error> {
        match result {
            Ok(State::Finished) => self.step.end(&[self.job.out.join(LAST_FILE)]).map(|()| Outcome::Done),
            Ok(State::Interrupted | State::NotBegun) => Ok(Outcome::Interrupted),
            Err(error) => Err(anyhow!(error)),
        }
    }
}
