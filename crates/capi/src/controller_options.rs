//! A controller's options, from a plain struct to the runtime's.

use std::mem::offset_of;

use omiga_runtime::{
    ActionSpace, ControllerOptions, Fallback, FaultBetween, Flags, GuardOptions, Intermediate, OutOfRange, Policy,
    PolicyContract, SafeAction,
};

use crate::code::omiga_code;
use crate::error::{Error, report_call};
use crate::pointer;
use crate::sized::{self, Grows, Options};

/// Without an action of the policy there is none: the buffer is as it was.
pub const OMIGA_FALLBACK_ERROR: u32 = 0;
/// Without an action of the policy the safe action is commanded at once.
pub const OMIGA_FALLBACK_SAFE: u32 = 1;
/// The policy's last action is held for `hold_ns`, then the safe one is commanded.
pub const OMIGA_FALLBACK_HOLD_THEN_SAFE: u32 = 2;

/// A value outside of its field's range is a fault.
pub const OMIGA_OUT_OF_RANGE_REFUSE: u8 = 0;
/// A value outside of its field's range is moved to the range's end and reported. (NaN and infinity never are.)
pub const OMIGA_OUT_OF_RANGE_CLAMP: u8 = 1;

/// A tick between two periods repeats the last decision.
pub const OMIGA_INTERMEDIATE_HOLD: u32 = 0;
/// A tick between two periods decides on its fresh observation.
pub const OMIGA_INTERMEDIATE_EVALUATE: u32 = 1;

/// A fault of the observation between two periods counts at once.
pub const OMIGA_FAULT_AT_ONCE: u32 = 0;
/// A fault of the observation between two periods counts at the next one; until then the last action is held.
pub const OMIGA_FAULT_AT_PERIOD: u32 = 1;

/// No safe choice.
pub const OMIGA_NO_CHOICE: u32 = 0xffff_ffff;

/// When a controller acts, what it lets pass, and what it commands when it does not. Fill it with
/// `omiga_controller_options_default`, then change what you need. The arrays are read by `omiga_controller_new` alone.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omiga_controller_options {
    /// Bytes of this struct as the program was compiled with it.
    pub struct_size: u32,
    /// An `OMIGA_FALLBACK_...`: what to do when there is no action of the policy. `OMIGA_FALLBACK_ERROR`.
    pub fallback: u32,
    /// An `OMIGA_OUT_OF_RANGE_...` for every observation. `OMIGA_OUT_OF_RANGE_REFUSE`.
    pub out_of_range: u32,
    /// An `OMIGA_INTERMEDIATE_...`. `OMIGA_INTERMEDIATE_HOLD`.
    pub intermediate: u32,
    /// Ticks in a row with the same time before that is a fault. 16.
    pub max_stalled_ticks: u32,
    /// The safe choice of a discrete policy; needed if the fallback uses it. `OMIGA_NO_CHOICE`.
    pub safe_choice: u32,
    /// How long after the next one was due an action is held, in nanoseconds. For `OMIGA_FALLBACK_HOLD_THEN_SAFE`, else 0.
    pub hold_ns: u64,
    /// Time between two actions of the policy, in nanoseconds; 0: the contract's.
    pub period_ns: u64,
    /// Oldest observation that is acted on, in nanoseconds; 0: the contract's, if it has one.
    pub max_obs_age_ns: u64,
    /// A later tick is reported, in nanoseconds; 0: none is.
    pub max_lateness_ns: u64,
    /// Intervals that differ more from the period are reported, in nanoseconds; 0: none is.
    pub max_jitter_ns: u64,
    /// After a longer pause the clock may be wrong, in nanoseconds; 0: 10 periods.
    pub max_gap_ns: u64,
    /// `[A]`, the safe commands of a continuous policy; needed if the fallback uses them, else NULL.
    pub safe_action: *const f32,
    /// A, or 0.
    pub safe_action_len: u64,
    /// `[A]`, largest change of each command in its unit per second, NaN for no limit; NULL: no limits.
    pub max_rate: *const f32,
    /// A, or 0.
    pub max_rate_len: u64,
    /// `[O]`, an `OMIGA_OUT_OF_RANGE_...` for each observation, `OMIGA_OUT_OF_RANGE_REFUSE` for those without a range;
    /// NULL: `out_of_range` for all.
    pub out_of_range_of: *const u8,
    /// O, or 0.
    pub out_of_range_of_len: u64,
    /// How much after now an observation may be stamped, in nanoseconds. 1,000,000.
    pub max_future_ns: u64,
    /// No more time than this counts as passed between two commands for their rates, in nanoseconds; 0: the period.
    pub max_step_ns: u64,
    /// `OMIGA_FLAG_...`s of reports that are faults. `OMIGA_FLAG_OBS_OUT_OF_ORDER | OMIGA_FLAG_TIME_JUMPED`.
    pub fault_on: u32,
    /// An `OMIGA_FAULT_...`: when a fault between two periods counts. `OMIGA_FAULT_AT_ONCE`.
    pub fault_between: u32,
    /// Not 0: after a fault nothing but the safe action (or none) is commanded until somebody says that the policy may
    /// act again. 0.
    pub latch: u32,
    /// After a fault the policy acts again with this good observation in a row. 1.
    pub resume_after: u32,
    /// `[A]`, largest change of each command in its unit per second on the way to the safe action, NaN for no limit;
    /// NULL: it is commanded at once.
    pub safe_rate: *const f32,
    /// A, or 0.
    pub safe_rate_len: u64,
    /// `OMIGA_FLAG_OBS_NOVEL` is reported when so many ... 1.
    pub novel_k: u32,
    /// ... of the last so many observations were unusual; at most 64. 1.
    pub novel_n: u32,
}

