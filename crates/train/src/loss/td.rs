//! The team's action value against its one-step target.

use candle_core::Tensor;

use crate::Result;

/// y = r + gamma * bootstrap * V_tot_target(s', o').
///
/// # Shapes
/// All [B, 1].
///
/// # Gradients
/// None: the target is detached.
pub fn td_target(rewards: &Tensor, bootstrap: &Tensor, next_v_tot: &Tensor, gamma: f64) -> Result<Tensor> {
    Ok((rewards + ((bootstrap * next_v_tot)? * gamma)?)?.detach())
}

/// L_Q = mean (Q_tot(s, o, a) - y)^2.
///
/// # Shapes
/// `q_tot`, `target` [B, 1] -> scalar.
///
/// # Gradients
/// Into Q and the mixer together.
pub fn td_loss(q_tot: &Tensor, target: &Tensor) -> Result<Tensor> {
    Ok((q_tot - target)?.sqr()?.mean_all()?)
}
