//! The local state values V_i(o_i), one network for all agents.

use candle_core::Tensor;

use super::Parameters;
use super::linear::Linear;
use super::parameters::shapes_of;
use super::trunk::Trunk;
use crate::{Problem, Result};

/// [o, id] -> 1.
#[derive(Debug)]
pub struct Value {
    /// Its tensors: `fc1`, `fc2`, `out`.
    pub parameters: Parameters,
    trunk: Trunk,
    out: Linear,
}

impl Value {
    /// Names and shapes of the parameters.
    pub fn shapes(problem: &Problem, hidden: usize) -> Vec<(String, Vec<usize>)> {
        shapes_of(&[("fc1", problem.actor.input_dim(), hidden), ("fc2", hidden, hidden), ("out", hidden, 1)])
    }

    /// The network with these parameters.
    pub fn new(parameters: Parameters) -> Self {
        Self { trunk: Trunk::new(&parameters), out: parameters.linear(2), parameters }
    }

    /// # Shapes
    /// `obs_id` [B N, O + N] -> [B, N].
    pub fn forward(&self, obs_id: &Tensor, n_agents: usize) -> Result<Tensor> {
        let v = self.out.forward(&self.trunk.forward(obs_id)?)?; // [B N, 1]
        Ok(v.reshape(((), n_agents))?)
    }
}
