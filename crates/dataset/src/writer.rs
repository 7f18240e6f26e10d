//! Recording episodes into a file.

mod checksum;
mod column;
mod structures;
pub(crate) mod vault;

use std::path::Path;

use omiga_format::atomic::Pending;
use omiga_format::{Range, TaskSpec};

use crate::check::scan::first_not_filled_up;
use crate::header::HEADER_KEY;
use crate::{Error, Header, Result, StoredObs};
use column::{Column, Output};
use structures::Element;

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

/// Writes episodes to a file in OMIGA's layout, readable by h5py and the official loader, as they come: what it holds does
/// not grow with them. The file is there once it is whole; until then a hidden one beside it grows.
///
/// # Determinism
/// The same content gives the same bytes.
#[derive(Debug)]
pub struct Writer {
    header: Header,
    /// Numbers of a state that is not the observations: N * S, or S of the whole team.
    state_len: Option<usize>,
    ranges: Vec<Range>,
    rows: usize,
    /// Rows of complete episodes.
    complete: usize,
    out: Output,
    /// A write failed: nothing can be trusted.
    broken: bool,
    columns: Columns,
}

/// What a row consists of.
#[derive(Debug)]
struct Columns {
    obs: Column,
    /// `None` if it is the observations: then `s` is another name of `o`.
    state: Option<Column>,
    actions: Column,
    rewards: Column,
    ends: Column,
    timeouts: Column,
    action_mask: Option<Column>,
    alive: Option<Column>,
    /// One row an episode; `None` if the header names no metrics.
    metrics: Option<Column>,
}

/// The actions of a row as they are stored.
enum Stored {
    Commands(Vec<f32>),
    /// A task has at most 65536 choices.
    Indices(Vec<i32>),
}

/// A row as it is stored.
struct Row<'a> {
    obs: &'a [f32],
    state: Option<&'a [f32]>,
    actions: Stored,
    reward: f32,
    end: bool,
    timeout: bool,
    action_mask: Option<&'a [u8]>,
    alive: Option<&'a [u8]>,
}

impl Writer {
    /// A recording of `header.task`, to be found at `path` once it is finished. `state_dim` is the width of one agent's global
    /// state; `None` when that is its observation.
    ///
    /// # Errors
    /// [`omiga_format::Error`] for a task that cannot be or where no file can be, [`Error::Record`] for a state without width.
    pub fn create(path: &Path, header: Header, state_dim: Option<usize>) -> Result<Self> {
        header.validate()?;
        check("width of the state", "at least 1", state_dim.unwrap_or(1), state_dim != Some(0))?;
        let ranges = header.task.agents.iter().flat_map(|a| a.action.ranges()).collect();
        let n = header.task.n_agents();
        let columns = Columns::new(&header, state_dim);
        let out = Output::new(Pending::create(path)?);
        let state_len = state_dim.map(|width| n * width);
        Ok(Self { header, state_len, ranges, rows: 0, complete: 0, out, broken: false, columns })
    }

    /// As [`Self::create`], with one state of the whole team, `state_dim` wide, instead of one an agent.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_with_team_state(path: &Path, header: Header, state_dim: usize) -> Result<Self> {
        let mut writer = Self::create(path, header, Some(state_dim))?;
        writer.state_len = Some(state_dim);
        writer.columns.state = Some(Column::new(Element::F32, &[state_dim]));
        Ok(writer)
    }

    /// Rows so far: steps and last states.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Record a state and the step taken in it.
    ///
    /// # Errors
    /// [`Error::Record`] when a width is wrong, a value is not finite, an action is out of bounds or masked out, or
    /// masks come and go; nothing is recorded then. [`omiga_format::Error::Io`] when the disk is full; the recording is lost then.
    pub fn push_step(&mut self, row: StepRow) -> Result<()> {
        let (n, a) = (self.header.task.n_agents(), self.header.task.action_dim());
        self.check_state(row.obs, row.state)?;
        check("reward", "finite", row.reward, row.reward.is_finite())?;
        let masks = [(&self.columns.action_mask, row.action_mask, n * a), (&self.columns.alive, row.alive, n)];
        for (kept, given, width) in masks {
            let consistent = self.rows == 0 || kept.is_some() == given.is_some();
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
        if self.rows == 0 {
            self.columns.action_mask = row.action_mask.map(|_| Column::new(Element::U8, &[n, a]));
            self.columns.alive = row.alive.map(|_| Column::new(Element::U8, &[n]));
        }
        let StepRow { obs, state, reward, action_mask, alive, .. } = row;
        self.push(Row { obs, state, actions, reward, end: false, timeout: false, action_mask, alive })
    }

    /// Record the state after an episode's last step.
    ///
    /// # Errors
    /// As [`Self::push_step`]; also when the episode has no step, or the header names metrics.
    pub fn end_episode(&mut self, last: LastRow, ending: Ending) -> Result<()> {
        self.end_judged_episode(last, ending, &[])
    }

    /// The same of an episode with a value for each of the header's metrics.
    ///
    /// # Errors
    /// As [`Self::end_episode`]; also for other than the metrics' number of values.
    pub fn end_judged_episode(&mut self, last: LastRow, ending: Ending, metrics: &[f32]) -> Result<()> {
        let (n, a) = (self.header.task.n_agents(), self.header.task.action_dim());
        check("length of the episode", "at least one step", 0, self.rows > self.complete)?;
        self.check_state(last.obs, last.state)?;
        check_mask(last.action_mask, n * a)?;
        check_mask(last.alive, n)?;
        check_values("metrics", metrics, self.header.metrics.len())?;
        let (all, everyone) = (vec![1; n * a], vec![1; n]);
        self.push(Row {
            obs: last.obs,
            state: last.state,
            actions: match self.header.task.is_discrete() {
                true => Stored::Indices(vec![0; n]),
                false => Stored::Commands(vec![0.0; n * a]),
            },
            reward: 0.0,
            end: true,
            timeout: ending == Ending::Truncated,
            action_mask: self.columns.action_mask.is_some().then(|| last.action_mask.unwrap_or(&all)),
            alive: self.columns.alive.is_some().then(|| last.alive.unwrap_or(&everyone)),
        })?;
        self.complete = self.rows;
        let judged = self.columns.judge(&mut self.out, metrics);
        self.broken |= judged.is_err();
        judged
    }

    /// Complete the file and give it its name. An earlier one is replaced. Without this nothing is left of a recording.
    ///
    /// # Errors
    /// [`Error::Record`] without any episode, with one that has not ended, or after a write that failed;
    /// [`omiga_format::Error::Io`].
    pub fn finish(mut self) -> Result<()> {
        check("number of rows", "at least one episode", self.rows, self.rows > 0)?;
        let open = self.rows - self.complete;
        check("steps of an episode that has not ended", "0", open, open == 0)?;
        check("an earlier write", "done", "failed", !self.broken)?;
        let links = self.columns.finish(&mut self.out)?;
        let (root, heap) = structures::root(&links, HEADER_KEY, &self.header.to_json()?, self.out.end());
        self.out.append(&heap)?;
        let root = self.out.append(&root)?;
        self.out.finish(root)
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
        let normal = || values.iter().zip(&self.ranges).map(|(a, range)| normalise(*a, range));
        let bound = 1.0 + BOUND_TOLERANCE;
        let outside = normal().find(|a| a.abs() > bound).unwrap_or(0.0);
        check("action", "within its bounds ([-1, 1] here)", outside, outside == 0.0)?;
        Ok(Stored::Commands(normal().map(|a| a.clamp(-1.0, 1.0)).collect()))
    }

    fn push(&mut self, row: Row<'_>) -> Result<()> {
        let pushed = self.columns.push(&mut self.out, &row);
        self.broken |= pushed.is_err();
        self.rows += 1;
        pushed
    }
}

