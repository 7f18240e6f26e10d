//! Weighted and plain maximum likelihood of the dataset's actions.

use candle_core::Tensor;

use super::mean_over_alive;
use crate::Result;

/// L_pi = - mean over batch and agents of [ exp(z_i) log pi(a_i | o_i) ].
///
/// # Shapes
/// `z`, `log_prob` [B, N] -> scalar.
///
/// # Gradients
/// Into the policy; exp(z) is detached and, unlike in the value loss, not divided by exp(m).
pub fn policy_loss(z: &Tensor, log_prob: &Tensor, alive: Option<&Tensor>) -> Result<Tensor> {
    Ok(mean_over_alive(&(z.detach().exp()? * log_prob)?, alive)?.neg()?)
}

/// L = - mean over batch and agents of log pi(a_i | o_i).
///
/// # Shapes
/// `log_prob` [B, N] -> scalar.
///
/// # Gradients
/// Into the policy.
pub fn behaviour_cloning_loss(log_prob: &Tensor, alive: Option<&Tensor>) -> Result<Tensor> {
    Ok(mean_over_alive(log_prob, alive)?.neg()?)
}
