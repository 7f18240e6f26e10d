//! What `omiga eval --json` prints and `omiga report` reads, and how returns are summed up.

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

/// Mean of at least one value, and standard deviation of a sample if there are several.
pub fn mean_std(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
}
