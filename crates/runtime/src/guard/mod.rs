//! A policy that is asked only what it was made for, and whose answers are checked.

mod clock;
mod commanded;
mod latch;
mod limits;
mod novelty;
mod options;
mod recorded;
mod step;

use alloc::vec::Vec;

use self::clock::Clock;
use self::commanded::Commanded;
use self::latch::Latch;
use self::limits::Limits;
use self::novelty::Watch;
use crate::recorder::{Call, Recorded, RecordedOptions, Recorder};
use crate::{Flags, Policy, PolicyState, Result, Status, StepError};

pub(crate) use self::clock::Time;
pub use self::options::{Fallback, GuardOptions, OutOfRange, SafeAction};
pub(crate) use self::step::{Output, Step, Work};

/// What was measured, when, and what may be chosen.
#[derive(Copy, Clone, Debug)]
pub struct Observation<'a> {
    /// `[O]`, in the contract's units.
    pub values: &'a [f32],
    /// When it was measured, on the clock of `now_ns`. Of several sensors, the earliest.
    pub stamp_ns: u64,
    /// `[A]`, true: available. Empty for a continuous policy.
    pub mask: &'a [bool],
}

/// A policy, the contract that it is held to, and what to do when it may not act.
///
/// A step checks in this order; the policy is asked only if there is no fault:
/// 1. the buffer for the action: [`Flags::WRONG_KIND`], [`Flags::ACTION_WIDTH`]. Such a call changes nothing at all;
/// 2. the time: see below;
/// 3. the widths: [`Flags::OBS_WIDTH`], [`Flags::MASK_WIDTH`], and [`Flags::NO_ACTION_AVAILABLE`];
/// 4. the stamp, if the time is right: [`Flags::OBS_FROM_FUTURE`], [`Flags::OBS_STALE`], [`Flags::OBS_OUT_OF_ORDER`];
/// 5. the values: [`Flags::OBS_NOT_FINITE`], [`Flags::OBS_OUT_OF_RANGE`] or [`Flags::OBS_CLAMPED`]; if they are finite and
///    the contract has a detector, as they were given: [`Flags::OBS_NOVEL`];
/// 6. the policy's action: [`Flags::ACTION_NOT_FINITE`], [`Flags::ACTION_NOT_AVAILABLE`], [`Flags::ENGINE`], and
///    [`Flags::ACTION_OUT_OF_BOUNDS`] without any tolerance: exported graphs keep the bounds exactly;
/// 7. the rates: [`Flags::RATE_LIMITED`], [`Flags::RATE_UNKNOWN`].
///
/// # Time
/// A time before the last one is [`Flags::TIME_BACKWARDS`]. It is believed when the next step goes on from it (later, and
/// by no more than the largest gap of a [`crate::Controller`]), or when the time is again what it was. That step is
/// flagged [`Flags::GAP`]: the policy's memory and the stamps so far are forgotten, and the policy is asked. So a wild
/// time costs a step, and a clock that was set does, too; neither needs a reset.
///
/// # Rate limits
/// A limited command moves from the last one commanded towards the one wanted, at most the rate times the time since
/// then, of which no more than [`GuardOptions::max_step_ns`] counts: it does not jump after a pause, nor after steps that
/// commanded nothing. Where it has come to is kept in f64, so that rounding a command to f32 does not slow it, however
/// short the time between two steps. Resets keep the place, and the first step after one has no time to move. Until
/// something was commanded nobody knows where the actuators are: the first command is free, [`Flags::RATE_UNKNOWN`], but
/// for [`Self::reset_to`], which says it. What is held is the last command, as far as it came. The safe action is not
/// limited but by [`GuardOptions::safe_rate`]: a limit made for smoothness must not be in the way. Coming back from it is.
///
/// # Fallback
/// If there is a fault, [`GuardOptions::fallback`] says what is commanded. With the default nothing is: the buffer is
/// as it was. After a fault of time ([`Flags::TIME_BACKWARDS`], [`Flags::TIME_JUMPED`], [`Flags::CLOCK_STALLED`]) nothing
/// is held until the policy has acted again, and after the first and the last no rate slows the safe action, since no
/// time is known. A guard alone cannot tell a clock that stands still from steps at the same time, nor one that jumps
/// ahead from a pause: nothing grows old then, and [`Fallback::HoldThenSafe`] holds on; a [`crate::Controller`] sees
/// it. A choice that the present mask forbids (or a mask of another width does not
/// allow) is neither held nor commanded as the safe one: the mask says what the machine can do now, so the result is
/// [`Source::None`](crate::Source::None) with [`Flags::ACTION_NOT_AVAILABLE`]; pick a safe choice that is always available.
///
/// After a fault the policy acts again with the next good observation, or as [`GuardOptions::resume_after`] and
/// [`GuardOptions::latch`] say.
///
/// # Real-time
/// As [`Policy`]: with the native engine a step allocates nothing, takes no lock, reads no clock, logs nothing and
/// cannot panic, faults included.
///
/// ```no_run
/// # use std::path::Path;
/// use omiga_runtime::{Fallback, Guard, GuardOptions, LoadOptions, Observation, Policy, SafeAction, Source};
///
/// let policy = Policy::load(Path::new("pumps.bundle"), &LoadOptions::default().with_agent("west"))?;
/// let stop = SafeAction::Commands(vec![0.0; policy.action_dim()]);
/// let options = GuardOptions::default()
///     .with_max_obs_age_ns(50_000_000)
///     .with_max_rate("flow", 2.0)
///     .with_fallback(Fallback::HoldThenSafe { hold_ns: 200_000_000, safe: stop });
/// let mut guard = Guard::new(policy, &options)?;
/// let (now_ns, stamp_ns) = (1_000_000, 900_000); // of one monotonic clock
/// let mut action = [0.0];
/// let obs = Observation { values: &[1.0, 0.5, 2.0], stamp_ns, mask: &[] };
/// let status = guard.step(now_ns, obs, &mut action);
/// if status.source != Source::Policy {
///     println!("{status}");
/// }
/// # Ok::<(), omiga_runtime::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Guard {
    policy: Policy,
    state: PolicyState,
    /// For steps that must not count.
    aside: PolicyState,
    limits: Limits,
    clock: Clock,
    latch: Latch,
    /// The newest so far.
    last_stamp_ns: Option<u64>,
    /// If the contract has a detector.
    watch: Option<Watch>,
    /// `[O]`, what the policy is given of an observation that was clamped.
    clamped: Vec<f32>,
    /// `[A]`, what it wants; empty if discrete.
    wanted: Vec<f32>,
    wanted_choice: u32,
    commanded: Commanded,
    options: RecordedOptions,
    recorder: Option<Recorder>,
}

