//! A guarded policy in time: which tick is the policy's turn, and what the others do.

mod options;
mod schedule;
mod stats;

use self::schedule::{At, Kind, Schedule};
use self::stats::Counts;
use crate::guard::{Output, Work};
use crate::{Error, Flags, Guard, Observation, Policy, Result, Status, StepError};

pub use self::options::{ControllerOptions, Intermediate};
pub use self::stats::Stats;

/// A guarded policy and its clock's grid. The loop calls [`Self::tick`] as often as it likes, at least once a period; the
/// controller reads no clock and never waits.
///
/// # Ticks
/// - The first tick after `new` or a reset is the policy's turn (native) and starts the grid: one due time every period.
///   A later tick is native if it is at or after the due time; the grid does not move with late ticks, so the average
///   rate is right. [`Status::lateness_ns`] says how much after its due time a native tick came: [`Flags::LATE`].
/// - Whole periods without a tick are left out and counted: [`Flags::SKIPPED`]. The next due time is the next one on the
///   grid.
/// - The time between two native ticks differs from the period by the jitter: [`Flags::JITTER`].
/// - No tick for longer than [`ControllerOptions::max_gap_ns`]: [`Flags::GAP`]. The policy's memory is reset and a new
///   grid starts with this tick, native and not late. The last command stays the start of the rate limits, since the
///   actuators still have it, but no more than a period counts as passed, so that the command does not jump. A held
///   action stays bound to its own time.
/// - Every other tick is [`Flags::INTERMEDIATE`]: see [`Intermediate`]. With [`Intermediate::Hold`] it repeats the last
///   native tick's decision. If that was an action of the policy, it is commanded again, [`crate::Source::Policy`], its
///   age in [`Status::held_ns`] and [`Status::obs_age_ns`] the age of the observation it was made from; commands that
///   their rates kept from it move on towards it. If that was a
///   fault, the fault is still in the flags and the fallback is applied to the present time: what is held becomes safe
///   when its time is over, not only at the next period.
/// - The time of the tick before: [`Flags::TIME_STANDS_STILL`], and an intermediate tick. More than
///   [`ControllerOptions::max_stalled_ticks`] in a row: [`Flags::CLOCK_STALLED`], a fault after which nothing is held.
/// - A time before that of the tick before: [`Flags::TIME_BACKWARDS`], a fault after which nothing is held, until time
///   is past it or a reset.
/// - The first tick with a right time after either fault is as one after a gap, [`Flags::GAP`]: native, with the present
///   observation. How old the last action really is then, no clock has measured, so it is not commanded again.
/// - A call for the other kind of action or with a buffer of another width is no tick: it changes nothing but
///   [`Stats::faults`] and [`Stats::none`].
///
/// Everything else is the guard's: see [`Guard`].
///
/// # Real-time
/// As [`Guard`]. No time whatever makes it overflow.
///
/// ```no_run
/// # use std::{path::Path, time::Instant};
/// use omiga_runtime::{Controller, ControllerOptions, LoadOptions, Observation, Policy};
///
/// let policy = Policy::load(Path::new("pumps.bundle"), &LoadOptions::default().with_agent("west"))?;
/// let mut controller = Controller::new(policy, &ControllerOptions::default().with_max_lateness_ns(1_000_000))?;
/// let (start, mut action) = (Instant::now(), [0.0]);
/// loop {
///     let now_ns = start.elapsed().as_nanos() as u64;
///     let values = [1.0, 0.5, 2.0]; // of the sensors
///     let status = controller.tick(now_ns, Observation { values: &values, stamp_ns: now_ns, mask: &[] }, &mut action);
///     if status.has_action() {
///         println!("command {action:?}");
///     } else {
///         println!("stop the machine: {status}");
///     }
/// #   break;
/// }
/// # Ok::<(), omiga_runtime::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Controller {
    guard: Guard,
    schedule: Schedule,
    intermediate: Intermediate,
    native: Native,
    counts: Counts,
}

/// The last decision of a native tick.
#[derive(Clone, Copy, Debug, Default)]
struct Native {
    status: Status,
    stamp_ns: u64,
}

