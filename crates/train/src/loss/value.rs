//! The local value whose optimum makes the local policies the regularised global one.

use candle_core::Tensor;

use super::mean_over_alive;
use crate::Result;

/// Bound of the weighted advantage before its exponential (official code).
const Z_LIMIT: f64 = 10.0;

/// z_i = clamp(w_i (Q_i_target - V_i) / alpha, -10, 10).
///
/// # Shapes
/// `weight`, `target_q`, `value` [B, N] -> [B, N].
///
/// # Gradients
/// Into V where the clamp is not active; w (of the target mixer) and Q_target are detached.
pub fn local_advantage(weight: &Tensor, target_q: &Tensor, value: &Tensor, alpha: f64) -> Result<Tensor> {
    let advantage = (target_q.detach() - value)?; // [B, N]
    Ok(((weight.detach() * advantage)? * (1.0 / alpha))?.clamp(-Z_LIMIT, Z_LIMIT)?)
}

/// L_V = mean over batch and agents of [ exp(z - m) + exp(-m) w_i V_i / alpha ], m = max(max z, -1).
///
/// The common factor exp(-m) keeps the exponential small; it scales the gradient (official code).
///
/// # Shapes
/// `z`, `weight`, `value` [B, N] -> scalar.
///
/// # Gradients
/// Into V, through both terms; w and m are detached.
pub fn value_loss(z: &Tensor, weight: &Tensor, value: &Tensor, alpha: f64, alive: Option<&Tensor>) -> Result<Tensor> {
    // Dead agents must not set the scale: for them z counts as 0, which is between the limits.
    let counted = match alive {
        Some(alive) => (z.detach() * alive)?,
        None => z.detach(),
    };
    let m = counted.max_all()?.maximum(-1.0)?; // scalar
    let first = z.broadcast_sub(&m)?.exp()?; // [B, N]
    let second = ((weight.detach() * value)? * (1.0 / alpha))?.broadcast_mul(&m.neg()?.exp()?)?; // [B, N]
    mean_over_alive(&(first + second)?, alive)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// At the optimum E exp(z) = 1 (the paper's normalisation): two equally likely actions with Q = +-1, w = alpha = 1
    /// give V = log cosh 1.
    #[test]
    fn the_optimum_normalises_the_weights() {
        let row = |x: &[f64]| Tensor::new(x, &Device::Cpu).unwrap().reshape((2, 1)).unwrap();
        let (weight, q) = (row(&[1.0, 1.0]), row(&[1.0, -1.0]));
        let optimum = 1.0_f64.cosh().ln();
        for (v, sign) in [(optimum - 0.1, -1.0), (optimum + 0.1, 1.0)] {
            let value = Var::from_tensor(&row(&[v, v])).unwrap();
            let z = local_advantage(&weight, &q, &value, 1.0).unwrap();
            let loss = value_loss(&z, &weight, &value, 1.0, None).unwrap();
            let slope = loss.backward().unwrap().get(&value).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap();
            assert!(slope * sign > 0.0, "at {v} the slope is {slope}");
        }
    }

    #[test]
    fn dead_agents_do_not_count() {
        let row = |x: &[f64]| Tensor::new(x, &Device::Cpu).unwrap().reshape((1, 2)).unwrap();
        let loss = |dead_q: f64| {
            let (weight, value, alive) = (row(&[1.0, 1.0]), row(&[0.1, 0.2]), row(&[1.0, 0.0]));
            let z = local_advantage(&weight, &row(&[0.5, dead_q]), &value, 1.0).unwrap();
            value_loss(&z, &weight, &value, 1.0, Some(&alive)).unwrap().to_scalar::<f64>().unwrap()
        };
        assert_eq!(loss(9.0), loss(-9.0));
    }
}
