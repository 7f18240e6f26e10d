//! Who takes part in a battle.

use super::units::{Facts, Kind};

/// Most units of a battle: 2 colossi and 64 zerglings.
pub const MAX_UNITS: usize = 66;

/// The units of both sides: allies first, then enemies. Facts of kinds lie unit by unit, as loops over units want them.
#[derive(Clone, Debug)]
pub struct Roster {
    pub allies: usize,
    pub enemies: usize,
    /// Kinds that are told apart in observations.
    pub kinds: usize,
    pub kind: [Kind; MAX_UNITS],
    pub velocity: [f32; MAX_UNITS],
    pub attack: [f32; MAX_UNITS],
    pub range: [f32; MAX_UNITS],
    pub sight: [f32; MAX_UNITS],
    pub radius: [f32; MAX_UNITS],
    pub health: [f32; MAX_UNITS],
    pub cooldown: [f32; MAX_UNITS],
    pub splash: [f32; MAX_UNITS],
}

impl Roster {
    /// Marines on both sides.
    pub fn new(allies: usize, enemies: usize, kinds: usize) -> Self {
        let none = [0.0; MAX_UNITS];
        let mut roster = Self {
            allies,
            enemies,
            kinds,
            kind: [Kind::Marine; MAX_UNITS],
            velocity: none,
            attack: none,
            range: none,
            sight: none,
            radius: none,
            health: none,
            cooldown: none,
            splash: none,
        };
        (0..roster.len()).for_each(|unit| roster.set(unit, Kind::Marine));
        roster
    }

    /// Let a unit be of this kind.
    pub fn set(&mut self, unit: usize, kind: Kind) {
        let &Facts { velocity, attack, range, sight, radius, health, cooldown, splash, name: _ } = kind.facts();
        self.kind[unit] = kind;
        self.velocity[unit] = velocity;
        self.attack[unit] = attack;
        self.range[unit] = range;
        self.sight[unit] = sight;
        self.radius[unit] = radius;
        self.health[unit] = health;
        self.cooldown[unit] = cooldown;
        self.splash[unit] = splash;
    }

    /// Number of units of both sides.
    pub fn len(&self) -> usize {
        self.allies + self.enemies
    }

    /// Is this unit an ally?
    pub fn is_ally(&self, unit: usize) -> bool {
        unit < self.allies
    }

    /// Number of actions of a unit: moves, stop, and an attack on each of the other side.
    pub fn actions(&self, unit: usize) -> usize {
        super::FIRST_ATTACK + if self.is_ally(unit) { self.enemies } else { self.allies }
    }

    /// Whom a unit aims at with an action, if that is one of its attacks.
    pub fn aim(&self, unit: usize, action: u8) -> Option<usize> {
        let attacks = super::FIRST_ATTACK..self.actions(unit);
        let action = usize::from(action);
        attacks.contains(&action).then(|| self.target(unit, action - attacks.start))
    }

    /// Whom the `k`-th attack of a unit aims at: allies count the enemies up, enemies the allies down.
    pub fn target(&self, unit: usize, k: usize) -> usize {
        if self.is_ally(unit) { self.allies + k } else { self.allies - 1 - k }
    }
}
