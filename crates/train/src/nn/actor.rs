//! The policy pi(a_i | o_i), one network for all agents.

use candle_core::{DType, Tensor};
use omiga_format::{ActorHead, ActorSpec};

use super::{NetworkId, Stack};
use crate::config::{PolicyConfig, PolicyLoss};
use crate::dist::{Categorical, Deterministic, Gaussian, SquashedGaussian};
use crate::loss::{absolute_error, beta_nll, squared_error};
use crate::{Result, batch::Batch};

/// MLP with two hidden ReLU layers and the heads that [`ActorSpec`] names.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The network.
    pub id: NetworkId,
    head: ActorHead,
    /// How it imitates.
    pub config: PolicyConfig,
}

/// What each agent does: a distribution over its actions, or one of them.
#[derive(Debug)]
pub enum Policy {
    /// Continuous actions in (-1, 1).
    SquashedGaussian(SquashedGaussian),
    /// Continuous actions around one in (-1, 1).
    Gaussian(Gaussian),
    /// One action in (-1, 1).
    Deterministic(Deterministic),
    /// One of A actions.
    Categorical(Categorical),
}

/// What M agents do.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// [M, A] in [-1, 1].
    Commands(Vec<f32>),
    /// `[M]`.
    Choices(Vec<u32>),
}

impl Policy {
    /// Its choices without those whose `mask` [M, A] (u8) is 0; commands as they are.
    pub fn masked(self, mask: Option<&Tensor>) -> Result<Self> {
        Ok(match (self, mask) {
            (Self::Categorical(policy), Some(mask)) => Self::Categorical(policy.masked(mask)?),
            (policy, _) => policy,
        })
    }

    /// What is done as it is deployed, without noise.
    pub fn done(&self) -> Result<Done> {
        let mode = match self {
            Self::SquashedGaussian(policy) => policy.mode()?,
            Self::Gaussian(policy) => policy.mode()?,
            Self::Deterministic(policy) => policy.mode()?,
            Self::Categorical(policy) => return Ok(Done::Choices(policy.mode()?.to_vec1()?)),
        };
        Ok(Done::Commands(mode.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?))
    }
}

impl Actor {
    /// The network as a policy of this kind.
    pub fn new(id: NetworkId, spec: &ActorSpec, config: PolicyConfig) -> Self {
        Self { id, head: spec.head, config }
    }

    /// Its layers, with the names of [`ActorSpec::parameters`].
    pub fn stack(spec: &ActorSpec) -> Stack {
        let actions = spec.action_dim;
        let heads: Vec<_> = spec.head.layers().iter().map(|name| (*name, actions)).collect();
        Stack::new(spec.input_dim(), &[("fc1", spec.hidden), ("fc2", spec.hidden)], &heads)
    }

    /// Its heads as what M agents do.
    pub fn policy(&self, heads: &[Tensor]) -> Policy {
        match self.head {
            ActorHead::SquashedGaussian => Policy::SquashedGaussian(SquashedGaussian {
                mu: heads[0].clone(),
                log_sigma: heads[1].clone(),
                action_margin: self.config.action_margin,
            }),
            ActorHead::Gaussian => Policy::Gaussian(Gaussian { mu: heads[0].clone(), log_sigma: heads[1].clone() }),
            ActorHead::Deterministic => Policy::Deterministic(Deterministic { mu: heads[0].clone() }),
            ActorHead::Categorical => Policy::Categorical(Categorical { logits: heads[0].clone() }),
        }
    }

