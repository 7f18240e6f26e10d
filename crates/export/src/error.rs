//! Why a checkpoint does not become a bundle, one variant per way.

use omiga_format::Shown;
use omiga_format::onnx::WeightEncoding;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a checkpoint is not exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor or a part of the checkpoint that is missing, left over, mis-shaped or not finite.
    #[error(transparent)]
    Format(#[from] omiga_format::Error),
    /// A checkpoint whose description contradicts itself.
    #[error("{file}: {field} is {found}, expected {expected}; it was not written by this trainer: train again")]
    Contradiction {
        /// Which file.
        file: String,
        /// What is wrong.
        field: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// An agent that the task does not have.
    #[error("agent {index} does not exist, expected less than {n_agents}; take an index of the task's agents")]
    NoSuchAgent {
        /// The index asked for.
        index: usize,
        /// Size of the team.
        n_agents: usize,
    },
    /// A policy whose graph this exporter does not write.
    #[error(
        "policy `{policy}`: {what} is {found}, expected {expected}; export it from its checkpoint again",
        policy = Shown::name(.policy)
    )]
    NotOurs {
        /// Which policy.
        policy: String,
        /// What is different.
        what: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A policy whose weights would be rounded to another policy.
    #[error(
        "agent `{agent}`: with {encoding} weights an answer is {found} from the trained policy's, expected at most {expected} \
         (of a command's range, or of the distance between logits); allow more (`--max-difference`), or keep more bits",
        agent = Shown::name(.agent)
    )]
    Difference {
        /// The agent's name.
        agent: String,
        /// How the weights would be stored.
        encoding: WeightEncoding,
        /// The largest difference allowed.
        expected: f32,
        /// The largest difference on the golden vectors.
        found: f32,
    },
    /// Two agents whose names differ only by what a name in C cannot have.
    #[error(
        "agent `{agent}`: its file in C, `{file}`, is another's too; give the agents names that differ in letters and digits"
    )]
    SameName {
        /// The agent's name.
        agent: String,
        /// The file's.
        file: String,
    },
    /// The exported policy does not load, or its answers to the golden vectors are not the trainer's.
    #[error("agent `{agent}`: the exported policy is not the trainer's: {source}")]
    Policy {
        /// The agent's name.
        agent: String,
        /// The runtime's reason.
        source: Box<omiga_runtime::Error>,
    },
}
