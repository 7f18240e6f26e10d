//! Three agents cover three landmarks without touching each other (`simple_spread` of `mpe2` 1.1.1, step for step).

use omiga_format::{ActionField, ActionSpace, AgentSpec, ObsField, Range, TaskSpec};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::world::{self, Body, difference, norm};
use crate::{Disc, Error, JointAction, MultiAgentEnv, Result, Scene, Side, Timestep, View};

/// Number of agents and of landmarks.
pub(crate) const N: usize = 3;
/// Width of an observation: velocity 2, position 2, landmarks 6, other agents 4, messages 4.
pub(crate) const OBS_DIM: usize = 18;
/// Choices, or commands, of an agent.
const ACTIONS: [&str; 5] = ["noop", "left", "right", "down", "up"];
const EPISODE_LIMIT: u32 = 25;
const PERIOD_NS: u64 = 100_000_000;
/// Radius of an agent in m.
const RADIUS: f64 = 0.15;
/// A landmark's, as it is drawn: around an agent that covers it. Nothing touches it.
const LANDMARK_RADIUS: f64 = 0.2;
/// What is shown at least, in m from the middle.
const SHOWN: f64 = 1.2;
/// Force of a full command in N.
const FULL_FORCE: f64 = 5.0;
/// Weight of an agent's own collisions; the rest is the team's distance to the landmarks.
const LOCAL_RATIO: f64 = 0.5;
/// Largest magnitude of a position (m) or velocity (m/s) that can be set.
const STATE_LIMIT: f64 = 1000.0;

/// Where everything in [`Spread`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpreadState {
    /// The agents.
    pub agents: [Body; N],
    /// The landmarks' positions in m.
    pub landmarks: [[f64; 2]; N],
}

/// Cooperative navigation: the tasks `spread` and `spread-discrete`.
///
/// A reset puts agents (at rest) and landmarks uniformly into [-1, 1]^2. A command is a share of 5 N: the force on an
/// agent of 1 kg is `5 * (right - left, up - down)` (`noop` has no effect; a discrete action sets its command to 1).
/// Each agent's reward is half of minus the sum over the landmarks of the distance to the nearest agent, less half a
/// point per agent it touches; the team's reward is the mean over the agents. After 25 steps of 0.1 s the episode is
/// truncated; it never terminates. The global state is the observations.
///
/// # Shapes
/// N = 3, O = 18, A = 5.
///
/// # Units
/// Metres, metres per second. The ranges in the specification are bounds that hold for any actions after a reset (not
/// after [`Spread::set_state`]): a step adds at most 0.5 m/s by command and 3 m/s by each of two contacts to
/// three quarters of the velocity.
///
/// # Determinism
/// The seed and the actions decide everything; computed in double precision, observations rounded to single.
#[derive(Clone, Debug)]
pub struct Spread {
    task: TaskSpec,
    state: SpreadState,
    steps: u32,
    running: bool,
}

impl Spread {
    /// The task `spread`: five commands in [0, 1].
    pub fn continuous() -> Self {
        let field =
            |name: &&str| ActionField { name: (*name).to_owned(), unit: "1".to_owned(), range: Range::new(0.0, 1.0) };
        Self::new("spread", ActionSpace::Continuous(ACTIONS.iter().map(field).collect()))
    }

    /// The task `spread-discrete`: one of five actions.
    pub fn discrete() -> Self {
        Self::new("spread-discrete", ActionSpace::Discrete(ACTIONS.map(str::to_owned).to_vec()))
    }

    fn new(name: &str, action: ActionSpace) -> Self {
        let agent = |i| AgentSpec { name: format!("agent_{i}"), obs: obs_fields(i), action: action.clone() };
        let task = TaskSpec {
            name: name.to_owned(),
            period_ns: Some(PERIOD_NS),
            max_obs_age_ns: None,
            episode_limit: Some(EPISODE_LIMIT),
            agents: (0..N).map(agent).collect(),
        };
        Self { task, state: SpreadState::default(), steps: 0, running: false }
    }

    /// Where everything is.
    pub fn state(&self) -> &SpreadState {
        &self.state
    }

