//! Checkpoints among which one is chosen.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use omiga_format::{Checkpoint, CheckpointMeta};
use omiga_train::config::Config;
use omiga_train::{BEST_FILE, CONFIG_FILE, RunFolder};

use crate::report::folders;

/// Levels of folders below one that is named: dataset, algorithm, seed.
const DEPTH: usize = 3;

/// A stored checkpoint of a run.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The run's folder and the step, as a table shows them.
    pub name: String,
    pub run: PathBuf,
    pub path: PathBuf,
    pub meta: CheckpointMeta,
    /// The run's.
    pub config: Config,
}

impl Candidate {
    /// Every checkpoint that was kept in these runs, or in the runs below these folders: by step, and the best one.
    ///
    /// # Errors
    /// A folder without a run, or a run that cannot be read.
    pub fn all(paths: &[PathBuf]) -> Result<Vec<Self>> {
        let mut runs = Vec::new();
        for path in paths {
            ensure!(path.is_dir(), "`{}` is no folder; name runs, or folders with runs below them", path.display());
            let before = runs.len();
            find(path, DEPTH, &mut runs)?;
            ensure!(runs.len() > before, "`{}` holds no run: no `{CONFIG_FILE}` in it or below", path.display());
        }
        let mut seen = Vec::new();
        let mut all = Vec::new();
        for run in &runs {
            // However it was called: `./runs/bc` is `runs/bc`.
            let place = run.canonicalize().with_context(|| format!("cannot read folder `{}`", run.display()))?;
            if !seen.contains(&place) {
                seen.push(place);
                all.append(&mut Self::of_run(run)?);
            }
        }
        if all.is_empty() {
            bail!("no run holds a checkpoint; has none got to its first `run.checkpoint_every` updates?");
        }
        Ok(all)
    }

    fn of_run(run: &Path) -> Result<Vec<Self>> {
        let folder = RunFolder::open(run);
        let mut paths: Vec<_> = folder.steps()?.into_iter().map(|step| folder.checkpoint(step)).collect();
        paths.extend(Some(run.join(BEST_FILE)).filter(|best| best.is_file()));
        let mut all: Vec<Self> = Vec::new();
        for path in paths {
            let meta = Checkpoint::read(&path)?.meta;
            // Only the discount and how the file is read matter here: those of other versions will do.
            let config = Config::from_parts(&[(&path.display().to_string(), &meta.config)], &[])?;
            // The best is most often one of the others.
            if all.iter().all(|known| known.meta.step != meta.step) {
                let name = format!("{}@{}", run.display(), meta.step);
                all.push(Self { name, run: run.to_owned(), path, meta, config });
            }
        }
        all.sort_by_key(|candidate| candidate.meta.step);
        Ok(all)
    }
}

/// The runs in a folder, itself or below, in the order of their names.
fn find(path: &Path, depth: usize, runs: &mut Vec<PathBuf>) -> Result<()> {
    if path.join(CONFIG_FILE).is_file() {
        runs.push(path.to_owned());
    } else if depth > 0 {
        folders(path)?.iter().try_for_each(|folder| find(folder, depth - 1, runs))?;
    }
    Ok(())
}
