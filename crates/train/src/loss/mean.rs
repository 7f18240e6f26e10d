//! Means that leave dead agents out.

use candle_core::Tensor;

use crate::Result;

/// Mean of `x` [B, N] over batch and agents; with `alive` [B, N] over those that are alive.
pub fn mean_over_alive(x: &Tensor, alive: Option<&Tensor>) -> Result<Tensor> {
    Ok(match alive {
        None => x.mean_all()?,
        Some(alive) => (x * alive)?.sum_all()?.div(&alive.sum_all()?.maximum(1.0)?)?,
    })
}
