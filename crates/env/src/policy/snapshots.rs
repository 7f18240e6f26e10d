//! Behaviour in the MuJoCo tasks: policies as they were at times of their own training (`models/behaviour`).

use omiga_format::{TaskSpec, TensorFile};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::quality::Quality;
use crate::mujoco;
use crate::{Error, JointAction, Result, TeamPolicy, Timestep};

/// Added to variances when observations are normalised, and the bound afterwards (stable-baselines3's `VecNormalize`, with
/// which the snapshots were trained).
const EPSILON: f64 = 1e-8;
const OBS_LIMIT: f64 = 10.0;

const HOPPER: &[u8] = include_bytes!("../../../../models/behaviour/Hopper-v5.safetensors");
const HALF_CHEETAH: &[u8] = include_bytes!("../../../../models/behaviour/HalfCheetah-v5.safetensors");
const ANT: &[u8] = include_bytes!("../../../../models/behaviour/Ant-v5.safetensors");

/// A robot's snapshots by quality; each is the step of its training. A step that is named twice is drawn twice as often.
struct Choice {
    file: &'static [u8],
    medium: &'static [u32],
    expert: &'static [u32],
    replay: &'static [u32],
    /// Share of expert episodes in `medium-expert`.
    share: f64,
}

/// Chosen such that mean and deviation of the returns come near the cards of OMIGA's own datasets, see models/behaviour.
fn choice(task: &str) -> Option<Choice> {
    match task.split('-').next()? {
        "hopper" => Some(Choice {
            file: HOPPER,
            medium: &[200_704, 303_104, 303_104, 401_408],
            expert: &[700_416, 1_200_128, 2_002_944],
            replay: &[0, 102_400, 200_704, 303_104, 401_408, 503_808, 602_112],
            share: 0.27,
        }),
        "halfcheetah" => Some(Choice {
            file: HALF_CHEETAH,
            medium: &[200_704, 303_104, 401_408, 401_408],
            expert: &[303_104, 602_112, 1_101_824, 2_101_248],
            replay: &[0, 102_400, 200_704, 303_104, 303_104],
            share: 0.5,
        }),
        "ant" => Some(Choice {
            file: ANT,
            medium: &[901_120],
            expert: &[1_101_824, 1_503_232],
            replay: &[303_104, 602_112, 700_416, 901_120],
            share: 0.5,
        }),
        _ => None,
    }
}

/// Are there snapshots for this task's robot?
pub fn are_there(task: &str) -> bool {
    choice(task).is_some()
}

/// Plays one snapshot an episode, its actions drawn from its Gaussian and clipped to the bounds.
pub struct Snapshots {
    task: TaskSpec,
    /// Actuator of each command, agent after agent.
    actuators: Vec<usize>,
    networks: Vec<Network>,
    /// Places in `networks` of medium and expert ones; for other qualities all are of the first kind.
    kinds: [Vec<usize>; 2],
    share: f64,
    playing: usize,
    rng: ChaCha8Rng,
}

/// Two hidden layers of tanh.
struct Network {
    mean: Vec<f64>,
    /// 1 / sqrt(var + epsilon).
    scale: Vec<f64>,
    /// Weight [out, in] and bias of each layer.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    sigma: Vec<f32>,
}

impl Snapshots {
    /// Of a quality, if there are snapshots for the task's robot; `random` has none.
    pub fn new(task: &TaskSpec, quality: Quality) -> Option<Self> {
        let (name, distance) = mujoco::parse(&task.name)?;
        let choice = choice(name)?;
        let actuators = match distance {
            Some(_) => mujoco::division(name)?.actuators(),
            None => (0..task.n_agents() * task.action_dim()).collect(),
        };
        let (steps, split, share): (Vec<u32>, usize, f64) = match quality {
            Quality::Random | Quality::Practice(_) | Quality::Planner => return None,
            Quality::Medium => (choice.medium.to_vec(), choice.medium.len(), 0.0),
            Quality::Expert => (choice.expert.to_vec(), choice.expert.len(), 0.0),
            Quality::MediumReplay => (choice.replay.to_vec(), choice.replay.len(), 0.0),
            Quality::MediumExpert => ([choice.medium, choice.expert].concat(), choice.medium.len(), choice.share),
        };
        let file = TensorFile::parse("models/behaviour", choice.file).ok()?;
        let networks = steps.iter().map(|step| Network::read(&file, *step)).collect::<Option<Vec<_>>>()?;
        let kinds = [(0..split).collect(), (split..networks.len()).collect()];
        let commands = task.n_agents() * task.action_dim();
        // How wide the state is, is not in the task: that is looked at when there is one.
        let fits = |n: &Network| n.sigma.len() == commands && (distance.is_some() || n.mean.len() == task.obs_dim());
        let fits = actuators.len() == commands && networks.iter().all(fits);
        let rng = ChaCha8Rng::seed_from_u64(0);
        fits.then(|| Self { task: task.clone(), actuators, networks, kinds, share, playing: 0, rng })
    }
}

