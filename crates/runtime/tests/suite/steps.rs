//! Steps that give no action leave everything as it was.

use omiga_format::onnx::{Attribute, Op, Tensor, element_type};
use omiga_runtime::{LoadOptions, Policy, StepError, Team};

use crate::small_team;
use crate::support::{Builder, Stream};

const UNTOUCHED: f32 = 123.0;

fn check_step(policy: &mut Stream, obs: &[f32], width: usize, expected: StepError) {
    let mut action = vec![UNTOUCHED; width];
    assert_eq!(policy.step(obs, &mut action), Err(expected));
    assert!(action.iter().all(|x| *x == UNTOUCHED), "{action:?} after {expected}");
}

#[test]
fn a_refused_step_leaves_the_action_alone() {
    let mut policy =
        Stream::of(Policy::from_bundle(&small_team(1, false).bundle(), "agent_1", &LoadOptions::default()).unwrap());
    check_step(&mut policy, &[0.0; 3], 3, StepError::ObsWidth { expected: 4, found: 3 });
    check_step(&mut policy, &[0.0; 4], 2, StepError::ActionWidth { expected: 3, found: 2 });
    check_step(&mut policy, &[0.0, 0.0, f32::NAN, 0.0], 3, StepError::ObsNotFinite { index: 2 });
    check_step(&mut policy, &[0.0, f32::INFINITY, 0.0, 0.0], 3, StepError::ObsNotFinite { index: 1 });
    assert_eq!(policy.choose(&[0.0; 4], &[true; 3]), Err(StepError::WrongKind));
    assert!(policy.state.logits().is_empty());
}

#[test]
fn a_refused_choice_leaves_the_logits_alone() {
    let mut policy =
        Stream::of(Policy::from_bundle(&small_team(0, true).bundle(), "agent_0", &LoadOptions::default()).unwrap());
    assert_eq!(policy.state.logits(), [0.0; 3]);
    let (obs, mask) = ([0.5; 4], [false, true, false]);
    assert_eq!(policy.choose(&obs, &mask), Ok(1));
    let logits = policy.state.logits().to_vec();
    assert!(logits[0] == -1e8 && logits[1].abs() < 100.0 && logits[2] == -1e8, "{logits:?}");
    for (obs, mask, expected) in [
        (&obs[..], &[false; 3][..], StepError::NoActionAvailable),
        (&obs[..], &[true; 4][..], StepError::MaskWidth { expected: 3, found: 4 }),
        (&obs[..1], &mask[..], StepError::ObsWidth { expected: 4, found: 1 }),
        (&[f32::NAN; 4][..], &mask[..], StepError::ObsNotFinite { index: 0 }),
    ] {
        assert_eq!(policy.choose(obs, mask), Err(expected));
        assert_eq!(policy.state.logits(), logits);
    }
    check_step(&mut policy, &obs, 3, StepError::WrongKind);
}

/// Numbers that overflow on the way must not become a command, whatever limits come after.
#[test]
fn an_overflow_is_no_action() {
    let mut b = Builder::default();
    let large = b.constant(&[], &[1e30]);
    let grown = b.op(Op::Mul, &["obs", &large], &[]);
    let grown = b.op(Op::Mul, &[&grown, &large], &[]);
    let nothing = b.op(Op::Sub, &[&grown, &grown], &[]);
    let positive = b.op(Op::Relu, &[&nothing], &[]);
    let (low, high) = (b.constant(&[], &[-1.0]), b.constant(&[], &[1.0]));
    let clipped = b.op(Op::Clip, &[&positive, &low, &high], &[]);
    let bounded = b.op(Op::Max, &[&clipped, &low], &[]);
    let bounded = b.op(Op::Min, &[&high, &bounded], &[]);
    b.op(Op::Tanh, &[&bounded], &[]);
    b.output("action", element_type::FLOAT, Some(2));
    let bytes = b.model(2, None).to_bytes();
    let error = Policy::from_onnx("x.onnx", &bytes, &LoadOptions::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "x.onnx: no action in the warm-up: action is not finite at 0; do not use this policy here; export it again"
    );
}

