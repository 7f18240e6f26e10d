//! Behaviour in battles: units that were drilled and act by what they see, and, from the whole state, scripted tactics and a
//! planner that tries plans out in the world.

mod drill;
mod drilled;
mod planner;
mod script;
mod sight;

use omiga_format::TaskSpec;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Quality, uniform};
use crate::smax::{Map, Roster, World};
use crate::{Error, JointAction, Result, TeamPolicy, Timestep};
use drill::Weights;
use planner::{Effort, Planner};
use script::{Script, Tactic};
use sight::Sight;

/// Plans of an expert's decision, shared by the units of both sides: 272 on `smax-5m_vs_6m`.
const EXPERT_PLANS: usize = 3000;
const MEDIUM: Effort = Effort { horizon: 12, samples: 4, plans: 20 };
/// Tactics of the scripted half of `medium-replay`.
const SCRIPTED: [Tactic; 5] = [Tactic::Focus, Tactic::Closest, Tactic::Together, Tactic::Kite, Tactic::Hold];

/// Noise of `medium`: such that it wins about half of the battles, or half as many as without; on maps that are not named it was
/// not tuned.
fn medium_noise(task: &str) -> f64 {
    match task {
        "smax-3m" => 0.15,
        "smax-2s3z" => 0.33,
        "smax-5m_vs_6m" | "smax-10m_vs_11m" => 0.02,
        "smax-3s5z_vs_3s6z" => 0.08,
        "smax-6h_vs_8z" => 0.3,
        _ => 0.1,
    }
}

/// Who decides in an episode.
#[derive(Clone, Copy, Debug)]
enum Mind {
    Scripted(Tactic),
    Drilled(&'static Weights),
    Medium,
    Expert,
}

/// A team that is told what to do by somebody who sees everything, and obeys with noise.
#[derive(Clone, Debug)]
pub(super) struct Commander {
    task: TaskSpec,
    quality: Quality,
    map: &'static Map,
    roster: Roster,
    /// As far as states tell and earlier ones imply: whom enemies shot at last, and where they walk.
    world: World,
    rng: ChaCha8Rng,
    mind: Mind,
    script: Script,
    sight: Sight,
    scores: Vec<f32>,
    medium: Planner,
    expert: Planner,
    /// Of each agent, the probability of a uniform action.
    noise: Vec<f64>,
}

impl Commander {
    /// `None` if the task is not one of ours, or the quality is a practice of feeders.
    pub(super) fn new(task: &TaskSpec, quality: Quality) -> Option<Self> {
        let map = Map::find(&task.name)?;
        let roster = map.roster();
        let sizes = (roster.allies, roster.obs_dim(), roster.actions(0));
        let fits = (task.n_agents(), task.obs_dim(), task.action_dim()) == sizes;
        if !fits || matches!(quality, Quality::Practice(_)) {
            return None;
        }
        let expert = Effort { horizon: 16, samples: 16, plans: EXPERT_PLANS / roster.len() };
        let mut commander = Self {
            task: task.clone(),
            quality,
            map,
            world: World::new(),
            rng: ChaCha8Rng::seed_from_u64(0),
            mind: Mind::Expert,
            script: Script::default(),
            sight: Sight::default(),
            scores: Vec::new(),
            medium: Planner::new(MEDIUM),
            expert: Planner::new(expert),
            noise: vec![0.0; roster.allies],
            roster,
        };
        commander.reset(0);
        Some(commander)
    }

    fn command(&mut self, t: &Timestep, actions: &mut [u32]) {
        let (world, roster) = (&self.world, &self.roster);
        match self.mind {
            Mind::Drilled(weights) => {
                for (ally, action) in actions.iter_mut().enumerate() {
                    self.sight.look(roster, ally, t.agent_obs(ally));
                    *action = weights.best(&self.sight, t.agent_mask(ally), &mut self.scores);
                }
            }
            Mind::Scripted(tactic) => self.script.command(tactic, world, roster, actions),
            Mind::Medium => self.medium.act(world, roster, &mut self.rng, actions),
            Mind::Expert => self.expert.act(world, roster, &mut self.rng, actions),
        }
    }
}

impl TeamPolicy for Commander {
    fn reset(&mut self, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
        let (rng, medium_noise) = (&mut self.rng, medium_noise(self.map.task));
        let (medium, expert) = match drilled::weights(self.map.task) {
            Some(weights) => (Mind::Drilled(weights), Mind::Drilled(weights)),
            None => (Mind::Medium, Mind::Expert),
        };
        let scripted = |rng: &mut ChaCha8Rng| Mind::Scripted(SCRIPTED[rng.random_range(0..SCRIPTED.len())]);
        let noise;
        (self.mind, noise) = match self.quality {
            Quality::Expert => (expert, 0.0),
            Quality::Planner | Quality::Practice(_) => (Mind::Expert, 0.0),
            Quality::Medium => (medium, medium_noise),
            Quality::MediumExpert => [(medium, medium_noise), (expert, 0.0)][usize::from(rng.random::<bool>())],
            Quality::MediumReplay if rng.random() => (medium, medium_noise),
            Quality::MediumReplay => (scripted(rng), medium_noise),
            Quality::Random => (scripted(rng), 1.0),
        };
        match self.quality {
            Quality::MediumReplay => self.noise.fill_with(|| 2.0 * noise * rng.random::<f64>()),
            _ => self.noise.fill(noise),
        }
        (self.roster, self.world) = (self.map.roster(), World::new());
        self.medium.reset();
        self.expert.reset();
    }

