//! One dataset and what was learned from it: `<root>/<task>/<quality>/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use omiga_train::RunFolder;

use crate::scores::{Row, Scores, mean_std};

/// What `omiga eval --json` said of a cell's runs.
const SCORES_FILE: &str = "eval.json";
/// The row of the data, which is no run.
const DATASET: &str = "dataset";

/// A dataset's place in the tables.
#[derive(Debug)]
pub struct Cell {
    pub task: String,
    pub quality: String,
    /// The episodes it was learned from.
    pub dataset: Option<Row>,
    /// Rows of policies that were not learned, e.g. `random`.
    pub others: Vec<Row>,
    /// By algorithm, in the alphabet's order.
    pub algorithms: Vec<Algorithm>,
}

/// What one algorithm learned with several seeds.
#[derive(Debug)]
pub struct Algorithm {
    pub name: String,
    pub runs: Vec<Run>,
}

/// One seed.
#[derive(Debug)]
pub struct Run {
    /// The folder's name, e.g. `seed-0`.
    pub name: String,
    /// The last checkpoint's episodes.
    pub played: Row,
    /// Those of the checkpoint that was best in training, on other episodes.
    pub best: Option<Row>,
    /// Mean return of each evaluation in training, and after how many updates.
    pub curve: Vec<(u64, f64)>,
    /// Updates of the newest record.
    pub updates: u64,
}

impl Cell {
    /// Every cell below `root`, in the order of their names; a folder without [`SCORES_FILE`] is not one (yet).
    ///
    /// # Errors
    /// What cannot be read or understood, by name; no cell at all.
    pub fn read_all(root: &Path) -> Result<Vec<Self>> {
        let mut cells = Vec::new();
        for task in folders(root)? {
            for quality in folders(&task)?.into_iter().filter(|folder| folder.join(SCORES_FILE).is_file()) {
                cells.push(Self::read(&quality, name(&task), name(&quality))?);
            }
        }
        let expected = format!("<task>/<quality>/{SCORES_FILE}");
        ensure!(!cells.is_empty(), "`{}` holds no {expected}; `make reproduce` makes them", root.display());
        Ok(cells)
    }

    fn read(folder: &Path, task: String, quality: String) -> Result<Self> {
        let path = folder.join(SCORES_FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let scores: Scores = serde_json::from_str(&text)
            .with_context(|| format!("`{}` is not what `omiga eval --json` prints", path.display()))?;
        let mut cell = Self { task, quality, dataset: None, others: Vec::new(), algorithms: Vec::new() };
        for row in scores.rows {
            let parts: Vec<String> = row.name.split('/').map(str::to_owned).collect();
            match parts.as_slice() {
                [one] if one == DATASET => cell.dataset = Some(row),
                [algorithm, run] => cell.add(folder, algorithm, run, row)?,
                // The best checkpoint of a run follows its last one.
                [algorithm, run, _best] => {
                    let runs = cell.algorithms.iter_mut().filter(|a| a.name == *algorithm).flat_map(|a| &mut a.runs);
                    runs.filter(|r| r.name == *run).for_each(|r| r.best = Some(row.clone()));
                }
                _ => cell.others.push(row),
            }
        }
        cell.algorithms.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(cell)
    }

    fn add(&mut self, folder: &Path, algorithm: &str, run: &str, last: Row) -> Result<()> {
        let folder = RunFolder::open(&folder.join(algorithm).join(run));
        let updates = folder.records()?.last().map_or(0, |record| record.step);
        let curve = folder.evaluations()?.iter().map(|found| (found.step, found.return_mean)).collect();
        let run = Run { name: run.to_owned(), played: last, best: None, curve, updates };
        match self.algorithms.iter_mut().find(|a| a.name == algorithm) {
            Some(known) => known.runs.push(run),
            None => self.algorithms.push(Algorithm { name: algorithm.to_owned(), runs: vec![run] }),
        }
        Ok(())
    }
}

impl Run {
    /// Mean return of the last checkpoint.
    pub fn last(&self) -> Option<f64> {
        Some(self.played.return_mean)
    }

    /// Mean of the evaluations in the second half of the training, if there were any.
    pub fn second_half(&self) -> Option<f64> {
        let late = self.curve.iter().filter(|(step, _)| 2 * step > self.updates).map(|(_, x)| *x);
        let late: Vec<f64> = late.collect();
        (!late.is_empty()).then(|| mean_std(&late).0)
    }
}

fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(path).with_context(|| format!("cannot read folder `{}`", path.display()))?;
    let mut folders: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
