//! A battle as an environment.

use omiga_format::{Better, Metric, TaskSpec};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::fields;
use super::maps::{self, Map};
use super::roster::Roster;
use super::scene;
use super::world::{Outcome, World};
use crate::{Error, JointAction, MultiAgentEnv, Result, Scene, Timestep};

/// A team of units against scripted enemies: the tasks `smax-...`, with the rules of SMAX (`jaxmarl` 0.2.0).
///
/// A step is half a second, eight world steps in which everybody does what they were told: move along an axis, stop, or shoot
/// at one enemy as long as it is in range. Units that overlap are pushed apart; a unit that comes to the border dies. Allies and
/// enemies see what is within their sight. The team's reward, which is also every agent's, is the mean over the enemies of the
/// share of health they lost, and 1 when the last enemy dies and an ally lives. The episode terminates when a side is dead, and
/// is truncated after 101 steps.
///
/// # Shapes
/// N allies and M enemies, K kinds of units (6, on `smax-2c_vs_64zg` 7): O = (N + M - 1) * (7 + K) + 4 + K, A = 5 + M. The state is
/// one of the whole team, S = (N + M) * (6 + K).
///
/// # Units
/// Observed places of others are shares of the observer's sight, its own of the map's side (32); the state has places in map
/// units and cooldowns in seconds, neither bounded.
///
/// # Determinism
/// The seed and the actions decide everything. Computed in single precision, as the original.
#[derive(Clone, Debug)]
pub struct Smax {
    task: TaskSpec,
    map: &'static Map,
    roster: Roster,
    world: World,
    rng: ChaCha8Rng,
    running: bool,
    won: Option<bool>,
    metrics: [Metric; 1],
}

impl Smax {
    /// The task of this name.
    ///
    /// # Errors
    /// [`Error::UnknownTask`].
    pub fn new(name: &str) -> Result<Self> {
        let unknown = || Error::UnknownTask { expected: maps::NAMES.to_vec(), found: name.to_owned() };
        let map = Map::find(name).ok_or_else(unknown)?;
        let (task, roster) = (fields::task(map), map.roster());
        Ok(Self {
            task,
            map,
            roster,
            world: World::new(),
            rng: ChaCha8Rng::seed_from_u64(0),
            running: false,
            won: None,
            metrics: [Metric::share("win rate", Better::Higher)],
        })
    }

    /// Did the team win the episode? `None` while it is running: all enemies died, and not all allies.
    pub fn won(&self) -> Option<bool> {
        self.won
    }

    /// Where everybody is.
    #[cfg(test)]
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// Who takes part.
    #[cfg(test)]
    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    fn report(&self, outcome: Outcome, out: &mut Timestep) {
        out.begin_with_team_state(&self.task, self.roster.state_dim());
        for (ally, row) in out.obs.chunks_exact_mut(self.roster.obs_dim()).enumerate() {
            self.world.observe(&self.roster, ally, row);
        }
        for (ally, row) in out.action_mask.chunks_exact_mut(self.task.action_dim()).enumerate() {
            self.world.write_mask(&self.roster, ally, row);
        }
        for (ally, alive) in out.alive.iter_mut().enumerate() {
            *alive = u8::from(self.world.lives(ally));
        }
        self.world.write_state(&self.roster, &mut out.state);
        out.rewards.fill(outcome.reward);
        out.team_reward = f64::from(outcome.reward);
        out.terminated = outcome.decided;
        out.truncated = outcome.timed_out && !outcome.decided;
    }
}

impl MultiAgentEnv for Smax {
    fn task(&self) -> &TaskSpec {
        &self.task
    }

    fn state_dim(&self) -> Option<usize> {
        Some(self.roster.state_dim())
    }

    fn state_rows(&self) -> usize {
        1
    }

    fn reset(&mut self, seed: u64, out: &mut Timestep) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
        self.world = self.map.begin(&mut self.roster, &mut self.rng);
        (self.running, self.won) = (true, None);
        self.report(Outcome::default(), out);
    }

    fn step(&mut self, actions: &JointAction, out: &mut Timestep) -> Result<()> {
        actions.check(&self.task)?;
        let JointAction::Discrete(choices) = actions else { return Ok(()) };
        if !self.running {
            return Err(Error::NotRunning { task: self.task.name.clone() });
        }
        let outcome = self.world.step(&self.roster, choices, &mut self.rng);
        self.report(outcome, out);
        self.running = !out.is_last();
        self.won = out.is_last().then_some(outcome.won);
        Ok(())
    }

    fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    fn measure(&self, out: &mut [f64]) {
        out[0] = f64::from(u8::from(self.won == Some(true)));
    }

    fn scene(&self) -> Option<Scene> {
        Some(scene::of(&self.world, &self.roster))
    }
}
