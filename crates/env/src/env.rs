//! The environment a team acts in, and what it reports after every step.

use omiga_format::{Metric, TaskSpec};

use crate::{Error, JointAction, Result, Scene};

/// A task in which N agents act at once, in the shape of PettingZoo's parallel API but with the caller's buffers.
///
/// # Determinism
/// Everything after `reset(seed, ..)` depends on the seed and the actions alone.
pub trait MultiAgentEnv: Send {
    /// Who observes and commands what, in which units.
    fn task(&self) -> &TaskSpec;

    /// Width S of a row of the global state, which agents see in training; `None` if the state is the observations.
    fn state_dim(&self) -> Option<usize>;

    /// Rows of the global state: N, one an agent, unless there is 1 of the whole team.
    fn state_rows(&self) -> usize {
        self.task().n_agents()
    }

    /// Numbers in the global state; 0 if the state is the observations.
    fn state_len(&self) -> usize {
        self.state_rows() * self.state_dim().unwrap_or(0)
    }

    /// Begin an episode. Overwrites all of `out` (and fits it to this task if it was made for another).
    fn reset(&mut self, seed: u64, out: &mut Timestep);

    /// Let one period pass. Overwrites all of `out`.
    ///
    /// # Units
    /// Actions are physical: as the bounds in [`MultiAgentEnv::task`].
    ///
    /// # Errors
    /// An action of the wrong kind, width or value (see [`JointAction::check`]), or no running episode; the world has
    /// then not moved. [`Error::Diverged`] when the simulation went out of all bounds: a [`crate::rollout`] takes that for the
    /// end of the task.
    fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> Result<()>;

    /// What an episode is judged by beside its return, as people who know the task judge it; nothing unless overridden.
    /// Always the same.
    fn metrics(&self) -> &[Metric] {
        &[]
    }

    /// The values of [`Self::metrics`] for the steps since the last reset, whether or not the episode is over. Overwrites all of
    /// `out`, which is as long as the metrics. A step that diverged counts for nothing. Does nothing unless overridden.
    ///
    /// # Units
    /// As the metrics say.
    fn measure(&self, _out: &mut [f64]) {}

    /// What is where now, to be drawn; nothing unless overridden, or before the first reset. Who plays in earnest does not ask.
    fn scene(&self) -> Option<Scene> {
        None
    }
}

/// What is known after a reset or a step.
///
/// # Shapes
/// N agents, rows of O as wide as the widest observation, S wide states, A commands or choices; row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timestep {
    /// Raw local observations, `[N, O]`; a narrower agent's row ends with zeros.
    pub obs: Vec<f32>,
    /// The global state as each agent sees it, `[N, S]`, or of the whole team, `[S]`; empty if the state is the observations.
    pub state: Vec<f32>,
    /// Each agent's reward of the last step, `[N]`; 0 after a reset.
    pub rewards: Vec<f32>,
    /// The team's reward of the last step; 0 after a reset.
    pub team_reward: f64,
    /// 1 for each permitted choice, `[N, A]`; empty if the actions are continuous.
    pub action_mask: Vec<u8>,
    /// 1 for each agent that still acts, `[N]`.
    pub alive: Vec<u8>,
    /// The task itself ended: nothing follows, so nothing is bootstrapped.
    pub terminated: bool,
    /// The episode was cut, e.g. by its time limit: the task would go on.
    pub truncated: bool,
}

impl Timestep {
    /// Buffers for an environment.
    pub fn for_env(env: &dyn MultiAgentEnv) -> Self {
        let mut timestep = Self::default();
        timestep.blank(env.task(), env.state_len());
        timestep
    }

    /// Make it the blank first timestep of an episode: right sizes, zeros, every choice permitted, everyone alive.
    /// Allocates only if it was made for another task.
    pub fn begin(&mut self, task: &TaskSpec, state_dim: Option<usize>) {
        self.blank(task, task.n_agents() * state_dim.unwrap_or(0));
    }

    /// As [`Self::begin`], with one state of the whole team, this wide.
    pub fn begin_with_team_state(&mut self, task: &TaskSpec, state_dim: usize) {
        self.blank(task, state_dim);
    }

