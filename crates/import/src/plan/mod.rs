//! A map bound to a table: which cell of which row is which value of which agent.

mod bind;

use std::path::Path;

use omiga_format::{ActionField, ActionSpace, AgentSpec, ObsField, Range, TaskSpec};

use crate::expression::Expression;
use crate::map::{Action, Field, Gap, LastRow, Map, Masked, Null, Outside, RewardRow, Sampling, Team};
use crate::table::Wanted;
use crate::{Error, Result};
use bind::Binder;

/// Periods without a row after which an episode is cut, where the map says nothing.
const GAP_PERIODS: i64 = 10;

/// What is done with each value of each moment.
#[derive(Debug)]
pub(crate) struct Plan {
    pub task: TaskSpec,
    pub wanted: Wanted,
    pub slots: Vec<Slot>,
    pub agents: Vec<AgentPlan>,
    pub state: Vec<Term>,
    pub reward: Option<RewardPlan>,
    pub reset: Vec<Term>,
    pub terminated: Vec<Term>,
    pub truncated: Vec<Term>,
    pub last_row: LastRow,
    pub sampling: Sampling,
    pub period_ns: Option<i64>,
    pub gap_ns: Option<i64>,
}

/// A number of a moment, before formulas.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    /// Which of the wanted cells.
    pub cell: usize,
    /// In whose rows; in all if `None`.
    pub agent: Option<u32>,
    pub null: Null,
    pub reduce: Reduce,
    pub window: Window,
    /// Is it of a command?
    pub command: bool,
    /// Column and agent, for messages.
    pub name: String,
}

/// How values of a period become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduce {
    Hold,
    Mean,
    Sum,
    /// Is one of them not 0?
    Any,
}

/// Which period belongs to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// The one that ends with it: what could be observed.
    Before,
    /// The one that begins with it: what was done, and what came of it.
    After,
}

/// A number of a step.
#[derive(Clone, Debug)]
pub(crate) enum Term {
    Slot(usize),
    Constant(f64),
    Formula { expression: Expression, inputs: Vec<Input> },
}

/// What a name in a formula stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Slot(usize),
    Terminated,
    Truncated,
}

/// An agent's terms, as its fields.
#[derive(Debug)]
pub(crate) struct AgentPlan {
    pub obs: Vec<Term>,
    pub actions: Vec<Term>,
    pub outside: Vec<Outside>,
    /// A flag for each choice; empty where all are available.
    pub mask: Vec<Term>,
    pub masked: Masked,
}

/// The reward's terms: one, or one of each agent.
#[derive(Debug)]
pub(crate) struct RewardPlan {
    pub terms: Vec<Term>,
    pub team: Team,
    pub row: RewardRow,
}

impl Plan {
    /// Find the map's columns in a log.
    pub fn new(path: &Path, map: &Map, columns: &[String]) -> Result<Self> {
        let mut binder = Binder::new(path, map, columns);
        let mut agents = Vec::new();
        let mut specs = Vec::new();
        for (number, name) in map.task.agents.iter().enumerate() {
            let (spec, plan) = agent(&mut binder, map, number, name)?;
            specs.push(spec);
            agents.push(plan);
        }
        let period = map.task.period.map(|period| period.0);
        let task = TaskSpec {
            name: map.task.name.clone(),
            period_ns: period.map(|ns| ns as u64),
            max_obs_age_ns: map.task.max_obs_age.map(|age| age.0 as u64),
            episode_limit: map.task.episode_limit,
            agents: specs,
        };
        task.validate()?;
        let mut state = Vec::new();
        for field in &map.state {
            state.extend(binder.terms("state", &field.source(), Window::Before)?);
        }
        let reward = map.reward.as_ref().map(|reward| {
            let window = if reward.row == RewardRow::Next { Window::Before } else { Window::After };
            let terms = binder.terms("reward", &reward.source(), window)?;
            Ok::<_, Error>(RewardPlan { terms, team: reward.team, row: reward.row })
        });
        let reward = reward.transpose()?;
        let ends = &map.episode;
        let mut flag = |entry, flag: &Option<_>| flag.as_ref().map_or(Ok(Vec::new()), |flag| binder.flag(entry, flag));
        let reset = flag("episode.reset", &ends.reset)?;
        let terminated = flag("episode.terminated", &ends.terminated)?;
        let truncated = flag("episode.truncated", &ends.truncated)?;
        let gap_ns = match map.time.gap {
            _ if map.time.column.is_none() => None,
            Some(Gap::Off) => None,
            Some(Gap::After(gap)) => Some(gap.0),
            None => period.map(|ns| ns.saturating_mul(GAP_PERIODS)),
        };
        let (wanted, slots) = binder.finish()?;
        Ok(Self {
            task,
            wanted,
            slots,
            agents,
            state,
            reward,
            reset,
            terminated,
            truncated,
            last_row: ends.last_row,
            sampling: map.time.sample,
            period_ns: period,
            gap_ns,
        })
    }

