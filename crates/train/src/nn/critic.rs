//! The local action values Q_i(o_i, a_i), one network for all agents.

use candle_core::Tensor;

use super::{NetworkId, Stack};
use crate::{Problem, Result, batch::Batch};

/// Continuous actions: [o, a, id] -> 1. Discrete: [o, id] -> one value an action. Layers `fc1`, `fc2`, `out`.
#[derive(Clone, Copy, Debug)]
pub struct Critic {
    /// The network.
    pub id: NetworkId,
}

impl Critic {
    /// Its layers.
    pub fn stack(problem: &Problem, hidden: usize) -> Stack {
        let (local, actions) = (problem.actor.input_dim(), problem.actor.action_dim);
        let (inputs, outputs) = if problem.is_discrete() { (local, actions) } else { (local + actions, 1) };
        Stack::new(inputs, &[("fc1", hidden), ("fc2", hidden)], &[("out", outputs)])
    }

    /// Its heads as the values of the batch's actions.
    ///
    /// # Shapes
    /// -> [B, N].
    pub fn values(&self, heads: &[Tensor], batch: &Batch) -> Result<Tensor> {
        let q = match &batch.obs_action_id {
            Some(_) => heads[0].clone(),                 // [B N, 1]
            None => heads[0].gather(&batch.actions, 1)?, // [B N, 1]
        };
        Ok(q.reshape((batch.size, batch.n_agents))?)
    }
}
