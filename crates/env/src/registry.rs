//! Environments by name.

use std::sync::LazyLock;

use crate::{Error, MultiAgentEnv, Result, Smax, Spread};
use crate::{grid, mujoco, smax};

/// Tasks of the particle world.
pub(crate) const PARTICLE: [&str; 2] = ["spread", "spread-discrete"];
/// All tasks.
static NAMES: LazyLock<Vec<&str>> =
    LazyLock::new(|| [PARTICLE.as_slice(), &mujoco::NAMES, &grid::NAMES, &smax::NAMES].concat());

/// The tasks that [`make_env`] makes. A robot's task has local observations if `-local` follows its name: each agent sees
/// its own joints and their neighbours, with `-local0` no neighbours, with `-local2` also theirs. What may follow a feeder's
/// name is in docs/grid.md, and `grid-custom` is a feeder of one's own.
pub fn task_names() -> &'static [&'static str] {
    &NAMES
}

/// Is there an environment of this name, of [`task_names`] or with local observations?
pub fn has_task(name: &str) -> bool {
    let own = PARTICLE.contains(&name) || smax::NAMES.contains(&name);
    own || grid::parse(name).is_some() || mujoco::parse(name).is_some()
}

/// What plays a task that is not played by this crate itself, with its version: trajectories differ from one to another.
pub fn simulator(name: &str) -> Option<String> {
    mujoco::parse(name).map(|_| format!("MuJoCo {}", mujoco::VERSION))
}

/// An environment by its task's name.
///
/// # Errors
/// [`Error::UnknownTask`] lists the names there are; of robots [`Error::Simulator`] when MuJoCo's library cannot be loaded, and
/// [`Error::Model`] when their model cannot; of feeders [`Error::Feeder`] and [`Error::Profiles`] when their files cannot.
pub fn make_env(name: &str) -> Result<Box<dyn MultiAgentEnv>> {
    match name {
        "spread" => Ok(Box::new(Spread::continuous())),
        "spread-discrete" => Ok(Box::new(Spread::discrete())),
        _ if grid::parse(name).is_some() => Ok(Box::new(grid::Grid::named(name)?)),
        _ if smax::NAMES.contains(&name) => Ok(Box::new(Smax::new(name)?)),
        _ if mujoco::parse(name).is_some() => Ok(Box::new(mujoco::MujocoTeam::new(name)?)),
        _ => Err(Error::UnknownTask { expected: NAMES.to_vec(), found: name.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_makes_its_task() {
        for name in task_names().iter().chain(&["hopper-3x1-local", "grid-33bus-wide-clock-bowl-ramp"]) {
            assert_eq!(make_env(name).unwrap().task().name, *name);
            assert!(has_task(name));
        }
        assert!(!has_task("spread-local") && make_env("spread-local").is_err());
        let message = make_env("sprad").err().unwrap().to_string();
        assert!(
            message.starts_with("no task `sprad`, expected one of [\"spread\", \"spread-discrete\", \"half"),
            "{message}"
        );
    }
}
