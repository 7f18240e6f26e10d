//! The files of a run: configuration, metrics and checkpoints.

use std::path::{Path, PathBuf};
use std::{fs, io};

use omiga_format::{Checkpoint, atomic};

use crate::config::Config;
use crate::metrics::{self, EVENTS_FILE, METRICS_FILE, Record};
use crate::{Error, Result};

/// The resolved configuration.
pub const CONFIG_FILE: &str = "config.toml";
/// The checkpoint with the best evaluation so far.
pub const BEST_FILE: &str = "best.safetensors";
/// The newest checkpoint of a finished or interrupted run.
pub const LAST_FILE: &str = "last.safetensors";

const CHECKPOINT_PREFIX: &str = "step_";
const CHECKPOINT_SUFFIX: &str = ".safetensors";

/// A folder that holds one run: `config.toml`, `metrics.jsonl`, an event file, `step_*.safetensors`,
/// `best.safetensors`, `last.safetensors`.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// A new run in `path`, which must not hold one already.
    ///
    /// # Errors
    /// [`Error::Occupied`] or [`omiga_format::Error::Io`].
    pub fn create(path: &Path, config: &Config) -> Result<Self> {
        fs::create_dir_all(path).map_err(atomic::io("cannot create", path))?;
        Self::require_vacant(path)?;
        let folder = Self::open(path);
        folder.store_config(config)?;
        Ok(folder)
    }

    /// Is there no run in `path`?
    pub(crate) fn require_vacant(path: &Path) -> Result<()> {
        match path.join(CONFIG_FILE).exists() {
            true => Err(Error::Occupied { path: path.to_owned() }),
            false => Ok(()),
        }
    }

    /// The run in `path`.
    pub fn open(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Steps that have a checkpoint, ascending.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn steps(&self) -> Result<Vec<u64>> {
        let step =
            |name: &String| name.strip_prefix(CHECKPOINT_PREFIX)?.strip_suffix(CHECKPOINT_SUFFIX)?.parse::<u64>().ok();
        let mut steps: Vec<_> = self.names()?.iter().filter_map(step).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    /// Where the checkpoint of `step` is.
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.path.join(format!("{CHECKPOINT_PREFIX}{step:09}{CHECKPOINT_SUFFIX}"))
    }

    /// The newest checkpoint that can be read, if there is any; a damaged one is passed over.
    ///
    /// # Errors
    /// Why the newest is damaged, if all are.
    pub fn newest(&self) -> Result<Option<Checkpoint>> {
        let mut first_error = None;
        for step in self.steps()?.into_iter().rev() {
            match Checkpoint::read(&self.checkpoint(step)) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(None), |error| Err(Error::Format(error)))
    }

    /// What was measured so far, in order; a line cut off by a crash is left out.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn records(&self) -> Result<Vec<Record>> {
        metrics::read_until(&self.path, u64::MAX)
    }

    /// Store the resolved configuration.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn store_config(&self, config: &Config) -> Result<()> {
        Ok(atomic::write(&self.path.join(CONFIG_FILE), config.to_toml()?.as_bytes())?)
    }

    /// Remove the temporary files that a killed run left behind.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn sweep(&self) -> Result<()> {
        for name in self.names()? {
            let ours = [CHECKPOINT_PREFIX, BEST_FILE, LAST_FILE, CONFIG_FILE, METRICS_FILE, EVENTS_FILE];
            let of = name.strip_prefix('.').filter(|name| name.ends_with(".tmp"));
            if of.is_some_and(|of| ours.iter().any(|ours| of.starts_with(ours))) {
                self.remove(&self.path.join(name))?;
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>> {
        let read = |e: fs::DirEntry| e.file_name().to_string_lossy().into_owned();
        let entries = fs::read_dir(&self.path).and_then(|all| all.map(|e| e.map(read)).collect::<io::Result<Vec<_>>>());
        Ok(entries.map_err(atomic::io("cannot read", &self.path))?)
    }

    /// Store a checkpoint, also as the last one. Of the others the `keep` newest before it are kept; one of a later
    /// step can only be damaged, else the run had gone on from there.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn store(&self, checkpoint: &Checkpoint, keep: usize) -> Result<()> {
        let bytes = checkpoint.to_bytes()?;
        atomic::write(&self.checkpoint(checkpoint.meta.step), &bytes)?;
        atomic::write(&self.path.join(LAST_FILE), &bytes)?;
        let (before, later): (Vec<_>, Vec<_>) = self.steps()?.into_iter().partition(|s| *s <= checkpoint.meta.step);
        let old = &before[..before.len().saturating_sub(keep)];
        old.iter().chain(&later).try_for_each(|step| self.remove(&self.checkpoint(*step)))
    }

    /// Is the last checkpoint there, whole, and of `step`? Then it is not written again: what was made of it is newer.
    pub(crate) fn is_last(&self, step: u64) -> bool {
        Checkpoint::read(&self.path.join(LAST_FILE)).is_ok_and(|last| last.meta.step == step)
    }

    /// Remove the best checkpoint if it is of a later step than this. Was it?
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub(crate) fn remove_best_after(&self, step: u64) -> Result<bool> {
        let path = self.path.join(BEST_FILE);
        let later = Checkpoint::read(&path).is_ok_and(|best| best.meta.step > step);
        if later {
            self.remove(&path)?;
        }
        Ok(later)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        Ok(fs::remove_file(path).map_err(atomic::io("cannot remove", path))?)
    }

    /// Store the best checkpoint so far.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn store_best(&self, checkpoint: &Checkpoint) -> Result<()> {
        Ok(checkpoint.write(&self.path.join(BEST_FILE))?)
    }
}
