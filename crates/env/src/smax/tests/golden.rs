//! Every recorded battle, one step at a time from its recorded state and draws, and freely from its beginning.

use std::path::{Path, PathBuf};

use super::recording::{Case, Fields, Recording, Replay};
use crate::smax::roster::Roster;
use crate::smax::units::{Kind, SMAX_KINDS};
use crate::smax::world::{Discs, Outcome, WORLD_STEPS, World};

/// Largest difference of any field. Ours are of the order of 1e-5: sums and roots differ in their last bits.
const TOLERANCE: f32 = 1e-4;
/// Where few are in contact whole battles agree. Pushing is chaotic: elsewhere rounding grows to all sizes.
const FREE_MAPS: [&str; 2] = ["3m", "5m_vs_6m"];

/// A case that is being compared.
struct Replayed<'a> {
    name: String,
    case: Case,
    fields: &'a Fields,
    roster: Roster,
    worst: (f32, String),
}

impl Replayed<'_> {
    fn check(&mut self, field: &str, t: usize, found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len(), "{}: {field}", self.name);
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            let difference = (found - expected).abs();
            assert!(difference <= TOLERANCE, "{}: `{field}` {i} of row {t} is {found}, expected {expected}", self.name);
            if difference > self.worst.0 {
                self.worst = (difference, format!("{field} of row {t}"));
            }
        }
    }

    fn units(&self) -> usize {
        self.roster.len()
    }

    /// What is known of row `t` of a world, against the record.
    fn check_row(&mut self, world: &World, t: usize) {
        let (n, units, fields) = (self.roster.allies, self.units(), self.fields);
        let places: Vec<f32> = (0..units).flat_map(|i| [world.x[i], world.y[i]]).collect();
        self.check("pos", t, &places, fields.row("pos", t));
        self.check("health", t, &world.health[..units], fields.row("health", t));
        self.check("cd", t, &world.cooldown[..units], fields.row("cd", t));
        let lives: Vec<f32> = (0..units).map(|i| f32::from(u8::from(world.lives(i)))).collect();
        self.check("alive", t, &lives, fields.row("alive", t));
        let mut state = vec![0.0; self.roster.state_dim()];
        world.write_state(&self.roster, &mut state);
        self.check("state", t, &state, fields.row("state", t));
        let mut masks = vec![0; n * self.roster.actions(0)];
        for (ally, mask) in masks.chunks_exact_mut(self.roster.actions(0)).enumerate() {
            world.write_mask(&self.roster, ally, mask);
        }
        let masks: Vec<f32> = masks.into_iter().map(f32::from).collect();
        self.check("avail", t, &masks, fields.row("avail", t));
        let Some(row) = fields.observed(t) else { return };
        let mut obs = vec![0.0; units * self.roster.obs_dim()];
        for (unit, obs) in obs.chunks_exact_mut(self.roster.obs_dim()).enumerate() {
            world.observe(&self.roster, unit, obs);
        }
        let (allies, enemies) = obs.split_at(n * self.roster.obs_dim());
        self.check("obs", t, allies, fields.row("obs", row));
        if fields.has("enemy_obs") {
            self.check("enemy_obs", t, enemies, fields.row("enemy_obs", row));
        }
    }

    /// The world as it was recorded before step `t`.
    fn load(&self, t: usize) -> World {
        let (n, units, fields) = (self.roster.allies, self.units(), self.fields);
        let mut world = World::new();
        for (unit, place) in fields.row("pos", t).as_chunks::<2>().0.iter().enumerate() {
            (world.x[unit], world.y[unit]) = (place[0], place[1]);
        }
        world.health[..units].copy_from_slice(fields.row("health", t));
        world.cooldown[..units].copy_from_slice(fields.row("cd", t));
        world.steps = self.case.start_step + t as u32;
        for (enemy, last) in fields.row("enemy_last", t).iter().enumerate() {
            world.last_target[n + enemy] = (*last >= 0.0).then_some(*last as u8);
        }
        if t > 0 {
            let told = fields.row("ally_actions", t - 1).iter().chain(fields.row("enemy_actions", t - 1));
            world.action.iter_mut().zip(told).for_each(|(action, told)| *action = *told as u8);
            for (enemy, place) in fields.all("enemy_default").as_chunks::<2>().0.iter().enumerate() {
                world.fallback[n + enemy] = Some(*place);
            }
        }
        world
    }

    fn draws(&self, t: usize) -> Replay<'_> {
        let (noise, goals) = (self.fields.row("noise", t), self.fields.row("enemy_u", t));
        Replay { allies: self.roster.allies, units: self.units(), noise, goals }
    }

    fn play(&mut self, world: &mut World, t: usize) {
        let (n, units, fields) = (self.roster.allies, self.units(), self.fields);
        let allies: Vec<u32> = fields.row("ally_actions", t).iter().map(|action| *action as u32).collect();
        let outcome = world.step(&self.roster, &allies, &mut self.draws(t));
        let enemies: Vec<f32> = world.action[n..units].iter().map(|action| f32::from(*action)).collect();
        self.check("enemy_actions", t, &enemies, fields.row("enemy_actions", t));
        let last: Vec<f32> = world.last_target[n..units].iter().map(|last| last.map_or(-1.0, f32::from)).collect();
        self.check("enemy_last", t + 1, &last, fields.row("enemy_last", t + 1));
        let fallback: Vec<f32> = world.fallback[n..units].iter().flat_map(|place| place.unwrap()).collect();
        self.check("enemy_default", t, &fallback, fields.all("enemy_default"));
        let Outcome { reward, decided, timed_out, won } = outcome;
        self.check("reward", t, &[reward], fields.row("reward", t));
        assert_eq!(won, reward >= 1.0);
        self.check("done", t, &[f32::from(u8::from(decided || timed_out))], fields.row("done", t));
        let dead: Vec<f32> = (0..n).map(|i| f32::from(u8::from(!world.lives(i)))).collect();
        self.check("ally_done", t, &dead, fields.row("ally_done", t));
        self.check_row(world, t + 1);
    }

    /// Each world step of step `t`, if these were recorded.
    fn check_world_steps(&mut self, t: usize) {
        let (fields, units) = (self.fields, self.units());
        if !fields.has("sub_pos") || t * WORLD_STEPS * units >= fields.all("sub_health").len() {
            return;
        }
        let mut world = self.load(t);
        let told = fields.row("ally_actions", t).iter().chain(fields.row("enemy_actions", t));
        world.action.iter_mut().zip(told).for_each(|(action, told)| *action = *told as u8);
        let orders = world.orders(&self.roster);
        for step in 0..WORLD_STEPS {
            world.world_step(&self.roster, &orders, step, &mut self.draws(t), &mut Discs::new());
            let of = |row: &[f32], width: usize| row[step * width..(step + 1) * width].to_vec();
            let places: Vec<f32> = (0..units).flat_map(|i| [world.x[i], world.y[i]]).collect();
            self.check("sub_pos", t, &places, &of(fields.row("sub_pos", t), 2 * units));
            self.check("sub_health", t, &world.health[..units], &of(fields.row("sub_health", t), units));
            self.check("sub_cd", t, &world.cooldown[..units], &of(fields.row("sub_cd", t), units));
        }
    }
}

