//! What a guard lets pass, and what is commanded when it does not.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::Flags;

/// What to do with an observed value outside of its field's range in the contract.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutOfRange {
    /// Refuse the observation: [`crate::Flags::OBS_OUT_OF_RANGE`].
    #[default]
    Refuse,
    /// Give the policy the nearest value of the range and say so: [`crate::Flags::OBS_CLAMPED`]. NaN and infinities are
    /// refused all the same.
    ClampAndReport,
}

/// What is commanded when the policy may not command. It belongs to the machine, so nobody but its engineer can know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SafeAction {
    /// `[A]` commands in the contract's units, inside its bounds.
    Commands(Vec<f32>),
    /// The index of a choice.
    Choice(u32),
}

/// What to do when there is no action of the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// Leave the caller's buffer as it was, [`crate::Source::None`]: an action is never made up.
    #[default]
    Error,
    /// Command this, [`crate::Source::Safe`].
    Safe(SafeAction),
    /// Repeat the last action of the policy, [`crate::Source::Held`], until this long after the next one was due; then,
    /// or if there is none, command the safe one. After `reset_to` what was told there is held, from the first step on.
    HoldThenSafe {
        /// Nanoseconds, above 0. The next action is due a period after the last one: a [`crate::Controller`]'s grid says
        /// when, a [`crate::Guard`] alone takes the contract's period, or none.
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardOptions {
    /// For all observed fields that have a range.
    pub out_of_range: OutOfRange,
    /// For the fields of these names instead; each must have a range in the contract.
    pub out_of_range_of: Vec<(String, OutOfRange)>,
    /// Refuse older observations; else the contract's limit, else none.
    pub max_obs_age_ns: Option<u64>,
    /// Let observations be stamped this much after now; their age is 0. By default a millisecond: for a sensor's thread
    /// that stamps after the loop has read its clock, and for clocks that are kept together.
    pub max_future_ns: u64,
    /// How fast the commands of these names may change, in their units per second. Above 0.
    pub max_rate: Vec<(String, f32)>,
    /// How fast the commands of these names may change on the way to the safe action. Above 0. By default it is commanded
    /// at once.
    pub safe_rate: Vec<(String, f32)>,
    /// No more time than this counts as passed between two commands, so that a limited command does not jump after a
    /// pause. Else the period; with limits one of them is needed.
    pub max_step_ns: Option<u64>,
    /// What to do when there is no action of the policy.
    pub fallback: Fallback,
    /// Reports that are faults: [`Flags::DECLARED`] is set beside them, and the fallback follows. By default
    /// [`Flags::OBS_OUT_OF_ORDER`] and [`Flags::TIME_JUMPED`].
    #[serde(with = "crate::recorder::flags")]
    pub fault_on: Flags,
    /// (k, n): report [`Flags::OBS_NOVEL`] when k of the last n observations were unusual, 1 <= k <= n <= 64. The same one in
    /// several steps (its stamp) counts once. By default (1, 1).
    #[serde(default = "each", skip_serializing_if = "is_each")]
    pub novelty_debounce: (u32, u32),
    /// Once the safe action or nothing was commanded for a fault, keep to it, [`Flags::LATCHED`], until
    /// [`crate::Guard::resume`] or a reset. By default the policy acts again by itself.
    pub latch: bool,
    /// Once the safe action or nothing was commanded for a fault, let the policy act again with this good observation in
    /// a row, [`Flags::LATCHED`] before. The same one in several steps (its stamp) counts once. By default, and with 0,
    /// the first.
    pub resume_after: u32,
}

impl Default for GuardOptions {
    fn default() -> Self {
        Self {
            out_of_range: OutOfRange::Refuse,
            out_of_range_of: Vec::new(),
            max_obs_age_ns: None,
            max_future_ns: 1_000_000,
            max_rate: Vec::new(),
            safe_rate: Vec::new(),
            max_step_ns: None,
            fallback: Fallback::Error,
            fault_on: Flags::OBS_OUT_OF_ORDER | Flags::TIME_JUMPED,
            novelty_debounce: each(),
            latch: false,
            resume_after: 1,
        }
    }
}

/// Every unusual observation is reported. Recordings of earlier versions say nothing of it.
fn each() -> (u32, u32) {
    (1, 1)
}

fn is_each(debounce: &(u32, u32)) -> bool {
    *debounce == each()
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

    /// Let observations be stamped this much after now.
    #[must_use]
    pub fn with_max_future_ns(self, future_ns: u64) -> Self {
        Self { max_future_ns: future_ns, ..self }
    }

    /// Let one command change by at most this, in its unit per second.
    #[must_use]
    pub fn with_max_rate(mut self, field: impl Into<String>, per_second: f32) -> Self {
        self.max_rate.push((field.into(), per_second));
        self
    }

    /// Let one command change by at most this on the way to the safe action, in its unit per second.
    #[must_use]
    pub fn with_safe_rate(mut self, field: impl Into<String>, per_second: f32) -> Self {
        self.safe_rate.push((field.into(), per_second));
        self
    }

    /// Let no more time than this count as passed between two commands.
    #[must_use]
    pub fn with_max_step_ns(self, step_ns: u64) -> Self {
        Self { max_step_ns: Some(step_ns), ..self }
    }

    /// Do this when there is no action of the policy.
    #[must_use]
    pub fn with_fallback(self, fallback: Fallback) -> Self {
        Self { fallback, ..self }
    }

    /// Make faults of these reports, too.
    #[must_use]
    pub fn with_fault_on(self, reports: Flags) -> Self {
        Self { fault_on: self.fault_on.union(reports), ..self }
    }

    /// Make no faults of these reports.
    #[must_use]
    pub fn without_fault_on(self, reports: Flags) -> Self {
        Self { fault_on: self.fault_on.difference(reports), ..self }
    }

    /// Report [`Flags::OBS_NOVEL`] when `k` of the last `n` observations were unusual.
    #[must_use]
    pub fn with_novelty_debounce(self, k: u32, n: u32) -> Self {
        Self { novelty_debounce: (k, n), ..self }
    }

    /// After a fault, wait for [`crate::Guard::resume`].
    #[must_use]
    pub fn with_latch(self, latch: bool) -> Self {
        Self { latch, ..self }
    }

    /// After a fault, let the policy act again with this good observation in a row.
    #[must_use]
    pub fn with_resume_after(self, observations: u32) -> Self {
        Self { resume_after: observations, ..self }
    }
}
