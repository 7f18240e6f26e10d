//! A policy that is asked only what it was made for, and whose answers are checked.

mod commanded;
mod limits;
mod options;

use self::commanded::Commanded;
use self::limits::Limits;
use crate::{Flags, Policy, PolicyState, Result, Source, Status, StepError};

pub use self::options::{Fallback, GuardOptions, OutOfRange, SafeAction};

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
/// A step checks in this order, and stops before the policy if there is a fault:
/// 1. the buffer for the action: [`Flags::WRONG_KIND`], [`Flags::ACTION_WIDTH`]. Such a call changes nothing at all;
/// 2. the widths: [`Flags::OBS_WIDTH`], [`Flags::MASK_WIDTH`], and [`Flags::NO_ACTION_AVAILABLE`];
/// 3. the time: [`Flags::TIME_BACKWARDS`] until it is again what it was, or a reset; then [`Flags::OBS_FROM_FUTURE`] and
///    [`Flags::OBS_STALE`];
/// 4. the values: [`Flags::OBS_NOT_FINITE`], [`Flags::OBS_OUT_OF_RANGE`] or [`Flags::OBS_CLAMPED`];
/// 5. the policy's action: [`Flags::ACTION_NOT_FINITE`], [`Flags::ACTION_NOT_AVAILABLE`], [`Flags::ENGINE`], and
///    [`Flags::ACTION_OUT_OF_BOUNDS`] without any tolerance: exported graphs keep the bounds exactly;
/// 6. the rates: [`Flags::RATE_LIMITED`].
///
/// # Rate limits
/// A limited command moves from the last one commanded towards the one wanted, at most the rate times the time since
/// then; where it has come to is kept in f64, so that rounding a command to f32 does not slow it, however short the time
/// between two steps. The first step after a reset is free; after [`Self::reset_to`] it commands just what the actuators
/// have. What is held is the last command, as far as it came. The safe action is not limited: how fast to get safe is for who chose it
/// to know, and a limit made for smoothness must not be in the way. Coming back from it is.
///
/// # Fallback
/// If there is a fault, [`GuardOptions::fallback`] says what is commanded. With the default nothing is: the buffer is
/// as it was. After a fault of time ([`Flags::TIME_BACKWARDS`], [`Flags::CLOCK_STALLED`]) nothing can be timed, so nothing
/// is held: the safe action follows at once, and nothing is held until the policy has acted again. A guard alone cannot
/// tell a clock that stands still from steps at the same time: nothing grows old then, and [`Fallback::HoldThenSafe`]
/// holds on; a [`crate::Controller`] sees it. A choice that the present mask forbids (or a mask of another width does not
/// allow) is neither held nor commanded as the safe one: the mask says what the machine can do now, so the result is
/// [`Source::None`] with [`Flags::ACTION_NOT_AVAILABLE`]; pick a safe choice that is always available.
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
    /// `[O]`, what the policy is given.
    obs: Vec<f32>,
    /// `[A]`, what it wants; empty if discrete.
    wanted: Vec<f32>,
    wanted_choice: u32,
    commanded: Commanded,
    last_ns: Option<u64>,
}

/// Where the action goes.
pub(crate) enum Output<'a> {
    Commands(&'a mut [f32]),
    Choice(&'a mut u32),
}

/// What to do in a step.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// Ask the policy.
    Advance,
    /// Ask the policy, its memory staying as it is.
    Aside,
    /// Decide again as in this earlier step, whose observation was measured then, in the light of the time that has
    /// passed and, of the observation, only the mask.
    Again { status: Status, stamp_ns: u64 },
    /// Do not ask the policy, for these reasons.
    Refuse(Flags),
}

impl Guard {
    /// Guard a policy. The options are checked against its contract.
    ///
    /// # Errors
    /// [`crate::Error::ContractNeeded`] for a foreign file; [`crate::Error::Options`] for names that are not the
    /// contract's, rates and times that cannot be, and a safe action that is of the other kind, too short or long, not
    /// finite, out of its bounds or no choice.
    pub fn new(policy: Policy, options: &GuardOptions) -> Result<Self> {
        let limits = Limits::new(&policy, options)?;
        let (state, aside) = (policy.state(), policy.state());
        let commands = limits.commands.len();
        let (obs, wanted, commanded) = (vec![0.0; policy.obs_dim()], vec![0.0; commands], Commanded::new(commands));
        Ok(Self { policy, state, aside, limits, obs, wanted, wanted_choice: 0, commanded, last_ns: None })
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
        self.run(now_ns, obs, Output::Commands(action), Work::Advance)
    }

