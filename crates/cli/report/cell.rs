//! One dataset and what was learned from it: `<root>/<task>/<quality>/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use omiga_env::Quality;
use omiga_env::statistics::{Estimate, Interval, difference, over_runs};
use omiga_format::{Measured, Metric};
use omiga_train::RunFolder;
use serde::Deserialize;

use super::together::together;
use super::tuned::{self, Tuned};
use crate::scores::{DATASET, Failure, Late, Row, SCORES_FILE, Scores};

/// A dataset that was recorded, in its cell's folder.
pub const DATA_FILE: &str = "data.hdf5";
/// The bundle of a run's last checkpoint, in the run's folder.
pub const BUNDLE_FOLDER: &str = "bundle";

/// A dataset's place in the tables.
#[derive(Debug)]
pub struct Cell {
    pub folder: PathBuf,
    pub task: String,
    pub quality: String,
    pub simulator: Option<String>,
    pub engine: Option<String>,
    /// The seed of the episodes that were played, and how many.
    pub episodes: (u64, u32),
    /// The episodes it was learned from.
    pub dataset: Option<Row>,
    /// Rows of policies that were not learned, e.g. `random`.
    pub others: Vec<Row>,
    /// By algorithm, in the alphabet's order.
    pub algorithms: Vec<Algorithm>,
    pub failed: Vec<Failure>,
}

/// What one algorithm learned with several seeds.
#[derive(Debug)]
pub struct Algorithm {
    pub name: String,
    /// By name.
    pub runs: Vec<Run>,
    /// Were its settings tuned on this dataset?
    pub tuned: bool,
}

/// Which returns of a run stand for it when algorithms are compared: those of the last checkpoint's episodes, or of the last
/// evaluations in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    #[default]
    LastCheckpoint,
    LastEvaluations,
}

/// One seed.
#[derive(Debug)]
pub struct Run {
    /// The folder's name, e.g. `seed-0`.
    pub name: String,
    pub folder: PathBuf,
    /// The last checkpoint's episodes.
    pub played: Row,
    /// Those of the checkpoint that was best in training.
    pub best: Option<Row>,
    /// Mean return of each evaluation in training, and after how many updates.
    pub curve: Vec<(u64, f64)>,
    /// Updates of the newest record or evaluation.
    pub updates: u64,
}

impl Cell {
    /// Every cell of these folders, those of one dataset put together, by task, from the worst quality to the best. A folder is one itself, or holds some as `<name>/` or
    /// `<task>/<name>/`; one without [`SCORES_FILE`] is not one (yet).
    ///
    /// # Errors
    /// What cannot be read or understood, by name; a folder without a cell; two cells of one task and name that are not [`together`].
    pub fn read_all(roots: &[PathBuf]) -> Result<Vec<Self>> {
        let mut cells = Vec::new();
        for root in roots {
            let before = cells.len();
            Self::read_below(root, &mut cells)?;
            let expected = format!("{SCORES_FILE}, <name>/{SCORES_FILE} or <task>/<quality>/{SCORES_FILE}");
            ensure!(cells.len() > before, "`{}` holds no {expected}; `omiga run` makes them", root.display());
        }
        cells.sort_by(|a, b| (&a.task, rank(&a.quality), &a.quality).cmp(&(&b.task, rank(&b.quality), &b.quality)));
        together(cells)
    }

    /// Mark the algorithms that were tuned on this dataset.
    pub fn mark(&mut self, tuned: &Tuned) {
        for algorithm in &mut self.algorithms {
            let said = tuned.get(&algorithm.name);
            algorithm.tuned = said.is_some_and(|said| tuned::names(said, &self.task, &self.quality));
        }
    }

    fn read_below(root: &Path, cells: &mut Vec<Self>) -> Result<()> {
        let is_cell = |folder: &Path| folder.join(SCORES_FILE).is_file();
        if is_cell(root) {
            cells.push(Self::read(root, None)?);
            return Ok(());
        }
        for folder in folders(root)? {
            if is_cell(&folder) {
                cells.push(Self::read(&folder, None)?);
                continue;
            }
            for quality in folders(&folder)?.iter().filter(|folder| is_cell(folder)) {
                cells.push(Self::read(quality, Some(name(&folder)))?);
            }
        }
        Ok(())
    }

    /// The cell in `folder`; without the `task` that a folder above is called by, that of its table.
    fn read(folder: &Path, task: Option<String>) -> Result<Self> {
        let scores = Scores::read(&folder.join(SCORES_FILE))?;
        let Scores { simulator, engine, failed, seed, episodes, .. } = scores;
        let episodes = (seed, episodes);
        let (dataset, others, algorithms) = (None, Vec::new(), Vec::new());
        let (called, task) = (name(folder), task.unwrap_or(scores.task));
        // `hopper-3x1-expert` is the task's `expert`.
        let quality = called.strip_prefix(&format!("{task}-")).unwrap_or(&called).to_owned();
        let folder = folder.to_owned();
        let mut cell = Self { folder, task, quality, simulator, engine, episodes, dataset, others, algorithms, failed };
        for row in scores.rows {
            let parts: Vec<String> = row.name.split('/').map(str::to_owned).collect();
            match parts.as_slice() {
                [one] if one == DATASET => cell.dataset = Some(row),
                [algorithm, run] => cell.add(algorithm, run, row)?,
                // The best checkpoint of a run follows its last one.
                [algorithm, run, _best] => {
                    let runs = cell.algorithms.iter_mut().filter(|a| a.name == *algorithm).flat_map(|a| &mut a.runs);
                    runs.filter(|r| r.name == *run).for_each(|r| r.best = Some(row.clone()));
                }
                _ => cell.others.push(row),
            }
        }
        cell.sort();
        Ok(cell)
    }

