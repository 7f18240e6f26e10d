//! An update as data, around its losses: what every engine has in common.

use candle_core::Tensor;

use crate::batch::Batch;
use crate::config::PolicyConfig;
use crate::nn::NetworkId;

/// What is done in an update, in this order: all passes, the losses and their gradients by the heads, a clipped step of
/// Adam a group, the targets.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which losses.
    pub losses: Losses,
    /// Names of what is logged, in order.
    pub metrics: &'static [&'static str],
    /// Forward passes, in the order in which the losses take their heads. A trained network has one.
    pub passes: Vec<(NetworkId, Input)>,
    /// Networks that are trained.
    pub groups: Vec<Group>,
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

/// The losses, with what is set in them.
#[derive(Clone, Copy, Debug)]
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
}

/// Networks whose gradients are clipped by their joint norm.
#[derive(Clone, Debug)]
pub struct Group {
    /// The metric that holds this norm before clipping.
    pub norm: &'static str,
    /// The networks.
    pub networks: Vec<NetworkId>,
}

impl Group {
    /// The networks.
    pub fn ids(&self) -> &[NetworkId] {
        &self.networks
    }
}

/// A part of a [`Batch`] that a network reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
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

impl Input {
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
