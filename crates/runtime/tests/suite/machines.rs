//! The same commands on every machine: instruction sets, C libraries, alone or in a team.

use omiga_runtime::{Error, Isa, LoadOptions, MemoryCursor, Policy, StepError, Team, WeightFormat};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::support;

/// The instruction sets of this machine.
fn here() -> Vec<Isa> {
    let bundle = crate::small_team(0, false).bundle();
    let loads = |isa: &Isa| Policy::from_bundle(&bundle, "agent_0", &LoadOptions::default().with_isa(*isa)).is_ok();
    [Isa::Portable, Isa::Neon, Isa::Avx2, Isa::Avx512].into_iter().filter(loads).collect()
}

/// Teams of all transforms and both kinds, wider and narrower than a vector, one with more agents than a product takes,
/// some with observations of different widths.
fn teams() -> Vec<support::Team> {
    let sized = |seed, sizes, transform, discrete| {
        support::Team::sized(ChaCha8Rng::seed_from_u64(seed), sizes, transform, discrete)
    };
    let mut teams = vec![
        sized(1, [23, 6, 1, 256], 0, false),
        sized(2, [40, 11, 17, 70], 1, false),
        sized(3, [14, 3, 5, 33], 2, true),
        sized(4, [9, 4, 3, 130], 3, false),
    ];
    teams.extend((0..8).map(|seed| crate::random_team(seed, seed as usize % 4, seed % 2 == 1)));
    teams
}

/// Rows of the team's width, and masks.
fn rows(team: &mut support::Team) -> (Vec<f32>, Vec<bool>) {
    let width = team.task.obs_dim();
    let (mut obs, mut masks) = (Vec::new(), Vec::new());
    for agent in 0..team.task.agents.len() {
        let (mut row, mask) = team.case_of(agent);
        row.resize(width, 77.0);
        obs.extend(row);
        masks.extend(mask);
    }
    (obs, masks)
}

/// Everybody's actions or choices and logits, one policy after the other, as bits.
fn one_by_one(team: &Team, obs: &[f32], masks: &[bool]) -> Vec<u32> {
    let (obs_dim, action_dim) = (team.task().obs_dim(), team.task().action_dim());
    let mut all = Vec::new();
    for (i, policy) in team.policies().iter().enumerate() {
        let (obs, mut state) = (&obs[i * obs_dim..][..policy.obs_dim()], policy.state());
        if policy.is_discrete() {
            all.push(policy.choose(&mut state, obs, &masks[i * action_dim..][..action_dim]).unwrap() as u32);
        } else {
            let mut action = vec![0.0; action_dim];
            policy.step(&mut state, obs, &mut action).unwrap();
            all.extend(action.iter().map(|x| x.to_bits()));
        }
    }
    all
}

fn together(team: &mut Team, obs: &[f32], masks: &[bool]) -> Vec<u32> {
    let n = team.len();
    if team.task().is_discrete() {
        let mut choices = vec![0; n];
        team.choose(obs, masks, &mut choices).unwrap();
        return choices;
    }
    let mut actions = vec![0.0; n * team.task().action_dim()];
    team.step(obs, &mut actions).unwrap();
    actions.iter().map(|x: &f32| x.to_bits()).collect()
}

#[test]
fn a_team_gives_what_its_policies_give_one_by_one() {
    for mut team in teams() {
        let bundle = team.bundle();
        for isa in here() {
            for weights in [WeightFormat::F32, WeightFormat::F16] {
                let options = LoadOptions::default().with_isa(isa).with_weights(weights);
                let mut loaded = Team::from_bundle(&bundle, &options).unwrap();
                for _ in 0..20 {
                    let (obs, masks) = rows(&mut team);
                    let alone = one_by_one(&loaded, &obs, &masks);
                    assert_eq!(together(&mut loaded, &obs, &masks), alone, "{isa} {weights} {}", team.task.name);
                }
            }
        }
    }
}

