//! Behaviour cloning: each agent's policy is fitted to the dataset's actions by maximum likelihood.
//!
//! Logged: `policy_loss` (negative mean log likelihood) and `grad_norm_actor` (before clipping).

use omiga_format::TensorFile;

use super::{Maker, Metrics};
use crate::batch::Batch;
use crate::config::Config;
use crate::loss::behaviour_cloning_loss;
use crate::nn::Actor;
use crate::optim::{Adam, Gradients};
use crate::{Problem, Result};

/// An actor and its optimiser.
#[derive(Debug)]
pub struct Bc {
    /// The policy.
    pub actor: Actor,
    adam: Adam,
    mask_unavailable: bool,
    mask_dead: bool,
}

impl Bc {
    pub(crate) fn make(config: &Config, problem: &Problem, mut maker: Maker<'_>) -> Result<Self> {
        let actor = Actor::new(maker.network("actor", &problem.actor.parameters())?, &problem.actor);
        let adam = maker.optimiser(config, &[&actor.parameters])?;
        let (mask_unavailable, mask_dead) = (config.omiga.mask_unavailable, config.omiga.mask_dead);
        Ok(Self { actor, adam, mask_unavailable, mask_dead })
    }

    pub(crate) fn update(&mut self, batch: &Batch, step: u64) -> Result<Metrics> {
        let alive = batch.alive.as_ref().filter(|_| self.mask_dead);
        let loss = behaviour_cloning_loss(&self.actor.log_prob(batch, self.mask_unavailable)?, alive)?;
        let gradients = Gradients::of(&[&self.actor.parameters], &loss.backward()?)?;
        self.adam.step(&[&self.actor.parameters], &gradients, step)?;
        Ok(vec![("policy_loss", crate::scalar(&loss)?), ("grad_norm_actor", gradients.norm)])
    }

    pub(crate) fn save(&self, file: &mut TensorFile) -> Result<()> {
        self.actor.parameters.save(file)?;
        self.adam.save(file)
    }
}
