//! The rows that a run's gauges are read on.

use omiga_dataset::{ActionSupport, Dataset, Episode};

use crate::Result;

/// Most rows that are read at an evaluation: more cost time and hardly tell more.
const MOST: usize = 4096;
/// Of the draw of those rows; no run's, so that runs are compared on the same ones.
const SEED: u64 = 0x6a06e;

/// Recorded steps, by episode, and the actions that were learned from.
#[derive(Debug)]
pub struct GaugeRows {
    /// Is none of them learned from?
    pub held_out: bool,
    /// Episodes with the rows that are read, ascending.
    pub episodes: Vec<(Episode, Vec<usize>)>,
    /// What was done in the rows that are learned from.
    pub support: ActionSupport,
}

impl GaugeRows {
    /// Rows of held-out episodes; of all complete ones if none is held out.
    ///
    /// # Errors
    /// [`crate::Error::Dataset`] when rows are on disk and cannot be read.
    pub fn of(dataset: &Dataset) -> Result<Self> {
        let (held_out, all) = (!dataset.held_out().is_empty(), judged_on(dataset));
        let mut rows = Episode::sample(all, MOST, SEED).into_iter().peekable();
        let of = |episode: &Episode| {
            let mut own = Vec::new();
            while let Some(row) = rows.next_if(|row| *row < episode.last) {
                own.push(row);
            }
            (*episode, own)
        };
        let episodes = all.iter().map(of).filter(|(_, rows)| !rows.is_empty()).collect();
        Ok(Self { held_out, episodes, support: dataset.action_support()? })
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.episodes.iter().map(|(_, rows)| rows.len()).sum()
    }
}

/// Held-out episodes; all complete ones if none is held out.
pub fn judged_on(dataset: &Dataset) -> &[Episode] {
    let held_out = dataset.held_out();
    if held_out.is_empty() { dataset.learned_from() } else { held_out }
}

/// What an episode gave from a row on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToGo {
    /// sum over the steps from there, number k of them times gamma^k.
    pub rewards: f64,
    /// gamma^n, with the n steps from there to the episode's end.
    pub discount: f64,
}

/// Of each step of an episode with these rewards.
pub fn to_go(rewards: &[f32], gamma: f64) -> Vec<ToGo> {
    let mut next = ToGo { rewards: 0.0, discount: 1.0 };
    let mut all: Vec<_> = rewards
        .iter()
        .rev()
        .map(|reward| {
            next = ToGo { rewards: f64::from(*reward) + gamma * next.rewards, discount: gamma * next.discount };
            next
        })
        .collect();
    all.reverse();
    all
}

/// Smallest and largest discounted return to go of all rows of all complete episodes, or 0, where values begin. Where the clock
/// ended an episode of T steps it is divided by 1 - gamma^T, as if the episode went on as it was.
pub fn returns(dataset: &Dataset, gamma: f64) -> (f64, f64) {
    let episodes = dataset.learned_from().iter().chain(dataset.held_out());
    let of = |episode: &Episode| returns_of(dataset.rewards(episode), dataset.bootstraps(episode), gamma);
    episodes.map(of).fold((0.0, 0.0), |(low, high), (least, most)| (low.min(least), high.max(most)))
}

/// What a value may be where these are the smallest and the largest of the data's [`returns`]: a quarter of what they span beyond
/// either.
pub fn believable((low, high): (f64, f64)) -> (f64, f64) {
    let slack = (high - low) / 4.0;
    (low - slack, high + slack)
}

/// The smallest and largest return to go of one episode.
fn returns_of(rewards: &[f32], bootstraps: bool, gamma: f64) -> (f64, f64) {
    let all = to_go(rewards, gamma);
    let tail = all.first().filter(|_| bootstraps).map_or(0.0, |first| first.discount);
    let whole = all.into_iter().map(|to_go| to_go.rewards / (1.0 - tail));
    whole.fold((0.0, 0.0), |(low, high), x| (low.min(x), high.max(x)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_to_go_by_hand() {
        let expected = [(1.0 + 0.5 * 2.0 + 0.25 * 4.0, 0.125), (4.0, 0.25), (4.0, 0.5)];
        assert_eq!(to_go(&[1.0, 2.0, 4.0], 0.5), expected.map(|(rewards, discount)| ToGo { rewards, discount }));
        assert_eq!(to_go(&[], 0.5), []);
    }

    #[test]
    fn what_an_episode_returned() {
        assert_eq!(returns_of(&[1.0, 2.0, 4.0], false, 0.5), (0.0, 4.0));
        assert_eq!(returns_of(&[-1.0, -2.0], false, 0.5), (-2.0, 0.0));
        // For ever the same: 3 / (1 - gamma), however soon the clock ends it.
        for steps in [1, 7] {
            let (low, high) = returns_of(&vec![3.0; steps], true, 0.75);
            assert!(low == 0.0 && (high - 12.0).abs() < 1e-12, "{high}");
        }
    }
}
