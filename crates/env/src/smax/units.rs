//! Kinds of units and what they can do: SMAX's numbers, which are not StarCraft's.

/// Kinds that SMAX has; what its observations and states tell apart.
pub const SMAX_KINDS: usize = 6;

/// What a unit is. The number is the place in a one-hot code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Marine,
    Marauder,
    Stalker,
    Zealot,
    Zergling,
    Hydralisk,
    /// Not SMAX's, ours.
    Colossus,
}

/// What all units of a kind have in common.
///
/// # Units
/// Lengths in map units (StarCraft's), times in seconds, health and damage in hit points.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub name: &'static str,
    /// Distance a second.
    pub velocity: f32,
    /// Damage of a shot.
    pub attack: f32,
    /// A target's centre must be nearer than this.
    pub range: f32,
    /// What is nearer than this is seen.
    pub sight: f32,
    pub radius: f32,
    pub health: f32,
    /// Time between two shots, to which noise and the clock's grid add.
    pub cooldown: f32,
    /// A shot also hits what is as near to its target as this; 0 for the target alone.
    pub splash: f32,
}

/// By [`Kind`]. Source: `jaxmarl` 0.2.0; the colossus is ours, from StarCraft's numbers (two beams of 15 against light units).
pub const FACTS: [Facts; SMAX_KINDS + 1] = [
    facts("marine", [3.15, 9.0, 5.0, 9.0, 0.375, 45.0, 0.61], 0.0),
    facts("marauder", [2.25, 10.0, 6.0, 10.0, 0.5625, 125.0, 1.07], 0.0),
    facts("stalker", [4.13, 13.0, 6.0, 10.0, 0.625, 160.0, 1.87], 0.0),
    facts("zealot", [3.15, 8.0, 2.0, 9.0, 0.5, 150.0, 0.86], 0.0),
    facts("zergling", [4.13, 5.0, 2.0, 8.0, 0.375, 35.0, 0.5], 0.0),
    facts("hydralisk", [3.15, 12.0, 5.0, 9.0, 0.625, 80.0, 0.59], 0.0),
    facts("colossus", [3.15, 30.0, 7.0, 10.0, 1.0, 350.0, 1.07], 1.4),
];

const fn facts(name: &'static str, numbers: [f32; 7], splash: f32) -> Facts {
    let [velocity, attack, range, sight, radius, health, cooldown] = numbers;
    Facts { name, velocity, attack, range, sight, radius, health, cooldown, splash }
}

impl Kind {
    /// By number.
    pub const ALL: [Self; SMAX_KINDS + 1] =
        [Self::Marine, Self::Marauder, Self::Stalker, Self::Zealot, Self::Zergling, Self::Hydralisk, Self::Colossus];

    /// What units of this kind can do.
    pub const fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }
}
