//! Ticks of a controller on a clock that is moved by hand. The policy's period is 10 ms.

use omiga_runtime::{
    Controller, ControllerOptions, Fallback, FaultBetween, Flags, GuardOptions, Intermediate, Observation, OutOfRange,
    SafeAction, Source, Stats, Status, StepError,
};

use crate::echo::{MS, PERIOD, changed, policy};

const OK: Flags = Flags::empty();
const BETWEEN: Flags = Flags::INTERMEDIATE;
const NAN: Flags = Flags::OBS_NOT_FINITE;
const AGAIN: Flags = Flags::ASKED_AGAIN;
/// What a first tick with rates says.
const UNKNOWN: Flags = Flags::RATE_UNKNOWN;
const UNTOUCHED: f32 = 9.0;

fn options() -> ControllerOptions {
    ControllerOptions::default()
}

/// Hold for 15 ms after the next action was due, then command -1 and 0. `x` changes by at most 125 a second.
fn careful() -> ControllerOptions {
    let safe = SafeAction::Commands(vec![-1.0, 0.0]);
    let fallback = Fallback::HoldThenSafe { hold_ns: 15 * MS, safe };
    options().with_guard(GuardOptions::default().with_max_rate("x", 125.0).with_fallback(fallback))
}

/// A tick at this millisecond of an observation measured a millisecond before, `x` alone; its flags, its source and the
/// command that is then in the buffer.
type Tick = (u64, f32, Flags, Source, f32);

/// The last tick's status, and the statistics.
struct Outcome {
    last: Status,
    stats: Stats,
}

/// Run these ticks.
fn check(options: &ControllerOptions, ticks: &[Tick]) -> Outcome {
    let mut controller = Controller::new(policy(false), options).unwrap();
    let mut action = [UNTOUCHED; 2];
    let mut last = Status::default();
    for (ms, x, flags, source, expected) in ticks {
        let obs = Observation { values: &[*x, 0.0], stamp_ns: (ms * MS).saturating_sub(MS), mask: &[] };
        last = controller.tick(ms * MS, obs, &mut action);
        assert_eq!((last.flags, last.source, action[0]), (*flags, *source, *expected), "at {ms} ms: {last}");
    }
    let stats = controller.stats();
    let policy = ticks.iter().filter(|t| t.3 == Source::Policy).count() as u64;
    assert_eq!(policy + stats.held + stats.safe + stats.none, ticks.len() as u64);
    assert_eq!(stats.faults, ticks.iter().filter(|t| t.2.is_fault()).count() as u64);
    Outcome { last, stats }
}

#[test]
fn between_two_periods_the_action_is_repeated() {
    let Outcome { last, stats } = check(
        &options(),
        &[
            (100, 0.5, OK, Source::Policy, 0.5),
            (101, 0.25, BETWEEN, Source::Policy, 0.5),
            // The observation must be good all the same.
            (108, f32::NAN, BETWEEN | NAN, Source::None, 0.5),
            (109, -0.25, BETWEEN, Source::Policy, 0.5),
            (110, 0.25, OK, Source::Policy, 0.25),
            (119, 0.5, BETWEEN, Source::Policy, 0.25),
        ],
    );
    assert_eq!((last.held_ns, last.obs_age_ns, last.lateness_ns), (9 * MS, MS, 0));
    assert_eq!(stats, Stats { native_ticks: 2, intermediate_ticks: 4, faults: 1, none: 1, ..Stats::default() });
}

/// Held, with any fallback, until the period; what is wrong with the time acts at once.
#[test]
fn a_fault_between_two_periods_may_wait_for_the_next() {
    let Outcome { last, stats } = check(
        &options().with_fault_between(FaultBetween::AtPeriod),
        &[
            (100, 0.5, OK, Source::Policy, 0.5),
            (101, f32::NAN, BETWEEN | NAN, Source::Held, 0.5),
            (102, 0.25, BETWEEN, Source::Policy, 0.5),
            (109, f32::NAN, BETWEEN | NAN, Source::Held, 0.5),
            (110, f32::NAN, NAN, Source::None, 0.5),
            (111, f32::NAN, NAN | AGAIN, Source::None, 0.5),
            (112, 0.25, AGAIN, Source::Policy, 0.25),
            (113, 0.5, BETWEEN, Source::Policy, 0.25),
            (112, 0.5, Flags::TIME_BACKWARDS, Source::None, 0.25),
        ],
    );
    assert_eq!((last.obs_age_ns, stats.asked_again, stats.held), (0, 2, 2));
}

