//! OMIGA's losses as free functions over tensors (arXiv:2307.11620, section 4; the official code where it is more
//! precise).

mod mean;
mod policy;
mod td;
mod value;

pub use mean::mean_over_alive;
pub use policy::{behaviour_cloning_loss, policy_loss};
pub use td::{td_loss, td_target};
pub use value::{local_advantage, value_loss};
