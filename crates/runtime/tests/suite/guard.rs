//! Guarded steps on a clock that is moved by hand.

use omiga_runtime::{
    Fallback, Flags, Guard, GuardOptions, LoadOptions, Observation, OutOfRange, Policy, SafeAction, Source, StepError,
};

use crate::echo::{MAX_AGE, MS, changed, policy};
use crate::{small_team, support};

const UNTOUCHED: f32 = 9.0;
const NONE: u32 = u32::MAX;
const OK: Flags = Flags::empty();

fn obs(values: &[f32], stamp_ns: u64) -> Observation<'_> {
    Observation { values, stamp_ns, mask: &[] }
}

fn safe(x: f32, y: f32) -> SafeAction {
    SafeAction::Commands(vec![x, y])
}

fn hold(hold_ns: u64, safe: SafeAction) -> GuardOptions {
    GuardOptions::default().with_fallback(Fallback::HoldThenSafe { hold_ns, safe })
}

/// One step of a new guard, at 100 ms.
fn check_fault(values: &[f32], stamp_ns: u64, flags: Flags, index: u32) {
    let mut guard = Guard::new(policy(false), &GuardOptions::default()).unwrap();
    let mut action = [UNTOUCHED; 2];
    let status = guard.step(100 * MS, obs(values, stamp_ns), &mut action);
    assert_eq!((status.flags, status.index, status.source), (flags, index, Source::None), "{status}");
    assert_eq!(action, [UNTOUCHED; 2]);
    assert!(!status.is_ok() && !status.has_action());
}

#[test]
fn every_fault_leaves_the_buffer_alone() {
    let now = 100 * MS;
    check_fault(&[0.0; 3], now, Flags::OBS_WIDTH, NONE);
    check_fault(&[f32::NAN; 1], now, Flags::OBS_WIDTH, NONE);
    check_fault(&[0.0, f32::NAN], now, Flags::OBS_NOT_FINITE, 1);
    check_fault(&[f32::NEG_INFINITY, 0.0], now, Flags::OBS_NOT_FINITE, 0);
    check_fault(&[2.1, 0.0], now, Flags::OBS_OUT_OF_RANGE, 0);
    check_fault(&[-2.1, 0.0], now, Flags::OBS_OUT_OF_RANGE, 0);
    // Without a range, but nothing that a sensor measured.
    check_fault(&[0.0, f32::MAX], now, Flags::OBS_OUT_OF_RANGE, 1);
    check_fault(&[0.0, -1.1e18], now, Flags::OBS_OUT_OF_RANGE, 1);
    check_fault(&[0.0; 2], now - MAX_AGE - 1, Flags::OBS_STALE, NONE);
    check_fault(&[0.0; 2], now + MS + 1, Flags::OBS_FROM_FUTURE, NONE);
    check_fault(&[0.0, 4e8], now, Flags::ACTION_NOT_FINITE, 1);
    check_fault(&[0.0, 3.01], now, Flags::ACTION_OUT_OF_BOUNDS, 1);
    check_fault(&[-1.01, -1.01], now, Flags::ACTION_OUT_OF_BOUNDS, 0);
    // By the smallest step that there is.
    check_fault(&[1.0_f32.next_up(), 3.0], now, Flags::ACTION_OUT_OF_BOUNDS, 0);
    check_fault(&[0.0, (-1.0_f32).next_down()], now, Flags::ACTION_OUT_OF_BOUNDS, 1);
    check_fault(&[2.0_f32.next_up(), 3.0], now, Flags::OBS_OUT_OF_RANGE, 0);
    // Several at once: the index is of the first.
    check_fault(&[2.1, f32::NAN], 0, Flags::OBS_NOT_FINITE | Flags::OBS_OUT_OF_RANGE | Flags::OBS_STALE, 1);
    check_fault(&[0.0; 1], u64::MAX, Flags::OBS_WIDTH | Flags::OBS_FROM_FUTURE, NONE);
}

