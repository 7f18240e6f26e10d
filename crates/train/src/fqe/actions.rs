//! What a team does in every recorded row.

use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{DType, Device, Tensor};
use omiga_dataset::{Dataset, HostBatch};
use omiga_format::{ActorSpec, Checkpoint, ObsTransform};

use crate::config::PolicyConfig;
use crate::gauge::apart;
use crate::nn::{Actor, Done, Networks};
use crate::{Error, Result};

/// Rows that are looked at in one pass.
const ROWS: usize = 512;

/// The actions of all agents in every row of a dataset, last states included.
#[derive(Clone, Debug, PartialEq)]
pub enum TeamActions {
    /// Commands in [-1, 1].
    Commands {
        /// N: agents.
        agents: usize,
        /// [rows, N, A].
        values: Vec<f32>,
    },
    /// Choices.
    Choices {
        /// N: agents.
        agents: usize,
        /// [rows, N], indices.
        values: Vec<u32>,
    },
}

impl TeamActions {
    /// What the policies of a checkpoint do, as they are deployed: from raw observations, without noise, among available
    /// choices. `None` if `stop` was set.
    ///
    /// # Errors
    /// [`Error::Unfit`] for policies of another task; what is wrong with the checkpoint; rows that cannot be read.
    pub fn of_checkpoint(checkpoint: Checkpoint, dataset: &Dataset, stop: &AtomicBool) -> Result<Option<Self>> {
        let Checkpoint { meta, mut file } = checkpoint;
        let task = dataset.task();
        let sizes = |task: &omiga_format::TaskSpec| {
            let choices = if task.is_discrete() { "choices" } else { "commands" };
            format!(
                "{} agents with {} observations and {} {choices}",
                task.n_agents(),
                task.obs_dim(),
                task.action_dim()
            )
        };
        if sizes(&meta.task) != sizes(task) {
            return Err(Error::Unfit { expected: sizes(task), found: sizes(&meta.task) });
        }
        let (actor, n) = (&meta.actor, task.n_agents());
        let width = meta.transform.output_dim(task.obs_dim(), n);
        if (actor.n_agents, actor.obs_dim, actor.action_dim) != (n, width, task.action_dim()) {
            return Err(Error::Unfit { expected: sizes(task), found: format!("{actor:?}") });
        }
        let stack = Actor::stack(&meta.actor);
        let mut networks = Networks::new(DType::F32, &Device::Cpu);
        let id = networks.add("actor", &stack, &stack.take("actor", &mut file)?, None)?;
        let actor = Actor::new(id, &meta.actor, PolicyConfig::default());
        let team = Team { networks, actor, spec: meta.actor, transform: meta.transform };
        let mut all = Self::none(dataset);
        let rows: Vec<usize> = (0..rows_of(dataset)).collect();
        for chunk in rows.chunks(ROWS) {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            match (&mut all, team.act(chunk, dataset)?) {
                (Self::Commands { values, .. }, Done::Commands(found)) => values.extend(found),
                (Self::Choices { values, .. }, Done::Choices(found)) => values.extend(found),
                _ => return Err(Error::Unfit { expected: sizes(task), found: format!("{:?}", team.spec.head) }),
            }
        }
        Ok(Some(all))
    }

    /// What was recorded: the policies are whoever made the data. In a last state, where nothing was done, the step before.
    ///
    /// # Errors
    /// [`Error::Dataset`] when rows cannot be read.
    pub fn of_data(dataset: &Dataset) -> Result<Self> {
        let mut all = Self::none(dataset);
        let mut host = HostBatch::new(dataset, 1);
        let rows = rows_of(dataset);
        let mut last = vec![false; rows + 1];
        dataset.learned_from().iter().chain(dataset.held_out()).for_each(|episode| last[episode.last] = true);
        last[rows - 1] = true;
        for (row, is_last) in last[..rows].iter().enumerate() {
            if !is_last {
                host.set_row(0, dataset, row)?;
            }
            match &mut all {
                Self::Commands { values, .. } => values.extend_from_slice(&host.actions),
                Self::Choices { values, .. } => values.extend_from_slice(&host.action_indices),
            }
        }
        Ok(all)
    }

    fn none(dataset: &Dataset) -> Self {
        let agents = dataset.n_agents();
        match dataset.is_discrete() {
            true => Self::Choices { agents, values: Vec::new() },
            false => Self::Commands { agents, values: Vec::new() },
        }
    }
}

/// How actions enter a critic.
impl TeamActions {
    /// Numbers of a row: commands, or choices one-hot.
    pub(super) fn width_of(dataset: &Dataset) -> usize {
        dataset.n_agents() * dataset.action_dim()
    }

    /// Write those of `row` into zeros; of agents that are not `alive` (of all, if it is empty) they stay.
    pub(super) fn put(&self, row: usize, alive: &[u8], out: &mut [f32]) {
        match self {
            Self::Commands { agents, values } => {
                put_commands(&values[row * out.len()..][..out.len()], *agents, alive, out)
            }
            Self::Choices { agents, values } => put_choices(&values[row * agents..][..*agents], alive, out),
        }
    }