    /// Begin an episode from a given world instead of a drawn one.
    ///
    /// # Errors
    /// [`Error::State`] for positions or velocities that are not finite or beyond 1000. The running episode then goes
    /// on.
    pub fn set_state(&mut self, state: SpreadState, out: &mut Timestep) -> Result<()> {
        for body in &state.agents {
            self.check_pair("the position of an agent", "m", body.position)?;
            self.check_pair("the velocity of an agent", "m/s", body.velocity)?;
        }
        state.landmarks.iter().try_for_each(|&l| self.check_pair("the position of a landmark", "m", l))?;
        self.begin(state, out);
        Ok(())
    }

    fn check_pair(&self, quantity: &'static str, unit: &'static str, pair: [f64; 2]) -> Result<()> {
        match pair.into_iter().find(|v| !(-STATE_LIMIT..=STATE_LIMIT).contains(v)) {
            None => Ok(()),
            Some(found) => {
                Err(Error::State { task: self.task.name.clone(), quantity, limit: STATE_LIMIT, unit, found })
            }
        }
    }

    fn begin(&mut self, state: SpreadState, out: &mut Timestep) {
        (self.state, self.steps, self.running) = (state, 0, true);
        out.begin(&self.task, None);
        write_obs(&self.state, &mut out.obs);
    }
}

impl MultiAgentEnv for Spread {
    fn task(&self) -> &TaskSpec {
        &self.task
    }

    fn state_dim(&self) -> Option<usize> {
        None
    }

    fn reset(&mut self, seed: u64, out: &mut Timestep) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut place = || [rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0)];
        let agents = std::array::from_fn(|_| Body::at(place()));
        let landmarks = std::array::from_fn(|_| place());
        self.begin(SpreadState { agents, landmarks }, out);
    }

    fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> Result<()> {
        actions.check(&self.task)?;
        if !self.running {
            return Err(Error::NotRunning { task: self.task.name.clone() });
        }
        let mut forces = std::array::from_fn(|i| command(actions, i).map(|u| u * FULL_FORCE));
        world::add_contact_forces(&self.state.agents, RADIUS, &mut forces);
        world::integrate(&mut self.state.agents, &forces);
        self.steps += 1;

        out.begin(&self.task, None);
        write_obs(&self.state, &mut out.obs);
        let rewards = rewards(&self.state);
        for (out, reward) in out.rewards.iter_mut().zip(rewards) {
            *out = reward as f32;
        }
        out.team_reward = rewards.iter().sum::<f64>() / N as f64;
        out.truncated = self.steps >= EPISODE_LIMIT;
        self.running = !out.truncated;
        Ok(())
    }

    fn scene(&self) -> Option<Scene> {
        let disc = |[x, y]: [f64; 2], radius: f64, side, label| Disc {
            at: [x as f32, y as f32],
            radius: radius as f32,
            side,
            label,
            health: None,
        };
        let landmarks = self.state.landmarks.iter().map(|l| disc(*l, LANDMARK_RADIUS, Side::World, String::new()));
        let agents = self.state.agents.iter().enumerate();
        let agents = agents.map(|(i, agent)| disc(agent.position, RADIUS, Side::Team, i.to_string()));
        let discs: Vec<Disc> = landmarks.chain(agents).collect();
        let start = View::around([0.0; 2], [SHOWN as f32; 2]);
        let room = [2.0 * RADIUS as f32; 2];
        let view = discs.iter().map(|disc| View::around(disc.at, room)).fold(start, |all, one| all.and(&one));
        Some(Scene { view, discs, lines: Vec::new() })
    }
}

fn obs_fields(agent: usize) -> Vec<ObsField> {
    let vector = |name: String, unit: &str, limit: f32| {
        let field = |axis: &str| ObsField {
            name: format!("{name}.{axis}"),
            unit: unit.to_owned(),
            range: Some(Range::new(-limit, limit)),
        };
        [field("x"), field("y")]
    };
    let others = || (0..N).filter(move |&other| other != agent);
    let mut fields = Vec::with_capacity(OBS_DIM);
    fields.extend(vector("velocity".to_owned(), "m/s", 27.0));
    fields.extend(vector("position".to_owned(), "m", 60.0));
    (0..N).for_each(|l| fields.extend(vector(format!("landmark_{l}"), "m", 61.0)));
    others().for_each(|a| fields.extend(vector(format!("agent_{a}"), "m", 120.0)));
    // Nobody speaks in this scenario: always 0, kept for the layout.
    for (a, i) in others().flat_map(|a| [(a, 0), (a, 1)]) {
        let (name, range) = (format!("message.agent_{a}.{i}"), Some(Range::new(0.0, 1.0)));
        fields.push(ObsField { name, unit: "1".to_owned(), range });
    }
    fields
}

