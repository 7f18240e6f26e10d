//! Agents that drive to assigned landmarks, for `spread` and `spread-discrete`.

use omiga_format::{Range, TaskSpec};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::uniform;
use crate::particle::{N, OBS_DIM};
use crate::{Error, JointAction, Quality, Result, TeamPolicy, Timestep};

/// Push per metre of distance, less push per m/s: the gains with which the unsaturated agent arrives and stops in two
/// steps (its step is `x += 0.1 v; v = 0.75 v + 0.5 u`).
const GAINS: (f64, f64) = (20.0, 3.5);
/// Largest push of the controller; leaves the commands inside their bounds.
const MAX_PUSH: f64 = 0.9;
/// Half-width of the band around the middle in which the command without effect is drawn.
const NOOP_BAND: f64 = 0.05;
const COMMANDS: usize = 5;
/// What each discrete action pushes.
const PUSHES: [[f64; 2]; COMMANDS] = [[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]];
const PERMUTATIONS: [[usize; N]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

const EXPERT_NOISE: f64 = 0.05;
const MEDIUM_NOISE: f64 = 0.5;
const REPLAY_NOISE: std::ops::Range<f64> = 0.3..1.0;

/// How the agents choose their landmarks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Plan {
    /// The assignment of least total distance, solved anew in every step.
    LeastTotal,
    /// Agent 0 its nearest, agent 1 the nearest that is left, and so on.
    InTurn,
    /// Fixed for the episode.
    Fixed([usize; N]),
}

/// A team that follows a plan with noise.
#[derive(Clone, Debug)]
pub(super) struct Follower {
    task: TaskSpec,
    quality: Quality,
    rng: ChaCha8Rng,
    plan: Plan,
    noise: [f64; N],
}

impl Follower {
    /// `None` if the task is not one of ours.
    pub(super) fn new(task: &TaskSpec, quality: Quality) -> Option<Self> {
        let named = task.name == if task.is_discrete() { "spread-discrete" } else { "spread" };
        let sized = (task.n_agents(), task.obs_dim(), task.action_dim()) == (N, OBS_DIM, COMMANDS);
        let rng = ChaCha8Rng::seed_from_u64(0);
        let mut follower = Self { task: task.clone(), quality, rng, plan: Plan::LeastTotal, noise: [0.0; N] };
        follower.reset(0);
        let scripted = !matches!(quality, Quality::Practice(_) | Quality::Planner);
        (named && sized && scripted).then_some(follower)
    }

    fn continuous(&mut self, push: [f64; 2], noise: f64, out: &mut [f32]) {
        let band = NOOP_BAND * self.rng.random_range(-1.0..1.0);
        let [x, y] = push.map(|u| 0.5 * u);
        let controller = [0.5 + band, 0.5 - x, 0.5 + x, 0.5 - y, 0.5 + y];
        for (out, controller) in out.iter_mut().zip(controller) {
            let uniform = f64::from(uniform::command(Range::new(0.0, 1.0), &mut self.rng));
            *out = ((1.0 - noise) * controller + noise * uniform) as f32;
        }
    }

    fn discrete(&mut self, push: [f64; 2], noise: f64) -> u32 {
        if self.rng.random::<f64>() < noise {
            return self.rng.random_range(0..COMMANDS as u32);
        }
        let distance = |i: &u32| PUSHES.get(*i as usize).map_or(f64::INFINITY, |p| squared_distance(*p, push));
        (0..COMMANDS as u32).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
    }
}

impl TeamPolicy for Follower {
    fn reset(&mut self, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
        let rng = &mut self.rng;
        let medium = (Plan::InTurn, [MEDIUM_NOISE; N]);
        let expert = (Plan::LeastTotal, [EXPERT_NOISE; N]);
        (self.plan, self.noise) = match self.quality {
            Quality::Random => (Plan::LeastTotal, [1.0; N]),
            Quality::Medium => medium,
            Quality::MediumReplay => {
                let fixed = Plan::Fixed(std::array::from_fn(|_| rng.random_range(0..N)));
                let plan = if rng.random::<bool>() { fixed } else { Plan::LeastTotal };
                (plan, std::array::from_fn(|_| rng.random_range(REPLAY_NOISE)))
            }
            Quality::MediumExpert => [medium, expert][usize::from(rng.random::<bool>())],
            Quality::Expert | Quality::Practice(_) | Quality::Planner => expert,
        };
    }

    fn act(&mut self, t: &Timestep, actions: &mut JointAction) -> Result<()> {
        actions.check_shape(&self.task)?;
        let (expected, found) = (N * OBS_DIM, t.obs.len());
        if found != expected {
            return Err(Error::Buffer { task: self.task.name.clone(), buffer: "obs", expected, found });
        }
        for (i, obs) in t.obs.chunks_exact(OBS_DIM).enumerate() {
            let view = View::new(obs, i);
            let (push, noise) = (view.push(view.target(self.plan)), self.noise[i]);
            match actions {
                JointAction::Continuous(values) => {
                    let own = values.iter_mut().skip(i * COMMANDS).take(COMMANDS);
                    let mut commands = [0.0; COMMANDS];
                    self.continuous(push, noise, &mut commands);
                    own.zip(commands).for_each(|(out, command)| *out = command);
                }
                JointAction::Discrete(choices) => {
                    let choice = self.discrete(push, noise);
                    choices.iter_mut().skip(i).take(1).for_each(|out| *out = choice);
                }
            }
        }
        Ok(())
    }
}

/// What one agent sees, relative to itself.
struct View {
    agent: usize,
    velocity: [f64; 2],
    landmarks: [[f64; 2]; N],
    agents: [[f64; 2]; N],
}

