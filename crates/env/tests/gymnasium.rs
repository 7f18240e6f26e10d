//! The MuJoCo tasks against whole episodes of gymnasium 1.4.0 (`tests/golden/gymnasium`, and the folder that
//! `OMIGA_GYMNASIUM_DIR` names), in double precision.
//!
//! Both step the same library with the same numbers; what may differ is the order of a few additions.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use omiga_env::{Error, JointAction, MujocoTeam, MultiAgentEnv, Side, Timestep, make_env, simulator, task_names};
use omiga_format::TensorFile;

/// Largest difference of an observation or reward.
const TOLERANCE: f64 = 1e-9;

/// An episode that gymnasium played.
struct Episode {
    positions: Vec<f64>,
    velocities: Vec<f64>,
    /// [T, A].
    actions: Vec<f32>,
    rewards: Vec<f64>,
    /// Steps of which the observation was kept; 0 is the reset.
    observed: Vec<i64>,
    obs: Vec<f64>,
    terminated: bool,
}

impl Episode {
    fn read(file: &TensorFile, case: &str) -> Option<Self> {
        let get = |part: &str| file.tensors.get(&format!("{case}.{part}"));
        let wide = |part: &str| get(part).unwrap().to_f64().unwrap();
        get("qpos")?;
        Some(Self {
            positions: wide("qpos"),
            velocities: wide("qvel"),
            actions: get("actions").unwrap().to_f32().unwrap(),
            rewards: wide("rewards"),
            observed: get("observed").unwrap().to_i64().unwrap(),
            obs: wide("obs"),
            terminated: get("terminated").unwrap().to_i64().unwrap() == [1],
        })
    }

    /// Play it here; the largest difference.
    fn replay(&self, env: &mut MujocoTeam) -> f64 {
        let mut t = Timestep::for_env(env);
        env.set_state(&self.positions, &self.velocities, &mut t).unwrap();
        let width = env.observation().len();
        let expected: Vec<_> = self.observed.iter().zip(self.obs.chunks_exact(width)).collect();
        let mut worst = 0.0_f64;
        let mut compare = |step: usize, env: &MujocoTeam, t: &Timestep| {
            let Some((_, expected)) = expected.iter().find(|(at, _)| **at == step as i64) else { return };
            for (found, expected) in env.observation().iter().zip(*expected) {
                worst = worst.max((found - expected).abs());
            }
            for agent in 0..env.task().n_agents() {
                let rounded: Vec<f32> = env.observation().iter().map(|x| *x as f32).collect();
                assert_eq!(t.agent_obs(agent), rounded, "every agent observes all");
            }
        };
        compare(0, env, &t);
        let steps = self.rewards.len();
        let mut of_reward = 0.0_f64;
        for (step, (actions, reward)) in
            self.actions.chunks_exact(self.actions.len() / steps).zip(&self.rewards).enumerate()
        {
            env.step(&JointAction::Continuous(actions.to_vec()), &mut t).unwrap();
            of_reward = of_reward.max((t.team_reward - reward).abs());
            compare(step + 1, env, &t);
            assert!(step + 1 == steps || !t.is_last(), "{}: ended after {} steps", env.task().name, step + 1);
        }
        assert_eq!((t.terminated, t.truncated), (self.terminated, !self.terminated && steps == 1000));
        worst.max(of_reward)
    }
}

#[test]
fn whole_episodes_of_gymnasium() {
    replay_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/gymnasium"));
    if let Some(folder) = std::env::var_os("OMIGA_GYMNASIUM_DIR") {
        replay_all(Path::new(&folder));
    }
}

fn replay_all(folder: &Path) {
    let mut replayed = 0;
    for name in task_names().iter().filter(|name| simulator(name).is_some()) {
        let robot = name.split('-').next().unwrap();
        let path = folder.join(format!("{robot}.safetensors"));
        let file = TensorFile::parse(robot, &std::fs::read(path).unwrap()).unwrap();
        let mut env = MujocoTeam::new(name).unwrap();
        for episode in ["random", "trained"].iter().filter_map(|case| Episode::read(&file, case)) {
            let difference = episode.replay(&mut env);
            assert!(difference <= TOLERANCE, "{name}: differs by {difference}");
            replayed += 1;
        }
    }
    assert_eq!(replayed, 11);
}

