//! What `omiga eval --json` prints and `omiga report` reads, and how returns are summed up.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use omiga_dataset::Card;
use omiga_env::statistics::{self, Interval};
use omiga_env::{Evaluation, simulator};
use omiga_format::{Measured, Metric};
use serde::{Deserialize, Serialize};

/// Returns of several policies on the same episodes of a task.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scores {
    /// Of the program that played.
    #[serde(default)]
    pub version: String,
    pub task: String,
    /// Trajectories differ from one version of it to another.
    #[serde(default)]
    pub simulator: Option<String>,
    /// What ran the policies, if any were played.
    pub engine: Option<String>,
    /// Of the episodes.
    pub seed: u64,
    /// Of every policy.
    #[serde(default)]
    pub episodes: u32,
    /// The row that others are compared with, episode by episode.
    #[serde(default)]
    pub against: Option<String>,
    pub rows: Vec<Row>,
    #[serde(default)]
    pub failed: Vec<Failure>,
}

/// One policy, or the dataset.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub return_mean: f64,
    /// 95 % interval of the mean, over episodes; nothing for a single one.
    pub ci95: Option<Interval>,
    /// Over episodes (n - 1).
    pub return_std: f64,
    /// Steps of an episode.
    pub length_mean: f64,
    pub episodes: usize,
    /// Episodes whose simulation diverged, which ended them.
    #[serde(default)]
    pub diverged: u32,
    /// To the row of [`Scores::against`], which has none; nor has the dataset, whose episodes are others.
    #[serde(default)]
    pub difference: Option<Difference>,
    /// Of the bundle's `SHA256SUMS`, or of the dataset's file.
    #[serde(default)]
    pub sha256: Option<String>,
    #[serde(default)]
    pub checkpoint_sha256: Option<String>,
    /// Updates of the policy's training.
    #[serde(default)]
    pub step: Option<u64>,
    /// Of each episode; policies play the same ones in the same order.
    #[serde(default)]
    pub returns: Vec<f64>,
    #[serde(default)]
    pub lengths: Vec<u32>,
    /// What the task is judged by beside the return.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Measured>,
}

/// Mean of the differences of all episodes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Difference {
    pub mean: f64,
    /// 95 % interval.
    pub ci95: Option<Interval>,
}

/// A row that could not be had.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    pub name: String,
    pub error: String,
}

/// The file of a dataset's [`Scores`] beside its runs.
pub const SCORES_FILE: &str = "eval.json";

impl Scores {
    /// Read what `omiga eval --json` printed into a file.
    ///
    /// # Errors
    /// What cannot be read or understood, by name.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let parsed = serde_json::from_slice(&text);
        parsed.with_context(|| format!("`{}` is not what `omiga eval --json` prints", path.display()))
    }

    /// Without rows.
    pub fn new(task: &str, seed: u64, episodes: u32) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            task: task.to_owned(),
            simulator: simulator(task),
            engine: None,
            seed,
            episodes,
            against: None,
            rows: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Put the difference to row `name` beside every other one that played the same episodes.
    pub fn compare(&mut self, name: &str) {
        let is_played = |row: &&Row| row.name == name && self.is_played(row);
        let Some(theirs) = self.rows.iter().find(is_played).map(|row| row.returns.clone()) else { return };
        let episodes = self.episodes as usize;
        for row in self.rows.iter_mut().filter(|row| row.name != name && row.name != DATASET) {
            if row.returns.len() != theirs.len() || theirs.len() != episodes {
                continue;
            }
            let differences: Vec<f64> = row.returns.iter().zip(&theirs).map(|(a, b)| a - b).collect();
            let (mean, ci95) = (statistics::mean(&differences), statistics::interval(&differences));
            row.difference = Some(Difference { mean, ci95 });
        }
        self.against = Some(name.to_owned());
    }

    fn is_played(&self, row: &Row) -> bool {
        row.name != DATASET && row.returns.len() == self.episodes as usize
    }
}

/// The row of the data, which nobody played.
pub const DATASET: &str = "dataset";

impl Row {
    /// What its episodes had of a metric.
    pub fn measured(&self, metric: &Metric) -> Option<&Measured> {
        self.metrics.iter().find(|found| found.metric == *metric)
    }

