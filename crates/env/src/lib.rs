//! Environments for teams, scripted behaviour, and rollouts.
//!
//! In: a task's name (or your own [`MultiAgentEnv`]), a [`TeamPolicy`] and a seed. Out: every step of an episode for
//! whoever records it, or an [`Evaluation`] with its 95 % interval. The three main types are [`MultiAgentEnv`] (a
//! simulator behind the caller's buffers), [`Timestep`] (what is known after a step) and [`TeamPolicy`] (who acts). What a task is
//! judged by beside the return, e.g. how often it is won, its environment says itself ([`MultiAgentEnv::metrics`]).
//!
//! ```
//! use omiga_env::{Quality, behaviour_policy, evaluate, make_env};
//!
//! let mut env = make_env("spread")?;
//! let mut policy = behaviour_policy(env.task(), Quality::Expert)?;
//! let result = evaluate(&mut *env, &mut *policy, 20, 0)?;
//! assert!(result.mean > -12.0 && result.lengths == [25; 20]);
//! # Ok::<(), omiga_env::Error>(())
//! ```
//!
//! An environment of your own: two pumps share a tank and keep its level.
//!
//! ```
//! use omiga_env::{JointAction, MultiAgentEnv, Result, Timestep, UniformPolicy, rollout};
//! use omiga_format::{ActionSpace, TaskSpec};
//!
//! struct Tank { task: TaskSpec, level: f32, steps: u32 }
//!
//! impl Tank {
//!     fn report(&self, out: &mut Timestep) {
//!         out.begin(&self.task, None);
//!         out.obs.fill(self.level);
//!     }
//! }
//!
//! impl MultiAgentEnv for Tank {
//!     fn task(&self) -> &TaskSpec { &self.task }
//!     fn state_dim(&self) -> Option<usize> { None }
//!     fn reset(&mut self, seed: u64, out: &mut Timestep) {
//!         (self.level, self.steps) = ((seed % 10) as f32 / 10.0, 0);
//!         self.report(out);
//!     }
//!     fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> Result<()> {
//!         actions.check(&self.task)?;
//!         if let JointAction::Continuous(flows) = actions {
//!             self.level += 0.1 * flows.iter().sum::<f32>();
//!         }
//!         self.steps += 1;
//!         self.report(out);
//!         out.team_reward = -f64::from(self.level.abs());
//!         out.rewards.fill(-self.level.abs());
//!         out.truncated = self.steps == 50;
//!         Ok(())
//!     }
//! }
//!
//! let task = TaskSpec::anonymous("tank", 2, 1, ActionSpace::unit_box(1));
//! let mut tank = Tank { task: task.clone(), level: 0.0, steps: 0 };
//! let result = rollout(&mut tank, &mut UniformPolicy::new(task), 7, &mut |_step| Ok(()))?;
//! assert_eq!(result.steps, 50);
//! # Ok::<(), omiga_env::Error>(())
//! ```
//!
//! Deliberately absent: datasets (the observer of a [`rollout`] records), learned policies (implement [`TeamPolicy`]),
//! rendering ([`MultiAgentEnv::scene`] says what is where), clocks. Threads only in [`evaluate_on`]. A step of `spread` and of the scripted policies allocates nothing.

mod action;
mod env;
mod error;
mod evaluation;
mod grid;
mod mujoco;
mod particle;
mod policy;
mod registry;
mod rollout;
mod scene;
mod seed;
mod smax;
pub mod statistics;

pub use action::JointAction;
pub use env::{MultiAgentEnv, Timestep};
pub use error::{BoxedError, Error, Result};
pub use evaluation::{Evaluation, Player, evaluate, evaluate_on};
pub use grid::{
    Days, Feeder, Grid, GridOptions, GridReward, Inverter, NoSolution, PowerFlow, Profiles, Solution, VoltVar,
};
pub use mujoco::MujocoTeam;
pub use particle::{Body, Spread, SpreadState};
pub use policy::{Practice, Quality, TeamPolicy, UniformPolicy, behaviour_policy};
pub use registry::{has_task, make_env, simulator, task_names};
pub use rollout::{EpisodeResult, Transition, rollout};
pub use scene::{Disc, Line, Scene, Side, View};
pub use seed::episode_seed;
pub use smax::Smax;
