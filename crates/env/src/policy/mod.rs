//! Who acts: the interface of a team's policy, and scripted behaviour of named qualities.

mod grid;
mod quality;
mod smax;
mod snapshots;
mod spread;
mod uniform;

use omiga_format::TaskSpec;

pub use quality::{Practice, Quality};
pub use uniform::UniformPolicy;

use crate::{Error, JointAction, Result, Timestep, mujoco, task_names};

/// Chooses the actions of a whole team. Object safe; errors of other crates go into [`Error::policy`].
pub trait TeamPolicy: Send {
    /// Begin an episode: forget the last one, and draw from this seed only.
    fn reset(&mut self, seed: u64);

    /// Choose everybody's action at `t`.
    ///
    /// # Errors
    /// A timestep or an action of another task; [`Error::Policy`] from elsewhere.
    fn act(&mut self, t: &Timestep, actions: &mut JointAction) -> Result<()>;
}

/// The behaviour policy of a quality. `random` exists for every task, the others for `spread`, `spread-discrete` and the battles
/// `smax-...` (see [`Quality`] for what they do and what they earn), for feeders and, as recorded policies, for hopper,
/// halfcheetah and ant.
///
/// # Errors
/// [`Error::NoBehaviour`] if nobody wrote one for the task.
pub fn behaviour_policy(task: &TaskSpec, quality: Quality) -> Result<Box<dyn TeamPolicy>> {
    if quality == Quality::Random {
        return Ok(Box::new(UniformPolicy::new(task.clone())));
    }
    if let Some(follower) = spread::Follower::new(task, quality) {
        return Ok(Box::new(follower));
    }
    if let Some(operator) = grid::Operator::new(task, quality) {
        return Ok(Box::new(operator));
    }
    if let Some(commander) = smax::Commander::new(task, quality) {
        return Ok(Box::new(commander));
    }
    if let Some(snapshots) = snapshots::Snapshots::new(task, quality) {
        return Ok(Box::new(snapshots));
    }
    Err(Error::NoBehaviour { task: task.name.clone(), quality: quality.name(), expected: tasks_with(quality) })
}

/// The tasks that have a behaviour policy of this quality.
fn tasks_with(quality: Quality) -> Vec<&'static str> {
    match quality {
        Quality::Planner => crate::smax::NAMES.to_vec(),
        Quality::Practice(_) => crate::grid::NAMES.to_vec(),
        _ => {
            let has_one = |name: &&str| !mujoco::NAMES.contains(name) || snapshots::are_there(name);
            task_names().iter().copied().filter(has_one).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use omiga_format::ActionSpace;

    use super::*;

    #[test]
    fn other_tasks_have_only_the_random_one() {
        let task = TaskSpec::anonymous("pumps", 2, 3, ActionSpace::unit_box(1));
        assert!(behaviour_policy(&task, Quality::Random).is_ok());
        let message = "task `pumps` has no behaviour policy of quality `medium`, expected one of [\"spread\", \
                       \"spread-discrete\", \"halfcheetah-6x1\", \"halfcheetah-2x3\", \"hopper-3x1\", \"ant-2x4\", \
                       \"ant-4x2\", \"grid-33bus\", \"grid-33bus-wide\", \"smax-3m\"";
        let error = behaviour_policy(&task, Quality::Medium).err().unwrap().to_string();
        assert!(error.starts_with(message) && error.ends_with("\"smax-2c_vs_64zg\"]; use `random`"), "{error}");
        let message = "task `hopper-3x1` has no behaviour policy of quality `hunting`, expected one of \
                       [\"grid-33bus\", \"grid-33bus-wide\"]; use `random`";
        let robot = TaskSpec::anonymous("hopper-3x1", 3, 14, ActionSpace::unit_box(1));
        for practice in Practice::ALL {
            let error = behaviour_policy(&robot, Quality::Practice(practice)).err().unwrap().to_string();
            assert_eq!(error, message.replace("hunting", practice.name()));
        }
        let error = behaviour_policy(&robot, Quality::Planner).err().unwrap().to_string();
        assert!(error.contains("quality `planner`, expected one of [\"smax-3m\", "), "{error}");
        let impostor = TaskSpec::anonymous("spread", 2, 3, ActionSpace::unit_box(1));
        assert!(behaviour_policy(&impostor, Quality::Medium).is_err());
    }
}
