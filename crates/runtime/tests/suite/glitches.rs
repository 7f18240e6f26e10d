//! What one bad sample, a dead sensor, a pause and a wild clock may cost, in the loops people write: a policy every
//! 100 ms in a loop of 1 kHz. `x` is the first observed value and the first command.

use omiga_runtime::{
    Controller, ControllerOptions, Fallback, Flags, Guard, GuardOptions, Intermediate, Observation, SafeAction, Source,
    Stats, Status,
};

use crate::echo::{MS, changed};

const PERIOD: u64 = 100 * MS;
const NAN: [f32; 2] = [f32::NAN, 0.0];
const OK: [f32; 2] = [0.25, 0.0];

fn policy() -> omiga_runtime::Policy {
    changed(false, |task| (task.period_ns, task.max_obs_age_ns) = (Some(PERIOD), None))
}

fn safe() -> SafeAction {
    SafeAction::Commands(vec![0.0; 2])
}

fn guard(fallback: Fallback) -> GuardOptions {
    GuardOptions::default().with_fallback(fallback)
}

fn controller(guard: GuardOptions) -> Controller {
    Controller::new(policy(), &ControllerOptions::default().with_guard(guard)).unwrap()
}

fn tick(controller: &mut Controller, now_ns: u64, values: &[f32], stamp_ns: u64) -> (Status, f32) {
    let mut action = [9.0; 2];
    let status = controller.tick(now_ns, Observation { values, stamp_ns, mask: &[] }, &mut action);
    (status, action[0])
}

