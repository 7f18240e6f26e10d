//! The exported policy against the trainer's answers.

use omiga_format::{AgentSpec, Range};
use omiga_runtime::{Policy, StepError};

use crate::{Answers, Error, GoldenCases, Result};

/// Largest difference from the trainer's answers that is exported, relative to [`GoldenCases`]'s scale: half of an
/// action's range or a logit's size, if above 1.
pub const PARITY_TOLERANCE: f32 = 1e-5;

/// How well one exported policy repeats the trainer's answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parity {
    /// Golden cases replayed.
    pub cases: usize,
    /// Largest absolute difference of an action (continuous) or of an available action's logit (discrete).
    pub max_abs_difference: f32,
}

impl Parity {
    /// Replay `golden` through `policy`, the policy of `agent`.
    ///
    /// A continuous action may differ by `PARITY_TOLERANCE * max(1, half of its range)`, a logit by
    /// `PARITY_TOLERANCE * max(1, |logit|)`; the chosen action must be the same unless its logit is that close to the
    /// trainer's choice.
    ///
    /// # Errors
    /// [`Error::Parity`] names the first case and number that differs more, [`Error::Step`] a case without an answer.
    pub fn measure(agent: &AgentSpec, policy: &mut Policy, golden: &GoldenCases) -> Result<Self> {
        let mut replay = Replay { agent: &agent.name, case: 0, max_abs_difference: 0.0 };
        match golden.answers() {
            Answers::Continuous { action } => replay.commands(policy, golden, action, &agent.action.ranges())?,
            Answers::Discrete { action, action_mask, logits } => {
                let masks: Vec<bool> = action_mask.iter().map(|m| *m != 0).collect();
                replay.choices(policy, golden, action, &masks, logits)?;
            }
        }
        Ok(Self { cases: golden.cases(), max_abs_difference: replay.max_abs_difference as f32 })
    }
}

struct Replay<'a> {
    agent: &'a str,
    case: usize,
    max_abs_difference: f64,
}

impl Replay<'_> {
    fn commands(&mut self, policy: &mut Policy, golden: &GoldenCases, actions: &[f32], ranges: &[Range]) -> Result<()> {
        let mut action = vec![0.0; ranges.len()];
        for (case, (obs, expected)) in golden.rows().zip(actions.chunks_exact(ranges.len().max(1))).enumerate() {
            self.case = case;
            policy.step(obs, &mut action).map_err(|e| self.no_answer(e))?;
            for (i, (range, (expected, found))) in ranges.iter().zip(expected.iter().zip(&action)).enumerate() {
                let half_range = (f64::from(range.high) - f64::from(range.low)) / 2.0;
                self.compare(|| format!("action {i}"), *expected, *found, half_range)?;
            }
        }
        Ok(())
    }

    fn choices(
        &mut self,
        policy: &mut Policy,
        golden: &GoldenCases,
        actions: &[i64],
        masks: &[bool],
        logits: &[f32],
    ) -> Result<()> {
        let width = policy.action_dim().max(1);
        let answers = actions.iter().zip(masks.chunks_exact(width).zip(logits.chunks_exact(width)));
        for (case, (obs, (action, (mask, logits)))) in golden.rows().zip(answers).enumerate() {
            self.case = case;
            let chosen = policy.choose(obs, mask).map_err(|e| self.no_answer(e))?;
            for (i, (expected, found)) in logits.iter().zip(policy.logits()).enumerate() {
                self.compare(|| format!("logit {i}"), *expected, *found, f64::from(expected.abs()))?;
            }
            let trainers = usize::try_from(*action).unwrap_or(usize::MAX);
            let logit = |i: usize| logits.get(i).map_or(f64::NAN, |l| f64::from(*l));
            let tolerance = tolerance(logit(trainers).abs());
            // A choice outside the logits compares as NaN, which is false.
            let equally_good = (logit(trainers) - logit(chosen)).abs() <= tolerance;
            if chosen != trainers && !equally_good {
                let (expected, found) = (trainers as f32, chosen as f32);
                return Err(self.differs("action".into(), expected, found, 0.0));
            }
        }
        Ok(())
    }

    fn compare(&mut self, output: impl FnOnce() -> String, expected: f32, found: f32, scale: f64) -> Result<()> {
        let difference = (f64::from(expected) - f64::from(found)).abs();
        let tolerance = tolerance(scale);
        if difference.is_nan() || difference > tolerance {
            return Err(self.differs(output(), expected, found, tolerance));
        }
        self.max_abs_difference = self.max_abs_difference.max(difference);
        Ok(())
    }

    fn differs(&self, output: String, expected: f32, found: f32, tolerance: f64) -> Error {
        let tolerance = tolerance as f32;
        Error::Parity { agent: self.agent.to_owned(), case: self.case, output, expected, found, tolerance }
    }

    fn no_answer(&self, source: StepError) -> Error {
        Error::Step { agent: self.agent.to_owned(), case: self.case, source }
    }
}

fn tolerance(scale: f64) -> f64 {
    f64::from(PARITY_TOLERANCE) * scale.max(1.0)
}
