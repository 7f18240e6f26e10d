//! Distributions over actions.

mod categorical;
mod deterministic;
mod gaussian;
mod squashed_gaussian;

pub use categorical::Categorical;
pub use deterministic::Deterministic;
pub use gaussian::Gaussian;
pub use squashed_gaussian::{LOG_SIGMA_MAX, LOG_SIGMA_MIN, OFFICIAL_ACTION_MARGIN, SquashedGaussian};
