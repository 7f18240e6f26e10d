//! An update as data, around its losses: what every engine has in common.

use candle_core::Tensor;

use crate::batch::Batch;
use crate::config::{PolicyConfig, RebracConfig};
use crate::nn::{By, NetworkId};

/// What is done in an update: its stages, one after the other, then the targets.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first one with a step of Adam is part of every update.
    pub stages: Vec<Stage>,
    /// Pairs (target, online).
    pub targets: Vec<(NetworkId, NetworkId)>,
    /// target <- tau online + (1 - tau) target.
    pub tau: f64,
    /// How policies imitate.
    pub policy: PolicyConfig,
    /// Leave out actions that are not available, where the data says which.
    pub mask_unavailable: bool,
    /// Leave out dead agents, where the data says which.
    pub mask_dead: bool,
}

/// A part of an update that waits for the one before: all passes, the losses and their gradients by the heads, back through the
/// networks, a clipped step of Adam a group.
#[derive(Clone, Debug)]
pub struct Stage {
    /// It is part of the updates whose number this divides.
    pub every: u64,
    /// Forward passes, in the order in which the losses take their heads.
    pub passes: Vec<(NetworkId, Input)>,
    /// What the passes of trained networks are differentiated by. Those by the input are gone back through in this stage, those
    /// by the parameters in the one whose groups have the network: of these a network has one in an update.
    pub by: By,
    /// What follows from the heads.
    pub losses: Losses,
    /// Names of what is logged of it, in order.
    pub metrics: &'static [&'static str],
    /// Networks that are trained now.
    pub groups: Vec<Group>,
}

/// What is computed from the heads: losses and their gradients, or what the next stage reads.
#[derive(Clone, Debug)]
pub enum Losses {
    /// Those of OMIGA.
    Omiga {
        /// Strength of the regularisation.
        alpha: f64,
        /// Discount.
        gamma: f64,
    },
    /// Behaviour cloning.
    Bc,
    /// A part of ReBRAC's update.
    Rebrac {
        /// Which one.
        part: RebracPart,
        /// Its coefficients.
        config: RebracConfig,
        /// Of the noise.
        seed: u64,
    },
}

/// The parts of ReBRAC's update, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebracPart {
    /// The target policies' next actions with noise, into [`Input::NextStatePolicies`].
    NextActions,
    /// The target, and how far both critics are from it.
    Critics,
    /// The policies' actions, into [`Input::StatePolicies`].
    Actions,
    /// How the smaller value changes with either critic.
    Values,
    /// How the policies' loss changes with their actions.
    Policies,
}

/// Networks whose gradients are clipped by their joint norm.
#[derive(Clone, Debug)]
pub struct Group {
    /// The metric that holds this norm before clipping.
    pub norm: &'static str,
    /// The networks.
    pub networks: Vec<NetworkId>,
}

impl Plan {
    /// Names of what is logged, in order, each with the [`Stage::every`] of its stage.
    pub fn metrics(&self) -> Vec<(&'static str, u64)> {
        self.stages.iter().flat_map(|stage| stage.metrics.iter().map(|name| (*name, stage.every))).collect()
    }

    /// The target that may follow `online` as soon as stage `k` has trained it: this happens in every update, and no later stage
    /// reads the target.
    pub fn early_target(&self, k: usize, online: NetworkId) -> Option<NetworkId> {
        let (target, _) = *self.targets.iter().find(|(_, of)| *of == online)?;
        let stage = &self.stages[k];
        let mut later = self.stages[k + 1..].iter().flat_map(|stage| &stage.passes);
        (stage.every == 1 && stage.trains(online) && later.all(|(id, _)| *id != target)).then_some(target)
    }

    /// Pairs (target, online) that wait for the end of the update.
    pub fn late_targets(&self) -> impl Iterator<Item = (NetworkId, NetworkId)> {
        let is_early = |online| (0..self.stages.len()).any(|k| self.early_target(k, online).is_some());
        self.targets.iter().copied().filter(move |(_, online)| !is_early(*online))
    }
}

impl Stage {
    /// Is this network trained in it?
    pub fn trains(&self, id: NetworkId) -> bool {
        self.groups.iter().any(|group| group.networks.contains(&id))
    }
}

impl Group {
    /// The networks.
    pub fn ids(&self) -> &[NetworkId] {
        &self.networks
    }
}

/// What a network reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// A part of the batch.
    Part(Part),
    /// The global state and all agents' actions.
    StateActions,
    /// The same with the policies' actions, which an earlier stage puts there.
    StatePolicies,
    /// The same of the next row.
    NextStatePolicies,
}

/// A part of a [`Batch`] that a network reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Observation and id.
    ObsId,
    /// The same of the next row.
    NextObsId,
    /// Observation, action and id; without the action where actions are choices.
    ObsActionId,
    /// The global state.
    State,
    /// The same of the next row.
    NextState,
}

impl Part {
    /// This part of `batch`.
    pub fn of(self, batch: &Batch) -> &Tensor {
        match self {
            Self::ObsId => &batch.obs_id,
            Self::NextObsId => &batch.next_obs_id,
            Self::ObsActionId => batch.obs_action_id.as_ref().unwrap_or(&batch.obs_id),
            Self::State => &batch.state,
            Self::NextState => &batch.next_state,
        }
    }
}
