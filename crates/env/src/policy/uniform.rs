//! The policy that knows nothing.

use omiga_format::{Range, TaskSpec};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Error, JointAction, Result, TeamPolicy, Timestep};

/// Share of a range left free at each end. The density of a squashed Gaussian grows without limit at the exact bounds,
/// so data for learning keeps off them.
pub(super) const EDGE: f32 = 1e-3;

/// Uniform commands within the bounds (less a thousandth at each end), or uniform choices among the permitted. For any
/// task.
#[derive(Clone, Debug)]
pub struct UniformPolicy {
    task: TaskSpec,
    rng: ChaCha8Rng,
}

impl UniformPolicy {
    /// For a task.
    pub fn new(task: TaskSpec) -> Self {
        Self { task, rng: ChaCha8Rng::seed_from_u64(0) }
    }
}

impl TeamPolicy for UniformPolicy {
    fn reset(&mut self, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
    }

    fn act(&mut self, t: &Timestep, actions: &mut JointAction) -> Result<()> {
        actions.check_shape(&self.task)?;
        match actions {
            JointAction::Continuous(values) => {
                let fields = self.task.agents.iter().flat_map(|agent| agent.action.fields());
                for (value, field) in values.iter_mut().zip(fields) {
                    *value = command(field.range, &mut self.rng);
                }
            }
            JointAction::Discrete(choices) => {
                let (task, width) = (&self.task.name, self.task.action_dim());
                let (expected, found) = (choices.len() * width, t.action_mask.len());
                if found != expected {
                    return Err(Error::Buffer { task: task.clone(), buffer: "action_mask", expected, found });
                }
                let masks = t.action_mask.chunks_exact(width.max(1));
                for ((value, mask), agent) in choices.iter_mut().zip(masks).zip(&self.task.agents) {
                    let nothing = || Error::NothingPermitted { task: task.clone(), agent: agent.name.clone() };
                    *value = choice(mask, &mut self.rng).ok_or_else(nothing)?;
                }
            }
        }
        Ok(())
    }
}

/// A uniform command that keeps off the exact bounds.
pub(super) fn command(range: Range, rng: &mut ChaCha8Rng) -> f32 {
    let share = EDGE + (1.0 - 2.0 * EDGE) * rng.random::<f32>();
    range.low + (range.high - range.low) * share
}

/// A uniform choice among the permitted; `None` if there is none.
pub(super) fn choice(mask: &[u8], rng: &mut ChaCha8Rng) -> Option<u32> {
    let permitted = || mask.iter().enumerate().filter(|&(_, &m)| m != 0);
    let count = permitted().count();
    if count == 0 {
        return None;
    }
    let (index, _) = permitted().nth(rng.random_range(0..count))?;
    u32::try_from(index).ok()
}

#[cfg(test)]
mod tests {
    use omiga_format::ActionSpace;

    use super::*;

    #[test]
    fn commands_fill_their_ranges() {
        let mut task = TaskSpec::anonymous("pumps", 2, 1, ActionSpace::unit_box(2));
        if let ActionSpace::Continuous(fields) = &mut task.agents[1].action {
            fields[0].range = Range::new(10.0, 30.0);
        }
        let mut policy = UniformPolicy::new(task.clone());
        policy.reset(5);
        let (mut actions, t) = (JointAction::for_task(&task), Timestep::default());
        let (mut low, mut high, mut sum) = (f32::MAX, f32::MIN, 0.0);
        for _ in 0..1000 {
            policy.act(&t, &mut actions).unwrap();
            actions.check(&task).unwrap();
            let JointAction::Continuous(values) = &actions else { unreachable!() };
            (low, high, sum) = (low.min(values[2]), high.max(values[2]), sum + values[2]);
        }
        assert!(low > 10.0 && low < 10.2 && high < 30.0 && high > 29.8, "{low} {high}");
        assert!((sum / 1000.0 - 20.0).abs() < 0.5, "{sum}");
    }

    #[test]
    fn masked_choices_are_never_taken() {
        let task = TaskSpec::anonymous("valves", 2, 1, ActionSpace::choices(3));
        let (mut policy, mut actions) = (UniformPolicy::new(task.clone()), JointAction::for_task(&task));
        let mut t = Timestep { action_mask: vec![1, 0, 1, 0, 0, 1], ..Timestep::default() };
        let mut counts = [0; 3];
        for _ in 0..1000 {
            policy.act(&t, &mut actions).unwrap();
            let JointAction::Discrete(choices) = &actions else { unreachable!() };
            assert_eq!(choices[1], 2);
            counts[choices[0] as usize] += 1;
        }
        assert!(counts[1] == 0 && counts[0] > 400 && counts[2] > 400, "{counts:?}");

        t.action_mask[5] = 0;
        let message = "task `valves`: expected a permitted action for `agent_1`, found none; the environment must \
                       always offer one";
        assert_eq!(policy.act(&t, &mut actions).unwrap_err().to_string(), message);
        t.action_mask.pop();
        assert!(matches!(policy.act(&t, &mut actions), Err(Error::Buffer { expected: 6, found: 5, .. })));
    }
}
