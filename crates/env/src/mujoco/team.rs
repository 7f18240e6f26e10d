//! A robot whose actuators belong to a team.

use std::path::PathBuf;
use std::sync::Arc;

use mujoco_rs::prelude::{MjData, MjModel};
use omiga_format::{ActionSpace, AgentSpec, TaskSpec};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::robot::{ANT, HALF_CHEETAH, HOPPER, Health, Mover, Noise, Robot, WALKER2D};
use super::{fields, log};
use crate::{Error, JointAction, MultiAgentEnv, Result, Timestep};

/// Steps after which an episode is truncated.
const EPISODE_LIMIT: u32 = 1000;
/// The torso: the first body that is not the world.
const TORSO: usize = 1;
/// Environment variable that names the folder of the models, when the program is built or, stronger, when it runs.
const FOLDER: &str = "OMIGA_MUJOCO_ASSETS";

/// One of [`super::NAMES`]: a robot whose consecutive actuators are divided among its agents.
///
/// Every agent observes the whole robot (positions without where it is in the world, velocities, for the ant external
/// forces), and gets the robot's reward. Time limits truncate; only an unhealthy robot terminates.
///
/// # Shapes
/// N agents with A actuators each; O as of gymnasium's environment: 11 (hopper), 17 (halfcheetah, walker2d), 105 (ant).
///
/// # Determinism
/// The seed and the actions decide everything, on one version of MuJoCo. Computed in double precision, observations rounded
/// to single.
pub struct MujocoTeam {
    task: TaskSpec,
    robot: &'static Robot,
    data: MjData<Arc<MjModel>>,
    observation: Vec<f64>,
    steps: u32,
    running: bool,
}

impl MujocoTeam {
    /// The task of this name.
    ///
    /// # Errors
    /// [`Error::UnknownTask`]; [`Error::Model`] when the robot's model is not where it should be, or damaged.
    pub fn new(name: &str) -> Result<Self> {
        let unknown = || Error::UnknownTask { expected: super::NAMES.to_vec(), found: name.to_owned() };
        let (robot, n_agents): (&Robot, usize) = match name {
            "halfcheetah-6x1" => (&HALF_CHEETAH, 6),
            "halfcheetah-2x3" => (&HALF_CHEETAH, 2),
            "hopper-3x1" => (&HOPPER, 3),
            "walker2d-2x3" => (&WALKER2D, 2),
            "ant-2x4" => (&ANT, 2),
            "ant-4x2" => (&ANT, 4),
            _ => return Err(unknown()),
        };
        log::silence();
        let path = folder().join(robot.xml);
        let wrong = |reason: String| Error::Model { path: path.clone(), reason };
        let model = MjModel::from_xml(&path).map_err(|e| wrong(e.to_string()))?;
        let task = task(name, &model, robot, n_agents);
        let data = MjData::try_new(Arc::new(model)).map_err(|e| wrong(e.to_string()))?;
        Ok(Self { task, robot, data, observation: Vec::new(), steps: 0, running: false })
    }

    /// Begin an episode with given positions and velocities instead of drawn ones.
    ///
    /// # Errors
    /// [`Error::Buffer`] when there are more or fewer.
    pub fn set_state(&mut self, positions: &[f64], velocities: &[f64], out: &mut Timestep) -> Result<()> {
        let sizes =
            [("qpos", self.data.qpos().len(), positions.len()), ("qvel", self.data.qvel().len(), velocities.len())];
        if let Some((buffer, expected, found)) = sizes.into_iter().find(|(_, expected, found)| expected != found) {
            return Err(Error::Buffer { task: self.task.name.clone(), buffer, expected, found });
        }
        self.data.reset();
        self.data.qpos_mut().copy_from_slice(positions);
        self.data.qvel_mut().copy_from_slice(velocities);
        self.data.forward();
        (self.steps, self.running) = (0, true);
        out.begin(&self.task, None);
        self.observe(out);
        Ok(())
    }

    /// What every agent observes, before it is rounded.
    pub fn observation(&self) -> &[f64] {
        &self.observation
    }

    fn observe(&mut self, out: &mut Timestep) {
        let (robot, limit) = (self.robot, self.robot.velocity_limit);
        self.observation.clear();
        self.observation.extend(&self.data.qpos()[robot.hidden_positions..]);
        self.observation.extend(self.data.qvel().iter().map(|v| v.clamp(-limit, limit)));
        if robot.contact.is_some() {
            self.observation.extend(self.data.cfrc_ext()[TORSO..].iter().flatten().map(|f| f.clamp(-1.0, 1.0)));
        }
        let width = self.observation.len();
        for agent in out.obs.chunks_exact_mut(width) {
            agent.iter_mut().zip(&self.observation).for_each(|(to, x)| *to = *x as f32);
        }
    }

