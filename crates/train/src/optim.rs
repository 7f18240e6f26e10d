//! Adam (Kingma and Ba 2015), stepped as PyTorch does, with the gradient norm clipped first.

use crate::config::OptimConfig;

/// Added to the norm when clipping, as `torch.nn.utils.clip_grad_norm_` does.
const CLIP_EPS: f64 = 1e-6;

/// The factors of one step with gradient g:
/// m <- beta1 m + (1 - beta1) c g, v <- beta2 v + (1 - beta2) (c g)^2, p <- p - rate m / (scale sqrt(v) + eps).
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// c, which brings the gradient's norm down to the limit; at most 1.
    pub clip: f64,
    /// lr / (1 - beta1^step).
    pub rate: f64,
    /// 1 / sqrt(1 - beta2^step).
    pub scale: f64,
    /// Added to the root.
    pub eps: f64,
}

impl AdamStep {
    /// Of update number `step`, from 1, for a gradient of this norm.
    pub fn new(config: &OptimConfig, norm: f64, step: u64) -> Self {
        let OptimConfig { lr, beta1, beta2, eps, grad_norm_clip } = *config;
        let t = i32::try_from(step).unwrap_or(i32::MAX);
        let clip = (grad_norm_clip / (norm + CLIP_EPS)).min(1.0);
        let (rate, scale) = (lr / (1.0 - beta1.powi(t)), 1.0 / (1.0 - beta2.powi(t)).sqrt());
        Self { beta1, beta2, clip, rate, scale, eps }
    }
}