/// An overflow only for some observations.
#[test]
fn an_overflow_later_is_no_action() {
    let mut b = Builder::default();
    let large = b.constant(&[], &[1e4]);
    let grown = b.op(Op::Mul, &["obs", &large], &[]);
    let squared = b.op(Op::Mul, &[&grown, &grown], &[]);
    let nothing = b.op(Op::Sub, &[&squared, &squared], &[]);
    b.op(Op::Relu, &[&nothing], &[]);
    b.output("action", element_type::FLOAT, Some(2));
    let mut policy =
        Stream::of(Policy::from_onnx("x.onnx", &b.model(2, None).to_bytes(), &LoadOptions::default()).unwrap());
    check_step(&mut policy, &[1.0, 1e16], 2, StepError::ActionNotFinite { index: 1 });
    let mut action = [UNTOUCHED; 2];
    policy.step(&[1.0, 2.0], &mut action).unwrap();
    assert_eq!(action, [0.0; 2]);
}

/// The graph ignores the mask; its choice is still not taken.
#[test]
fn a_choice_that_the_mask_forbids_is_refused() {
    let mut b = Builder::default();
    let zero = b.constant(&[], &[0.0]);
    b.op(Op::Add, &["obs", &zero], &[]);
    b.output("logits", element_type::FLOAT, Some(3));
    b.op(Op::ArgMax, &["logits"], &[Attribute::int("axis", -1), Attribute::int("keepdims", 0)]);
    b.output("action", element_type::INT64, None);
    let mut policy =
        Stream::of(Policy::from_onnx("x.onnx", &b.model(3, Some(3)).to_bytes(), &LoadOptions::default()).unwrap());
    let obs = [1.0, 5.0, 2.0];
    assert_eq!(policy.choose(&obs, &[true; 3]), Ok(1));
    assert_eq!(policy.choose(&obs, &[true, false, true]), Err(StepError::ActionNotAvailable { index: 1 }));
    assert!(policy.contract().is_none() && policy.self_test().is_none());
    assert_eq!((policy.name(), policy.obs_dim(), policy.action_dim()), ("x.onnx", 3, 3));
}

#[test]
fn a_team_steps_as_its_policies_do_or_not_at_all() {
    let mut source = small_team(2, false);
    let bundle = source.bundle();
    let mut team = Team::from_bundle(&bundle, &LoadOptions::default()).unwrap();
    assert_eq!((team.len(), team.task()), (2, &source.task));
    let mut obs = [source.case().0, source.case().0].concat();
    let mut actions = [UNTOUCHED; 6];
    team.step(&obs, &mut actions).unwrap();
    for (i, mut policy) in team.policies().iter().cloned().map(Stream::of).enumerate() {
        let mut action = [0.0; 3];
        policy.step(&obs[i * 4..][..4], &mut action).unwrap();
        assert_eq!(action, actions[i * 3..][..3]);
    }
    obs[6] = f32::NAN;
    let before = actions;
    for (obs, width, expected) in [
        (&obs[..], 6, StepError::ObsNotFinite { index: 6 }),
        (&obs[..7], 6, StepError::ObsWidth { expected: 8, found: 7 }),
        (&obs[..], 5, StepError::ActionWidth { expected: 6, found: 5 }),
    ] {
        assert_eq!(team.step(obs, &mut actions[..width]), Err(expected));
        assert_eq!(actions, before);
    }
    assert_eq!(team.choose(&obs, &[true; 6], &mut [0; 2]), Err(StepError::WrongKind));
}