fn roster(recording: &Recording, fields: &Fields) -> Roster {
    let mut roster = Roster::new(recording.about.n_allies, recording.about.n_enemies, SMAX_KINDS);
    fields.all("unit_types").iter().enumerate().for_each(|(unit, kind)| roster.set(unit, Kind::ALL[*kind as usize]));
    roster
}

fn check_start(replayed: &mut Replayed) {
    if !replayed.fields.has("start_before_push") {
        return;
    }
    let (roster, fields, units) = (replayed.roster.clone(), replayed.fields, replayed.units());
    let mut world = World::new();
    world.health = roster.health;
    for (unit, place) in fields.all("start_before_push").as_chunks::<2>().0.iter().enumerate() {
        (world.x[unit], world.y[unit]) = (place[0], place[1]);
    }
    world.push(&roster, &mut Discs::new());
    let places: Vec<f32> = (0..units).flat_map(|i| [world.x[i], world.y[i]]).collect();
    replayed.check("start", 0, &places, fields.row("pos", 0));
}

/// All cases of a file, if `freely` whole battles too; how many there were.
fn check(path: &Path, freely: bool) -> usize {
    let recording = Recording::read(path);
    for (name, case) in &recording.about.cases {
        let fields = recording.fields(name);
        let name = format!("{} {name}", recording.about.map);
        let roster = roster(&recording, &fields);
        let mut replayed = Replayed { name, case: *case, fields: &fields, roster, worst: (0.0, String::new()) };
        check_start(&mut replayed);
        for t in 0..case.steps {
            let mut world = replayed.load(t);
            replayed.check_row(&world, t);
            replayed.play(&mut world, t);
            replayed.check_world_steps(t);
        }
        println!("{}: {} steps, at most {:.1e} ({})", replayed.name, case.steps, replayed.worst.0, replayed.worst.1);
        if freely && FREE_MAPS.contains(&&*recording.about.map) {
            let mut world = replayed.load(0);
            (0..case.steps).for_each(|t| replayed.play(&mut world, t));
        }
    }
    recording.about.cases.len()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
    files.sort();
    files
}

#[test]
fn recorded_battles_agree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/smax");
    let cases: usize = files(&folder).iter().map(|path| check(path, true)).sum();
    assert_eq!(cases, 40);
}

/// `OMIGA_SMAX_DIR` names a folder with more of them, as `make interop` records them.
#[test]
fn battles_recorded_elsewhere_agree() {
    let Some(folder) = std::env::var_os("OMIGA_SMAX_DIR") else {
        println!("left out: OMIGA_SMAX_DIR names no folder");
        return;
    };
    let files = files(Path::new(&folder));
    assert!(!files.is_empty(), "no recording in {}", Path::new(&folder).display());
    let cases: usize = files.iter().map(|path| check(path, false)).sum();
    assert!(cases > 0);
}
