//! The policy pi(a_i | o_i), one network for all agents.

use candle_core::Tensor;
use omiga_format::{ActorHead, ActorSpec};

use super::Parameters;
use super::linear::Linear;
use super::trunk::Trunk;
use crate::dist::{Categorical, SquashedGaussian};
use crate::{Result, batch::Batch};

/// MLP with two hidden ReLU layers and the heads that [`ActorSpec`] names.
#[derive(Debug)]
pub struct Actor {
    /// Its tensors, named as [`ActorSpec::parameters`] says.
    pub parameters: Parameters,
    trunk: Trunk,
    heads: Heads,
}

#[derive(Debug)]
enum Heads {
    Gaussian { mu: Linear, log_sigma: Linear },
    Logits(Linear),
}

/// A distribution over each agent's actions.
#[derive(Debug)]
pub enum Policy {
    /// Continuous actions in (-1, 1).
    SquashedGaussian(SquashedGaussian),
    /// One of A actions.
    Categorical(Categorical),
}

impl Actor {
    /// The network with these parameters.
    pub fn new(parameters: Parameters, spec: &ActorSpec) -> Self {
        let heads = match spec.head {
            ActorHead::SquashedGaussian => {
                Heads::Gaussian { mu: parameters.linear(2), log_sigma: parameters.linear(3) }
            }
            ActorHead::Categorical => Heads::Logits(parameters.linear(2)),
        };
        Self { trunk: Trunk::new(&parameters), heads, parameters }
    }

    /// The policy at some observations.
    ///
    /// # Shapes
    /// `obs_id` [M, O + N] (transformed observation, then one-hot id) -> a distribution over M actions.
    pub fn forward(&self, obs_id: &Tensor) -> Result<Policy> {
        let h = self.trunk.forward(obs_id)?; // [M, H]
        Ok(match &self.heads {
            Heads::Gaussian { mu, log_sigma } => {
                Policy::SquashedGaussian(SquashedGaussian { mu: mu.forward(&h)?, log_sigma: log_sigma.forward(&h)? })
            }
            Heads::Logits(logits) => Policy::Categorical(Categorical { logits: logits.forward(&h)? }),
        })
    }

    /// log pi(a_i | o_i) of the batch's actions.
    ///
    /// # Shapes
    /// -> [B, N].
    pub fn log_prob(&self, batch: &Batch, mask_unavailable: bool) -> Result<Tensor> {
        let log_prob = match self.forward(&batch.obs_id)? {
            Policy::SquashedGaussian(policy) => policy.log_prob(&batch.actions)?,
            Policy::Categorical(policy) => match &batch.action_mask {
                Some(mask) if mask_unavailable => policy.masked(mask)?.log_prob(&batch.actions)?,
                _ => policy.log_prob(&batch.actions)?,
            },
        };
        Ok(log_prob.reshape((batch.size, batch.n_agents))?)
    }
}
