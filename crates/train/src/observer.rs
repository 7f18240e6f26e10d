//! Who watches a run, and who judges its policies; the trainer itself knows no environment and no terminal.

use std::sync::atomic::AtomicBool;

use omiga_format::{Checkpoint, Measured};
use serde::{Deserialize, Serialize};

use crate::Gauged;
use crate::algo::Metrics;

/// Somebody else's error.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Watches a run, on the thread of its updates.
pub trait Observer: Send {
    /// After every update; does nothing unless overridden.
    fn progress(&mut self, _step: u64, _steps: u64, _metrics: &Metrics) {}

    /// What the gauges show, where an evaluation is due, whether or not somebody judges; does nothing unless overridden.
    fn gauged(&mut self, _gauged: &Gauged) {}

    /// Who judges the checkpoints of every `run.eval_every` updates and the last one; unless overridden nobody does. Asked
    /// for once, when updates begin.
    fn evaluator(&mut self) -> Option<Box<dyn Evaluator>> {
        None
    }

    /// What the evaluation of a checkpoint found, or why it found nothing; in the order of steps.
    fn evaluated(&mut self, _step: u64, _found: Result<&Evaluated, &BoxedError>) {}
}

/// Judges checkpoints, on a thread of its own beside the updates.
pub trait Evaluator: Send {
    /// Play the policies of a stored checkpoint. `None` if `stop` was set meanwhile: it is then asked again when the run goes
    /// on.
    ///
    /// # Errors
    /// Whatever goes wrong. It is noted and counted, and the run goes on.
    ///
    /// # Determinism
    /// A resumed run equals one that never stopped only if equal checkpoints have equal results.
    fn evaluate(&mut self, checkpoint: Checkpoint, stop: &AtomicBool) -> Result<Option<Evaluated>, BoxedError>;
}

/// What an evaluation found: a line of `evaluations.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Updates that the policies had.
    pub step: u64,
    /// Mean return of the episodes.
    pub return_mean: f64,
    /// Its standard deviation over episodes.
    pub return_std: f64,
    /// 95 % interval of the mean, if there are episodes enough for one.
    pub ci95: Option<(f64, f64)>,
    /// Mean number of steps of an episode.
    pub length_mean: f64,
    /// Episodes in which the simulation diverged.
    pub diverged: u32,
    /// Each episode's return.
    pub returns: Vec<f64>,
    /// Each episode's number of steps.
    pub lengths: Vec<u32>,
    /// What the task is judged by beside the return, if by anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Measured>,
}

/// A checkpoint's step and the mean return of its evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Updates done.
    pub step: u64,
    /// Of the episodes of that step.
    pub return_mean: f64,
}
