//! A list of trainings that was given to Slurm, in a folder of its own: `<sweep>/slurm/0000/`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use omiga_format::atomic;
use omiga_train::config::Config;
use serde::{Deserialize, Serialize};

use crate::plan::Training;
use crate::report::folders;

/// What each task does, by its number.
const TASKS_FILE: &str = "tasks.json";
/// The number of the job, once Slurm has taken it.
const JOB_FILE: &str = "job";
/// Bytes of a list that is one.
const LIMIT: u64 = 1 << 28;

/// What was submitted.
#[derive(Debug)]
pub struct Submission {
    pub folder: PathBuf,
    /// By their numbers in the array.
    pub tasks: Vec<Task>,
    /// The array's job, once Slurm has taken it.
    pub job: Option<String>,
}

/// A training in full, so that nothing that changes meanwhile changes it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Task {
    name: String,
    data: PathBuf,
    data_sha256: String,
    pub out: PathBuf,
    /// The resolved configuration.
    settings: String,
}

impl Task {
    pub fn new(training: &Training) -> Result<Self> {
        let job = &training.job;
        Ok(Self {
            name: job.name.clone(),
            data: job.data.path.clone(),
            data_sha256: training.data_sha256.clone(),
            out: job.out.clone(),
            settings: job.config.to_toml()?,
        })
    }

    /// The training, as it stands now.
    pub fn training(&self) -> Result<Training> {
        let config = Config::of_run(&self.name, &self.settings, &[])?;
        Training::new(self.name.clone(), &self.data, &self.data_sha256, &self.out, config)
    }
}

impl Submission {
    /// A new one of the sweep in `root`, in a folder that nobody else has.
    pub fn create(root: &Path, trainings: &[Training]) -> Result<Self> {
        let all = root.join("slurm");
        fs::create_dir_all(&all).with_context(|| format!("cannot create `{}`", all.display()))?;
        let mut number = folders(&all)?.len();
        let folder = loop {
            let folder = all.join(format!("{number:04}"));
            match fs::create_dir(&folder) {
                Ok(()) => break folder,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error).with_context(|| format!("cannot create `{}`", folder.display())),
            }
        };
        let tasks: Vec<Task> = trainings.iter().map(Task::new).collect::<Result<_>>()?;
        let text = serde_json::to_vec_pretty(&tasks).context("cannot write JSON")?;
        atomic::write(&folder.join(TASKS_FILE), &text)?;
        Ok(Self { folder, tasks, job: None })
    }

    /// All of the sweep in `root`, oldest first.
    pub fn all(root: &Path) -> Result<Vec<Self>> {
        let all = root.join("slurm");
        let there = if all.is_dir() { folders(&all)? } else { Vec::new() };
        // One whose list is not written yet is being made.
        there.iter().filter(|folder| folder.join(TASKS_FILE).is_file()).map(|folder| Self::read(folder)).collect()
    }

    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(TASKS_FILE);
        let tasks = serde_json::from_slice(&atomic::read(&path, LIMIT)?);
        let tasks = tasks.with_context(|| format!("`{}` is no list of tasks", path.display()))?;
        let job = fs::read_to_string(folder.join(JOB_FILE)).ok().map(|job| job.trim().to_owned());
        Ok(Self { folder: folder.to_owned(), tasks, job })
    }

    /// Slurm has taken it.
    pub fn taken(&mut self, job: &str) -> Result<()> {
        atomic::write(&self.folder.join(JOB_FILE), format!("{job}\n").as_bytes())?;
        self.job = Some(job.to_owned());
        Ok(())
    }

    /// The number of the task of the run in `out`.
    pub fn number(&self, out: &Path) -> Option<usize> {
        self.tasks.iter().position(|task| task.out == out)
    }

    /// What the task of this number wrote.
    pub fn log(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{number}.log"))
    }
}
