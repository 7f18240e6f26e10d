//! Weighted and plain imitation of the dataset's actions.

use std::f64::consts::PI;

use candle_core::Tensor;

use super::mean_over_alive;
use crate::Result;

/// L_pi = mean over batch and agents of [ exp(z_i) e_i ], e_i the policy's error: -log pi(a_i | o_i) in the paper.
///
/// # Shapes
/// `z`, `error` [B, N] -> scalar.
///
/// # Gradients
/// Into the policy; exp(z) is detached and, unlike in the value loss, not divided by exp(m).
pub fn policy_loss(z: &Tensor, error: &Tensor, alive: Option<&Tensor>) -> Result<Tensor> {
    mean_over_alive(&(z.detach().exp()? * error)?, alive)
}

/// L = mean over batch and agents of e_i, the policy's error: with -log pi(a_i | o_i) maximum likelihood.
///
/// # Shapes
/// `error` [B, N] -> scalar.
///
/// # Gradients
/// Into the policy.
pub fn behaviour_cloning_loss(error: &Tensor, alive: Option<&Tensor>) -> Result<Tensor> {
    mean_over_alive(error, alive)
}

/// e = sum_d (mu_d - a_d)^2: the conditional mean of the actions is its minimum, whatever their spread.
///
/// # Shapes
/// `policy`, `actions` [M, A] in [-1, 1] -> `[M]`.
///
/// # Gradients
/// Into the policy's action `mu`.
pub fn squared_error(policy: &Tensor, actions: &Tensor) -> Result<Tensor> {
    Ok((policy - actions)?.sqr()?.sum(1)?)
}

/// e = sum_d |mu_d - a_d|: the conditional median is its minimum, which of two ways to act is the more frequent one, where
/// the mean is neither.
///
/// # Shapes
/// `policy`, `actions` [M, A] in [-1, 1] -> `[M]`.
///
/// # Gradients
/// Into the policy's action `mu`.
pub fn absolute_error(policy: &Tensor, actions: &Tensor) -> Result<Tensor> {
    Ok((policy - actions)?.abs()?.sum(1)?)
}

/// e = - sum_d sg(sigma_d^(2 beta)) log N(a_d; mu_d, sigma_d), sg a stop of gradients (Seitzer et al., ICLR 2022,
/// arXiv:2203.09168, equation 5): with beta 0 the likelihood, in which a row pulls at the mean with 1 / sigma^2; with beta 1
/// all rows pull alike, as in the squared error.
///
/// # Shapes
/// `mean`, `log_sigma`, `actions` [M, A] -> `[M]`.
///
/// # Gradients
/// Into mean and log_sigma, not through the weight.
pub fn beta_nll(mean: &Tensor, log_sigma: &Tensor, actions: &Tensor, beta: f64) -> Result<Tensor> {
    let z = ((actions - mean)? / log_sigma.exp()?)?; // [M, A]
    let nll = ((z.sqr()? * 0.5)? + log_sigma)?.affine(1.0, 0.5 * (2.0 * PI).ln())?; // [M, A]
    let weight = (log_sigma.detach() * (2.0 * beta))?.exp()?; // [M, A]
    Ok((weight * nll)?.sum(1)?)
}
