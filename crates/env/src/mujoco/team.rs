//! A robot whose actuators belong to a team.

use omiga_format::{ActionField, ActionSpace, AgentSpec, ObsField, TaskSpec};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::places::Places;
use super::robot::{ANT, HALF_CHEETAH, HOPPER, Health, Mover, Noise, Robot, WALKER2D};
use super::simulator::{Data, Model};
use super::{division, fields, library, scene};
use crate::{Error, JointAction, MultiAgentEnv, Result, Scene, Timestep};

/// Steps after which an episode is truncated.
const EPISODE_LIMIT: u32 = 1000;
/// The torso: the first body that is not the world.
const TORSO: usize = 1;

/// A robot whose actuators are divided among its agents, e.g. `hopper-3x1`, or `hopper-3x1-local` with local observations.
///
/// The robot's whole observation are its positions without where it is in the world, its velocities and, for the ant, the
/// external forces on its bodies. Every agent observes all of it or, with local observations, the part that gymnasium-robotics'
/// agents do, where the whole is then the state that each agent has in training. All get the robot's reward. Time limits
/// truncate; only an unhealthy robot terminates.
///
/// # Shapes
/// N agents with A actuators each. Whole observations are as wide as gymnasium's: 11 (hopper), 17 (halfcheetah, walker2d), 105
/// (ant); local ones differ from agent to agent.
///
/// # Determinism
/// The seed and the actions decide everything, on one version of MuJoCo. Computed in double precision, observations rounded
/// to single.
pub struct MujocoTeam {
    task: TaskSpec,
    robot: &'static Robot,
    data: Data,
    places: Places,
    /// Width of the whole observation where agents have only their own, local ones.
    state_dim: Option<usize>,
    /// The robot's whole observation.
    observation: Vec<f64>,
    /// The same with velocities bounded as the agents see them, if they are not bounded the same.
    seen_otherwise: Option<Vec<f64>>,
    steps: u32,
    running: bool,
}

impl MujocoTeam {
    /// The task of this name.
    ///
    /// # Errors
    /// [`Error::UnknownTask`]; [`Error::Simulator`] when MuJoCo's library cannot be loaded; [`Error::Model`] when the robot's
    /// model is not where it should be, or damaged.
    pub fn new(name: &str) -> Result<Self> {
        let unknown = || Error::UnknownTask { expected: super::NAMES.to_vec(), found: name.to_owned() };
        let (whole_name, distance) = super::parse(name).ok_or_else(unknown)?;
        let division = division(whole_name).ok_or_else(unknown)?;
        let robot = robot(whole_name).ok_or_else(unknown)?;
        let path = library::assets().join(robot.xml);
        let wrong = |reason: &str| Error::Model { path: path.clone(), reason: reason.to_owned() };
        let model = Model::load(&path)?;
        let (n_agents, commands) = (division.agents.len(), fields::commands(&model));
        let width = fields::observed(&model, robot, robot.velocity_limit).len();
        let places = match distance {
            None => Some(Places::whole(robot, n_agents, width, commands.len())),
            Some(distance) => Places::local(&model, robot, division, distance),
        };
        let places = places.filter(|p| p.actuators.len() == commands.len());
        let places = places.ok_or_else(|| wrong("it lacks a joint or an actuator of the robot"))?;
        let task = task(name, &model, robot, &places, &commands);
        let observation = Vec::with_capacity(width);
        let seen_otherwise = (places.velocity_limit != robot.velocity_limit).then(|| observation.clone());
        let data = Data::new(model).ok_or_else(|| wrong("there is no memory for it"))?;
        let state_dim = distance.map(|_| width);
        Ok(Self { task, robot, data, places, state_dim, observation, seen_otherwise, steps: 0, running: false })
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
        out.begin(&self.task, self.state_dim());
        self.observe(out);
        Ok(())
    }

    /// The robot's whole observation, before it is rounded.
    pub fn observation(&self) -> &[f64] {
        &self.observation
    }

    /// What an agent observes, before it is rounded; nothing if there is no such agent.
    pub fn agent_observation(&self, agent: usize) -> impl Iterator<Item = f64> {
        let whole = self.seen();
        self.places.seen.get(agent).into_iter().flatten().map(|place| whole[*place])
    }

