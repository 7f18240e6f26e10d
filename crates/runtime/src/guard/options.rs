//! What a guard lets pass, and what is commanded when it does not.

/// What to do with an observed value outside of its field's range in the contract.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum OutOfRange {
    /// Refuse the observation: [`crate::Flags::OBS_OUT_OF_RANGE`].
    #[default]
    Refuse,
    /// Give the policy the nearest value of the range and say so: [`crate::Flags::OBS_CLAMPED`]. NaN and infinities are
    /// refused all the same.
    ClampAndReport,
}

/// What is commanded when the policy may not command. It belongs to the machine, so nobody but its engineer can know it.
#[derive(Clone, Debug, PartialEq)]
pub enum SafeAction {
    /// `[A]` commands in the contract's units, inside its bounds.
    Commands(Vec<f32>),
    /// The index of a choice.
    Choice(u32),
}

/// What to do when there is no action of the policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Fallback {
    /// Leave the caller's buffer as it was, [`crate::Source::None`]: an action is never made up.
    #[default]
    Error,
    /// Command this, [`crate::Source::Safe`].
    Safe(SafeAction),
    /// Repeat the last action of the policy, [`crate::Source::Held`], for this long after the step that made it; then, or
    /// if there is none, command the safe one.
    HoldThenSafe {
        /// Nanoseconds, above 0.
        hold_ns: u64,
        /// What follows.
        safe: SafeAction,
    },
}

impl Fallback {
    /// The safe action, if there is one.
    pub(crate) fn safe(&self) -> Option<&SafeAction> {
        match self {
            Self::Error => None,
            Self::Safe(safe) | Self::HoldThenSafe { safe, .. } => Some(safe),
        }
    }
}

/// What a guard lets pass. The default refuses whatever the contract does not promise, and never makes up an action.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GuardOptions {
    /// For all observed fields that have a range.
    pub out_of_range: OutOfRange,
    /// For the fields of these names instead; each must have a range in the contract.
    pub out_of_range_of: Vec<(String, OutOfRange)>,
    /// Refuse older observations; else the contract's limit, else none.
    pub max_obs_age_ns: Option<u64>,
    /// How fast the commands of these names may change, in their units per second. Above 0.
    pub max_rate: Vec<(String, f32)>,
    /// What to do when there is no action of the policy.
    pub fallback: Fallback,
}

impl GuardOptions {
    /// Do this with values out of their range.
    #[must_use]
    pub fn with_out_of_range(self, out_of_range: OutOfRange) -> Self {
        Self { out_of_range, ..self }
    }

    /// Do this with values of one field out of their range.
    #[must_use]
    pub fn with_out_of_range_of(mut self, field: impl Into<String>, out_of_range: OutOfRange) -> Self {
        self.out_of_range_of.push((field.into(), out_of_range));
        self
    }

    /// Refuse observations older than this.
    #[must_use]
    pub fn with_max_obs_age_ns(self, age_ns: u64) -> Self {
        Self { max_obs_age_ns: Some(age_ns), ..self }
    }

    /// Let one command change by at most this, in its unit per second.
    #[must_use]
    pub fn with_max_rate(mut self, field: impl Into<String>, per_second: f32) -> Self {
        self.max_rate.push((field.into(), per_second));
        self
    }

    /// Do this when there is no action of the policy.
    #[must_use]
    pub fn with_fallback(self, fallback: Fallback) -> Self {
        Self { fallback, ..self }
    }
}
