//! Ticks of a controller on a clock that is moved by hand. The policy's period is 10 ms.

use omiga_runtime::{
    Controller, ControllerOptions, Fallback, Flags, GuardOptions, Intermediate, Observation, OutOfRange, SafeAction,
    Source, Stats, Status, StepError,
};

use crate::echo::{MS, PERIOD, changed, policy};

const OK: Flags = Flags::empty();
const BETWEEN: Flags = Flags::INTERMEDIATE;
const NAN: Flags = Flags::OBS_NOT_FINITE;
const UNTOUCHED: f32 = 9.0;

fn options() -> ControllerOptions {
    ControllerOptions::default()
}

/// Hold for 15 ms, then command -1 and 0. `x` changes by at most 125 a second.
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
            // Of the observation nothing counts.
            (109, f32::NAN, BETWEEN, Source::Policy, 0.5),
            (110, 0.25, OK, Source::Policy, 0.25),
            (119, 0.5, BETWEEN, Source::Policy, 0.25),
        ],
    );
    assert_eq!((last.held_ns, last.obs_age_ns, last.lateness_ns), (9 * MS, 10 * MS, 0));
    assert_eq!(stats, Stats { native_ticks: 2, intermediate_ticks: 3, ..Stats::default() });
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

/// A fault lasts until the next period, and what is held no longer than it may.
#[test]
fn a_held_action_does_not_outlive_its_time_between_two_periods() {
    let Outcome { last, stats } = check(
        &careful(),
        &[
            (100, 0.5, OK, Source::Policy, 0.5),
            (110, f32::NAN, NAN, Source::Held, 0.5),
            (115, 0.25, BETWEEN | NAN, Source::Held, 0.5),
            (116, 0.25, BETWEEN | NAN, Source::Safe, -1.0),
            (119, 0.25, BETWEEN | NAN, Source::Safe, -1.0),
            (120, 0.25, Flags::RATE_LIMITED, Source::Policy, -0.875),
            // Between two periods it goes on, and is held where it came to.
            (125, 0.25, BETWEEN | Flags::RATE_LIMITED, Source::Policy, -0.25),
            (130, f32::NAN, NAN, Source::Held, -0.25),
        ],
    );
    assert_eq!((last.held_ns, last.index), (10 * MS, 0));
    assert_eq!((stats.held, stats.safe, stats.none, stats.faults), (3, 2, 0, 5));
    let never = check(&options(), &[(0, f32::NAN, NAN, Source::None, 9.0), (1, 0.5, BETWEEN | NAN, Source::None, 9.0)]);
    assert_eq!((never.last.index, never.stats.none), (0, 2));
}

