//! What units observe, the state, and what they may do: SMAX's `unit_list`.

use super::roster::Roster;
use super::units::Kind;
use super::world::{SIZE, World, direction};
use super::{FIRST_ATTACK, MOVES, STOP};

/// Numbers about another unit before its kind.
pub const OF_OTHER: usize = 7;
/// Numbers about the observer itself before its kind, and about each unit in the state.
pub const OF_SELF: usize = 4;

impl Roster {
    /// Width of an observation.
    pub fn obs_dim(&self) -> usize {
        (self.len() - 1) * (OF_OTHER + self.kinds) + OF_SELF + self.kinds
    }

    /// Width of the state.
    pub fn state_dim(&self) -> usize {
        self.len() * (OF_SELF + self.kinds + 2)
    }

    /// The others in the order in which a unit lists them: allies count up, enemies down.
    pub fn others(&self, unit: usize) -> impl Iterator<Item = usize> {
        let (len, up) = (self.len(), self.is_ally(unit));
        (0..len).map(move |i| if up { i } else { len - 1 - i }).filter(move |other| *other != unit)
    }
}

impl World {
    /// Write what a unit observes; `row` is zero and as wide as [`Roster::obs_dim`].
    pub fn observe(&self, roster: &Roster, unit: usize, row: &mut [f32]) {
        if !self.lives(unit) {
            return;
        }
        let (others, own) = row.split_at_mut((roster.len() - 1) * (OF_OTHER + roster.kinds));
        for (row, other) in others.chunks_exact_mut(OF_OTHER + roster.kinds).zip(roster.others(unit)) {
            if self.sees(roster, unit, other) {
                self.observe_other(roster, unit, other, row);
            }
        }
        let place = [self.x[unit] / SIZE, self.y[unit] / SIZE];
        own[..OF_SELF].copy_from_slice(&[self.condition(roster, unit), place[0], place[1], self.reload(roster, unit)]);
        own[OF_SELF + roster.kind[unit] as usize] = 1.0;
    }

    fn observe_other(&self, roster: &Roster, unit: usize, other: usize, row: &mut [f32]) {
        let (sight, action) = (roster.sight[unit], self.action[other]);
        let [move_x, move_y] = direction(action);
        let shot = if usize::from(action) < FIRST_ATTACK { 0.0 } else { f32::from(action) };
        row[..OF_OTHER].copy_from_slice(&[
            self.condition(roster, other),
            (self.x[other] - self.x[unit]) / sight,
            (self.y[other] - self.y[unit]) / sight,
            move_x,
            move_y,
            shot / (roster.actions(other) - 1) as f32,
            self.reload(roster, other),
        ]);
        row[OF_OTHER + roster.kind[other] as usize] = 1.0;
    }

    /// Health as a share.
    fn condition(&self, roster: &Roster, unit: usize) -> f32 {
        self.health[unit] / roster.health[unit]
    }

    /// Cooldown as a share.
    fn reload(&self, roster: &Roster, unit: usize) -> f32 {
        (self.cooldown[unit] / roster.cooldown[unit]).clamp(0.0, 1.0)
    }

    /// Write the state; `out` is zero and as wide as [`Roster::state_dim`].
    pub fn write_state(&self, roster: &Roster, out: &mut [f32]) {
        let (units, rest) = out.split_at_mut(roster.len() * (OF_SELF + roster.kinds));
        let (sides, kinds) = rest.split_at_mut(roster.len());
        for (unit, row) in units.chunks_exact_mut(OF_SELF + roster.kinds).enumerate() {
            if self.lives(unit) {
                let own = [self.condition(roster, unit), self.x[unit], self.y[unit], self.cooldown[unit]];
                row[..OF_SELF].copy_from_slice(&own);
                row[OF_SELF + roster.kind[unit] as usize] = 1.0;
            }
            sides[unit] = if roster.is_ally(unit) { 0.0 } else { 1.0 };
            kinds[unit] = f32::from(roster.kind[unit] as u8);
        }
    }

    /// Take from a state that [`Self::write_state`] wrote what it tells: kinds, health, and of the living places and cooldowns.
    pub fn read_state(&mut self, roster: &mut Roster, state: &[f32]) {
        let (units, rest) = state.split_at(roster.len() * (OF_SELF + roster.kinds));
        for (unit, kind) in rest[roster.len()..].iter().enumerate() {
            roster.set(unit, Kind::ALL[(*kind as usize).min(Kind::ALL.len() - 1)]);
        }
        for (unit, row) in units.chunks_exact(OF_SELF + roster.kinds).enumerate() {
            // Health is a whole number; its share may be rounded.
            self.health[unit] = (row[0] * roster.health[unit]).round();
            if self.lives(unit) {
                (self.x[unit], self.y[unit], self.cooldown[unit]) = (row[1], row[2], row[3]);
            }
        }
    }

    /// Write what an ally may do: all if it lives, but attacks only on who is in range; the dead only stop.
    pub fn write_mask(&self, roster: &Roster, ally: usize, row: &mut [u8]) {
        row.fill(0);
        row[usize::from(STOP)] = 1;
        if !self.lives(ally) {
            return;
        }
        row[..MOVES].fill(1);
        for (k, may) in row[FIRST_ATTACK..].iter_mut().enumerate() {
            *may = u8::from(self.reaches(roster, ally, roster.target(ally, k)));
        }
    }
}
