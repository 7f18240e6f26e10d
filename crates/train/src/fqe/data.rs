//! Recorded steps as evaluations read them.

use omiga_dataset::{Dataset, Episode, HostBatch};
use omiga_format::ObsTransform;

use super::TeamActions;
use crate::Result;
use crate::gauge::{believable, judged_on, returns, to_go};

/// Episodes whose first rows an estimate is a mean over, at most.
const STARTS: usize = 1024;

/// A dataset with its states standardised; all candidates share it.
#[derive(Debug)]
pub struct FqeData {
    pub(super) dataset: Dataset,
}

impl FqeData {
    /// From a dataset as loaded. Of its episodes the share `held_out` is not learned from: estimates are of these.
    ///
    /// # Errors
    /// [`crate::Error::Dataset`] when rows cannot be read.
    pub fn new(dataset: Dataset, held_out: f64) -> Result<Self> {
        let mut dataset = dataset.holding_out(held_out).recovered();
        if *dataset.obs_transform() == ObsTransform::None {
            let (mean, std) = dataset.obs_stats()?;
            dataset = dataset.transformed(&ObsTransform::Dataset { mean, std })?;
        }
        Ok(Self { dataset: dataset.standardised_state()? })
    }

    /// The dataset.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Width of a critic's input.
    pub(super) fn input_dim(&self) -> usize {
        self.dataset.state_dim() + TeamActions::width_of(&self.dataset)
    }

    /// Held-out episodes, all complete ones if none is held out.
    pub(super) fn judged_on(&self) -> &[Episode] {
        let all = judged_on(&self.dataset);
        &all[..all.len().min(STARTS)]
    }

    /// [state, actions] before the steps of `host`; `put` writes the actions of a place.
    pub(super) fn before(&self, host: &HostBatch, put: impl Fn(usize, &[u8], &mut [f32])) -> Vec<f32> {
        let state = if host.state.is_empty() { &host.obs } else { &host.state };
        self.inputs(state, &host.alive, host.size, put)
    }

    /// The same after them.
    pub(super) fn after(&self, host: &HostBatch, put: impl Fn(usize, &[u8], &mut [f32])) -> Vec<f32> {
        let state = if host.next_state.is_empty() { &host.next_obs } else { &host.next_state };
        self.inputs(state, &host.next_alive, host.size, put)
    }

    fn inputs(&self, state: &[f32], alive: &[u8], size: usize, put: impl Fn(usize, &[u8], &mut [f32])) -> Vec<f32> {
        let (n, s, width) = (self.dataset.n_agents(), self.dataset.state_dim(), self.input_dim());
        let mut all = vec![0.0; size * width];
        for (at, (row, state)) in all.chunks_exact_mut(width).zip(state.chunks_exact(s)).enumerate() {
            row[..s].copy_from_slice(state);
            put(at, alive.get(at * n..(at + 1) * n).unwrap_or_default(), &mut row[s..]);
        }
        all
    }
}

/// From values to what is fitted, and back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Mean of the returns to go.
    center: f64,
    /// Their standard deviation; 1 where they are all alike.
    pub deviation: f64,
    low: f64,
    high: f64,
}

impl Scale {
    /// Of the rows that are learned from. Behind a clock that ended an episode its mean reward goes on.
    pub fn of(dataset: &Dataset, gamma: f64) -> Self {
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for episode in dataset.learned_from() {
            let rewards = dataset.rewards(episode);
            let mean = rewards.iter().map(|r| f64::from(*r)).sum::<f64>() / rewards.len() as f64;
            let end = if dataset.bootstraps(episode) { mean / (1.0 - gamma) } else { 0.0 };
            for to_go in to_go(rewards, gamma) {
                let value = to_go.rewards + to_go.discount * end;
                (count, sum, squares) = (count + 1.0, sum + value, squares + value * value);
            }
        }
        let center = if count > 0.0 { sum / count } else { 0.0 };
        let variance = if count > 0.0 { squares / count - center * center } else { 0.0 };
        let (low, high) = believable(returns(dataset, gamma));
        let deviation = Some(variance.sqrt()).filter(|std| *std > 1e-6 * center.abs().max(1e-6)).unwrap_or(1.0);
        Self { center, deviation, low, high }
    }

    /// What is fitted for a target.
    pub fn fitted(&self, target: f64) -> f32 {
        ((target.clamp(self.low, self.high) - self.center) / self.deviation) as f32
    }

    /// The value of what was fitted.
    pub fn value(&self, fitted: f32) -> f64 {
        self.center + self.deviation * f64::from(fitted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_clipped_and_scaled() {
        let scale = Scale { center: 10.0, deviation: 4.0, low: -5.0, high: 50.0 };
        for (target, fitted) in [(10.0, 0.0), (18.0, 2.0), (1e9, 10.0), (-9.0, -3.75)] {
            assert_eq!(scale.fitted(target), fitted, "{target}");
        }
        assert_eq!(scale.value(2.0), 18.0);
    }
}
