//! What is in Slurm's queue.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::submission::Submission;

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Waiting,
    /// Or coming to its end.
    Running,
}

/// This user's tasks, by job and number.
#[derive(Debug, Default)]
pub struct Queue(BTreeMap<(String, usize), Place>);

impl Queue {
    /// As it is now; Slurm is not asked where nothing was submitted.
    ///
    /// # Errors
    /// There is no `squeue`, or it has no answer.
    pub fn of(submissions: &[Submission]) -> Result<Self> {
        if submissions.is_empty() {
            return Ok(Self::default());
        }
        let asked = Command::new("squeue").args(["--me", "--array", "--noheader", "--format=%F %K %t"]).output();
        let output = asked.context("cannot run `squeue`, which says what Slurm still has to do")?;
        ensure!(output.status.success(), "squeue: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(Self::parse(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Lines of job, number in its array, and state. Jobs that are no arrays have no number.
    fn parse(text: &str) -> Self {
        let task = |line: &str| {
            let mut words = line.split_whitespace();
            let (job, number, state) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
            let place = match state {
                "R" | "CG" | "CF" | "S" | "ST" | "SI" | "SO" => Place::Running,
                "PD" | "RQ" | "RH" | "RF" | "RD" | "RS" | "SE" => Place::Waiting,
                // What is over may be shown for a while.
                _ => return None,
            };
            Some(((job.to_owned(), number), place))
        };
        Self(text.lines().filter_map(task).collect())
    }

    /// Where the run in `out` is, if one of these has it still to do.
    pub fn place(&self, submissions: &[Submission], out: &Path) -> Option<Place> {
        let places = submissions.iter().filter_map(|one| self.0.get(&(one.job.clone()?, one.number(out)?)));
        places.copied().next_back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squeue_says_who_waits_and_who_runs() {
        let queue = Queue::parse("12 0 R\n12 1 CG\n12 2 PD\n12 10 RQ\n7 N/A R\n12 3 CD\n\n");
        let place = |number| queue.0.get(&("12".to_owned(), number)).copied();
        let (running, waiting) = (Some(Place::Running), Some(Place::Waiting));
        assert_eq!([0, 1, 2, 10, 3].map(place), [running, running, waiting, waiting, None]);
        assert_eq!(queue.0.len(), 4);
    }
}
