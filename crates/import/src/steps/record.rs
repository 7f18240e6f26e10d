//! Steps to rows of a dataset.

use std::path::Path;

use omiga_dataset::{Ending, LastRow, Record, StepActions, StepRow};
use omiga_format::Range;

use super::Whole;
use crate::map::{LastRow as LastRowIs, Masked, Outside, RewardRow, Team};
use crate::plan::{Plan, RewardPlan};
use crate::report::{Counts, Kind};
use crate::{Error, Place, Result};

/// Commands may be outside of their range by this share of half of it: rounding. As the writer's.
const BOUND_TOLERANCE: f64 = 1e-5;

/// Writes steps; the newest waits for what came of it.
pub struct Recorder<'a> {
    path: &'a Path,
    plan: &'a Plan,
    writer: &'a mut dyn Record,
    newest: Option<Step>,
    /// Steps of the open episode.
    steps: u64,
}

/// A step in the task's numbers.
struct Step {
    place: Place,
    obs: Vec<f32>,
    state: Option<Vec<f32>>,
    actions: Commands,
    /// [N * A], if an agent has one.
    mask: Option<Vec<u8>>,
    reward: f32,
    commanded: bool,
    held: u64,
}

/// What a team commands.
enum Commands {
    Physical(Vec<f32>),
    Indices(Vec<u32>),
}

impl<'a> Recorder<'a> {
    pub fn new(path: &'a Path, plan: &'a Plan, writer: &'a mut dyn Record) -> Self {
        Self { path, plan, writer, newest: None, steps: 0 }
    }

    /// Take the next step; the one before it is written.
    pub fn take(&mut self, moment: Whole, counts: &mut Counts) -> Result<()> {
        let step = self.step(moment, counts)?;
        if let Some(mut before) = self.newest.take() {
            let reward = if self.row() == RewardRow::Next { step.reward } else { before.reward };
            self.write(&mut before, reward, counts)?;
        }
        self.newest = Some(step);
        Ok(())
    }

    /// The episode ends: the newest is its last step, or the state that was reached.
    pub fn end(&mut self, ending: Ending, counts: &mut Counts) -> Result<()> {
        let Some(mut last) = self.newest.take() else { return Ok(()) };
        let is_step = last.commanded
            && self.row() == RewardRow::Same
            && match self.plan.last_row {
                LastRowIs::Auto => ending == Ending::Terminated,
                LastRowIs::Step => true,
                LastRowIs::State | LastRowIs::Next => false,
            };
        if is_step {
            let reward = last.reward;
            self.write(&mut last, reward, counts)?;
        } else if last.commanded && matches!(self.plan.last_row, LastRowIs::Auto | LastRowIs::Step) {
            counts.add(Kind::LastCommand, last.place, String::new);
        }
        if self.steps == 0 {
            counts.add(Kind::NoStep, last.place, String::new);
            return Ok(());
        }
        let (state, action_mask) = (last.state.as_deref(), last.mask.as_deref());
        let row = LastRow { obs: &last.obs, state, action_mask, alive: None };
        self.writer.end_episode(row, ending)?;
        counts.episodes += 1;
        self.steps = 0;
        Ok(())
    }

    fn row(&self) -> RewardRow {
        self.plan.reward.as_ref().map_or(RewardRow::Same, |reward| reward.row)
    }

    fn write(&mut self, step: &mut Step, reward: f32, counts: &mut Counts) -> Result<()> {
        self.check_available(step, counts)?;
        if step.held > 0 {
            counts.add_many(Kind::Held, step.held, step.place, || "commands".to_owned());
        }
        let actions = match &step.actions {
            Commands::Physical(values) => StepActions::Physical(values),
            Commands::Indices(values) => StepActions::Discrete(values),
        };
        let (obs, state, action_mask) = (step.obs.as_slice(), step.state.as_deref(), step.mask.as_deref());
        self.writer.push_step(StepRow { obs, state, actions, reward, action_mask, alive: None })?;
        self.steps += 1;
        counts.steps += 1;
        Ok(())
    }

    fn step(&self, moment: Whole, counts: &mut Counts) -> Result<Step> {
        let Whole { place, values, commanded, held } = moment;
        let (Plan { task, agents, .. }, ends) = (self.plan, self.plan.ends(&values));
        let mut obs = vec![0.0; task.n_agents() * task.obs_dim()];
        for (agent, row) in agents.iter().zip(obs.chunks_exact_mut(task.obs_dim())) {
            agent.obs.iter().zip(row).for_each(|(term, value)| *value = term.value(&values, ends) as f32);
        }
        // Without an early way out, so that it goes through vector instructions.
        if !obs.iter().fold(true, |all, value| all & value.is_finite()) {
            self.name_no_number(&values, ends, place)?;
        }
        let state = self.plan.state.iter().map(|term| self.finite(term.value(&values, ends), place, || "state".into()));
        let state = if self.plan.state.is_empty() { None } else { Some(state.collect::<Result<_>>()?) };
        let actions = self.commands(&values, ends, place, counts)?;
        let mask = self.mask(&values, ends, place)?;
        let reward = self.plan.reward.as_ref().map_or(0.0, |reward| team_reward(reward, &values, ends));
        let reward = self.finite(reward, place, || "reward".to_owned())?;
        Ok(Step { place, obs, state, actions, mask, reward, commanded, held })
    }

