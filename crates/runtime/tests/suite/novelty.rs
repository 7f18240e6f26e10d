//! Observations that a policy has not learned from.

use omiga_runtime::{
    Controller, ControllerOptions, Fallback, Flags, Guard, GuardOptions, LoadOptions, Observation, OutOfRange, Policy,
    SafeAction, Source,
};

use crate::echo::{MS, PERIOD, policy, watched};
use crate::{small_team, support};

const NONE: u32 = u32::MAX;
const OK: Flags = Flags::empty();
const NOVEL: Flags = Flags::OBS_NOVEL;

fn obs(values: &[f32], stamp_ns: u64) -> Observation<'_> {
    Observation { values, stamp_ns, mask: &[] }
}

/// Steps of a new guard, a millisecond apart: values, flags, field and source. The detector's reach is 1.5.
fn check(options: &GuardOptions, steps: &[([f32; 2], Flags, u32, Source)]) {
    let mut guard = Guard::new(watched(false), options).unwrap();
    let mut now_ns = 0;
    for (values, flags, index, source) in steps {
        now_ns += MS;
        let status = guard.step(now_ns, obs(values, now_ns), &mut [0.0; 2]);
        assert_eq!((status.flags, status.index, status.source), (*flags, *index, *source), "{values:?}: {status}");
        assert_eq!(status.is_ok(), *source == Source::Policy);
    }
}

#[test]
fn it_is_a_report() {
    check(
        &GuardOptions::default(),
        &[
            ([0.5, 1.0], OK, NONE, Source::Policy),
            // Outside of its range; together, each inside of its own; neither.
            ([0.1, 1.6], NOVEL, 1, Source::Policy),
            ([-1.0, 1.4], NOVEL, NONE, Source::Policy),
            ([1.0, 1.1], OK, NONE, Source::Policy),
            // The contract's range comes first, and of no number nothing more is said.
            ([2.1, 0.0], Flags::OBS_OUT_OF_RANGE | NOVEL, 0, Source::None),
            ([f32::NAN, 9.0], Flags::OBS_NOT_FINITE, 0, Source::None),
            ([0.0, f32::MAX], Flags::OBS_OUT_OF_RANGE | NOVEL, 1, Source::None),
            ([0.0, 0.0], OK, NONE, Source::Policy),
        ],
    );
    // What is clamped for the policy is looked at as it was measured.
    let clamp = GuardOptions::default().with_out_of_range(OutOfRange::ClampAndReport);
    check(&clamp, &[([-3.0, 0.0], Flags::OBS_CLAMPED | NOVEL | Flags::ACTION_OUT_OF_BOUNDS, 0, Source::None)]);
    check(&clamp, &[([f32::MAX, 0.0], Flags::OBS_CLAMPED | NOVEL | Flags::ACTION_OUT_OF_BOUNDS, 0, Source::None)]);
}

#[test]
fn it_is_a_fault_if_told_so() {
    let safe = SafeAction::Commands(vec![0.0; 2]);
    let options = GuardOptions::default().with_fault_on(NOVEL).with_fallback(Fallback::Safe(safe));
    let fault = NOVEL | Flags::DECLARED;
    let steps = [
        ([0.0, 1.0], OK, NONE, Source::Policy),
        ([0.0, 1.6], fault, 1, Source::Safe),
        ([0.0, 1.0], OK, NONE, Source::Policy),
    ];
    check(&options, &steps);
    let [good, bad, again] = steps;
    check(
        &options.clone().with_latch(true),
        &[good, bad, (again.0, Flags::LATCHED | Flags::DECLARED, NONE, Source::Safe)],
    );
    // Two of three, so that one glitch is none.
    let patient = options.with_novelty_debounce(2, 3);
    let glitch = ([0.0, 1.6], OK, NONE, Source::Policy);
    check(&patient, &[glitch, good, good, glitch, bad, (good.0, fault, NONE, Source::Safe), good]);
}

#[test]
fn ticks_are_counted() {
    let options = ControllerOptions::default().with_guard(GuardOptions::default().with_novelty_debounce(2, 2));
    let mut controller = Controller::new(watched(false), &options).unwrap();
    // The same sample in several ticks counts once.
    for tick in 0..40_u64 {
        let (now_ns, stamp_ns) = (tick * PERIOD / 4, tick / 4 * PERIOD);
        let value = if (8..16).contains(&tick) { 1.6 } else { 0.0 };
        let status = controller.tick(now_ns, obs(&[0.0, value], stamp_ns), &mut [0.0; 2]);
        assert_eq!(status.flags.contains(NOVEL), (12..16).contains(&tick), "{tick}: {status}");
    }
    assert_eq!((controller.stats().novel, controller.stats().faults), (4, 10));
    // A reset forgets what was seen.
    let mut guard = Guard::new(watched(false), &options.guard).unwrap();
    let flags = |guard: &mut Guard, ms: u64| guard.step(ms * MS, obs(&[0.0, 1.6], ms * MS), &mut [0.0; 2]).flags;
    assert_eq!([flags(&mut guard, 1), flags(&mut guard, 2)], [OK, NOVEL]);
    guard.reset();
    assert_eq!([flags(&mut guard, 3), flags(&mut guard, 4)], [OK, NOVEL]);
}

#[test]
fn choices_have_detectors_too() {
    let mut guard = Guard::new(watched(true), &GuardOptions::default()).unwrap();
    let mut choice = 9;
    let given = |values, stamp_ns| Observation { values, stamp_ns, mask: &[true; 3] };
    let status = guard.choose(MS, given(&[0.0, 1.0, 1.2], MS), &mut choice);
    assert_eq!((status.flags, status.source, choice), (NOVEL, Source::Policy, 2));
    let status = guard.choose(2 * MS, given(&[0.0, 1.0, 0.2], 2 * MS), &mut choice);
    assert_eq!((status.flags, choice), (OK, 1));
}

#[test]
fn what_cannot_be_detected_is_no_fault() {
    let refused = |policy: Policy, options: GuardOptions, message: &str| {
        let error = Guard::new(policy, &options).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    };
    let fault = GuardOptions::default().with_fault_on(NOVEL);
    refused(policy(false), fault, "expected no OBS_NOVEL, as the contract has no detector");
    for (k, n) in [(0, 1), (2, 1), (1, 65), (0, 0)] {
        let options = GuardOptions::default().with_novelty_debounce(k, n);
        refused(
            watched(false),
            options,
            &format!("novelty_debounce is ({k}, {n}), expected (k, n) with 1 <= k <= n <= 64"),
        );
    }
    // Without a detector there is no flag.
    let mut guard = Guard::new(policy(false), &GuardOptions::default().with_novelty_debounce(1, 9)).unwrap();
    assert_eq!(guard.step(MS, obs(&[0.0, 2.9], MS), &mut [0.0; 2]).flags, OK);
}

/// A bundle's contract may have one, whatever else is held to the task.
#[test]
fn a_bundle_has_its_detectors() {
    let mut team = small_team(2, false);
    team.novelty = Some(support::detector(4, 2.0));
    let policy = Policy::from_bundle(&team.bundle(), "agent_1", &LoadOptions::default()).unwrap();
    assert_eq!(policy.novelty(), team.novelty.as_ref());
    // Of another width it is none.
    team.novelty = Some(support::detector(3, 2.0));
    let error = Policy::from_bundle(&team.bundle(), "agent_1", &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("number of usual ranges of the novelty detector is 3, expected 4"), "{error}");
}