#[test]
fn between_two_periods_the_policy_is_asked_if_wanted() {
    let Outcome { last, .. } = check(
        &options().with_intermediate(Intermediate::Evaluate),
        &[
            (100, 0.5, OK, Source::Policy, 0.5),
            (104, 0.25, BETWEEN, Source::Policy, 0.25),
            (105, f32::NAN, BETWEEN | NAN, Source::None, 0.25),
            (105, -0.5, BETWEEN | Flags::TIME_STANDS_STILL, Source::Policy, -0.5),
            (110, 0.75, OK, Source::Policy, 0.75),
            (111, 0.0, BETWEEN, Source::Policy, 0.0),
        ],
    );
    assert_eq!((last.held_ns, last.obs_age_ns), (0, MS));
}

/// However long it is: what is held is not held longer than it may, and the policy is asked with the first good one.
#[test]
fn a_held_action_does_not_outlive_its_time() {
    let limited = Flags::RATE_LIMITED;
    let Outcome { last, stats } = check(
        &careful(),
        &[
            (100, 0.5, UNKNOWN, Source::Policy, 0.5),
            (105, f32::NAN, BETWEEN | NAN, Source::Held, 0.5),
            (106, 0.25, BETWEEN, Source::Policy, 0.5),
            (110, f32::NAN, NAN, Source::Held, 0.5),
            (111, f32::NAN, AGAIN | NAN, Source::Held, 0.5),
            // The next action was due at 110.
            (125, f32::NAN, NAN, Source::Held, 0.5),
            (126, f32::NAN, AGAIN | NAN, Source::Safe, -1.0),
            (127, 0.25, AGAIN | limited, Source::Policy, -0.875),
            // Between two periods it goes on, and is held where it came to.
            (128, 0.25, BETWEEN | limited, Source::Policy, -0.75),
            (130, f32::NAN, NAN, Source::Held, -0.75),
            (145, f32::NAN, NAN, Source::Held, -0.75),
            (146, f32::NAN, AGAIN | NAN, Source::Safe, -1.0),
        ],
    );
    assert_eq!((last.held_ns, last.index, last.lateness_ns), (0, 0, 6 * MS));
    assert_eq!((stats.held, stats.safe, stats.none, stats.asked_again), (6, 2, 0, 4));
    check(&options(), &[(0, f32::NAN, NAN, Source::None, 9.0), (1, 0.5, AGAIN, Source::Policy, 0.5)]);
}

/// What is said of an observation is said of this tick's.
#[test]
fn observations_are_clamped_between_two_periods_too() {
    let narrow = |t: &mut omiga_format::TaskSpec| t.agents[0].obs[0].range = Some(omiga_format::Range::new(-0.5, 0.5));
    let guard = GuardOptions::default().with_out_of_range(OutOfRange::ClampAndReport).with_max_rate("y", 1000.0);
    let mut controller = Controller::new(changed(false, narrow), &options().with_guard(guard)).unwrap();
    controller.reset_to(&[0.0; 2]).unwrap();
    let mut action = [UNTOUCHED; 2];
    let limited = Flags::RATE_LIMITED;
    for (ms, flags, index, expected) in [
        (0, Flags::OBS_CLAMPED | limited, 0, [0.5, 0.0]),
        (1, Flags::OBS_CLAMPED | limited | BETWEEN, 0, [0.5, 1.0]),
        (3, Flags::OBS_CLAMPED | BETWEEN, 0, [0.5, 2.0]),
        (9, BETWEEN, u32::MAX, [0.5, 2.0]),
        (10, limited, 1, [0.25, 1.0]),
        (13, BETWEEN, u32::MAX, [0.25, -1.0]),
    ] {
        let values = if ms < 9 { [7.0, 2.0] } else { [0.25, -1.0] };
        let obs = Observation { values: &values, stamp_ns: ms * MS, mask: &[] };
        let status = controller.tick(ms * MS, obs, &mut action);
        assert_eq!((status.flags, status.index, action), (flags, index, expected), "at {ms} ms: {status}");
    }
}

