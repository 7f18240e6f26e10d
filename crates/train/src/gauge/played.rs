//! What policies do in recorded rows, as they would be deployed, and how likely what was done is to them.

use candle_core::{DType, Tensor};

use super::numbers;
use super::sums::Fit;
use crate::Result;
use crate::batch::Batch;
use crate::loss::{beta_nll, squared_error};
use crate::nn::Policy;

/// Of M rows.
pub struct Played {
    pub done: Done,
    /// How well each policy fits what was done, `[M]`.
    pub fit: Vec<f64>,
    /// What that is.
    pub fit_is: Fit,
}

/// The actions.
pub enum Done {
    /// [M, A] in [-1, 1].
    Commands(Vec<f32>),
    /// `[M]`.
    Choices(Vec<u32>),
}

impl Played {
    /// Of `policy` in the rows of `batch`. Actions that are not available are left out, as they are in deployment.
    pub fn of(policy: Policy, batch: &Batch) -> Result<Self> {
        let actions = &batch.actions;
        let commands =
            |mode: Tensor| -> Result<_> { Ok(Done::Commands(mode.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)) };
        let (done, fit, fit_is) = match policy {
            Policy::SquashedGaussian(policy) => {
                (commands(policy.mode()?)?, policy.log_prob(actions)?, Fit::LogLikelihood)
            }
            Policy::Gaussian(policy) => {
                let (mean, log_sigma) = (policy.mode()?, policy.clamped_log_sigma()?);
                let log_prob = beta_nll(&mean, &log_sigma, actions, 0.0)?.neg()?;
                (commands(mean)?, log_prob, Fit::LogLikelihood)
            }
            Policy::Deterministic(policy) => {
                let mode = policy.mode()?;
                let error = squared_error(&mode, actions)?;
                (commands(mode)?, error, Fit::SquaredError)
            }
            Policy::Categorical(policy) => {
                let policy = match &batch.action_mask {
                    Some(mask) => policy.masked(mask)?,
                    None => policy,
                };
                (Done::Choices(policy.mode()?.to_vec1()?), policy.log_prob(actions)?, Fit::LogLikelihood)
            }
        };
        Ok(Self { done, fit: numbers(&fit)?, fit_is })
    }
}
