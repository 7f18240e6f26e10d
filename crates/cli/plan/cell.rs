//! The datasets of a plan, and what is trained on each.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use omiga_env::Quality;

use super::file::{AlgorithmPart, Plan};
use crate::preset;
use crate::report::DATA_FILE;

/// One dataset and everything that is made of it.
#[derive(Clone, Debug)]
pub struct Cell {
    /// `task/quality`, or the file's name.
    pub name: String,
    pub folder: PathBuf,
    /// The task that was named, if any: a file may say it itself.
    pub task: Option<String>,
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
    pub part: AlgorithmPart,
    pub seed: u64,
    pub folder: PathBuf,
}

impl Cell {
    /// Every cell of a plan, in its order.
    ///
    /// # Errors
    /// What a plan names and there is not.
    pub fn of_plan(plan: &Plan) -> Result<Vec<Self>> {
        let data = &plan.data;
        if let Some(file) = &data.file {
            let task = data.task.0.first().cloned();
            let quality = file.file_stem().map_or_else(|| "data".into(), |s| s.to_string_lossy().into_owned());
            let below = plan.report.is_some().then(|| Path::new(task.as_deref().unwrap_or("own")).join(&quality));
            return Ok(vec![Self::new(plan, task, quality, Source::File(file.clone()), below.as_deref())?]);
        }
        let mut cells = Vec::new();
        // A page names its rows by task and quality, as the folders are.
        let several = data.task.0.len() * data.quality.0.len().max(1) > 1 || plan.report.is_some();
        for task in &data.task.0 {
            let defaults = preset::amounts(task);
            let qualities = match data.quality.0.as_slice() {
                [] => vec![defaults.quality],
                some => some.iter().map(|q| q.parse().map_err(anyhow::Error::msg)).collect::<Result<_>>()?,
            };
            for quality in qualities {
                let episodes = data.episodes.unwrap_or(defaults.episodes);
                let source = Source::Collected { quality, episodes, seed: data.seed };
                let below = several.then(|| Path::new(task).join(quality.name()));
                cells.push(Self::new(plan, Some(task.clone()), quality.name().to_owned(), source, below.as_deref())?);
            }
        }
        Ok(cells)
    }

    fn new(plan: &Plan, task: Option<String>, quality: String, source: Source, below: Option<&Path>) -> Result<Self> {
        let name = match (&task, &source) {
            (Some(task), Source::Collected { .. }) => format!("{task}/{quality}"),
            _ => quality.clone(),
        };
        let folder = match below {
            Some(below) => plan.out.clone().context("a plan with several datasets needs `out`, a folder")?.join(below),
            None => plan.out.clone().unwrap_or_else(|| {
                Path::new("runs").join(format!("{}-seed{}", name.replace('/', "-"), plan.data.seed))
            }),
        };
        let episodes = plan.evaluate.episodes.unwrap_or(preset::amounts(task.as_deref().unwrap_or("")).played);
        let mut runs = Vec::new();
        for algorithm in &plan.train.algorithms.0 {
            let part = plan.algorithm(algorithm)?;
            runs.extend(plan.train.seeds.clone().map(|seed| Run {
                algorithm: algorithm.clone(),
                part: part.clone(),
                seed,
                folder: folder.join(algorithm).join(format!("seed-{seed}")),
            }));
        }
        Ok(Self { name, folder, task, source, runs, episodes })
    }

    /// The dataset's file.
    pub fn data(&self) -> PathBuf {
        match &self.source {
            Source::Collected { .. } => self.folder.join(DATA_FILE),
            Source::File(path) => path.clone(),
        }
    }
}

impl Run {
    /// As rows and messages call it.
    pub fn name(&self) -> String {
        format!("{}/seed-{}", self.algorithm, self.seed)
    }
}