#[test]
fn lateness_jitter_and_skipped_periods_are_reported() {
    let strict = options().with_max_lateness_ns(MS).with_max_jitter_ns(2 * MS);
    let Outcome { last, stats } = check(
        &strict,
        &[
            (100, 0.5, OK, Source::Policy, 0.5),
            (111, 0.25, OK, Source::Policy, 0.25),
            (122, 0.5, Flags::LATE, Source::Policy, 0.5),
            (133, 0.25, Flags::LATE, Source::Policy, 0.25),
            (140, 0.5, Flags::JITTER, Source::Policy, 0.5),
            (175, 0.0, Flags::LATE | Flags::JITTER | Flags::SKIPPED, Source::Policy, 0.0),
        ],
    );
    assert_eq!(last.lateness_ns, 25 * MS);
    let expected = Stats {
        native_ticks: 6,
        late_ticks: 3,
        jitter_ticks: 2,
        skipped_periods: 2,
        max_lateness_ns: 25 * MS,
        // 0, 1, 2, 3, 0, 25
        mean_lateness_ns: 31 * MS / 6,
        max_jitter_ns: 25 * MS,
        // 1, 1, 1, 3, 25
        mean_jitter_ns: 31 * MS / 5,
        ..Stats::default()
    };
    assert_eq!(stats, expected);
}

/// A jump ahead is as suspicious as one back; then the command goes on from where the actuators are, and after any
/// pause no faster than within a period.
#[test]
fn a_gap_is_doubted_and_starts_anew_from_the_last_command() {
    let mut slow = careful().with_max_gap_ns(30 * MS);
    slow.guard.max_rate = vec![("x".to_owned(), 12.5)];
    let (limited, jumped) = (Flags::RATE_LIMITED, Flags::TIME_JUMPED);
    let before = [
        (100, 0.0, UNKNOWN, Source::Policy, 0.0),
        // Not a gap yet.
        (130, 1.0, limited | Flags::SKIPPED, Source::Policy, 0.125),
    ];
    let doubted = [
        (161, 1.0, jumped | Flags::DECLARED, Source::Safe, -1.0),
        (171, 1.0, limited | Flags::GAP, Source::Policy, -0.875),
        (181, 1.0, limited, Source::Policy, -0.75),
    ];
    let Outcome { last, stats } = check(&slow, &[&before[..], &doubted].concat());
    assert_eq!((last.lateness_ns, stats.gaps, stats.skipped_periods, stats.native_ticks), (0, 1, 2, 4));
    let believed =
        [(161, 1.0, limited | Flags::GAP | jumped, Source::Policy, 0.25), (171, 1.0, limited, Source::Policy, 0.375)];
    slow.guard = slow.guard.without_fault_on(jumped);
    check(&slow, &[&before[..], &believed].concat());
    let own = &[(0, 0.0, OK, Source::Policy, 0.0), (100, 0.0, Flags::SKIPPED, Source::Policy, 0.0)];
    check(&options(), own);
    check(&options(), &[own[0], (101, 0.0, jumped | Flags::DECLARED, Source::None, 0.0)]);
}

#[test]
fn a_clock_that_stands_is_a_fault_after_some_ticks() {
    let still = BETWEEN | Flags::TIME_STANDS_STILL;
    let stalled = still | Flags::CLOCK_STALLED;
    let Outcome { stats, .. } = check(
        &careful().with_max_stalled_ticks(2),
        &[
            (100, 0.5, UNKNOWN, Source::Policy, 0.5),
            (100, 0.5, still, Source::Policy, 0.5),
            (100, 0.5, still, Source::Policy, 0.5),
            // Nothing is held.
            (100, 0.5, stalled, Source::Safe, -1.0),
            (100, 0.5, stalled, Source::Safe, -1.0),
            // It goes on with what the policy says now, as fast as allowed.
            (104, 0.5, Flags::GAP | Flags::RATE_LIMITED, Source::Policy, -0.5),
            (110, -0.25, BETWEEN | Flags::RATE_LIMITED, Source::Policy, 0.25),
            (114, 0.25, OK, Source::Policy, 0.25),
        ],
    );
    assert_eq!((stats.native_ticks, stats.intermediate_ticks, stats.gaps), (3, 5, 1));
    let ticks: Vec<Tick> = (0..18)
        .map(|i| match i {
            0 => (7, 0.5, OK, Source::Policy, 0.5),
            1..17 => (7, 0.5, still, Source::Policy, 0.5),
            _ => (7, 0.5, stalled, Source::None, 0.5),
        })
        .collect();
    check(&options(), &ticks);
}