/// Fields and commands have the model's names, as wide as what is observed.
#[test]
fn contracts_name_everything() {
    for name in task_names().iter().filter(|name| simulator(name).is_some()) {
        let env = MujocoTeam::new(name).unwrap();
        let task = env.task();
        task.validate().unwrap();
        assert_eq!(task.episode_limit, Some(1000));
        assert!(task.agents.iter().flat_map(|agent| &agent.obs).all(|field| !field.unit.is_empty()));
    }
    let hopper = MujocoTeam::new("hopper-3x1").unwrap();
    let names: Vec<_> = hopper.task().agents[1].obs.iter().map(|field| &*field.name).collect();
    assert_eq!(names[..3], ["rootz.position", "rooty.angle", "thigh_joint.angle"]);
    assert_eq!((names.len(), hopper.task().period_ns), (11, Some(8_000_000)));
    let ant = MujocoTeam::new("ant-2x4").unwrap();
    let commands = |agent: usize| match &ant.task().agents[agent].action {
        omiga_format::ActionSpace::Continuous(fields) => fields.iter().map(|f| f.name.clone()).collect::<Vec<_>>(),
        omiga_format::ActionSpace::Discrete(_) => Vec::new(),
    };
    assert_eq!(commands(0), ["hip_4", "ankle_4", "hip_1", "ankle_1"]);
}

/// MuJoCo would begin again by itself and go on as if nothing had happened.
#[test]
fn a_diverged_simulation_is_an_error() {
    let mut env = MujocoTeam::new("hopper-3x1").unwrap();
    let mut t = Timestep::for_env(&env);
    let actions = JointAction::Continuous(vec![0.0; 3]);
    env.set_state(&[0.0, 1.25, 0.0, 0.0, 0.0, 0.0], &[1e11, 0.0, 0.0, 0.0, 0.0, 0.0], &mut t).unwrap();
    let message = env.step(&actions, &mut t).unwrap_err().to_string();
    assert!(message.starts_with("task `hopper-3x1`: the simulation diverged in step 1;"), "{message}");
    assert!(matches!(env.step(&actions, &mut t), Err(Error::NotRunning { .. })));
    env.reset(1, &mut t);
    env.step(&actions, &mut t).unwrap();
}

/// The same seed gives the same episode, another one another; a reset begins anew.
#[test]
fn seeds_decide() {
    let mut env = MujocoTeam::new("halfcheetah-6x1").unwrap();
    let mut play = |seed| {
        let mut t = Timestep::for_env(&env);
        env.reset(seed, &mut t);
        let start = t.obs.clone();
        let actions = JointAction::Continuous(vec![0.5; 6]);
        (0..20).for_each(|_| env.step(&actions, &mut t).unwrap());
        (start, t.obs, t.team_reward)
    };
    let (first, other, again) = (play(1), play(2), play(1));
    assert!(first == again && first != other);
}

/// A robot that is thrown at a speed that no simulation holds.
struct Thrown(MujocoTeam);

impl MultiAgentEnv for Thrown {
    fn task(&self) -> &omiga_format::TaskSpec {
        self.0.task()
    }

    fn state_dim(&self) -> Option<usize> {
        self.0.state_dim()
    }

    fn reset(&mut self, _: u64, out: &mut Timestep) {
        self.0.set_state(&[0.0, 1.25, 0.0, 0.0, 0.0, 0.0], &[1e9; 6], out).unwrap();
    }

    fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> omiga_env::Result<()> {
        self.0.step(actions, out)
    }
}

/// An evaluation counts it and goes on.
#[test]
fn a_diverged_episode_is_counted() {
    let mut env = Thrown(MujocoTeam::new("hopper-3x1").unwrap());
    let mut policy = omiga_env::UniformPolicy::new(env.task().clone());
    let played = omiga_env::evaluate(&mut env, &mut policy, 3, 0).unwrap();
    assert_eq!((played.diverged, played.lengths, played.returns), (3, vec![1; 3], vec![0.0; 3]));
}

/// A hopper is drawn from the side: torso, thigh, leg and foot, each along its capsule, and it begins upright.
#[test]
fn a_robot_has_a_picture() {
    let mut env = make_env("hopper-3x1").unwrap();
    env.reset(0, &mut Timestep::default());
    let scene = env.scene().unwrap();
    let limbs: Vec<_> = scene.lines.iter().filter(|line| line.side == Side::Team).collect();
    let expected =
        [([0.0, 1.05], [0.0, 1.45]), ([0.0, 0.6], [0.0, 1.05]), ([0.0, 0.1], [0.0, 0.6]), ([-0.13, 0.1], [0.26, 0.1])];
    assert_eq!(limbs.len(), expected.len());
    for (limb, (a, b)) in limbs.iter().zip(expected) {
        let near = |p: [f32; 2], q: [f32; 2]| (p[0] - q[0]).abs() < 0.03 && (p[1] - q[1]).abs() < 0.03;
        assert!(near(limb.from, a) && near(limb.to, b) || near(limb.from, b) && near(limb.to, a), "{limb:?}");
        assert!((0.07..0.13).contains(&limb.width));
    }
    assert!(scene.view.low[0] < -1.0 && scene.view.high[1] > 1.5);
}