impl Guard {
    /// Guard a policy. The options are checked against its contract.
    ///
    /// # Errors
    /// [`crate::Error::ContractNeeded`] for a foreign file; [`crate::Error::Untested`] for a lone one, unless
    /// [`crate::LoadOptions::guard_untested`]; [`crate::Error::Options`] for names that are not the contract's, rates and
    /// times that cannot be, rates without a period or [`GuardOptions::max_step_ns`], faults that are no reports or that
    /// nothing detects, and a
    /// safe action that is of the other kind, too short or long, not finite, out of its bounds or no choice.
    pub fn new(policy: Policy, options: &GuardOptions) -> Result<Self> {
        Self::with_period(policy, options, None)
    }

    /// `period_ns` stands in for the contract's.
    pub(crate) fn with_period(policy: Policy, options: &GuardOptions, period_ns: Option<u64>) -> Result<Self> {
        let limits = Limits::new(&policy, options, period_ns)?;
        let (state, aside) = (policy.state(), policy.state());
        let clock = Clock::new(!options.fault_on.contains(Flags::TIME_JUMPED));
        let latch = Latch::new(options.latch, options.resume_after);
        let (clamped, wanted) = (vec![0.0; policy.obs_dim()], vec![0.0; limits.commands.low.len()]);
        let commanded = Commanded::new(wanted.len());
        let (last_stamp_ns, wanted_choice) = (None, 0);
        let watch = policy.novelty().map(|detector| Watch::new(detector, options.novelty_debounce));
        let (options, recorder) = (RecordedOptions::Guard(options.clone()), None);
        Ok(Self {
            policy,
            state,
            aside,
            limits,
            clock,
            latch,
            last_stamp_ns,
            watch,
            clamped,
            wanted,
            wanted_choice,
            commanded,
            options,
            recorder,
        })
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The commands for an observation, at the time `now_ns` of a clock that does not go backwards. If the status has no
    /// action, `action` is as it was.
    ///
    /// # Shapes
    /// `action: [A]`.
    ///
    /// # Units
    /// Those of the contract, in and out; nanoseconds.
    pub fn step(&mut self, now_ns: u64, obs: Observation<'_>, action: &mut [f32]) -> Status {
        self.run_alone(now_ns, obs, Output::Commands(action))
    }

    /// The choice for an observation, at the time `now_ns` of a clock that does not go backwards. If the status has no
    /// action, `action` is as it was.
    pub fn choose(&mut self, now_ns: u64, obs: Observation<'_>, action: &mut u32) -> Status {
        self.run_alone(now_ns, obs, Output::Choice(action))
    }

    /// Forget the policy's memory, the times, the faults and the last action, but not where the actuators are: rate limits
    /// start at the last command.
    ///
    /// # Real-time
    /// As a step.
    pub fn reset(&mut self) {
        self.change(Call::Reset, &[], Self::forget);
    }

    /// As [`Self::reset`], but the actuators may be anywhere: the next command is free, [`Flags::RATE_UNKNOWN`].
    ///
    /// # Real-time
    /// As a step.
    pub fn reset_free(&mut self) {
        self.change(Call::ResetFree, &[], |guard| {
            guard.forget();
            guard.commanded.forget_position();
        });
    }

    /// As [`Self::reset`], and take over without a bump from whoever had the actuators: they are at `command`, `[A]`,
    /// and commands with a rate limit start there. It can be held as an action can. A value beyond its bounds counts as
    /// the bound.
    ///
    /// # Errors
    /// [`StepError::WrongKind`] for a policy that chooses, [`StepError::ActionWidth`], [`StepError::ActionNotFinite`].
    /// Nothing is reset then.
    ///
    /// # Real-time
    /// As a step.
    pub fn reset_to(&mut self, command: &[f32]) -> Result<(), StepError> {
        self.check_command(command)?;
        self.change(Call::ResetTo, command, |guard| guard.start_from(command));
        Ok(())
    }

    /// Let the policy act again after a fault that [`GuardOptions::latch`] keeps. While there still is a fault this has no
    /// effect.
    ///
    /// # Real-time
    /// As a step.
    pub fn resume(&mut self) {
        // Said in every step it would fill a recorder.
        if self.waits() {
            self.change(Call::Resume, &[], |guard| guard.latch.tell());
        }
    }

    /// Every field of an observation `[O]` that is not as the contract says, by its index, with its flag:
    /// [`Status::index`] names but the first.
    ///
    /// # Real-time
    /// As a step, but for what is done with them.
    pub fn bad_fields<'a>(&'a self, values: &'a [f32]) -> impl Iterator<Item = (usize, Flags)> + 'a {
        let faults = |(index, value): (usize, &f32)| Some((index, self.limits.obs.fault(index, *value)?));
        values.iter().enumerate().filter_map(faults)
    }

    /// Does [`Self::resume`] change anything?
    pub(crate) fn waits(&self) -> bool {
        self.latch.waits()
    }

    fn forget(&mut self) {
        self.restart();
        self.clock.reset();
        self.latch.reset();
        self.commanded.reset();
    }

    /// Can the actuators be at `command`?
    pub(crate) fn check_command(&self, command: &[f32]) -> Result<(), StepError> {
        self.check_commands(command)?;
        match command.iter().position(|x| !x.is_finite()) {
            Some(index) => Err(StepError::ActionNotFinite { index }),
            None => Ok(()),
        }
    }

    /// Begin anew with the actuators at a `command` that was checked.
    pub(crate) fn start_from(&mut self, command: &[f32]) {
        self.forget();
        self.commanded.start_from(command, &self.limits.commands.low, &self.limits.commands.high);
    }

    /// The largest time from one step to the next; a longer one is doubted.
    pub(crate) fn set_max_gap_ns(&mut self, max_gap_ns: u64) {
        self.clock.max_gap_ns = max_gap_ns;
    }

    /// Take notice of a step's time, before [`Self::run`].
    pub(crate) fn tell(&mut self, now_ns: u64) -> Time {
        self.clock.tell(now_ns)
    }

    /// The observations to come do not follow those so far.
    fn restart(&mut self) {
        self.state.reset();
        self.last_stamp_ns = None;
        self.watch.iter_mut().for_each(Watch::reset);
    }

    /// Can an action be written there?
    pub(crate) fn check_output(&self, output: &Output<'_>) -> Result<(), StepError> {
        match output {
            Output::Commands(action) => self.check_commands(action),
            Output::Choice(_) if self.policy.is_discrete() => Ok(()),
            Output::Choice(_) => Err(StepError::WrongKind),
        }
    }

    fn check_commands(&self, commands: &[f32]) -> Result<(), StepError> {
        match (self.wanted.len(), commands.len()) {
            _ if self.policy.is_discrete() => Err(StepError::WrongKind),
            (expected, found) if expected != found => Err(StepError::ActionWidth { expected, found }),
            _ => Ok(()),
        }
    }

    fn run_alone(&mut self, now_ns: u64, obs: Observation<'_>, output: Output<'_>) -> Status {
        self.step_recorded(now_ns, obs, output, |guard, output| {
            if let Err(error) = guard.check_output(&output) {
                return error.into();
            }
            let (time, due_in_ns) = (guard.tell(now_ns), guard.limits.period_ns);
            guard.run(obs, output, Step { time, work: Work::Advance, flags: time.flags, due_in_ns, lenient: false })
        })
    }
}