    fn act(&mut self, t: &Timestep, actions: &mut JointAction) -> Result<()> {
        actions.check_shape(&self.task)?;
        let JointAction::Discrete(choices) = actions else { return Ok(()) };
        let (obs, mask) = (choices.len() * self.task.obs_dim(), choices.len() * self.task.action_dim());
        for (buffer, expected, found) in [
            ("state", self.roster.state_dim(), t.state.len()),
            ("action_mask", mask, t.action_mask.len()),
            ("obs", obs, t.obs.len()),
        ] {
            if expected != found {
                return Err(Error::Buffer { task: self.task.name.clone(), buffer, expected, found });
            }
        }
        self.world.read_state(&mut self.roster, &t.state);
        self.command(t, choices);
        for (ally, choice) in choices.iter_mut().enumerate() {
            let mask = t.agent_mask(ally);
            let permitted = usize::try_from(*choice).is_ok_and(|c| mask.get(c).is_some_and(|may| *may == 1));
            if !permitted || self.rng.random::<f64>() < self.noise[ally] {
                *choice = uniform::choice(mask, &mut self.rng).unwrap_or(*choice);
            }
        }
        // What the enemies decide now they remember; where they walk is theirs to draw.
        self.world.command_enemies(&self.roster, &mut self.rng);
        self.world.steps += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MultiAgentEnv, Smax, rollout};

    #[test]
    fn every_choice_is_permitted() {
        for name in ["smax-2s3z", "smax-5_units", "smax-2c_vs_64zg"] {
            for quality in [Quality::MediumReplay, Quality::Medium] {
                let mut env = Smax::new(name).unwrap();
                let mut policy = Commander::new(env.task(), quality).unwrap();
                let mut steps = 0;
                for seed in 0..2 {
                    let result = rollout(&mut env, &mut policy, seed, &mut |step| {
                        let JointAction::Discrete(choices) = step.actions else { unreachable!() };
                        let permitted = |(i, c): (usize, &u32)| step.before.agent_mask(i)[*c as usize] == 1;
                        assert!(choices.iter().enumerate().all(permitted), "{name} {quality}: {choices:?}");
                        Ok(())
                    });
                    steps += result.unwrap().steps;
                }
                assert!(steps > 2);
            }
        }
    }

    /// What the enemies will do is known from the states alone: whom they aim at, from step to step.
    #[test]
    fn the_enemies_memory_is_followed() {
        let mut env = Smax::new("smax-3s5z").unwrap();
        let mut policy = Commander::new(env.task(), Quality::MediumReplay).unwrap();
        let (mut t, mut actions) = (Timestep::for_env(&env), JointAction::for_task(env.task()));
        let mut aimed = 0;
        for seed in 0..5 {
            env.reset(seed, &mut t);
            policy.reset(seed);
            while !t.is_last() {
                policy.act(&t, &mut actions).unwrap();
                env.step(&actions, &mut t).unwrap();
                let world = env.world();
                assert_eq!(policy.world.last_target, world.last_target);
                assert_eq!((policy.world.fallback, policy.world.steps), (world.fallback, world.steps));
                aimed += world.last_target.iter().flatten().count();
            }
        }
        assert!(aimed > 100);
    }

    #[test]
    fn another_task_is_refused() {
        let task = Smax::new("smax-3m").unwrap().task().clone();
        let mut policy = Commander::new(&task, Quality::Expert).unwrap();
        let mut actions = JointAction::for_task(&task);
        let refused = policy.act(&Timestep::default(), &mut actions);
        assert!(matches!(refused, Err(Error::Buffer { buffer: "state", expected: 72, found: 0, .. })));
        let mut renamed = task;
        renamed.name = "smax-8m".to_owned();
        assert!(Commander::new(&renamed, Quality::Expert).is_none());
    }
}
