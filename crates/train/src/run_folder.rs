//! The files of a run: configuration, metrics and checkpoints.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use omiga_format::{Checkpoint, atomic};

use crate::config::Config;
use crate::evaluations::{self, EVALUATIONS_FILE, best_of};
use crate::gauge::{GAUGES_FILE, Gauged};
use crate::json_lines;
use crate::judge::Judge;
use crate::metrics::{self, EVENTS_FILE, METRICS_FILE, Record};
use crate::observer::{Evaluated, Score};
use crate::{Error, Result};

/// The resolved configuration.
pub const CONFIG_FILE: &str = "config.toml";
/// The checkpoint with the best evaluation so far.
pub const BEST_FILE: &str = "best.safetensors";
/// The newest checkpoint of a finished or interrupted run.
pub const LAST_FILE: &str = "last.safetensors";

/// Empty; whoever works in the folder holds a lock on it, which ends with the process.
const LOCK_FILE: &str = ".lock";
const CHECKPOINT_PREFIX: &str = "step_";
const CHECKPOINT_SUFFIX: &str = ".safetensors";

/// A folder that holds one run: `config.toml`, `metrics.jsonl`, `evaluations.jsonl`, `gauges.jsonl`, an event file,
/// `step_*.safetensors`, `best.safetensors`, `last.safetensors`.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    lock: Option<Arc<File>>,
}

impl RunFolder {
    /// A new run in `path`, which must not hold one already.
    ///
    /// # Errors
    /// [`Error::Occupied`] or [`omiga_format::Error::Io`].
    pub fn create(path: &Path, config: &Config) -> Result<Self> {
        fs::create_dir_all(path).map_err(atomic::io("cannot create", path))?;
        Self::require_vacant(path)?;
        let folder = Self::open(path).locked()?;
        // Another process may have been here meanwhile.
        Self::require_vacant(path)?;
        folder.store_config(config)?;
        Ok(folder)
    }

    /// Have the folder alone, until this and its clones are gone. On a file system without locks nothing is held.
    ///
    /// # Errors
    /// [`Error::Busy`] if another one has it; [`omiga_format::Error::Io`].
    pub(crate) fn locked(mut self) -> Result<Self> {
        let path = self.path.join(LOCK_FILE);
        let file = File::options().create(true).append(true).open(&path).map_err(atomic::io("cannot write", &path))?;
        match file.try_lock() {
            Ok(()) => self.lock = Some(Arc::new(file)),
            Err(TryLockError::WouldBlock) => return Err(Error::Busy { path: self.path }),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(atomic::io("cannot lock", &path)(error).into()),
        }
        Ok(self)
    }

    /// Is there no run in `path`?
    ///
    /// # Errors
    /// [`Error::Occupied`].
    pub fn require_vacant(path: &Path) -> Result<()> {
        match path.join(CONFIG_FILE).exists() {
            true => Err(Error::Occupied { path: path.to_owned() }),
            false => Ok(()),
        }
    }

    /// The run in `path`.
    pub fn open(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: None }
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

    /// What the evaluations so far found, in order; a line cut off by a crash is left out.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn evaluations(&self) -> Result<Vec<Evaluated>> {
        evaluations::read(&self.path)
    }

    /// What the gauges showed so far, in order; a line cut off by a crash is left out.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn gauges(&self) -> Result<Vec<Gauged>> {
        json_lines::read(&self.path.join(GAUGES_FILE))
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
            let logs = [METRICS_FILE, EVALUATIONS_FILE, GAUGES_FILE, EVENTS_FILE];
            let mut ours = [CHECKPOINT_PREFIX, BEST_FILE, LAST_FILE, CONFIG_FILE].into_iter().chain(logs);
            let of = name.strip_prefix('.').filter(|name| name.ends_with(".tmp"));
            if of.is_some_and(|of| ours.any(|ours| of.starts_with(ours))) {
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

    /// Store a checkpoint, also as the last one.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn store(&self, checkpoint: &Checkpoint) -> Result<()> {
        let bytes = checkpoint.to_bytes()?;
        atomic::write(&self.checkpoint(checkpoint.meta.step), &bytes)?;
        Ok(atomic::write(&self.path.join(LAST_FILE), &bytes)?)
    }

    /// Keep the `keep` newest checkpoints up to `step`, and those that are still to be judged; one of a later step can only
    /// be damaged, else the run had gone on from there.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub(crate) fn prune(&self, keep: usize, step: u64, judge: &Judge) -> Result<()> {
        let (before, later): (Vec<_>, Vec<_>) = self.steps()?.into_iter().partition(|s| *s <= step);
        let old = before[..before.len().saturating_sub(keep)].iter().filter(|s| judge.pending().all(|p| p != **s));
        old.chain(&later).try_for_each(|step| self.remove(&self.checkpoint(*step)))
    }

    /// Is the last checkpoint there, whole, and of `step`? Then it is not written again: what was made of it is newer.
    pub(crate) fn is_last(&self, step: u64) -> bool {
        Checkpoint::read(&self.path.join(LAST_FILE)).is_ok_and(|last| last.meta.step == step)
    }

    /// Make the best checkpoint that of the best of these evaluations. `None` if there is none, or its checkpoint is gone:
    /// then the next evaluation is the best.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub(crate) fn settle_best(&self, scores: &[Score]) -> Result<Option<Score>> {
        let path = self.path.join(BEST_FILE);
        if let Some(best) = best_of(scores) {
            let is_of = |path: &Path| Checkpoint::read(path).is_ok_and(|found| found.meta.step == best.step);
            if is_of(&path) {
                return Ok(Some(best));
            }
            if is_of(&self.checkpoint(best.step)) {
                self.store_best(best.step)?;
                return Ok(Some(best));
            }
        }
        self.remove_if_there(&path)?;
        Ok(None)
    }

    /// Is there a best checkpoint?
    pub(crate) fn has_best(&self) -> bool {
        self.path.join(BEST_FILE).is_file()
    }

    /// Remove the best and the last checkpoint: the run begins again, and these are of an earlier life.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub(crate) fn remove_ends(&self) -> Result<()> {
        [BEST_FILE, LAST_FILE].into_iter().try_for_each(|name| self.remove_if_there(&self.path.join(name)))
    }

    fn remove_if_there(&self, path: &Path) -> Result<()> {
        if path.exists() { self.remove(path) } else { Ok(()) }
    }

    fn remove(&self, path: &Path) -> Result<()> {
        Ok(fs::remove_file(path).map_err(atomic::io("cannot remove", path))?)
    }

    /// Make the stored checkpoint of `step` the best.
    ///
    /// # Errors
    /// [`omiga_format::Error`] when it cannot be read or written.
    pub(crate) fn store_best(&self, step: u64) -> Result<()> {
        let bytes = atomic::read(&self.checkpoint(step), Checkpoint::MAX_BYTES)?;
        Ok(atomic::write(&self.path.join(BEST_FILE), &bytes)?)
    }
}