/// Push of one agent, each component in [-1, 1]. The differences are taken in single precision, as `mpe2` does.
fn command(actions: &JointAction, agent: usize) -> [f64; 2] {
    match actions {
        JointAction::Continuous(values) => match values.as_chunks::<{ ACTIONS.len() }>().0.get(agent) {
            Some([_noop, left, right, down, up]) => [f64::from(right - left), f64::from(up - down)],
            None => [0.0; 2],
        },
        JointAction::Discrete(choices) => match choices.get(agent) {
            Some(1) => [-1.0, 0.0],
            Some(2) => [1.0, 0.0],
            Some(3) => [0.0, -1.0],
            Some(4) => [0.0, 1.0],
            _ => [0.0; 2],
        },
    }
}

/// `[N, O]`: velocity, position, landmarks and others relative to the agent, silent messages (left as they are: 0).
fn write_obs(state: &SpreadState, out: &mut [f32]) {
    for (i, (row, own)) in out.chunks_exact_mut(OBS_DIM).zip(&state.agents).enumerate() {
        let landmarks = state.landmarks.iter().map(|&l| difference(l, own.position));
        let others = state.agents.iter().enumerate().filter(|&(j, _)| j != i);
        let others = others.map(|(_, other)| difference(other.position, own.position));
        let pairs = [own.velocity, own.position].into_iter().chain(landmarks).chain(others);
        for (out, value) in row.iter_mut().zip(pairs.flatten()) {
            *out = value as f32;
        }
    }
}

