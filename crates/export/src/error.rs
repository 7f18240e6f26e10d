//! Why a checkpoint does not become a bundle, one variant per way.

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
    /// The exported policy does not load, or its answers to the golden vectors are not the trainer's.
    #[error("agent `{agent}`: the exported policy is not the trainer's: {source}")]
    Policy {
        /// The agent's name.
        agent: String,
        /// The runtime's reason.
        source: Box<omiga_runtime::Error>,
    },
}
