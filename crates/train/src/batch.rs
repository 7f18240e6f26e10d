//! A host batch as tensors on the device, in the shapes that the networks take.

use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Tensor};
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
    /// Continuous tasks: actions of the next row, at an episode's end those of this one, [M, A].
    pub next_actions: Option<Tensor>,
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

/// Where a team is: what its networks read there.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Observation and id, [M, O + N].
    pub obs_id: &'a Tensor,
    /// Global state, [B, S].
    pub state: &'a Tensor,
    /// Agents that are alive, [B, N], where the data says.
    pub alive: Option<&'a Tensor>,
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
    /// [B, N, A] floats of the next row.
    pub next_actions: Option<Tensor>,
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
    /// Before the steps.
    pub fn now(&self) -> Place<'_> {
        Place { obs_id: &self.obs_id, state: &self.state, alive: self.alive.as_ref() }
    }

    /// After the steps.
    pub fn next(&self) -> Place<'_> {
        Place { obs_id: &self.next_obs_id, state: &self.next_state, alive: self.next_alive.as_ref() }
    }

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
            // Copies, as a batch that is filled anew must own what it overwrites.
            None => (obs.reshape((size, ()))?.copy()?, next_obs.reshape((size, ()))?.copy()?),
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
            next_actions: columns.next_actions.map(|a| a.reshape((rows, ()))).transpose()?,
            rewards: columns.rewards,
            bootstrap: columns.bootstrap,
            action_mask: columns.action_mask.map(|m| m.reshape((rows, ()))).transpose()?,
            alive,
            next_alive,
        })
    }

    /// Take over another batch's contents, of the sizes this one was made with. On the CPU the wide tensors are written in
    /// place, where their ids already stand; elsewhere all are uploaded anew.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn refill(&mut self, host: &HostBatch, problem: &Problem, device: &Device) -> Result<()> {
        if !device.is_cpu() {
            *self = Self::upload(host, problem, device)?;
            return Ok(());
        }
        let (obs, actions) = (problem.actor.obs_dim, problem.actor.action_dim);
        let fill = |to: &Tensor, parts: &[(usize, &[f32])]| to.inplace_op1(&Fill { width: to.dim(1)?, parts });
        fill(&self.obs_id, &[(obs, &host.obs)])?;
        fill(&self.next_obs_id, &[(obs, &host.next_obs)])?;
        if let Some(input) = &self.obs_action_id {
            fill(input, &[(obs, &host.obs), (actions, &host.actions)])?;
        }
        let (state, next_state) = match host.state.is_empty() {
            true => (&host.obs, &host.next_obs),
            false => (&host.state, &host.next_state),
        };
        fill(&self.state, &[(problem.state_dim, state)])?;
        fill(&self.next_state, &[(problem.state_dim, next_state)])?;
        let small = Small::upload(host, problem, device)?;
        let rows = self.size * self.n_agents;
        self.actions = small.actions.reshape((rows, ()))?;
        self.next_actions = small.next_actions.map(|a| a.reshape((rows, ()))).transpose()?;
        (self.rewards, self.bootstrap) = (small.rewards, small.bootstrap);
        self.action_mask = small.action_mask.map(|m| m.reshape((rows, ()))).transpose()?;
        (self.alive, self.next_alive) = small.alive.unzip();
        Ok(())
    }

    /// Upload a host batch.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] when the device refuses.
    pub fn upload(host: &HostBatch, problem: &Problem, device: &Device) -> Result<Self> {
        let b = host.size;
        let local = (b, problem.actor.n_agents, problem.actor.obs_dim);
        let state = |x: &[f32]| Tensor::from_slice(x, (b, problem.state_dim), device);
        let shared = host.state.is_empty();
        let Small { actions, next_actions, rewards, bootstrap, action_mask, alive } =
            Small::upload(host, problem, device)?;
        Self::new(Columns {
            obs: Tensor::from_slice(&host.obs, local, device)?,
            next_obs: Tensor::from_slice(&host.next_obs, local, device)?,
            state: (!shared)
                .then(|| Ok::<_, crate::Error>((state(&host.state)?, state(&host.next_state)?)))
                .transpose()?,
            actions,
            next_actions,
            rewards,
            bootstrap,
            action_mask,
            alive,
        })
    }
}

/// The columns that are a few values an agent, as in [`Columns`].
struct Small {
    actions: Tensor,
    next_actions: Option<Tensor>,
    rewards: Tensor,
    bootstrap: Tensor,
    action_mask: Option<Tensor>,
    alive: Option<(Tensor, Tensor)>,
}

