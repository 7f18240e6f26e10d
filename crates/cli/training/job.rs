//! One training, from its data to what became of it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use omiga_train::config::Config;
use omiga_train::{CONFIG_FILE, Evaluated, Gauged, METRICS_FILE, Outcome, RunFolder, Score, Trainer};
use serde::Serialize;

use super::data::SharedData;
use super::source::Source;
use super::watcher::Watcher;
use crate::output::note;
use crate::profile;
use crate::scores::Late;

/// A training to be done.
#[derive(Clone, Debug)]
pub struct Job {
    /// Begins its lines on standard error where it is not the only one.
    pub name: String,
    /// The dataset, or a log with its map.
    pub data: Source,
    /// The run's folder.
    pub out: PathBuf,
    /// Resolved; its `run.task` is played in evaluations, else the data's own.
    pub config: Config,
    /// Go on with the run in `out` if that folder is there.
    pub resume: bool,
    /// Record where the time of so many updates goes; for one job alone.
    pub profile: Option<u32>,
}

/// Where a job stands that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// All updates and evaluations are done.
    Finished,
    /// It was asked to stop; its state is stored.
    Interrupted,
    /// It was asked to stop before its turn came.
    NotBegun,
}

/// What became of a job that did not fail.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Where it stands.
    pub state: State,
    /// Updates done.
    pub step: u64,
    /// The evaluation of the last checkpoint.
    pub last: Option<Evaluated>,
    /// The last evaluations, if there were any.
    pub late: Option<Late>,
    /// What the gauges of the last checkpoint showed.
    pub gauged: Option<Gauged>,
    /// Evaluations that found nothing.
    pub failed_evaluations: u32,
    /// The best evaluation, on the episodes that it was chosen by: no measure of its checkpoint.
    pub best: Option<Score>,
}

impl Job {
    /// Run it. `several`: others run, too.
    pub(super) fn run(
        &self,
        data: &SharedData,
        threads: NonZeroUsize,
        several: bool,
        stop: &AtomicBool,
    ) -> Result<Ended> {
        if stop.load(Ordering::Relaxed) {
            let state = State::NotBegun;
            return Ok(Ended {
                state,
                step: 0,
                last: None,
                late: None,
                gauged: None,
                failed_evaluations: 0,
                best: None,
            });
        }
        let loaded = data.get()?;
        // First the environment: what is wrong with it is said before a folder is made.
        let mut watcher = Watcher::new(self, loaded.task.as_deref(), several)?;
        let (config, prepared) = (self.config.clone(), loaded.prepared.clone());
        if self.resume && self.out.join(CONFIG_FILE).is_file() && !self.out.join(METRICS_FILE).exists() {
            note(format!("`{}` has no `{METRICS_FILE}`: what it held is lost, the run goes on", self.out.display()));
        }
        let mut trainer = match self.resume && self.out.is_dir() {
            true => Trainer::go_on(config, prepared, &self.out)?,
            false => Trainer::create(config, prepared, &self.out)?,
        };
        watcher.start(&trainer, self)?;
        let outcome = trainer.fit(threads, &mut watcher, stop);
        watcher.end_profile();
        let ended = Ended::of(outcome?, &trainer, &RunFolder::open(&self.out))?;
        if self.profile.is_some() && trainer.has_kernels() {
            note(profile::launches(&trainer.profile_gpu()?));
        }
        Ok(ended)
    }
}

impl Ended {
    fn of(outcome: Outcome, trainer: &Trainer, folder: &RunFolder) -> Result<Self> {
        let (step, mut found) = (trainer.step(), folder.evaluations()?);
        let returns: Vec<f64> = found.iter().map(|found| found.return_mean).collect();
        Ok(Self {
            state: if outcome == Outcome::Finished { State::Finished } else { State::Interrupted },
            step,
            last: found.pop().filter(|last| last.step == step),
            late: Late::of(&returns),
            gauged: folder.gauges()?.pop().filter(|gauged| gauged.step == step),
            failed_evaluations: trainer.failed_evaluations(),
            best: trainer.best(),
        })
    }
}