#[test]
fn a_time_that_goes_back_is_a_fault_until_it_is_what_it_was_or_goes_on() {
    let (back, gap) = (Flags::TIME_BACKWARDS, Flags::GAP);
    for intermediate in [Intermediate::Hold, Intermediate::Evaluate] {
        let ticks = [
            (100, -1.0, UNKNOWN, Source::Policy, -1.0),
            (105, -1.0, BETWEEN, Source::Policy, -1.0),
            (104, -1.0, back, Source::Safe, -1.0),
            (0, f32::NAN, back | NAN, Source::Safe, -1.0),
            // Perhaps an hour later: not the old action, which was -1.
            (106, -0.875, gap, Source::Policy, -0.875),
            (110, -0.75, BETWEEN, Source::Policy, if intermediate == Intermediate::Hold { -0.875 } else { -0.75 }),
            (116, -0.75, OK, Source::Policy, -0.75),
            // A clock that was set.
            (40, -0.75, back, Source::Safe, -1.0),
            (42, -0.75, gap, Source::Policy, -0.75),
            (52, -0.75, OK, Source::Policy, -0.75),
        ];
        let Outcome { stats, .. } = check(&careful().with_intermediate(intermediate), &ticks);
        assert_eq!((stats.native_ticks, stats.intermediate_ticks, stats.safe, stats.gaps), (5, 2, 3, 2));
    }
}

/// After a wrong time the held action is not taken up again.
#[test]
fn once_safe_only_the_policy_leads_away_from_it() {
    check(
        &careful(),
        &[
            (100, -0.5, UNKNOWN, Source::Policy, -0.5),
            (110, f32::NAN, NAN, Source::Held, -0.5),
            (109, -0.5, Flags::TIME_BACKWARDS, Source::Safe, -1.0),
            (112, f32::NAN, Flags::GAP | NAN, Source::Safe, -1.0),
            (114, -0.5, AGAIN | Flags::RATE_LIMITED, Source::Policy, -0.75),
            (122, -0.5, OK, Source::Policy, -0.5),
        ],
    );
}

#[test]
fn a_wrong_buffer_is_no_tick() {
    let mut controller = Controller::new(policy(false), &careful()).unwrap();
    let obs = Observation { values: &[0.5, 0.0], stamp_ns: 100 * MS, mask: &[] };
    let (mut action, mut choice) = ([UNTOUCHED; 3], 77);
    let status = controller.tick(100 * MS, obs, &mut action);
    assert_eq!((status.flags, status.source, action), (Flags::ACTION_WIDTH, Source::None, [UNTOUCHED; 3]));
    let status = controller.tick_choice(100 * MS, obs, &mut choice);
    assert_eq!((status.flags, status.source, choice), (Flags::WRONG_KIND, Source::None, 77));
    assert_eq!(controller.next_tick_ns(), None);
    assert_eq!(controller.stats(), Stats { faults: 2, none: 2, ..Stats::default() });
    assert!(controller.tick(100 * MS, obs, &mut action[..2]).is_ok());
    assert_eq!(controller.next_tick_ns(), Some(110 * MS));
}

#[test]
fn resets_start_a_new_phase() {
    let mut controller = Controller::new(policy(false), &careful()).unwrap();
    let mut action = [UNTOUCHED; 2];
    let mut tick = |c: &mut Controller, ms: u64, x: f32| {
        let status = c.tick(ms * MS, Observation { values: &[x, 0.0], stamp_ns: ms * MS, mask: &[] }, &mut action);
        (status.flags, action[0])
    };
    assert_eq!(tick(&mut controller, 100, 1.0), (UNKNOWN, 1.0));
    controller.reset();
    assert_eq!(controller.next_tick_ns(), None);
    assert_eq!(tick(&mut controller, 2, 0.0), (Flags::RATE_LIMITED, 1.0));
    controller.reset_free();
    assert_eq!(tick(&mut controller, 3, 0.0), (UNKNOWN, 0.0));
    assert_eq!(tick(&mut controller, 13, 0.25), (OK, 0.25));
    assert_eq!(controller.reset_to(&[0.0]), Err(StepError::ActionWidth { expected: 2, found: 1 }));
    assert_eq!(tick(&mut controller, 14, 0.5), (BETWEEN, 0.25));
    controller.reset_to(&[-1.0, 0.0]).unwrap();
    assert_eq!(tick(&mut controller, 1, 1.0), (Flags::RATE_LIMITED, -1.0));
    assert_eq!(tick(&mut controller, 11, 1.0), (Flags::RATE_LIMITED, 0.25));
    assert_eq!(controller.stats().native_ticks, 6);
    assert_eq!((controller.period_ns(), controller.policy().name()), (PERIOD, "echo.onnx"));
}

