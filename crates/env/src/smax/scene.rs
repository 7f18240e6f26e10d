//! A battle as a drawing.

use super::roster::Roster;
use super::world::World;
use crate::{Disc, Line, Scene, Side, View};

/// Room around the units, in map units.
const ROOM: f32 = 2.0;
/// Width of a shot, in map units.
const SHOT: f32 = 0.08;

/// Units with their health, named by the first letter of their kind, and lines from those who shot in the last step to their
/// targets. All that live or lie are in view.
pub fn of(world: &World, roster: &Roster) -> Scene {
    let at = |unit: usize| [world.x[unit], world.y[unit]];
    let side = |unit: usize| if roster.is_ally(unit) { Side::Team } else { Side::Opponent };
    let disc = |unit: usize| Disc {
        at: at(unit),
        radius: roster.radius[unit],
        side: side(unit),
        label: roster.kind[unit].facts().name[..1].to_uppercase(),
        health: Some((world.health[unit] / roster.health[unit]).clamp(0.0, 1.0)),
    };
    let shot = |unit: usize| {
        let target = target(world, roster, unit)?;
        Some(Line { from: at(unit), to: at(target), width: SHOT, side: side(unit) })
    };
    let around = |unit: usize| View::around(at(unit), [ROOM; 2]);
    let view = (1..roster.len()).fold(around(0), |all, unit| all.and(&around(unit)));
    Scene { view, discs: (0..roster.len()).map(disc).collect(), lines: (0..roster.len()).filter_map(shot).collect() }
}

/// Whom a living unit was told to shoot at, if it is in range. It may have died of it.
fn target(world: &World, roster: &Roster, unit: usize) -> Option<usize> {
    let target = roster.aim(unit, world.action[unit])?;
    (world.lives(unit) && world.distance(unit, target) < roster.range[unit]).then_some(target)
}