/// What stands in a row behind a narrower agent's observation is not read, whatever it is.
#[test]
fn agents_of_a_team_may_observe_less() {
    let rows = [1.0, -2.0, f32::NAN, f32::NAN, 0.5, 3.0, -1.0, 2.0];
    for transform in 0..4 {
        let mut source = small_team(transform, false);
        source.task.agents[0].obs.truncate(2);
        let mut team = Team::from_bundle(&source.bundle(), &LoadOptions::default()).unwrap();
        let mut actions = [UNTOUCHED; 6];
        team.step(&rows, &mut actions).unwrap();
        for (i, obs) in [&rows[..2], &rows[4..]].into_iter().enumerate() {
            let mut policy = Stream::of(team.policies()[i].clone());
            assert_eq!((policy.obs_dim(), policy.contract().unwrap().obs.len()), (obs.len(), obs.len()));
            let mut action = [0.0; 3];
            policy.step(obs, &mut action).unwrap();
            assert_eq!(action, actions[i * 3..][..3]);
        }
        let mut source = small_team(transform, true);
        source.task.agents[0].obs.truncate(2);
        let mut team = Team::from_bundle(&source.bundle(), &LoadOptions::default()).unwrap();
        let mut choices = [77; 2];
        team.choose(&rows, &[true; 6], &mut choices).unwrap();
        let alone = Stream::of(team.policies()[0].clone()).choose(&rows[..2], &[true; 3]).unwrap();
        assert_eq!(choices[0], alone as u32);
    }
}

#[test]
fn a_team_chooses_as_its_policies_do_or_not_at_all() {
    let mut source = small_team(3, true);
    let mut team = Team::from_bundle(&source.bundle(), &LoadOptions::default()).unwrap();
    let obs = [source.case().0, source.case().0].concat();
    let mut masks = [false, true, true, true, false, false];
    let mut choices = [77; 2];
    team.choose(&obs, &masks, &mut choices).unwrap();
    let alone = Stream::of(team.policies()[0].clone()).choose(&obs[..4], &masks[..3]).unwrap();
    assert_eq!(choices, [alone as u32, 0]);
    masks[3] = false;
    choices = [77; 2];
    assert_eq!(team.choose(&obs, &masks, &mut choices), Err(StepError::NoActionAvailable));
    assert_eq!(team.choose(&obs, &masks[1..], &mut choices), Err(StepError::MaskWidth { expected: 6, found: 5 }));
    let expected = StepError::ActionWidth { expected: 2, found: 1 };
    assert_eq!(team.choose(&obs, &masks, &mut choices[..1]), Err(expected));
    assert_eq!(team.step(&obs, &mut [0.0; 6]), Err(StepError::WrongKind));
    assert_eq!(choices, [77; 2]);
}

/// Values behind the observation stay zero from step to step.
#[test]
fn padding_stays_zero() {
    let mut b = Builder::default();
    b.graph.initializer.push(Tensor::i64("pads", &[4], &[0, 0, 0, 2]));
    b.op(Op::Pad, &["obs", "pads"], &[]);
    b.output("action", element_type::FLOAT, Some(3));
    let mut policy =
        Stream::of(Policy::from_onnx("x.onnx", &b.model(1, None).to_bytes(), &LoadOptions::default()).unwrap());
    for x in [1.0, 2.0] {
        let mut action = [UNTOUCHED; 3];
        policy.step(&[x], &mut action).unwrap();
        assert_eq!(action, [x, 0.0, 0.0]);
    }
}

/// A control loop may own its policy in a thread of its own.
#[test]
fn policies_move_between_threads() {
    let mut policy =
        Stream::of(Policy::from_bundle(&small_team(0, false).bundle(), "agent_0", &LoadOptions::default()).unwrap());
    let action = std::thread::spawn(move || {
        let mut action = [UNTOUCHED; 3];
        policy.step(&[0.5; 4], &mut action).map(|()| action)
    });
    assert!(action.join().unwrap().unwrap().iter().all(|x| *x != UNTOUCHED));
}
