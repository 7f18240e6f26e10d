//! Who fights whom on each map.

use super::units::{Kind, SMAX_KINDS};

/// Number of units of a kind, one group after the other.
type Groups = &'static [(Kind, usize)];

/// How the armies are made.
#[derive(Clone, Copy, Debug)]
pub enum Armies {
    /// The same in every episode, one on either side.
    Fixed { allies: Groups, enemies: Groups },
    /// So many on each side, kinds and places drawn for every episode.
    Drawn(usize),
}

/// A map: only its armies differ, all are an empty square.
#[derive(Debug)]
pub struct Map {
    /// Name of its task.
    pub task: &'static str,
    pub armies: Armies,
    /// Kinds that observations and states tell apart.
    pub kinds: usize,
}

use Kind::{Colossus, Hydralisk, Marine, Stalker, Zealot, Zergling};

/// Of `jaxmarl` 0.2.0, but for the last two, which are ours.
pub const MAPS: &[Map; 16] = &[
    fixed("smax-3m", &[(Marine, 3)], &[(Marine, 3)]),
    fixed("smax-8m", &[(Marine, 8)], &[(Marine, 8)]),
    fixed("smax-25m", &[(Marine, 25)], &[(Marine, 25)]),
    fixed("smax-2s3z", &[(Stalker, 2), (Zealot, 3)], &[(Stalker, 2), (Zealot, 3)]),
    fixed("smax-3s5z", &[(Stalker, 3), (Zealot, 5)], &[(Stalker, 3), (Zealot, 5)]),
    fixed("smax-5m_vs_6m", &[(Marine, 5)], &[(Marine, 6)]),
    fixed("smax-10m_vs_11m", &[(Marine, 10)], &[(Marine, 11)]),
    fixed("smax-27m_vs_30m", &[(Marine, 27)], &[(Marine, 30)]),
    fixed("smax-3s5z_vs_3s6z", &[(Stalker, 3), (Zealot, 5)], &[(Stalker, 3), (Zealot, 6)]),
    fixed("smax-3s_vs_5z", &[(Stalker, 3)], &[(Zealot, 5)]),
    fixed("smax-6h_vs_8z", &[(Hydralisk, 6)], &[(Zealot, 8)]),
    drawn("smax-5_units", 5),
    drawn("smax-10_units", 10),
    drawn("smax-20_units", 20),
    fixed("smax-corridor", &[(Zealot, 6)], &[(Zergling, 24)]),
    Map { kinds: SMAX_KINDS + 1, ..fixed("smax-2c_vs_64zg", &[(Colossus, 2)], &[(Zergling, 64)]) },
];

/// The names of their tasks.
pub const NAMES: [&str; MAPS.len()] = {
    let mut names = [""; MAPS.len()];
    let mut i = 0;
    while i < MAPS.len() {
        names[i] = MAPS[i].task;
        i += 1;
    }
    names
};

impl Map {
    /// The map of a task.
    pub fn find(task: &str) -> Option<&'static Self> {
        MAPS.iter().find(|map| map.task == task)
    }

    /// Number of allies and of enemies.
    pub fn sizes(&self) -> (usize, usize) {
        let count = |groups: Groups| groups.iter().map(|(_, number)| number).sum();
        match self.armies {
            Armies::Fixed { allies, enemies } => (count(allies), count(enemies)),
            Armies::Drawn(units) => (units, units),
        }
    }
}

const fn fixed(task: &'static str, allies: Groups, enemies: Groups) -> Map {
    Map { task, armies: Armies::Fixed { allies, enemies }, kinds: SMAX_KINDS }
}

const fn drawn(task: &'static str, units: usize) -> Map {
    Map { task, armies: Armies::Drawn(units), kinds: SMAX_KINDS }
}
