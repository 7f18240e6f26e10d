//! A dataset of noise with everything that a dataset can have.

use std::path::Path;

use omiga_dataset::{Dataset, Ending, Header, LastRow, LoadOptions, StepActions, StepRow, StoredObs, Writer};
use omiga_format::{ActionSpace, TaskSpec};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Agents, observation, actions.
pub const DIMS: (usize, usize, usize) = (3, 7, 4);

/// What a recording is of.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Choices, some of which are not available, in place of commands.
    pub discrete: bool,
    /// Does it say which agents are alive?
    pub alive: bool,
    /// Fields of each agent's observation; the widest has all.
    pub obs: [usize; DIMS.0],
    /// The largest reward.
    pub reward: f32,
}

impl Kind {
    /// Agents that observe equally much, some of them dead where actions are choices.
    pub fn of(discrete: bool) -> Self {
        Self { discrete, alive: discrete, obs: [DIMS.1; DIMS.0], reward: 1.0 }
    }
}

/// A recording of noise: 8 episodes of 40 steps, every other one ended by the clock. Where actions are choices some agents are dead.
pub fn record(path: &Path, discrete: bool) -> Dataset {
    record_kind(path, Kind::of(discrete))
}

/// The same of this kind.
pub fn record_kind(path: &Path, kind: Kind) -> Dataset {
    let Kind { discrete, .. } = kind;
    let (n, o, a) = DIMS;
    let space = if discrete { ActionSpace::choices(a) } else { ActionSpace::unit_box(a) };
    let mut task = TaskSpec::anonymous("noise", n, o, space);
    task.agents.iter_mut().zip(kind.obs).for_each(|(agent, fields)| agent.obs.truncate(fields));
    let mut writer = Writer::create(path, Header::new(task, StoredObs::Raw), None).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(discrete));
    for episode in 0..8 {
        let mut floats = |k: usize| (0..k).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect::<Vec<_>>();
        let (mut obs, commands, rewards) = (floats(41 * n * o), floats(40 * n * a), floats(40));
        for (row, obs) in obs.chunks_exact_mut(o).enumerate() {
            obs[kind.obs[row % n]..].fill(0.0);
        }
        for step in 0..40 {
            let indices: Vec<u32> = (0..n).map(|_| rng.random_range(0..a as u32)).collect();
            let mut mask: Vec<u8> = (0..n * a).map(|_| rng.random_range(0..2)).collect();
            indices.iter().enumerate().for_each(|(agent, i)| mask[agent * a + *i as usize] = 1);
            let alive: Vec<u8> = (0..n).map(|_| rng.random_range(0..2)).collect();
            let actions = match discrete {
                true => StepActions::Discrete(&indices),
                false => StepActions::Continuous(&commands[step * n * a..(step + 1) * n * a]),
            };
            let (action_mask, alive) = (discrete.then_some(&mask[..]), kind.alive.then_some(&alive[..]));
            let obs = &obs[step * n * o..(step + 1) * n * o];
            let reward = kind.reward * rewards[step];
            writer.push_step(StepRow { obs, state: None, actions, reward, action_mask, alive }).unwrap();
        }
        let last = LastRow { obs: &obs[40 * n * o..], state: None, action_mask: None, alive: None };
        writer.end_episode(last, if episode % 2 == 0 { Ending::Truncated } else { Ending::Terminated }).unwrap();
    }
    writer.finish().unwrap();
    Dataset::load(path, &LoadOptions::default()).unwrap()
}
