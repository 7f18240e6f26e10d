//! A diagonal Gaussian in action space around a squashed mean, as in IQL (Kostrikov et al. 2022).

use candle_core::Tensor;

use super::{LOG_SIGMA_MAX, LOG_SIGMA_MIN};
use crate::Result;

/// a ~ N(tanh(mu), sigma^2), per dimension; parameters are [M, A].
#[derive(Debug)]
pub struct Gaussian {
    /// The mean before its squashing.
    pub mu: Tensor,
    /// Log standard deviation before its clamp.
    pub log_sigma: Tensor,
}

impl Gaussian {
    /// The mean, [M, A] in (-1, 1).
    pub fn mode(&self) -> Result<Tensor> {
        Ok(self.mu.tanh()?)
    }

    /// log sigma within its limits, [M, A].
    pub fn clamped_log_sigma(&self) -> Result<Tensor> {
        Ok(self.log_sigma.clamp(LOG_SIGMA_MIN, LOG_SIGMA_MAX)?)
    }
}