    /// The whole robot as agents see parts of it.
    fn seen(&self) -> &[f64] {
        self.seen_otherwise.as_ref().unwrap_or(&self.observation)
    }

    fn observe(&mut self, out: &mut Timestep) {
        look(&self.data, self.robot, self.robot.velocity_limit, &mut self.observation);
        if let Some(whole) = &mut self.seen_otherwise {
            look(&self.data, self.robot, self.places.velocity_limit, whole);
        }
        let whole = self.seen();
        for (row, seen) in out.obs.chunks_exact_mut(self.task.obs_dim()).zip(&self.places.seen) {
            row.iter_mut().zip(seen).for_each(|(to, place)| *to = whole[*place] as f32);
        }
        for row in out.state.chunks_exact_mut(self.observation.len()) {
            row.iter_mut().zip(&self.observation).for_each(|(to, x)| *to = *x as f32);
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
        let height = if self.robot.is_free() { positions[2] } else { positions[1] };
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
        self.state_dim
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
        let controls = self.data.ctrl_mut();
        self.places.actuators.iter().zip(commands).for_each(|(place, x)| controls[*place] = f64::from(*x));
        (0..self.robot.frame_skip).for_each(|_| self.data.step());
        if self.data.has_diverged() {
            self.running = false;
            return Err(Error::Diverged { task: self.task.name.clone(), step: self.steps + 1 });
        }
        if self.robot.contact.is_some() {
            // External forces are computed only when asked for.
            self.data.rne_post_constraint();
        }
        let dt = self.data.model().timestep() * f64::from(self.robot.frame_skip);
        let effort: f64 = commands.iter().map(|x| f64::from(*x).powi(2)).sum();
        let healthy = self.robot.health.as_ref().is_none_or(|health| self.is_healthy(health));
        let alive = self.robot.health.as_ref().filter(|_| healthy).map_or(0.0, |health| health.reward);
        let reward = (self.place() - before) / dt + alive - self.robot.control_cost * effort - self.contact_cost();

        self.steps += 1;
        out.begin(&self.task, self.state_dim());
        self.observe(out);
        out.team_reward = reward;
        out.rewards.fill(reward as f32);
        out.terminated = !healthy;
        out.truncated = healthy && self.steps >= EPISODE_LIMIT;
        self.running = !out.is_last();
        Ok(())
    }

    fn scene(&self) -> Option<Scene> {
        Some(scene::of(&self.data, self.robot.is_free()))
    }
}

/// The robot's whole observation, velocities within `limit`.
fn look(data: &Data, robot: &Robot, limit: f64, whole: &mut Vec<f64>) {
    whole.clear();
    whole.extend(&data.qpos()[robot.hidden_positions..]);
    whole.extend(data.qvel().iter().map(|v| v.clamp(-limit, limit)));
    if robot.contact.is_some() {
        whole.extend(data.cfrc_ext()[TORSO..].iter().flatten().map(|f| f.clamp(-1.0, 1.0)));
    }
}

fn robot(task: &str) -> Option<&'static Robot> {
    match task.split('-').next()? {
        "halfcheetah" => Some(&HALF_CHEETAH),
        "hopper" => Some(&HOPPER),
        "walker2d" => Some(&WALKER2D),
        "ant" => Some(&ANT),
        _ => None,
    }
}

fn task(name: &str, model: &Model, robot: &Robot, places: &Places, commands: &[ActionField]) -> TaskSpec {
    let observed = fields::observed(model, robot, places.velocity_limit);
    let fields = |seen: &[usize]| -> Vec<ObsField> { seen.iter().map(|place| observed[*place].clone()).collect() };
    let each = commands.len() / places.seen.len();
    let agents = places.seen.iter().zip(places.actuators.chunks(each)).enumerate().map(|(i, (seen, own))| AgentSpec {
        name: format!("agent_{i}"),
        obs: fields(seen),
        action: ActionSpace::Continuous(own.iter().map(|place| commands[*place].clone()).collect()),
    });
    let seconds = model.timestep() * f64::from(robot.frame_skip);
    TaskSpec {
        name: name.to_owned(),
        period_ns: Some((seconds * 1e9).round() as u64),
        max_obs_age_ns: None,
        episode_limit: Some(EPISODE_LIMIT),
        agents: agents.collect(),
    }
}
