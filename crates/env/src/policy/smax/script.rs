//! Scripted tactics of a team, from the whole state.

use crate::smax::{DIRECTIONS, FIRST_ATTACK, MOVES, Roster, SIZE, STEP, STOP, World, towards};

/// How far a unit that may choose its move keeps from walls, which kill.
const OFF_WALLS: f32 = 1.0;
/// A weapon that is ready after so many seconds of a step is worth standing still for.
const PATIENCE: f32 = 0.25;

/// What every unit of a team does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tactic {
    /// Shoot the weakest in range, else walk to the nearest.
    Focus,
    /// Shoot the nearest in range, else walk to it.
    Closest,
    /// Shoot whom most reach, of these the weakest, else walk to the nearest.
    Together,
    /// As `Focus`, but step back, while the weapon is not ready, from an enemy that does not reach as far.
    Kite,
    /// Shoot the weakest in range, else stand.
    Hold,
    /// Step away from the nearest.
    Retreat,
}

/// What one unit is told for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Do as the tactic says.
    Follow(Tactic),
    /// Take this move.
    Move(u8),
    /// Shoot at this enemy if it is in range, else do as the tactic says.
    Target(u8, Tactic),
}

/// Commands teams; keeps room for what it looks at.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Of each ally to each living enemy, by ally.
    distances: Vec<f32>,
    /// Living enemies.
    enemies: Vec<usize>,
    /// How many allies reach each of them.
    reached: Vec<u8>,
}

impl Script {
    /// Write everybody's action.
    pub fn command(&mut self, tactic: Tactic, world: &World, roster: &Roster, actions: &mut [u32]) {
        self.look(world, roster);
        for (ally, action) in actions.iter_mut().enumerate() {
            *action = self.act(tactic, world, roster, ally).unwrap_or(u32::from(STOP));
        }
    }

    /// Write everybody's action, each after its own order.
    pub fn obey(&mut self, orders: &[Order], world: &World, roster: &Roster, actions: &mut [u32]) {
        self.look(world, roster);
        for ((ally, action), order) in actions.iter_mut().enumerate().zip(orders) {
            let found = match *order {
                Order::Follow(tactic) => self.act(tactic, world, roster, ally),
                Order::Move(direction) => world.lives(ally).then_some(u32::from(direction)),
                Order::Target(k, _) if world.reaches(roster, ally, roster.target(ally, usize::from(k))) => {
                    Some(FIRST_ATTACK as u32 + u32::from(k))
                }
                Order::Target(_, tactic) => self.act(tactic, world, roster, ally),
            };
            *action = found.unwrap_or(u32::from(STOP));
        }
    }

    fn look(&mut self, world: &World, roster: &Roster) {
        self.enemies.clear();
        self.enemies.extend((roster.allies..roster.len()).filter(|enemy| world.lives(*enemy)));
        self.distances.clear();
        self.reached.clear();
        self.reached.resize(self.enemies.len(), 0);
        for ally in 0..roster.allies {
            for (enemy, reached) in self.enemies.iter().zip(&mut self.reached) {
                let distance = world.distance(ally, *enemy);
                self.distances.push(distance);
                *reached += u8::from(world.lives(ally) && distance < roster.range[ally]);
            }
        }
    }

    fn distances(&self, ally: usize) -> &[f32] {
        let width = self.enemies.len();
        &self.distances[ally * width..(ally + 1) * width]
    }

    /// `None` is to stop.
    fn act(&self, tactic: Tactic, world: &World, roster: &Roster, ally: usize) -> Option<u32> {
        let distances = self.distances(ally);
        let nearest = least(distances.iter().copied())?;
        if !world.lives(ally) {
            return None;
        }
        let weakest = || self.target(roster, ally, |k| world.health[self.enemies[k]]);
        let approach = || self.approach(world, ally, nearest);
        match tactic {
            Tactic::Focus => weakest().or_else(approach),
            Tactic::Closest => self.target(roster, ally, |k| distances[k]).or_else(approach),
            Tactic::Together => {
                let health = |k: usize| world.health[self.enemies[k]] / roster.health[self.enemies[k]];
                self.target(roster, ally, |k| health(k) - 2.0 * f32::from(self.reached[k])).or_else(approach)
            }
            Tactic::Kite if self.should_step_back(world, roster, ally, nearest) => {
                self.retreat(world, roster, ally).or_else(weakest)
            }
            Tactic::Kite => weakest().or_else(approach),
            Tactic::Hold => weakest(),
            Tactic::Retreat => self.retreat(world, roster, ally).or_else(weakest),
        }
    }

    fn should_step_back(&self, world: &World, roster: &Roster, ally: usize, nearest: usize) -> bool {
        let enemy = self.enemies[nearest];
        let danger = roster.range[enemy] + (roster.velocity[enemy] + roster.velocity[ally]) * STEP;
        let outranges = roster.range[ally] > roster.range[enemy];
        outranges && world.cooldown[ally] > PATIENCE && self.distances(ally)[nearest] < danger
    }

    /// The attack on the enemy in range that costs least.
    fn target(&self, roster: &Roster, ally: usize, cost: impl Fn(usize) -> f32) -> Option<u32> {
        let reached =
            |(k, distance): (usize, &f32)| if *distance < roster.range[ally] { cost(k) } else { f32::INFINITY };
        let best = least(self.distances(ally).iter().enumerate().map(reached))?;
        let in_range = self.distances(ally)[best] < roster.range[ally];
        in_range.then(|| (FIRST_ATTACK + self.enemies[best] - roster.allies) as u32)
    }

    fn approach(&self, world: &World, ally: usize, nearest: usize) -> Option<u32> {
        let enemy = self.enemies[nearest];
        Some(towards([world.x[enemy] - world.x[ally], world.y[enemy] - world.y[ally]]) as u32)
    }

    /// The move after which the nearest enemy is farthest, off the walls.
    fn retreat(&self, world: &World, roster: &Roster, ally: usize) -> Option<u32> {
        let safety = |action: usize| {
            let step = roster.velocity[ally] * STEP;
            let [x, y] = [world.x[ally] + DIRECTIONS[action][0] * step, world.y[ally] + DIRECTIONS[action][1] * step];
            if !is_off_walls([x, y]) {
                return f32::INFINITY;
            }
            let square = |enemy: &usize| (world.x[*enemy] - x).powi(2) + (world.y[*enemy] - y).powi(2);
            -self.enemies.iter().map(square).fold(f32::INFINITY, f32::min)
        };
        let best = least((0..MOVES).map(safety))?;
        (safety(best) < 0.0).then_some(best as u32)
    }
}

/// Is a place on the map far enough from its walls to go there?
pub fn is_off_walls(place: [f32; 2]) -> bool {
    place.iter().all(|x| (OFF_WALLS..SIZE - OFF_WALLS).contains(x))
}

/// The first of the least.
fn least(costs: impl Iterator<Item = f32>) -> Option<usize> {
    costs.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(k, _)| k)
}

/// How strong a side is compared with the other: between -2 (lost) and 2 (won).
pub fn balance(world: &World, roster: &Roster) -> f32 {
    let strength = |units: std::ops::Range<usize>| {
        let share =
            |unit: usize| if world.lives(unit) { 0.5 + 0.5 * world.health[unit] / roster.health[unit] } else { 0.0 };
        let count = units.len() as f32;
        units.map(share).sum::<f32>() / count
    };
    let (allies, enemies) = (strength(0..roster.allies), strength(roster.allies..roster.len()));
    let end = if allies == 0.0 { -1.0 } else { f32::from(u8::from(enemies == 0.0)) };
    allies - enemies + end
}