/// Ticks 0 to 399, a millisecond apart, their observations from `obs`; the milliseconds with a fault.
fn faults_of(controller: &mut Controller, mut obs: impl FnMut(u64) -> (&'static [f32], u64)) -> Vec<u64> {
    let at_fault = (0..400).filter(|ms| {
        let (values, stamp_ns) = obs(*ms);
        let (status, _) = tick(controller, ms * MS, values, stamp_ns);
        assert_eq!(status.is_ok(), status.source == Source::Policy);
        !status.is_ok()
    });
    at_fault.collect()
}

/// Whenever the sensor fails: it is seen in that tick, and an age in the tick that it is reached.
#[test]
fn a_dead_sensor_is_seen_at_once() {
    for intermediate in [Intermediate::Hold, Intermediate::Evaluate] {
        for fails in [150, 199, 200, 201, 202] {
            let options = guard(Fallback::Error).with_max_obs_age_ns(5 * MS);
            let options = ControllerOptions::default().with_guard(options).with_intermediate(intermediate);
            let new = || Controller::new(policy(), &options).unwrap();
            let nan = faults_of(&mut new(), |ms| if ms < fails { (&OK, ms * MS) } else { (&NAN, (fails - 1) * MS) });
            assert_eq!(nan, (fails..400).collect::<Vec<_>>());
            let frozen = faults_of(&mut new(), |ms| (&OK, ms.min(fails) * MS));
            assert_eq!(frozen, (fails + 6..400).collect::<Vec<_>>());
            let nothing = faults_of(&mut new(), |ms| (if ms < fails { &OK } else { &[] }, ms * MS));
            assert_eq!(nothing, (fails..400).collect::<Vec<_>>());
        }
    }
}

/// On the policy's own tick or beside it.
#[test]
fn one_bad_sample_costs_one_tick() {
    for bad in 190..=210 {
        for fallback in [Fallback::Error, Fallback::Safe(safe())] {
            let mut controller = controller(guard(fallback.clone()));
            assert_eq!(faults_of(&mut controller, |ms| (if ms == bad { &NAN } else { &OK }, ms * MS)), [bad]);
            let is_safe = u64::from(fallback != Fallback::Error);
            let expected = Stats {
                native_ticks: 4,
                asked_again: (bad == 200).into(),
                intermediate_ticks: 396 - u64::from(bad == 200),
                faults: 1,
                safe: is_safe,
                none: 1 - is_safe,
                ..controller.stats()
            };
            assert_eq!(controller.stats(), expected);
            assert_eq!(controller.next_tick_ns(), Some(400 * MS));
        }
    }
}

/// 21 ticks from 200 to 220 ms, both included, and so on.
#[test]
fn an_action_is_held_after_the_next_one_was_due() {
    for (hold_ms, fails, held) in
        [(20, 200, 21), (99, 200, 100), (100, 200, 101), (150, 200, 151), (20, 250, 71), (20, 201, 120), (1, 200, 2)]
    {
        let mut controller = controller(guard(Fallback::HoldThenSafe { hold_ns: hold_ms * MS, safe: safe() }));
        let _ = faults_of(&mut controller, |ms| (if ms < fails { &OK } else { &NAN }, ms * MS));
        let stats = controller.stats();
        assert_eq!((stats.held, stats.safe), (held, 400 - fails - held), "hold {hold_ms} ms from {fails} ms");
    }
}

/// 0.5 a second from -1 towards 1, after 4 s without a command.
#[test]
fn a_limited_command_does_not_jump_after_a_pause() {
    let hold = Fallback::HoldThenSafe { hold_ns: 100 * PERIOD, safe: safe() };
    for fallback in [Fallback::Error, hold] {
        let mut controller = controller(guard(fallback).with_max_rate("x", 0.5));
        assert_eq!(tick(&mut controller, 0, &[-1.0, 0.0], 0).0.flags, Flags::RATE_UNKNOWN);
        for k in 1..=40 {
            assert!(!tick(&mut controller, k * PERIOD, &NAN, k * PERIOD).0.is_ok());
        }
        let (status, x) = tick(&mut controller, 41 * PERIOD, &[1.0, 0.0], 41 * PERIOD);
        assert_eq!((status.flags, status.source, x), (Flags::RATE_LIMITED, Source::Policy, -0.95));
        // Nor after a reset, whose tick has no time to move.
        controller.reset();
        assert_eq!(tick(&mut controller, 0, &[1.0, 0.0], 0).1, -0.95);
        controller.reset_free();
        let (status, x) = tick(&mut controller, 0, &[1.0, 0.0], 0);
        assert_eq!((status.flags, x), (Flags::RATE_UNKNOWN, 1.0));
    }
    // A guard that was not called, and a tick that was refused because nobody knows where the actuators are.
    let options = guard(Fallback::Error).with_max_rate("x", 0.5).with_fault_on(Flags::RATE_UNKNOWN);
    let mut guard = Guard::new(policy(), &options).unwrap();
    let step = |guard: &mut Guard, now_ns, x| {
        let mut action = [9.0; 2];
        let obs = Observation { values: &[x, 0.0], stamp_ns: now_ns, mask: &[] };
        (guard.step(now_ns, obs, &mut action).flags, action[0])
    };
    assert_eq!(step(&mut guard, 0, -1.0), (Flags::RATE_UNKNOWN | Flags::DECLARED, 9.0));
    guard.reset_to(&[-1.0, 0.0]).unwrap();
    assert_eq!(step(&mut guard, 0, -1.0), (Flags::empty(), -1.0));
    assert_eq!(step(&mut guard, 40 * PERIOD, 1.0), (Flags::RATE_LIMITED, -0.95));
}

#[test]
fn a_stamp_may_be_a_little_after_now_and_never_before_the_last_one() {
    let check = |options: GuardOptions, stamps: &[(u64, Flags)]| {
        let mut controller = controller(options);
        for (k, (stamp_ns, flags)) in (10..).zip(stamps) {
            assert_eq!(tick(&mut controller, k * PERIOD, &OK, *stamp_ns).0.flags, *flags, "{k}: {stamp_ns}");
        }
    };
    let (none, future) = (Flags::empty(), Flags::OBS_FROM_FUTURE);
    let now = |k: u64| k * PERIOD;
    let late = [(now(10) + 1, none), (now(11) + MS, none), (now(12) + MS + 1, future), (u64::MAX, future)];
    check(guard(Fallback::Error), &late);
    let exact = guard(Fallback::Error).with_max_future_ns(0);
    check(exact, &[(now(10) + 1, future), (now(11), none), (now(12) + 1, future), (now(13), none)]);
    let order = Flags::OBS_OUT_OF_ORDER;
    let stamps = [500 * MS, 10 * MS, 499 * MS, 500 * MS, 501 * MS];
    let said = |flags: Flags| stamps.into_iter().zip([none, flags, flags, none, none]).collect::<Vec<_>>();
    check(guard(Fallback::Error), &said(order | Flags::DECLARED));
    check(guard(Fallback::Error).without_fault_on(order), &said(order));
    // One that was refused because it is from the future makes no other one old.
    check(guard(Fallback::Error), &[(now(50), future), (now(11), none), (now(12), none)]);
}

/// Nothing is commanded at a wild time, and the right one needs no reset.
#[test]
fn one_wild_time_costs_one_tick() {
    for wild in [u64::MAX / 2, u64::MAX, 0, 100 * MS] {
        let mut controller = controller(guard(Fallback::Safe(safe())));
        let mut wrong = Vec::new();
        for ms in 5_000..6_000 {
            let now_ns = if ms == 5_500 { wild } else { ms * MS };
            let (status, x) = tick(&mut controller, now_ns, &OK, now_ns);
            if !status.is_ok() {
                assert_eq!((status.source, x), (Source::Safe, 0.0));
                wrong.push(ms);
            }
        }
        assert_eq!((wrong, controller.stats().gaps), (vec![5_500], 1), "{wild}");
    }
    // A clock that was set, back or ahead, costs one, too.
    for set in [0, 3_600_000] {
        let mut controller = controller(guard(Fallback::Error));
        let times = (5_000..5_100).chain(set..set + 1_000);
        let wrong = times.filter(|ms| !tick(&mut controller, ms * MS, &OK, ms * MS).0.is_ok());
        assert_eq!(wrong.collect::<Vec<_>>(), [set]);
    }
}

/// A policy of 100 ms every 990 ms.
#[test]
fn a_loop_that_is_too_slow_can_be_a_fault() {
    for (reports, faults) in [(Flags::empty(), 0), (Flags::SKIPPED, 99), (Flags::LATE, 99), (Flags::JITTER, 99)] {
        let guard = guard(Fallback::Safe(safe())).with_fault_on(reports);
        let options = ControllerOptions::default().with_guard(guard);
        let options = options.with_max_lateness_ns(50 * MS).with_max_jitter_ns(50 * MS);
        let mut controller = Controller::new(policy(), &options).unwrap();
        for k in 0..100 {
            let (status, _) = tick(&mut controller, k * 990 * MS, &OK, k * 990 * MS);
            assert_eq!(status.flags.contains(Flags::DECLARED), !status.is_ok());
        }
        assert_eq!(controller.stats().faults, faults, "{reports:?}");
    }
    // Beyond the largest gap it always is one: no two times follow each other.
    let mut slow = controller(guard(Fallback::Error));
    let faults = (0..100).filter(|k| !tick(&mut slow, k * 1_001 * MS, &OK, k * 1_001 * MS).0.is_ok());
    assert_eq!(faults.count(), 99);
}

/// Every second period's sample is bad: how often does the source change?
#[test]
fn a_fault_may_be_latched() {
    let changes = |options: GuardOptions| {
        let (mut controller, mut changes, mut before) = (controller(options), 0, Source::Policy);
        for k in 0..100 {
            let (status, _) = tick(&mut controller, k * PERIOD, if k % 2 == 1 { &NAN } else { &OK }, k * PERIOD);
            changes += u32::from(status.source != before);
            before = status.source;
        }
        changes
    };
    let own = || guard(Fallback::Safe(safe()));
    assert_eq!(changes(own()), 99);
    assert_eq!(changes(own().with_latch(true)), 1);
    assert_eq!(changes(own().with_resume_after(2)), 1);
}

#[test]
fn the_policy_resumes_when_told_and_after_good_samples() {
    let latched = Flags::LATCHED | Flags::DECLARED;
    let check = |options: GuardOptions, told: &[u64], expected: &[(u64, Flags, Source)]| {
        let mut controller = controller(options);
        for (ms, flags, source) in expected {
            if told.contains(ms) {
                controller.resume();
            }
            // A sensor of 2 ms, bad at 102 and 103.
            let values = if (102..104).contains(ms) { &NAN } else { &OK };
            let (status, _) = tick(&mut controller, ms * MS, values, ms / 2 * 2 * MS);
            assert_eq!((status.flags, status.source), (*flags, *source), "at {ms} ms: {status}");
        }
    };
    let (between, nan) = (Flags::INTERMEDIATE, Flags::OBS_NOT_FINITE);
    let good = |ms| (ms, between, Source::Policy);
    let shut = |ms| (ms, between | latched, Source::Safe);
    let bad = [
        (100, Flags::empty(), Source::Policy),
        good(101),
        (102, between | nan, Source::Safe),
        (103, between | nan, Source::Safe),
    ];
    let own = guard(Fallback::Safe(safe()));
    check(own.clone(), &[], &[&bad[..], &[good(104), good(105)]].concat());
    let three = own.clone().with_resume_after(3);
    check(three.clone(), &[], &[&bad[..], &[shut(104), shut(105), shut(106), shut(107), good(108)]].concat());
    // Telling it while it is bad is of no use.
    let latch = own.with_latch(true);
    check(latch, &[103, 106], &[&bad[..], &[shut(104), shut(105), good(106)]].concat());
    check(three.with_latch(true), &[104], &[&bad[..], &[shut(104), shut(106), good(108)]].concat());
    // What is held until the sensor is back again is no reason.
    let held = [bad[0], good(101), (102, between | nan, Source::Held), (103, between | nan, Source::Held), good(104)];
    check(guard(Fallback::HoldThenSafe { hold_ns: MS, safe: safe() }).with_latch(true), &[], &held);
    // The policy stays due.
    let again = |ms, flags, source| (ms, Flags::ASKED_AGAIN | flags, source);
    let late = [
        (2, Flags::empty(), Source::Policy),
        (102, nan, Source::Safe),
        again(104, latched, Source::Safe),
        again(106, Flags::empty(), Source::Policy),
    ];
    check(guard(Fallback::Safe(safe())).with_resume_after(2), &[], &late);
}

/// 5 a second on the way to safe, 0.5 on the way back; by its clock, or at once if there is none.
#[test]
fn the_way_to_the_safe_action_may_have_a_rate() {
    let options = guard(Fallback::Safe(safe())).with_max_rate("x", 0.5).with_safe_rate("x", 5.0);
    let mut controller = controller(options);
    controller.reset_to(&[1.0, 0.0]).unwrap();
    let (nan, limited) = (Flags::OBS_NOT_FINITE, Flags::RATE_LIMITED);
    let (jumped, declared) = (Flags::TIME_JUMPED, Flags::DECLARED);
    for (ms, values, flags, source, x) in [
        (1_000, [1.0, 0.0], Flags::empty(), Source::Policy, 1.0),
        (1_100, NAN, nan | limited, Source::Safe, 0.5),
        (1_150, NAN, nan | Flags::ASKED_AGAIN | limited, Source::Safe, 0.25),
        (1_200, [1.0, 0.0], limited, Source::Policy, 0.275),
        // No more than a period counts, whatever the clock says.
        (9_000, [1.0, 0.0], jumped | declared, Source::Safe, 0.0),
        (9_100, [1.0, 0.0], Flags::GAP | limited, Source::Policy, 0.05),
        (9_000, [1.0, 0.0], Flags::TIME_BACKWARDS, Source::Safe, 0.0),
    ] {
        let (status, found) = tick(&mut controller, ms * MS, &values, ms * MS);
        assert_eq!((status.flags, status.source, found), (flags, source, x), "at {ms} ms: {status}");
    }
}

/// The first sample is not there yet.
#[test]
fn what_a_reset_told_is_held() {
    let options = guard(Fallback::HoldThenSafe { hold_ns: 2 * MS, safe: safe() });
    let mut controller = controller(options);
    controller.reset_to(&[0.8, 0.0]).unwrap();
    for (ms, source, x) in [(7, Source::Held, 0.8), (9, Source::Held, 0.8), (10, Source::Safe, 0.0)] {
        let (status, found) = tick(&mut controller, ms * MS, &NAN, ms * MS);
        assert_eq!((status.source, found), (source, x), "at {ms} ms: {status}");
    }
}
