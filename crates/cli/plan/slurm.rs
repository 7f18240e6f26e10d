//! How Slurm runs a plan's trainings.

use anyhow::{Result, ensure};
use serde::Deserialize;

/// What each task asks for; one training is one task. Unset values are the cluster's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlurmPart {
    /// Time limit as `sbatch --time` takes it, e.g. `4:00:00`. A training that needs longer goes on in further tasks.
    pub time: Option<String>,
    /// Cores, which are the training's threads.
    pub cpus: u32,
    /// Memory of the task, e.g. `8G`.
    pub memory: Option<String>,
    /// Graphics cards.
    pub gpus: u32,
    pub partition: Option<String>,
    pub account: Option<String>,
    pub qos: Option<String>,
    /// Tasks that run at a time, at most.
    pub at_once: Option<u32>,
    /// Tasks of an array; more become further arrays. Slurm's own limit is `MaxArraySize` - 1, by default 1000.
    pub array: u32,
    /// Seconds before the time limit at which a training stores its state and is queued again. Slurm may be a minute early.
    pub warning_s: u32,
    /// Lines of shell that come before the training, e.g. `module load cuda`.
    pub setup: String,
    /// Further options of `sbatch`, e.g. `["--constraint=avx512"]`.
    pub options: Vec<String>,
}

impl Default for SlurmPart {
    fn default() -> Self {
        Self {
            time: None,
            cpus: 1,
            memory: None,
            gpus: 0,
            partition: None,
            account: None,
            qos: None,
            at_once: None,
            array: 1000,
            warning_s: 120,
            setup: String::new(),
            options: Vec::new(),
        }
    }
}

impl SlurmPart {
    /// What can be said without Slurm.
    ///
    /// # Errors
    /// A number that cannot be, an option that is none.
    pub fn check(&self) -> Result<()> {
        let numbers = [("cpus", Some(self.cpus)), ("array", Some(self.array)), ("at_once", self.at_once)];
        for (name, number) in numbers {
            ensure!(number != Some(0), "`slurm.{name}` is 0, expected at least 1");
        }
        for option in &self.options {
            ensure!(option.starts_with('-'), "`slurm.options` has `{option}`, expected e.g. --constraint=avx512");
        }
        Ok(())
    }
}
