//! When a controller acts.

use serde::{Deserialize, Serialize};

use crate::GuardOptions;

/// What a tick between two periods of the policy commands.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intermediate {
    /// The last period's action again, if the new observation has no fault. A mask that forbids the choice makes the
    /// policy choose anew.
    #[default]
    Hold,
    /// What the policy makes of the new observation; the policy's memory stays as it was at the last period.
    Evaluate,
}

/// When a fault of the observation between two periods of the policy counts.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultBetween {
    /// In the tick that sees it: the fallback follows.
    #[default]
    AtOnce,
    /// At the next period, if it is still there: until then the flags say it and the last action is held,
    /// [`crate::Source::Held`], whatever the fallback. For sensors that are slower than the limit on their age, as long
    /// as they are in time for the policy.
    AtPeriod,
}

/// When a controller acts, and what is unusual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControllerOptions {
    /// What is let pass.
    pub guard: GuardOptions,
    /// Time between two decisions of the policy; else the contract's. Other than that only if the policy is known to
    /// work so.
    pub period_ns: Option<u64>,
    /// What a tick between two periods commands.
    pub intermediate: Intermediate,
    /// When a fault between two periods counts.
    pub fault_between: FaultBetween,
    /// Report ticks that are due for longer: [`crate::Flags::LATE`].
    pub max_lateness_ns: Option<u64>,
    /// Report intervals that differ from the period by more: [`crate::Flags::JITTER`].
    pub max_jitter_ns: Option<u64>,
    /// Longest time between two ticks; after a longer one the clock may be wrong, [`crate::Flags::TIME_JUMPED`]. Else 10
    /// periods. At least one.
    pub max_gap_ns: Option<u64>,
    /// So many ticks in a row may have the time of the one before; more are [`crate::Flags::CLOCK_STALLED`].
    pub max_stalled_ticks: u32,
}

impl Default for ControllerOptions {
    fn default() -> Self {
        Self {
            guard: GuardOptions::default(),
            period_ns: None,
            intermediate: Intermediate::Hold,
            fault_between: FaultBetween::AtOnce,
            max_lateness_ns: None,
            max_jitter_ns: None,
            max_gap_ns: None,
            max_stalled_ticks: 16,
        }
    }
}

impl ControllerOptions {
    /// Let this pass.
    #[must_use]
    pub fn with_guard(self, guard: GuardOptions) -> Self {
        Self { guard, ..self }
    }

    /// Decide this often.
    #[must_use]
    pub fn with_period_ns(self, period_ns: u64) -> Self {
        Self { period_ns: Some(period_ns), ..self }
    }

    /// Do this in ticks between two periods.
    #[must_use]
    pub fn with_intermediate(self, intermediate: Intermediate) -> Self {
        Self { intermediate, ..self }
    }

    /// Let a fault between two periods count then.
    #[must_use]
    pub fn with_fault_between(self, fault_between: FaultBetween) -> Self {
        Self { fault_between, ..self }
    }

    /// Report ticks that are later than this.
    #[must_use]
    pub fn with_max_lateness_ns(self, lateness_ns: u64) -> Self {
        Self { max_lateness_ns: Some(lateness_ns), ..self }
    }

    /// Report intervals that differ from the period by more than this.
    #[must_use]
    pub fn with_max_jitter_ns(self, jitter_ns: u64) -> Self {
        Self { max_jitter_ns: Some(jitter_ns), ..self }
    }

    /// Suspect the clock if there was no tick for longer than this.
    #[must_use]
    pub fn with_max_gap_ns(self, gap_ns: u64) -> Self {
        Self { max_gap_ns: Some(gap_ns), ..self }
    }

    /// Let the time stand still for so many ticks.
    #[must_use]
    pub fn with_max_stalled_ticks(self, ticks: u32) -> Self {
        Self { max_stalled_ticks: ticks, ..self }
    }
}
