//! Why a step gives no action, one variant per way.

/// Why a step gave no action. The output buffer is as it was before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// An observation of another width.
    #[error("observation has {found} values, expected {expected}")]
    ObsWidth {
        /// What the policy takes.
        expected: usize,
        /// What it was given.
        found: usize,
    },
    /// A buffer for the action of another width.
    #[error("action buffer has {found} values, expected {expected}")]
    ActionWidth {
        /// What the policy fills.
        expected: usize,
        /// What it was given.
        found: usize,
    },
    /// An action mask of another width.
    #[error("action mask has {found} values, expected {expected}")]
    MaskWidth {
        /// What the policy takes.
        expected: usize,
        /// What it was given.
        found: usize,
    },
    /// NaN or infinity in the observation.
    #[error("observation is not finite at {index}; check the sensor")]
    ObsNotFinite {
        /// First such value.
        index: usize,
    },
    /// A finite value in the observation that no sensor means, see [`crate::MAX_OBS`].
    #[error("observation is beyond 1e16 at {index}; check the sensor")]
    ObsTooLarge {
        /// First such value.
        index: usize,
    },
    /// A mask without a single available action.
    #[error("no action is available, expected at least one in the mask")]
    NoActionAvailable,
    /// NaN or infinity in the action or among the available actions' logits.
    #[error("action is not finite at {index}; do not use this policy here")]
    ActionNotFinite {
        /// First such value.
        index: usize,
    },
    /// The policy chose an action that does not exist or that the mask forbids.
    #[error("the policy chose action {index}, expected an available one; do not use this policy here")]
    ActionNotAvailable {
        /// What it chose; -1 if its logits cannot be ordered.
        index: i64,
    },
    /// The policy's memory is not what was loaded: a bit has flipped, or something wrote over it.
    #[error("the policy's memory is not what was loaded; do not act on it, load it anew")]
    MemoryChanged,
    /// Only the native engine's memory can be checked.
    #[error("the memory of this engine cannot be checked; use the native one")]
    NoMemoryCheck,
    /// `step` on a discrete policy, or `choose` on a continuous one.
    #[error("the policy's actions are of the other kind; call `choose` for discrete and `step` for continuous ones")]
    WrongKind,
    /// A state that another policy made.
    #[error("the state is another policy's; make one with this policy's `state()`")]
    ForeignState,
    /// The engine failed.
    #[error("the engine failed; load the policy again")]
    Engine,
}
