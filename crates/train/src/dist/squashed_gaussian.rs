//! tanh of a diagonal Gaussian (Haarnoja et al. 2018, appendix C), with the clamps of the official OMIGA code.

use std::f64::consts::{LN_2, PI};

use candle_core::{DType, Tensor};
use omiga_format::MU_LIMIT;

use crate::Result;

/// Smallest log standard deviation (official OMIGA).
pub const LOG_SIGMA_MIN: f64 = -5.0;
/// Largest log standard deviation (official OMIGA).
pub const LOG_SIGMA_MAX: f64 = 2.0;
/// Distance that actions keep from -1 and 1, where the density is infinite, in the official OMIGA code.
pub const OFFICIAL_ACTION_MARGIN: f64 = 1e-7;

/// a = tanh(u), u ~ N(mu, sigma^2), per dimension; parameters before their clamps, [M, A].
#[derive(Debug)]
pub struct SquashedGaussian {
    /// Mean before the squashing.
    pub mu: Tensor,
    /// Log standard deviation before the squashing.
    pub log_sigma: Tensor,
    /// Distance that actions keep from -1 and 1 in [`Self::log_prob`].
    pub action_margin: f64,
}

impl SquashedGaussian {
    /// The deterministic action tanh(clamp(mu)), [M, A] in (-1, 1).
    pub fn mode(&self) -> Result<Tensor> {
        Ok(self.clamped_mu()?.tanh()?)
    }

    /// log pi(a) = sum_d [ log N(u_d; mu_d, sigma_d) - 2 (log 2 - u_d - softplus(-2 u_d)) ] with u = atanh(a), a kept
    /// `action_margin` away from the bounds.
    ///
    /// # Shapes
    /// `actions` [M, A] in [-1, 1] -> `[M]`.
    ///
    /// # Gradients
    /// Into mu and log_sigma where their clamps are not active.
    pub fn log_prob(&self, actions: &Tensor) -> Result<Tensor> {
        let limit = 1.0 - self.action_margin;
        let u = atanh(&actions.clamp(-limit, limit)?)?; // [M, A]
        let log_sigma = self.log_sigma.clamp(LOG_SIGMA_MIN, LOG_SIGMA_MAX)?; // [M, A]
        let z = ((&u - self.clamped_mu()?)? / log_sigma.exp()?)?; // [M, A]
        let log_normal = ((z.sqr()? * -0.5)? - log_sigma)?.affine(1.0, -0.5 * (2.0 * PI).ln())?; // [M, A]
        // log(1 - tanh(u)^2), stable for large |u|
        let log_slope = ((&u + softplus(&(&u * -2.0)?)?)? * -2.0)?.affine(1.0, 2.0 * LN_2)?; // [M, A]
        Ok((log_normal - log_slope)?.sum(1)?)
    }

    fn clamped_mu(&self) -> Result<Tensor> {
        Ok(self.mu.clamp(-f64::from(MU_LIMIT), f64::from(MU_LIMIT))?)
    }
}

/// (log(1 + x) - log(1 - x)) / 2, in f64: in f32 the sums lose what is left of x near 0 and 1.
fn atanh(x: &Tensor) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F64)?;
    let u = ((wide.affine(1.0, 1.0)?.log()? - wide.affine(-1.0, 1.0)?.log()?)? * 0.5)?;
    Ok(u.to_dtype(x.dtype())?)
}

/// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)).
fn softplus(x: &Tensor) -> Result<Tensor> {
    Ok((x.relu()? + x.abs()?.neg()?.exp()?.affine(1.0, 1.0)?.log()?)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// Values from SciPy: `norm.logpdf(arctanh(a), mu, exp(log_sigma)) - log(1 - a**2)`.
    fn check(a: f64, mu: f64, log_sigma: f64, expected: f64) {
        check_within(OFFICIAL_ACTION_MARGIN, a, mu, log_sigma, expected);
    }

    fn check_within(action_margin: f64, a: f64, mu: f64, log_sigma: f64, expected: f64) {
        let tensor = |x: f64| Tensor::from_vec(vec![x], (1, 1), &Device::Cpu).unwrap();
        let policy = SquashedGaussian { mu: tensor(mu), log_sigma: tensor(log_sigma), action_margin };
        let found = policy.log_prob(&tensor(a)).unwrap().to_vec1::<f64>().unwrap()[0];
        assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} != {expected}");
    }

    #[test]
    fn known_densities() {
        check(0.0, 0.0, 0.0, -0.9189385332046727);
        check(0.5, 0.2, -0.5, -0.2970917437480364);
        check(-0.9, 1.0, 0.3, -1.2353397952882452);
        // The clamps: mu 20 counts as 9, log_sigma -8 as -5 and 3 as 2.
        check(0.5, 20.0, 3.0, -3.285255054101179);
        check(0.0, 0.001, -8.0, 4.070048233897924);
    }

    #[test]
    fn actions_at_the_bounds_keep_the_margin() {
        for a in [0.95, 0.97, 1.0] {
            check_within(0.05, a, 0.2, -0.5, -1.7100319072603805);
        }
        check_within(0.05, -0.9, 1.0, 0.3, -1.2353397952882452);
    }

    #[test]
    fn the_bounds_are_finite() {
        let tensor = |x: f32| Tensor::from_vec(vec![x], (1, 1), &Device::Cpu).unwrap();
        let policy =
            SquashedGaussian { mu: tensor(0.0), log_sigma: tensor(0.0), action_margin: OFFICIAL_ACTION_MARGIN };
        for a in [-1.0, 1.0] {
            assert!(policy.log_prob(&tensor(a)).unwrap().to_vec1::<f32>().unwrap()[0].is_finite());
        }
        assert_eq!(policy.mode().unwrap().to_vec2::<f32>().unwrap()[0][0], 0.0);
    }
}
