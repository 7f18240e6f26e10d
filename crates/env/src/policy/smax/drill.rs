//! What a unit does by what it sees: every permitted action has a score, a weighted sum of a few features.

use super::script::is_off_walls;
use super::sight::{Seen, Sight};
use crate::smax::{DIRECTIONS, DT, FIRST_ATTACK, MOVES, SIZE, STEP, STOP};

/// A weapon that needs this long is not fired within the step, one that needs less than the other at its beginning.
const BUSY: f32 = 0.49;
const AT_ONCE: f32 = 0.01;
/// Allies or enemies, of a few, as a number near 1.
const FEW: f32 = 3.0;
const PAIR: f32 = 2.0;
const TEAM: f32 = 4.0;

/// Features of a move without an enemy in sight, of one with, and of an attack. To stop scores 0.
pub const ALONE: usize = 3;
pub const MOVING: usize = 22;
pub const ATTACKING: usize = 8;

/// The weight of each feature, in the order of the three functions that list them.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    pub alone: [f32; ALONE],
    pub moving: [f32; MOVING],
    pub attacking: [f32; ATTACKING],
}

impl Weights {
    /// The permitted action of the highest score, the first of equals. `scores` is room for them.
    pub fn best(&self, sight: &Sight, mask: &[u8], scores: &mut Vec<f32>) -> u32 {
        self.scores(sight, mask, scores);
        let better = |best: usize, action: usize| if scores[action] > scores[best] { action } else { best };
        (0..scores.len()).fold(usize::from(STOP), better) as u32
    }

    /// The score of every action; that of one that is not permitted, or would end at a wall, is minus infinity.
    pub fn scores(&self, sight: &Sight, mask: &[u8], out: &mut Vec<f32>) {
        let now = Situation::of(sight);
        let score = |(action, may): (usize, &u8)| match action.checked_sub(FIRST_ATTACK) {
            _ if *may == 0 => f32::NEG_INFINITY,
            Some(target) => self.of_attack(&now, target),
            None if action < MOVES => self.of_move(&now, action),
            None => 0.0,
        };
        out.clear();
        out.extend(mask.iter().enumerate().map(score));
    }

    fn of_move(&self, now: &Situation<'_>, direction: usize) -> f32 {
        let step = now.sight.facts.velocity * STEP;
        let to = DIRECTIONS[direction].map(|d| d * step);
        if !is_off_walls([now.sight.x + to[0], now.sight.y + to[1]]) {
            return f32::NEG_INFINITY;
        }
        if now.sight.enemies.is_empty() {
            sum(&self.alone, &now.moved_alone(to, step))
        } else {
            sum(&self.moving, &now.moved(to, step))
        }
    }

    fn of_attack(&self, now: &Situation<'_>, target: usize) -> f32 {
        let target = now.sight.enemies.iter().find(|enemy| enemy.index == target);
        // Whom a unit reaches it sees.
        target.map_or(0.0, |target| sum(&self.attacking, &now.attacked(target)))
    }
}

/// What all actions of a unit have in common.
struct Situation<'a> {
    sight: &'a Sight,
    /// Distance of the nearest enemy.
    nearest: f32,
    /// Centre of the allies in sight, and its distance.
    centre: [f32; 2],
    apart: f32,
    /// Share of health that is lost.
    lost: f32,
    /// Enemies that will shoot at this unit within the step if it stays.
    threat: f32,
    /// Enemies that reach it.
    danger: f32,
    /// Enemies that it reaches.
    reached: f32,
    /// How much farther than this unit the allies are from their nearest enemies.
    ahead: f32,
    /// By how much it outranges its nearest enemy.
    outranges: f32,
    /// It cannot shoot in this step.
    free: f32,
    /// Nobody in sight has less health.
    weakest: f32,
}