    /// The choice for an observation, at the time `now_ns` of a clock that does not go backwards. If the status has no
    /// action, `action` is as it was.
    pub fn choose(&mut self, now_ns: u64, obs: Observation<'_>, action: &mut u32) -> Status {
        self.run(now_ns, obs, Output::Choice(action), Work::Advance)
    }

    /// Forget everything: the policy's memory, the time, the last commands.
    ///
    /// # Real-time
    /// As a step.
    pub fn reset(&mut self) {
        self.state.reset();
        self.commanded.reset();
        self.last_ns = None;
    }

    /// As [`Self::reset`], and take over without a bump from whoever had the actuators: they are at `command`, `[A]`,
    /// and commands with a rate limit start there. A value beyond its bounds counts as the bound.
    ///
    /// # Errors
    /// [`StepError::WrongKind`] for a policy that chooses, [`StepError::ActionWidth`], [`StepError::ActionNotFinite`].
    /// Nothing is reset then.
    ///
    /// # Real-time
    /// As a step.
    pub fn reset_to(&mut self, command: &[f32]) -> Result<(), StepError> {
        self.check_commands(command)?;
        if let Some(index) = command.iter().position(|x| !x.is_finite()) {
            return Err(StepError::ActionNotFinite { index });
        }
        self.reset();
        self.commanded.start_from(command, &self.limits.commands);
        Ok(())
    }

