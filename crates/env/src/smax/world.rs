//! Where the units are, and what a step does to them: motion, shots, walls, pushing.

use super::draws::Draws;
use super::roster::{MAX_UNITS, Roster};
use super::{DIRECTIONS, STOP};

/// Side of the square map.
pub const SIZE: f32 = 32.0;
/// World steps in a step of the environment.
pub const WORLD_STEPS: usize = 8;
/// Seconds of a world step.
pub const DT: f32 = 1.0 / 16.0;
/// Seconds of a step.
pub const STEP: f32 = WORLD_STEPS as f32 * DT;
/// Added to distances before they divide.
const EPSILON: f32 = 1e-6;
/// A step that begins with this many before it is the last.
const LAST_STEP: u32 = 100;
/// No target.
const NOBODY: u8 = u8::MAX;

/// The state of a battle, a value a unit in the order of its [`Roster`]. A unit lives as long as its health is above 0.
#[derive(Clone, Debug)]
pub struct World {
    pub x: [f32; MAX_UNITS],
    pub y: [f32; MAX_UNITS],
    pub health: [f32; MAX_UNITS],
    /// Seconds until the unit may shoot; goes on falling below 0.
    pub cooldown: [f32; MAX_UNITS],
    /// What each unit was told to do in the last step.
    pub action: [u8; MAX_UNITS],
    /// Which of an enemy's targets it shot at last, as the number of the attack.
    pub last_target: [Option<u8>; MAX_UNITS],
    /// Where an enemy walks if it sees nobody; set in its first step.
    pub fallback: [Option<[f32; 2]>; MAX_UNITS],
    /// Steps so far.
    pub steps: u32,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Of the team.
    pub reward: f32,
    /// All enemies are dead, and not all allies.
    pub won: bool,
    /// A side is dead.
    pub decided: bool,
    /// It was the last step that there is time for.
    pub timed_out: bool,
}

/// Orders of a step, as its world steps need them.
pub struct Orders {
    /// What a living unit moves in a world step.
    dx: [f32; MAX_UNITS],
    dy: [f32; MAX_UNITS],
    /// Whom it shoots at, or nobody.
    target: [u8; MAX_UNITS],
}

impl World {
    /// Nobody is there yet.
    pub fn new() -> Self {
        Self {
            x: [0.0; MAX_UNITS],
            y: [0.0; MAX_UNITS],
            health: [0.0; MAX_UNITS],
            cooldown: [0.0; MAX_UNITS],
            action: [STOP; MAX_UNITS],
            last_target: [None; MAX_UNITS],
            fallback: [None; MAX_UNITS],
            steps: 0,
        }
    }

    /// Does this unit live?
    pub fn lives(&self, unit: usize) -> bool {
        self.health[unit] > 0.0
    }

    /// Distance of two units' centres.
    pub fn distance(&self, a: usize, b: usize) -> f32 {
        let (dx, dy) = (self.x[b] - self.x[a], self.y[b] - self.y[a]);
        (dx * dx + dy * dy).sqrt()
    }

    /// Does a living unit have a living target in range? Whether its weapon is ready does not count.
    pub fn reaches(&self, roster: &Roster, unit: usize, target: usize) -> bool {
        self.lives(unit) && self.lives(target) && self.distance(unit, target) < roster.range[unit]
    }

    /// Does a living unit see a living one?
    pub fn sees(&self, roster: &Roster, unit: usize, other: usize) -> bool {
        self.lives(unit) && self.lives(other) && self.distance(unit, other) < roster.sight[unit]
    }

    /// Is a side dead?
    pub fn is_lost(&self, side: std::ops::Range<usize>) -> bool {
        self.health[side].iter().all(|health| *health <= 0.0)
    }

    /// Play a step: `allies` act as told, the enemies by their script.
    pub fn step(&mut self, roster: &Roster, allies: &[u32], draws: &mut impl Draws) -> Outcome {
        let n = roster.allies;
        self.command_enemies(roster, draws);
        self.action[..n].iter_mut().zip(allies).for_each(|(action, told)| *action = *told as u8);
        let before = self.health;
        self.advance(roster, draws);

        let (lost, beaten) = (self.is_lost(0..n), self.is_lost(n..roster.len()));
        let damage: f32 = (n..roster.len()).map(|e| (self.health[e] - before[e]) / roster.health[e]).sum();
        let won = beaten && !lost;
        let reward = damage.abs() / roster.enemies as f32 + if won { 1.0 } else { 0.0 };
        let timed_out = self.steps >= LAST_STEP;
        self.steps += 1;
        Outcome { reward, won, decided: lost || beaten, timed_out }
    }

    /// Let all units do what they were told.
    fn advance(&mut self, roster: &Roster, draws: &mut impl Draws) {
        let (orders, mut discs) = (self.orders(roster), Discs::new());
        for world_step in 0..WORLD_STEPS {
            self.world_step(roster, &orders, world_step, draws, &mut discs);
        }
    }

    /// What the actions mean in a world step.
    pub fn orders(&self, roster: &Roster) -> Orders {
        let mut orders = Orders { dx: [0.0; MAX_UNITS], dy: [0.0; MAX_UNITS], target: [NOBODY; MAX_UNITS] };
        for unit in 0..roster.len() {
            let [dx, dy] = direction(self.action[unit]);
            orders.dx[unit] = dx * roster.velocity[unit] * DT;
            orders.dy[unit] = dy * roster.velocity[unit] * DT;
            orders.target[unit] = roster.aim(unit, self.action[unit]).map_or(NOBODY, |target| target as u8);
        }
        orders
    }