fn rewards(state: &SpreadState) -> [f64; N] {
    let nearest = |&landmark: &[f64; 2]| {
        let distances = state.agents.iter().map(|a| norm(difference(a.position, landmark)));
        distances.fold(f64::INFINITY, f64::min)
    };
    let global = state.landmarks.iter().map(nearest).fold(0.0, |sum, d| sum - d);
    std::array::from_fn(|i| {
        let own = state.agents[i].position;
        let others = state.agents.iter().enumerate().filter(|&(j, _)| j != i);
        let touching = others.filter(|(_, other)| norm(difference(other.position, own)) < 2.0 * RADIUS).count();
        global * (1.0 - LOCAL_RATIO) - touching as f64 * LOCAL_RATIO
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JointAction::{Continuous, Discrete};

    fn check(mut env: Spread, actions: JointAction, velocity: [f64; 2]) {
        let mut t = Timestep::for_env(&env);
        env.set_state(
            SpreadState { agents: [0.0, 1.0, 2.0].map(|x| Body::at([x, 0.0])), ..Default::default() },
            &mut t,
        )
        .unwrap();
        env.step(&actions, &mut t).unwrap();
        assert_eq!(env.state().agents[1].velocity, velocity);
        assert_eq!(t.agent_obs(1)[..2], velocity.map(|v| v as f32));
        // Landmarks at 0, which agent 0 covers: no distance, no contact.
        assert_eq!((t.rewards.as_slice(), t.team_reward), ([0.0; 3].as_slice(), 0.0));
    }

    #[test]
    fn commands_push_where_their_names_say() {
        for (choice, velocity) in [[0.0, 0.0], [-0.5, 0.0], [0.5, 0.0], [0.0, -0.5], [0.0, 0.5]].into_iter().enumerate()
        {
            check(Spread::discrete(), Discrete(vec![0, choice as u32, 0]), velocity);
            let mut commands = vec![0.0; 15];
            commands[5 + choice] = 1.0;
            check(Spread::continuous(), Continuous(commands), velocity);
        }
    }

    #[test]
    fn the_specification_is_valid_and_named() {
        for env in [Spread::continuous(), Spread::discrete()] {
            env.task().validate().unwrap();
            assert_eq!((env.task().n_agents(), env.task().obs_dim(), env.task().action_dim()), (3, 18, 5));
        }
        let env = Spread::continuous();
        let names: Vec<&str> = env.task().agents[1].obs.iter().map(|f| f.name.as_str()).collect();
        let expected = "velocity.x velocity.y position.x position.y landmark_0.x landmark_0.y landmark_1.x \
                        landmark_1.y landmark_2.x landmark_2.y agent_0.x agent_0.y agent_2.x agent_2.y \
                        message.agent_0.0 message.agent_0.1 message.agent_2.0 message.agent_2.1";
        assert_eq!(names.join(" "), expected);
    }

    #[test]
    fn observations_are_laid_out_as_named() {
        let mut env = Spread::discrete();
        let mut t = Timestep::for_env(&env);
        let agents = [[1.0, 2.0], [3.0, 5.0], [8.0, 13.0]].map(Body::at);
        env.set_state(SpreadState { agents, landmarks: [[0.0, 1.0], [0.5, 0.0], [-1.0, -2.0]] }, &mut t).unwrap();
        let expected =
            [0.0, 0.0, 3.0, 5.0, -3.0, -4.0, -2.5, -5.0, -4.0, -7.0, -2.0, -3.0, 5.0, 8.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(t.agent_obs(1), expected);
        assert_eq!(t.action_mask, [1; 15]);
    }

    #[test]
    fn an_episode_has_25_steps_and_a_seed() {
        let mut env = Spread::discrete();
        let (mut t, mut again) = (Timestep::for_env(&env), Timestep::default());
        assert!(matches!(env.step(&Discrete(vec![0; 3]), &mut t), Err(Error::NotRunning { .. })));
        env.reset(7, &mut t);
        Spread::discrete().reset(7, &mut again);
        assert_eq!(t, again);
        env.reset(8, &mut again);
        assert_ne!(t.obs, again.obs);
        for step in 1..=EPISODE_LIMIT {
            env.step(&Discrete(vec![1, 2, 3]), &mut t).unwrap();
            assert_eq!((t.terminated, t.truncated), (false, step == EPISODE_LIMIT));
        }
        let message = "task `spread-discrete`: expected a running episode, found none; reset the environment first";
        assert_eq!(env.step(&Discrete(vec![0; 3]), &mut t).unwrap_err().to_string(), message);
    }

    #[test]
    fn a_scene_has_all_in_view() {
        let mut env = Spread::discrete();
        let agents = [[1.0, 2.0], [3.0, 5.0], [8.0, 13.0]].map(Body::at);
        env.set_state(SpreadState { agents, landmarks: [[0.0, 1.0]; 3] }, &mut Timestep::default()).unwrap();
        let scene = env.scene().unwrap();
        assert_eq!(scene.discs.iter().filter(|disc| disc.side == Side::World).count(), 3);
        assert_eq!((scene.discs[5].at, scene.discs[5].label.as_str(), scene.discs[5].radius), ([8.0, 13.0], "2", 0.15));
        assert_eq!((scene.view.low, scene.view.high), ([-1.2, -1.2], [8.3, 13.3]));
    }

    #[test]
    fn a_refused_action_or_state_changes_nothing() {
        let mut env = Spread::continuous();
        let mut t = Timestep::for_env(&env);
        env.reset(3, &mut t);
        let (before, state) = (t.clone(), *env.state());
        let wrong = [
            Discrete(vec![0; 3]),
            Continuous(vec![0.5; 14]),
            Continuous(vec![1.5; 15]),
            Continuous(vec![f32::NAN; 15]),
        ];
        for actions in wrong {
            assert!(env.step(&actions, &mut t).is_err());
        }
        let message =
            "task `spread`: expected the velocity of an agent within +-1000, found inf; give finite values in m/s";
        let mut world = state;
        world.agents[2].velocity[1] = f64::INFINITY;
        assert_eq!(env.set_state(world, &mut t).unwrap_err().to_string(), message);
        world = state;
        world.landmarks[0][0] = f64::NAN;
        assert!(env.set_state(world, &mut t).is_err());
        assert_eq!((&before, &state), (&t, env.state()));
        assert!(env.step(&Continuous(vec![0.5; 15]), &mut t).is_ok());
    }
}
