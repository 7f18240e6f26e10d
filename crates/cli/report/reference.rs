//! Published results to put beside one's own: a TOML file such as `models/paper.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// What others measured, on datasets of theirs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Short name in the head of a column.
    pub name: String,
    /// Where the numbers are from, and what they can be compared with.
    pub source: String,
    pub result: Vec<Published>,
}

/// One dataset of theirs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    pub task: String,
    pub quality: String,
    /// As it is to be shown, by `dataset` or algorithm.
    pub returns: BTreeMap<String, String>,
}

impl Reference {
    /// Read it.
    ///
    /// # Errors
    /// What cannot be read or understood.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        toml::from_str(&text).with_context(|| format!("`{}` is no table of published results", path.display()))
    }

    /// What they had for a dataset of this kind.
    pub fn of(&self, task: &str, quality: &str) -> Option<&Published> {
        self.result.iter().find(|r| r.task == task && r.quality == quality)
    }
}
