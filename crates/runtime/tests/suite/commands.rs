//! Whatever comes in, what is commanded is finite, inside its bounds and no faster than allowed.

use omiga_runtime::{
    Controller, ControllerOptions, Fallback, Flags, Guard, GuardOptions, Intermediate, Observation, OutOfRange,
    SafeAction, Source, Status,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::echo::{MS, PERIOD, policy};

/// Rates of the two commands; none in half of the cases.
const RATES: [(&str, f32); 2] = [("x", 30.0), ("y", 0.7)];
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

#[test]
fn commands_are_finite_inside_their_bounds_and_no_faster_than_allowed() {
    let mut seen = [0; 4];
    for seed in 0..4_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let safe = [rng.random_range(-1.0..=1.0), rng.random_range(-1.0..=3.0)];
        let rates = if rng.random_bool(0.5) { &RATES[..] } else { &[] };
        let options = guard_options(&mut rng, SafeAction::Commands(safe.into()), rates);
        let mut control = Loop::new(&mut rng, false, &options);
        // The last command, and when; the latest time of all.
        let (mut previous, mut latest_ns, mut now_ns) = (None, 0, rng.random_range(0..MS));
        for _ in 0..CALLS {
            if rng.random_bool(0.02) {
                let command = [rng.random_range(-1.0..=1.0), rng.random_range(-1.0..=3.0)];
                control.reset_to(&command);
                (previous, latest_ns) = (Some((command, None)), 0);
            }
            now_ns = advance(&mut rng, now_ns);
            let values = [value(&mut rng), value(&mut rng), 0.0];
            let width = if rng.random_bool(0.02) { 3 } else { 2 };
            let obs = Observation { values: &values[..width], stamp_ns: stamp(&mut rng, now_ns), mask: &[] };
            let before = [rng.random_range(-1.0..1.0_f32), f32::NAN];
            let mut action = before;
            let status = control.commands(now_ns, obs, &mut action);
            check_status(&status);
            seen[status.source as usize] += 1;
            latest_ns = now_ns.max(latest_ns);
            match status.source {
                Source::None => {
                    assert_eq!(action.map(f32::to_bits), before.map(f32::to_bits), "{status}");
                    continue;
                }
                Source::Safe => assert_eq!(action, safe),
                Source::Policy | Source::Held => check_rates(previous, latest_ns, action, rates, &status),
            }
            for (x, (low, high)) in action.iter().zip(BOUNDS) {
                assert!((low..=high).contains(x), "seed {seed}: {status}: {action:?}");
            }
            previous = Some((action, Some(latest_ns)));
        }
    }
    // Every source, often.
    assert!(seen.iter().all(|n| *n > 5_000), "{seen:?}");
}

/// Commands are f32, so that one may be half a step of f32 nearer than the last was to where the rates lead.
fn check_rates(
    previous: Option<([f32; 2], Option<u64>)>,
    now_ns: u64,
    action: [f32; 2],
    rates: &[(&str, f32)],
    status: &Status,
) {
    let Some((command, at_ns)) = previous else { return };
    let seconds = at_ns.map_or(0.0, |at_ns| (now_ns - at_ns) as f64 / 1e9);
    for ((x, before), (name, rate)) in action.iter().zip(command).zip(rates) {
        let (change, most) = ((f64::from(*x) - f64::from(before)).abs(), f64::from(*rate) * seconds);
        let step = f64::from(x.abs().max(before.abs()).next_up()) - f64::from(x.abs().max(before.abs()));
        assert!(change <= most + step, "{name} changes by {change}, at most {most}: {status}");
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