// SAFETY: see the struct.
unsafe impl Grows for omiga_controller_options {
    const FIRST_SIZE: usize = offset_of!(Self, out_of_range_of_len) + size_of::<u64>();
}

// SAFETY: see the struct.
unsafe impl Options for omiga_controller_options {
    fn fresh() -> Self {
        let (options, guard) = (ControllerOptions::default(), GuardOptions::default());
        Self {
            struct_size: size_of::<Self>() as u32,
            fallback: OMIGA_FALLBACK_ERROR,
            out_of_range: OMIGA_OUT_OF_RANGE_REFUSE.into(),
            intermediate: OMIGA_INTERMEDIATE_HOLD,
            max_stalled_ticks: options.max_stalled_ticks,
            safe_choice: OMIGA_NO_CHOICE,
            hold_ns: 0,
            period_ns: 0,
            max_obs_age_ns: 0,
            max_lateness_ns: 0,
            max_jitter_ns: 0,
            max_gap_ns: 0,
            safe_action: std::ptr::null(),
            safe_action_len: 0,
            max_rate: std::ptr::null(),
            max_rate_len: 0,
            out_of_range_of: std::ptr::null(),
            out_of_range_of_len: 0,
            max_future_ns: guard.max_future_ns,
            max_step_ns: 0,
            fault_on: guard.fault_on.bits(),
            fault_between: OMIGA_FAULT_AT_ONCE,
            latch: guard.latch.into(),
            resume_after: guard.resume_after,
            safe_rate: std::ptr::null(),
            safe_rate_len: 0,
            novel_k: guard.novelty_debounce.0,
            novel_n: guard.novelty_debounce.1,
        }
    }
}

/// Fill `options` with the defaults: the contract's times, everything else refused, and no fallback: without an action
/// of the policy there is none.
///
/// `struct_size` is `sizeof *options`.
///
/// Not real-time. Any thread.
///
/// # Safety
/// `options` is NULL (refused) or points to `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_controller_options_default(
    options: *mut omiga_controller_options,
    struct_size: u32,
) -> omiga_code {
    // SAFETY: the caller's promise.
    report_call(|| Ok(unsafe { sized::fill(options, struct_size as usize) }?))
}

