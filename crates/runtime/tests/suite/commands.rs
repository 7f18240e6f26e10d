//! Whatever comes in, what is commanded is finite, inside its bounds, no faster than allowed, and made by the policy only
//! where this tick's observation is good, of its age and in its order.

use omiga_runtime::{
    Controller, ControllerOptions, Fallback, FaultBetween, Flags, Guard, GuardOptions, Intermediate, Observation,
    OutOfRange, SafeAction, Source, Status,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::echo::{MAX_AGE, MS, PERIOD, policy};

/// Rates of the two commands, and on the way to the safe ones; each none in half of the cases.
const RATES: [(&str, f32); 2] = [("x", 30.0), ("y", 0.7)];
const SAFE_RATES: [(&str, f32); 2] = [("y", 90.0), ("x", 15.0)];
/// By default.
const MAX_FUTURE: u64 = MS;
const BOUNDS: [(f32, f32); 2] = [(-1.0, 1.0), (-1.0, 3.0)];
/// Between any two commands of one loop.
const CALLS: usize = 60;

fn value(rng: &mut ChaCha8Rng) -> f32 {
    match rng.random_range(0..24) {
        0 => f32::NAN,
        1 => f32::INFINITY,
        2 => f32::MIN,
        3 => 4e8,
        4 => 2.5,
        5 => f32::MIN_POSITIVE / 2.0,
        _ => rng.random_range(-1.0..1.0),
    }
}

/// Mostly a little later, at times the same, earlier, much later or at the end of all times.
fn advance(rng: &mut ChaCha8Rng, now_ns: u64) -> u64 {
    match rng.random_range(0..40) {
        0 => rng.random_range(0..=u64::MAX),
        1 => u64::MAX - rng.random_range(0..2),
        2 => rng.random_range(0..2),
        3 => now_ns.saturating_sub(rng.random_range(0..30 * MS)),
        4..8 => now_ns,
        8..10 => now_ns.saturating_add(rng.random_range(0..200 * MS)),
        _ => now_ns.saturating_add(rng.random_range(0..PERIOD)),
    }
}

fn stamp(rng: &mut ChaCha8Rng, now_ns: u64) -> u64 {
    match rng.random_range(0..20) {
        0 => rng.random_range(0..=u64::MAX),
        1 => now_ns.saturating_add(1),
        2 => now_ns.saturating_sub(20 * MS),
        _ => now_ns.saturating_sub(rng.random_range(0..MS)),
    }
}

fn guard_options(rng: &mut ChaCha8Rng, safe: SafeAction, rates: &[(&str, f32)]) -> GuardOptions {
    let mut options = GuardOptions::default();
    for (name, rate) in rates {
        options = options.with_max_rate(*name, *rate);
    }
    if rng.random_bool(0.5) {
        options = options.with_out_of_range(OutOfRange::ClampAndReport);
    }
    if rng.random_bool(0.2) {
        options = options.with_resume_after(rng.random_range(0..4)).with_latch(rng.random_bool(0.5));
    }
    if rng.random_bool(0.2) {
        options = options.without_fault_on(Flags::TIME_JUMPED).with_fault_on(Flags::RATE_LIMITED);
    }
    options.with_fallback(match rng.random_range(0..3) {
        0 => Fallback::Error,
        1 => Fallback::Safe(safe),
        _ => Fallback::HoldThenSafe { hold_ns: rng.random_range(1..50 * MS), safe },
    })
}

fn controller_options(rng: &mut ChaCha8Rng, guard: GuardOptions) -> ControllerOptions {
    let mut options = ControllerOptions::default().with_guard(guard).with_max_stalled_ticks(rng.random_range(0..3));
    if rng.random_bool(0.5) {
        options = options.with_intermediate(Intermediate::Evaluate);
    }
    if rng.random_bool(0.3) {
        options = options.with_fault_between(FaultBetween::AtPeriod);
    }
    options
}

/// A guard, or a controller.
enum Loop {
    Guard(Box<Guard>),
    Controller(Box<Controller>),
}

impl Loop {
    fn new(rng: &mut ChaCha8Rng, discrete: bool, guard: &GuardOptions) -> Self {
        if rng.random_bool(0.5) {
            return Self::Guard(Box::new(Guard::new(policy(discrete), guard).unwrap()));
        }
        let options = controller_options(rng, guard.clone());
        Self::Controller(Box::new(Controller::new(policy(discrete), &options).unwrap()))
    }

    fn commands(&mut self, now_ns: u64, obs: Observation<'_>, action: &mut [f32]) -> Status {
        match self {
            Self::Guard(guard) => guard.step(now_ns, obs, action),
            Self::Controller(controller) => controller.tick(now_ns, obs, action),
        }
    }

    fn choice(&mut self, now_ns: u64, obs: Observation<'_>, action: &mut u32) -> Status {
        match self {
            Self::Guard(guard) => guard.choose(now_ns, obs, action),
            Self::Controller(controller) => controller.tick_choice(now_ns, obs, action),
        }
    }

    fn resume(&mut self) {
        match self {
            Self::Guard(guard) => guard.resume(),
            Self::Controller(controller) => controller.resume(),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Guard(guard) => guard.reset(),
            Self::Controller(controller) => controller.reset(),
        }
    }

    fn reset_to(&mut self, command: &[f32]) {
        match self {
            Self::Guard(guard) => guard.reset_to(command).unwrap(),
            Self::Controller(controller) => controller.reset_to(command).unwrap(),
        }
    }
}

/// What holds for every status.
fn check_status(status: &Status) {
    assert_eq!(status.is_ok(), !status.flags.intersects(Flags::FAULTS));
    assert_eq!(status.is_ok(), status.source == Source::Policy, "{status}");
    assert!(status.flags.difference(Flags::all()).is_empty());
}

/// What a test remembers of a loop.
struct Model {
    /// The last command.
    command: Option<[f32; 2]>,
    /// How much time the clock says has passed since then, if it was right all the time.
    passed_ns: Option<u64>,
    /// The last time that was right.
    now_ns: Option<u64>,
    /// The newest stamp since the last fresh start.
    newest_ns: Option<u64>,
}

impl Model {
    fn new(command: Option<[f32; 2]>) -> Self {
        Self { command, passed_ns: Some(0), now_ns: None, newest_ns: None }
    }

    /// Time passes, as the status tells it.
    fn pass(&mut self, now_ns: u64, flags: Flags) {
        if flags.intersects(Flags::TIME_BACKWARDS | Flags::TIME_JUMPED | Flags::GAP) {
            self.passed_ns = None;
        } else if let (Some(passed_ns), Some(before_ns)) = (&mut self.passed_ns, self.now_ns) {
            *passed_ns = passed_ns.saturating_add(now_ns - before_ns);
        }
        if is_right(flags) {
            self.now_ns = Some(now_ns);
        }
    }

    /// An observation for which the policy acts is new enough, and no older than any before it.
    fn check_stamp(&mut self, now_ns: u64, stamp_ns: u64, status: &Status) {
        if status.flags.contains(Flags::GAP) {
            self.newest_ns = None;
        }
        if status.source == Source::Policy {
            assert!(is_right(status.flags), "{status}");
            assert!(now_ns.saturating_sub(stamp_ns) <= MAX_AGE, "{status}");
            assert!(stamp_ns.saturating_sub(now_ns) <= MAX_FUTURE, "{status}");
            assert!(self.newest_ns.is_none_or(|newest_ns| stamp_ns >= newest_ns), "{status}");
        }
        if is_right(status.flags) && stamp_ns.saturating_sub(now_ns) <= MAX_FUTURE {
            self.newest_ns = Some(self.newest_ns.map_or(stamp_ns, |newest_ns| newest_ns.max(stamp_ns)));
        }
    }

    /// No more than a period counts, however long it was. Commands are f32, so that one may be half a step of f32 nearer
    /// than the last was to where the rates lead.
    fn check_rates(&self, action: [f32; 2], rates: &[(&str, f32)], status: &Status) {
        let Some(command) = self.command else { return };
        let seconds = self.passed_ns.map_or(PERIOD, |passed_ns| passed_ns.min(PERIOD)) as f64 / 1e9;
        for (name, rate) in rates {
            let (x, before) = if *name == "x" { (action[0], command[0]) } else { (action[1], command[1]) };
            let (change, most) = ((f64::from(x) - f64::from(before)).abs(), f64::from(*rate) * seconds);
            let step = f64::from(x.abs().max(before.abs()).next_up()) - f64::from(x.abs().max(before.abs()));
            assert!(change <= most + step, "{name} changes by {change}, at most {most}: {status}");
        }
    }
}

/// Is the time of such a tick believed?
fn is_right(flags: Flags) -> bool {
    !flags.contains(Flags::TIME_BACKWARDS) && (!flags.contains(Flags::TIME_JUMPED) || flags.contains(Flags::GAP))
}

#[test]
fn commands_are_finite_inside_their_bounds_and_no_faster_than_allowed() {
    let mut seen = [0; 4];
    for seed in 0..8_000 {
        check_commands(&mut ChaCha8Rng::seed_from_u64(seed), &mut seen);
    }
    // Every source, often.
    assert!(seen.iter().all(|n| *n > 10_000), "{seen:?}");
}

fn check_commands(rng: &mut ChaCha8Rng, seen: &mut [u32; 4]) {
    let safe = [rng.random_range(-1.0..=1.0), rng.random_range(-1.0..=3.0)];
    let rates = if rng.random_bool(0.5) { &RATES[..] } else { &[] };
    let safe_rates = if rng.random_bool(0.5) { &SAFE_RATES[..] } else { &[] };
    let mut options = guard_options(rng, SafeAction::Commands(safe.into()), rates);
    options.safe_rate = safe_rates.iter().map(|(name, rate)| ((*name).to_owned(), *rate)).collect();
    let mut control = Loop::new(rng, false, &options);
    let (mut model, mut now_ns) = (Model::new(None), rng.random_range(0..MS));
    for _ in 0..CALLS {
        match rng.random_range(0..100) {
            0 => {
                let command = [rng.random_range(-1.0..=1.0), rng.random_range(-1.0..=3.0)];
                control.reset_to(&command);
                model = Model::new(Some(command));
            }
            1 => {
                control.reset();
                model = Model::new(model.command);
            }
            2..6 => control.resume(),
            _ => {}
        }
        now_ns = advance(rng, now_ns);
        let values = [value(rng), value(rng), 0.0];
        let width = if rng.random_bool(0.02) { 3 } else { 2 };
        let obs = Observation { values: &values[..width], stamp_ns: stamp(rng, now_ns), mask: &[] };
        let before = [rng.random_range(-1.0..1.0_f32), f32::NAN];
        let mut action = before;
        let status = control.commands(now_ns, obs, &mut action);
        check_status(&status);
        seen[status.source as usize] += 1;
        model.pass(now_ns, status.flags);
        model.check_stamp(now_ns, obs.stamp_ns, &status);
        match status.source {
            Source::None => {
                assert_eq!(action.map(f32::to_bits), before.map(f32::to_bits), "{status}");
                continue;
            }
            Source::Safe if status.flags.intersects(Flags::TIME_BACKWARDS | Flags::CLOCK_STALLED) => {
                assert_eq!(action, safe);
            }
            Source::Safe => {
                model.check_rates(action, safe_rates, &status);
                assert!(action == safe || status.flags.contains(Flags::RATE_LIMITED), "{status}");
            }
            Source::Policy => {
                assert!(width == 2 && values.iter().all(|x| x.is_finite()), "{status}: {values:?}");
                assert!(values[0].abs() <= 2.0 || status.flags.contains(Flags::OBS_CLAMPED), "{status}: {values:?}");
                model.check_rates(action, rates, &status);
            }
            Source::Held => assert_eq!(Some(action), model.command, "{status}"),
        }
        for (x, (low, high)) in action.iter().zip(BOUNDS) {
            assert!((low..=high).contains(x), "{status}: {action:?}");
        }
        (model.command, model.passed_ns) = (Some(action), Some(0));
    }
}

#[test]
fn choices_are_available() {
    let mut seen = [0; 4];
    for seed in 0..3_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let safe = rng.random_range(0..3);
        let options = guard_options(&mut rng, SafeAction::Choice(safe), &[]);
        let mut control = Loop::new(&mut rng, true, &options);
        let mut now_ns = rng.random_range(0..MS);
        for _ in 0..CALLS {
            now_ns = advance(&mut rng, now_ns);
            let values = [value(&mut rng), value(&mut rng), value(&mut rng)];
            let mask: Vec<bool> =
                (0..if rng.random_bool(0.05) { 4 } else { 3 }).map(|_| rng.random_bool(0.8)).collect();
            let obs = Observation { values: &values, stamp_ns: stamp(&mut rng, now_ns), mask: &mask };
            let mut choice = 77;
            let status = control.choice(now_ns, obs, &mut choice);
            check_status(&status);
            seen[status.source as usize] += 1;
            match status.source {
                Source::None => assert_eq!(choice, 77),
                Source::Safe => assert_eq!(choice, safe),
                Source::Policy | Source::Held => {}
            }
            assert!(!status.has_action() || (mask.len() == 3 && mask[choice as usize]), "{status}: {choice} {mask:?}");
        }
    }
    assert!(seen.iter().all(|n| *n > 3_000), "{seen:?}");
}
