//! What `omiga eval --json` prints, and `omiga report` reads.

use serde::{Deserialize, Serialize};

/// Returns of several policies on the same episodes of a task.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scores {
    pub task: String,
    /// What ran the bundles, if any were played.
    pub engine: Option<String>,
    /// Of the episodes.
    pub seed: u64,
    pub rows: Vec<Row>,
}

/// One policy, or the dataset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub return_mean: f64,
    /// 95 % interval of the mean.
    pub ci95: (f64, f64),
    /// Over episodes.
    pub return_std: f64,
    /// Steps of an episode.
    pub length_mean: f64,
    pub episodes: usize,
}
