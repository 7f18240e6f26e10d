//! One action and no distribution around it, as in deterministic policy gradients (Lillicrap et al. 2016).

use candle_core::Tensor;

use crate::Result;

/// a = tanh(mu), per dimension; mu is [M, A].
#[derive(Debug)]
pub struct Deterministic {
    /// The action before the squashing.
    pub mu: Tensor,
}

impl Deterministic {
    /// The action, [M, A] in (-1, 1).
    pub fn mode(&self) -> Result<Tensor> {
        Ok(self.mu.tanh()?)
    }
}
