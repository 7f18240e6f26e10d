//! Rows to episodes to transitions.

use std::path::Path;

use crate::{Error, Result, Rewards, Timeouts};

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

/// How the rows of a file fall into episodes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Episodes {
    /// Complete ones with at least one step, in order.
    pub list: Vec<Episode>,
    /// First row of a last episode without end; the number of rows if there is none.
    pub trailing: usize,
    /// Last states that follow a last state: episodes without a step.
    pub empty: u64,
    rows: usize,
}

impl Episodes {
    /// Split by the flags `d` and `timeout`; without the latter, by `time_limit`.
    pub fn split(path: &Path, ends: &[u8], timeout: Option<&[u8]>, time_limit: Option<u32>) -> Result<Self> {
        let rows = ends.len();
        let inside = timeout.and_then(|t| t.iter().zip(ends).position(|(t, d)| *t == 1 && *d == 0));
        if let Some(row) = inside {
            return Err(Error::TimeoutInside { path: path.to_owned(), row });
        }
        let (mut list, mut first, mut empty) = (Vec::new(), 0, 0);
        for last in (0..rows).filter(|i| ends[*i] == 1) {
            let limit_reached = time_limit.is_some_and(|limit| last - first == limit as usize);
            let truncated = timeout.map_or(limit_reached, |t| t[last] == 1);
            match last > first {
                true => list.push(Episode { first, last, truncated }),
                false => empty += 1,
            }
            first = last + 1;
        }
        if list.is_empty() {
            return Err(Error::NoEpisode { path: path.to_owned(), rows });
        }
        Ok(Self { list, trailing: first, empty, rows })
    }

    /// Rows of the last episode without end.
    pub fn trailing_rows(&self) -> usize {
        self.rows - self.trailing
    }

    /// Rows that are steps, in order: those of complete episodes, then all but the last of the trailing rows.
    pub fn steps(&self) -> impl Iterator<Item = usize> + '_ {
        let last = self.rows.saturating_sub(1).max(self.trailing);
        self.list.iter().flat_map(|e| e.first..e.last).chain(self.trailing..last)
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
        let trailing = self.trailing..self.rows.saturating_sub(1).max(self.trailing);
        for steps in self.list.iter().map(|e| e.first..e.last).chain([trailing]) {
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

    fn split(ends: &[u8], timeout: Option<&[u8]>, time_limit: Option<u32>) -> Result<Episodes> {
        Episodes::split(Path::new("x"), ends, timeout, time_limit)
    }

    /// `bootstrap` has the official mask of each step: 1 if the next row's value counts.
    fn check(ends: &[u8], timeout: Option<&[u8]>, limit: Option<u32>, steps: &[usize], bootstrap: [&[u8]; 2]) {
        let episodes = split(ends, timeout, limit).unwrap();
        assert_eq!(episodes.steps().collect::<Vec<_>>(), steps);
        // The official loader's rule.
        let official: Vec<_> = (0..ends.len() - 1).filter(|i| ends[*i] == 0).collect();
        assert_eq!(steps, official);
        for (kind, expected) in [Timeouts::Terminal, Timeouts::Bootstrap].into_iter().zip(bootstrap) {
            let stops = episodes.stops(kind);
            let found: Vec<_> = steps.iter().map(|i| 1 - stops[i + 1]).collect();
            assert_eq!(found, expected, "{kind:?}");
        }
    }

    #[test]
    fn rows_are_split_as_the_official_loader_does() {
        let ends = [0, 0, 1, 0, 1];
        check(&ends, None, None, &[0, 1, 3], [&[1, 0, 0], &[1, 0, 0]]);
        check(&ends, Some(&[0, 0, 1, 0, 0]), None, &[0, 1, 3], [&[1, 0, 0], &[1, 1, 0]]);
        check(&ends, None, Some(1), &[0, 1, 3], [&[1, 0, 0], &[1, 0, 1]]);
        check(&ends, Some(&[0; 5]), Some(1), &[0, 1, 3], [&[1, 0, 0], &[1, 0, 0]]);
        // An episode without a step, and one without end.
        check(&[0, 1, 1, 0, 0, 0], None, None, &[0, 3, 4], [&[0, 1, 1], &[0, 1, 1]]);
        check(&[0, 1, 0], None, None, &[0], [&[0], &[0]]);
    }

    #[test]
    fn what_is_left_over_is_counted() {
        let episodes = split(&[1, 0, 1, 1, 0, 0, 0], None, None).unwrap();
        assert_eq!((episodes.empty, episodes.trailing_rows(), episodes.list.len()), (2, 3, 1));
        assert_eq!(episodes.list[0].steps(), 1);
    }

    #[test]
    fn nothing_to_learn_from_is_refused() {
        for ends in [&[][..], &[0, 0], &[1], &[1, 1, 0, 0]] {
            assert!(matches!(split(ends, None, None), Err(Error::NoEpisode { .. })), "{ends:?}");
        }
        let error = split(&[0, 1, 0, 1], Some(&[1, 0, 0, 0]), None);
        assert!(matches!(error, Err(Error::TimeoutInside { row: 0, .. })));
    }

    #[test]
    fn returns_and_rewards_to_go() {
        let episodes = split(&[0, 0, 1, 0, 1, 0, 0, 0], None, None).unwrap();
        let mut rewards = [1.0, 2.0, 99.0, 4.0, 99.0, 8.0, 16.0, 99.0];
        assert_eq!(episodes.returns(&rewards), [3.0, 4.0]);
        episodes.apply(Rewards::ReturnToGo, &mut rewards);
        assert_eq!(rewards, [3.0, 2.0, 99.0, 4.0, 99.0, 24.0, 16.0, 99.0]);
    }
}
