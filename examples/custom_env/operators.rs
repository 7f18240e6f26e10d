//! The people who ran the pumps while the data were logged.

use omiga_env::{JointAction, Result, TeamPolicy, Timestep};
use omiga_format::TaskSpec;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::tanks::MAX_FLOW_L_S;

/// Each operator guesses a flow that may suit the day, corrects it by the level, and has an unsteady hand. Nobody looks
/// at the consumer's flow meter.
pub struct Operators {
    task: TaskSpec,
    /// Guess (l/s) and correction (l/s for each metre) of each.
    habits: [(f32, f32); 2],
    rng: ChaCha8Rng,
}

impl Operators {
    pub fn new(task: TaskSpec) -> Self {
        Self { task, habits: [(0.0, 0.0); 2], rng: ChaCha8Rng::seed_from_u64(0) }
    }
}

impl TeamPolicy for Operators {
    /// Draw from this seed only, so that equal seeds give equal episodes.
    fn reset(&mut self, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
        self.habits = [(); 2].map(|()| (self.rng.random_range(2.0..9.0), self.rng.random_range(0.0..8.0)));
    }

    fn act(&mut self, t: &Timestep, actions: &mut JointAction) -> Result<()> {
        // Another task's kind of action: this names the mistake.
        let JointAction::Continuous(flows) = actions else { return actions.check_shape(&self.task) };
        for (agent, (flow, (guess, correction))) in flows.iter_mut().zip(self.habits).enumerate() {
            let (level, target) = (t.agent_obs(agent)[1], t.agent_obs(agent)[2]);
            let unsteady = self.rng.random_range(-1.0..1.0);
            // Commands keep off the exact bounds, where the density of a squashed Gaussian has no limit.
            *flow = (guess + correction * (target - level) + unsteady).clamp(0.01, MAX_FLOW_L_S - 0.01);
        }
        Ok(())
    }
}
