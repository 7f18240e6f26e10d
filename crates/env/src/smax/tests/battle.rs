//! What holds in every battle, whatever the allies do.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::smax::roster::Roster;
use crate::smax::units::{Kind, SMAX_KINDS};
use crate::smax::world::{Discs, World};
use crate::smax::{EPISODE_LIMIT, FIRST_ATTACK, MOVES, NAMES, STOP};
use crate::{Error, JointAction, MultiAgentEnv, Side, Smax, TeamPolicy, Timestep, UniformPolicy, make_env};

/// Names, and what a map is like: allies, width of observations, of the state, actions. Source: `jaxmarl` 0.2.0.
const SIZES: [(&str, usize, usize, usize, usize); 16] = [
    ("smax-3m", 3, 75, 72, 8),
    ("smax-8m", 8, 205, 192, 13),
    ("smax-25m", 25, 647, 600, 30),
    ("smax-2s3z", 5, 127, 120, 10),
    ("smax-3s5z", 8, 205, 192, 13),
    ("smax-5m_vs_6m", 5, 140, 132, 11),
    ("smax-10m_vs_11m", 10, 270, 252, 16),
    ("smax-27m_vs_30m", 27, 738, 684, 35),
    ("smax-3s5z_vs_3s6z", 8, 218, 204, 14),
    ("smax-3s_vs_5z", 3, 101, 96, 10),
    ("smax-6h_vs_8z", 6, 179, 168, 13),
    ("smax-5_units", 5, 127, 120, 10),
    ("smax-10_units", 10, 257, 240, 15),
    ("smax-20_units", 20, 517, 480, 25),
    ("smax-corridor", 6, 387, 360, 29),
    ("smax-2c_vs_64zg", 2, 921, 858, 69),
];

/// What a timestep's state says of a unit: health as a share, place, cooldown.
fn unit(t: &Timestep, units: usize, index: usize) -> [f32; 4] {
    let width = t.state.len() / units - 2;
    std::array::from_fn(|k| t.state[index * width + k])
}

/// Between a timestep and the next nothing happened that cannot.
fn check(env: &Smax, before: &Timestep, after: &Timestep) {
    let task = env.task();
    let (n, width) = (task.n_agents(), task.action_dim());
    let units = n + width - FIRST_ATTACK;
    for i in 0..units {
        let (was, is) = (unit(before, units, i), unit(after, units, i));
        assert!(is[0] <= was[0], "{}: the health of {i} rises", task.name);
        assert!(is[0] > 0.0 || is == [0.0; 4], "{}: {i} is dead and {is:?}", task.name);
    }
    for i in 0..n {
        let (mask, lives) = (after.agent_mask(i), after.alive[i] == 1);
        assert_eq!(lives, unit(after, units, i)[0] > 0.0);
        assert!(mask[usize::from(STOP)] == 1 && mask[..MOVES] == [after.alive[i]; MOVES]);
        assert!(lives || mask.iter().sum::<u8>() == 1 && after.agent_obs(i).iter().all(|x| *x == 0.0));
        for (k, may) in mask[FIRST_ATTACK..].iter().enumerate() {
            assert!(*may == 0 || unit(after, units, n + k)[0] > 0.0, "{}: {k} is dead and a target", task.name);
        }
        for (field, value) in task.agents[i].obs.iter().zip(after.agent_obs(i)) {
            let range = field.range.unwrap();
            assert!((range.low..=range.high).contains(value), "{}: {} is {value}", task.name, field.name);
        }
    }
    assert!(after.rewards.iter().all(|r| f64::from(*r) == after.team_reward) && after.team_reward >= 0.0);
    assert!(!(after.terminated && after.truncated));
}

/// Play an episode: legal choices, or any at all.
fn play(env: &mut Smax, seed: u64, legal: bool) -> (f64, u32) {
    let (mut before, mut after) = (Timestep::for_env(env), Timestep::for_env(env));
    let mut policy = UniformPolicy::new(env.task().clone());
    let mut actions = JointAction::for_task(env.task());
    env.reset(seed, &mut before);
    policy.reset(seed);
    check(env, &before, &before);
    let (mut sum, mut steps) = (0.0, 0);
    while !before.is_last() {
        assert_eq!(env.won(), None);
        let mut seen = before.clone();
        if !legal {
            seen.action_mask.fill(1);
        }
        policy.act(&seen, &mut actions).unwrap();
        env.step(&actions, &mut after).unwrap();
        check(env, &before, &after);
        (sum, steps) = (sum + after.team_reward, steps + 1);
        std::mem::swap(&mut before, &mut after);
    }
    assert_eq!(env.won(), Some(before.team_reward >= 1.0));
    assert!(sum <= 2.0 + 1e-5 && steps <= EPISODE_LIMIT && (steps == EPISODE_LIMIT || before.terminated));
    assert!(matches!(env.step(&actions, &mut after), Err(Error::NotRunning { .. })));
    (sum, steps)
}

