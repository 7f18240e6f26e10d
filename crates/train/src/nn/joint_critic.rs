//! The value of all agents' actions together, Q(s, a_1, ..., a_N).

use candle_core::Tensor;

use super::{NetworkId, Stack};
use crate::{Problem, Result};

/// [s, a_1, ..., a_N] -> 1: layers `fc1`, `fc2`, `fc3`, each with LayerNorm after its ReLU, and `out`.
#[derive(Clone, Copy, Debug)]
pub struct JointCritic {
    /// The network.
    pub id: NetworkId,
}

impl JointCritic {
    /// Its layers.
    pub fn stack(problem: &Problem, hidden: usize) -> Stack {
        let inputs = problem.state_dim + problem.actor.n_agents * problem.actor.action_dim;
        Stack::new(inputs, &[("fc1", hidden), ("fc2", hidden), ("fc3", hidden)], &[("out", 1)]).normalised()
    }

    /// What it reads; the actions stand last.
    ///
    /// # Shapes
    /// `state` [B, S], `actions` [M, A] -> [B, S + N A].
    pub fn input(state: &Tensor, actions: &Tensor) -> Result<Tensor> {
        Ok(Tensor::cat(&[state, &actions.reshape((state.dim(0)?, ()))?], 1)?)
    }
}