impl omiga_controller_options {
    /// The runtime's options for `policy`.
    ///
    /// # Safety
    /// The arrays are as long as said.
    pub(crate) unsafe fn runtimes(&self, policy: &Policy) -> Result<ControllerOptions, Error> {
        let given = |ns: u64| Some(ns).filter(|ns| *ns > 0);
        // SAFETY: the caller's promise.
        let (fallback, guard) = unsafe { (self.fallback(policy)?, self.guard(policy)?) };
        Ok(ControllerOptions {
            guard: GuardOptions { fallback, ..guard },
            period_ns: given(self.period_ns),
            intermediate: match self.intermediate {
                OMIGA_INTERMEDIATE_HOLD => Intermediate::Hold,
                OMIGA_INTERMEDIATE_EVALUATE => Intermediate::Evaluate,
                other => return Err(Error::argument("intermediate", "an OMIGA_INTERMEDIATE_...", other)),
            },
            fault_between: match self.fault_between {
                OMIGA_FAULT_AT_ONCE => FaultBetween::AtOnce,
                OMIGA_FAULT_AT_PERIOD => FaultBetween::AtPeriod,
                other => return Err(Error::argument("fault_between", "an OMIGA_FAULT_...", other)),
            },
            max_lateness_ns: given(self.max_lateness_ns),
            max_jitter_ns: given(self.max_jitter_ns),
            max_gap_ns: given(self.max_gap_ns),
            max_stalled_ticks: self.max_stalled_ticks,
        })
    }

    /// What is given must be used, and what is used must be given.
    ///
    /// # Safety
    /// As [`Self::runtimes`].
    unsafe fn fallback(&self, policy: &Policy) -> Result<Fallback, Error> {
        let holds = self.fallback == OMIGA_FALLBACK_HOLD_THEN_SAFE;
        if !holds && self.hold_ns != 0 {
            return Err(Error::argument("hold_ns", "0 with this fallback", self.hold_ns));
        }
        // SAFETY: the caller's promise.
        let safe = unsafe { self.safe_action(policy) }?;
        match (self.fallback, safe) {
            (OMIGA_FALLBACK_ERROR, None) => Ok(Fallback::Error),
            (OMIGA_FALLBACK_ERROR, Some(_)) => {
                Err(Error::argument("fallback", "one that uses the safe action given", "OMIGA_FALLBACK_ERROR"))
            }
            (OMIGA_FALLBACK_SAFE, Some(safe)) => Ok(Fallback::Safe(safe)),
            (OMIGA_FALLBACK_HOLD_THEN_SAFE, Some(safe)) => Ok(Fallback::HoldThenSafe { hold_ns: self.hold_ns, safe }),
            (OMIGA_FALLBACK_SAFE | OMIGA_FALLBACK_HOLD_THEN_SAFE, None) => {
                let name = if policy.is_discrete() { "safe_choice" } else { "safe_action" };
                Err(Error::argument(name, "the safe action that the fallback commands", "not given"))
            }
            (other, _) => Err(Error::argument("fallback", "an OMIGA_FALLBACK_...", other)),
        }
    }

    /// # Safety
    /// As [`Self::runtimes`].
    unsafe fn safe_action(&self, policy: &Policy) -> Result<Option<SafeAction>, Error> {
        // SAFETY: the caller's promise.
        let commands = unsafe { array("safe_action", self.safe_action, self.safe_action_len, policy.action_dim()) }?;
        let choice = Some(self.safe_choice).filter(|choice| *choice != OMIGA_NO_CHOICE);
        match (policy.is_discrete(), commands, choice) {
            (true, Some(_), _) => Err(Error::argument("safe_action", "NULL for a discrete policy", "an array")),
            (false, _, Some(found)) => {
                Err(Error::argument("safe_choice", "OMIGA_NO_CHOICE for a continuous policy", found))
            }
            (true, None, choice) => Ok(choice.map(SafeAction::Choice)),
            (false, commands, None) => Ok(commands.map(|c| SafeAction::Commands(c.to_vec()))),
        }
    }

