//! What is to be learned: the task with everything that sizes the networks.

use omiga_dataset::{Dataset, MeanStep};
use omiga_format::{ActorSpec, ObsTransform, TaskSpec};

use crate::config::{Algorithm, Config, ValueInit};
use crate::{Error, Result};

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

    /// Check that new networks of `config` can begin with this problem.
    ///
    /// # Errors
    /// [`Error::Setting`] where critics are to begin near the data's mean value, and no number is.
    pub fn require_start(&self, config: &Config) -> Result<()> {
        let near_data = config.run.algorithm == Algorithm::Rebrac && config.rebrac.value_init == ValueInit::Data;
        if near_data && !self.mean_step.value(config.rebrac.gamma).is_finite() {
            let gamma = config.rebrac.gamma;
            let expected = format!(
                "`zero` where `rebrac.gamma` is {gamma} and no step of the data terminates, or a `rebrac.gamma` below 1"
            );
            return Err(Error::Setting { field: "rebrac.value_init", expected, found: "`data`".into() });
        }
        Ok(())
    }

    /// Do the agents choose among named actions?
    pub fn is_discrete(&self) -> bool {
        self.actor.head.is_discrete()
    }
}

#[cfg(test)]
mod tests {
    use omiga_dataset::MeanStep;
    use omiga_format::{ActionSpace, ActorHead};

    use super::*;

    #[test]
    fn values_that_no_number_is_are_refused() {
        let task = TaskSpec::anonymous("pumps", 1, 2, ActionSpace::unit_box(1));
        let actor = ActorSpec { obs_dim: 2, n_agents: 1, hidden: 4, action_dim: 1, head: ActorHead::Deterministic };
        let check = |settings: &[&str], bootstrap: f64, refused: bool| {
            let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
            let config = Config::from_parts(&[], &settings).unwrap();
            let mean_step = MeanStep { reward: 0.0, bootstrap };
            let (task, actor, transform) = (task.clone(), actor.clone(), ObsTransform::None);
            let problem = Problem { task, transform, actor, state_dim: 2, mean_step };
            let found = problem.require_start(&config).map_err(|error| error.to_string());
            assert_eq!(found.is_err(), refused, "{settings:?}, {bootstrap}: {found:?}");
            assert!(!refused || found.unwrap_err().contains("`rebrac.value_init` is `data`, expected `zero`"));
        };
        let near = ["run.algorithm=rebrac", "rebrac.value_init=data", "rebrac.gamma=1"];
        check(&near, 1.0, true);
        check(&near, 0.99, false);
        check(&near[..2], 1.0, false);
        check(&["run.algorithm=rebrac", "rebrac.gamma=1"], 1.0, false);
        check(&near[1..], 1.0, false);
    }
}
