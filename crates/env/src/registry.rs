//! Environments by name.

use crate::mujoco;
use crate::{Error, MultiAgentEnv, Result, Spread};

/// Tasks of the particle world.
pub(crate) const PARTICLE: [&str; 2] = ["spread", "spread-discrete"];
/// All tasks, those of MuJoCo last.
const NAMES: [&str; PARTICLE.len() + mujoco::NAMES.len()] = {
    let [a, b] = PARTICLE;
    let [c, d, e, f, g, h] = mujoco::NAMES;
    [a, b, c, d, e, f, g, h]
};

/// The tasks that [`make_env`] makes in this build: those of MuJoCo need the feature `mujoco`. A robot's task has local
/// observations if `-local` follows its name: each agent sees its own joints and their neighbours, with `-local0` no
/// neighbours, with `-local2` also theirs.
pub fn task_names() -> &'static [&'static str] {
    if cfg!(feature = "mujoco") { &NAMES } else { &NAMES[..PARTICLE.len()] }
}

/// Is there an environment of this name in this build, of [`task_names`] or with local observations?
pub fn has_task(name: &str) -> bool {
    if cfg!(feature = "mujoco") { is_task(name) } else { PARTICLE.contains(&name) }
}

/// Is there an environment of this name, in this build or in one with MuJoCo?
pub fn is_task(name: &str) -> bool {
    PARTICLE.contains(&name) || mujoco::parse(name).is_some()
}

/// An environment by its task's name.
///
/// # Errors
/// [`Error::UnknownTask`] lists the names there are; [`Error::NeedsMujoco`] in a build without MuJoCo;
/// [`Error::Model`] when its model cannot be loaded.
pub fn make_env(name: &str) -> Result<Box<dyn MultiAgentEnv>> {
    match name {
        "spread" => Ok(Box::new(Spread::continuous())),
        "spread-discrete" => Ok(Box::new(Spread::discrete())),
        _ if mujoco::parse(name).is_some() => mujoco(name),
        _ => Err(Error::UnknownTask { expected: NAMES.to_vec(), found: name.to_owned() }),
    }
}

#[cfg(feature = "mujoco")]
fn mujoco(name: &str) -> Result<Box<dyn MultiAgentEnv>> {
    Ok(Box::new(mujoco::MujocoTeam::new(name)?))
}

#[cfg(not(feature = "mujoco"))]
fn mujoco(name: &str) -> Result<Box<dyn MultiAgentEnv>> {
    Err(Error::NeedsMujoco { task: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_makes_its_task() {
        for name in task_names() {
            assert_eq!(make_env(name).unwrap().task().name, *name);
            assert!(has_task(name) && is_task(name));
        }
        let local = "hopper-3x1-local";
        assert_eq!(has_task(local), cfg!(feature = "mujoco"));
        assert!(
            is_task(local)
                && !is_task("spread-local")
                && !has_task("spread-local")
                && make_env("spread-local").is_err()
        );
        if !cfg!(feature = "mujoco") {
            for name in ["hopper-3x1", local] {
                let message = make_env(name).err().unwrap().to_string();
                assert!(message.contains("build with `make mujoco`"), "{message}");
            }
        }
        let message = make_env("sprad").err().unwrap().to_string();
        assert!(
            message.starts_with("no task `sprad`, expected one of [\"spread\", \"spread-discrete\", \"half"),
            "{message}"
        );
    }
}
