//! Local observations of the MuJoCo tasks against whole episodes of gymnasium-robotics 1.4.2 (`tests/golden/gymnasium_robotics`,
//! and the folder that `OMIGA_GYMNASIUM_ROBOTICS_DIR` names), in double precision.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says how near it is")]

use std::path::Path;

use omiga_env::{JointAction, MujocoTeam, MultiAgentEnv, Timestep, simulator, task_names};
use omiga_format::TensorFile;

/// Largest difference of an observation, state or reward.
const TOLERANCE: f64 = 1e-9;
/// What follows a task's name, and the distance in a file.
const ENDINGS: [(&str, &str); 3] = [("-local0", "obs0"), ("-local", "obs1"), ("-local2", "obs2")];

/// An episode of one task at one distance.
struct Episode<'a> {
    file: &'a TensorFile,
    case: &'a str,
    /// Name of its observations in the file.
    obs: &'a str,
}

impl Episode<'_> {
    fn wide(&self, part: &str) -> Vec<f64> {
        self.file.tensors[&format!("{}.{part}", self.case)].to_f64().unwrap()
    }

    fn whole(&self, part: &str) -> Vec<i64> {
        self.file.tensors[&format!("{}.{part}", self.case)].to_i64().unwrap()
    }

    /// Play it here; the largest difference.
    fn replay(&self, env: &mut MujocoTeam) -> f64 {
        let (mut t, n) = (Timestep::for_env(env), env.task().n_agents());
        env.set_state(&self.wide("qpos"), &self.wide("qvel"), &mut t).unwrap();
        let (observed, states) = (self.whole("observed"), self.wide("state"));
        let agents: Vec<_> = (0..n).map(|i| self.wide(&format!("{}.{i}", self.obs))).collect();
        let width = env.state_dim().unwrap();
        assert_eq!(states.len(), width * observed.len());
        let mut worst = 0.0_f64;
        let mut compare = |step: usize, env: &MujocoTeam, t: &Timestep| {
            let Some(k) = observed.iter().position(|at| *at == step as i64) else { return };
            worst = worst.max(apart(env.observation().iter().copied(), &states[k * width..][..width]));
            for (i, rows) in agents.iter().enumerate() {
                let own = env.task().agents[i].obs.len();
                assert_eq!(rows.len(), own * observed.len(), "{}: width of agent {i}", env.task().name);
                worst = worst.max(apart(env.agent_observation(i), &rows[k * own..][..own]));
                let rounded = env.agent_observation(i).map(|x| x as f32).chain(std::iter::repeat(0.0));
                assert!(t.agent_obs(i).iter().copied().eq(rounded.take(env.task().obs_dim())), "then zeros");
                assert!(t.agent_state(i).iter().copied().eq(env.observation().iter().map(|x| *x as f32)));
            }
        };
        compare(0, env, &t);
        let (rewards, actions) = (self.wide("rewards"), self.file.tensors[&format!("{}.actions", self.case)].to_f32());
        let (steps, actions) = (rewards.len(), actions.unwrap());
        let mut of_reward = 0.0_f64;
        for (step, (joint, reward)) in actions.chunks_exact(actions.len() / steps).zip(&rewards).enumerate() {
            env.step(&JointAction::Continuous(joint.to_vec()), &mut t).unwrap();
            of_reward = of_reward.max((t.team_reward - reward).abs());
            compare(step + 1, env, &t);
            assert!(step + 1 == steps || !t.is_last(), "{}: ended after {} steps", env.task().name, step + 1);
        }
        assert_eq!(t.terminated, self.whole("terminated") == [1]);
        assert_eq!(t.truncated, !t.terminated && steps == 1000);
        worst.max(of_reward)
    }
}

fn apart(found: impl Iterator<Item = f64>, expected: &[f64]) -> f64 {
    found.zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn whole_episodes_of_gymnasium_robotics() {
    replay_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/gymnasium_robotics"));
    if let Some(folder) = std::env::var_os("OMIGA_GYMNASIUM_ROBOTICS_DIR") {
        replay_all(Path::new(&folder));
    }
}

fn replay_all(folder: &Path) {
    let mut replayed = 0;
    for name in task_names().iter().filter(|name| simulator(name).is_some()) {
        let bytes = std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap();
        let file = TensorFile::parse(name, &bytes).unwrap();
        for (ending, obs) in ENDINGS {
            let mut env = MujocoTeam::new(&format!("{name}{ending}")).unwrap();
            for case in
                ["random", "fast", "trained"].into_iter().filter(|c| file.tensors.contains_key(&format!("{c}.qpos")))
            {
                let difference = Episode { file: &file, case, obs }.replay(&mut env);
                println!("{name}{ending} {case}: differs by {difference:e}");
                assert!(difference <= TOLERANCE, "{name}{ending} {case}: differs by {difference}");
                replayed += 1;
            }
        }
    }
    assert_eq!(replayed, 3 * (6 + 6 + 5));
}

/// What is observed and commanded has the model's names.
#[test]
fn contracts_name_what_is_local() {
    let fields = |task: &str, agent: usize| -> Vec<String> {
        let env = MujocoTeam::new(task).unwrap();
        env.task().validate().unwrap();
        assert!(env.task().agents.iter().flat_map(|a| &a.obs).all(|f| !f.unit.is_empty()));
        env.task().agents[agent].obs.iter().map(|f| f.name.clone()).collect()
    };
    assert_eq!(
        fields("hopper-3x1-local", 0),
        [
            "thigh_joint.angle",
            "thigh_joint.rate",
            "leg_joint.angle",
            "rootz.position",
            "rooty.angle",
            "rootx.velocity",
            "rootz.velocity",
            "rooty.rate"
        ]
    );
    assert_eq!(fields("ant-4x2-local", 3)[..3], ["ankle_4.angle", "ankle_4.rate", "right_back_leg.torque.x"]);
    let range = |task: &str| {
        let env = MujocoTeam::new(task).unwrap();
        env.task().agents[0].obs.iter().find(|f| f.name.ends_with(".rate")).unwrap().range
    };
    // There the walker's velocities are bounded for the whole robot only, the hopper's for its agents too.
    assert!(range("walker2d-2x3").is_some() && range("walker2d-2x3-local").is_none());
    assert!(range("hopper-3x1-local").is_some());
    let ant = MujocoTeam::new("ant-4x2-local").unwrap();
    let omiga_format::ActionSpace::Continuous(commands) = &ant.task().agents[3].action else { unreachable!() };
    assert_eq!(commands.iter().map(|c| &*c.name).collect::<Vec<_>>(), ["hip_4", "ankle_4"]);
}
