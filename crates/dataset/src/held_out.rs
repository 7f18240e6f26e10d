//! Episodes that nothing is learned from, and what a policy that learned from the others is held against.

use crate::Result;
use crate::check::episodes::Episode;
use crate::dataset::Dataset;
use crate::distinct::distinct;

/// Seed of the split. It is no run's: what is held out is the same for all runs that are compared.
const SEED: u64 = 0x0e15_0de5;

/// The actions that are learned from, agent after agent.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionSupport {
    /// Smallest and largest value of each command, [N, A].
    Commands(Vec<(f32, f32)>),
    /// Was this choice ever taken? [N, A].
    Choices(Vec<bool>),
}

/// What a transition brings in the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanStep {
    /// Its reward.
    pub reward: f64,
    /// Share of the transitions behind which the value counts: 1 where nothing terminates.
    pub bootstrap: f64,
}

impl MeanStep {
    /// The constant that is its own target, V = reward + gamma bootstrap V, for a discount below 1.
    pub fn value(&self, gamma: f64) -> f64 {
        self.reward / (1.0 - gamma * self.bootstrap)
    }
}

impl Dataset {
    /// Hold back this share of the complete episodes, rounded down: [`Self::len`], [`Self::row_of`] and the statistics
    /// are of the others from then on, and batches are drawn from them.
    ///
    /// Episodes are held out whole: neighbouring rows are so alike that a row between two that were learned from says
    /// nothing. Rows behind the last complete episode are learned from.
    ///
    /// # Determinism
    /// Depends on `share` and the number of episodes alone.
    #[must_use]
    pub fn holding_out(mut self, share: f64) -> Self {
        let mut episodes = std::mem::take(&mut self.learned_from);
        episodes.append(&mut self.held_out);
        episodes.sort_by_key(|episode| episode.first);
        // A product that should be whole may be a rounding below.
        let count = (share * episodes.len() as f64 + 1e-9).floor() as usize;
        let chosen = distinct(episodes.len(), count.min(episodes.len() - 1), SEED);
        let (mut places, mut steps) = (0.., std::mem::take(&mut self.transitions));
        (self.held_out, self.learned_from) =
            episodes.into_iter().partition(|_| places.next().is_some_and(|i| chosen.contains(&i)));
        let held_out = &self.held_out;
        steps.retain(|row| !contains(held_out, *row as usize));
        self.transitions = steps;
        self
    }

    /// Complete episodes that are held out, in order.
    pub fn held_out(&self) -> &[Episode] {
        &self.held_out
    }

    /// Complete episodes that are learned from, in order.
    pub fn learned_from(&self) -> &[Episode] {
        &self.learned_from
    }

    /// Rewards of an episode's steps, as they are learned from.
    ///
    /// # Panics
    /// When there is no such episode.
    pub fn rewards(&self, episode: &Episode) -> &[f32] {
        &self.rewards[episode.first..episode.last]
    }

    /// Does the value of an episode's last state count? The clock ended it, and that is no termination.
    ///
    /// # Panics
    /// When there is no such episode.
    pub fn bootstraps(&self, episode: &Episode) -> bool {
        self.stops[episode.last] == 0
    }

    /// The mean over the steps of the complete episodes that are learned from.
    pub fn mean_step(&self) -> MeanStep {
        let (mut steps, mut terminations, mut sum) = (0, 0, 0.0);
        for episode in &self.learned_from {
            let rewards = self.rewards(episode);
            steps += rewards.len();
            sum += rewards.iter().copied().map(f64::from).sum::<f64>();
            terminations += usize::from(!self.bootstraps(episode));
        }
        let steps = steps as f64;
        MeanStep { reward: sum / steps, bootstrap: 1.0 - terminations as f64 / steps }
    }

    /// Which actions are learned from.
    ///
    /// # Errors
    /// [`crate::Error::Scratch`] when rows are on disk and cannot be read.
    pub fn action_support(&self) -> Result<ActionSupport> {
        let (w, a) = (&self.about.widths, self.action_dim());
        let mut commands = vec![(f32::INFINITY, f32::NEG_INFINITY); w.actions];
        let mut choices = vec![false; w.indices * a];
        self.rows.each_actions(w, &self.transitions, |values, indices| {
            commands.iter_mut().zip(values).for_each(|((low, high), x)| (*low, *high) = (low.min(*x), high.max(*x)));
            indices.iter().enumerate().for_each(|(agent, choice)| choices[agent * a + *choice as usize] = true);
        })?;
        Ok(if self.is_discrete() { ActionSupport::Choices(choices) } else { ActionSupport::Commands(commands) })
    }
}

impl Episode {
    /// `k` different steps of these episodes (or all, if there are fewer), as rows, in the episodes' order.
    ///
    /// # Determinism
    /// Depends on `k`, `seed` and the lengths of the episodes alone.
    pub fn sample(episodes: &[Self], k: usize, seed: u64) -> Vec<usize> {
        let mut rows = episodes.iter().flat_map(|episode| episode.first..episode.last);
        let chosen = distinct(episodes.iter().map(Self::steps).sum(), k, seed);
        let mut seen = 0;
        let row = |place: usize| {
            let row = rows.nth(place - seen);
            seen = place + 1;
            row
        };
        chosen.into_iter().filter_map(row).collect()
    }
}

/// Is `row` a step of one of these episodes, which are in order?
fn contains(episodes: &[Episode], row: usize) -> bool {
    let after = episodes.partition_point(|episode| episode.first <= row);
    after.checked_sub(1).is_some_and(|i| row < episodes[i].last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_episodes() {
        let episode = |first, last| Episode { first, last, truncated: false };
        let episodes = [episode(2, 4), episode(5, 6)];
        let found: Vec<_> = (0..8).filter(|row| contains(&episodes, *row)).collect();
        assert_eq!(found, [2, 3, 5]);
        assert!(!contains(&[], 0));
        assert_eq!(Episode::sample(&episodes, 9, 1), [2, 3, 5]);
        let some = Episode::sample(&[episode(0, 90), episode(100, 200)], 20, 1);
        assert!(some.len() == 20 && some.is_sorted() && some.iter().all(|row| *row < 90 || *row >= 100), "{some:?}");
    }
}