impl View {
    /// From the observation of agent `agent`, which must be as wide as the task says.
    fn new(obs: &[f32], agent: usize) -> Self {
        let pair = |i: usize| [0, 1].map(|axis| obs.get(2 * i + axis).map_or(0.0, |&v| f64::from(v)));
        // The others follow the landmarks in the order of the team, without the agent itself.
        let other = |j: usize| 2 + N + if j < agent { j } else { j.saturating_sub(1) };
        Self {
            agent,
            velocity: pair(0),
            landmarks: std::array::from_fn(|l| pair(2 + l)),
            agents: std::array::from_fn(|j| if j == agent { [0.0; 2] } else { pair(other(j)) }),
        }
    }

    /// Which landmark to drive to.
    fn target(&self, plan: Plan) -> usize {
        let distance = |agent: usize, l: usize| squared_distance(self.agents[agent], self.landmarks[l]).sqrt();
        match plan {
            Plan::Fixed(targets) => targets[self.agent],
            Plan::InTurn => {
                let mut left = [true; N];
                let mut target = 0;
                for agent in 0..=self.agent {
                    target = least((0..N).filter(|&l| left[l]), |&l| distance(agent, l)).unwrap_or(0);
                    left[target] = false;
                }
                target
            }
            Plan::LeastTotal => {
                let total = |p: &[usize; N]| (0..N).map(|agent| distance(agent, p[agent])).sum();
                least(PERMUTATIONS, total).unwrap_or_default()[self.agent]
            }
        }
    }

    /// Towards the landmark, each component within [`MAX_PUSH`].
    fn push(&self, landmark: usize) -> [f64; 2] {
        let (distance, velocity) = (self.landmarks[landmark], self.velocity);
        std::array::from_fn(|axis| {
            let push = GAINS.0 * distance[axis] - GAINS.1 * velocity[axis];
            if push.is_nan() { 0.0 } else { push.clamp(-MAX_PUSH, MAX_PUSH) }
        })
    }
}

/// The first of the items with the least cost.
fn least<T>(items: impl IntoIterator<Item = T>, cost: impl Fn(&T) -> f64) -> Option<T> {
    items.into_iter().min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

fn squared_distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, MultiAgentEnv, Spread, SpreadState};

    /// Landmarks at x = 1, 2, 3; the agents' x positions and the plan give the targets.
    fn check(plan: Plan, agents: [f64; N], targets: [usize; N]) {
        let mut env = Spread::continuous();
        let mut t = Timestep::for_env(&env);
        let agents = agents.map(|x| Body::at([x, 0.0]));
        env.set_state(SpreadState { agents, landmarks: [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]] }, &mut t).unwrap();
        let found: [usize; N] = std::array::from_fn(|i| View::new(t.agent_obs(i), i).target(plan));
        assert_eq!(found, targets, "{plan:?}");
    }

    #[test]
    fn plans_assign() {
        check(Plan::LeastTotal, [3.1, 1.2, 2.1], [2, 0, 1]);
        check(Plan::LeastTotal, [2.0, 2.1, 2.2], [0, 1, 2]);
        check(Plan::InTurn, [2.0, 2.1, 2.2], [1, 2, 0]);
        check(Plan::Fixed([2, 2, 0]), [1.0, 2.0, 3.0], [2, 2, 0]);
    }

    #[test]
    fn without_noise_they_arrive_and_stay() {
        let mut env = Spread::continuous();
        let mut policy = Follower::new(env.task(), Quality::Expert).unwrap();
        policy.noise = [0.0; N];
        let (mut t, mut actions) = (Timestep::for_env(&env), JointAction::for_task(env.task()));
        let agents = [[-0.9, -0.8], [0.0, 0.9], [0.8, -0.5]].map(Body::at);
        env.set_state(SpreadState { agents, landmarks: [[0.0, 0.5], [-0.5, 0.0], [0.9, 0.9]] }, &mut t).unwrap();
        while !t.is_last() {
            policy.act(&t, &mut actions).unwrap();
            env.step(&actions, &mut t).unwrap();
        }
        assert!(t.team_reward > -1e-3, "{}", t.team_reward);
        assert!(env.state().agents.iter().all(|b| b.velocity.iter().all(|v| v.abs() < 1e-3)), "{:?}", env.state());
    }

    #[test]
    fn pushes_stay_inside_the_bounds() {
        for quality in Quality::ALL {
            let mut env = Spread::continuous();
            let mut policy = Follower::new(env.task(), quality).unwrap();
            let (mut t, mut actions) = (Timestep::for_env(&env), JointAction::for_task(env.task()));
            for seed in 0..500 {
                env.reset(seed, &mut t);
                policy.reset(seed);
                policy.act(&t, &mut actions).unwrap();
                let JointAction::Continuous(values) = &actions else { unreachable!() };
                assert!(values.iter().all(|v| (5e-4..=1.0 - 5e-4).contains(v)), "{quality}: {values:?}");
            }
        }
    }

    #[test]
    fn wrong_shapes_and_nan_are_not_a_panic() {
        let env = Spread::discrete();
        let mut policy = Follower::new(env.task(), Quality::Medium).unwrap();
        let (mut t, mut actions) = (Timestep::for_env(&env), JointAction::for_task(env.task()));
        t.obs.fill(f32::NAN);
        policy.act(&t, &mut actions).unwrap();
        actions.check(env.task()).unwrap();
        t.obs.pop();
        assert!(matches!(policy.act(&t, &mut actions), Err(Error::Buffer { expected: 54, found: 53, .. })));
        assert!(policy.act(&Timestep::for_env(&env), &mut JointAction::Discrete(vec![])).is_err());
    }
}
