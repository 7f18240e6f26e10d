//! One dataset and what was learned from it: `<root>/<task>/<quality>/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use omiga_env::statistics::{Estimate, difference, over_runs};
use omiga_train::RunFolder;

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
}

/// One seed.
#[derive(Debug)]
pub struct Run {
    /// The folder's name, e.g. `seed-0`.
    pub name: String,
    /// The last checkpoint's episodes.
    pub played: Row,
    /// Those of the checkpoint that was best in training.
    pub best: Option<Row>,
    /// Mean return of each evaluation in training, and after how many updates.
    pub curve: Vec<(u64, f64)>,
    /// Updates of the newest record.
    pub updates: u64,
}

impl Cell {
    /// Every cell below `root`, in the order of their names, or `root` itself; a folder without [`SCORES_FILE`] is not one (yet).
    ///
    /// # Errors
    /// What cannot be read or understood, by name; no cell at all.
    pub fn read_all(root: &Path) -> Result<Vec<Self>> {
        if root.join(SCORES_FILE).is_file() {
            return Ok(vec![Self::read(root, None, name(root))?]);
        }
        let mut cells = Vec::new();
        for task in folders(root)? {
            for quality in folders(&task)?.into_iter().filter(|folder| folder.join(SCORES_FILE).is_file()) {
                cells.push(Self::read(&quality, Some(name(&task)), name(&quality))?);
            }
        }
        let expected = format!("{SCORES_FILE} and no <task>/<quality>/{SCORES_FILE}");
        ensure!(!cells.is_empty(), "`{}` holds no {expected}; `omiga run` makes them", root.display());
        Ok(cells)
    }

    fn read(folder: &Path, task: Option<String>, quality: String) -> Result<Self> {
        let scores = Scores::read(&folder.join(SCORES_FILE))?;
        let Scores { simulator, engine, failed, .. } = scores;
        let (dataset, others, algorithms) = (None, Vec::new(), Vec::new());
        let (folder, task) = (folder.to_owned(), task.unwrap_or(scores.task));
        let mut cell = Self { folder, task, quality, simulator, engine, dataset, others, algorithms, failed };
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
        cell.algorithms.sort_by(|a, b| a.name.cmp(&b.name));
        cell.algorithms.iter_mut().for_each(|a| a.runs.sort_by(|a, b| a.name.cmp(&b.name)));
        Ok(cell)
    }

    fn add(&mut self, algorithm: &str, run: &str, last: Row) -> Result<()> {
        let folder = RunFolder::open(&self.folder.join(algorithm).join(run));
        let updates = folder.records()?.last().map_or(0, |record| record.step);
        let curve = folder.evaluations()?.iter().map(|found| (found.step, found.return_mean)).collect();
        let run = Run { name: run.to_owned(), played: last, best: None, curve, updates };
        match self.algorithms.iter_mut().find(|a| a.name == algorithm) {
            Some(known) => known.runs.push(run),
            None => self.algorithms.push(Algorithm { name: algorithm.to_owned(), runs: vec![run] }),
        }
        Ok(())
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

    /// Mean of the last evaluations in training, over seeds; nothing if a run has none.
    pub fn late(&self) -> Option<Estimate> {
        Some(over_runs(&self.late_values()?))
    }

    /// How much better the last checkpoints are than another algorithm's. Seeds are paired if both have the same ones.
    pub fn last_above(&self, other: &Self) -> Estimate {
        difference(&self.returns(), &other.returns(), self.has_seeds_of(other))
    }

    /// The same of the last evaluations in training.
    pub fn late_above(&self, other: &Self) -> Option<Estimate> {
        Some(difference(&self.late_values()?, &other.late_values()?, self.has_seeds_of(other)))
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
