//! The policy pi(a_i | o_i), one network for all agents.

use candle_core::Tensor;
use omiga_format::{ActorHead, ActorSpec};

use super::{NetworkId, Stack};
use crate::config::PolicyConfig;
use crate::dist::{Categorical, SquashedGaussian};
use crate::{Result, batch::Batch};

/// MLP with two hidden ReLU layers and the heads that [`ActorSpec`] names.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    /// The network.
    pub id: NetworkId,
    head: ActorHead,
    /// See [`PolicyConfig::action_margin`].
    pub action_margin: f64,
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
    /// The network as a policy of this kind.
    pub fn new(id: NetworkId, spec: &ActorSpec, config: &PolicyConfig) -> Self {
        Self { id, head: spec.head, action_margin: config.action_margin }
    }

    /// Its layers, with the names of [`ActorSpec::parameters`].
    pub fn stack(spec: &ActorSpec) -> Stack {
        let actions = spec.action_dim;
        let heads: &[_] = match spec.head {
            ActorHead::SquashedGaussian => &[("mu_head", actions), ("sigma_head", actions)],
            ActorHead::Categorical => &[("out", actions)],
        };
        Stack::new(spec.input_dim(), &[("fc1", spec.hidden), ("fc2", spec.hidden)], heads)
    }

    /// Its heads as a distribution over M actions.
    pub fn policy(&self, heads: &[Tensor]) -> Policy {
        match self.head {
            ActorHead::SquashedGaussian => Policy::SquashedGaussian(SquashedGaussian {
                mu: heads[0].clone(),
                log_sigma: heads[1].clone(),
                action_margin: self.action_margin,
            }),
            ActorHead::Categorical => Policy::Categorical(Categorical { logits: heads[0].clone() }),
        }
    }
}

impl Policy {
    /// log pi(a_i | o_i) of the batch's actions.
    ///
    /// # Shapes
    /// -> [B, N].
    pub fn log_prob(self, batch: &Batch, mask_unavailable: bool) -> Result<Tensor> {
        let log_prob = match self {
            Self::SquashedGaussian(policy) => policy.log_prob(&batch.actions)?,
            Self::Categorical(policy) => match &batch.action_mask {
                Some(mask) if mask_unavailable => policy.masked(mask)?.log_prob(&batch.actions)?,
                _ => policy.log_prob(&batch.actions)?,
            },
        };
        Ok(log_prob.reshape((batch.size, batch.n_agents))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exporter and the runtime find the layers that are trained here.
    #[test]
    fn layers_are_those_of_the_format() {
        for head in [ActorHead::SquashedGaussian, ActorHead::Categorical] {
            let spec = ActorSpec { obs_dim: 5, n_agents: 2, hidden: 8, action_dim: 3, head };
            let stack = Actor::stack(&spec);
            let ours = stack.layers().flat_map(|d| {
                [
                    (format!("{}.weight", d.name), vec![d.outputs, d.inputs]),
                    (format!("{}.bias", d.name), vec![d.outputs]),
                ]
            });
            assert_eq!(ours.collect::<Vec<_>>(), spec.parameters());
        }
    }
}
