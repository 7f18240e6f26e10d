//! A batch of transitions on the host.

/// A batch of transitions, allocated once and filled again and again. All arrays are row-major.
///
/// # Shapes
/// B = `size`, N agents, O = [`Dataset::obs_dim`](crate::Dataset::obs_dim), S = [`Dataset::state_dim`](crate::Dataset::state_dim) (all agents' states together),
/// A = [`Dataset::action_dim`](crate::Dataset::action_dim).
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
