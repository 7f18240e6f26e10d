//! What is to be learned: the task with everything that sizes the networks.

use omiga_dataset::{Dataset, MeanStep};
use omiga_format::{ActorSpec, ObsTransform, TaskSpec};

use crate::config::Config;

/// A task, its transform and the sizes that follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Raw observations and physical actions.
    pub task: TaskSpec,
    /// From the raw observation to the network's.
    pub transform: ObsTransform,
    /// The policy network.
    pub actor: ActorSpec,
    /// Width of all agents' states concatenated.
    pub state_dim: usize,
    /// What a step of the data brings in the mean.
    pub mean_step: MeanStep,
}

impl Problem {
    /// The problem that a dataset poses, its observations already transformed by `transform`, for the networks of `config`.
    pub fn of(dataset: &Dataset, transform: ObsTransform, config: &Config) -> Self {
        let task = dataset.task().clone();
        let actor = ActorSpec {
            obs_dim: dataset.obs_dim(),
            n_agents: task.n_agents(),
            hidden: config.network.hidden,
            action_dim: task.action_dim(),
            head: config.actor_head(task.is_discrete()),
        };
        Self { state_dim: dataset.state_dim(), mean_step: dataset.mean_step(), task, transform, actor }
    }

    /// Do the agents choose among named actions?
    pub fn is_discrete(&self) -> bool {
        self.actor.head.is_discrete()
    }
}
