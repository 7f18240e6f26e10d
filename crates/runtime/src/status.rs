//! What a step decided and why, as plain values.

use core::fmt;

use crate::StepError;

bitflags::bitflags! {
    /// Everything that was noticed in a step. The low 16 bits are faults: no new action of the policy is used. The high
    /// 16 bits are reports: the step went on, unless [`crate::GuardOptions::fault_on`] makes a fault of one. The numbers
    /// are part of the interface and never change.
    #[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// Bit 0, fault: the observation has another width than the policy's.
        const OBS_WIDTH = 1;
        /// Bit 1, fault: NaN or infinity in the observation. It is never clamped.
        const OBS_NOT_FINITE = 1 << 1;
        /// Bit 2, fault: an observed value is outside of its field's range in the contract.
        const OBS_OUT_OF_RANGE = 1 << 2;
        /// Bit 3, fault: the observation is older than allowed.
        const OBS_STALE = 1 << 3;
        /// Bit 4, fault: the observation was measured after now, by more than allowed; two clocks, or a wrong one.
        const OBS_FROM_FUTURE = 1 << 4;
        /// Bit 5, fault: the buffer for the action has another width than the policy's. It is never written.
        const ACTION_WIDTH = 1 << 5;
        /// Bit 6, fault: the action mask has another width than the policy's (0 for a continuous one).
        const MASK_WIDTH = 1 << 6;
        /// Bit 7, fault: the mask allows nothing.
        const NO_ACTION_AVAILABLE = 1 << 7;
        /// Bit 8, fault: the policy gave NaN or infinity.
        const ACTION_NOT_FINITE = 1 << 8;
        /// Bit 9, fault: the policy gave a command outside of its bounds in the contract.
        const ACTION_OUT_OF_BOUNDS = 1 << 9;
        /// Bit 10, fault: a choice that does not exist or that the mask forbids: the policy's, or the one that would have
        /// been used in its place.
        const ACTION_NOT_AVAILABLE = 1 << 10;
        /// Bit 11, fault: commands were asked of a policy that chooses, or a choice of one that commands.
        const WRONG_KIND = 1 << 11;
        /// Bit 12, fault: the engine failed.
        const ENGINE = 1 << 12;
        /// Bit 13, fault: now is before the last now. It lasts until time has caught up or goes on from there, or a reset.
        const TIME_BACKWARDS = 1 << 13;
        /// Bit 14, fault: the time is the same in too many ticks in a row.
        const CLOCK_STALLED = 1 << 14;
        /// Bit 15, fault: one of the reports in these flags is a fault by the options, or [`Self::LATCHED`] is set.
        const DECLARED = 1 << 15;

        /// Bit 16, report: an observed value was outside of its range and was moved to the range's end.
        const OBS_CLAMPED = 1 << 16;
        /// Bit 17, report: the command is not all the way there, because it may not change faster.
        const RATE_LIMITED = 1 << 17;
        /// Bit 18, report: a tick between two periods of the policy.
        const INTERMEDIATE = 1 << 18;
        /// Bit 19, report: the tick came later than the limit allows.
        const LATE = 1 << 19;
        /// Bit 20, report: the time since the last period's tick differs from the period by more than the limit allows.
        const JITTER = 1 << 20;
        /// Bit 21, report: whole periods passed without a tick.
        const SKIPPED = 1 << 21;
        /// Bit 22, report: the policy was started anew, as there was no tick for long or the clock had been wrong.
        const GAP = 1 << 22;
        /// Bit 23, report: the time is that of the last tick.
        const TIME_STANDS_STILL = 1 << 23;
        /// Bit 24, report: the policy was asked off the grid, because the period's tick gave no action or the mask has
        /// taken its choice away.
        const ASKED_AGAIN = 1 << 24;
        /// Bit 25, report, a fault unless the options say otherwise: the observation is older than one before it.
        const OBS_OUT_OF_ORDER = 1 << 25;
        /// Bit 26, report, a fault unless the options say otherwise: now is more than the largest gap after the last
        /// now. Nobody knows whether time has passed or the clock is wrong; the next tick tells.
        const TIME_JUMPED = 1 << 26;
        /// Bit 27, report: a rate has a limit, but nobody has said where the actuators are, so the command is free.
        const RATE_UNKNOWN = 1 << 27;
        /// Bit 28, report, always with [`Self::DECLARED`]: nothing is wrong any more, but after a fault the options want
        /// more good samples, or somebody to call `resume`.
        const LATCHED = 1 << 28;
        /// Bit 29, report: the observation is unlike those that the policy has learned from, by the detector in the contract.
        const OBS_NOVEL = 1 << 29;
    }
}

