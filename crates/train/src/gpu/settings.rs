//! What a program is made for.

use super::record::Record;
use crate::Problem;
use crate::algo::{Input, Part};
use crate::optim::Adam;

/// What an update is beside its plan.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Sizes of observations, actions and states.
    pub problem: Problem,
    /// How rows look.
    pub record: Record,
    /// Transitions B of a batch.
    pub batch: usize,
    /// Updates that are fed at once, at most.
    pub slots: usize,
    /// Adam.
    pub optim: Adam,
}

impl Settings {
    /// What is read in place of this: choices do not stand beside observations.
    pub fn input(&self, input: Input) -> Input {
        match input {
            Input::Part(Part::ObsActionId) if self.problem.is_discrete() => Input::Part(Part::ObsId),
            other => other,
        }
    }

    /// Rows and width of what networks read.
    pub fn input_shape(&self, input: Input) -> (usize, usize) {
        let (actor, state) = (&self.problem.actor, self.problem.state_dim);
        let locals = self.batch * actor.n_agents;
        match input {
            Input::Part(Part::ObsId | Part::NextObsId) => (locals, actor.input_dim()),
            Input::Part(Part::ObsActionId) => (locals, actor.input_dim() + actor.action_dim),
            Input::Part(Part::State | Part::NextState) => (self.batch, state),
            Input::StateActions | Input::StatePolicies | Input::NextStatePolicies => {
                (self.batch, state + actor.n_agents * actor.action_dim)
            }
        }
    }
}