#[test]
fn a_mask_is_for_choices_only() {
    let mut guard = Guard::new(policy(false), &GuardOptions::default()).unwrap();
    let status = guard.step(0, Observation { mask: &[true; 2], ..obs(&[0.0; 2], 0) }, &mut [0.0; 2]);
    assert_eq!((status.flags, status.source), (Flags::MASK_WIDTH, Source::None));
}

/// Nothing can be written, so nothing is done, the safe action included.
#[test]
fn a_wrong_buffer_changes_nothing() {
    let options = GuardOptions::default().with_fallback(Fallback::Safe(safe(0.5, 0.5)));
    let mut guard = Guard::new(policy(false), &options).unwrap();
    let (mut choice, mut action) = (77, [UNTOUCHED; 2]);
    for width in [0, 1, 3] {
        let mut action = vec![UNTOUCHED; width];
        let status = guard.step(50 * MS, obs(&[f32::NAN; 2], 0), &mut action);
        assert_eq!((status.flags, status.source), (Flags::ACTION_WIDTH, Source::None));
        assert!(action.iter().all(|x| *x == UNTOUCHED));
    }
    let status = guard.choose(50 * MS, obs(&[0.0; 2], 50 * MS), &mut choice);
    assert_eq!((status.flags, status.source, choice), (Flags::WRONG_KIND, Source::None, 77));
    // Not even the time.
    assert!(guard.step(MS, obs(&[0.0; 2], MS), &mut action).is_ok());

    let mut guard = Guard::new(policy(true), &GuardOptions::default()).unwrap();
    let status = guard.step(0, Observation { mask: &[true; 3], ..obs(&[0.0; 3], 0) }, &mut action[..0]);
    assert_eq!((status.flags, status.source), (Flags::WRONG_KIND, Source::None));
}

/// A step at this millisecond, of an observation measured at that one; its flags, its source and the action that is then
/// in the buffer.
type Step = (u64, u64, [f32; 2], Flags, Source, [f32; 2]);

fn check(options: &GuardOptions, steps: &[Step]) {
    let mut guard = Guard::new(policy(false), options).unwrap();
    let mut action = [UNTOUCHED; 2];
    for (now, stamp, values, flags, source, expected) in steps {
        let status = guard.step(now * MS, obs(values, stamp * MS), &mut action);
        assert_eq!((status.flags, status.source, action), (*flags, *source, *expected), "at {now} ms: {status}");
        let right = !status.flags.contains(Flags::TIME_BACKWARDS);
        assert_eq!(status.obs_age_ns, if right { now.saturating_sub(*stamp) * MS } else { 0 });
        assert_eq!(status.is_ok(), matches!(source, Source::Policy));
    }
}

const NAN: [f32; 2] = [f32::NAN; 2];

#[test]
fn values_out_of_range_are_clamped_if_asked_for() {
    let clamp = GuardOptions::default().with_out_of_range(OutOfRange::ClampAndReport);
    let (clamped, infinite) = (Flags::OBS_CLAMPED, Flags::OBS_NOT_FINITE);
    let beyond = clamped | Flags::ACTION_OUT_OF_BOUNDS;
    check(
        &clamp,
        &[
            (0, 0, [1.0, 1.0], OK, Source::Policy, [1.0, 1.0]),
            // The policy was given 2, which is not inside its own bounds.
            (1, 1, [7.0, 1.0], beyond, Source::None, [1.0, 1.0]),
            (2, 2, [f32::INFINITY, 1.0], infinite, Source::None, [1.0, 1.0]),
            (3, 3, NAN, infinite, Source::None, [1.0, 1.0]),
        ],
    );
    let wide = |t: &mut omiga_format::TaskSpec| t.agents[0].obs[0].range = Some(omiga_format::Range::new(-0.5, 0.5));
    for options in [clamp, GuardOptions::default().with_out_of_range_of("obs.0", OutOfRange::ClampAndReport)] {
        let mut guard = Guard::new(changed(false, wide), &options).unwrap();
        let mut action = [UNTOUCHED; 2];
        let status = guard.step(0, obs(&[-7.0, 2.0], 0), &mut action);
        assert_eq!((status.flags, status.index, status.source, action), (clamped, 0, Source::Policy, [-0.5, 2.0]));
        let status = guard.step(1, obs(&[0.25, 2.0], 1), &mut action);
        assert_eq!((status.flags, status.index, status.source, action), (OK, NONE, Source::Policy, [0.25, 2.0]));
    }
}