impl Flags {
    /// All faults, those of later versions too.
    pub const FAULTS: Self = Self::from_bits_retain(0xffff);
    /// Faults of the clock, after which no time is known: nothing is held, and no rate slows the way to the safe action.
    pub(crate) const NO_CLOCK: Self = Self::TIME_BACKWARDS.union(Self::CLOCK_STALLED);

    /// Is any of them a fault?
    pub const fn is_fault(self) -> bool {
        self.intersects(Self::FAULTS)
    }
}

/// Why a policy alone gave no action, as the fault that a guard reports for it.
impl From<StepError> for Flags {
    fn from(error: StepError) -> Self {
        match error {
            StepError::ObsWidth { .. } => Self::OBS_WIDTH,
            StepError::ActionWidth { .. } => Self::ACTION_WIDTH,
            StepError::MaskWidth { .. } => Self::MASK_WIDTH,
            StepError::ObsNotFinite { .. } => Self::OBS_NOT_FINITE,
            StepError::ObsTooLarge { .. } => Self::OBS_OUT_OF_RANGE,
            StepError::NoActionAvailable => Self::NO_ACTION_AVAILABLE,
            StepError::ActionNotFinite { .. } => Self::ACTION_NOT_FINITE,
            StepError::ActionNotAvailable { .. } => Self::ACTION_NOT_AVAILABLE,
            StepError::WrongKind => Self::WRONG_KIND,
            StepError::ForeignState | StepError::Engine | StepError::MemoryChanged => Self::ENGINE,
            StepError::NoMemoryCheck => Self::WRONG_KIND,
        }
    }
}

/// Where the action in the caller's buffer comes from.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    /// Nowhere: the buffer is as it was before the call.
    #[default]
    None = 0,
    /// The policy, in this step or in its last period.
    Policy = 1,
    /// An earlier action of the policy, in place of a new one that there is not.
    Held = 2,
    /// The safe action of the options.
    Safe = 3,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no action",
            Self::Policy => "policy",
            Self::Held => "held",
            Self::Safe => "safe",
        })
    }
}

/// What a step decided and why. [`fmt::Display`] is one line for people and needs no memory.
#[must_use = "without it a missing action goes unnoticed"]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Everything that was noticed.
    pub flags: Flags,
    /// Where the action comes from.
    pub source: Source,
    /// The first field (of the observation, the action or the mask) that the lowest of the flags with a field speaks of;
    /// `u32::MAX` if there is none.
    pub index: u32,
    /// How many observed fields are not finite, out of their range or clamped; 65,535 also for more.
    pub bad_fields: u16,
    /// Age of this step's observation; 0 if it is from the future, or the time is wrong.
    pub obs_age_ns: u64,
    /// How long ago the policy made the action that is repeated: held, or between two periods; else 0.
    pub held_ns: u64,
    /// How long after its due time a period's tick came; 0 without a controller.
    pub lateness_ns: u64,
}

impl Default for Status {
    fn default() -> Self {
        let (flags, source) = (Flags::empty(), Source::None);
        Self { flags, source, index: u32::MAX, bad_fields: 0, obs_age_ns: 0, held_ns: 0, lateness_ns: 0 }
    }
}

/// Why a policy alone gave no action, as a status.
impl From<StepError> for Status {
    fn from(error: StepError) -> Self {
        let mut status = Self::default();
        status.refuse(error);
        status
    }
}

impl Status {
    /// Nothing was wrong; there may be reports.
    pub const fn is_ok(&self) -> bool {
        !self.flags.is_fault()
    }

    /// There is an action in the buffer, though perhaps not a new one of the policy.
    pub const fn has_action(&self) -> bool {
        !matches!(self.source, Source::None)
    }

    /// Set a flag that speaks of field `index`. The lowest flag's first field stays.
    pub(crate) fn note(&mut self, flag: Flags, index: usize) {
        let lowest = self.flags.intersection(Self::WITH_FIELD).bits();
        let before = lowest & lowest.wrapping_neg();
        if before == 0 || flag.bits() < before {
            self.index = u32::try_from(index).unwrap_or(u32::MAX);
        }
        self.flags |= flag;
    }