impl Small {
    fn upload(host: &HostBatch, problem: &Problem, device: &Device) -> Result<Self> {
        let (b, n, a) = (host.size, problem.actor.n_agents, problem.actor.action_dim);
        let bytes_as_floats = |x: &[u8]| Tensor::from_slice(x, (b, n), device)?.to_dtype(DType::F32);
        Ok(Self {
            actions: match problem.is_discrete() {
                true => Tensor::from_slice(&host.action_indices, (b, n, 1), device)?,
                false => Tensor::from_slice(&host.actions, (b, n, a), device)?,
            },
            next_actions: match problem.is_discrete() {
                true => None,
                false => Some(Tensor::from_slice(&host.next_actions, (b, n, a), device)?),
            },
            rewards: Tensor::from_slice(&host.rewards, (b, 1), device)?,
            bootstrap: Tensor::from_slice(&host.bootstrap, (b, 1), device)?,
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

/// Writes the first columns of every row: parts (width, [rows, width]) side by side; the rest of the row stays.
struct Fill<'a> {
    width: usize,
    parts: &'a [(usize, &'a [f32])],
}

impl InplaceOp1 for Fill<'_> {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let (CpuStorage::F32(to), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            return Err(candle_core::Error::Msg("a batch is filled in contiguous f32 tensors".into()));
        };
        let mut offset = 0;
        for (width, from) in self.parts {
            let rows = to[start..end].chunks_exact_mut(self.width).zip(from.chunks_exact(*width));
            rows.for_each(|(to, from)| to[offset..offset + width].copy_from_slice(from));
            offset += width;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use omiga_dataset::MeanStep;
    use omiga_format::{ActionSpace, ActorHead, ActorSpec, ObsTransform, TaskSpec};

    use super::*;

    fn problem(discrete: bool) -> Problem {
        let (action, head) = match discrete {
            true => (ActionSpace::choices(4), ActorHead::Categorical),
            false => (ActionSpace::unit_box(4), ActorHead::SquashedGaussian),
        };
        let actor = ActorSpec { obs_dim: 5, n_agents: 3, hidden: 8, action_dim: 4, head };
        let task = TaskSpec::anonymous("t", 3, 5, action);
        let state_dim = if discrete { 7 } else { 15 };
        Problem { task, transform: ObsTransform::None, actor, state_dim, mean_step: MeanStep::default() }
    }

    /// Two transitions of made-up numbers.
    fn host(discrete: bool, seed: f32) -> HostBatch {
        let floats = |n: usize, k: f32| (0..n).map(|i| (seed + k + i as f32).sin()).collect::<Vec<f32>>();
        let bits = |n: usize| floats(n, 0.5).iter().map(|x| u8::from(*x > 0.0)).collect::<Vec<u8>>();
        let mut host = HostBatch::default();
        host.size = 2;
        (host.obs, host.next_obs) = (floats(30, 1.0), floats(30, 2.0));
        (host.rewards, host.bootstrap) = (floats(2, 6.0), floats(2, 7.0));
        if discrete {
            (host.state, host.next_state) = (floats(14, 3.0), floats(14, 4.0));
            host.action_indices = bits(6).into_iter().map(u32::from).collect();
            (host.action_mask, host.alive, host.next_alive) = (bits(24), bits(6), bits(6));
        } else {
            (host.actions, host.next_actions) = (floats(24, 5.0), floats(24, 8.0));
        }
        host
    }

    fn numbers(batch: &Batch) -> Vec<Vec<f64>> {
        let optional = [&batch.obs_action_id, &batch.next_actions, &batch.action_mask, &batch.alive, &batch.next_alive];
        let tensors = [&batch.obs_id, &batch.next_obs_id, &batch.state, &batch.next_state, &batch.actions];
        let tensors = tensors.into_iter().chain([&batch.rewards, &batch.bootstrap]);
        let all = tensors.chain(optional.into_iter().flatten());
        all.map(|t| t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()).collect()
    }

    #[test]
    fn a_batch_filled_anew_equals_one_uploaded() {
        for discrete in [false, true] {
            let (problem, device) = (problem(discrete), Device::Cpu);
            let upload = |seed| Batch::upload(&host(discrete, seed), &problem, &device).unwrap();
            let mut batch = upload(0.0);
            batch.refill(&host(discrete, 9.0), &problem, &device).unwrap();
            assert_eq!(numbers(&batch), numbers(&upload(9.0)));
            assert_ne!(numbers(&batch), numbers(&upload(0.0)));
        }
    }
}