#[test]
fn the_age_limit_is_the_options_or_the_contracts_or_none() {
    let fresh = |policy: Policy, options: &GuardOptions, age_ns: u64| {
        let mut guard = Guard::new(policy, options).unwrap();
        guard.step(u64::MAX, obs(&[0.0; 2], u64::MAX - age_ns), &mut [0.0; 2]).is_ok()
    };
    let own = GuardOptions::default();
    assert!(fresh(policy(false), &own, MAX_AGE) && !fresh(policy(false), &own, MAX_AGE + 1));
    let looser = GuardOptions::default().with_max_obs_age_ns(MAX_AGE * 2);
    assert!(fresh(policy(false), &looser, MAX_AGE * 2) && !fresh(policy(false), &looser, MAX_AGE * 2 + 1));
    assert!(fresh(changed(false, |t| t.max_obs_age_ns = None), &own, u64::MAX));
}

/// 125 a second is 0.125 a millisecond.
#[test]
fn commands_change_no_faster_than_their_rates() {
    let limited = Flags::RATE_LIMITED;
    check(
        &GuardOptions::default().with_max_rate("x", 125.0).with_fallback(Fallback::Safe(safe(-1.0, 0.0))),
        &[
            (10, 10, [1.0, 3.0], Flags::RATE_UNKNOWN, Source::Policy, [1.0, 3.0]),
            (11, 11, [-1.0, -1.0], limited, Source::Policy, [0.875, -1.0]),
            (13, 13, [-1.0, -1.0], limited, Source::Policy, [0.625, -1.0]),
            (14, 14, [0.5, -1.0], OK, Source::Policy, [0.5, -1.0]),
            // No time, no way.
            (14, 14, [0.0, 0.0], limited, Source::Policy, [0.5, 0.0]),
            // The safe action is there at once; the way back is limited.
            (15, 15, NAN, Flags::OBS_NOT_FINITE, Source::Safe, [-1.0, 0.0]),
            (16, 16, [0.0, 1.0], limited, Source::Policy, [-0.875, 1.0]),
            // After a pause no more than the contract's period of 10 ms counts.
            (100, 100, [1.0, 1.0], limited, Source::Policy, [0.375, 1.0]),
        ],
    );
}

/// Time without a command counts, up to a period: the actuator had it.
#[test]
fn the_rate_counts_from_the_last_command() {
    let rates = GuardOptions::default().with_max_rate("y", 125.0);
    let first = (0, 0, [0.0, 0.0], Flags::RATE_UNKNOWN, Source::Policy, [0.0, 0.0]);
    let nothing = |ms| (ms, ms, NAN, Flags::OBS_NOT_FINITE, Source::None, [0.0, 0.0]);
    let after = |ms, y| (ms, ms, [0.0, 3.0], Flags::RATE_LIMITED, Source::Policy, [0.0, y]);
    check(&rates, &[first, nothing(5), nothing(10), nothing(15), after(16, 1.25)]);
    check(&rates.clone().with_max_step_ns(14 * MS), &[first, nothing(5), nothing(10), after(16, 1.75)]);
    check(
        &rates,
        &[
            first,
            (1, 1, NAN, Flags::OBS_NOT_FINITE, Source::None, [0.0, 0.0]),
            (2, 2, [0.0, 1.0], Flags::RATE_LIMITED, Source::Policy, [0.0, 0.25]),
        ],
    );
}

