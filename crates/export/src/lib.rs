//! A trained checkpoint becomes a bundle of ONNX policies, one an agent, each proven on the checkpoint's own vectors.
//!
//! In: an [`omiga_format::Checkpoint`] and its hash. Out: an [`omiga_format::Bundle`] with `<agent>.onnx` for every
//! agent, `golden.safetensors` and a model card; or an [`Error`] that names the tensor, or the agent and the case.
//! Everything between the raw local observation and the physical action is inside the graph: the observation
//! transform, the agent's id (folded into the first bias), squashing and bounds. [`bundle`] is the whole way, [`bundle_with`]
//! the one for runtimes and compilers that do not take the usual graph;
//! [`ActorWeights`] (what is taken from the checkpoint) and [`policy_model`] (one agent's graph) are its parts.
//! From a bundle, [`made_again`] goes on to today's graphs, [`with_weights`] to fewer bits, and [`c_sources`] to plain C99.
//!
//! ```no_run
//! use std::path::Path;
//! use omiga_format::{Checkpoint, hash};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let path = Path::new("runs/spread/last.safetensors");
//! let bundle = omiga_export::bundle(Checkpoint::read(path)?, &hash::of_file(path)?)?;
//! bundle.write(Path::new("bundles/spread"))?;
//! # Ok(())
//! # }
//! ```
//!
//! Deliberately absent: training, tensor libraries, GPUs, clocks. The same checkpoint gives the same
//! bytes on one kind of processor: the model card tells how far the self-test was off on this one.

mod again;
mod bundle;
mod c;
mod card;
mod error;
mod golden;
mod graph;
mod network;
mod policy;
mod proof;
mod rounding;
mod weights;

#[cfg(test)]
mod forms;
#[cfg(test)]
mod official;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use again::made_again;
pub use bundle::{bundle, bundle_with};
pub use c::c_sources;
pub use error::{Error, Result};
pub use policy::{GraphOptions, policy_model};
pub use rounding::with_weights;
pub use weights::{ActorWeights, Layer};
