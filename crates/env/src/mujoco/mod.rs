//! Multi-agent MuJoCo as in OMIGA's benchmark: one robot of gymnasium's `-v5` environments, its actuators divided among agents.
//!
//! Agent i drives the i-th block of consecutive actuators; every agent observes the whole robot, and all get the robot's reward.
//! With local observations the tasks are gymnasium-robotics' instead: an agent observes its own joints, their neighbours and the
//! root, and drives the joints that are called its own there (for walker2d and ant other actuators, or in another order).
//!
//! The simulator's library is loaded when a robot is first asked for; `make mujoco` fetches it and the models.

mod fields;
mod joints;
mod layout;
mod library;
mod places;
mod robot;
mod scene;
mod simulator;
mod team;

pub(crate) use joints::division;
pub(crate) use layout::VERSION_NAME as VERSION;
pub use team::MujocoTeam;

/// Tasks: `<robot>-<agents>x<actuators of each>`; see [`parse`] for what may follow.
pub const NAMES: [&str; 6] = ["halfcheetah-6x1", "halfcheetah-2x3", "hopper-3x1", "walker2d-2x3", "ant-2x4", "ant-4x2"];

/// What follows a name for local observations, and how far from its own joints an agent then sees.
const LOCAL: [(&str, usize); 3] = [("-local", 1), ("-local0", 0), ("-local2", 2)];

/// A name without its ending, and the distance that the ending stands for; `None` if no task is called so.
pub fn parse(name: &str) -> Option<(&'static str, Option<usize>)> {
    let whole = |name: &str| NAMES.into_iter().find(|known| *known == name);
    let local = || LOCAL.into_iter().find_map(|(end, k)| Some((whole(name.strip_suffix(end)?)?, Some(k))));
    whole(name).map(|name| (name, None)).or_else(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_end_with_a_distance() {
        assert_eq!(parse("ant-4x2"), Some(("ant-4x2", None)));
        assert_eq!(parse("ant-4x2-local"), Some(("ant-4x2", Some(1))));
        assert_eq!(parse("hopper-3x1-local0"), Some(("hopper-3x1", Some(0))));
        assert_eq!(parse("hopper-3x1-local2"), Some(("hopper-3x1", Some(2))));
        for wrong in
            ["ant-4x2-local1", "ant-4x2-local-local", "ant-4x2local", "ant-local", "-local", "spread-local", ""]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
