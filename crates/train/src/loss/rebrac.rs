//! ReBRAC's losses (Tarasov et al., NeurIPS 2023, arXiv:2305.09836), with all agents' actions as one.

use candle_core::Tensor;

use crate::Result;

/// Sum over agents and actuators of (a - b)^2.
///
/// # Shapes
/// `a`, `b` [B N, A], `size` B -> [B, 1].
///
/// # Gradients
/// Into both.
pub fn team_distance(a: &Tensor, b: &Tensor, size: usize) -> Result<Tensor> {
    Ok((a - b)?.sqr()?.reshape((size, ()))?.sum_keepdim(1)?)
}

/// The target policies' next actions: clamp(pi'(s') + noise, -1, 1), the noise clamped to +-`noise_clip` (TD3, Fujimoto et al.
/// 2018).
///
/// # Shapes
/// `policy`, `noise` [M, A] -> [M, A].
///
/// # Gradients
/// None: it is detached.
pub fn smoothed_actions(policy: &Tensor, noise: &Tensor, noise_clip: f64) -> Result<Tensor> {
    Ok((policy + noise.clamp(-noise_clip, noise_clip)?)?.clamp(-1.0, 1.0)?.detach())
}

/// - mean_B q / mean_B |q|, the denominator detached: policies that climb q at a rate that does not depend on its scale.
///
/// # Shapes
/// `q` [B, 1] -> scalar.
///
/// # Gradients
/// Into q.
pub fn climbing_loss(q: &Tensor) -> Result<Tensor> {
    let scale = q.abs()?.mean_all()?.detach(); // scalar
    Ok(q.mean_all()?.div(&scale)?.neg()?)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    fn tensor<const R: usize, const C: usize>(x: [[f64; C]; R]) -> Tensor {
        Tensor::new(&x, &Device::Cpu).unwrap()
    }

    fn numbers(x: &Tensor) -> Vec<f64> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn distances_are_of_the_whole_team() {
        // Two transitions of two agents with two actuators.
        let a = tensor([[1.0, 0.0], [0.0, 2.0], [0.5, 0.0], [0.0, 0.0]]);
        let distance = team_distance(&a, &a.zeros_like().unwrap(), 2).unwrap();
        assert_eq!((distance.dims(), numbers(&distance)), (&[2, 1][..], vec![5.0, 0.25]));
    }

    #[test]
    fn noise_and_actions_are_clipped() {
        let smoothed = smoothed_actions(&tensor([[0.0, 0.8, -0.9]]), &tensor([[0.7, 0.3, -0.1]]), 0.5).unwrap();
        assert_eq!(numbers(&smoothed), [0.5, 1.0, -1.0]);
    }

    /// The loss is of the same size whatever the scale of the values, its slope by q is -1 / (B mean |q|).
    #[test]
    fn the_scale_of_values_does_not_count() {
        for scale in [1.0, 1000.0] {
            let q = Var::from_tensor(&(tensor([[1.0], [-2.0], [4.0], [1.0]]) * scale).unwrap()).unwrap();
            let loss = climbing_loss(&q).unwrap();
            assert!((loss.to_scalar::<f64>().unwrap() + 0.5).abs() < 1e-12);
            let slope = loss.backward().unwrap().get(&q).map(numbers).unwrap();
            assert!(slope.iter().all(|s| (s * scale + 1.0 / 8.0).abs() < 1e-12), "{slope:?}");
        }
    }
}