    /// The error of the first observation that is no number.
    fn name_no_number(&self, values: &[f64], ends: (bool, bool), place: Place) -> Result<()> {
        for (agent, spec) in self.plan.agents.iter().zip(&self.plan.task.agents) {
            for (term, field) in agent.obs.iter().zip(&spec.obs) {
                self.finite(term.value(values, ends), place, || format!("obs `{}` of {}", field.name, spec.name))?;
            }
        }
        Ok(())
    }

    /// What a moment commands, within the ranges.
    fn commands(&self, values: &[f64], ends: (bool, bool), place: Place, counts: &mut Counts) -> Result<Commands> {
        let mut commands = Vec::new();
        for (agent, spec) in self.plan.agents.iter().zip(&self.plan.task.agents) {
            for (i, (term, outside)) in agent.actions.iter().zip(&agent.outside).enumerate() {
                let (mut value, field) = (term.value(values, ends), spec.action.fields().get(i));
                let what = || match field {
                    Some(field) => format!("action `{}` of {}", field.name, spec.name),
                    None => format!("action of {}", spec.name),
                };
                if let Some(field) = field {
                    value = self.within(field.range, *outside, value, place, what, counts)?;
                }
                commands.push(self.finite(value, place, what)?);
            }
        }
        Ok(match self.plan.task.is_discrete() {
            true => Commands::Indices(commands.iter().map(|choice| *choice as u32).collect()),
            false => Commands::Physical(commands),
        })
    }

    /// Which choices were available, if a mask of an agent says so.
    fn mask(&self, values: &[f64], ends: (bool, bool), place: Place) -> Result<Option<Vec<u8>>> {
        let Plan { task, agents, .. } = self.plan;
        if agents.iter().all(|agent| agent.mask.is_empty()) {
            return Ok(None);
        }
        let mut mask = vec![1; task.n_agents() * task.action_dim()];
        for ((agent, spec), flags) in agents.iter().zip(&task.agents).zip(mask.chunks_exact_mut(task.action_dim())) {
            for (i, (term, flag)) in agent.mask.iter().zip(flags).enumerate() {
                *flag = match term.value(values, ends) {
                    0.0 => 0,
                    1.0 => 1,
                    found => {
                        let what = format!("mask of choice {i} of {}", spec.name);
                        return Err(self.value(place, what, found, "0 or 1".to_owned()));
                    }
                };
            }
        }
        Ok(Some(mask))
    }

    /// What was chosen must have been available; or it is, where the map says that a mask may be wrong.
    fn check_available(&self, step: &mut Step, counts: &mut Counts) -> Result<()> {
        let (Some(mask), Commands::Indices(choices)) = (&mut step.mask, &step.actions) else { return Ok(()) };
        let Plan { task, agents, .. } = self.plan;
        let flags = mask.chunks_exact_mut(task.action_dim());
        for (((agent, spec), choice), flags) in agents.iter().zip(&task.agents).zip(choices).zip(flags) {
            let Some(flag) = flags.get_mut(*choice as usize).filter(|flag| **flag == 0) else { continue };
            let what = format!("action of {}", spec.name);
            if agent.masked == Masked::Refuse {
                let expected = "a choice that `mask` allows; do both have the same order and moment? \
                                where others than the policy act, say `masked = \"allow\"`";
                return Err(self.value(step.place, what, f64::from(*choice), expected.to_owned()));
            }
            counts.add(Kind::Masked, step.place, || format!("{what} is {choice}"));
            *flag = 1;
        }
        Ok(())
    }

    /// A command in its range; the nearest one if it is outside of it and may be.
    fn within(
        &self,
        range: Range,
        outside: Outside,
        value: f64,
        place: Place,
        what: impl Fn() -> String,
        counts: &mut Counts,
    ) -> Result<f64> {
        // Refused behind: no bound is near to what is no number.
        if !value.is_finite() {
            return Ok(value);
        }
        let (low, high) = (f64::from(range.low), f64::from(range.high));
        let slack = BOUND_TOLERANCE * 0.5 * (high - low);
        if !(low - slack..=high + slack).contains(&value) {
            if outside == Outside::Refuse {
                let expected = format!(
                    "within its range [{}, {}]; correct the range, or say `outside = \"clamp\"`",
                    range.low, range.high
                );
                return Err(self.value(place, what(), value, expected));
            }
            counts.add(Kind::Clamped, place, || format!("{} is {value}", what()));
        }
        Ok(value.clamp(low, high))
    }

    fn finite(&self, value: f64, place: Place, what: impl Fn() -> String) -> Result<f32> {
        let small = value as f32;
        if small.is_finite() {
            return Ok(small);
        }
        Err(self.value(place, what(), value, "a number that f32 can hold; does its formula divide by 0?".to_owned()))
    }

    fn value(&self, place: Place, what: String, found: f64, expected: String) -> Error {
        Error::Value { path: self.path.to_owned(), place, what, found, expected }
    }
}

/// The team's reward: of each agent, or one.
fn team_reward(reward: &RewardPlan, values: &[f64], ends: (bool, bool)) -> f64 {
    let sum: f64 = reward.terms.iter().map(|term| term.value(values, ends)).sum();
    match reward.team {
        Team::Mean => sum / reward.terms.len() as f64,
        Team::Sum => sum,
    }
}