    /// Limits by index, as limits by name. Without a contract there are no names, and the runtime refuses the policy.
    ///
    /// # Safety
    /// As [`Self::runtimes`].
    unsafe fn guard(&self, policy: &Policy) -> Result<GuardOptions, Error> {
        // SAFETY: the caller's promise.
        let (max, safe, modes) = unsafe {
            (
                array("max_rate", self.max_rate, self.max_rate_len, policy.action_dim())?,
                array("safe_rate", self.safe_rate, self.safe_rate_len, policy.action_dim())?,
                array("out_of_range_of", self.out_of_range_of, self.out_of_range_of_len, policy.obs_dim())?,
            )
        };
        let given = |ns: u64| Some(ns).filter(|ns| *ns > 0);
        let mut options = GuardOptions {
            out_of_range: mode("out_of_range", self.out_of_range)?,
            max_obs_age_ns: given(self.max_obs_age_ns),
            max_future_ns: self.max_future_ns,
            max_step_ns: given(self.max_step_ns),
            fault_on: Flags::from_bits_retain(self.fault_on),
            latch: self.latch != 0,
            resume_after: self.resume_after,
            novelty_debounce: (self.novel_k, self.novel_n),
            ..GuardOptions::default()
        };
        let Some(PolicyContract { obs, action, .. }) = policy.contract() else { return Ok(options) };
        for (field, found) in obs.iter().zip(modes.unwrap_or_default()) {
            let mode = mode("out_of_range_of", u32::from(*found))?;
            // To refuse what is out of no range is to do nothing; to clamp to none is a mistake, which the runtime names.
            if field.range.is_some() || mode != OutOfRange::Refuse {
                options = options.with_out_of_range_of(&field.name, mode);
            }
        }
        options.max_rate = rates("max_rate", max, action)?;
        options.safe_rate = rates("safe_rate", safe, action)?;
        Ok(options)
    }
}

/// The limits that are there, by the commands' names.
fn rates(name: &'static str, found: Option<&[f32]>, action: &ActionSpace) -> Result<Vec<(String, f32)>, Error> {
    match (action, found) {
        (_, None) => Ok(Vec::new()),
        (ActionSpace::Discrete(_), Some(_)) => Err(Error::argument(name, "NULL for a discrete policy", "an array")),
        (ActionSpace::Continuous(fields), Some(rates)) => {
            let limited = fields.iter().zip(rates).filter(|(_, rate)| !rate.is_nan());
            Ok(limited.map(|(field, rate)| (field.name.clone(), *rate)).collect())
        }
    }
}

fn mode(name: &'static str, found: u32) -> Result<OutOfRange, Error> {
    match u8::try_from(found) {
        Ok(OMIGA_OUT_OF_RANGE_REFUSE) => Ok(OutOfRange::Refuse),
        Ok(OMIGA_OUT_OF_RANGE_CLAMP) => Ok(OutOfRange::ClampAndReport),
        _ => Err(Error::argument(name, "an OMIGA_OUT_OF_RANGE_...", found)),
    }
}

/// An optional array that has `expected` elements if it is given.
///
/// # Safety
/// As [`pointer::slice`].
unsafe fn array<'a, T>(
    name: &'static str,
    start: *const T,
    len: u64,
    expected: usize,
) -> Result<Option<&'a [T]>, Error> {
    if start.is_null() && len == 0 {
        return Ok(None);
    }
    if len != expected as u64 {
        return Err(Error::argument(name, format!("{expected} values"), format!("an array of {len}")));
    }
    // SAFETY: the caller's promise.
    Ok(Some(unsafe { pointer::slice(name, start, expected) }?))
}
