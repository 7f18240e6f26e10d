//! What a task of an array does.

use std::env;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use omiga_dataset::{Dataset, LoadOptions};
use omiga_train::RunFolder;

use super::submission::Submission;
use crate::output::note;
use crate::plan::{Outcome, Standing, Summary, Training};
use crate::stop;
use crate::sweep::here;

/// Do the training of this number, or the rest of it. When only its time is up, it is queued again.
///
/// # Errors
/// There is no such training, or it cannot be queued again.
pub fn task(folder: &Path, number: usize, threads: NonZeroUsize) -> Result<Summary> {
    let stop = stop::on_signal_of_batch()?;
    let submission = Submission::read(folder)?;
    let training = submission.tasks.get(number).with_context(|| {
        format!("there is no task {number} in `{}`, which has {}", folder.display(), submission.tasks.len())
    })?;
    let training = training.training()?;
    if training.standing()? == Standing::Current {
        let mut summary = Summary::default();
        summary.add(&training.job.name, Ok(Outcome::Kept));
        return Ok(summary);
    }
    require_same_data(&training)?;
    let before = updates(&training)?;
    let summary = here(std::slice::from_ref(&training), threads, stop);
    if summary.count(Outcome::Interrupted) > 0 && stop::time_is_up() {
        let after = updates(&training)?;
        ensure!(
            after > before,
            "{}: no update was done before the time was up; it is not queued again: raise `slurm.time`",
            training.job.name
        );
        queue_again()?;
    }
    Ok(summary)
}

/// A task may wait for days, and its record says which data it learned from.
fn require_same_data(training: &Training) -> Result<()> {
    let data = &training.job.data.path;
    let (_, found) = Dataset::outline_and_sha256(data, &LoadOptions::default())?;
    ensure!(
        found == training.data_sha256,
        "`{}` is not what it was when this was submitted (SHA-256 {}, now {found}); bring it back, or submit anew into another `out`",
        data.display(),
        training.data_sha256
    );
    Ok(())
}

/// Updates of the newest checkpoint.
fn updates(training: &Training) -> Result<u64> {
    let out = &training.job.out;
    let steps = if out.is_dir() { RunFolder::open(out).steps()? } else { Vec::new() };
    Ok(steps.last().copied().unwrap_or(0))
}

fn queue_again() -> Result<()> {
    let Ok(job) = env::var("SLURM_JOB_ID") else { return Ok(()) };
    let output = Command::new("scontrol").args(["requeue", &job]).output().context("cannot run `scontrol`")?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!(
            "the time is up, and job {job} cannot be queued again: {why}; `omiga sweep FILE --on slurm --resume` does"
        );
    }
    note(format!("the time is up: job {job} is queued again, and goes on from here"));
    Ok(())
}
