//! The script of the enemies: shoot the nearest, else walk to a random ally in sight, else across the map.

use super::draws::Draws;
use super::roster::Roster;
use super::world::{SIZE, World};
use super::{FIRST_ATTACK, MOVES};

/// A target is looked at closely within this factor of the range.
const NEARLY: f32 = 1.001;

impl World {
    /// Let every enemy decide from what it sees now, and remember.
    pub fn command_enemies(&mut self, roster: &Roster, draws: &mut impl Draws) {
        for enemy in roster.allies..roster.len() {
            self.action[enemy] = self.decide(roster, enemy, draws) as u8;
        }
    }

    fn decide(&mut self, roster: &Roster, enemy: usize, draws: &mut impl Draws) -> usize {
        // The dead see nothing, not even where they are.
        let own = if self.lives(enemy) { [self.x[enemy], self.y[enemy]] } else { [0.0; 2] };
        let fallback = *self.fallback[enemy].get_or_insert(own.map(|place| (SIZE / 2.0 - place) + SIZE / 2.0));
        let (target, visible) = self.look(roster, enemy);
        self.last_target[enemy] = target.map(|slot| slot as u8);
        if let Some(slot) = target {
            return FIRST_ATTACK + slot;
        }
        let goal = if visible == 0 {
            fallback
        } else {
            let mut seen = (0..roster.allies).filter(|slot| self.sees(roster, enemy, roster.target(enemy, *slot)));
            let slot = seen.nth(draws.goal(enemy, visible)).unwrap_or(0);
            let [x, y] = self.relative(roster, enemy, roster.target(enemy, slot));
            [x + own[0], y + own[1]]
        };
        towards([goal[0] - own[0], goal[1] - own[1]])
    }

    /// Whom an enemy shoots at: its last target as long as that is in range, else the nearest, of equally near ones the first;
    /// and how many allies it sees, if it shoots at nobody.
    fn look(&self, roster: &Roster, enemy: usize) -> (Option<usize>, usize) {
        let range = roster.range[enemy];
        let (mut nearest, mut visible) = (None, 0);
        for slot in 0..roster.allies {
            let ally = roster.target(enemy, slot);
            if !self.sees(roster, enemy, ally) {
                continue;
            }
            visible += 1;
            if self.distance(enemy, ally) > range * NEARLY {
                continue;
            }
            let [x, y] = self.relative(roster, enemy, ally);
            let distance = (x * x + y * y).sqrt();
            if distance < range {
                if self.last_target[enemy].is_some_and(|last| usize::from(last) == slot) {
                    return (Some(slot), visible);
                }
                if nearest.is_none_or(|(_, least)| distance < least) {
                    nearest = Some((slot, distance));
                }
            }
        }
        (nearest.map(|(slot, _)| slot), visible)
    }

    /// Where an ally is, relative to an enemy, as the script reads it: through the scale of observations.
    fn relative(&self, roster: &Roster, enemy: usize, ally: usize) -> [f32; 2] {
        let sight = roster.sight[enemy];
        [self.x[ally] - self.x[enemy], self.y[ally] - self.y[enemy]].map(|d| d / sight * sight)
    }
}

/// The move that goes farthest in a direction; the first of equal ones.
pub fn towards([x, y]: [f32; 2]) -> usize {
    let gains = [y, x, -y, -x];
    (1..MOVES).fold(0, |best, action| if gains[action] > gains[best] { action } else { best })
}
