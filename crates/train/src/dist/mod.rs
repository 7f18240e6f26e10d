//! Distributions over actions.

mod categorical;
mod squashed_gaussian;

pub use categorical::Categorical;
pub use squashed_gaussian::{LOG_SIGMA_MAX, LOG_SIGMA_MIN, OFFICIAL_ACTION_MARGIN, SquashedGaussian};
