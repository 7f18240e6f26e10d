//! The local state values V_i(o_i), one network for all agents.

use candle_core::Tensor;

use super::{NetworkId, Stack};
use crate::{Problem, Result};

/// [o, id] -> 1: layers `fc1`, `fc2`, `out`.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    /// The network.
    pub id: NetworkId,
}

impl Value {
    /// Its layers.
    pub fn stack(problem: &Problem, hidden: usize) -> Stack {
        Stack::new(problem.actor.input_dim(), &[("fc1", hidden), ("fc2", hidden)], &[("out", 1)])
    }

    /// Its heads as values.
    ///
    /// # Shapes
    /// -> [B, N].
    pub fn values(&self, heads: &[Tensor], n_agents: usize) -> Result<Tensor> {
        Ok(heads[0].reshape(((), n_agents))?)
    }
}