#[test]
fn tasks_are_as_large_as_the_originals() {
    assert_eq!(SIZES.map(|sizes| sizes.0), NAMES);
    for (name, agents, obs, state, actions) in SIZES {
        let env = make_env(name).unwrap();
        let task = env.task();
        task.validate().unwrap();
        let found = (task.n_agents(), task.obs_dim(), env.state_len(), task.action_dim());
        assert_eq!(found, (agents, obs, state, actions), "{name}");
    }
    assert!(matches!(Smax::new("smax-4m"), Err(Error::UnknownTask { .. })));
}

#[test]
fn observations_are_named_as_they_are_laid_out() {
    let task = Smax::new("smax-3s_vs_5z").unwrap().task().clone();
    let names: Vec<&str> = task.agents[1].obs.iter().map(|field| field.name.as_str()).collect();
    let kinds = ["marine", "marauder", "stalker", "zealot", "zergling", "hydralisk"];
    let first =
        ["ally_0.health", "ally_0.x", "ally_0.y", "ally_0.move.x", "ally_0.move.y", "ally_0.action", "ally_0.cooldown"];
    assert_eq!(names[..7], first);
    assert_eq!(names[7..13], kinds.map(|kind| format!("ally_0.{kind}")));
    assert_eq!((names[13], names[26], names[78]), ("ally_2.health", "enemy_0.health", "enemy_4.health"));
    assert_eq!(names[91..95], ["own.health", "own.x", "own.y", "own.cooldown"]);
    assert_eq!(names[95..], kinds.map(|kind| format!("own.{kind}")));
    let omiga_format::ActionSpace::Discrete(actions) = &task.agents[0].action else { unreachable!() };
    assert_eq!(actions.join(" "), "up right down left stop attack.0 attack.1 attack.2 attack.3 attack.4");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..Default::default() })]

    #[test]
    fn what_holds_in_every_battle(seed: u64, legal: bool) {
        for name in NAMES {
            let mut env = Smax::new(name).unwrap();
            let first = play(&mut env, seed, legal);
            // Equal seeds give equal battles, whatever was played before.
            prop_assert_eq!(play(&mut env, seed, legal), first);
        }
    }
}

/// Who walks up dies at the wall, and that is a loss.
#[test]
fn walls_kill() {
    let mut env = Smax::new("smax-3m").unwrap();
    let mut t = Timestep::for_env(&env);
    env.reset(5, &mut t);
    while !t.is_last() {
        env.step(&JointAction::Discrete(vec![0; 3]), &mut t).unwrap();
    }
    assert_eq!((t.terminated, env.won(), t.alive.as_slice()), (true, Some(false), [0; 3].as_slice()));
    let mut won = [f64::NAN];
    env.measure(&mut won);
    assert_eq!((env.metrics()[0].name.as_str(), won), ("win rate", [0.0]));
}

/// Every unit is in the picture, and who shoots at whom.
#[test]
fn a_battle_has_a_picture() {
    let mut env = Smax::new("smax-3m").unwrap();
    let mut t = Timestep::for_env(&env);
    env.reset(5, &mut t);
    let mut shots = 0;
    while !t.is_last() {
        env.step(&JointAction::Discrete(vec![u32::from(STOP); 3]), &mut t).unwrap();
        let scene = env.scene().unwrap();
        assert_eq!(scene.discs.iter().filter(|disc| disc.side == Side::Team).count(), 3);
        let alive = scene.discs[..3].iter().map(|disc| u8::from(disc.health > Some(0.0)));
        assert!(alive.eq(t.alive.iter().copied()) && scene.discs.len() == 6);
        shots += scene.lines.len();
        let seen = |[x, y]: [f32; 2]| {
            (scene.view.low[0]..scene.view.high[0]).contains(&x) && (scene.view.low[1]..scene.view.high[1]).contains(&y)
        };
        assert!(scene.discs.iter().all(|disc| seen(disc.at)));
        // Allies stand still: only enemies shoot.
        assert!(scene.lines.iter().all(|line| line.side == Side::Opponent), "{scene:?}");
    }
    assert!(shots > 0);
}

/// A colossus's shot also hits who stands near the target: ours.
#[test]
fn shots_of_a_colossus_splash() {
    let mut roster = Roster::new(1, 4, SMAX_KINDS + 1);
    roster.set(0, Kind::Colossus);
    (1..5).for_each(|enemy| roster.set(enemy, Kind::Zergling));
    let mut world = World::new();
    world.health = roster.health;
    for (unit, x) in [10.0, 15.0, 16.3, 13.7, 18.0].into_iter().enumerate() {
        (world.x[unit], world.y[unit]) = (x, 16.0);
    }
    world.action[0] = FIRST_ATTACK as u8;
    let orders = world.orders(&roster);
    world.world_step(&roster, &orders, 0, &mut ChaCha8Rng::seed_from_u64(0), &mut Discs::new());
    assert_eq!(world.health[..5], [350.0, 5.0, 5.0, 5.0, 35.0]);
}
