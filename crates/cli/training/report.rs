//! What `omiga train` prints at its end.

use std::path::Path;

use anyhow::Result;
use omiga_dataset::decimals;
use omiga_env::statistics;
use omiga_format::Measured;
use omiga_train::{BEST_FILE, Gauged, LAST_FILE, Score};
use serde::Serialize;

use super::job::{Ended, Job, State};
use crate::output::{in_full, say};
use crate::scores::Late;

/// One run.
#[derive(Serialize)]
pub struct Report {
    /// `finished`, `interrupted`, `not-begun` or `failed`.
    pub outcome: &'static str,
    /// Why it failed.
    pub error: Option<String>,
    pub seed: u64,
    pub step: u64,
    pub folder: String,
    pub last_checkpoint: Option<String>,
    /// Of the last checkpoint.
    pub last_evaluation: Option<Last>,
    /// The mean of so many last evaluations, at most five.
    pub late: Option<Late>,
    /// Of the last checkpoint, on recorded rows.
    pub gauges: Option<Gauged>,
    pub failed_evaluations: u32,
    pub best: Option<Best>,
}

/// An evaluation without its episodes.
#[derive(Serialize)]
pub struct Last {
    pub return_mean: f64,
    pub return_std: f64,
    pub ci95: Option<(f64, f64)>,
    pub length_mean: f64,
    pub episodes: usize,
    pub diverged: u32,
    /// Without the values of single episodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Measured>,
}

/// The best evaluation.
#[derive(Serialize)]
pub struct Best {
    pub checkpoint: String,
    pub step: u64,
    /// On the episodes that it was selected by, and therefore too good.
    pub selected_return: f64,
}

/// Several runs.
#[derive(Serialize)]
pub struct Reports {
    pub runs: Vec<Report>,
    pub failed: usize,
    /// Over the runs, of their last checkpoints.
    pub last: Option<Over>,
    /// Over the runs, of the means of their last evaluations.
    pub late: Option<Over>,
}

/// A mean over runs.
#[derive(Serialize)]
pub struct Over {
    pub return_mean: f64,
    /// Over runs, of a sample; nothing for a single one.
    pub return_std: Option<f64>,
    pub runs: usize,
}

impl Report {
    /// What became of `job`.
    pub fn of(job: &Job, result: &Result<Ended>) -> Self {
        let path = |file: &str| job.out.join(file);
        let text = |path: &Path| path.display().to_string();
        let best = |Score { step, return_mean }| Best {
            checkpoint: text(&path(BEST_FILE)),
            step,
            selected_return: return_mean,
        };
        let ended = result.as_ref().ok();
        let last = ended.and_then(|ended| ended.last.as_ref()).map(|last| Last {
            return_mean: last.return_mean,
            return_std: last.return_std,
            ci95: last.ci95,
            length_mean: last.length_mean,
            episodes: last.returns.len(),
            diverged: last.diverged,
            metrics: last.metrics.iter().map(Measured::without_values).collect(),
        });
        let late = ended.and_then(|ended| ended.late);
        Self {
            outcome: ended.map_or("failed", |ended| ended.state.name()),
            error: result.as_ref().err().map(in_full),
            seed: job.config.run.seed,
            step: ended.map_or(0, |ended| ended.step),
            folder: text(&job.out),
            last_checkpoint: Some(path(LAST_FILE)).filter(|last| last.is_file()).map(|last| text(&last)),
            last_evaluation: last,
            late,
            gauges: ended.and_then(|ended| ended.gauged.clone()),
            failed_evaluations: ended.map_or(0, |ended| ended.failed_evaluations),
            best: ended.and_then(|ended| ended.best).map(best),
        }
    }

    /// For a person.
    pub fn say(&self) -> Result<()> {
        let Self { outcome, step, folder, .. } = self;
        match &self.error {
            Some(error) => say(format!("failed: {folder}: {error}"))?,
            None if *step == 0 => say(format!("not begun: {folder}"))?,
            None => say(format!("{outcome} after {step} updates: {folder}"))?,
        }
        if let Some(last) = &self.last_evaluation {
            let places = decimals([last.return_mean]);
            let interval =
                last.ci95.map(|(low, high)| format!(" [{low:.places$}, {high:.places$}]")).unwrap_or_default();
            let metrics: String = last.metrics.iter().map(|found| format!(", {}", found.text())).collect();
            let diverged = if last.diverged > 0 { format!(", {} diverged", last.diverged) } else { String::new() };
            say(format!(
                "  last checkpoint: return {:.places$}{interval} over {} episodes{metrics}{diverged}",
                last.return_mean, last.episodes
            ))?;
        }
        if let Some(Late { return_mean, evaluations }) = self.late.as_ref().filter(|late| late.evaluations > 1) {
            say(format!("  last {evaluations} evaluations: mean return {return_mean:.*}", decimals([*return_mean])))?;
        }
        if let Some(Best { step, selected_return, .. }) = &self.best {
            say(format!(
                "  best: {selected_return:.*} at step {step}, selected on these episodes",
                decimals([*selected_return])
            ))?;
        }
        if let Some(alarm) = self.gauges.as_ref().and_then(|gauged| gauged.alarm.as_ref()) {
            say(format!("  the values have left the data: {alarm}"))?;
        }
        match self.failed_evaluations {
            0 => Ok(()),
            failed => say(format!("  evaluations that failed: {failed}")),
        }
    }
}

impl Reports {
    /// All runs, with the means of those that have a result.
    pub fn of(runs: Vec<Report>) -> Self {
        let over = |values: Vec<f64>| {
            let (return_mean, return_std) = (statistics::mean(&values), statistics::std(&values));
            (!values.is_empty()).then_some(Over { return_mean, return_std, runs: values.len() })
        };
        // One that was stopped says nothing yet.
        let finished = || runs.iter().filter(|run| run.outcome == State::Finished.name());
        let last = over(finished().filter_map(|run| Some(run.last_evaluation.as_ref()?.return_mean)).collect());
        let late = over(finished().filter_map(|run| Some(run.late.as_ref()?.return_mean)).collect());
        Self { failed: runs.iter().filter(|run| run.error.is_some()).count(), runs, last, late }
    }

    /// For a person.
    pub fn say(&self) -> Result<()> {
        self.runs.iter().try_for_each(Report::say)?;
        let failed =
            if self.failed > 0 { format!("; {} of {} failed", self.failed, self.runs.len()) } else { String::new() };
        let what = [
            (&self.last, "last checkpoint".to_owned()),
            (&self.late, format!("last evaluations of each run (at most {})", Late::MOST)),
        ];
        for (over, what) in what {
            let Some(Over { return_mean, return_std, runs }) = over else { continue };
            let places = decimals([*return_mean]);
            let std = return_std.map(|std| format!(", standard deviation {std:.places$}")).unwrap_or_default();
            say(format!("{what}: mean return {return_mean:.places$} over {runs} runs{std}{failed}"))?;
        }
        Ok(())
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Interrupted => "interrupted",
            Self::NotBegun => "not-begun",
        }
    }
}
