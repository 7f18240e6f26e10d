//! Networks: plain structs of tensors, their parameters named and ordered.

mod actor;
mod critic;
mod linear;
mod mixer;
mod parameters;
mod trunk;
mod value;

pub use actor::{Actor, Policy};
pub use critic::Critic;
pub use mixer::{Mixer, Mixing};
pub(crate) use parameters::take;
pub use parameters::{Mode, Parameters, to_host};
pub use value::Value;