impl Controller {
    /// Guard and schedule a policy. The options are checked against its contract.
    ///
    /// # Errors
    /// As [`Guard::new`]; [`Error::Options`] when neither the options nor the contract have a period, or for times that
    /// cannot be.
    pub fn new(policy: Policy, options: &ControllerOptions) -> Result<Self> {
        let guard = Guard::new(policy, &options.guard)?;
        let wrong = |option: &str, expected: &str, found: String| {
            let policy = guard.policy().name().to_owned();
            Err(Error::Options { policy, option: option.to_owned(), expected: expected.to_owned(), found })
        };
        let period_ns = match options.period_ns.or(guard.policy().contract().and_then(|c| c.period_ns)) {
            None => return wrong("period_ns", "a time, as the contract has none either", "not set".to_owned()),
            Some(0) => return wrong("period_ns", "above 0", 0.to_string()),
            Some(period_ns) => period_ns,
        };
        let max_gap_ns = options.max_gap_ns.unwrap_or(period_ns.saturating_mul(10));
        if max_gap_ns < period_ns {
            let expected = format!("at least the period of {period_ns}");
            return wrong("max_gap_ns", &expected, max_gap_ns.to_string());
        }
        let schedule = Schedule {
            period_ns,
            max_lateness_ns: options.max_lateness_ns.unwrap_or(u64::MAX),
            max_jitter_ns: options.max_jitter_ns.unwrap_or(u64::MAX),
            max_gap_ns,
            max_stalled_ticks: options.max_stalled_ticks,
            at: None,
        };
        let (intermediate, native, counts) = (options.intermediate, Native::default(), Counts::default());
        Ok(Self { guard, schedule, intermediate, native, counts })
    }

    /// The commands at the time `now_ns` of a clock that does not go backwards. If the status has no action, `action` is
    /// as it was.
    ///
    /// # Shapes
    /// `action: [A]`.
    ///
    /// # Units
    /// Those of the contract, in and out; nanoseconds.
    pub fn tick(&mut self, now_ns: u64, obs: Observation<'_>, action: &mut [f32]) -> Status {
        self.run(now_ns, obs, Output::Commands(action))
    }

    /// The choice at the time `now_ns` of a clock that does not go backwards. If the status has no action, `action` is
    /// as it was.
    pub fn tick_choice(&mut self, now_ns: u64, obs: Observation<'_>, action: &mut u32) -> Status {
        self.run(now_ns, obs, Output::Choice(action))
    }

    /// Forget everything but the statistics: the policy's memory, the time, the last commands. The next tick is native.
    ///
    /// # Real-time
    /// As a tick.
    pub fn reset(&mut self) {
        self.guard.reset();
        (self.schedule.at, self.native) = (None, Native::default());
    }

    /// As [`Self::reset`], and take over without a bump from whoever had the actuators: they are at `command`, `[A]`.
    ///
    /// # Errors
    /// As [`Guard::reset_to`]; nothing is reset then.
    ///
    /// # Real-time
    /// As a tick.
    pub fn reset_to(&mut self, command: &[f32]) -> Result<(), StepError> {
        self.guard.reset_to(command)?;
        (self.schedule.at, self.native) = (None, Native::default());
        Ok(())
    }

    /// How the ticks went so far.
    pub fn stats(&self) -> Stats {
        self.counts.stats()
    }

    /// Time between two decisions of the policy.
    pub fn period_ns(&self) -> u64 {
        self.schedule.period_ns
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        self.guard.policy()
    }

    /// When it is the policy's turn next: sleep until then. `None` before the first tick, which may be at any time.
    pub fn next_tick_ns(&self) -> Option<u64> {
        self.schedule.at.map(|At { due_ns, .. }| due_ns)
    }

    fn run(&mut self, now_ns: u64, obs: Observation<'_>, output: Output<'_>) -> Status {
        let status = match self.guard.check_output(&output) {
            Ok(()) => self.run_tick(now_ns, obs, output),
            Err(error) => error.into(),
        };
        self.counts.count_status(&status);
        status
    }

    fn run_tick(&mut self, now_ns: u64, obs: Observation<'_>, output: Output<'_>) -> Status {
        let tick = self.schedule.tick(now_ns);
        self.counts.count_tick(&tick);
        if tick.flags.contains(Flags::GAP) {
            self.guard.restart(now_ns.saturating_sub(self.schedule.period_ns));
        }
        let work = match (tick.kind, self.intermediate) {
            (Kind::Native, _) => Work::Advance,
            (Kind::Intermediate, Intermediate::Evaluate) => Work::Aside,
            (Kind::Intermediate, Intermediate::Hold) => {
                Work::Again { status: self.native.status, stamp_ns: self.native.stamp_ns }
            }
            (Kind::Fault, _) => Work::Refuse(tick.flags.intersection(Flags::FAULTS)),
        };
        let mut status = self.guard.run(now_ns, obs, output, work);
        status.flags |= tick.flags;
        status.lateness_ns = tick.lateness_ns;
        if tick.kind == Kind::Native {
            self.native = Native { status, stamp_ns: obs.stamp_ns };
        }
        status
    }
}