    /// Let a sixteenth of a second pass.
    pub fn world_step(
        &mut self,
        roster: &Roster,
        orders: &Orders,
        world_step: usize,
        draws: &mut impl Draws,
        discs: &mut Discs,
    ) {
        let n = roster.len();
        let loss = self.shoot(roster, orders, world_step, draws);
        for i in 0..n {
            let lives = self.health[i] > 0.0;
            let x = (self.x[i] + orders.dx[i]).clamp(0.0, SIZE);
            let y = (self.y[i] + orders.dy[i]).clamp(0.0, SIZE);
            self.x[i] = if lives { x } else { self.x[i] };
            self.y[i] = if lives { y } else { self.y[i] };
        }
        // A living unit at a wall dies; where the dead lie does not matter.
        for (i, loss) in loss.iter().enumerate().take(n) {
            let inside = (self.x[i] > 0.0) & (self.x[i] < SIZE) & (self.y[i] > 0.0) & (self.y[i] < SIZE);
            let health = (self.health[i] - loss).max(0.0);
            self.health[i] = if inside { health } else { 0.0 };
        }
        self.push(roster, discs);
    }

    /// Fire whatever can be fired and let cooldowns run; the damage to each unit.
    fn shoot(
        &mut self,
        roster: &Roster,
        orders: &Orders,
        world_step: usize,
        draws: &mut impl Draws,
    ) -> [f32; MAX_UNITS] {
        let mut loss = [0.0; MAX_UNITS];
        for i in 0..roster.len() {
            let cooldown = self.cooldown[i];
            let target = usize::from(orders.target[i]);
            if target == usize::from(NOBODY) || cooldown > 0.0 || !self.reaches(roster, i, target) {
                self.cooldown[i] = cooldown - DT;
                continue;
            }
            let noise = draws.cooldown_noise(world_step, i);
            self.cooldown[i] = cooldown + ((roster.cooldown[i] + noise) - cooldown);
            loss[target] += roster.attack[i];
            if roster.splash[i] > 0.0 {
                self.splash(roster, i, target, &mut loss);
            }
        }
        loss
    }

    /// A shot's damage to those of the other side who stand near its target.
    fn splash(&self, roster: &Roster, unit: usize, target: usize, loss: &mut [f32; MAX_UNITS]) {
        let others = if roster.is_ally(unit) { roster.allies..roster.len() } else { 0..roster.allies };
        for other in others {
            if other != target && self.lives(other) && self.distance(target, other) < roster.splash[unit] {
                loss[other] += roster.attack[unit];
            }
        }
    }

    /// Living units that overlap push each other apart, all at once: half of the overlap each. May push out of the map.
    pub fn push(&mut self, roster: &Roster, discs: &mut Discs) {
        discs.gather(self, roster);
        discs.push();
        for k in 0..discs.count {
            let unit = usize::from(discs.unit[k]);
            self.x[unit] += discs.push_x[k] / 2.0;
            self.y[unit] += discs.push_y[k] / 2.0;
        }
    }
}

/// Room for the living units, one beside the other, and how far each is pushed, twice.
pub struct Discs {
    count: usize,
    unit: [u8; MAX_UNITS],
    x: [f32; MAX_UNITS],
    y: [f32; MAX_UNITS],
    radius: [f32; MAX_UNITS],
    push_x: [f32; MAX_UNITS],
    push_y: [f32; MAX_UNITS],
}

impl Discs {
    /// None yet.
    pub fn new() -> Self {
        let none = [0.0; MAX_UNITS];
        Self { count: 0, unit: [0; MAX_UNITS], x: none, y: none, radius: none, push_x: none, push_y: none }
    }

    fn gather(&mut self, world: &World, roster: &Roster) {
        self.count = 0;
        for unit in (0..roster.len()).filter(|unit| world.lives(*unit)) {
            let k = self.count;
            self.unit[k] = unit as u8;
            (self.x[k], self.y[k], self.radius[k]) = (world.x[unit], world.y[unit], roster.radius[unit]);
            (self.push_x[k], self.push_y[k]) = (0.0, 0.0);
            self.count += 1;
        }
    }

    fn push(&mut self) {
        for a in 0..self.count {
            if self.touches_a_later_one(a) {
                (a + 1..self.count).for_each(|b| self.push_apart(a, b));
            }
        }
    }

    /// Looked at without a branch, so that an instruction looks at several.
    fn touches_a_later_one(&self, a: usize) -> bool {
        let (x, y, radius) = (self.x[a], self.y[a], self.radius[a]);
        let later = a + 1..self.count;
        let places = self.x[later.clone()].iter().zip(&self.y[later.clone()]).zip(&self.radius[later]);
        let touches = places.map(|((other_x, other_y), other_radius)| {
            let (dx, dy, reach) = (x - other_x, y - other_y, radius + other_radius);
            dx * dx + dy * dy < reach * reach
        });
        touches.fold(false, |any, touches| any | touches)
    }

    fn push_apart(&mut self, a: usize, b: usize) {
        let (dx, dy) = (self.x[a] - self.x[b], self.y[a] - self.y[b]);
        let (reach, square) = (self.radius[a] + self.radius[b], dx * dx + dy * dy);
        if square >= reach * reach {
            return;
        }
        let weight = (reach / (square.sqrt() + EPSILON) - 1.0).max(0.0);
        self.push_x[a] += dx * weight;
        self.push_y[a] += dy * weight;
        self.push_x[b] -= dx * weight;
        self.push_y[b] -= dy * weight;
    }
}

/// Where an action moves; nowhere unless it is a move.
pub fn direction(action: u8) -> [f32; 2] {
    DIRECTIONS.get(usize::from(action)).copied().unwrap_or_default()
}
