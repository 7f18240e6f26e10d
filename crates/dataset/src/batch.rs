//! A batch of transitions on the host.

use crate::{Dataset, Result};

/// A batch of transitions, allocated once and filled again and again. All arrays are row-major.
///
/// # Shapes
/// B = `size`, N agents, O = [`Dataset::obs_dim`], S = [`Dataset::state_dim`] (all agents' states together),
/// A = [`Dataset::action_dim`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostBatch {
    /// Number of transitions B.
    pub size: usize,
    /// Observations [B, N, O].
    pub obs: Vec<f32>,
    /// Observations after the step [B, N, O].
    pub next_obs: Vec<f32>,
    /// Global state [B, S]; empty when it is the observations.
    pub state: Vec<f32>,
    /// Global state after the step [B, S]; empty when it is the observations.
    pub next_state: Vec<f32>,
    /// Continuous actions [B, N, A] in [-1, 1]; empty when discrete.
    pub actions: Vec<f32>,
    /// Continuous actions of the next step [B, N, A]; where there is none, those of this step. Empty when discrete.
    pub next_actions: Vec<f32>,
    /// Indices of discrete actions [B, N]; empty when continuous.
    pub action_indices: Vec<u32>,
    /// Team rewards, `[B]`.
    pub rewards: Vec<f32>,
    /// 1 if the value of the next state counts, 0 if the step terminated the episode, `[B]`.
    pub bootstrap: Vec<f32>,
    /// 1 for each available action before the step [B, N, A]; empty if the dataset has none.
    pub action_mask: Vec<u8>,
    /// 1 for each agent alive before the step [B, N]; empty if the dataset does not say.
    pub alive: Vec<u8>,
    /// 1 for each agent alive after the step [B, N]; empty if the dataset does not say.
    pub next_alive: Vec<u8>,
    pub(crate) room: Room,
}

/// Where rows from disk are taken apart, as large as the first of them needs; no part of what a batch is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room {
    pub bytes: Vec<u8>,
    pub vector: Vec<f32>,
}

impl PartialEq for Room {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl HostBatch {
    /// A batch of `size` transitions for this dataset, all zero.
    pub fn new(dataset: &Dataset, size: usize) -> Self {
        let (n, a) = (dataset.n_agents(), dataset.action_dim());
        let obs = size * n * dataset.obs_dim();
        let state = if dataset.shares_state() { 0 } else { size * dataset.state_dim() };
        let (actions, indices) = if dataset.is_discrete() { (0, size * n) } else { (size * n * a, 0) };
        let alive = vec![0; if dataset.has_alive() { size * n } else { 0 }];
        Self {
            size,
            obs: vec![0.0; obs],
            next_obs: vec![0.0; obs],
            state: vec![0.0; state],
            next_state: vec![0.0; state],
            actions: vec![0.0; actions],
            next_actions: vec![0.0; actions],
            action_indices: vec![0; indices],
            rewards: vec![0.0; size],
            bootstrap: vec![0.0; size],
            action_mask: vec![0; if dataset.has_action_mask() { size * n * a } else { 0 }],
            next_alive: alive.clone(),
            alive,
            room: Room::default(),
        }
    }

    /// Copy transition `transition` of `dataset` into place `slot`.
    ///
    /// # Errors
    /// [`crate::Error::Scratch`] when rows are on disk and cannot be read.
    ///
    /// # Panics
    /// When there is no such transition or slot, or the batch was made for another dataset.
    pub fn set(&mut self, slot: usize, dataset: &Dataset, transition: usize) -> Result<()> {
        let row = dataset.row_of(transition);
        let next = dataset.transitions.get(transition + 1);
        self.copy(slot, dataset, row, next.is_none_or(|next| *next as usize != row + 1))
    }

    /// Copy the step in `row` of `dataset` into place `slot`, whether it is learned from or held out (then its next actions
    /// are its own).
    ///
    /// # Errors
    /// As [`Self::set`].
    ///
    /// # Panics
    /// When there is no such slot, `row` or row after it, or the batch was made for another dataset.
    pub fn set_row(&mut self, slot: usize, dataset: &Dataset, row: usize) -> Result<()> {
        let is_next = |step: &u32| (*step as usize).cmp(&(row + 1));
        self.copy(slot, dataset, row, dataset.transitions.binary_search_by(is_next).is_err())
    }

    /// `last`: is no step of its episode learned from after it?
    fn copy(&mut self, slot: usize, dataset: &Dataset, row: usize, last: bool) -> Result<()> {
        self.rewards[slot] = dataset.rewards[row];
        self.bootstrap[slot] = f32::from(1 - dataset.stops[row + 1]);
        dataset.rows.copy(&dataset.about.widths, &dataset.about.obs, row, last, slot, self)
    }
}
