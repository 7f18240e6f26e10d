//! What is drawn is distributed as the original's. References: `jaxmarl` 0.2.0, 1000 episodes or 2043 shots.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::smax::draws::Draws;
use crate::smax::{Map, Roster, SIZE, World};

/// Share of a thousand beginnings on a map for which something holds.
fn share(task: &str, holds: impl Fn(&World, &Roster) -> bool) -> f64 {
    let map = Map::find(task).unwrap();
    let mut roster = map.roster();
    let begins = |seed| {
        let world = map.begin(&mut roster, &mut ChaCha8Rng::seed_from_u64(seed));
        holds(&world, &roster)
    };
    (0..1000).map(begins).filter(|holds| *holds).count() as f64 / 1000.0
}

fn check(task: &str, reference: f64, holds: impl Fn(&World, &Roster) -> bool) {
    let found = share(task, holds);
    // Three standard errors of the difference of two such shares.
    let sure = 3.0 * (2.0 * reference * (1.0 - reference) / 1000.0_f64).sqrt();
    assert!((found - reference).abs() <= sure, "{task}: {found}, the original has {reference}");
}

fn overlap(world: &World, roster: &Roster) -> bool {
    let units = 0..roster.len();
    let mut pairs = units.clone().flat_map(|a| units.clone().filter(move |b| *b > a).map(move |b| (a, b)));
    pairs.any(|(a, b)| world.distance(a, b) < roster.radius[a] + roster.radius[b] - 1e-4)
}

fn outside(world: &World, roster: &Roster) -> bool {
    let out = |x: &f32| !(0.0..=SIZE).contains(x);
    let n = roster.len();
    world.x[..n].iter().chain(&world.y[..n]).any(out)
}

#[test]
fn one_push_leaves_overlaps() {
    check("smax-5m_vs_6m", 0.36, overlap);
    check("smax-6h_vs_8z", 0.96, overlap);
}

#[test]
fn some_drawn_units_begin_outside() {
    check("smax-5_units", 0.10, outside);
    check("smax-20_units", 0.18, outside);
    assert_eq!(share("smax-25m", outside), 0.0);
}

/// In drawn armies an enemy is of its ally's kind, and all six kinds come.
#[test]
fn drawn_armies_are_alike() {
    let mut kinds = Vec::new();
    let alike = |_: &World, roster: &Roster| (0..10).all(|i| roster.kind[i] == roster.kind[10 + i]);
    assert_eq!(share("smax-10_units", alike), 1.0);
    let map = Map::find("smax-10_units").unwrap();
    let mut roster = map.roster();
    for seed in 0..20 {
        map.begin(&mut roster, &mut ChaCha8Rng::seed_from_u64(seed));
        kinds.extend(roster.kind[..10].iter().map(|kind| *kind as u8));
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, [0, 1, 2, 3, 4, 5]);
}

/// A marine's shots are 11.76 world steps apart: 1 and the cooldown with its noise in sixteenths of a second, rounded up.
#[test]
fn shots_take_a_while() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let steps = (0..20_000).map(|i| 1.0 + (16.0 * (0.61 + rng.cooldown_noise(i, 0))).ceil());
    let mean = steps.sum::<f32>() / 20_000.0;
    assert!((mean - 11.76).abs() < 0.02, "{mean}");
}
