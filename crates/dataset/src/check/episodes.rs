//! Rows to episodes to transitions.

use std::ops::Range;
use std::path::Path;

use crate::options::{Rewards, Timeouts};
use crate::reader::{End, Span};
use crate::{Error, Result};

/// One complete episode: the steps in rows `first` to `last` - 1, and the last state in row `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Episode {
    /// Row of its first step.
    pub first: usize,
    /// Row of its last state, which is not a step; above `first`.
    pub last: usize,
    /// Did the clock end it?
    pub truncated: bool,
}

impl Episode {
    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.last - self.first
    }
}

/// How the rows of a recording fall into episodes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Episodes {
    /// Complete ones with at least one step, in order.
    pub list: Vec<Episode>,
    /// Rows of each episode, complete or not, in order.
    spans: Vec<Range<usize>>,
    /// Rows of those that are not complete.
    pub cut: Vec<Range<usize>>,
    /// Last states that follow a last state: episodes without a step.
    pub empty: u64,
    /// Ends that the file has one flag for, and how many of them were counted as time-outs.
    pub unsaid: u64,
    pub unsaid_timeouts: u64,
    rows: usize,
}

impl Episodes {
    /// Of spans that together are all rows. Ends that a file does not tell apart are the clock's after `time_limit` steps.
    pub fn of(path: &Path, spans: Vec<Span>, rows: usize, time_limit: Option<u32>) -> Result<Self> {
        let mut all = Self {
            list: Vec::new(),
            spans: Vec::new(),
            cut: Vec::new(),
            empty: 0,
            unsaid: 0,
            unsaid_timeouts: 0,
            rows,
        };
        for Span { rows: span, end } in spans {
            let (first, last) = (span.start, span.end - 1);
            all.spans.push(span.clone());
            if end == End::Cut {
                all.cut.push(span);
                continue;
            }
            if last == first {
                all.empty += 1;
                continue;
            }
            let limit_reached = time_limit.is_some_and(|limit| last - first == limit as usize);
            let truncated = end == End::Truncated || end == End::Unsaid && limit_reached;
            all.unsaid += u64::from(end == End::Unsaid);
            all.unsaid_timeouts += u64::from(end == End::Unsaid && truncated);
            all.list.push(Episode { first, last, truncated });
        }
        if all.list.is_empty() {
            return Err(Error::NoEpisode { path: path.to_owned(), rows });
        }
        Ok(all)
    }

    /// Rows of episodes without end.
    pub fn cut_rows(&self) -> usize {
        self.cut.iter().map(ExactSizeIterator::len).sum()
    }

    /// Rows that are steps, in order: all but the last of each episode.
    pub fn steps(&self) -> impl Iterator<Item = usize> + '_ {
        self.spans.iter().flat_map(|span| span.start..span.end - 1)
    }

    /// Per row: 1 if no value is bootstrapped from it.
    pub fn stops(&self, timeouts: Timeouts) -> Vec<u8> {
        let mut stops = vec![0; self.rows];
        for e in &self.list {
            stops[e.last] = u8::from(!(e.truncated && timeouts == Timeouts::Bootstrap));
        }
        stops
    }

    /// Sum of the rewards of each complete episode.
    pub fn returns(&self, rewards: &[f32]) -> Vec<f64> {
        self.list.iter().map(|e| rewards[e.first..e.last].iter().map(|r| f64::from(*r)).sum()).collect()
    }

    /// Replace `rewards` by what is learned from.
    pub fn apply(&self, kind: Rewards, rewards: &mut [f32]) {
        if kind == Rewards::True {
            return;
        }
        for steps in self.spans.iter().map(|span| span.start..span.end - 1) {
            let mut to_go = 0.0;
            for r in rewards[steps].iter_mut().rev() {
                to_go += f64::from(*r);
                *r = to_go as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episodes(spans: &[(Range<usize>, End)], time_limit: Option<u32>) -> Result<Episodes> {
        let rows = spans.last().map_or(0, |(span, _)| span.end);
        let spans = spans.iter().map(|(rows, end)| Span { rows: rows.clone(), end: *end }).collect();
        Episodes::of(Path::new("x"), spans, rows, time_limit)
    }

    /// `bootstrap` has the official mask of each step: 1 if the next row's value counts.
    fn check(spans: &[(Range<usize>, End)], limit: Option<u32>, steps: &[usize], bootstrap: [&[u8]; 2]) {
        let episodes = episodes(spans, limit).unwrap();
        assert_eq!(episodes.steps().collect::<Vec<_>>(), steps);
        for (kind, expected) in [Timeouts::Terminal, Timeouts::Bootstrap].into_iter().zip(bootstrap) {
            let stops = episodes.stops(kind);
            let found: Vec<_> = steps.iter().map(|i| 1 - stops[i + 1]).collect();
            assert_eq!(found, expected, "{kind:?}");
        }
    }

    #[test]
    fn steps_and_bootstraps_are_the_official_loaders() {
        use End::{Cut, Terminated, Truncated, Unsaid};
        check(&[(0..3, Unsaid), (3..5, Unsaid)], None, &[0, 1, 3], [&[1, 0, 0], &[1, 0, 0]]);
        check(&[(0..3, Truncated), (3..5, Terminated)], None, &[0, 1, 3], [&[1, 0, 0], &[1, 1, 0]]);
        check(&[(0..3, Unsaid), (3..5, Unsaid)], Some(1), &[0, 1, 3], [&[1, 0, 0], &[1, 0, 1]]);
        check(&[(0..3, Terminated), (3..5, Terminated)], Some(1), &[0, 1, 3], [&[1, 0, 0], &[1, 0, 0]]);
        // An episode without a step, and one without end.
        check(&[(0..2, Unsaid), (2..3, Unsaid), (3..6, Cut)], None, &[0, 3, 4], [&[0, 1, 1], &[0, 1, 1]]);
        check(&[(0..2, Unsaid), (2..3, Cut)], None, &[0], [&[0], &[0]]);
        // One without end before another.
        check(&[(0..3, Cut), (3..5, Terminated)], None, &[0, 1, 3], [&[1, 1, 0], &[1, 1, 0]]);
    }

    #[test]
    fn what_is_left_over_is_counted() {
        use End::{Cut, Unsaid};
        let found = episodes(&[(0..1, Unsaid), (1..3, Unsaid), (3..4, Unsaid), (4..7, Cut)], Some(1)).unwrap();
        assert_eq!((found.empty, found.cut_rows(), found.list.len()), (2, 3, 1));
        assert_eq!((found.list[0].steps(), found.unsaid, found.unsaid_timeouts), (1, 1, 1));
    }

    #[test]
    fn nothing_to_learn_from_is_refused() {
        for spans in [&[][..], &[(0..2, End::Cut)], &[(0..1, End::Unsaid)]] {
            assert!(matches!(episodes(spans, None), Err(Error::NoEpisode { .. })), "{spans:?}");
        }
    }

    #[test]
    fn returns_and_rewards_to_go() {
        let episodes = episodes(&[(0..3, End::Unsaid), (3..5, End::Unsaid), (5..8, End::Cut)], None).unwrap();
        let mut rewards = [1.0, 2.0, 99.0, 4.0, 99.0, 8.0, 16.0, 99.0];
        assert_eq!(episodes.returns(&rewards), [3.0, 4.0]);
        episodes.apply(Rewards::ReturnToGo, &mut rewards);
        assert_eq!(rewards, [3.0, 2.0, 99.0, 4.0, 99.0, 24.0, 16.0, 99.0]);
    }
}