    /// The policy starts anew after a gap; what was commanded stays, but counts as commanded no earlier than this.
    pub(crate) fn restart(&mut self, not_before_ns: u64) {
        self.state.reset();
        self.commanded.forget_time_before(not_before_ns);
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

    /// A whole step.
    pub(crate) fn run(&mut self, now_ns: u64, obs: Observation<'_>, output: Output<'_>, work: Work) -> Status {
        if let Err(error) = self.check_output(&output) {
            return error.into();
        }
        let mut status = Status::default();
        if self.last_ns.is_some_and(|last| now_ns < last) {
            status.flags |= Flags::TIME_BACKWARDS;
        }
        // Commands are never dated back.
        let at_ns = self.last_ns.map_or(now_ns, |last| last.max(now_ns));
        self.last_ns = Some(at_ns);
        let again = matches!(work, Work::Again { .. });
        self.decide(now_ns, obs, work, &mut status);
        if status.is_ok() {
            self.command(at_ns, again, output, &mut status);
        } else {
            self.fall_back(at_ns, obs.mask, output, &mut status);
        }
        status
    }

    /// Is there an action of the policy, and if not, why not?
    fn decide(&mut self, now_ns: u64, obs: Observation<'_>, work: Work, status: &mut Status) {
        status.obs_age_ns = now_ns.saturating_sub(obs.stamp_ns);
        match work {
            Work::Advance | Work::Aside => {
                self.check(now_ns, obs, status);
                if status.is_ok() {
                    self.ask(obs.mask, matches!(work, Work::Aside), status);
                }
            }
            Work::Again { status: earlier, stamp_ns } => {
                status.flags |= earlier.flags.intersection(Flags::FAULTS.union(Flags::OBS_CLAMPED));
                if status.flags.intersects(Status::WITH_FIELD) {
                    status.index = earlier.index;
                }
                status.obs_age_ns = now_ns.saturating_sub(stamp_ns);
                let choice = self.commanded.choice();
                if status.is_ok() && self.policy.is_discrete() && !self.allows(obs.mask, choice) {
                    self.forbid(obs.mask, choice, status);
                }
            }
            Work::Refuse(why) => status.flags |= why,
        }
    }

    /// Everything that is known before the policy is asked.
    fn check(&mut self, now_ns: u64, obs: Observation<'_>, status: &mut Status) {
        let discrete = self.policy.is_discrete();
        let same_width = obs.values.len() == self.obs.len();
        status.flags.set(Flags::OBS_WIDTH, !same_width);
        if obs.mask.len() != if discrete { self.policy.action_dim() } else { 0 } {
            status.flags |= Flags::MASK_WIDTH;
        } else if discrete && !obs.mask.contains(&true) {
            status.flags |= Flags::NO_ACTION_AVAILABLE;
        }
        // A wrong time makes no statement about an age.
        if !status.flags.contains(Flags::TIME_BACKWARDS) {
            status.flags.set(Flags::OBS_FROM_FUTURE, obs.stamp_ns > now_ns);
            status.flags.set(Flags::OBS_STALE, status.obs_age_ns > self.limits.max_obs_age_ns);
        }
        if !same_width {
            return;
        }
        let fields = self.obs.iter_mut().zip(obs.values).zip(&self.limits.obs).enumerate();
        for (index, ((given, value), limit)) in fields {
            *given = *value;
            if !value.is_finite() {
                status.note(Flags::OBS_NOT_FINITE, index);
            } else if *value < limit.range.low || *value > limit.range.high {
                match limit.out_of_range {
                    OutOfRange::Refuse => status.note(Flags::OBS_OUT_OF_RANGE, index),
                    OutOfRange::ClampAndReport => {
                        *given = value.max(limit.range.low).min(limit.range.high);
                        status.note(Flags::OBS_CLAMPED, index);
                    }
                }
            }
        }
    }

    /// Ask the policy and check what it says.
    fn ask(&mut self, mask: &[bool], aside: bool, status: &mut Status) {
        if aside {
            self.aside.copy_from(&self.state);
        }
        let state = if aside { &mut self.aside } else { &mut self.state };
        let answer = match self.policy.is_discrete() {
            false => self.policy.step(state, &self.obs, &mut self.wanted),
            true => self.policy.choose(state, &self.obs, mask).and_then(|choice| {
                self.wanted_choice = u32::try_from(choice).map_err(|_| StepError::Engine)?;
                Ok(())
            }),
        };
        if let Err(error) = answer {
            return status.refuse(error);
        }
        for (index, (x, limit)) in self.wanted.iter().zip(&self.limits.commands).enumerate() {
            if *x < limit.range.low || *x > limit.range.high {
                status.note(Flags::ACTION_OUT_OF_BOUNDS, index);
            }
        }
    }

    /// Command what the policy wants, or the last that it made.
    fn command(&mut self, at_ns: u64, again: bool, output: Output<'_>, status: &mut Status) {
        status.source = Source::Policy;
        status.held_ns = if again { self.commanded.age(at_ns).unwrap_or(0) } else { 0 };
        match (output, again) {
            (Output::Commands(action), true) => {
                self.commanded.repeat(at_ns, &self.limits.commands, status, action);
            }
            (Output::Commands(action), false) => {
                self.commanded.policy(at_ns, &self.wanted, &self.limits.commands, status, action);
            }
            (Output::Choice(action), true) => {
                self.commanded.repeat_choice();
                *action = self.commanded.choice();
            }
            (Output::Choice(action), false) => {
                self.commanded.policy_choice(at_ns, self.wanted_choice);
                *action = self.wanted_choice;
            }
        }
    }

    /// Command what the options say for when there is no action of the policy.
    fn fall_back(&mut self, at_ns: u64, mask: &[bool], output: Output<'_>, status: &mut Status) {
        if status.flags.intersects(Flags::TIME_BACKWARDS.union(Flags::CLOCK_STALLED)) {
            self.commanded.release();
        }
        let held = match self.limits.fallback {
            Fallback::HoldThenSafe { hold_ns, .. } => self.commanded.held(at_ns, hold_ns),
            _ => None,
        };
        match (output, held) {
            (Output::Commands(action), Some(age_ns)) => {
                (status.source, status.held_ns) = (Source::Held, age_ns);
                self.commanded.hold(at_ns, action);
            }
            (Output::Choice(action), Some(age_ns)) if self.allows(mask, self.commanded.choice()) => {
                (status.source, status.held_ns) = (Source::Held, age_ns);
                *action = self.commanded.choice();
            }
            (output, _) => self.be_safe(at_ns, mask, output, status),
        }
    }

    fn be_safe(&mut self, at_ns: u64, mask: &[bool], output: Output<'_>, status: &mut Status) {
        match (self.limits.fallback.safe(), output) {
            (Some(SafeAction::Commands(safe)), Output::Commands(action)) => {
                action.iter_mut().zip(safe).for_each(|(command, x)| *command = *x);
                self.commanded.safe(at_ns, safe);
                status.source = Source::Safe;
            }
            (Some(SafeAction::Choice(safe)), Output::Choice(action)) if self.allows(mask, *safe) => {
                *action = *safe;
                self.commanded.safe(at_ns, &[]);
                status.source = Source::Safe;
            }
            (Some(SafeAction::Choice(safe)), Output::Choice(_)) => self.forbid(mask, *safe, status),
            _ => {}
        }
    }

    fn allows(&self, mask: &[bool], choice: u32) -> bool {
        let available = usize::try_from(choice).ok().and_then(|choice| mask.get(choice));
        mask.len() == self.policy.action_dim() && available == Some(&true)
    }

    /// Say why this choice is not allowed.
    fn forbid(&self, mask: &[bool], choice: u32, status: &mut Status) {
        if mask.len() == self.policy.action_dim() {
            status.note(Flags::ACTION_NOT_AVAILABLE, usize::try_from(choice).unwrap_or(usize::MAX));
        } else {
            status.flags |= Flags::MASK_WIDTH;
        }
    }
}
