//! A host batch as tensors on the device, in the shapes that the networks take.

use candle_core::{DType, Device, Tensor};
use omiga_dataset::HostBatch;

use crate::{Problem, Result};

/// One batch of B transitions of N agents. Local inputs are flattened to M = B N rows.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Transitions B.
    pub size: usize,
    /// Agents N.
    pub n_agents: usize,
    /// Transformed observation and one-hot id, [M, O + N].
    pub obs_id: Tensor,
    /// The same of the next row, [M, O + N].
    pub next_obs_id: Tensor,
    /// Continuous tasks: observation, action and id, [M, O + A + N].
    pub obs_action_id: Option<Tensor>,
    /// All agents' states concatenated, [B, S].
    pub state: Tensor,
    /// The same of the next row, [B, S].
    pub next_state: Tensor,
    /// [M, A] in [-1, 1], or [M, 1] u32 indices.
    pub actions: Tensor,
    /// Team rewards, [B, 1].
    pub rewards: Tensor,
    /// 1 where the next state's value counts, 0 after a termination, [B, 1].
    pub bootstrap: Tensor,
    /// Discrete tasks that say so: available actions, [M, A] u8.
    pub action_mask: Option<Tensor>,
    /// Tasks that say so: agents that are alive, [B, N].
    pub alive: Option<Tensor>,
    /// The same of the next row, [B, N].
    pub next_alive: Option<Tensor>,
}

/// The parts of a batch as they are logged, before the id is appended.
#[derive(Debug)]
pub struct Columns {
    /// [B, N, O].
    pub obs: Tensor,
    /// [B, N, O].
    pub next_obs: Tensor,
    /// [B, S]; `None`: the observations.
    pub state: Option<(Tensor, Tensor)>,
    /// [B, N, A] floats, or [B, N, 1] u32.
    pub actions: Tensor,
    /// [B, 1].
    pub rewards: Tensor,
    /// [B, 1].
    pub bootstrap: Tensor,
    /// [B, N, A] u8.
    pub action_mask: Option<Tensor>,
    /// [B, N], this row's and the next row's.
    pub alive: Option<(Tensor, Tensor)>,
}

impl Batch {
    /// Append the ids and flatten the agents.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when shapes do not fit.
    pub fn new(columns: Columns) -> Result<Self> {
        let (size, n_agents, obs_dim) = columns.obs.dims3()?;
        let rows = size * n_agents;
        let id = Tensor::eye(n_agents, columns.obs.dtype(), columns.obs.device())?
            .broadcast_as((size, n_agents, n_agents))?
            .reshape((rows, n_agents))?; // [M, N]
        let obs = columns.obs.reshape((rows, obs_dim))?; // [M, O]
        let next_obs = columns.next_obs.reshape((rows, obs_dim))?; // [M, O]
        let actions = columns.actions.reshape((rows, ()))?; // [M, A]
        let obs_action_id = match actions.dtype() {
            DType::U32 => None,
            _ => Some(Tensor::cat(&[&obs, &actions, &id], 1)?),
        };
        let (state, next_state) = match columns.state {
            Some(states) => states,
            None => (obs.reshape((size, ()))?, next_obs.reshape((size, ()))?),
        };
        let (alive, next_alive) = columns.alive.unzip();
        Ok(Self {
            size,
            n_agents,
            obs_id: Tensor::cat(&[&obs, &id], 1)?,
            next_obs_id: Tensor::cat(&[&next_obs, &id], 1)?,
            obs_action_id,
            state,
            next_state,
            actions,
            rewards: columns.rewards,
            bootstrap: columns.bootstrap,
            action_mask: columns.action_mask.map(|m| m.reshape((rows, ()))).transpose()?,
            alive,
            next_alive,
        })
    }

    /// Upload a host batch.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn upload(host: &HostBatch, problem: &Problem, device: &Device) -> Result<Self> {
        let (b, n, a) = (host.size, problem.actor.n_agents, problem.actor.action_dim);
        let local = (b, n, problem.actor.obs_dim);
        let floats = |x: &[f32], shape: (usize, usize)| Tensor::from_slice(x, shape, device);
        let state = |x: &[f32]| floats(x, (b, problem.state_dim));
        let bytes_as_floats = |x: &[u8]| Tensor::from_slice(x, (b, n), device)?.to_dtype(DType::F32);
        let shared = host.state.is_empty();
        Self::new(Columns {
            obs: Tensor::from_slice(&host.obs, local, device)?,
            next_obs: Tensor::from_slice(&host.next_obs, local, device)?,
            state: (!shared)
                .then(|| Ok::<_, crate::Error>((state(&host.state)?, state(&host.next_state)?)))
                .transpose()?,
            actions: match problem.is_discrete() {
                true => Tensor::from_slice(&host.action_indices, (b, n, 1), device)?,
                false => Tensor::from_slice(&host.actions, (b, n, a), device)?,
            },
            rewards: floats(&host.rewards, (b, 1))?,
            bootstrap: floats(&host.bootstrap, (b, 1))?,
            action_mask: match host.action_mask.is_empty() {
                true => None,
                false => Some(Tensor::from_slice(&host.action_mask, (b, n, a), device)?),
            },
            alive: match host.alive.is_empty() {
                true => None,
                false => Some((bytes_as_floats(&host.alive)?, bytes_as_floats(&host.next_alive)?)),
            },
        })
    }
}