/// What was said of the observation is said again with the action that was made from it.
#[test]
fn a_repeated_action_is_still_one_from_a_clamped_observation() {
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
        (9, Flags::OBS_CLAMPED | BETWEEN, 0, [0.5, 2.0]),
        (10, limited, 1, [0.25, 1.0]),
        (13, BETWEEN, u32::MAX, [0.25, -1.0]),
    ] {
        let values = if ms < 10 { [7.0, 2.0] } else { [0.25, -1.0] };
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

/// After a gap the command goes on from where the actuators are, no faster than within a period.
#[test]
fn a_gap_starts_anew_from_the_last_command() {
    let mut slow = careful().with_max_gap_ns(30 * MS);
    slow.guard.max_rate = vec![("x".to_owned(), 12.5)];
    let limited = Flags::RATE_LIMITED;
    let Outcome { last, stats } = check(
        &slow,
        &[
            (100, 0.0, OK, Source::Policy, 0.0),
            // Not a gap yet: the rate counts for all 30 ms.
            (130, 1.0, limited | Flags::SKIPPED, Source::Policy, 0.375),
            (161, 1.0, limited | Flags::GAP, Source::Policy, 0.5),
            (171, 1.0, limited, Source::Policy, 0.625),
        ],
    );
    assert_eq!((last.lateness_ns, stats.gaps, stats.skipped_periods, stats.native_ticks), (0, 1, 2, 4));
    let own = &[(0, 0.0, OK, Source::Policy, 0.0), (100, 0.0, Flags::SKIPPED, Source::Policy, 0.0)];
    check(&options(), own);
    check(&options(), &[own[0], (101, 0.0, Flags::GAP, Source::Policy, 0.0)]);
}

#[test]
fn a_clock_that_stands_is_a_fault_after_some_ticks() {
    let still = BETWEEN | Flags::TIME_STANDS_STILL;
    let stalled = still | Flags::CLOCK_STALLED;
    let Outcome { stats, .. } = check(
        &careful().with_max_stalled_ticks(2),
        &[
            (100, 0.5, OK, Source::Policy, 0.5),
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
fn a_time_that_goes_back_is_a_fault_until_it_is_past_what_it_was() {
    let back = Flags::TIME_BACKWARDS;
    for intermediate in [Intermediate::Hold, Intermediate::Evaluate] {
        let Outcome { stats, .. } = check(
            &careful().with_intermediate(intermediate),
            &[
                (100, -1.0, OK, Source::Policy, -1.0),
                (105, -1.0, BETWEEN, Source::Policy, -1.0),
                (104, -1.0, back, Source::Safe, -1.0),
                (0, f32::NAN, back, Source::Safe, -1.0),
                (105, -1.0, back, Source::Safe, -1.0),
                // Perhaps an hour later: not the old action, which was -1.
                (106, -0.875, Flags::GAP, Source::Policy, -0.875),
                (110, -0.75, BETWEEN, Source::Policy, if intermediate == Intermediate::Hold { -0.875 } else { -0.75 }),
                (116, -0.75, OK, Source::Policy, -0.75),
            ],
        );
        assert_eq!((stats.native_ticks, stats.intermediate_ticks, stats.safe, stats.gaps), (3, 2, 3, 1));
    }
}

/// After a wrong time the held action is not taken up again.
#[test]
fn once_safe_only_the_policy_leads_away_from_it() {
    check(
        &careful(),
        &[
            (100, -0.5, OK, Source::Policy, -0.5),
            (110, f32::NAN, NAN, Source::Held, -0.5),
            (109, -0.5, Flags::TIME_BACKWARDS, Source::Safe, -1.0),
            (112, f32::NAN, Flags::GAP | NAN, Source::Safe, -1.0),
            (120, -0.5, BETWEEN | NAN, Source::Safe, -1.0),
            (122, -0.5, Flags::RATE_LIMITED, Source::Policy, -0.75),
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
    assert_eq!(tick(&mut controller, 100, 1.0), (OK, 1.0));
    controller.reset();
    assert_eq!(controller.next_tick_ns(), None);
    assert_eq!(tick(&mut controller, 3, 0.0), (OK, 0.0));
    assert_eq!(tick(&mut controller, 13, 0.25), (OK, 0.25));
    assert_eq!(controller.reset_to(&[0.0]), Err(StepError::ActionWidth { expected: 2, found: 1 }));
    assert_eq!(tick(&mut controller, 14, 0.5), (BETWEEN, 0.25));
    controller.reset_to(&[-1.0, 0.0]).unwrap();
    assert_eq!(tick(&mut controller, 1, 1.0), (Flags::RATE_LIMITED, -1.0));
    assert_eq!(tick(&mut controller, 11, 1.0), (Flags::RATE_LIMITED, 0.25));
    assert_eq!(controller.stats().native_ticks, 5);
    assert_eq!((controller.period_ns(), controller.policy().name()), (PERIOD, "echo.onnx"));
}

/// The policy takes the largest of three values; the safe choice is 2.
#[test]
fn choices_between_two_periods_heed_the_mask() {
    let guard = GuardOptions::default().with_fallback(Fallback::Safe(SafeAction::Choice(2)));
    let mut controller = Controller::new(policy(true), &options().with_guard(guard)).unwrap();
    let mut choice = 77;
    let missing = BETWEEN | Flags::ACTION_NOT_AVAILABLE;
    type Tick<'a> = (u64, &'a [bool], Flags, u32, Source, u32);
    let steps: [Tick<'_>; 7] = [
        (0, &[true; 3], OK, u32::MAX, Source::Policy, 1),
        (1, &[true, true, false], BETWEEN, u32::MAX, Source::Policy, 1),
        (2, &[true, false, true], missing, 1, Source::Safe, 2),
        (3, &[true, false, false], missing, 1, Source::None, 2),
        (4, &[true; 2], BETWEEN | Flags::MASK_WIDTH, u32::MAX, Source::None, 2),
        (5, &[true; 3], BETWEEN, u32::MAX, Source::Policy, 1),
        (10, &[true; 3], OK, u32::MAX, Source::Policy, 1),
    ];
    for (ms, mask, flags, index, source, expected) in steps {
        let obs = Observation { values: &[0.0, 1.0, 0.0], stamp_ns: ms * MS, mask };
        let status = controller.tick_choice(ms * MS, obs, &mut choice);
        assert_eq!((status.flags, status.index, status.source), (flags, index, source), "at {ms} ms: {status}");
        assert_eq!(choice, expected, "at {ms} ms: {status}");
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