#[test]
fn the_last_action_is_held_and_then_it_is_safe() {
    let (nan, stale) = (Flags::OBS_NOT_FINITE, Flags::OBS_STALE);
    check(
        &hold(20 * MS, safe(0.5, 0.5)),
        &[
            // Nothing to hold yet.
            (0, 0, NAN, nan, Source::Safe, [0.5, 0.5]),
            (10, 10, [0.0, 1.0], OK, Source::Policy, [0.0, 1.0]),
            (20, 10, [1.0, 1.0], stale, Source::Held, [0.0, 1.0]),
            (30, 30, NAN, nan, Source::Held, [0.0, 1.0]),
            // The next action was due at 20.
            (40, 40, NAN, nan, Source::Held, [0.0, 1.0]),
            (41, 41, NAN, nan, Source::Safe, [0.5, 0.5]),
            (42, 42, [0.25, 1.0], OK, Source::Policy, [0.25, 1.0]),
            (43, 43, [0.0, 9.0], Flags::ACTION_OUT_OF_BOUNDS, Source::Held, [0.25, 1.0]),
        ],
    );
    let mut guard = Guard::new(policy(false), &hold(20 * MS, safe(0.5, 0.5))).unwrap();
    let mut action = [UNTOUCHED; 2];
    let status = guard.step(MS, obs(&[0.0, 1.0], MS), &mut action);
    assert_eq!((status.held_ns, status.lateness_ns), (0, 0));
    assert_eq!(guard.step(8 * MS, obs(&NAN, 8 * MS), &mut action).held_ns, 7 * MS);
    assert_eq!(guard.step(31 * MS, obs(&NAN, 8 * MS), &mut action).held_ns, 30 * MS);
    assert_eq!(guard.step(32 * MS, obs(&NAN, 8 * MS), &mut action).held_ns, 0);
}

/// What is held is the command as it was limited.
#[test]
fn a_limited_command_is_held_where_it_was() {
    check(
        &hold(20 * MS, safe(-1.0, 0.0)).with_max_rate("x", 125.0),
        &[
            (0, 0, [0.0, 0.0], Flags::RATE_UNKNOWN, Source::Policy, [0.0, 0.0]),
            (1, 1, [1.0, 0.0], Flags::RATE_LIMITED, Source::Policy, [0.125, 0.0]),
            (2, 2, NAN, Flags::OBS_NOT_FINITE, Source::Held, [0.125, 0.0]),
            (31, 31, NAN, Flags::OBS_NOT_FINITE, Source::Held, [0.125, 0.0]),
            (32, 32, NAN, Flags::OBS_NOT_FINITE, Source::Safe, [-1.0, 0.0]),
        ],
    );
}

#[test]
fn a_time_that_goes_back_is_a_fault_until_it_has_caught_up_or_goes_on() {
    let (back, gap) = (Flags::TIME_BACKWARDS, Flags::GAP);
    let nan = Flags::OBS_NOT_FINITE;
    check(
        &hold(50 * MS, safe(0.5, 0.5)),
        &[
            (20, 20, [0.0, 1.0], OK, Source::Policy, [0.0, 1.0]),
            // Nothing is held, as nothing can be timed.
            (19, 19, [0.0, 1.0], back, Source::Safe, [0.5, 0.5]),
            // No ages from a wrong time.
            (5, 19, NAN, back | nan, Source::Safe, [0.5, 0.5]),
            // Once safe, only the policy leads away from it.
            (20, 20, NAN, gap | nan, Source::Safe, [0.5, 0.5]),
            (20, 20, [1.0, 1.0], OK, Source::Policy, [1.0, 1.0]),
            (21, 21, NAN, nan, Source::Held, [1.0, 1.0]),
            // A clock that was set.
            (7, 7, [1.0, 1.0], back, Source::Safe, [0.5, 0.5]),
            (8, 8, [1.0, 1.0], gap, Source::Policy, [1.0, 1.0]),
            (9, 9, [1.0, 0.0], OK, Source::Policy, [1.0, 0.0]),
        ],
    );
    let mut guard = Guard::new(policy(false), &GuardOptions::default()).unwrap();
    let mut step = |now_ns| guard.step(now_ns, obs(&[0.0; 2], now_ns), &mut [0.0; 2]).flags;
    assert_eq!([step(u64::MAX), step(0), step(0), step(1), step(2)], [OK, back, back, gap, OK]);
    guard.reset();
    assert!(guard.step(0, obs(&[0.0; 2], 0), &mut [0.0; 2]).is_ok());
}

