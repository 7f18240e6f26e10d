//! The shape of a policy network: what a checkpoint's `actor.*` tensors must be.

use serde::{Deserialize, Serialize};

/// The mean of the squashed Gaussian is clamped to [-9, 9] before the tanh (official OMIGA).
pub const MU_LIMIT: f32 = 9.0;
/// Logit of an action that is not available (official OMIGA, SMAC branch).
pub const MASKED_LOGIT: f32 = -1e8;

/// What the network's last layer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorHead {
    /// `mu_head` and `sigma_head` of a tanh-squashed Gaussian; the deterministic action is `tanh(clamp(mu))`.
    SquashedGaussian,
    /// `out` gives one logit an action; the greedy action is the largest available one.
    Categorical,
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
        let heads: &[&str] = match self.head {
            ActorHead::SquashedGaussian => &["mu_head", "sigma_head"],
            ActorHead::Categorical => &["out"],
        };
        let hidden = [("fc1", self.hidden, self.input_dim()), ("fc2", self.hidden, self.hidden)];
        let layers = hidden.into_iter().chain(heads.iter().map(|h| (*h, self.action_dim, self.hidden)));
        layers
            .flat_map(|(name, out, inp)| {
                [(format!("{name}.weight"), vec![out, inp]), (format!("{name}.bias"), vec![out])]
            })
            .collect()
    }
}