    fn add(&mut self, algorithm: &str, run: &str, last: Row) -> Result<()> {
        let path = self.folder.join(algorithm).join(run);
        let folder = RunFolder::open(&path);
        let curve: Vec<_> = folder.evaluations()?.iter().map(|found| (found.step, found.return_mean)).collect();
        let evaluated = curve.last().map_or(0, |(step, _)| *step);
        let updates = folder.records()?.last().map_or(0, |record| record.step).max(evaluated);
        let run = Run { name: run.to_owned(), folder: path, played: last, best: None, curve, updates };
        self.put(algorithm, run);
        Ok(())
    }

    /// Put a run beside those of its algorithm.
    pub fn put(&mut self, algorithm: &str, run: Run) {
        match self.algorithms.iter_mut().find(|a| a.name == algorithm) {
            Some(known) => known.runs.push(run),
            None => self.algorithms.push(Algorithm { name: algorithm.to_owned(), runs: vec![run], tuned: false }),
        }
    }

    /// Algorithms and their runs in the alphabet's order.
    pub fn sort(&mut self) {
        self.algorithms.sort_by(|a, b| a.name.cmp(&b.name));
        self.algorithms.iter_mut().for_each(|a| a.runs.sort_by(|a, b| a.name.cmp(&b.name)));
    }

    pub fn algorithm(&self, name: &str) -> Option<&Algorithm> {
        self.algorithms.iter().find(|a| a.name == name)
    }
}

impl Algorithm {
    /// Mean return of the last checkpoints, over seeds and episodes.
    pub fn last(&self) -> Estimate {
        match self.runs.as_slice() {
            // Without the returns its row has an interval of its own.
            [run] if run.played.returns.is_empty() => {
                Estimate { mean: run.played.return_mean, ci95: run.played.ci95, runs: 1 }
            }
            _ => over_runs(&self.returns()),
        }
    }

    /// What the last checkpoints' episodes had of a metric, over seeds and episodes; nothing if a run has no values.
    pub fn measured(&self, metric: &Metric) -> Option<Estimate> {
        let found: Option<Vec<&Measured>> = self.runs.iter().map(|run| run.played.measured(metric)).collect();
        match found?.as_slice() {
            // A single run's own interval knows that a rate stays within 0 and 1.
            [one] => Some(Estimate { mean: one.mean, ci95: one.ci95, runs: 1 }),
            several => {
                let over = over_runs(&several.iter().map(|one| one.values.clone()).collect::<Vec<_>>());
                let within =
                    |(low, high): Interval| if metric.is_share() { (low.max(0.0), high.min(1.0)) } else { (low, high) };
                Some(Estimate { ci95: over.ci95.map(within), ..over })
            }
        }
    }

    /// Mean of the last evaluations in training, over seeds; nothing if a run has none.
    pub fn late(&self) -> Option<Estimate> {
        Some(over_runs(&self.late_values()?))
    }

    /// How much better it is than another algorithm; nothing without evaluations in training, if these are asked for. Seeds are
    /// paired if both have the same ones.
    pub fn above(&self, other: &Self, measure: Measure) -> Option<Estimate> {
        let (ours, theirs) = match measure {
            Measure::LastCheckpoint => (self.returns(), other.returns()),
            Measure::LastEvaluations => (self.late_values()?, other.late_values()?),
        };
        Some(difference(&ours, &theirs, self.has_seeds_of(other)))
    }

    /// Mean return of every run; nothing if one has no evaluations in training, if these are asked for.
    pub fn means(&self, measure: Measure) -> Option<Vec<f64>> {
        match measure {
            Measure::LastCheckpoint => Some(self.runs.iter().map(|run| run.played.return_mean).collect()),
            Measure::LastEvaluations => self.runs.iter().map(Run::late).collect(),
        }
    }

    fn has_seeds_of(&self, other: &Self) -> bool {
        self.runs.iter().map(|run| &run.name).eq(other.runs.iter().map(|run| &run.name))
    }

    /// Of every run and episode; of older files each run's mean.
    fn returns(&self) -> Vec<Vec<f64>> {
        let known = self.runs.iter().all(|run| !run.played.returns.is_empty());
        let of_run = |run: &Run| if known { run.played.returns.clone() } else { vec![run.played.return_mean] };
        self.runs.iter().map(of_run).collect()
    }

    fn late_values(&self) -> Option<Vec<Vec<f64>>> {
        self.runs.iter().map(|run| Some(vec![run.late()?])).collect()
    }
}

impl Run {
    /// Mean of the last evaluations in training, if there were any.
    fn late(&self) -> Option<f64> {
        let returns: Vec<f64> = self.curve.iter().map(|(_, x)| *x).collect();
        Late::of(&returns).map(|late| late.return_mean)
    }
}

/// A quality's place from the worst to the best; other names come behind them.
fn rank(quality: &str) -> usize {
    Quality::ALL.iter().position(|known| known.name() == quality).unwrap_or(Quality::ALL.len())
}

/// The folders in a folder, in the order of their names.
///
/// # Errors
/// A folder that cannot be read.
pub fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(path).with_context(|| format!("cannot read folder `{}`", path.display()))?;
    let mut folders: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

/// The last part of a path.
pub fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
