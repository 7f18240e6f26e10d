//! Behaviour cloning: each agent's policy is fitted to the dataset's actions by maximum likelihood.
//!
//! Logged: `policy_loss` (negative mean log likelihood) and `grad_norm_actor` (before clipping).

use super::plan::{Group, Input, Losses, Part, Plan, Stage};
use super::{Maker, Metrics};
use crate::batch::Batch;
use crate::config::Config;
use crate::loss::behaviour_cloning_loss;
use crate::nn::{Actor, By, NetworkId, Networks};
use crate::optim::Adam;
use crate::{Problem, Result};

/// What is logged, in this order.
pub(super) const METRICS: &[&str] = &["policy_loss", "grad_norm_actor"];

/// An actor and its settings.
#[derive(Debug)]
pub struct Bc {
    networks: Networks,
    actor: Actor,
    optim: Adam,
    mask_unavailable: bool,
    mask_dead: bool,
}

impl Bc {
    pub(crate) fn make(config: &Config, problem: &Problem, mut maker: Maker<'_>) -> Result<Self> {
        let actor = maker.online("actor", &Actor::stack(&problem.actor))?;
        let actor = Actor::new(actor, &problem.actor, config.policy.clone());
        let (mask_unavailable, mask_dead) = (config.omiga.mask_unavailable, config.omiga.mask_dead);
        Ok(Self { networks: maker.networks, actor, optim: Adam::new(config), mask_unavailable, mask_dead })
    }

    fn passes(&self) -> [(NetworkId, Part); 1] {
        [(self.actor.id, Part::ObsId)]
    }

    fn groups(&self) -> [Group; 1] {
        [Group { norm: "grad_norm_actor", networks: vec![self.actor.id] }]
    }

    /// The update as data.
    pub(crate) fn plan(&self) -> Plan {
        let stage = Stage {
            every: 1,
            passes: self.passes().map(|(network, part)| (network, Input::Part(part))).to_vec(),
            by: By::Parameters,
            losses: Losses::Bc,
            metrics: METRICS,
            groups: self.groups().to_vec(),
        };
        Plan {
            stages: vec![stage],
            targets: Vec::new(),
            tau: 0.0,
            policy: self.actor.config.clone(),
            mask_unavailable: self.mask_unavailable,
            mask_dead: self.mask_dead,
        }
    }

    pub(crate) fn update(&mut self, batch: &Batch, step: u64) -> Result<Metrics> {
        let alive = batch.alive.as_ref().filter(|_| self.mask_dead);
        let [policy] = self.networks.forward(self.passes().map(|(network, part)| (network, part.of(batch))))?;
        let error = self.actor.cloning_error(&policy, batch, self.mask_unavailable)?; // [B, N]
        let loss = behaviour_cloning_loss(&error, alive)?;
        self.networks.backward(&loss.backward()?)?;
        let groups = self.groups();
        let [norm] = self.networks.step(groups.each_ref().map(Group::ids), &self.optim, step)?;
        Ok(METRICS.iter().copied().zip([crate::scalar(&loss)?, norm]).collect())
    }

    pub(crate) fn actor(&self) -> (&Networks, &Actor) {
        (&self.networks, &self.actor)
    }

    pub(crate) fn networks_mut(&mut self) -> &mut Networks {
        &mut self.networks
    }
}