    fn place(&self) -> f64 {
        match self.robot.mover {
            Mover::FirstPosition => self.data.qpos()[0],
            Mover::Torso => self.data.xpos()[TORSO][0],
        }
    }

    fn is_healthy(&self, health: &Health) -> bool {
        let (positions, velocities) = (self.data.qpos(), self.data.qvel());
        let height = if self.robot.hidden_positions == 2 { positions[2] } else { positions[1] };
        let angle = health.angle.as_ref().is_none_or(|angle| angle.holds(positions[2]));
        let mut state = positions[2..].iter().chain(velocities);
        health.height.holds(height) && angle && health.state.as_ref().is_none_or(|s| state.all(|x| s.holds(*x)))
    }

    fn contact_cost(&self) -> f64 {
        let squares = self.data.cfrc_ext().iter().flatten().map(|f| f.clamp(-1.0, 1.0).powi(2));
        self.robot.contact.as_ref().map_or(0.0, |contact| contact.cost * squares.sum::<f64>())
    }
}

impl MultiAgentEnv for MujocoTeam {
    fn task(&self) -> &TaskSpec {
        &self.task
    }

    fn state_dim(&self) -> Option<usize> {
        None
    }

    fn reset(&mut self, seed: u64, out: &mut Timestep) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let noise = self.robot.noise;
        let model = self.data.model();
        let uniform = |rng: &mut ChaCha8Rng| noise * (2.0 * rng.random::<f64>() - 1.0);
        let positions: Vec<f64> = model.qpos0().iter().map(|x| x + uniform(&mut rng)).collect();
        let velocity = |_| match self.robot.velocity_noise {
            Noise::Uniform => uniform(&mut rng),
            Noise::Normal => noise * rng.sample::<f64, _>(StandardNormal),
        };
        let velocities: Vec<f64> = self.data.qvel().iter().map(velocity).collect();
        // The sizes are the model's own.
        drop(self.set_state(&positions, &velocities, out));
    }

    fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> Result<()> {
        actions.check(&self.task)?;
        let JointAction::Continuous(commands) = actions else { return Ok(()) };
        if !self.running {
            return Err(Error::NotRunning { task: self.task.name.clone() });
        }
        let before = self.place();
        self.data.ctrl_mut().iter_mut().zip(commands).for_each(|(to, x)| *to = f64::from(*x));
        (0..self.robot.frame_skip).for_each(|_| self.data.step());
        // External forces are computed only when asked for.
        self.data.rne_post_constraint();
        let dt = self.data.model().opt().timestep * f64::from(self.robot.frame_skip);
        let effort: f64 = commands.iter().map(|x| f64::from(*x).powi(2)).sum();
        let healthy = self.robot.health.as_ref().is_none_or(|health| self.is_healthy(health));
        let alive = self.robot.health.as_ref().filter(|_| healthy).map_or(0.0, |health| health.reward);
        let reward = (self.place() - before) / dt + alive - self.robot.control_cost * effort - self.contact_cost();

        self.steps += 1;
        out.begin(&self.task, None);
        self.observe(out);
        out.team_reward = reward;
        out.rewards.fill(reward as f32);
        out.terminated = !healthy;
        out.truncated = healthy && self.steps >= EPISODE_LIMIT;
        self.running = !out.is_last();
        Ok(())
    }
}

fn folder() -> PathBuf {
    let built = || option_env!("OMIGA_MUJOCO_ASSETS").unwrap_or(".deps/mujoco/assets").into();
    std::env::var_os(FOLDER).map_or_else(built, PathBuf::from)
}

fn task(name: &str, model: &MjModel, robot: &Robot, n_agents: usize) -> TaskSpec {
    let (obs, commands) = (fields::observed(model, robot), fields::commands(model));
    let each = commands.len() / n_agents;
    let agents = commands.chunks(each).enumerate().map(|(i, block)| AgentSpec {
        name: format!("agent_{i}"),
        obs: obs.clone(),
        action: ActionSpace::Continuous(block.to_vec()),
    });
    let seconds = model.opt().timestep * f64::from(robot.frame_skip);
    TaskSpec {
        name: name.to_owned(),
        period_ns: Some((seconds * 1e9).round() as u64),
        max_obs_age_ns: None,
        episode_limit: Some(EPISODE_LIMIT),
        agents: agents.collect(),
    }
}