#[test]
fn a_reset_forgets_and_reset_to_takes_over() {
    let options = hold(50 * MS, safe(0.0, 0.0)).with_max_rate("x", 125.0);
    let mut guard = Guard::new(policy(false), &options).unwrap();
    let mut action = [UNTOUCHED; 2];
    assert!(guard.step(0, obs(&[1.0, 1.0], 0), &mut action).is_ok());
    guard.reset();
    let status = guard.step(MS, obs(&NAN, MS), &mut action);
    assert_eq!((status.source, action), (Source::Safe, [0.0, 0.0]));
    // Where the actuators are is not forgotten.
    guard.reset();
    assert_eq!(guard.step(0, obs(&[1.0, 1.0], 0), &mut action).flags, Flags::RATE_LIMITED);
    assert_eq!(action, [0.0, 1.0]);
    guard.reset_free();
    assert_eq!(guard.step(0, obs(&[1.0, 1.0], 0), &mut action).flags, Flags::RATE_UNKNOWN);
    assert_eq!(action, [1.0, 1.0]);

    assert_eq!(guard.reset_to(&[0.0; 3]), Err(StepError::ActionWidth { expected: 2, found: 3 }));
    assert_eq!(guard.reset_to(&[0.0, f32::NAN]), Err(StepError::ActionNotFinite { index: 1 }));
    // 1.5 is beyond the bound of 1.
    guard.reset_to(&[1.5, 0.0]).unwrap();
    let mut check = |ms: u64, values: [f32; 2], flags: Flags, expected: [f32; 2]| {
        let status = guard.step(ms * MS, obs(&values, ms * MS), &mut action);
        assert_eq!((status.flags, status.source, action), (flags, Source::Policy, expected), "{status}");
    };
    check(70, [0.0, 1.0], Flags::RATE_LIMITED, [1.0, 1.0]);
    check(72, [0.0, 1.0], Flags::RATE_LIMITED, [0.75, 1.0]);
    let mut guard = Guard::new(policy(true), &GuardOptions::default()).unwrap();
    assert_eq!(guard.reset_to(&[]), Err(StepError::WrongKind));
}

/// A step of the policy that chooses the largest value: millisecond, observation, mask; flags, index, source, choice.
type Choice<'a> = (u64, [f32; 3], &'a [bool], Flags, u32, Source, u32);