impl TeamPolicy for Snapshots {
    fn reset(&mut self, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
        let kind = &self.kinds[usize::from(self.rng.random::<f64>() < self.share)];
        self.playing = kind[self.rng.random_range(0..kind.len())];
    }

    fn act(&mut self, t: &Timestep, actions: &mut JointAction) -> Result<()> {
        actions.check_shape(&self.task)?;
        let JointAction::Continuous(commands) = actions else { return Ok(()) };
        let network = &self.networks[self.playing];
        // The whole robot, which agents with local observations have as the state.
        let (buffer, whole) = match t.state.is_empty() {
            true => ("obs", t.agent_obs(0)),
            false => ("state", t.agent_state(0)),
        };
        let (expected, found) = (network.mean.len(), whole.len());
        if expected != found {
            return Err(Error::Buffer { task: self.task.name.clone(), buffer, expected, found });
        }
        let draw = |(mu, sigma): (f32, &f32)| (mu + sigma * self.rng.sample::<f32, _>(StandardNormal)).clamp(-1.0, 1.0);
        let controls: Vec<f32> = network.mean_action(whole).into_iter().zip(&network.sigma).map(draw).collect();
        commands.iter_mut().zip(&self.actuators).for_each(|(command, place)| *command = controls[*place]);
        Ok(())
    }
}

impl Network {
    fn read(file: &TensorFile, step: u32) -> Option<Self> {
        let get = |name: &str| file.tensors.get(&format!("{step}.{name}"));
        let (mean, variance) = (get("mean")?.to_f64()?, get("var")?.to_f64()?);
        let layer = |k: usize| Some((get(&format!("w{k}"))?.to_f32()?, get(&format!("b{k}"))?.to_f32()?));
        Some(Self {
            mean,
            scale: variance.iter().map(|v| 1.0 / (v + EPSILON).sqrt()).collect(),
            layers: (0..3).map(layer).collect::<Option<_>>()?,
            sigma: get("log_std")?.to_f32()?.iter().map(|x| x.exp()).collect(),
        })
    }

    /// The Gaussian's mean at a whole observation.
    fn mean_action(&self, obs: &[f32]) -> Vec<f32> {
        let normal = obs.iter().zip(&self.mean).zip(&self.scale);
        let mut x: Vec<f32> = normal
            .map(|((o, mean), scale)| ((f64::from(*o) - mean) * scale).clamp(-OBS_LIMIT, OBS_LIMIT) as f32)
            .collect();
        for (k, (weight, bias)) in self.layers.iter().enumerate() {
            let dense = weight
                .chunks_exact(x.len())
                .zip(bias)
                .map(|(row, b)| row.iter().zip(&x).map(|(w, x)| w * x).sum::<f32>() + b);
            x = if k + 1 < self.layers.len() { dense.map(f32::tanh).collect() } else { dense.collect() };
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MujocoTeam, MultiAgentEnv, evaluate};

    /// Mean returns of 20 episodes, as wide as chance allows; the cards beside them are OMIGA's own datasets'.
    #[test]
    fn qualities_are_ordered() {
        for name in ["hopper-3x1", "halfcheetah-6x1"] {
            let mut env = MujocoTeam::new(name).unwrap();
            let mut mean = |quality| {
                let mut policy = Snapshots::new(env.task(), quality).unwrap();
                evaluate(&mut env, &mut policy, 20, 0).unwrap().mean
            };
            let [medium, expert] = [Quality::Medium, Quality::Expert].map(&mut mean);
            assert!(medium > 400.0 && expert > 1.4 * medium, "{name}: {medium}, {expert}");
        }
    }

    /// The same seeds: local observations change what agents see and how they are numbered, not how the robot moves.
    #[test]
    fn local_observations_change_nothing_of_the_episode() {
        for name in ["hopper-3x1", "halfcheetah-2x3", "ant-4x2", "ant-2x4"] {
            let play = |name: &str| {
                let mut env = MujocoTeam::new(name).unwrap();
                let mut policy = Snapshots::new(env.task(), Quality::Medium).unwrap();
                evaluate(&mut env, &mut policy, 1, 3).unwrap().returns
            };
            let (whole, local) = (play(name), play(&format!("{name}-local")));
            assert!((whole[0] - local[0]).abs() < 1e-9 * whole[0].abs(), "{name}: {whole:?}, {local:?}");
        }
    }

    #[test]
    fn robots_without_snapshots_have_none() {
        let walker = MujocoTeam::new("walker2d-2x3").unwrap();
        assert!(Snapshots::new(walker.task(), Quality::Medium).is_none());
        let hopper = MujocoTeam::new("hopper-3x1").unwrap();
        assert!(Snapshots::new(hopper.task(), Quality::Random).is_none());
    }
}
