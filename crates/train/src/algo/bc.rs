//! Behaviour cloning: each agent's policy is fitted to the dataset's actions by maximum likelihood.
//!
//! Logged: `policy_loss` (negative mean log likelihood) and `grad_norm_actor` (before clipping).

use super::{Maker, Metrics};
use crate::batch::Batch;
use crate::config::{Config, OptimConfig};
use crate::loss::behaviour_cloning_loss;
use crate::nn::{Actor, Networks};
use crate::{Problem, Result};

/// An actor and its settings.
#[derive(Debug)]
pub struct Bc {
    networks: Networks,
    actor: Actor,
    optim: OptimConfig,
    mask_unavailable: bool,
    mask_dead: bool,
}

impl Bc {
    pub(crate) fn make(config: &Config, problem: &Problem, mut maker: Maker<'_>) -> Result<Self> {
        let actor = Actor::new(maker.online("actor", &Actor::stack(&problem.actor))?, &problem.actor);
        let (mask_unavailable, mask_dead) = (config.omiga.mask_unavailable, config.omiga.mask_dead);
        Ok(Self { networks: maker.networks, actor, optim: config.optim.clone(), mask_unavailable, mask_dead })
    }

    pub(crate) fn update(&mut self, batch: &Batch, step: u64) -> Result<Metrics> {
        let alive = batch.alive.as_ref().filter(|_| self.mask_dead);
        let [policy] = self.networks.forward([self.actor.at(&batch.obs_id)])?;
        let log_prob = self.actor.policy(&policy).log_prob(batch, self.mask_unavailable)?; // [B, N]
        let loss = behaviour_cloning_loss(&log_prob, alive)?;
        self.networks.backward(&loss.backward()?)?;
        let [norm] = self.networks.step([&[self.actor.id]], &self.optim, step)?;
        Ok(vec![("policy_loss", crate::scalar(&loss)?), ("grad_norm_actor", norm)])
    }

    pub(crate) fn actor(&self) -> (&Networks, Actor) {
        (&self.networks, self.actor)
    }
}
