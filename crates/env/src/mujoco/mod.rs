//! Multi-agent MuJoCo as in OMIGA's benchmark: one robot of gymnasium's `-v5` environments, its actuators divided among agents.
//!
//! Agent i drives the i-th block of consecutive actuators; every agent observes the whole robot, and all get the robot's reward.
//! Built with the feature `mujoco`; `make mujoco` fetches the simulator and the models.

#[cfg(feature = "mujoco")]
mod fields;
#[cfg(feature = "mujoco")]
mod log;
#[cfg(feature = "mujoco")]
mod robot;
#[cfg(feature = "mujoco")]
mod team;

#[cfg(feature = "mujoco")]
pub use team::MujocoTeam;

/// Tasks: `<robot>-<agents>x<actuators of each>`.
pub const NAMES: [&str; 6] = ["halfcheetah-6x1", "halfcheetah-2x3", "hopper-3x1", "walker2d-2x3", "ant-2x4", "ant-4x2"];
