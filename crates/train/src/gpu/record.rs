//! A dataset's row as one line of numbers.

use omiga_dataset::{Dataset, HostBatch};

use super::Real;
use crate::Problem;

/// Offsets of a row's parts, all agents together; `None` for a part that it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Observations, [N, O].
    pub obs: usize,
    /// A global state of its own, `[S]`.
    pub state: Option<usize>,
    /// Actions [N, A], or choices `[N]`.
    pub actions: usize,
    /// Available actions, [N, A].
    pub mask: Option<usize>,
    /// Agents that are alive, `[N]`.
    pub alive: Option<usize>,
    /// The team's reward.
    pub reward: usize,
    /// 1 if no value is bootstrapped from this row.
    pub stop: usize,
    /// Numbers of a row.
    pub width: usize,
}

impl Record {
    /// Of a problem whose data has these parts.
    pub fn new(problem: &Problem, own_state: bool, mask: bool, alive: bool) -> Self {
        let (n, a) = (problem.actor.n_agents, problem.actor.action_dim);
        let mut width = 0;
        let mut take = |numbers: usize| {
            width += numbers;
            width - numbers
        };
        let obs = take(n * problem.actor.obs_dim);
        let state = own_state.then(|| take(problem.state_dim));
        let actions = take(if problem.is_discrete() { n } else { n * a });
        let mask = mask.then(|| take(n * a));
        let alive = alive.then(|| take(n));
        let (reward, stop) = (take(1), take(1));
        Self { obs, state, actions, mask, alive, reward, stop, width }
    }

    /// Of a dataset.
    pub fn of(problem: &Problem, dataset: &Dataset) -> Self {
        Self::new(problem, !dataset.shares_state(), dataset.has_action_mask(), dataset.has_alive())
    }

    /// Transition `slot` of `batch`: its row into `now`, and of the row after it what a transition needs into `next`.
    pub fn pack<T: Real>(&self, batch: &HostBatch, slot: usize, now: &mut [T], next: &mut [T]) {
        let part = |from: &[f32], to: &mut [T], at: usize| {
            let width = from.len() / batch.size;
            let from = &from[slot * width..(slot + 1) * width];
            to[at..at + width].iter_mut().zip(from).for_each(|(to, x)| *to = T::of(f64::from(*x)));
        };
        let bytes = |from: &[u8], to: &mut [T], at: Option<usize>| {
            let (width, at) = (from.len() / batch.size, at.unwrap_or_default());
            let from = &from[slot * width..(slot + 1) * width];
            to[at..at + width].iter_mut().zip(from).for_each(|(to, x)| *to = T::of(f64::from(*x)));
        };
        part(&batch.obs, now, self.obs);
        part(&batch.next_obs, next, self.obs);
        if let Some(at) = self.state {
            part(&batch.state, now, at);
            part(&batch.next_state, next, at);
        }
        part(&batch.actions, now, self.actions);
        part(&batch.next_actions, next, self.actions);
        let width = batch.action_indices.len() / batch.size;
        let choices = &batch.action_indices[slot * width..(slot + 1) * width];
        now[self.actions..].iter_mut().zip(choices).for_each(|(to, x)| *to = T::of(f64::from(*x)));
        bytes(&batch.action_mask, now, self.mask);
        bytes(&batch.alive, now, self.alive);
        bytes(&batch.next_alive, next, self.alive);
        now[self.reward] = T::of(f64::from(batch.rewards[slot]));
        next[self.stop] = T::of(f64::from(1.0 - batch.bootstrap[slot]));
    }
}