impl<'a> Situation<'a> {
    fn of(sight: &'a Sight) -> Self {
        let (allies, enemies) = (&sight.allies, &sight.enemies);
        let nearest = distance_of_nearest(enemies, [0.0; 2]);
        let mean = |value: &dyn Fn(&Seen) -> f32| match allies.len() {
            0 => 0.0,
            count => allies.iter().map(value).sum::<f32>() / count as f32,
        };
        let centre = [mean(&|ally| ally.x), mean(&|ally| ally.y)];
        let ahead = match allies.is_empty() || enemies.is_empty() {
            true => 0.0,
            false => mean(&|ally| distance_of_nearest(enemies, [ally.x, ally.y])) - nearest,
        };
        let closest = enemies.iter().min_by(|a, b| a.distance([0.0; 2]).total_cmp(&b.distance([0.0; 2])));
        let hurt_most = sight.health < 1.0 && allies.iter().all(|ally| ally.health >= sight.health);
        Self {
            sight,
            nearest,
            centre,
            apart: centre[0].hypot(centre[1]),
            lost: 1.0 - sight.health,
            threat: count(enemies, |enemy| will_shoot(enemy, sight.ally)) / PAIR,
            danger: count(enemies, |enemy| enemy.reaches([0.0; 2])) / FEW,
            reached: count(enemies, |enemy| enemy.distance([0.0; 2]) < sight.facts.range) / FEW,
            ahead: ahead / FEW,
            outranges: closest.map_or(0.0, |enemy| (sight.facts.range - enemy.facts.range) / FEW),
            free: flag(sight.reload >= BUSY),
            weakest: flag(hurt_most),
        }
    }

    /// How much farther from the allies' centre a move ends, in steps.
    fn leaves(&self, [x, y]: [f32; 2], step: f32) -> f32 {
        ((self.centre[0] - x).hypot(self.centre[1] - y) - self.apart) / step
    }

    fn moved_alone(&self, to: [f32; 2], step: f32) -> [f32; ALONE] {
        let [x, y] = [self.sight.x - SIZE / 2.0, self.sight.y - SIZE / 2.0];
        // How much farther from the middle of the map it ends, in steps.
        let outwards = ((x + to[0]).hypot(y + to[1]) - x.hypot(y)) / step;
        [1.0, outwards, self.leaves(to, step)]
    }

    fn moved(&self, to: [f32; 2], step: f32) -> [f32; MOVING] {
        let (enemies, range) = (&self.sight.enemies, self.sight.facts.range);
        // How much farther from the nearest enemy it ends, in steps.
        let away = (distance_of_nearest(enemies, to) - self.nearest) / step;
        let leaves = self.leaves(to, step);
        let reaches = count(enemies, |enemy| enemy.distance(to) < range) / FEW - self.reached;
        let exposed = count(enemies, |enemy| enemy.reaches(to)) / FEW - self.danger;
        let escapes = |enemy: &Seen| will_shoot(enemy, self.sight.ally) && !enemy.reaches(when_it_shoots(enemy, to));
        let denied = count(enemies, escapes) / PAIR;
        let (free, lost) = (self.free, self.lost);
        [
            1.0,
            free,
            away,
            away * free,
            away * self.threat,
            away * lost,
            away * flag(self.reached == 0.0),
            away * self.danger,
            away * self.ahead,
            away * self.outranges,
            away * self.sight.allies.len() as f32 / TEAM,
            leaves,
            leaves * free,
            reaches,
            reaches * free,
            denied,
            denied * lost,
            exposed,
            exposed * lost,
            away * self.weakest,
            lost,
            away * free * lost,
        ]
    }

    fn attacked(&self, target: &Seen) -> [f32; ATTACKING] {
        let (ally, facts) = (self.sight.ally, self.sight.facts);
        let helpers = count(&self.sight.allies, |ally| ally.aim == Some(target.index));
        [
            1.0,
            self.free,
            target.health,
            helpers / FEW,
            target.distance([0.0; 2]) / facts.range,
            flag(target.aim == Some(ally)),
            flag(target.hit_points() <= facts.attack * (1.0 + helpers)),
            flag(target.reload < BUSY),
        ]
    }
}

/// It shoots at this ally again within the step, but not at once.
fn will_shoot(enemy: &Seen, ally: usize) -> bool {
    enemy.aim == Some(ally) && (AT_ONCE..BUSY).contains(&enemy.reload) && enemy.reaches([0.0; 2])
}

