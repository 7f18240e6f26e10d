//! Which datasets a plan is about.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail, ensure};
use omiga_env::Quality;
use serde::{Deserialize, Deserializer};

use super::value::Names;

/// Every task with every quality, recorded for the plan, and files that are there already.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataPart {
    /// Tasks to record; with `file`, the task that it is of.
    #[serde(default)]
    pub task: Names,
    /// Qualities to record; by default the task's.
    #[serde(default)]
    pub quality: Names,
    /// Episodes of a recorded dataset; by default the task's.
    pub episodes: Option<u32>,
    /// Seed of the recorded episodes.
    #[serde(default)]
    pub seed: u64,
    /// A dataset that is there already, and nothing else.
    pub file: Option<PathBuf>,
    /// Datasets that are there already, beside the recorded ones.
    #[serde(default, deserialize_with = "files")]
    pub files: Vec<OwnFile>,
}

/// A dataset of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnFile {
    pub path: PathBuf,
    /// What it is of, if its header does not say so.
    pub task: Option<String>,
    /// What tables and folders call it; by default the file's name without its ending.
    pub name: Option<String>,
}

impl DataPart {
    /// What can be said before any file is read.
    pub fn check(&self) -> Result<()> {
        for quality in &self.quality.0 {
            quality.parse::<Quality>().map_err(|e| anyhow!("`data.quality`: {e}"))?;
        }
        ensure!(self.episodes.is_none_or(|n| n > 0), "`data.episodes` is 0, expected at least 1");
        match (&self.file, self.files.is_empty()) {
            (Some(_), false) => bail!("`data.file` is the only dataset: name it in `data.files` with the others"),
            (Some(_), _) if self.task.0.len() > 1 => {
                bail!("`data.file` is of one task, found {}; name one", self.task.0.len())
            }
            (None, true) if self.task.0.is_empty() => {
                bail!("`data` names neither a `task` to collect nor a `file`; give one")
            }
            _ => {}
        }
        let asks = !self.quality.0.is_empty() || self.episodes.is_some();
        ensure!(
            !self.recorded().is_empty() || !asks,
            "`data.file` is there already: remove `data.quality` and `data.episodes`, or the file"
        );
        Ok(())
    }

    /// The files that are there already.
    pub fn own_files(&self) -> Vec<OwnFile> {
        let alone =
            self.file.iter().map(|path| OwnFile { path: path.clone(), task: self.task.0.first().cloned(), name: None });
        alone.chain(self.files.iter().cloned()).collect()
    }

    /// The tasks that are recorded.
    pub fn recorded(&self) -> &[String] {
        if self.file.is_some() { &[] } else { &self.task.0 }
    }
}

impl OwnFile {
    pub fn name(&self) -> String {
        let stem = || self.path.file_stem().map_or_else(|| "data".into(), |s| s.to_string_lossy().into_owned());
        self.name.clone().unwrap_or_else(stem)
    }
}

/// A list of paths or of tables, or paths in a string with spaces between them.
fn files<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<OwnFile>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a path, or a table of `path`, `task` and `name`")]
    enum Entry {
        Path(PathBuf),
        Full(OwnFile),
    }
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected paths, or tables of `path`, `task` and `name`")]
    enum OneOrMany {
        Text(String),
        Many(Vec<Entry>),
    }
    let plain = |path| OwnFile { path, task: None, name: None };
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::Text(text) => text.split_whitespace().map(|path| plain(path.into())).collect(),
        OneOrMany::Many(entries) => entries
            .into_iter()
            .map(|entry| match entry {
                Entry::Path(path) => plain(path),
                Entry::Full(file) => file,
            })
            .collect(),
    })
}
