//! What is recorded: steps and last states, each looked at before it is kept.

use std::borrow::Cow;

use omiga_format::{Range, TaskSpec};

use crate::check::scan::first_not_filled_up;
use crate::{Error, Header, Result, StoredObs};

/// A recorded action may be outside its bounds by this much (of [-1, 1]) before it is refused: rounding.
const BOUND_TOLERANCE: f32 = 1e-5;

/// How an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself: the value of the last state is not bootstrapped.
    Terminated,
    /// By the clock.
    Truncated,
}

/// What the team did in a step.
#[derive(Clone, Copy, Debug)]
pub enum StepActions<'a> {
    /// Commands in [-1, 1], -1 being the lower bound of the command's range [N * A].
    Continuous(&'a [f32]),
    /// Commands in physical units, within the command's range [N * A].
    Physical(&'a [f32]),
    /// Indices, `[N]`.
    Discrete(&'a [u32]),
}

/// A state and the step taken in it.
#[derive(Clone, Copy, Debug)]
pub struct StepRow<'a> {
    /// Observations as the header says they are stored [N * O].
    pub obs: &'a [f32],
    /// Global state [N * S], or `[S]` of the whole team; `None` when it is the observations.
    pub state: Option<&'a [f32]>,
    /// Actions.
    pub actions: StepActions<'a>,
    /// Team reward.
    pub reward: f32,
    /// 1 for each available action [N * A]; in all steps or in none.
    pub action_mask: Option<&'a [u8]>,
    /// 1 for each agent alive, `[N]`; in all steps or in none.
    pub alive: Option<&'a [u8]>,
}

/// The state after an episode's last step.
#[derive(Clone, Copy, Debug)]
pub struct LastRow<'a> {
    /// Observations as the header says they are stored [N * O].
    pub obs: &'a [f32],
    /// As in the steps.
    pub state: Option<&'a [f32]>,
    /// As in the steps; all available if left out.
    pub action_mask: Option<&'a [u8]>,
    /// As in the steps; all alive if left out.
    pub alive: Option<&'a [u8]>,
}

/// Takes episodes step by step: into a file, or into memory.
pub trait Record {
    /// Record a state and the step taken in it.
    ///
    /// # Errors
    /// [`Error::Record`] when a width is wrong, a value is not finite, an action is out of bounds or masked out, or
    /// masks come and go; nothing is recorded then. [`omiga_format::Error::Io`] when the disk is full; the recording is lost then.
    fn push_step(&mut self, row: StepRow) -> Result<()>;

    /// Record the state after an episode's last step.
    ///
    /// # Errors
    /// As [`Self::push_step`]; also when the episode has no step, or the header names metrics.
    fn end_episode(&mut self, last: LastRow, ending: Ending) -> Result<()>;
}

/// What a recording's rows must be.
#[derive(Debug)]
pub struct Form {
    pub header: Header,
    /// Numbers of a state that is not the observations: N * S, or S of the whole team.
    state_len: Option<usize>,
    ranges: Vec<Range>,
    pub rows: usize,
    /// Rows of complete episodes.
    complete: usize,
    /// Does each row say which actions were available, and who was alive? The first one decides.
    has_mask: bool,
    has_alive: bool,
}

/// The actions of a row as they are stored.
pub enum Stored {
    Commands(Vec<f32>),
    /// A task has at most 65536 choices.
    Indices(Vec<i32>),
}

/// A row as it is stored.
pub struct Row<'a> {
    pub obs: &'a [f32],
    pub state: Option<&'a [f32]>,
    pub actions: Stored,
    pub reward: f32,
    pub end: bool,
    pub timeout: bool,
    pub action_mask: Option<Cow<'a, [u8]>>,
    pub alive: Option<Cow<'a, [u8]>>,
}

impl Form {
    pub fn new(header: Header, state_len: Option<usize>) -> Result<Self> {
        header.validate()?;
        check("width of the state", "at least 1", state_len.unwrap_or(1), state_len != Some(0))?;
        let ranges = header.task.agents.iter().flat_map(|a| a.action.ranges()).collect();
        Ok(Self { header, state_len, ranges, rows: 0, complete: 0, has_mask: false, has_alive: false })
    }

    /// Agents N, and commands or choices A of each.
    pub fn actions(&self) -> (usize, usize) {
        (self.header.task.n_agents(), self.header.task.action_dim())
    }