    pub fn played(name: &str, evaluation: Evaluation) -> Self {
        Self {
            name: name.to_owned(),
            return_mean: evaluation.mean,
            ci95: evaluation.ci95,
            return_std: evaluation.std,
            length_mean: evaluation.length_mean(),
            episodes: evaluation.returns.len(),
            diverged: evaluation.diverged,
            returns: evaluation.returns,
            lengths: evaluation.lengths,
            metrics: evaluation.metrics,
            ..Self::default()
        }
    }

    /// Of the recorded episodes.
    pub fn recorded(card: &Card) -> Self {
        let (returns, lengths): (Vec<f64>, Vec<f64>) = card.episode_results.iter().copied().unzip();
        let metrics = card.metrics.iter().map(|found| Measured {
            metric: found.metric.clone(),
            mean: found.values.mean,
            ci95: statistics::rate_interval(&found.episodes),
            values: found.episodes.clone(),
        });
        Self {
            name: DATASET.to_owned(),
            return_mean: statistics::mean(&returns),
            ci95: statistics::interval(&returns),
            return_std: statistics::std(&returns).unwrap_or(0.0),
            length_mean: statistics::mean(&lengths),
            episodes: returns.len(),
            sha256: Some(card.sha256.clone()),
            // Whole numbers in a float.
            lengths: lengths.iter().map(|steps| *steps as u32).collect(),
            returns,
            metrics: metrics.collect(),
            ..Self::default()
        }
    }
}

/// Every metric that some row has, in the rows' order.
pub fn metrics<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<&'a Metric> {
    let mut found: Vec<&Metric> = Vec::new();
    for measured in rows.flat_map(|row| &row.metrics) {
        if !found.contains(&&measured.metric) {
            found.push(&measured.metric);
        }
    }
    found
}

/// What the last evaluations of a training found.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Late {
    /// Mean of their mean returns.
    pub return_mean: f64,
    /// At most [`Self::MOST`].
    pub evaluations: usize,
}

impl Late {
    /// One evaluation alone depends on its few episodes and on where a swinging training happened to stand.
    pub const MOST: usize = 5;

    /// Of all evaluations' mean returns, in order; nothing if there were none.
    pub fn of(returns: &[f64]) -> Option<Self> {
        let late = &returns[returns.len().saturating_sub(Self::MOST)..];
        (!late.is_empty()).then(|| Self { return_mean: statistics::mean(late), evaluations: late.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, returns: &[f64]) -> Row {
        Row { name: name.to_owned(), returns: returns.to_vec(), ..Row::default() }
    }

    #[test]
    fn differences_are_those_of_the_same_episodes() {
        let mut scores = Scores::new("hopper-3x1", 0, 3);
        assert_eq!(scores.simulator.as_deref(), Some("MuJoCo 3.17.0"));
        assert_eq!((Scores::new("spread", 0, 3).simulator, Scores::new("pumps", 0, 3).simulator), (None, None));
        scores.rows = vec![
            row(DATASET, &[0.0, 0.0, 0.0]),
            row("a", &[1.0, 20.0, 300.0]),
            row("b", &[2.0, 21.0, 301.0]),
            row("short", &[1.0]),
        ];
        scores.compare("a");
        let found: Vec<_> = scores.rows.iter().map(|row| row.difference.map(|d| (d.mean, d.ci95))).collect();
        // Each better by one, without any doubt, though the means are all over the place.
        assert_eq!(found, [None, None, Some((1.0, Some((1.0, 1.0)))), None]);
        assert_eq!(scores.against.as_deref(), Some("a"));
    }

    /// Files of version 0.1 had less.
    #[test]
    fn older_files_are_read() {
        let text = r#"{"task": "spread", "engine": "native", "seed": 1, "rows": [{"name": "dataset", "return_mean": 1.0,
            "ci95": [0.5, 1.5], "return_std": 2.0, "length_mean": 25.0, "episodes": 8}]}"#;
        let scores: Scores = serde_json::from_str(text).unwrap();
        assert_eq!((scores.rows[0].ci95, scores.rows[0].returns.len()), (Some((0.5, 1.5)), 0));
    }
}
