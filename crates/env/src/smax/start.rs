//! How an episode begins.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::maps::{Armies, Map};
use super::roster::Roster;
use super::units::{FACTS, Kind, SMAX_KINDS};
use super::world::{Discs, SIZE, World};

/// Middle of the map.
const MIDDLE: f32 = SIZE / 2.0;
/// Where the sides of a fixed map stand: x of their middle.
const ALLIES_X: f32 = 8.0;
const ENEMIES_X: f32 = 24.0;
/// A group's units stand within this of its middle, along each axis.
const SPREAD: f32 = 2.0;
const CORNERS: [[f32; 2]; 4] = [[0.0, 0.0], [0.0, SIZE], [SIZE, 0.0], [SIZE, SIZE]];

impl Map {
    /// The armies; those that are drawn are marines until [`Map::begin`] draws them.
    pub fn roster(&self) -> Roster {
        let (allies, enemies) = self.sizes();
        let mut roster = Roster::new(allies, enemies, self.kinds);
        if let Armies::Fixed { allies, enemies } = self.armies {
            let kinds = allies.iter().chain(enemies).flat_map(|(kind, number)| std::iter::repeat_n(*kind, *number));
            kinds.enumerate().for_each(|(unit, kind)| roster.set(unit, kind));
        }
        roster
    }

    /// Draw an episode's beginning: kinds if they are drawn, and places, from where units that overlap push each other once.
    pub fn begin(&self, roster: &mut Roster, rng: &mut ChaCha8Rng) -> World {
        let mut world = World::new();
        match self.armies {
            Armies::Fixed { .. } => {
                for unit in 0..roster.len() {
                    let x = if roster.is_ally(unit) { ALLIES_X } else { ENEMIES_X };
                    world.put(unit, near([x, MIDDLE], rng));
                }
            }
            Armies::Drawn(units) => {
                for ally in 0..units {
                    let kind = Kind::ALL[rng.random_range(0..SMAX_KINDS)];
                    roster.set(ally, kind);
                    roster.set(units + ally, kind);
                }
                if rng.random() { world.reflect(units, rng) } else { world.surround(units, rng) }
            }
        }
        let n = roster.len();
        world.health[..n].copy_from_slice(&roster.health[..n]);
        world.push(roster, &mut Discs::new());
        world
    }
}

impl World {
    fn put(&mut self, unit: usize, [x, y]: [f32; 2]) {
        (self.x[unit], self.y[unit]) = (x, y);
    }

    /// Allies anywhere in the left half, each enemy as its ally in a mirror.
    fn reflect(&mut self, units: usize, rng: &mut ChaCha8Rng) {
        for ally in 0..units {
            let place = [rng.random_range(0.0..MIDDLE), rng.random_range(0.0..SIZE)];
            self.put(ally, place);
            self.put(units + ally, [SIZE - place[0], place[1]]);
        }
    }

    /// One side in the middle, the other in groups between it and the corners.
    fn surround(&mut self, units: usize, rng: &mut ChaCha8Rng) {
        let groups = CORNERS.map(|corner| {
            let t: f32 = rng.random();
            corner.map(|x| t * MIDDLE + (1.0 - t) * x)
        });
        let inside = if rng.random() { 0..units } else { units..2 * units };
        for unit in 0..2 * units {
            let group = groups[rng.random_range(0..groups.len())];
            let place = near(if inside.contains(&unit) { [MIDDLE; 2] } else { group }, rng);
            self.put(unit, place);
        }
    }
}

fn near(middle: [f32; 2], rng: &mut ChaCha8Rng) -> [f32; 2] {
    middle.map(|x| x + rng.random_range(-SPREAD..SPREAD))
}

/// How far out of the map a unit can be observed at most: pushed by everybody else at once, or put there.
pub fn margin(roster: &Roster) -> f32 {
    let largest = FACTS[..roster.kinds].iter().fold(0.0_f32, |radius, facts| radius.max(facts.radius));
    SPREAD + roster.len() as f32 * largest
}
