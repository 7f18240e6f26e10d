//! From the agents' values to the team's: Q_tot = sum_i w_i(s) Q_i + b(s), and the same w and b for V.

use candle_core::Tensor;

use super::Parameters;
use super::linear::Linear;
use super::parameters::shapes_of;
use crate::Result;
use crate::config::MixerKind;

/// OMIGA's linear hypernetwork, or VDN's plain sum (which has no parameters).
#[derive(Debug)]
pub struct Mixer {
    /// Its tensors: `hidden`, `weight`, `bias`; none for VDN.
    pub parameters: Parameters,
    layers: Option<[Linear; 3]>,
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
    /// Names and shapes of the parameters for a state of `state_dim` numbers (all agents' states concatenated).
    pub fn shapes(kind: MixerKind, state_dim: usize, n_agents: usize, hidden: usize) -> Vec<(String, Vec<usize>)> {
        match kind {
            MixerKind::Vdn => Vec::new(),
            MixerKind::LinearHypernetwork => {
                shapes_of(&[("hidden", state_dim, hidden), ("weight", hidden, n_agents), ("bias", hidden, 1)])
            }
        }
    }

    /// The network with these parameters.
    pub fn new(parameters: Parameters) -> Self {
        let layers = (!parameters.entries().is_empty())
            .then(|| [parameters.linear(0), parameters.linear(1), parameters.linear(2)]);
        Self { parameters, layers }
    }

    /// h = relu(hidden(s)); w = |weight(h)|, b = bias(h).
    ///
    /// # Shapes
    /// `state` [B, S], `n_agents` N -> w [B, N], b [B, 1].
    pub fn forward(&self, state: &Tensor, n_agents: usize) -> Result<Mixing> {
        let Some([hidden, weight, bias]) = &self.layers else {
            let (b, dtype, device) = (state.dim(0)?, state.dtype(), state.device());
            let weight = Tensor::ones((b, n_agents), dtype, device)?;
            return Ok(Mixing { weight, bias: Tensor::zeros((b, 1), dtype, device)? });
        };
        let h = hidden.forward_relu(state)?; // [B, M]
        Ok(Mixing { weight: weight.forward(&h)?.abs()?, bias: bias.forward(&h)? })
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
