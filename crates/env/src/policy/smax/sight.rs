//! What a unit sees, read back from its observation: all that a policy which learns from the data has, too.

use crate::smax::{FACTS, Facts, OF_OTHER, OF_SELF, Roster, SIZE};

/// Another unit in sight.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Among those of its side.
    pub index: usize,
    /// Relative to the observer, in map units.
    pub x: f32,
    pub y: f32,
    /// A share.
    pub health: f32,
    /// Whom of the other side it shot at in the last step.
    pub aim: Option<usize>,
    /// Seconds until it may shoot.
    pub reload: f32,
    pub facts: &'static Facts,
}

/// What an ally knows.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Itself, among the allies.
    pub ally: usize,
    pub facts: &'static Facts,
    /// A share.
    pub health: f32,
    /// On the map.
    pub x: f32,
    pub y: f32,
    /// Seconds until it may shoot, at most its weapon's cooldown.
    pub reload: f32,
    pub allies: Vec<Seen>,
    pub enemies: Vec<Seen>,
}

impl Seen {
    /// From a place that is relative to the observer.
    pub fn distance(&self, [x, y]: [f32; 2]) -> f32 {
        (self.x - x).hypot(self.y - y)
    }

    /// Does it reach such a place?
    pub fn reaches(&self, place: [f32; 2]) -> bool {
        self.distance(place) < self.facts.range
    }

    /// Hit points.
    pub fn hit_points(&self) -> f32 {
        self.health * self.facts.health
    }
}

impl Default for Sight {
    fn default() -> Self {
        let (allies, enemies) = (Vec::new(), Vec::new());
        Self { ally: 0, facts: &FACTS[0], health: 0.0, x: 0.0, y: 0.0, reload: 0.0, allies, enemies }
    }
}

impl Sight {
    /// Read an ally's observation, as wide as [`Roster::obs_dim`].
    pub fn look(&mut self, roster: &Roster, ally: usize, obs: &[f32]) {
        let width = OF_OTHER + roster.kinds;
        let (others, own) = obs.split_at((roster.len() - 1) * width);
        let facts = facts(&own[OF_SELF..]);
        (self.ally, self.facts) = (ally, facts);
        (self.health, self.x, self.y, self.reload) = (own[0], own[1] * SIZE, own[2] * SIZE, own[3] * facts.cooldown);
        self.allies.clear();
        self.enemies.clear();
        for (row, unit) in others.chunks_exact(width).zip(roster.others(ally)).filter(|(row, _)| row[0] > 0.0) {
            let seen = see(roster, unit, row, facts.sight);
            if roster.is_ally(unit) { &mut self.allies } else { &mut self.enemies }.push(seen);
        }
    }
}

fn see(roster: &Roster, unit: usize, row: &[f32], sight: f32) -> Seen {
    let facts = facts(&row[OF_OTHER..]);
    let action = (row[5] * (roster.actions(unit) - 1) as f32).round() as u8;
    let is_ally = roster.is_ally(unit);
    Seen {
        index: if is_ally { unit } else { unit - roster.allies },
        x: row[1] * sight,
        y: row[2] * sight,
        health: row[0],
        aim: roster.aim(unit, action).map(|target| if is_ally { target - roster.allies } else { target }),
        reload: row[6] * facts.cooldown,
        facts,
    }
}

fn facts(one_hot: &[f32]) -> &'static Facts {
    &FACTS[one_hot.iter().position(|is_it| *is_it > 0.5).unwrap_or(0).min(FACTS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JointAction, MultiAgentEnv, Smax, TeamPolicy, Timestep, UniformPolicy};

    /// What is read from observations is what the world holds.
    #[test]
    fn sight_is_the_world_within_sight() {
        for name in ["smax-2s3z", "smax-5m_vs_6m", "smax-5_units"] {
            let mut env = Smax::new(name).unwrap();
            let mut policy = UniformPolicy::new(env.task().clone());
            let (mut t, mut actions) = (Timestep::for_env(&env), JointAction::for_task(env.task()));
            let (mut sight, mut seen, mut aiming) = (Sight::default(), 0, 0);
            for seed in 0..4 {
                env.reset(seed, &mut t);
                while !t.is_last() {
                    let (world, roster) = (env.world(), env.roster());
                    for ally in (0..roster.allies).filter(|ally| world.lives(*ally)) {
                        sight.look(roster, ally, t.agent_obs(ally));
                        let near = |a: f32, b: f32| (a - b).abs() < 1e-4;
                        assert!(near(sight.x, world.x[ally]) && near(sight.y, world.y[ally]));
                        let sides = [(&sight.allies, 0), (&sight.enemies, roster.allies)];
                        for (other, first) in
                            sides.into_iter().flat_map(|(side, first)| side.iter().map(move |s| (s, first)))
                        {
                            let unit = first + other.index;
                            assert!(world.sees(roster, ally, unit) && unit != ally);
                            assert!(
                                near(other.x, world.x[unit] - world.x[ally])
                                    && near(other.y, world.y[unit] - world.y[ally])
                            );
                            assert!(near(other.hit_points(), world.health[unit]));
                            assert_eq!(other.facts.name, roster.kind[unit].facts().name);
                            let aim = other.aim.map(|aim| if first == 0 { aim + roster.allies } else { aim });
                            assert_eq!(aim, roster.aim(unit, world.action[unit]), "{name} unit {unit}");
                            (seen, aiming) = (seen + 1, aiming + usize::from(aim.is_some()));
                        }
                    }
                    policy.act(&t, &mut actions).unwrap();
                    env.step(&actions, &mut t).unwrap();
                }
            }
            assert!(seen > 100 && aiming > 10, "{name}: {seen}, {aiming}");
        }
    }
}
