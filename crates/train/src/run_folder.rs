//! The files of a run: configuration, metrics and checkpoints.

use std::fs;
use std::path::{Path, PathBuf};

use omiga_format::{Checkpoint, atomic};

use crate::config::Config;
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
        if path.join(CONFIG_FILE).exists() {
            return Err(Error::Occupied { path: path.to_owned() });
        }
        atomic::write(&path.join(CONFIG_FILE), config.to_toml()?.as_bytes())?;
        Ok(Self { path: path.to_owned() })
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
        let mut steps = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(atomic::io("cannot read", &self.path))? {
            let name = entry.map_err(atomic::io("cannot read", &self.path))?.file_name();
            let name = name.to_string_lossy();
            let step = name.strip_prefix(CHECKPOINT_PREFIX).and_then(|n| n.strip_suffix(CHECKPOINT_SUFFIX));
            steps.extend(step.and_then(|s| s.parse::<u64>().ok()));
        }
        steps.sort_unstable();
        Ok(steps)
    }

    /// Where the checkpoint of `step` is.
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.path.join(format!("{CHECKPOINT_PREFIX}{step:09}{CHECKPOINT_SUFFIX}"))
    }

    /// The newest checkpoint that can be read; a damaged one is passed over.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`], or why the newest is damaged if all are.
    pub fn newest(&self) -> Result<Checkpoint> {
        let mut first_error = None;
        for step in self.steps()?.into_iter().rev() {
            match Checkpoint::read(&self.checkpoint(step)) {
                Ok(checkpoint) => return Ok(checkpoint),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.map_or_else(|| Error::NoCheckpoint { path: self.path.clone() }, Error::Format))
    }

    /// Store a checkpoint, also as the last one, and remove all but the `keep` newest.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn store(&self, checkpoint: &Checkpoint, keep: usize) -> Result<()> {
        let bytes = checkpoint.to_bytes()?;
        atomic::write(&self.checkpoint(checkpoint.meta.step), &bytes)?;
        atomic::write(&self.path.join(LAST_FILE), &bytes)?;
        let steps = self.steps()?;
        for step in &steps[..steps.len().saturating_sub(keep)] {
            let path = self.checkpoint(*step);
            fs::remove_file(&path).map_err(atomic::io("cannot remove", &path))?;
        }
        Ok(())
    }

    /// Store the best checkpoint so far.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn store_best(&self, checkpoint: &Checkpoint) -> Result<()> {
        Ok(checkpoint.write(&self.path.join(BEST_FILE))?)
    }
}