    fn blank(&mut self, task: &TaskSpec, state_len: usize) {
        let (n, a) = (task.n_agents(), task.action_dim());
        refill(&mut self.obs, n * task.obs_dim(), 0.0);
        refill(&mut self.state, state_len, 0.0);
        refill(&mut self.rewards, n, 0.0);
        refill(&mut self.action_mask, if task.is_discrete() { n * a } else { 0 }, 1);
        refill(&mut self.alive, n, 1);
        (self.team_reward, self.terminated, self.truncated) = (0.0, false, false);
    }

    /// The buffers are as wide as the task says, and the state has as many numbers as [`MultiAgentEnv::state_len`] says.
    ///
    /// # Errors
    /// [`Error::Buffer`] names the first that is not.
    pub fn check(&self, task: &TaskSpec, state_len: usize) -> Result<()> {
        let n = task.n_agents();
        let mask = if task.is_discrete() { n * task.action_dim() } else { 0 };
        let sizes = [
            ("obs", n * task.obs_dim(), self.obs.len()),
            ("state", state_len, self.state.len()),
            ("rewards", n, self.rewards.len()),
            ("action_mask", mask, self.action_mask.len()),
            ("alive", n, self.alive.len()),
        ];
        match sizes.into_iter().find(|(_, expected, found)| expected != found) {
            None => Ok(()),
            Some((buffer, expected, found)) => Err(Error::Buffer { task: task.name.clone(), buffer, expected, found }),
        }
    }

    /// The row of one agent's observation, `[O]`: its own fields first, then zeros if others observe more. Empty if there is
    /// no such agent.
    pub fn agent_obs(&self, agent: usize) -> &[f32] {
        row(&self.obs, agent, self.alive.len())
    }

    /// The state of one agent, `[S]`, of a state with a row an agent; empty if the state is the observations.
    pub fn agent_state(&self, agent: usize) -> &[f32] {
        row(&self.state, agent, self.alive.len())
    }

    /// The permitted choices of one agent, `[A]`; empty if its actions are continuous.
    pub fn agent_mask(&self, agent: usize) -> &[u8] {
        row(&self.action_mask, agent, self.alive.len())
    }

    /// Nothing follows in this episode.
    pub fn is_last(&self) -> bool {
        self.terminated || self.truncated
    }
}

fn refill<T: Clone>(buffer: &mut Vec<T>, len: usize, value: T) {
    buffer.clear();
    buffer.resize(len, value);
}

/// Row `index` of `n` equal ones.
fn row<T>(values: &[T], index: usize, n: usize) -> &[T] {
    let width = values.len().checked_div(n).unwrap_or(0);
    index.checked_mul(width).and_then(|start| values.get(start..start.checked_add(width)?)).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use omiga_format::ActionSpace;

    use super::*;

    #[test]
    fn buffers_fit_their_task() {
        let valves = TaskSpec::anonymous("valves", 3, 4, ActionSpace::choices(2));
        let mut timestep = Timestep { team_reward: 3.0, truncated: true, ..Timestep::default() };
        timestep.begin(&valves, Some(5));
        assert!(timestep.check(&valves, 15).is_ok());
        assert_eq!((timestep.team_reward, timestep.is_last()), (0.0, false));
        assert_eq!(
            (timestep.action_mask.as_slice(), timestep.alive.as_slice()),
            ([1; 6].as_slice(), [1; 3].as_slice())
        );

        let pumps = TaskSpec::anonymous("pumps", 2, 4, ActionSpace::unit_box(2));
        let message = "task `pumps`: expected 8 values in `obs`, found 12; is the timestep another task's?";
        assert_eq!(timestep.check(&pumps, 0).unwrap_err().to_string(), message);
        timestep.begin(&pumps, None);
        assert!(timestep.check(&pumps, 0).is_ok() && timestep.action_mask.is_empty());
        timestep.begin_with_team_state(&pumps, 3);
        assert!(timestep.check(&pumps, 3).is_ok() && timestep.state == [0.0; 3]);
    }

    #[test]
    fn rows_belong_to_agents() {
        let mut timestep = Timestep::default();
        assert!(timestep.agent_obs(0).is_empty());
        timestep.begin(&TaskSpec::anonymous("valves", 2, 2, ActionSpace::choices(1)), None);
        timestep.obs = vec![1.0, 2.0, 3.0, 4.0];
        assert_eq!((timestep.agent_obs(1), timestep.agent_mask(0)), ([3.0, 4.0].as_slice(), [1].as_slice()));
        assert!(timestep.agent_obs(2).is_empty() && timestep.agent_obs(usize::MAX).is_empty());
    }
}
