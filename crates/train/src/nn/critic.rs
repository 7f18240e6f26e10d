//! The local action values Q_i(o_i, a_i), one network for all agents.

use candle_core::Tensor;

use super::Parameters;
use super::linear::Linear;
use super::parameters::shapes_of;
use super::trunk::Trunk;
use crate::{Problem, Result, batch::Batch};

/// Continuous actions: [o, a, id] -> 1. Discrete: [o, id] -> one value an action.
#[derive(Debug)]
pub struct Critic {
    /// Its tensors: `fc1`, `fc2`, `out`.
    pub parameters: Parameters,
    trunk: Trunk,
    out: Linear,
}

impl Critic {
    /// Names and shapes of the parameters.
    pub fn shapes(problem: &Problem, hidden: usize) -> Vec<(String, Vec<usize>)> {
        let (local, actions) = (problem.actor.input_dim(), problem.actor.action_dim);
        let (inp, out) = if problem.is_discrete() { (local, actions) } else { (local + actions, 1) };
        shapes_of(&[("fc1", inp, hidden), ("fc2", hidden, hidden), ("out", hidden, out)])
    }

    /// The network with these parameters.
    pub fn new(parameters: Parameters) -> Self {
        Self { trunk: Trunk::new(&parameters), out: parameters.linear(2), parameters }
    }

    /// The values of the batch's actions.
    ///
    /// # Shapes
    /// -> [B, N].
    pub fn forward(&self, batch: &Batch) -> Result<Tensor> {
        let q = match &batch.obs_action_id {
            Some(input) => self.out.forward(&self.trunk.forward(input)?)?, // [B N, 1]
            None => self.out.forward(&self.trunk.forward(&batch.obs_id)?)?.gather(&batch.actions, 1)?, // [B N, 1]
        };
        Ok(q.reshape((batch.size, batch.n_agents))?)
    }
}
