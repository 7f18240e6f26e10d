//! Adam (Kingma and Ba 2015), stepped as PyTorch does, with the gradient norm clipped first.

use crate::config::{Config, LrSchedule, OptimConfig};

/// Added to the norm when clipping, as `torch.nn.utils.clip_grad_norm_` does.
const CLIP_EPS: f64 = 1e-6;

/// Adam as a run is configured, with the learning rate's course.
#[derive(Clone, Debug)]
pub struct Adam {
    /// Its settings.
    pub config: OptimConfig,
    /// Steps from the first to the last.
    steps: u64,
}

impl Adam {
    /// One step an update.
    pub fn new(config: &Config) -> Self {
        Self { config: config.optim.clone(), steps: config.run.steps }
    }

    /// One step in every `updates`.
    pub fn every(self, updates: u64) -> Self {
        Self { steps: self.steps / updates, ..self }
    }

    /// The learning rate of step number `step`, from 1.
    fn rate(&self, step: u64) -> f64 {
        let done = (step - 1) as f64 / self.steps as f64;
        match self.config.lr_schedule {
            LrSchedule::Constant => self.config.lr,
            LrSchedule::Cosine => self.config.lr * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos()),
        }
    }
}

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
    /// The step's learning rate / (1 - beta1^step).
    pub rate: f64,
    /// 1 / sqrt(1 - beta2^step).
    pub scale: f64,
    /// Added to the root.
    pub eps: f64,
}

impl AdamStep {
    /// Of update number `step`, from 1, for a gradient of this norm.
    pub fn new(optim: &Adam, norm: f64, step: u64) -> Self {
        let OptimConfig { beta1, beta2, eps, grad_norm_clip, .. } = optim.config;
        let t = i32::try_from(step).unwrap_or(i32::MAX);
        let clip = (grad_norm_clip / (norm + CLIP_EPS)).min(1.0);
        let (rate, scale) = (optim.rate(step) / (1.0 - beta1.powi(t)), 1.0 / (1.0 - beta2.powi(t)).sqrt());
        Self { beta1, beta2, clip, rate, scale, eps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As PyTorch's `CosineAnnealingLR(T_max=10)`: `0.05 * (1 + cos(pi * t / 10))` before step t + 1.
    #[test]
    fn cosine() {
        let mut config = Config::default();
        (config.run.steps, config.optim.lr, config.optim.lr_schedule) = (20, 0.1, LrSchedule::Cosine);
        let adam = Adam::new(&config).every(2);
        let rates = [1, 2, 6, 10, 11].map(|step| adam.rate(step));
        for (rate, expected) in rates.iter().zip([0.1, 0.0975528258147577, 0.05, 0.0024471741852423, 0.0]) {
            assert!((rate - expected).abs() < 1e-15, "{rate} {expected}");
        }
        config.optim.lr_schedule = LrSchedule::Constant;
        assert_eq!(Adam::new(&config).rate(20), 0.1);
    }
}
