//! A candidate with all that is known of it.

use std::cmp::Ordering;
use std::path::PathBuf;

use anyhow::Result;
use omiga_train::fqe::FqeEstimate;
use omiga_train::{Gauged, RunFolder};
use serde::Serialize;

use super::Candidate;

/// A candidate, its estimate and its run's own numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    pub name: String,
    pub algorithm: String,
    pub run: PathBuf,
    pub step: u64,
    pub checkpoint: PathBuf,
    pub estimate: FqeEstimate,
    /// The run's, at this step or the last ones before it.
    pub gauges: Option<Gauged>,
    /// The run's values had left the data's returns by then.
    pub alarm: bool,
    /// Mean return, where it was played.
    pub played: Option<f64>,
}

impl Judged {
    /// With what the run wrote down by that step.
    ///
    /// # Errors
    /// A file of the run that cannot be read.
    pub fn new(candidate: &Candidate, estimate: FqeEstimate) -> Result<Self> {
        let (folder, step) = (RunFolder::open(&candidate.run), candidate.meta.step);
        let mut gauges: Vec<_> = folder.gauges()?.into_iter().filter(|gauged| gauged.step <= step).collect();
        let evaluations = folder.evaluations()?;
        Ok(Self {
            name: candidate.name.clone(),
            algorithm: candidate.meta.algorithm.clone(),
            run: candidate.run.clone(),
            step,
            checkpoint: candidate.path.clone(),
            estimate,
            alarm: gauges.iter().any(|gauged| gauged.alarm.is_some()),
            gauges: gauges.pop(),
            played: evaluations.iter().rfind(|found| found.step == step).map(|found| found.return_mean),
        })
    }

    /// The better one first: whose values did not leave the data, then by score, then by name. A score that is no number comes last.
    pub fn before(&self, other: &Self) -> Ordering {
        let by_score = other.score().total_cmp(&self.score());
        self.alarm.cmp(&other.alarm).then(by_score).then_with(|| self.name.cmp(&other.name))
    }

    fn score(&self) -> f64 {
        if self.estimate.score.is_nan() { f64::NEG_INFINITY } else { self.estimate.score }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn judged(name: &str, score: f64, alarm: bool, played: Option<f64>) -> Judged {
        let estimate = FqeEstimate {
            heads: vec![score],
            mean: score,
            std: 0.0,
            score,
            recorded: 0.0,
            recorded_error: 0.0,
            distance: score,
            deviation: 1.0,
            unfitted: 0.0,
        };
        let (run, step) = name.split_once('@').unwrap();
        let gauges = Some(Gauged { optimism: Some(score), ..Gauged::default() });
        Judged {
            name: name.into(),
            algorithm: run.into(),
            run: run.into(),
            step: step.parse().unwrap(),
            checkpoint: PathBuf::new(),
            estimate,
            gauges,
            alarm,
            played,
        }
    }

    #[test]
    fn what_left_the_data_comes_last() {
        let mut all = [
            judged("a@1", f64::NAN, false, None),
            judged("b@1", 9.0, true, None),
            judged("c@1", 1.0, false, None),
            judged("e@1", 5.0, false, None),
            judged("d@1", 5.0, false, None),
        ];
        all.sort_by(Judged::before);
        assert_eq!(all.each_ref().map(|one| one.name.as_str()), ["d@1", "e@1", "c@1", "a@1", "b@1"]);
    }
}