    /// Sum over living agents of the mean |pi - a| of their commands, or of 1 where a choice differs, between `row` and what was
    /// done in the one place of `host`; and how many live.
    pub(super) fn distance(&self, row: usize, host: &HostBatch) -> (f64, f64) {
        let (agents, distances): (usize, Vec<f64>) = match self {
            Self::Commands { agents, values } => {
                let width = host.actions.len() / agents;
                let own = values[row * host.actions.len()..][..host.actions.len()].chunks_exact(width);
                (*agents, own.zip(host.actions.chunks_exact(width)).map(|(x, y)| apart(x, y)).collect())
            }
            Self::Choices { agents, values } => {
                let own = values[row * agents..][..*agents].iter().zip(&host.action_indices);
                (*agents, own.map(|(x, y)| f64::from(u8::from(x != y))).collect())
            }
        };
        let living = (0..agents).filter(|agent| host.alive.get(*agent) != Some(&0));
        living.fold((0.0, 0.0), |(sum, count), agent| (sum + distances[agent], count + 1.0))
    }

    /// Write what was done in place `at` of a batch, in the same way.
    pub(super) fn put_recorded(host: &HostBatch, agents: usize, at: usize, alive: &[u8], out: &mut [f32]) {
        match host.action_indices.is_empty() {
            true => put_commands(&host.actions[at * out.len()..][..out.len()], agents, alive, out),
            false => put_choices(&host.action_indices[at * agents..][..agents], alive, out),
        }
    }
}

fn put_commands(commands: &[f32], agents: usize, alive: &[u8], out: &mut [f32]) {
    let width = out.len() / agents;
    for (agent, (out, commands)) in out.chunks_exact_mut(width).zip(commands.chunks_exact(width)).enumerate() {
        if alive.get(agent) != Some(&0) {
            out.copy_from_slice(commands);
        }
    }
}

fn put_choices(choices: &[u32], alive: &[u8], out: &mut [f32]) {
    let among = out.len() / choices.len();
    for (agent, (out, choice)) in out.chunks_exact_mut(among).zip(choices).enumerate() {
        if alive.get(agent) != Some(&0) {
            out[*choice as usize] = 1.0;
        }
    }
}

/// A checkpoint's policies.
struct Team {
    networks: Networks,
    actor: Actor,
    spec: ActorSpec,
    transform: ObsTransform,
}

impl Team {
    fn act(&self, rows: &[usize], dataset: &Dataset) -> Result<Done> {
        let (n, width) = (dataset.n_agents(), self.spec.input_dim());
        let mut raw = vec![0.0; dataset.task().obs_dim()];
        let mut input = vec![0.0; rows.len() * n * width];
        for (i, input) in input.chunks_exact_mut(width).enumerate() {
            let (row, agent) = (rows[i / n], i % n);
            dataset.raw_obs(row, agent, &mut raw)?;
            self.transform.apply(agent, &raw, &mut input[..self.spec.obs_dim]);
            input[self.spec.obs_dim + agent] = 1.0;
        }
        let input = Tensor::from_vec(input, (rows.len() * n, width), &Device::Cpu)?; // [M, O + N]
        let heads = self.networks.evaluate(self.actor.id, &input)?;
        self.actor.policy(&heads).masked(available(rows, dataset)?.as_ref())?.done()
    }
}

/// Available choices of all agents in these rows, [M, A], where the data says. An agent without any has them all.
fn available(rows: &[usize], dataset: &Dataset) -> Result<Option<Tensor>> {
    if !dataset.has_action_mask() {
        return Ok(None);
    }
    let (n, a) = (dataset.n_agents(), dataset.action_dim());
    let mut masks = Vec::with_capacity(rows.len() * n * a);
    for place in 0..rows.len() * n {
        let mask = dataset.action_mask(rows[place / n], place % n)?.filter(|mask| mask.contains(&1));
        masks.extend(mask.unwrap_or_else(|| vec![1; a]));
    }
    Ok(Some(Tensor::from_vec(masks, (rows.len() * n, a), &Device::Cpu)?))
}

/// Rows of the file up to the last that is the state after some step.
fn rows_of(dataset: &Dataset) -> usize {
    let episodes = dataset.learned_from().iter().chain(dataset.held_out()).map(|episode| episode.last);
    let trailing = dataset.row_of(dataset.len() - 1) + 1;
    episodes.chain([trailing]).fold(0, usize::max) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_of_the_dead_are_nothing() {
        let commands = TeamActions::Commands { agents: 2, values: vec![0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0] };
        let choices = TeamActions::Choices { agents: 2, values: vec![0, 0, 1, 0] };
        for (alive, of_commands, of_choices) in [
            (&[][..], [1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 1.0, 0.0]),
            (&[1, 0], [1.0, 2.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]),
        ] {
            for (actions, expected) in [(&commands, of_commands), (&choices, of_choices)] {
                let mut out = [0.0; 4];
                actions.put(1, alive, &mut out);
                assert_eq!(out, expected, "{alive:?}");
            }
        }
    }
}
