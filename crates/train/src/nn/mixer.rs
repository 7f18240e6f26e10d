//! From the agents' values to the team's: Q_tot = sum_i w_i(s) Q_i + b(s), and the same w and b for V.

use candle_core::Tensor;

use super::{NetworkId, Stack};
use crate::Result;
use crate::config::MixerKind;

/// OMIGA's linear hypernetwork with layers `hidden`, `weight`, `bias`, or VDN's plain sum, which has none.
#[derive(Clone, Copy, Debug)]
pub struct Mixer {
    /// The network.
    pub id: NetworkId,
}

/// Weights and bias of one batch of states.
#[derive(Clone, Debug)]
pub struct Mixing {
    /// w_i(s) >= 0, [B, N].
    pub weight: Tensor,
    /// b(s), [B, 1].
    pub bias: Tensor,
}

impl Mixer {
    /// Its layers for a state of `state_dim` numbers (all agents' states concatenated).
    pub fn stack(kind: MixerKind, state_dim: usize, n_agents: usize, hidden: usize) -> Stack {
        match kind {
            MixerKind::Vdn => Stack::new(state_dim, &[], &[]),
            MixerKind::LinearHypernetwork => {
                Stack::new(state_dim, &[("hidden", hidden)], &[("weight", n_agents), ("bias", 1)])
            }
        }
    }

    /// h = relu(hidden(s)); w = |weight(h)|, b = bias(h).
    ///
    /// # Shapes
    /// The heads at B states, `n_agents` N -> w [B, N], b [B, 1].
    pub fn mixing(&self, heads: &[Tensor], state: &Tensor, n_agents: usize) -> Result<Mixing> {
        if let [weight, bias] = heads {
            return Ok(Mixing { weight: weight.abs()?, bias: bias.clone() });
        }
        let (b, dtype, device) = (state.dim(0)?, state.dtype(), state.device());
        let weight = Tensor::ones((b, n_agents), dtype, device)?;
        Ok(Mixing { weight, bias: Tensor::zeros((b, 1), dtype, device)? })
    }
}

impl Mixing {
    /// sum_i w_i x_i + b; agents that are not `alive` [B, N] are left out of the sum.
    ///
    /// # Shapes
    /// `values` [B, N] -> [B, 1].
    pub fn total(&self, values: &Tensor, alive: Option<&Tensor>) -> Result<Tensor> {
        let weighted = (&self.weight * values)?; // [B, N]
        let weighted = match alive {
            Some(alive) => (weighted * alive)?,
            None => weighted,
        };
        Ok((weighted.sum_keepdim(1)? + &self.bias)?)
    }
}
