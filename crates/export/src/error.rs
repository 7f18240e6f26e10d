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
    /// A golden tensor with an element that cannot be.
    #[error("{file}: tensor `{tensor}` is {found} at element {index}, expected {expected}; train again")]
    GoldenElement {
        /// Which file.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// Which element, row-major.
        index: usize,
        /// What was expected.
        expected: String,
        /// What was found.
        found: i64,
    },
    /// A golden case in which nothing can be chosen.
    #[error(
        "{file}: tensor `{tensor}` has no available action in row {row}, expected at least one; write golden vectors for \
         states in which every agent can act"
    )]
    NothingAvailable {
        /// Which file.
        file: String,
        /// The mask's name.
        tensor: String,
        /// The row.
        row: usize,
    },
    /// The exported graph does not load in the runtime.
    #[error("agent `{agent}`: the exported policy does not load: {source}")]
    Load {
        /// The agent's name.
        agent: String,
        /// The runtime's reason.
        source: Box<omiga_runtime::Error>,
    },
    /// The exported graph does not answer a golden case.
    #[error("agent `{agent}`, golden case {case}: the exported policy gives no action: {source}")]
    Step {
        /// The agent's name.
        agent: String,
        /// The case's row.
        case: usize,
        /// The runtime's reason.
        source: omiga_runtime::StepError,
    },
    /// The exported graph answers a golden case differently from the trainer.
    #[error(
        "agent `{agent}`, golden case {case}: {output} is {found}, expected {expected} within {tolerance:e}; \
         the checkpoint's weights and golden vectors do not belong together: train again"
    )]
    Parity {
        /// The agent's name.
        agent: String,
        /// The case's row.
        case: usize,
        /// Which number, e.g. `action 1`.
        output: String,
        /// The trainer's value.
        expected: f32,
        /// The exported policy's value.
        found: f32,
        /// The largest difference that would have passed.
        tolerance: f32,
    },
}
