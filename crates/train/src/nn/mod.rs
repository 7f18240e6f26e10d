//! Networks: typed handles (actor, critic, value, mixer) on stacks of layers, and the engines that run them.

mod actor;
mod critic;
mod device;
pub(crate) mod host;
mod joint_critic;
mod mixer;
mod networks;
mod stack;
mod value;

pub use actor::{Actor, Done, Policy};
pub use critic::Critic;
pub use joint_critic::JointCritic;
pub use mixer::{Mixer, Mixing};
pub use networks::{By, NetworkId, Networks};
pub use stack::{Dense, Layer, Stack};
pub use value::Value;