fn check_choices(options: &GuardOptions, steps: &[Choice<'_>]) {
    let mut guard = Guard::new(policy(true), options).unwrap();
    let mut choice = 77;
    for (ms, values, mask, flags, index, source, expected) in steps {
        let status = guard.choose(ms * MS, Observation { values, stamp_ns: ms * MS, mask }, &mut choice);
        assert_eq!((status.flags, status.index), (*flags, *index), "at {ms} ms: {status}");
        assert_eq!((status.source, choice), (*source, *expected), "at {ms} ms: {status}");
    }
}

#[test]
fn choices_are_available_or_not_made() {
    let (all, not_1): (&[bool], &[bool]) = (&[true; 3], &[true, false, true]);
    let missing = Flags::ACTION_NOT_AVAILABLE;
    check_choices(
        &GuardOptions::default(),
        &[
            (0, [0.0, 1.0, 0.0], all, OK, NONE, Source::Policy, 1),
            (1, [0.0, 1.0, 0.0], not_1, missing, 1, Source::None, 1),
            (2, [0.0, 1.0, 0.0], &[false; 3], Flags::NO_ACTION_AVAILABLE, NONE, Source::None, 1),
            (3, [0.0, 1.0, 0.0], &[true; 2], Flags::MASK_WIDTH, NONE, Source::None, 1),
            (4, [0.0, f32::NAN, 0.0], all, Flags::OBS_NOT_FINITE, 1, Source::None, 1),
            (5, [0.0, 0.0, 4e8], all, Flags::ACTION_NOT_FINITE, 2, Source::None, 1),
            (6, [0.0, 0.0, 1.0], all, OK, NONE, Source::Policy, 2),
        ],
    );
}

/// The mask says what the machine can do, so it also binds what is held and what is safe.
#[test]
fn a_fallback_heeds_the_mask() {
    let (all, not_1, not_2): (&[bool], &[bool], &[bool]) = (&[true; 3], &[true, false, true], &[true, true, false]);
    let (nan, missing) = (Flags::OBS_NOT_FINITE, Flags::ACTION_NOT_AVAILABLE);
    const NAN: [f32; 3] = [0.0, f32::NAN, 0.0];
    check_choices(
        &hold(20 * MS, SafeAction::Choice(2)),
        &[
            (0, NAN, all, nan, 1, Source::Safe, 2),
            (1, [0.0, 1.0, 0.0], all, OK, NONE, Source::Policy, 1),
            (2, NAN, not_2, nan, 1, Source::Held, 1),
            (3, NAN, not_1, nan, 1, Source::Safe, 2),
            (4, [1.0, 0.0, 0.0], all, OK, NONE, Source::Policy, 0),
            (35, NAN, not_2, nan | missing, 1, Source::None, 0),
            (36, [0.0, 0.0, 1.0], not_2, missing, 2, Source::None, 0),
            (37, NAN, &[false; 3], nan | missing | Flags::NO_ACTION_AVAILABLE, 1, Source::None, 0),
            // A mask of another width allows nothing.
            (38, [1.0, 0.0, 0.0], &[true; 4], Flags::MASK_WIDTH, NONE, Source::None, 0),
            (39, NAN, all, nan, 1, Source::Safe, 2),
        ],
    );
}

fn check_refused(policy: Policy, options: GuardOptions, message: &str) {
    assert_eq!(Guard::new(policy, &options).unwrap_err().to_string(), message);
}

#[test]
fn options_that_cannot_be_are_refused() {
    let check = |options, message: &str| {
        check_refused(policy(false), options, &format!("echo.onnx: {message}; correct the options"));
    };
    let own = GuardOptions::default;
    let to_safe = |safe| own().with_fallback(Fallback::Safe(safe));
    check(to_safe(SafeAction::Choice(0)), "safe action is a choice, expected commands");
    check(to_safe(SafeAction::Commands(vec![0.0])), "width of the safe action is 1, expected 2");
    check(to_safe(safe(0.0, 3.5)), "safe action's `y` is 3.5, expected between -1 and 3");
    check(to_safe(safe(f32::NAN, 0.0)), "safe action's `x` is NaN, expected between -1 and 1");
    check(hold(0, safe(0.0, 0.0)), "hold_ns is 0, expected above 0");
    check(hold(1, safe(-2.0, 0.0)), "safe action's `x` is -2, expected between -1 and 1");
    check(own().with_max_obs_age_ns(0), "max_obs_age_ns is 0, expected above 0");
    check(own().with_max_rate("z", 1.0), "field of max_rate is `z`, expected a command of the contract");
    check(own().with_safe_rate("z", 1.0), "field of safe_rate is `z`, expected a command of the contract");
    check(own().with_safe_rate("y", 0.0), "safe_rate of `y` is 0, expected finite and above 0");
    check(own().with_max_step_ns(0), "max_step_ns is 0, expected above 0");
    check(own().with_fault_on(Flags::OBS_STALE), "fault_on is bits 0x6000008, expected reports");
    let timeless = changed(false, |t| t.period_ns = None);
    let message = "max_step_ns is not set, expected a time, as there are rates and no period";
    for options in [own().with_max_rate("x", 1.0), own().with_safe_rate("x", 1.0)] {
        check_refused(timeless.clone(), options.clone(), &format!("echo.onnx: {message}; correct the options"));
        assert!(Guard::new(timeless.clone(), &options.with_max_step_ns(1)).is_ok());
    }
    for (rate, shown) in [(0.0, "0"), (-1.0, "-1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let message = format!("max_rate of `x` is {shown}, expected finite and above 0");
        check(own().with_max_rate("x", rate), &message);
    }
    let twice = own().with_max_rate("x", 1.0).with_max_rate("x", 2.0);
    check(twice, "field of max_rate is `x` twice, expected each once");
    let refuse = |name: &str| own().with_out_of_range_of(name, OutOfRange::Refuse);
    check(refuse("obs.2"), "field of out_of_range_of is `obs.2`, expected an observed field of the contract");
    check(refuse("obs.1"), "out_of_range_of `obs.1` is one without, expected a field with a range in the contract");

    let check = |options, message: &str| {
        check_refused(policy(true), options, &format!("echo.onnx: {message}; correct the options"));
    };
    check(to_safe(safe(0.0, 0.0)), "safe action is commands, expected a choice");
    check(to_safe(SafeAction::Choice(3)), "safe action is 3, expected below 3");
    check(own().with_max_rate("action.0", 1.0), "field of max_rate is `action.0`, expected a command of the contract");
}

#[test]
fn a_foreign_policy_is_not_guarded() {
    let mut b = support::Builder::default();
    b.op(omiga_format::onnx::Op::Relu, &["obs"], &[]);
    b.output("action", omiga_format::onnx::element_type::FLOAT, Some(2));
    let bytes = b.model(2, None).to_bytes();
    let message = "x.onnx: there is no contract, expected that of an exported policy; export it with omiga to guard it";
    let policy = Policy::from_onnx("x.onnx", &bytes, &LoadOptions::default()).unwrap();
    check_refused(policy, GuardOptions::default(), message);
}

/// Every bad field has its name, and there is a count of them.
#[test]
fn bad_fields_are_counted_and_told() {
    let narrow = |t: &mut omiga_format::TaskSpec| {
        for field in &mut t.agents[0].obs {
            field.range = Some(omiga_format::Range::new(-0.5, 0.5));
        }
    };
    let options = GuardOptions::default().with_out_of_range_of("obs.1", OutOfRange::ClampAndReport);
    let mut guard = Guard::new(changed(false, narrow), &options).unwrap();
    let (nan, far, clamped) = (Flags::OBS_NOT_FINITE, Flags::OBS_OUT_OF_RANGE, Flags::OBS_CLAMPED);
    let mut check = |values: [f32; 2], flags: Flags, bad: &[(usize, Flags)]| {
        let status = guard.step(0, obs(&values, 0), &mut [0.0; 2]);
        assert_eq!((status.flags, usize::from(status.bad_fields)), (flags, bad.len()), "{status}");
        assert_eq!(status.index, bad.first().map_or(NONE, |(index, _)| *index as u32));
        assert_eq!(guard.bad_fields(&values).collect::<Vec<_>>(), bad);
    };
    check([0.5, -0.5], OK, &[]);
    check([f32::NAN, f32::INFINITY], nan, &[(0, nan), (1, nan)]);
    check([0.6, -0.6], far | clamped, &[(0, far), (1, clamped)]);
    check([0.0, 0.6], clamped, &[(1, clamped)]);
    // Fields that there are not have no faults.
    assert_eq!(guard.bad_fields(&[0.0, 0.0, f32::NAN]).count(), 0);
}

/// A bundle's policy does under guard what it does without, and the contract's limit has come with it.
#[test]
fn a_guard_changes_nothing_that_is_right() {
    let mut team = small_team(2, false);
    team.task.max_obs_age_ns = Some(MS);
    let policy = Policy::from_bundle(&team.bundle(), "agent_1", &LoadOptions::default()).unwrap();
    let mut alone = support::Stream::of(policy.clone());
    let mut guard = Guard::new(policy, &GuardOptions::default()).unwrap();
    for now in 0..100 {
        let (values, _) = team.case();
        let (mut expected, mut action) = ([0.0; 3], [0.0; 3]);
        alone.step(&values, &mut expected).unwrap();
        let status = guard.step(now * MS, obs(&values, now * MS), &mut action);
        assert!(status.flags.is_empty() && status.source == Source::Policy);
        assert_eq!(action, expected);
    }
    assert_eq!(guard.step(200 * MS, obs(&[0.0; 4], 198 * MS), &mut [0.0; 3]).flags, Flags::OBS_STALE);
}