    /// The row of a step.
    pub fn step<'a>(&mut self, row: StepRow<'a>) -> Result<Row<'a>> {
        let (n, a) = self.actions();
        self.check_state(row.obs, row.state)?;
        check("reward", "finite", row.reward, row.reward.is_finite())?;
        let masks = [(self.has_mask, row.action_mask, n * a), (self.has_alive, row.alive, n)];
        for (kept, given, width) in masks {
            let consistent = self.rows == 0 || kept == given.is_some();
            check("presence of masks", "as in the first step", given.is_some(), consistent)?;
            check_mask(given, width)?;
        }
        let discrete = self.header.task.is_discrete();
        check("action mask", "none for continuous actions", "given", discrete || row.action_mask.is_none())?;
        let actions = match row.actions {
            StepActions::Discrete(indices) => self.indices(indices, row.action_mask, row.alive)?,
            StepActions::Continuous(values) => self.commands(values, |a, _| a)?,
            StepActions::Physical(values) => self.commands(values, normalised)?,
        };
        let StepRow { obs, state, reward, action_mask, alive, .. } = row;
        (self.has_mask, self.has_alive) = (action_mask.is_some(), alive.is_some());
        self.rows += 1;
        let (action_mask, alive) = (action_mask.map(Cow::Borrowed), alive.map(Cow::Borrowed));
        Ok(Row { obs, state, actions, reward, end: false, timeout: false, action_mask, alive })
    }

    /// The row of an episode's last state; with it the episode is complete.
    pub fn last<'a>(&mut self, last: LastRow<'a>, ending: Ending) -> Result<Row<'a>> {
        let (n, a) = self.actions();
        check("length of the episode", "at least one step", 0, self.rows > self.complete)?;
        self.check_state(last.obs, last.state)?;
        check_mask(last.action_mask, n * a)?;
        check_mask(last.alive, n)?;
        self.rows += 1;
        self.complete = self.rows;
        let or_all = |mask: Option<&'a [u8]>, width| mask.map_or_else(|| Cow::Owned(vec![1; width]), Cow::Borrowed);
        Ok(Row {
            obs: last.obs,
            state: last.state,
            actions: match self.header.task.is_discrete() {
                true => Stored::Indices(vec![0; n]),
                false => Stored::Commands(vec![0.0; n * a]),
            },
            reward: 0.0,
            end: true,
            timeout: ending == Ending::Truncated,
            action_mask: self.has_mask.then(|| or_all(last.action_mask, n * a)),
            alive: self.has_alive.then(|| or_all(last.alive, n)),
        })
    }

    /// There must be an episode, and none that has not ended.
    pub fn finish(&self) -> Result<()> {
        check("number of rows", "at least one episode", self.rows, self.rows > 0)?;
        let open = self.rows - self.complete;
        check("steps of an episode that has not ended", "0", open, open == 0)
    }

    fn check_state(&self, obs: &[f32], state: Option<&[f32]>) -> Result<()> {
        let n = self.header.task.n_agents();
        check_values("observations", obs, n * self.header.stored_obs_dim())?;
        if self.header.stored_obs == StoredObs::Raw {
            check_filling(obs, &self.header.task)?;
        }
        check(
            "separate state",
            &self.state_len.is_some(),
            state.is_some(),
            state.is_some() == self.state_len.is_some(),
        )?;
        check_values("state", state.unwrap_or(&[]), self.state_len.unwrap_or(0))
    }

    fn indices(&self, indices: &[u32], mask: Option<&[u8]>, alive: Option<&[u8]>) -> Result<Stored> {
        let (n, choices) = (self.header.task.n_agents(), self.header.task.action_dim());
        check("kind of actions", "continuous", "discrete", self.header.task.is_discrete())?;
        check("number of actions", &n, indices.len(), indices.len() == n)?;
        for (agent, index) in indices.iter().map(|i| *i as usize).enumerate() {
            if index >= choices {
                check("action", &format!("below {choices}"), index, false)?;
            }
            let dead = alive.is_some_and(|a| a[agent] == 0);
            let available = dead || mask.is_none_or(|m| m[agent * choices + index] == 1);
            check("action", "available", index, available)?;
        }
        Ok(Stored::Indices(indices.iter().map(|i| *i as i32).collect()))
    }

    fn commands(&self, values: &[f32], normalise: impl Fn(f32, &Range) -> f32) -> Result<Stored> {
        check("kind of actions", "discrete", "continuous", !self.header.task.is_discrete())?;
        check_values("actions", values, self.ranges.len())?;
        let mut commands: Vec<_> = values.iter().zip(&self.ranges).map(|(a, range)| normalise(*a, range)).collect();
        let bound = 1.0 + BOUND_TOLERANCE;
        let outside = commands.iter().copied().find(|a| a.abs() > bound).unwrap_or(0.0);
        check("action", "within its bounds ([-1, 1] here)", outside, outside == 0.0)?;
        commands.iter_mut().for_each(|a| *a = a.clamp(-1.0, 1.0));
        Ok(Stored::Commands(commands))
    }
}

/// Physical units to [-1, 1].
fn normalised(a: f32, range: &Range) -> f32 {
    let (low, high) = (f64::from(range.low), f64::from(range.high));
    (2.0 * (f64::from(a) - low) / (high - low) - 1.0) as f32
}

pub fn check(what: &'static str, expected: &(impl ToString + ?Sized), found: impl ToString, holds: bool) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::Record { what, expected: expected.to_string(), found: found.to_string() })
}

/// Texts are made for a wrong number only: this is asked of every row.
fn check_len(what: &'static str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    check(what, &format!("{expected} values"), format!("{found} values"), false)
}

pub fn check_values(what: &'static str, values: &[f32], width: usize) -> Result<()> {
    check_len(what, values.len(), width)?;
    // Without an early way out, so that it goes through vector instructions.
    if values.iter().fold(true, |all, v| all & v.is_finite()) {
        return Ok(());
    }
    let bad = values.iter().find(|v| !v.is_finite());
    check(what, "finite", bad.copied().unwrap_or(0.0), bad.is_none())
}

/// Behind the observation of an agent that observes less than others come zeros.
fn check_filling(obs: &[f32], task: &TaskSpec) -> Result<()> {
    let found = first_not_filled_up(obs, task.obs_dim(), task.agents.iter().map(|agent| agent.obs.len()));
    check("value behind a narrower agent's observation", &0.0, found.map_or(0.0, |(_, x)| x), found.is_none())
}

fn check_mask(mask: Option<&[u8]>, width: usize) -> Result<()> {
    let Some(mask) = mask else { return Ok(()) };
    check_len("mask", mask.len(), width)?;
    let bad = mask.iter().find(|v| **v > 1);
    check("mask", "0 or 1", bad.copied().unwrap_or(0), bad.is_none())
}