/// The policy takes the largest of three values, whatever the mask; the safe choice is 2.
#[test]
fn a_mask_that_takes_the_choice_away_makes_the_policy_choose_anew() {
    let guard = GuardOptions::default().with_fallback(Fallback::Safe(SafeAction::Choice(2)));
    let mut controller = Controller::new(policy(true), &options().with_guard(guard)).unwrap();
    let mut choice = 77;
    let (missing, none) = (AGAIN | Flags::ACTION_NOT_AVAILABLE, u32::MAX);
    type Tick<'a> = (u64, [f32; 3], &'a [bool], Flags, u32, Source, u32);
    const SECOND: [f32; 3] = [0.0, 1.0, 0.0];
    const FIRST: [f32; 3] = [1.0, 0.0, 0.0];
    let steps: [Tick<'_>; 12] = [
        (0, SECOND, &[true; 3], OK, none, Source::Policy, 1),
        (1, FIRST, &[true, true, false], BETWEEN, none, Source::Policy, 1),
        (2, FIRST, &[true, false, true], AGAIN, none, Source::Policy, 0),
        (3, SECOND, &[true; 3], BETWEEN, none, Source::Policy, 0),
        // What it chooses is not there, either: it stays due.
        (4, SECOND, &[false, false, true], missing, 1, Source::Safe, 2),
        (5, SECOND, &[true, false, false], missing, 1, Source::None, 2),
        (6, SECOND, &[true; 2], AGAIN | Flags::MASK_WIDTH, none, Source::None, 2),
        (7, SECOND, &[true; 3], AGAIN, none, Source::Policy, 1),
        (8, FIRST, &[true; 3], BETWEEN, none, Source::Policy, 1),
        (9, FIRST, &[false; 3], BETWEEN | Flags::NO_ACTION_AVAILABLE | Flags::ACTION_NOT_AVAILABLE, 2, Source::None, 1),
        (9, FIRST, &[true; 4], BETWEEN | Flags::MASK_WIDTH | Flags::TIME_STANDS_STILL, none, Source::None, 1),
        (10, FIRST, &[true; 3], OK, none, Source::Policy, 0),
    ];
    for (ms, values, mask, flags, index, source, expected) in steps {
        let obs = Observation { values: &values, stamp_ns: ms * MS, mask };
        let status = controller.tick_choice(ms * MS, obs, &mut choice);
        assert_eq!((status.flags, status.index, status.source), (flags, index, source), "at {ms} ms: {status}");
        assert!(source == Source::None || choice == expected, "at {ms} ms: {status}: {choice}");
    }
}

fn check_refused(options: &ControllerOptions, period_ns: Option<u64>, message: &str) {
    let error = Controller::new(changed(false, |t| t.period_ns = period_ns), options).unwrap_err().to_string();
    assert_eq!(error, format!("echo.onnx: {message}; correct the options"));
}

#[test]
fn a_period_is_needed() {
    let expected = "period_ns is not set, expected a time, as the contract has none either";
    check_refused(&options(), None, expected);
    check_refused(&options().with_period_ns(0), Some(5), "period_ns is 0, expected above 0");
    let short = options().with_max_gap_ns(4);
    check_refused(&short, Some(5), "max_gap_ns is 4, expected at least the period of 5");
    let guard = GuardOptions::default().with_max_obs_age_ns(0);
    check_refused(&options().with_guard(guard), Some(5), "max_obs_age_ns is 0, expected above 0");
    let own = Controller::new(changed(false, |t| t.period_ns = None), &options().with_period_ns(7)).unwrap();
    assert_eq!(own.period_ns(), 7);
    let longest = Controller::new(policy(false), &options().with_period_ns(u64::MAX)).unwrap();
    assert_eq!(longest.period_ns(), u64::MAX);
}