    /// Add what the policy alone says.
    pub(crate) fn refuse(&mut self, error: StepError) {
        match error {
            StepError::ObsNotFinite { index }
            | StepError::ObsTooLarge { index }
            | StepError::ActionNotFinite { index } => self.note(error.into(), index),
            StepError::ActionNotAvailable { index } => {
                self.note(error.into(), usize::try_from(index).unwrap_or(usize::MAX));
            }
            _ => self.flags |= error.into(),
        }
    }

    /// Flags that speak of a field.
    pub(crate) const WITH_FIELD: Flags = Flags::OBS_NOT_FINITE
        .union(Flags::OBS_OUT_OF_RANGE)
        .union(Flags::ACTION_NOT_FINITE)
        .union(Flags::ACTION_OUT_OF_BOUNDS)
        .union(Flags::ACTION_NOT_AVAILABLE)
        .union(Flags::OBS_CLAMPED)
        .union(Flags::RATE_LIMITED)
        .union(Flags::OBS_NOVEL);
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        let mut before = ": ";
        for (name, _) in self.flags.iter_names() {
            write!(f, "{before}{name}")?;
            before = " | ";
        }
        if self.index != u32::MAX {
            write!(f, ", field {}", self.index)?;
        }
        if self.bad_fields > 1 {
            write!(f, ", {} bad fields", self.bad_fields)?;
        }
        for (what, ns) in
            [("observation is", self.obs_age_ns), ("action is", self.held_ns), ("tick is late by", self.lateness_ns)]
        {
            let old = if what.ends_with("is") { " old" } else { "" };
            if ns > 0 {
                write!(f, ", {what} {} us{old}", ns / 1000)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: Status, text: &str) {
        assert_eq!(status.to_string(), text);
    }

    #[test]
    fn a_status_is_one_line() {
        check(Status::default(), "no action");
        check(
            Status { source: Source::Policy, obs_age_ns: 1_500_999, ..Status::default() },
            "policy, observation is 1500 us old",
        );
        let mut status = Status { source: Source::Held, held_ns: 20_000_000, lateness_ns: 7_000, ..Status::default() };
        status.note(Flags::OBS_NOT_FINITE, 3);
        status.flags |= Flags::LATE;
        check(status, "held: OBS_NOT_FINITE | LATE, field 3, action is 20000 us old, tick is late by 7 us");
        check(StepError::WrongKind.into(), "no action: WRONG_KIND");
        check(Status { bad_fields: 3, index: 1, ..Status::default() }, "no action, field 1, 3 bad fields");
    }

    #[test]
    fn the_index_is_the_first_field_of_the_lowest_flag() {
        let mut status = Status::default();
        for (flag, index, expected) in [
            (Flags::RATE_LIMITED, 9, 9),
            (Flags::OBS_CLAMPED, 8, 8),
            (Flags::OBS_CLAMPED, 10, 8),
            (Flags::OBS_OUT_OF_RANGE, 7, 7),
            (Flags::ACTION_NOT_FINITE, 1, 7),
            (Flags::OBS_NOT_FINITE, 6, 6),
            (Flags::OBS_NOT_FINITE, 2, 6),
        ] {
            status.note(flag, index);
            assert_eq!(status.index, expected, "{status}");
        }
        let of = |error: StepError| (Status::from(error).flags, Status::from(error).index);
        assert_eq!(of(StepError::ActionNotFinite { index: 4 }), (Flags::ACTION_NOT_FINITE, 4));
        assert_eq!(of(StepError::ActionNotAvailable { index: -1 }), (Flags::ACTION_NOT_AVAILABLE, u32::MAX));
        assert_eq!(of(StepError::ForeignState), (Flags::ENGINE, u32::MAX));
    }

    /// Programs in other languages know the numbers.
    #[test]
    fn numbers_stay() {
        let bits: Vec<u32> = Flags::all().iter().map(|flag| flag.bits().trailing_zeros()).collect();
        assert_eq!(bits, (0..30).collect::<Vec<_>>());
        assert!(Flags::all().iter().all(|flag| flag.is_fault() == (flag.bits() < 1 << 16)));
        assert_eq!(Flags::ACTION_WIDTH.bits(), 32);
        assert_eq!(Flags::TIME_STANDS_STILL.bits(), 1 << 23);
        assert_eq!(Flags::LATCHED.bits(), 1 << 28);
        assert_eq!(Flags::OBS_NOVEL.bits(), 1 << 29);
        assert_eq!([Source::None, Source::Policy, Source::Held, Source::Safe].map(|s| s as u8), [0, 1, 2, 3]);
    }
}
