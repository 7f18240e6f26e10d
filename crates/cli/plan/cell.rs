//! The datasets of a plan, and what is trained on each.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use omiga_dataset::{Dataset, LoadOptions};
use omiga_env::{Quality, has_task};

use super::algorithm::Arm;
use super::data::OwnFile;
use super::file::{Plan, is_folder};
use crate::preset;
use crate::report::DATA_FILE;

/// Trainings on a dataset that somebody means.
const MOST_RUNS: u64 = 1_000_000;

/// One dataset and everything that is made of it.
#[derive(Clone, Debug)]
pub struct Cell {
    /// `task/quality`; of a file alone its name.
    pub name: String,
    pub folder: PathBuf,
    /// The task that was named, if any: a file may say it itself.
    pub task: Option<String>,
    /// The task as tables call it: the one that was named, the header's, or `own`.
    pub of: String,
    /// The quality, or the file's name.
    pub quality: String,
    pub source: Source,
    pub runs: Vec<Run>,
    /// Episodes that each policy plays.
    pub episodes: u32,
}

/// Where a dataset is from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Recorded for this plan.
    Collected { quality: Quality, episodes: u32, seed: u64 },
    /// Somebody's file.
    File(PathBuf),
}

/// One training.
#[derive(Clone, Debug)]
pub struct Run {
    /// The name of its rows.
    pub algorithm: String,
    pub arm: Arm,
    pub seed: u64,
    pub folder: PathBuf,
}

impl Cell {
    /// Every cell of a plan, the recorded ones first.
    ///
    /// # Errors
    /// What a plan names and there is not; two datasets of one name.
    pub fn of_plan(plan: &Plan) -> Result<Vec<Self>> {
        let mut subjects = Vec::new();
        for task in plan.data.recorded() {
            subjects.extend(Subject::recorded(plan, task)?);
        }
        subjects.extend(plan.data.own_files().iter().map(Subject::of_file).collect::<Result<Vec<_>>>()?);
        // A page names its rows by task and quality, as the folders are.
        let several = subjects.len() > 1 || plan.report.is_some();
        let mut cells: Vec<Self> = Vec::new();
        for subject in subjects {
            let cell = Self::new(plan, subject, several)?;
            let twice = cells.iter().any(|known| known.folder == cell.folder);
            ensure!(!twice, "two datasets would be `{}`; give one of them a `name`", cell.folder.display());
            cells.push(cell);
        }
        for algorithm in &plan.train.algorithms.0 {
            let arm = plan.algorithm(algorithm)?;
            let is_here = |name: &str| cells.iter().any(|cell| is_called(name, &cell.of, &cell.quality));
            for on in arm.on() {
                let known = is_here(on) || is_recordable(on);
                ensure!(known, "`algorithm.{algorithm}.on` has `{on}`, expected a task or <task>/<quality>");
            }
            if let Some(data) = arm.data().iter().find(|name| !is_here(name)) {
                bail!(
                    "`{algorithm}` is to be trained on `{data}`, which is no dataset of the plan; it has {}",
                    names(&cells)
                );
            }
        }
        Ok(cells)
    }

    fn new(plan: &Plan, subject: Subject, several: bool) -> Result<Self> {
        let Subject { task, of, quality, source } = subject;
        let full = format!("{of}/{quality}");
        let is_recorded = matches!(source, Source::Collected { .. });
        let name = if several || is_recorded { full.clone() } else { quality.clone() };
        let folder = match several {
            true => {
                plan.out.clone().context("a plan with several datasets or a page needs `out`, a folder")?.join(full)
            }
            false => plan.out.clone().unwrap_or_else(|| {
                Path::new("runs").join(format!("{}-seed{}", name.replace('/', "-"), plan.data.seed))
            }),
        };
        let episodes = plan.evaluate.episodes.unwrap_or(preset::amounts(&of).played);
        let mut runs = Vec::new();
        for algorithm in &plan.train.algorithms.0 {
            let arm = plan.algorithm(algorithm)?;
            if !arm.data().is_empty() && !arm.data().iter().any(|name| is_called(name, &of, &quality)) {
                continue;
            }
            let seeds = arm.seeds().unwrap_or(&plan.train.seeds).0.clone();
            let count = (seeds.end - seeds.start).saturating_add(runs.len() as u64);
            ensure!(
                count <= MOST_RUNS,
                "`{name}` has {count} trainings, expected at most {MOST_RUNS}; choose fewer seeds or rows"
            );
            runs.extend(seeds.map(|seed| Run {
                algorithm: algorithm.clone(),
                arm: arm.clone(),
                seed,
                folder: folder.join(algorithm).join(format!("seed-{seed}")),
            }));
        }
        Ok(Self { name, folder, task, of, quality, source, runs, episodes })
    }

    /// The dataset's file.
    pub fn data(&self) -> PathBuf {
        match &self.source {
            Source::Collected { .. } => self.folder.join(DATA_FILE),
            Source::File(path) => path.clone(),
        }
    }
}

/// Does `name` mean this dataset: its task, its quality or file, or both?
fn is_called(name: &str, of: &str, quality: &str) -> bool {
    name == of || name == quality || name == format!("{of}/{quality}")
}

/// Of all datasets, for a message.
fn names(cells: &[Cell]) -> String {
    cells.iter().map(|cell| format!("{}/{}", cell.of, cell.quality)).collect::<Vec<_>>().join(", ")
}

/// What a cell is about.
struct Subject {
    task: Option<String>,
    of: String,
    quality: String,
    source: Source,
}

impl Subject {
    /// Every quality that is recorded of a task.
    fn recorded(plan: &Plan, task: &str) -> Result<Vec<Self>> {
        let (data, defaults) = (&plan.data, preset::amounts(task));
        let qualities = match data.quality.0.as_slice() {
            [] => vec![defaults.quality],
            some => some.iter().map(|q| q.parse().map_err(anyhow::Error::msg)).collect::<Result<_>>()?,
        };
        let episodes = data.episodes.unwrap_or(defaults.episodes);
        let of = |quality: Quality| Self {
            task: Some(task.to_owned()),
            of: task.to_owned(),
            quality: quality.name().to_owned(),
            source: Source::Collected { quality, episodes, seed: data.seed },
        };
        Ok(qualities.into_iter().map(of).collect())
    }

    fn of_file(file: &OwnFile) -> Result<Self> {
        let quality = file.name();
        ensure!(
            file.name.as_deref().is_none_or(is_folder),
            "`{quality}` cannot name a dataset: it becomes a folder; use letters, digits and - _ . + = ,"
        );
        // A file that is not there is complained of when it is needed.
        let says = || {
            Dataset::outline(&file.path, &LoadOptions::default())
                .ok()
                .and_then(|outline| outline.declared_task().map(str::to_owned))
        };
        let of = file.task.clone().or_else(says).unwrap_or_else(|| "own".to_owned());
        Ok(Self { task: file.task.clone(), of, quality, source: Source::File(file.path.clone()) })
    }
}

/// A task that can be played here, or one of its qualities.
fn is_recordable(name: &str) -> bool {
    let (task, quality) = name.split_once('/').map_or((name, None), |(task, quality)| (task, Some(quality)));
    has_task(task) && quality.is_none_or(|quality| quality.parse::<Quality>().is_ok())
}

impl Run {
    /// As rows and messages call it.
    pub fn name(&self) -> String {
        format!("{}/seed-{}", self.algorithm, self.seed)
    }
}
