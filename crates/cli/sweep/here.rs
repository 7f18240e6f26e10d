//! Trainings by this process.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use crate::output::in_full;
use crate::plan::{Summary, Training};
use crate::training::{Ended, Job, run_all};

/// Do these, as many at a time as threads; each has its record as soon as it is over.
pub fn here(trainings: &[Training], threads: NonZeroUsize, stop: &AtomicBool) -> Summary {
    let summary = Mutex::new(Summary::default());
    let on_end = |job: &Job, result: &Result<Ended>| {
        let Some(training) = trainings.iter().find(|training| training.job.out == job.out) else { return };
        let outcome = training.end(result.as_ref().map(|ended| ended.state).map_err(in_full));
        summary.lock().unwrap_or_else(PoisonError::into_inner).add(&job.name, outcome);
    };
    let jobs: Vec<Job> = trainings.iter().map(|training| training.job.clone()).collect();
    drop(run_all(&jobs, threads, stop, &on_end));
    summary.into_inner().unwrap_or_else(PoisonError::into_inner)
}