    /// How a moment of these values ends its episode: did it terminate, was it truncated?
    pub fn ends(&self, slots: &[f64]) -> (bool, bool) {
        (holds(&self.terminated, slots), holds(&self.truncated, slots))
    }

    /// Is a moment the first of an episode? Values that are missing in it are no flags.
    pub fn resets(&self, slots: &[f64]) -> bool {
        if self.reset.is_empty() {
            return false;
        }
        let flags: Vec<_> = slots.iter().map(|value| if value.is_nan() { 0.0 } else { *value }).collect();
        holds(&self.reset, &flags)
    }
}

/// Is one of these flags set?
fn holds(flags: &[Term], slots: &[f64]) -> bool {
    flags.iter().any(|term| term.value(slots, (false, false)) != 0.0)
}

/// What an agent observes and commands.
fn agent(binder: &mut Binder<'_>, map: &Map, number: usize, name: &str) -> Result<(AgentSpec, AgentPlan)> {
    let has = |agents: &Option<Vec<String>>| agents.as_ref().is_none_or(|agents| agents.iter().any(|a| a == name));
    let all = |entry: &str, agents: &Option<Vec<String>>| match agents.iter().flatten().find(|a| !map.has(a)) {
        Some(unknown) => Err(Error::entry(entry, format!("there is no agent `{unknown}` in `task.agents`"))),
        None => Ok(()),
    };
    let (mut obs, mut obs_terms) = (Vec::new(), Vec::new());
    for field in &map.obs {
        let entry = format!("obs `{}`", field.name);
        all(&entry, &field.agents)?;
        if has(&field.agents) {
            obs_terms.push(binder.term(&entry, &field.source(), Some(number), Window::Before, false)?);
            obs.push(obs_field(field));
        }
    }
    let (mut actions, mut action_terms, mut outside) = (Vec::new(), Vec::new(), Vec::new());
    let (mut mask, mut masked) = (Vec::new(), Masked::default());
    for action in &map.action {
        let entry = format!("action `{}`", action.name);
        all(&entry, &action.agents)?;
        if let Some((key, needed)) = action.needs() {
            return Err(Error::entry(&entry, format!("`{key}` needs `{needed}`")));
        }
        if has(&action.agents) {
            if let (Some(choices), Some(flags)) = (&action.choices, &action.mask) {
                (mask, masked) = (binder.mask(&entry, flags, number, choices.len())?, action.masked);
            }
            action_terms.push(match &action.choices {
                Some(choices) => {
                    if let Some(key) = action.useless_for_choices() {
                        let reason = format!("`choices` are read from a `column` as they stand; remove `{key}`");
                        return Err(Error::entry(&entry, reason));
                    }
                    binder.choice(&entry, &action.source(), number, choices)?
                }
                None => binder.term(&entry, &action.source(), Some(number), Window::After, true)?,
            });
            actions.push(action);
            outside.push(action.outside);
        }
    }
    let spec = AgentSpec { name: name.to_owned(), obs, action: space(&actions)? };
    Ok((spec, AgentPlan { obs: obs_terms, actions: action_terms, outside, mask, masked }))
}

fn obs_field(field: &Field) -> ObsField {
    let range = field.range.map(|[low, high]| Range::new(low, high));
    ObsField { name: field.name.clone(), unit: field.unit.clone(), range }
}

/// The action space of an agent's commands.
fn space(actions: &[&Action]) -> Result<ActionSpace> {
    if let [Action { choices: Some(choices), .. }] = actions {
        return Ok(ActionSpace::Discrete(choices.clone()));
    }
    let field = |action: &&Action| {
        let entry = || format!("action `{}`", action.name);
        if action.choices.is_some() {
            return Err(Error::entry(entry(), "an agent with `choices` has this one command alone"));
        }
        let missing = || {
            let reason =
                "`range` is missing: the actuator's limits, as [0.0, 600.0]; or `choices` of a discrete action";
            Error::entry(entry(), reason)
        };
        let [low, high] = action.range.ok_or_else(missing)?;
        Ok(ActionField { name: action.name.clone(), unit: action.unit.clone(), range: Range::new(low, high) })
    };
    Ok(ActionSpace::Continuous(actions.iter().map(field).collect::<Result<_>>()?))
}

impl Term {
    /// Its number, of a moment's values and ends.
    pub fn value(&self, slots: &[f64], (terminated, truncated): (bool, bool)) -> f64 {
        match self {
            Self::Slot(slot) => slots[*slot],
            Self::Constant(value) => *value,
            Self::Formula { expression, inputs } => {
                let input = |input: &Input| match input {
                    Input::Slot(slot) => slots[*slot],
                    Input::Terminated => f64::from(u8::from(terminated)),
                    Input::Truncated => f64::from(u8::from(truncated)),
                };
                expression.eval(&inputs.iter().map(input).collect::<Vec<_>>())
            }
        }
    }
}
