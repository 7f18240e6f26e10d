//! `evaluations.jsonl`: what the evaluations of a run found, one line each, in the order of steps.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Result;
use crate::json_lines::{self, JsonLines};
use crate::metrics::Record;
use crate::observer::{Evaluated, Score};

/// File of one JSON object a line.
pub const EVALUATIONS_FILE: &str = "evaluations.jsonl";

/// Name of the mean return among the TensorBoard events; `eval_win_rate` is that of a metric `win rate`.
pub const EVAL_RETURN: &str = "eval_return";

/// Appends to the file, and knows what is in it.
#[derive(Debug)]
pub struct EvaluationsLog {
    lines: JsonLines,
    scores: Vec<Score>,
}

impl EvaluationsLog {
    /// Start the file in `folder` with what `earlier` holds.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn start(folder: &Path, earlier: &[Evaluated]) -> Result<Self> {
        let lines = JsonLines::start(folder.join(EVALUATIONS_FILE), earlier)?;
        Ok(Self { lines, scores: earlier.iter().map(Evaluated::score).collect() })
    }

    /// Add a line.
    ///
    /// # Errors
    /// [`omiga_format::Error::Io`].
    pub fn add(&mut self, found: &Evaluated) -> Result<()> {
        self.lines.add(found)?;
        self.scores.push(found.score());
        Ok(())
    }

    /// Of all lines, in order.
    pub fn scores(&self) -> &[Score] {
        &self.scores
    }
}

impl Evaluated {
    /// Its step and mean return.
    pub fn score(&self) -> Score {
        Score { step: self.step, return_mean: self.return_mean }
    }

    /// Among the TensorBoard events.
    pub(crate) fn event(&self) -> Record {
        let mut values = BTreeMap::from([(EVAL_RETURN.to_owned(), self.return_mean)]);
        values.extend(self.metrics.iter().map(|found| (event_name(&found.metric.name), found.mean)));
        Record { step: self.step, values }
    }
}

/// Of a metric, among the TensorBoard events.
fn event_name(metric: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("eval_{}", metric.chars().map(plain).collect::<String>())
}

/// The first of the scores than which none is better.
pub fn best_of(scores: &[Score]) -> Option<Score> {
    scores.iter().copied().reduce(|best, next| if next.return_mean > best.return_mean { next } else { best })
}

/// What the evaluations of a run found; none if there is no file. A line cut off by a crash is dropped.
///
/// # Errors
/// [`omiga_format::Error::Io`].
pub fn read(folder: &Path) -> Result<Vec<Evaluated>> {
    json_lines::read(&folder.join(EVALUATIONS_FILE))
}

#[cfg(test)]
mod tests {
    use omiga_format::{Better, Measured, Metric};

    use super::*;

    fn found(step: u64, return_mean: f64) -> Evaluated {
        let (returns, lengths) = (vec![return_mean; 2], vec![25; 2]);
        let (ci95, metrics) = (None, Vec::new());
        Evaluated {
            step,
            return_mean,
            return_std: 0.0,
            ci95,
            length_mean: 25.0,
            diverged: 0,
            returns,
            lengths,
            metrics,
        }
    }

    #[test]
    fn what_is_written_is_read_but_for_half_a_line() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), []);
        let mut log = EvaluationsLog::start(folder.path(), &[found(5, 0.1)]).unwrap();
        log.add(&Evaluated { ci95: Some((-1.0, 1.0 / 3.0)), ..found(10, -0.1) }).unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).open(folder.path().join(EVALUATIONS_FILE)).unwrap();
        std::io::Write::write_all(&mut file, b"{\"step\":15,\"retu").unwrap();
        let all = read(folder.path()).unwrap();
        assert_eq!(all.iter().map(Evaluated::score).collect::<Vec<_>>(), log.scores());
        assert_eq!((all[0].ci95, all[1].ci95), (None, Some((-1.0, 1.0 / 3.0))));
    }

    /// Lines of tasks without metrics are as they were before there were any.
    #[test]
    fn metrics_are_in_the_line_and_among_the_events() {
        let metric = Metric::share("win rate", Better::Higher);
        let won = Measured { metric, mean: 0.5, ci95: Some((0.1, 0.9)), values: vec![1.0, 0.0] };
        let judged = Evaluated { metrics: vec![won], ..found(5, 0.1) };
        let folder = tempfile::tempdir().unwrap();
        EvaluationsLog::start(folder.path(), &[judged.clone(), found(6, 0.1)]).unwrap();
        assert_eq!(read(folder.path()).unwrap(), [judged.clone(), found(6, 0.1)]);
        let text = std::fs::read_to_string(folder.path().join(EVALUATIONS_FILE)).unwrap();
        assert_eq!(text.lines().map(|line| line.contains("metrics")).collect::<Vec<_>>(), [true, false]);
        let expected = [("eval_return", 0.1), ("eval_win_rate", 0.5)].map(|(name, x)| (name.to_owned(), x));
        assert_eq!(judged.event().values, BTreeMap::from(expected));
    }

    #[test]
    fn the_best_is_the_first_of_equals() {
        let scores = [found(1, 0.0), found(2, 3.0), found(3, 3.0)].map(|found| found.score());
        assert_eq!((best_of(&scores).map(|best| best.step), best_of(&[])), (Some(2), None));
    }
}