/// FNV-1a of all actions of the teams above, in two kinds of arithmetic: any machine must repeat them, whatever its C
/// library is.
#[test]
fn results_are_the_same_bits_on_every_machine() {
    const PORTABLE: [u64; 2] = [0xb7ef_6ddb_ca82_339c, 0x8e44_b53a_13cd_a1d6];
    const FUSED: [u64; 2] = [0x84d4_9f9c_5057_d2c2, 0xde87_80ea_95cf_0d4e];
    for isa in here() {
        let mut found = [0xcbf2_9ce4_8422_2325_u64; 2];
        for mut team in teams() {
            let bundle = team.bundle();
            let inputs: Vec<_> = (0..20).map(|_| rows(&mut team)).collect();
            for (hash, weights) in found.iter_mut().zip([WeightFormat::F32, WeightFormat::F16]) {
                let options = LoadOptions::default().with_isa(isa).with_weights(weights);
                let mut loaded = Team::from_bundle(&bundle, &options).unwrap();
                for byte in
                    inputs.iter().flat_map(|(obs, masks)| together(&mut loaded, obs, masks)).flat_map(u32::to_le_bytes)
                {
                    *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
                }
            }
        }
        let expected = if isa == Isa::Portable { PORTABLE } else { FUSED };
        assert_eq!(found.map(|x| format!("{x:#x}")), expected.map(|x| format!("{x:#x}")), "{isa}");
    }
}

#[test]
fn instructions_that_are_not_here_are_named() {
    let bundle = crate::small_team(0, false).bundle();
    let missing = [Isa::Neon, Isa::Avx2, Isa::Avx512].into_iter().find(|isa| !here().contains(isa)).unwrap();
    let found = Policy::from_bundle(&bundle, "agent_0", &LoadOptions::default().with_isa(missing));
    assert!(matches!(&found, Err(Error::NoSuchInstructions { expected, .. }) if *expected == missing));
    let message = found.unwrap_err().to_string();
    assert!(message.starts_with(&format!("this processor has no `{missing}`, only `portable`")), "{message}");
    let policy = Policy::from_bundle(&bundle, "agent_0", &LoadOptions::default().with_isa(Isa::Portable)).unwrap();
    assert_eq!(policy.engine(), "native, portable");
    let half = LoadOptions::default().with_isa(Isa::Portable).with_weights(WeightFormat::F16);
    assert_eq!(Policy::from_bundle(&bundle, "agent_0", &half).unwrap().engine(), "native, portable, f16");
}

/// What 16 bits cost: at most 5e-3 of half a range, which the self-test holds them to; 1e-5 would not do.
#[test]
fn weights_of_16_bits_are_held_to_their_own_tolerance() {
    let mut team = support::Team::sized(ChaCha8Rng::seed_from_u64(1), [23, 6, 1, 256], 0, false);
    let bundle = team.bundle();
    let half_range = team.task.agents[0].action.ranges().iter().map(|r| (r.high - r.low) / 2.0).fold(0.0, f32::max);
    let test = |options: &LoadOptions| Policy::from_bundle(&bundle, "agent_0", options).unwrap().self_test().unwrap();
    let found = test(&LoadOptions::default().with_weights(WeightFormat::F16)).max_abs_difference;
    println!("f16: {found} of half a range of {half_range}");
    assert!(found > 1e-5 && found < 5e-3 * half_range.max(1.0), "{found}");
    assert!(test(&LoadOptions::default()).max_abs_difference < 1e-5 * half_range.max(1.0));
}

/// Nobody else's numbers matter, and the agent whose own do is named.
#[test]
fn a_fault_of_one_agent_is_that_agents() {
    let mut team = support::Team::sized(ChaCha8Rng::seed_from_u64(5), [4, 3, 2, 20], 0, false);
    let mut loaded = Team::from_bundle(&team.bundle(), &LoadOptions::default()).unwrap();
    let (mut obs, _) = rows(&mut team);
    let good = together(&mut loaded, &obs, &[]);
    let mut actions = vec![7.0; 6];
    for wrong in [f32::NAN, f32::INFINITY] {
        let kept = std::mem::replace(&mut obs[5], wrong);
        assert_eq!(loaded.step(&obs, &mut actions), Err(StepError::ObsNotFinite { index: 5 }));
        obs[5] = kept;
    }
    assert_eq!(actions, vec![7.0; 6]);
    assert_eq!(together(&mut loaded, &obs, &[]), good);
}

#[test]
fn memory_is_checked_in_slices() {
    let team = Team::from_bundle(&crate::small_team(1, false).bundle(), &LoadOptions::default()).unwrap();
    for bytes in [0, 1, 100, usize::MAX] {
        let mut cursor = MemoryCursor::default();
        let calls = (1..10_000).find(|_| team.check_memory(&mut cursor, bytes).unwrap()).unwrap();
        assert_eq!(cursor, MemoryCursor::default(), "a pass ends at the beginning");
        assert!(if bytes == usize::MAX { calls <= team.len() } else { calls > team.len() }, "{bytes}: {calls}");
    }
}