    /// How far the heads' policy is from the batch's actions, by its loss; choices by -log pi(a_i | o_i).
    ///
    /// # Shapes
    /// -> [B, N].
    ///
    /// # Gradients
    /// Into the heads.
    pub fn cloning_error(&self, heads: &[Tensor], batch: &Batch, mask_unavailable: bool) -> Result<Tensor> {
        let actions = &batch.actions;
        let error = match self.policy(heads) {
            Policy::SquashedGaussian(policy) => policy.log_prob(actions)?.neg()?,
            Policy::Gaussian(policy) => {
                beta_nll(&policy.mode()?, &policy.clamped_log_sigma()?, actions, self.config.beta)?
            }
            Policy::Deterministic(policy) => match self.config.loss {
                PolicyLoss::Mae => absolute_error(&policy.mode()?, actions)?,
                PolicyLoss::Nll | PolicyLoss::BetaNll | PolicyLoss::Mse => squared_error(&policy.mode()?, actions)?,
            },
            Policy::Categorical(policy) => match &batch.action_mask {
                Some(mask) if mask_unavailable => policy.masked(mask)?.log_prob(actions)?.neg()?,
                _ => policy.log_prob(actions)?.neg()?,
            },
        };
        Ok(error.reshape((batch.size, batch.n_agents))?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};
    use serde::Deserialize;

    use super::*;
    use crate::batch::Columns;
    use crate::loss::{behaviour_cloning_loss, policy_loss};

    /// The exporter and the runtime find the layers that are trained here.
    #[test]
    fn layers_are_those_of_the_format() {
        for head in [ActorHead::SquashedGaussian, ActorHead::Gaussian, ActorHead::Deterministic, ActorHead::Categorical]
        {
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

    /// Made by the script beside it.
    #[derive(Deserialize)]
    struct Golden {
        action_margin: f64,
        beta: f64,
        mu: Vec<Vec<f64>>,
        log_sigma: Vec<Vec<f64>>,
        actions: Vec<Vec<f64>>,
        z: Vec<Vec<f64>>,
        alive: Vec<Vec<f64>>,
        losses: std::collections::BTreeMap<String, Expected>,
    }

    #[derive(Deserialize)]
    struct Expected {
        errors: Vec<f64>,
        behaviour_cloning_loss: f64,
        policy_loss: f64,
        mu_gradient: Vec<Vec<f64>>,
        log_sigma_gradient: Vec<Vec<f64>>,
    }

    fn tensor(rows: &[Vec<f64>]) -> Tensor {
        Tensor::new(rows.to_vec(), &Device::Cpu).unwrap()
    }

    fn check(what: &str, found: &Tensor, expected: &[f64]) {
        let found = found.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let close = |(f, e): (&f64, &f64)| (f - e).abs() <= 1e-12 * e.abs().max(1.0);
        assert_eq!(found.len(), expected.len(), "{what}");
        assert!(found.iter().zip(expected).all(close), "{what}: {found:?}, expected {expected:?}");
    }

    #[test]
    fn losses_are_those_of_the_reference() {
        let text = include_str!("../../../../tests/golden/policy_losses/losses.json");
        let golden: Golden = serde_json::from_str(text).unwrap();
        let (z, alive) = (tensor(&golden.z), tensor(&golden.alive));
        let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F64, &Device::Cpu).unwrap();
        let batch = Batch::new(Columns {
            obs: zeros(&[3, 2, 1]),
            next_obs: zeros(&[3, 2, 1]),
            state: None,
            actions: tensor(&golden.actions).reshape((3, 2, 2)).unwrap(),
            next_actions: None,
            rewards: zeros(&[3, 1]),
            bootstrap: zeros(&[3, 1]),
            action_mask: None,
            alive: None,
        });
        let batch = batch.unwrap();
        assert_eq!(golden.losses.len(), 4);
        for (name, expected) in &golden.losses {
            let settings = [("loss", name.clone()), ("beta", golden.beta.to_string())]
                .map(|(key, value)| format!("policy.{key}={value}"));
            let margin = format!("policy.action_margin={}", golden.action_margin);
            let config = crate::config::Config::from_parts(&[], &[&settings[..], &[margin]].concat()).unwrap();
            let head = config.actor_head(false);
            let spec = ActorSpec { obs_dim: 1, n_agents: 2, hidden: 4, action_dim: 2, head };
            let actor = Actor::new(NetworkId::at(0), &spec, config.policy);
            let heads = [&golden.mu, &golden.log_sigma].map(|x| Var::from_tensor(&tensor(x)).unwrap());
            let errors = actor.cloning_error(&heads.each_ref().map(|x| x.as_tensor().clone()), &batch, true).unwrap();
            check(name, &errors, &expected.errors);
            let cloning = behaviour_cloning_loss(&errors, Some(&alive)).unwrap();
            check(name, &cloning, &[expected.behaviour_cloning_loss]);
            let loss = policy_loss(&z, &errors, Some(&alive)).unwrap();
            check(name, &loss, &[expected.policy_loss]);
            let store = loss.backward().unwrap();
            let gradients = [&expected.mu_gradient, &expected.log_sigma_gradient];
            for (head, expected) in heads.iter().zip(gradients).take(head.layers().len()) {
                check(name, store.get(head).unwrap(), &expected.concat());
            }
        }
    }
}
