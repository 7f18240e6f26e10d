//! Shows a run, and has its checkpoints played.

use anyhow::Result;
use omiga_dataset::decimals;
use omiga_train::algo::Metrics;
use omiga_train::{BoxedError, Evaluated, Evaluator, Gauged, Observer, Score, Trainer};

use super::job::Job;
use super::player::Player;
use crate::profile::Profile;
use crate::progress::Progress;

/// Of one job.
pub struct Watcher {
    /// Until it is taken to its thread.
    player: Option<Player>,
    progress: Progress,
    profile: Option<Profile>,
}

impl Watcher {
    /// Policies are played in `task`, if there is one.
    pub fn new(job: &Job, task: Option<&str>, several: bool) -> Result<Self> {
        let run = &job.config.run;
        let player = task.map(|task| Player::new(task, run)).transpose()?;
        let progress = Progress::new(run.steps, several.then_some(job.name.as_str()));
        Ok(Self { player, progress, profile: None })
    }

    /// Take over where the run stands.
    pub fn start(&mut self, trainer: &Trainer, job: &Job) -> Result<()> {
        let (step, steps) = (trainer.step(), job.config.run.steps);
        self.progress.start(step);
        if (1..steps).contains(&step) {
            let best = |Score { step, return_mean }| {
                format!(" (best {return_mean:.*} at step {step})", decimals([return_mean]))
            };
            let best = trainer.best().map(best).unwrap_or_default();
            self.progress.line(&format!("going on from step {step} of {steps}{best}"));
        }
        let traced = job.profile.filter(|_| !trainer.has_kernels());
        self.profile = traced.map(|updates| Profile::start(updates, &job.out)).transpose()?;
        Ok(())
    }

    /// If the run was over before all that was to be recorded.
    pub fn end_profile(&mut self) {
        if let Some(shown) = self.profile.as_mut().and_then(Profile::finish) {
            self.show(shown);
        }
    }

    /// A profile that cannot be had is no reason to stop a run.
    fn show(&self, profile: Result<String>) {
        self.progress.line(&profile.unwrap_or_else(|error| format!("no profile: {error:#}")));
    }
}

impl Observer for Watcher {
    fn progress(&mut self, step: u64, steps: u64, metrics: &Metrics) {
        self.progress.update(step, steps, metrics);
        if let Some(shown) = self.profile.as_mut().and_then(Profile::update) {
            self.show(shown);
        }
    }

    fn gauged(&mut self, gauged: &Gauged) {
        let line = gauged_line(gauged);
        self.progress.line(&format!("step {}: {line}", gauged.step));
        if let Some(alarm) = &gauged.alarm {
            self.progress.line(&format!("step {}: the values have left the data: {alarm}", gauged.step));
        }
    }

    fn evaluator(&mut self) -> Option<Box<dyn Evaluator>> {
        Some(Box::new(self.player.take()?))
    }

    fn evaluated(&mut self, step: u64, found: Result<&Evaluated, &BoxedError>) {
        let line = match found {
            Ok(found) => {
                let places = 1 + decimals([found.return_mean]);
                let interval =
                    found.ci95.map(|(low, high)| format!(" [{low:.places$}, {high:.places$}]")).unwrap_or_default();
                let (mean, episodes) = (found.return_mean, found.returns.len());
                let metrics: String = found.metrics.iter().map(|found| format!(", {}", found.text())).collect();
                let diverged = (found.diverged > 0).then(|| format!(", {} diverged", found.diverged));
                format!(
                    "step {step}: return {mean:.places$}{interval} over {episodes} episodes{metrics}{}",
                    diverged.unwrap_or_default()
                )
            }
            Err(error) => format!("step {step}: no evaluation, the run goes on: {error}"),
        };
        self.progress.line(&line);
    }
}

/// `412 held-out rows: V_tot 1.20 above the return, weights 0.97, |action - data| 0.118, 0.5 % outside the data`.
fn gauged_line(gauged: &Gauged) -> String {
    let optimism = gauged.optimism.map(|x| {
        let side = if x < 0.0 { "below" } else { "above" };
        format!("V_tot {:.*} {side} the return", 1 + decimals([x]), x.abs())
    });
    let parts = [
        optimism,
        gauged.effective_share.map(|x| format!("effective share {x:.2}")),
        gauged.log_likelihood.map(|x| format!("log likelihood {x:.3}")),
        gauged.squared_error.map(|x| format!("squared error {x:.4}")),
        gauged.action_distance.map(|x| format!("|action - data| {x:.3}")),
        gauged.outside.map(|x| format!("{:.1} % outside the data", 100.0 * x)),
    ];
    let which = if gauged.held_out { "held-out rows" } else { "rows that were learned from" };
    format!("{} {which}: {}", gauged.rows, parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
