//! What policies do in recorded rows, as they would be deployed, and how likely what was done is to them.

use super::numbers;
use super::sums::Fit;
use crate::Result;
use crate::batch::Batch;
use crate::loss::{beta_nll, squared_error};
use crate::nn::{Done, Policy};

/// Of M rows.
pub struct Played {
    pub done: Done,
    /// How well each policy fits what was done, `[M]`.
    pub fit: Vec<f64>,
    /// What that is.
    pub fit_is: Fit,
}

impl Played {
    /// Of `policy` in the rows of `batch`. Actions that are not available are left out, as they are in deployment.
    pub fn of(policy: Policy, batch: &Batch) -> Result<Self> {
        let (actions, policy) = (&batch.actions, policy.masked(batch.action_mask.as_ref())?);
        let (fit, fit_is) = match &policy {
            Policy::SquashedGaussian(policy) => (policy.log_prob(actions)?, Fit::LogLikelihood),
            Policy::Gaussian(policy) => {
                let log_prob = beta_nll(&policy.mode()?, &policy.clamped_log_sigma()?, actions, 0.0)?.neg()?;
                (log_prob, Fit::LogLikelihood)
            }
            Policy::Deterministic(policy) => (squared_error(&policy.mode()?, actions)?, Fit::SquaredError),
            Policy::Categorical(policy) => (policy.log_prob(actions)?, Fit::LogLikelihood),
        };
        Ok(Self { done: policy.done()?, fit: numbers(&fit)?, fit_is })
    }
}
