//! Exported policies in an environment, through the runtime.

use anyhow::Result;
use omiga_env::{Error, JointAction, MultiAgentEnv, Scene, TeamPolicy, Timestep, episode_seed, make_env, rollout};
use omiga_format::TaskSpec;
use omiga_runtime::Team;

use crate::figure::Episode;

/// A bundle's policies as a team in a rollout.
pub struct Deployed {
    team: Team,
    masks: Vec<bool>,
}

impl Deployed {
    /// The team's policies, one an agent.
    pub fn new(team: Team) -> Self {
        let all = if team.task().is_discrete() { team.task().n_agents() * team.task().action_dim() } else { 0 };
        Self { team, masks: vec![true; all] }
    }
}

impl TeamPolicy for Deployed {
    fn reset(&mut self, _seed: u64) {}

    fn act(&mut self, t: &Timestep, actions: &mut JointAction) -> omiga_env::Result<()> {
        match actions {
            JointAction::Continuous(values) => self.team.step(&t.obs, values),
            JointAction::Discrete(indices) => {
                self.masks.iter_mut().zip(&t.action_mask).for_each(|(mask, byte)| *mask = *byte != 0);
                self.team.choose(&t.obs, &self.masks, indices)
            }
        }
        .map_err(Error::policy)
    }
}

/// What two tasks must have in common for the policies of one to play the other: agents, each one's observations, actions,
/// and whether these are discrete.
pub fn sizes(task: &TaskSpec) -> (usize, Vec<usize>, usize, bool) {
    (task.n_agents(), task.obs_dims(), task.action_dim(), task.is_discrete())
}

/// The first of the episodes that `seed` stands for, played by a team; and the task as the environment has it.
///
/// # Errors
/// No such environment, or policies that cannot be run in it.
pub fn first_episode(
    task: &str,
    team: impl FnOnce(&TaskSpec) -> Result<Box<dyn TeamPolicy>>,
    seed: u64,
) -> Result<(TaskSpec, Episode)> {
    let mut env = Filmed { env: make_env(task)?, scenes: Vec::new() };
    let mut team = team(env.task())?;
    let mut played = Episode::default();
    rollout(&mut env, &mut *team, episode_seed(seed, 0), &mut |step| {
        played.rewards.push(step.after.team_reward);
        played.actions.push(match step.actions {
            JointAction::Continuous(values) => values.clone(),
            JointAction::Discrete(indices) => indices.iter().map(|i| *i as f32).collect(),
        });
        Ok(())
    })?;
    let task = env.task().clone();
    Ok((task, Episode { scenes: env.scenes, ..played }))
}

/// An environment whose every moment is kept.
struct Filmed {
    env: Box<dyn MultiAgentEnv>,
    scenes: Vec<Scene>,
}

impl MultiAgentEnv for Filmed {
    fn task(&self) -> &TaskSpec {
        self.env.task()
    }

    fn state_dim(&self) -> Option<usize> {
        self.env.state_dim()
    }

    fn state_rows(&self) -> usize {
        self.env.state_rows()
    }

    fn reset(&mut self, seed: u64, out: &mut Timestep) {
        self.env.reset(seed, out);
        self.scenes = self.env.scene().into_iter().collect();
    }

    fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> omiga_env::Result<()> {
        self.env.step(actions, out)?;
        self.scenes.extend(self.env.scene());
        Ok(())
    }
}
