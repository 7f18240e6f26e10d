//! A team that tries plans out in the world before it acts.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::script::{Order, Script, Tactic, balance};
use crate::smax::{MAX_UNITS, MOVES, Roster, World};

/// Steps for which a plan has orders; then it goes on with its tactic.
const PLANNED: usize = 8;
/// Tactics that a whole team may follow.
const TEAM: [Tactic; 4] = [Tactic::Focus, Tactic::Together, Tactic::Kite, Tactic::Closest];

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Steps of a rollout.
    pub horizon: usize,
    /// Rollouts of a plan, each with other draws, the same for all plans.
    pub samples: usize,
    /// Plans that are tried in every decision.
    pub plans: usize,
}

/// What everybody does from now on.
#[derive(Clone, Debug)]
struct Plan {
    orders: [[Order; MAX_UNITS]; PLANNED],
    tactic: Tactic,
}

impl Plan {
    fn new(tactic: Tactic) -> Self {
        Self { orders: [[Order::Follow(tactic); MAX_UNITS]; PLANNED], tactic }
    }

    /// A step later.
    fn advance(&mut self) {
        self.orders.rotate_left(1);
        self.orders[PLANNED - 1] = [Order::Follow(self.tactic); MAX_UNITS];
    }

    /// Change the orders of one ally, of some or of all for a few steps.
    fn change(&mut self, roster: &Roster, rng: &mut ChaCha8Rng) {
        let begin = rng.random_range(0..6_usize).saturating_sub(2);
        let end = (begin + rng.random_range(1..5_usize)).min(PLANNED);
        let order = match rng.random_range(0..10) {
            0..4 => Order::Move(rng.random_range(0..MOVES as u8)),
            4 | 5 => Order::Follow(Tactic::Retreat),
            6 => Order::Follow(Tactic::Hold),
            7 => Order::Follow(TEAM[rng.random_range(0..TEAM.len())]),
            _ => Order::Target(rng.random_range(0..roster.enemies as u8), self.tactic),
        };
        let one = rng.random_range(0..roster.allies);
        let share = [1.0, 0.5, 0.0, 0.0][rng.random_range(0..4)];
        for ally in 0..roster.allies {
            if ally == one || rng.random::<f64>() < share {
                self.orders[begin..end].iter_mut().for_each(|orders| orders[ally] = order);
            }
        }
    }
}

/// The best of many random plans, each tried in short rollouts of the native world against the enemies' script.
///
/// A plan has orders for the first steps and a tactic for what follows. In a decision the plan of the last one is tried, then
/// that of every tactic, then random changes of the best so far. What counts is the balance of the sides' health where a rollout
/// ends. All plans of a decision meet the same draws, and one that falls behind is given up.
#[derive(Clone, Debug)]
pub struct Planner {
    effort: Effort,
    script: Script,
    plan: Plan,
    /// What each rollout of the best plan so far is worth.
    best: Vec<f32>,
    found: Vec<f32>,
}

/// What is decided about.
#[derive(Clone, Copy)]
struct Situation<'a> {
    world: &'a World,
    roster: &'a Roster,
    seed: u64,
}

impl Planner {
    /// With so much effort.
    pub fn new(effort: Effort) -> Self {
        Self { effort, script: Script::default(), plan: Plan::new(Tactic::Focus), best: Vec::new(), found: Vec::new() }
    }

    /// Forget the last episode.
    pub fn reset(&mut self) {
        self.plan = Plan::new(Tactic::Focus);
    }

    /// Decide everybody's action.
    pub fn act(&mut self, world: &World, roster: &Roster, rng: &mut ChaCha8Rng, actions: &mut [u32]) {
        let now = Situation { world, roster, seed: rng.random() };
        self.best.clear();
        self.best.resize(self.effort.samples, f32::NEG_INFINITY);
        self.try_out(now, self.plan.clone());
        TEAM.into_iter().for_each(|tactic| self.try_out(now, Plan::new(tactic)));
        for _ in 0..self.effort.plans {
            let mut candidate = self.plan.clone();
            candidate.change(roster, rng);
            if rng.random() {
                candidate.change(roster, rng);
            }
            self.try_out(now, candidate);
        }
        self.script.obey(&self.plan.orders[0], world, roster, actions);
        self.plan.advance();
    }

    /// Take a plan if it is better than the best so far; give it up as soon as it falls behind.
    fn try_out(&mut self, now: Situation, candidate: Plan) {
        self.found.clear();
        let mut ahead = 0.0;
        for sample in 0..self.effort.samples {
            let value = self.play(now, &candidate, now.seed.wrapping_add(sample as u64));
            ahead += value - self.best[sample];
            self.found.push(value);
            if ahead <= 0.0 && sample > 0 {
                return;
            }
        }
        if ahead > 0.0 {
            std::mem::swap(&mut self.best, &mut self.found);
            self.plan = candidate;
        }
    }

    fn play(&mut self, now: Situation, plan: &Plan, seed: u64) -> f32 {
        let roster = now.roster;
        let (mut world, mut rng) = (now.world.clone(), ChaCha8Rng::seed_from_u64(seed));
        let mut actions = [0; MAX_UNITS];
        let actions = &mut actions[..roster.allies];
        for step in 0..self.effort.horizon {
            match plan.orders.get(step) {
                Some(orders) => self.script.obey(orders, &world, roster, actions),
                None => self.script.command(plan.tactic, &world, roster, actions),
            }
            let outcome = world.step(roster, actions, &mut rng);
            if outcome.decided || outcome.timed_out {
                break;
            }
        }
        balance(&world, roster)
    }
}
