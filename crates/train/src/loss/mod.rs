//! The losses as free functions over tensors: OMIGA's (arXiv:2307.11620, section 4; the official code where it is more
//! precise), imitation's, ReBRAC's.

mod mean;
mod policy;
mod rebrac;
mod td;
mod value;

pub use mean::mean_over_alive;
pub use policy::{absolute_error, behaviour_cloning_loss, beta_nll, policy_loss, squared_error};
pub use rebrac::{climbing_loss, smoothed_actions, team_distance};
pub use td::{td_loss, td_target};
pub use value::{local_advantage, value_loss};