impl Columns {
    fn new(header: &Header, state_dim: Option<usize>) -> Self {
        let (n, a) = (header.task.n_agents(), header.task.action_dim());
        let number = || Column::new(Element::F32, &[1]);
        Self {
            obs: Column::new(Element::F32, &[n, header.stored_obs_dim()]),
            state: state_dim.map(|width| Column::new(Element::F32, &[n, width])),
            actions: match header.task.is_discrete() {
                true => Column::new(Element::I32, &[n, 1]),
                false => Column::new(Element::F32, &[n, a]),
            },
            rewards: number(),
            ends: number(),
            timeouts: number(),
            action_mask: None,
            alive: None,
            metrics: Some(header.metrics.len())
                .filter(|width| *width > 0)
                .map(|width| Column::new(Element::F32, &[width])),
        }
    }

    fn push(&mut self, out: &mut Output, row: &Row<'_>) -> Result<()> {
        let flag = |set: bool| [f32::from(u8::from(set))];
        self.obs.push(out, floats(row.obs))?;
        if let (Some(column), Some(state)) = (&mut self.state, row.state) {
            column.push(out, floats(state))?;
        }
        match &row.actions {
            Stored::Commands(values) => self.actions.push(out, floats(values))?,
            Stored::Indices(indices) => self.actions.push(out, indices.iter().map(|i| i.to_le_bytes()))?,
        }
        self.rewards.push(out, floats(&[row.reward]))?;
        self.ends.push(out, floats(&flag(row.end)))?;
        self.timeouts.push(out, floats(&flag(row.timeout)))?;
        for (column, mask) in [(&mut self.action_mask, row.action_mask), (&mut self.alive, row.alive)] {
            if let (Some(column), Some(mask)) = (column, mask) {
                column.push(out, mask.iter().map(|byte| [*byte]))?;
            }
        }
        Ok(())
    }

    fn judge(&mut self, out: &mut Output, metrics: &[f32]) -> Result<()> {
        self.metrics.as_mut().map_or(Ok(()), |column| column.push(out, floats(metrics)))
    }

    /// Store what is left of each; their names and addresses are returned.
    fn finish(self, out: &mut Output) -> Result<Vec<(&'static str, u64)>> {
        let mut links = Vec::new();
        let names = if self.state.is_none() { 2 } else { 1 };
        let obs = self.obs.finish(out, names)?;
        let state = self.state.map_or(Ok(obs), |column| column.finish(out, 1))?;
        links.extend([("o", obs), ("s", state)]);
        for (name, column) in [("a", self.actions), ("r", self.rewards), ("d", self.ends), ("timeout", self.timeouts)] {
            links.push((name, column.finish(out, 1)?));
        }
        let optional = [("avail", self.action_mask), ("alive", self.alive), ("metrics", self.metrics)];
        for (name, column) in optional {
            if let Some(column) = column {
                links.push((name, column.finish(out, 1)?));
            }
        }
        Ok(links)
    }
}

fn floats(values: &[f32]) -> impl Iterator<Item = [u8; 4]> {
    values.iter().map(|value| value.to_le_bytes())
}

/// Physical units to [-1, 1].
fn normalised(a: f32, range: &Range) -> f32 {
    let (low, high) = (f64::from(range.low), f64::from(range.high));
    (2.0 * (f64::from(a) - low) / (high - low) - 1.0) as f32
}

fn check(what: &'static str, expected: &(impl ToString + ?Sized), found: impl ToString, holds: bool) -> Result<()> {
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

fn check_values(what: &'static str, values: &[f32], width: usize) -> Result<()> {
    check_len(what, values.len(), width)?;
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
