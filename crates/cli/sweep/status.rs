//! How the runs of a sweep stand.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::Result;
use omiga_train::config::Config;
use omiga_train::{CONFIG_FILE, RunFolder};
use serde::Serialize;

use super::slurm::{Place, Queue, Submission};
use crate::output::{note, say, table};
use crate::plan::{Cell, Ended, Plan, Run};

/// Bytes at the end of a log in which an error is looked for.
const TAIL: u64 = 1 << 16;

/// All runs of a sweep.
#[derive(Debug, Serialize)]
pub struct Status {
    pub runs: Vec<Line>,
    /// Runs that came to their end, with the plan's settings.
    pub finished: usize,
}

/// One run.
#[derive(Debug, Serialize)]
pub struct Line {
    pub name: String,
    pub folder: String,
    pub state: State,
    /// Updates done.
    pub step: u64,
    /// Updates of the whole run, if it has begun.
    pub steps: Option<u64>,
    /// Of the last evaluation.
    pub return_mean: Option<f64>,
    /// What the last task of Slurm's wrote.
    pub log: Option<String>,
    /// Why that failed.
    pub error: Option<String>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Finished,
    /// It came to its end with other settings than the plan's.
    OtherSettings,
    /// By Slurm.
    Running,
    /// In Slurm's queue.
    Waiting,
    /// Slurm's last task of it failed, and says why.
    Failed,
    /// It has a folder; it was stopped, or runs in another process.
    Begun,
    NotBegun,
}

impl State {
    const ALL: [Self; 7] =
        [Self::Finished, Self::OtherSettings, Self::Running, Self::Waiting, Self::Failed, Self::Begun, Self::NotBegun];

    fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::OtherSettings => "finished with other settings",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Begun => "begun",
            Self::NotBegun => "not begun",
        }
    }
}

impl Status {
    /// Of every run; no rows of a dataset are read.
    ///
    /// # Errors
    /// A run that cannot be read, or settings that cannot be.
    pub fn of(plan: &Plan, cells: &[Cell], submissions: &[Submission]) -> Result<Self> {
        let queue = Queue::of(submissions).unwrap_or_else(|error| {
            note(format!("what Slurm still has to do is not known here: {error:#}"));
            Queue::default()
        });
        let mut runs = Vec::new();
        for cell in cells {
            for (run, ended) in cell.runs.iter().zip(Ended::of_runs(plan, cell)?) {
                runs.push(Line::of(cell, run, ended, submissions, &queue)?);
            }
        }
        let finished = runs.iter().filter(|run| run.state == State::Finished).count();
        Ok(Self { runs, finished })
    }

    /// For a person.
    pub fn say(&self) -> Result<()> {
        let row = |run: &Line| {
            let updates = run.steps.map_or_else(String::new, |steps| format!("{} of {steps}", run.step));
            let last = run.return_mean.map_or_else(String::new, |mean| format!("{mean:.2}"));
            vec![run.name.clone(), run.state.word().to_owned(), updates, last]
        };
        say(table(&["run", "stands", "updates", "last return"], 2, self.runs.iter().map(row).collect()))?;
        for run in &self.runs {
            if let (Some(error), Some(log)) = (&run.error, &run.log) {
                say(format!("{} failed: {error} ({log})", run.name))?;
            }
        }
        let count = |state| self.runs.iter().filter(|run| run.state == state).count();
        let counts = State::ALL.into_iter().map(|state| (count(state), state.word())).filter(|(count, _)| *count > 0);
        let counts: Vec<_> = counts.map(|(count, word)| format!("{count} {word}")).collect();
        say(format!("{} runs: {}", self.runs.len(), counts.join(", ")))
    }

    pub fn is_finished(&self) -> bool {
        self.finished == self.runs.len()
    }
}

impl Line {
    fn of(cell: &Cell, run: &Run, ended: Ended, submissions: &[Submission], queue: &Queue) -> Result<Self> {
        let out = &run.folder;
        let log = submissions.iter().filter_map(|one| Some(one.log(one.number(out)?))).next_back();
        let log = log.filter(|log| log.is_file());
        let (mut step, mut return_mean) = (0, None);
        if out.is_dir() {
            let folder = RunFolder::open(out);
            let recorded = folder.records()?.last().map_or(0, |record| record.step);
            step = folder.steps()?.last().map_or(recorded, |stored| recorded.max(*stored));
            return_mean = folder.evaluations()?.last().map(|found| found.return_mean);
        }
        let error = log.as_deref().and_then(last_error);
        let state = match (ended, queue.place(submissions, out)) {
            (Ended::AsAsked, _) => State::Finished,
            (_, Some(Place::Running)) => State::Running,
            (_, Some(Place::Waiting)) => State::Waiting,
            (Ended::Otherwise, None) => State::OtherSettings,
            (Ended::No, None) if error.is_some() => State::Failed,
            (Ended::No, None) if out.join(CONFIG_FILE).is_file() => State::Begun,
            (Ended::No, None) => State::NotBegun,
        };
        Ok(Self {
            name: format!("{}: {}", cell.name, run.name()),
            folder: out.display().to_string(),
            state,
            step,
            steps: steps(&out.join(CONFIG_FILE)),
            return_mean,
            log: log.map(|log| log.display().to_string()),
            error: error.filter(|_| state == State::Failed),
        })
    }
}

/// Updates that a run's configuration asks for.
fn steps(config: &Path) -> Option<u64> {
    let text = fs::read_to_string(config).ok()?;
    Some(Config::from_parts(&[(&config.display().to_string(), &text)], &[]).ok()?.run.steps)
}

/// The error that a log ends with, of this program or of Slurm: the first line of it.
fn last_error(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut text = Vec::new();
    file.take(TAIL).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let error = |line| ["omiga: ", "slurmstepd: error: "].iter().find_map(|who| str::strip_prefix(line, who));
    text.trim_end().lines().rev().map_while(error).last().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_last_thing_that_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let check = |text: &str, expected: Option<&str>| {
            let log = folder.path().join("0.log");
            fs::write(&log, text).unwrap();
            assert_eq!(last_error(&log).as_deref(), expected, "{text}");
        };
        check("", None);
        check("step 1\nomiga: a loss is not finite\nomiga: 1 training failed\n", Some("a loss is not finite"));
        check("slurmstepd: error: *** JOB 3 ON n CANCELLED ***\n\n", Some("*** JOB 3 ON n CANCELLED ***"));
        check("omiga: once\ngoing on from step 20 of 40\n", None);
        check(&format!("{}\nomiga: late\n", "x".repeat(1 << 17)), Some("late"));
    }
}
