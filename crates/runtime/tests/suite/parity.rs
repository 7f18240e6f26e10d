//! The native engine against the reference.

use crate::support::{Stream, reference};
use crate::{graphs, random_team};
use omiga_format::onnx::{ACTION, LOGITS};
use omiga_runtime::{LoadOptions, Policy, Team};
use proptest::test_runner::{Config, RngSeed};
use proptest::{prop_assert, proptest};

/// Actions, choices and logits of every agent, as the reference has them.
pub fn check_team(seed: u64, transform: usize, discrete: bool, options: &LoadOptions) {
    let mut team = random_team(seed, transform, discrete);
    let bundle = team.bundle();
    let loaded = Team::from_bundle(&bundle, options).unwrap();
    let models: Vec<_> = (0..loaded.len()).map(|i| team.model(i)).collect();
    for (agent, (mut policy, model)) in loaded.policies().iter().cloned().map(Stream::of).zip(models).enumerate() {
        let test = policy.self_test().unwrap();
        assert!(test.cases == 5 && test.max_abs_difference < 1e-3, "{test:?}");
        for _ in 0..5 {
            let (obs, mask) = team.case_of(agent);
            let expected = reference::run(&model, &obs, &mask);
            if discrete {
                let choice = policy.choose(&obs, &mask).unwrap();
                close(&expected[LOGITS], policy.state.logits(), |_| 1.0);
                let best = expected[ACTION][0] as usize;
                let gap = expected[LOGITS][best] - expected[LOGITS][choice];
                assert!(mask[choice] && (choice == best || gap < 1e-5), "{choice}, expected {best}");
            } else {
                let mut action = vec![f32::NAN; policy.action_dim()];
                policy.step(&obs, &mut action).unwrap();
                let ranges = policy.contract().unwrap().action.ranges();
                close(&expected[ACTION], &action, |i| f64::from(ranges[i].high - ranges[i].low) / 2.0);
                assert!(action.iter().zip(&ranges).all(|(a, r)| (r.low..=r.high).contains(a)), "{action:?}");
            }
        }
    }
}

fn close(expected: &[f64], found: &[f32], scale: impl Fn(usize) -> f64) {
    assert_eq!(expected.len(), found.len());
    for (i, (e, f)) in expected.iter().zip(found).enumerate() {
        assert!((e - f64::from(*f)).abs() <= 1e-5 * scale(i).max(1.0), "{i}: {f}, expected {e}");
    }
}

proptest! {
    #![proptest_config(Config { cases: 48, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() })]

    #[test]
    fn teams_do_as_the_reference(seed: u64, transform in 0_usize..4, discrete: bool) {
        check_team(seed, transform, discrete, &LoadOptions::default());
    }

    #[test]
    fn any_graph_does_as_the_reference(recipe in graphs::recipe()) {
        let (model, cases) = recipe.model();
        let mut policy = Stream::of(Policy::from_onnx("random.onnx", &model.to_bytes(), &LoadOptions::default()).unwrap());
        for (obs, mask) in cases {
            let (found, choice) = graphs::answer(&mut policy, &obs, &mask);
            let values = reference::run(&model, &obs, &mask);
            let expected = &values[&model.graph.as_ref().unwrap().output[0].name];
            close(expected, &found, |i| expected[i].abs());
            if let Some(choice) = choice {
                let best = values[ACTION][0] as usize;
                prop_assert!(mask[choice] && (choice == best || expected[best] - expected[choice] < 1e-5));
            }
        }
    }
}

#[test]
fn the_same_step_gives_the_same_bits() {
    let mut team = random_team(3, 1, false);
    let bundle = team.bundle();
    let load = || Stream::of(Policy::from_bundle(&bundle, "agent_0", &LoadOptions::default()).unwrap());
    let (mut one, mut two) = (load(), load());
    let (obs, other) = (team.case().0, team.case().0);
    let mut actions = vec![vec![0.0; one.action_dim()]; 3];
    one.step(&obs, &mut actions[0]).unwrap();
    two.step(&other, &mut actions[1]).unwrap();
    two.step(&obs, &mut actions[1]).unwrap();
    one.step(&obs, &mut actions[2]).unwrap();
    assert!(actions[0] == actions[1] && actions[1] == actions[2]);
}

#[test]
fn a_constant_observation_is_no_trouble() {
    for transform in 0..4 {
        let mut team = random_team(8, transform, false);
        let mut policy = Stream::of(Policy::from_bundle(&team.bundle(), "agent_0", &LoadOptions::default()).unwrap());
        let obs = vec![5.0; policy.obs_dim()];
        let mut action = vec![f32::NAN; policy.action_dim()];
        policy.step(&obs, &mut action).unwrap();
        assert!(action.iter().all(|x| x.is_finite()));
    }
}
