//! The shape of a policy network: what a checkpoint's `actor.*` tensors must be.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// A Gaussian's mean is clamped to [-9, 9] before the tanh (official OMIGA).
pub const MU_LIMIT: f32 = 9.0;
/// Logit of an action that is not available (official OMIGA, SMAC branch).
pub const MASKED_LOGIT: f32 = -1e8;

/// What the network's last layer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorHead {
    /// `mu_head` and `sigma_head` of a tanh-squashed Gaussian; the deterministic action is `tanh(clamp(mu))`.
    SquashedGaussian,
    /// `mu_head` and `sigma_head` of a Gaussian around the deterministic action `tanh(mu)`.
    Gaussian,
    /// `mu_head` of a policy without a distribution: its action is `tanh(mu)`.
    Deterministic,
    /// `out` gives one logit an action; the greedy action is the largest available one.
    Categorical,
}

impl ActorHead {
    /// Names of the last layers; the first is the one that the greedy action is made of.
    pub fn layers(self) -> &'static [&'static str] {
        match self {
            Self::SquashedGaussian | Self::Gaussian => &["mu_head", "sigma_head"],
            Self::Deterministic => &["mu_head"],
            Self::Categorical => &["out"],
        }
    }

    /// Does it choose among named actions?
    pub fn is_discrete(self) -> bool {
        self == Self::Categorical
    }
}

/// A multilayer perceptron with two ReLU layers, shared by the agents; its input is the transformed observation
/// followed by the agent's one-hot id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorSpec {
    /// Width of the transformed observation, without the id.
    pub obs_dim: usize,
    /// Number of agents, the width of the id.
    pub n_agents: usize,
    /// Width H of both hidden layers.
    pub hidden: usize,
    /// Commands or choices A.
    pub action_dim: usize,
    /// Meaning of the last layer.
    pub head: ActorHead,
}

impl ActorSpec {
    /// Width of the first layer's input.
    pub fn input_dim(&self) -> usize {
        self.obs_dim + self.n_agents
    }

    /// Names (without the `actor.` prefix) and shapes of all parameters; weights are [out, in].
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let hidden = [("fc1", self.hidden, self.input_dim()), ("fc2", self.hidden, self.hidden)];
        let layers = hidden.into_iter().chain(self.head.layers().iter().map(|h| (*h, self.action_dim, self.hidden)));
        layers
            .flat_map(|(name, out, inp)| {
                [(format!("{name}.weight"), vec![out, inp]), (format!("{name}.bias"), vec![out])]
            })
            .collect()
    }
}
