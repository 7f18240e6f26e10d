//! A guarded policy in time: which tick is the policy's turn, and what the others do.

mod options;
mod recorded;
mod schedule;
mod stats;

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};

use self::schedule::{At, Kind, Schedule};
use self::stats::Counts;
use crate::guard::{Output, Step, Work};
use crate::recorder::{Call, Recorded, RecordedOptions, Recorder};
use crate::{Error, Flags, Guard, Observation, Policy, Result, Status, StepError};

pub use self::options::{ControllerOptions, FaultBetween, Intermediate};
pub use self::stats::Stats;

/// A guarded policy and its clock's grid. The loop calls [`Self::tick`] as often as it likes, at least once a period; the
/// controller reads no clock and never waits.
///
/// # Ticks
/// - Every tick is checked as a [`Guard`]'s step is: widths, values, ranges, stamp and age of its own observation.
/// - The first tick after `new` or a reset is the policy's turn (native) and starts the grid: one due time every period.
///   A later tick is native if it is at or after the due time; the grid does not move with late ticks, so the average
///   rate is right. [`Status::lateness_ns`] says how much after its due time a native tick came: [`Flags::LATE`].
/// - A native tick that gave no action of the policy stays due: the next tick asks again, [`Flags::ASKED_AGAIN`], until
///   one has it. The grid stays.
/// - Whole periods without a tick are left out and counted: [`Flags::SKIPPED`]. The next due time is the next one on the
///   grid.
/// - The time between two native ticks differs from the period by the jitter: [`Flags::JITTER`].
/// - Every other tick is [`Flags::INTERMEDIATE`]: see [`Intermediate`]. With [`Intermediate::Hold`] it commands the last
///   native tick's action again, [`crate::Source::Policy`], its age in [`Status::held_ns`]; commands that their rates kept
///   from it move on towards it. A mask that forbids the choice makes the policy choose anew, [`Flags::ASKED_AGAIN`]. A
///   fault leads to the fallback in that tick, or at the next period: see [`FaultBetween`].
/// - No tick for longer than [`ControllerOptions::max_gap_ns`]: [`Flags::TIME_JUMPED`], a fault unless the options say
///   otherwise, after which nothing is held.
/// - The time of the tick before: [`Flags::TIME_STANDS_STILL`], and an intermediate tick. More than
///   [`ControllerOptions::max_stalled_ticks`] in a row: [`Flags::CLOCK_STALLED`], a fault after which nothing is held.
/// - A time before that of the tick before: [`Flags::TIME_BACKWARDS`], a fault after which nothing is held.
/// - A time that was doubted is believed when the next tick goes on from it, later by no more than the largest gap, or is
///   where the time was before. This tick, or the first whose time moves again, is [`Flags::GAP`]: the policy's memory is
///   reset and a new grid starts with this tick, native and not late. How old the last action really is then, no clock
///   has measured, so it is not commanded again.
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
    fault_between: FaultBetween,
    counts: Counts,
    options: RecordedOptions,
    recorder: Option<Recorder>,
}

impl Controller {
    /// Guard and schedule a policy. The options are checked against its contract.
    ///
    /// # Errors
    /// As [`Guard::new`]; [`Error::Options`] when neither the options nor the contract have a period, or for times that
    /// cannot be.
    pub fn new(policy: Policy, options: &ControllerOptions) -> Result<Self> {
        let mut guard = Guard::with_period(policy, &options.guard, options.period_ns)?;
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
            max_stalled_ticks: options.max_stalled_ticks,
            at: None,
        };
        guard.set_max_gap_ns(max_gap_ns);
        let (intermediate, fault_between, counts) = (options.intermediate, options.fault_between, Counts::default());
        let (options, recorder) = (RecordedOptions::Controller(options.clone()), None);
        Ok(Self { guard, schedule, intermediate, fault_between, counts, options, recorder })
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

    /// Forget everything but the statistics and where the actuators are, as [`Guard::reset`]. The next tick is native.
    ///
    /// # Real-time
    /// As a tick.
    pub fn reset(&mut self) {
        self.change(Call::Reset, &[], |controller| {
            controller.guard.reset();
            controller.schedule.at = None;
        });
    }

    /// As [`Self::reset`], but the actuators may be anywhere: the next command is free, [`Flags::RATE_UNKNOWN`].
    ///
    /// # Real-time
    /// As a tick.
    pub fn reset_free(&mut self) {
        self.change(Call::ResetFree, &[], |controller| {
            controller.guard.reset_free();
            controller.schedule.at = None;
        });
    }

    /// As [`Self::reset`], and take over without a bump from whoever had the actuators: they are at `command`, `[A]`.
    ///
    /// # Errors
    /// As [`Guard::reset_to`]; nothing is reset then.
    ///
    /// # Real-time
    /// As a tick.
    pub fn reset_to(&mut self, command: &[f32]) -> Result<(), StepError> {
        self.guard.check_command(command)?;
        self.change(Call::ResetTo, command, |controller| {
            controller.guard.start_from(command);
            controller.schedule.at = None;
        });
        Ok(())
    }

    /// Let the policy act again after a fault that is latched: see [`Guard::resume`].
    ///
    /// # Real-time
    /// As a tick.
    pub fn resume(&mut self) {
        if self.guard.waits() {
            self.change(Call::Resume, &[], |controller| controller.guard.resume());
        }
    }

    /// Every field of an observation that is not as the contract says: see [`Guard::bad_fields`].
    pub fn bad_fields<'a>(&'a self, values: &'a [f32]) -> impl Iterator<Item = (usize, Flags)> + 'a {
        self.guard.bad_fields(values)
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

    /// When it is the policy's turn next: sleep until then. `None` before the first tick, which may be at any time. After
    /// a fault an earlier tick with a good observation may be the policy's, too.
    pub fn next_tick_ns(&self) -> Option<u64> {
        self.schedule.at.map(|At { due_ns, .. }| due_ns)
    }

    fn run(&mut self, now_ns: u64, obs: Observation<'_>, output: Output<'_>) -> Status {
        self.step_recorded(now_ns, obs, output, |controller, output| {
            let status = match controller.guard.check_output(&output) {
                Ok(()) => controller.run_tick(now_ns, obs, output),
                Err(error) => error.into(),
            };
            controller.counts.count_status(&status);
            status
        })
    }

    fn run_tick(&mut self, now_ns: u64, obs: Observation<'_>, output: Output<'_>) -> Status {
        let mut tick = self.schedule.tick(self.guard.tell(now_ns));
        let holds = self.intermediate == Intermediate::Hold;
        if tick.kind == Kind::Intermediate && holds && self.guard.must_choose_anew(obs.mask) {
            tick = tick.again();
        }
        self.counts.count_tick(&tick);
        let work = match tick.kind {
            Kind::Native | Kind::Again => Work::Advance,
            Kind::Intermediate if !holds => Work::Aside,
            Kind::Intermediate | Kind::Fault => Work::Again,
        };
        let due_in_ns = self.next_tick_ns().unwrap_or(0).saturating_sub(now_ns);
        let lenient = tick.kind == Kind::Intermediate && self.fault_between == FaultBetween::AtPeriod;
        let step = Step { time: tick.time, work, flags: tick.flags, due_in_ns, lenient };
        let mut status = self.guard.run(obs, output, step);
        status.lateness_ns = tick.lateness_ns;
        if work == Work::Advance {
            self.schedule.settle(status.is_ok());
        }
        status
    }
}
