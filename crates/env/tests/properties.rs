//! Whatever the actions are: refused or played, never a panic, never outside the declared ranges.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use omiga_env::{Body, Error, JointAction, MultiAgentEnv, Spread, SpreadState, Timestep, make_env};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Any bits at all, but mostly numbers near the bounds.
fn command() -> impl Strategy<Value = f32> {
    prop_oneof![8 => 0.0_f32..=1.0, 1 => any::<u32>().prop_map(f32::from_bits), 1 => Just(1.0_f32.next_up())]
}

fn in_declared_ranges(env: &dyn MultiAgentEnv, t: &Timestep) -> Result<(), TestCaseError> {
    for (i, agent) in env.task().agents.iter().enumerate() {
        for (field, value) in agent.obs.iter().zip(t.agent_obs(i)) {
            let range = field.range.unwrap();
            prop_assert!((range.low..=range.high).contains(value), "{} is {value}", field.name);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..Default::default() })]

    #[test]
    fn a_step_is_taken_exactly_if_every_command_is_in_bounds(commands in prop::collection::vec(command(), 13..18)) {
        let mut env = Spread::continuous();
        let mut t = Timestep::for_env(&env);
        env.reset(1, &mut t);
        let valid = commands.len() == 15 && commands.iter().all(|c| (0.0..=1.0).contains(c));
        let result = env.step(&JointAction::Continuous(commands), &mut t);
        prop_assert_eq!(result.is_ok(), valid);
        in_declared_ranges(&env, &t)?;
    }

    #[test]
    fn a_choice_is_taken_exactly_if_there_is_one(choices in prop::collection::vec(0_u32..7, 2..5)) {
        let mut env = Spread::discrete();
        let mut t = Timestep::for_env(&env);
        env.reset(1, &mut t);
        let valid = choices.len() == 3 && choices.iter().all(|&c| c < 5);
        prop_assert_eq!(env.step(&JointAction::Discrete(choices), &mut t).is_ok(), valid);
    }

    #[test]
    fn observations_stay_in_their_ranges(
        seed: u64,
        choices in prop::collection::vec(prop::array::uniform3(0_u32..5), 25),
    ) {
        for name in ["spread", "spread-discrete"] {
            let mut env = make_env(name).unwrap();
            let mut t = Timestep::for_env(&*env);
            env.reset(seed, &mut t);
            in_declared_ranges(&*env, &t)?;
            for choices in &choices {
                let mut commands = vec![0.0; 15];
                choices.iter().enumerate().for_each(|(i, &c)| commands[5 * i + c as usize] = 1.0);
                let discrete = JointAction::Discrete(choices.to_vec());
                let actions = if env.task().is_discrete() { discrete } else { JointAction::Continuous(commands) };
                env.step(&actions, &mut t).unwrap();
                in_declared_ranges(&*env, &t)?;
            }
            prop_assert!(t.truncated && !t.terminated);
        }
    }

    #[test]
    fn any_state_is_refused_or_played(bits in prop::array::uniform6(any::<u64>()), near in -0.2_f64..0.2) {
        let values = bits.map(f64::from_bits);
        let agents = [[values[0], values[1]], [near, 0.0], [near, 0.0]].map(Body::at);
        let landmarks = [[values[2], values[3]], [values[4], values[5]], [0.0; 2]];
        let mut env = Spread::discrete();
        let mut t = Timestep::for_env(&env);
        let valid = values.iter().all(|v| v.abs() <= 1000.0);
        match env.set_state(SpreadState { agents, landmarks }, &mut t) {
            Ok(()) => prop_assert!(valid),
            Err(error) => {
                let named = matches!(error, Error::State { .. });
                prop_assert!(!valid && named);
                return Ok(());
            }
        }
        while !t.is_last() {
            env.step(&JointAction::Discrete(vec![1, 0, 2]), &mut t).unwrap();
            prop_assert!(t.obs.iter().chain(&t.rewards).all(|v| v.is_finite()) && t.team_reward.is_finite());
        }
    }
}