/// How far a unit on its way through the step is when this enemy shoots.
fn when_it_shoots(enemy: &Seen, to: [f32; 2]) -> [f32; 2] {
    let world_steps = ((enemy.reload - AT_ONCE) / DT).ceil();
    to.map(|d| d * world_steps * DT / STEP)
}

/// Infinite without one.
fn distance_of_nearest(units: &[Seen], place: [f32; 2]) -> f32 {
    units.iter().map(|unit| unit.distance(place)).fold(f32::INFINITY, f32::min)
}

fn count(units: &[Seen], is_it: impl Fn(&Seen) -> bool) -> f32 {
    units.iter().filter(|unit| is_it(unit)).count() as f32
}

fn flag(is_so: bool) -> f32 {
    f32::from(u8::from(is_so))
}

fn sum(weights: &[f32], features: &[f32]) -> f32 {
    weights.iter().zip(features).map(|(weight, feature)| weight * feature).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smax::FACTS;

    const NOTHING: Weights = Weights { alone: [0.0; ALONE], moving: [0.0; MOVING], attacking: [0.0; ATTACKING] };
    const MARINE: usize = 0;

    fn marine(index: usize, [x, y]: [f32; 2]) -> Seen {
        Seen { index, x, y, health: 1.0, aim: None, reload: 0.0, facts: &FACTS[MARINE] }
    }

    fn sight(allies: Vec<Seen>, enemies: Vec<Seen>) -> Sight {
        Sight { health: 0.6, x: 16.0, y: 16.0, allies, enemies, ..Sight::default() }
    }

    /// One weight of 1: what a feature is for every action, by hand. A marine's step is 1.575.
    #[test]
    fn features_by_hand() {
        let (ally, enemy) = (marine(1, [-3.0, 0.0]), Seen { aim: Some(0), reload: 0.25, ..marine(0, [4.5, 0.0]) });
        let sight = sight(vec![ally], vec![enemy]);
        let mask = [1; FIRST_ATTACK + 1];
        let check = |weights: Weights, expected: [f32; FIRST_ATTACK + 1]| {
            let mut found = Vec::new();
            weights.scores(&sight, &mask, &mut found);
            let near = found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4);
            assert!(near, "{found:?}, expected {expected:?}");
        };
        let moving = |feature: usize| {
            let mut weights = NOTHING;
            weights.moving[feature] = 1.0;
            weights
        };
        // Up and down: sqrt(4.5^2 + 1.575^2) - 4.5 = 0.26764 away, 0.16993 steps.
        check(moving(2), [0.16993, -1.0, 0.16993, 1.0, 0.0, 0.0]);
        check(moving(4), [0.08497, -0.5, 0.08497, 0.5, 0.0, 0.0]);
        // The ally is 3 to the left.
        check(moving(11), [0.24654, 1.0, 0.24654, -1.0, 0.0, 0.0]);
        // Half a move to the left, 0.7875, is out of its range when it shoots; one up is not.
        check(moving(15), [0.0, 0.0, 0.0, 0.5, 0.0, 0.0]);
        check(moving(13), [0.0, 0.0, 0.0, -1.0 / 3.0, 0.0, 0.0]);
        let mut attack = NOTHING;
        attack.attacking = [0.0, 0.0, 2.0, 0.0, 1.0, 4.0, 0.0, 8.0];
        check(attack, [0.0, 0.0, 0.0, 0.0, 0.0, 14.9]);
    }

    #[test]
    fn walls_are_kept_off_and_masks_obeyed() {
        let mut weights = NOTHING;
        weights.alone[0] = 1.0;
        let mut scores = Vec::new();
        let mut corner = sight(Vec::new(), Vec::new());
        (corner.x, corner.y) = (2.0, 30.0);
        assert_eq!(weights.best(&corner, &[1; FIRST_ATTACK + 1], &mut scores), 1);
        assert_eq!((scores[0], scores[3]), (f32::NEG_INFINITY, f32::NEG_INFINITY));
        assert_eq!(weights.best(&corner, &[1, 0, 1, 1, 1, 0], &mut scores), 2);
        assert_eq!(weights.best(&corner, &[0, 0, 0, 0, 1, 0], &mut scores), u32::from(STOP));
    }
}
