//! Recording episodes into a file.

use std::fs::File;
use std::io;
use std::path::Path;

use hdf5_pure::{AttrValue, FileBuilder};

use omiga_format::{Range, TaskSpec, atomic};

use crate::header::HEADER_KEY;
use crate::obs::first_not_filled_up;
use crate::{Error, Header, Result, StoredObs};

/// A recorded action may be outside its bounds by this much (of [-1, 1]) before it is refused: rounding.
const BOUND_TOLERANCE: f32 = 1e-5;
/// Bytes of a chunk: small enough for the chunk cache of the HDF5 library (1 MiB).
const CHUNK_BYTES: usize = 256 << 10;
/// Rows of a chunk at most: hdf5-pure stores sizes above this in four bytes where three would do, which HDF5 2.0 (h5py 3.16)
/// refuses to read.
const MAX_CHUNK_ROWS: usize = u16::MAX as usize;
/// Longest text of an attribute inside an object header (64 KiB with what describes it).
const MAX_FIXED_STRING: usize = 60_000;
/// As h5py's default.
const DEFLATE_LEVEL: u32 = 4;

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
    /// Global state [N * S]; `None` when it is the observations.
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
    /// Global state [N * S]; `None` when it is the observations.
    pub state: Option<&'a [f32]>,
    /// As in the steps; all available if left out.
    pub action_mask: Option<&'a [u8]>,
    /// As in the steps; all alive if left out.
    pub alive: Option<&'a [u8]>,
}

/// Collects whole episodes and writes them as one file in OMIGA's layout, readable by h5py and the official loader.
///
/// # Determinism
/// The same content gives the same bytes.
#[derive(Clone, Debug)]
pub struct Writer {
    header: Header,
    /// Width S of a state that is not the observations.
    state_dim: Option<usize>,
    ranges: Vec<Range>,
    rows: usize,
    /// Rows of complete episodes.
    complete: usize,
    obs: Vec<f32>,
    state: Vec<f32>,
    actions: Vec<f32>,
    indices: Vec<i32>,
    rewards: Vec<f32>,
    ends: Vec<f32>,
    timeouts: Vec<f32>,
    action_mask: Option<Vec<u8>>,
    alive: Option<Vec<u8>>,
}

impl Writer {
    /// A recording of `header.task`. `state_dim` is the width of one agent's global state; `None` when that is its
    /// observation.
    ///
    /// # Errors
    /// [`omiga_format::Error`] for a task that cannot be, [`Error::Record`] for a state without width.
    pub fn new(header: Header, state_dim: Option<usize>) -> Result<Self> {
        header.task.validate()?;
        check("width of the state", "at least 1", state_dim.unwrap_or(1), state_dim != Some(0))?;
        let ranges = header.task.agents.iter().flat_map(|a| a.action.ranges()).collect();
        Ok(Self {
            header,
            state_dim,
            ranges,
            rows: 0,
            complete: 0,
            obs: Vec::new(),
            state: Vec::new(),
            actions: Vec::new(),
            indices: Vec::new(),
            rewards: Vec::new(),
            ends: Vec::new(),
            timeouts: Vec::new(),
            action_mask: None,
            alive: None,
        })
    }

    /// Rows so far: steps and last states.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Record a state and the step taken in it.
    ///
    /// # Errors
    /// [`Error::Record`] when a width is wrong, a value is not finite, an action is out of bounds or masked out, or
    /// masks come and go. Nothing is recorded then.
    pub fn push_step(&mut self, row: StepRow) -> Result<()> {
        let (n, a) = (self.header.task.n_agents(), self.header.task.action_dim());
        self.check_state(row.obs, row.state)?;
        check("reward", "finite", row.reward, row.reward.is_finite())?;
        let masks = [(&self.action_mask, row.action_mask, n * a), (&self.alive, row.alive, n)];
        for (kept, given, width) in masks {
            let consistent = self.rows == 0 || kept.is_some() == given.is_some();
            check("presence of masks", "as in the first step", given.is_some(), consistent)?;
            check_mask(given, width)?;
        }
        let discrete = self.header.task.is_discrete();
        check("action mask", "none for continuous actions", "given", discrete || row.action_mask.is_none())?;
        match row.actions {
            StepActions::Discrete(indices) => self.push_indices(indices, row.action_mask, row.alive)?,
            StepActions::Continuous(values) => self.push_commands(values, |a, _| a)?,
            StepActions::Physical(values) => self.push_commands(values, normalised)?,
        }
        self.push_masks(row.action_mask, row.alive);
        self.push_row(row.obs, row.state, row.reward, 0.0, 0.0);
        Ok(())
    }

    /// Record the state after an episode's last step.
    ///
    /// # Errors
    /// As [`Self::push_step`]; also when the episode has no step.
    pub fn end_episode(&mut self, last: LastRow, ending: Ending) -> Result<()> {
        let (n, a) = (self.header.task.n_agents(), self.header.task.action_dim());
        check("length of the episode", "at least one step", 0, self.rows > self.complete)?;
        self.check_state(last.obs, last.state)?;
        check_mask(last.action_mask, n * a)?;
        check_mask(last.alive, n)?;
        match self.header.task.is_discrete() {
            true => self.indices.extend((0..n).map(|_| 0)),
            false => self.actions.extend((0..n * a).map(|_| 0.0)),
        }
        let (all, everyone) = (vec![1; n * a], vec![1; n]);
        let mask = self.action_mask.is_some().then(|| last.action_mask.unwrap_or(&all));
        let alive = self.alive.is_some().then(|| last.alive.unwrap_or(&everyone));
        self.push_masks(mask, alive);
        self.push_row(last.obs, last.state, 0.0, 1.0, f32::from(u8::from(ending == Ending::Truncated)));
        self.complete = self.rows;
        Ok(())
    }

    /// Write the file: beside its place, then renamed. An earlier one is replaced.
    ///
    /// # Errors
    /// [`Error::Record`] without any episode or with one that has not ended, [`omiga_format::Error::Io`].
    pub fn finish(self, path: &Path) -> Result<()> {
        check("number of rows", "at least one episode", self.rows, self.rows > 0)?;
        let open = self.rows - self.complete;
        check("steps of an episode that has not ended", "0", open, open == 0)?;
        let file = self.encode()?;
        let write = |to: &mut File| {
            file.finish_to(to).map_err(|e| match e {
                hdf5_pure::Error::Io(error) => error,
                other => io::Error::other(other.to_string()),
            })
        };
        Ok(atomic::write_with(path, write)?)
    }

    fn check_state(&self, obs: &[f32], state: Option<&[f32]>) -> Result<()> {
        let n = self.header.task.n_agents();
        check_values("observations", obs, n * self.header.stored_obs_dim())?;
        if self.header.stored_obs == StoredObs::Raw {
            check_filling(obs, &self.header.task)?;
        }
        check(
            "separate state",
            &self.state_dim.is_some(),
            state.is_some(),
            state.is_some() == self.state_dim.is_some(),
        )?;
        check_values("state", state.unwrap_or(&[]), n * self.state_dim.unwrap_or(0))
    }

    fn push_indices(&mut self, indices: &[u32], mask: Option<&[u8]>, alive: Option<&[u8]>) -> Result<()> {
        let (n, choices) = (self.header.task.n_agents(), self.header.task.action_dim());
        check("kind of actions", "continuous", "discrete", self.header.task.is_discrete())?;
        check("number of actions", &n, indices.len(), indices.len() == n)?;
        for (agent, index) in indices.iter().map(|i| *i as usize).enumerate() {
            check("action", &format!("below {choices}"), index, index < choices)?;
            let dead = alive.is_some_and(|a| a[agent] == 0);
            let available = dead || mask.is_none_or(|m| m[agent * choices + index] == 1);
            check("action", "available", index, available)?;
        }
        // A task has at most 65536 choices.
        self.indices.extend(indices.iter().map(|i| *i as i32));
        Ok(())
    }

    fn push_commands(&mut self, values: &[f32], normalise: impl Fn(f32, &Range) -> f32) -> Result<()> {
        check("kind of actions", "discrete", "continuous", !self.header.task.is_discrete())?;
        check_values("actions", values, self.ranges.len())?;
        let normal = || values.iter().zip(&self.ranges).map(|(a, range)| normalise(*a, range));
        let bound = 1.0 + BOUND_TOLERANCE;
        let outside = normal().find(|a| a.abs() > bound).unwrap_or(0.0);
        check("action", "within its bounds ([-1, 1] here)", outside, outside == 0.0)?;
        self.actions.extend(normal().map(|a| a.clamp(-1.0, 1.0)));
        Ok(())
    }

    fn push_masks(&mut self, action_mask: Option<&[u8]>, alive: Option<&[u8]>) {
        for (kept, given) in [(&mut self.action_mask, action_mask), (&mut self.alive, alive)] {
            if let Some(given) = given {
                kept.get_or_insert_default().extend_from_slice(given);
            }
        }
    }

    fn push_row(&mut self, obs: &[f32], state: Option<&[f32]>, reward: f32, end: f32, timeout: f32) {
        self.obs.extend_from_slice(obs);
        self.state.extend_from_slice(state.unwrap_or(&[]));
        self.rewards.push(reward);
        self.ends.push(end);
        self.timeouts.push(timeout);
        self.rows += 1;
    }

    fn encode(self) -> Result<FileBuilder> {
        let task = &self.header.task;
        let (n, a, o) = (task.n_agents(), task.action_dim(), self.header.stored_obs_dim());
        let mut file = FileBuilder::new();
        let json = self.header.to_json()?;
        file.set_attr(
            HEADER_KEY,
            // Inside the root's header, under its checksum, unless it is too long for that.
            if json.len() <= MAX_FIXED_STRING { AttrValue::String(json) } else { AttrValue::VarLenString(json) },
        );
        // The builder copies: what it has copied is freed.
        let mut column = |key: &str, shape: &[usize], element_bytes: usize, data: Data<'_>| {
            let dims: Vec<u64> = [self.rows].iter().chain(shape).map(|d| *d as u64).collect();
            let row_bytes = shape.iter().product::<usize>() * element_bytes;
            let mut chunk = dims.clone();
            chunk[0] = (CHUNK_BYTES / row_bytes).min(MAX_CHUNK_ROWS).clamp(1, self.rows) as u64;
            let dataset = file.create_dataset(key);
            match data {
                Data::F32(values) => dataset.with_f32_data(values),
                Data::I32(values) => dataset.with_i32_data(values),
                Data::U8(values) => dataset.with_u8_data(values),
            };
            dataset.with_shape(&dims).with_chunks(&chunk).with_shuffle().with_deflate(DEFLATE_LEVEL);
        };
        column("o", &[n, o], 4, Data::F32(&self.obs));
        match self.state_dim {
            Some(s) => column("s", &[n, s], 4, Data::F32(&self.state)),
            // A link would do, but hdf5-pure writes none.
            None => column("s", &[n, o], 4, Data::F32(&self.obs)),
        }
        drop((self.obs, self.state));
        match task.is_discrete() {
            true => column("a", &[n, 1], 4, Data::I32(&self.indices)),
            false => column("a", &[n, a], 4, Data::F32(&self.actions)),
        }
        column("r", &[1], 4, Data::F32(&self.rewards));
        column("d", &[1], 4, Data::F32(&self.ends));
        column("timeout", &[1], 4, Data::F32(&self.timeouts));
        if let Some(mask) = &self.action_mask {
            column("avail", &[n, a], 1, Data::U8(mask));
        }
        if let Some(alive) = &self.alive {
            column("alive", &[n], 1, Data::U8(alive));
        }
        Ok(file)
    }
}

/// Values of a column.
enum Data<'a> {
    F32(&'a [f32]),
    I32(&'a [i32]),
    U8(&'a [u8]),
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

fn check_values(what: &'static str, values: &[f32], width: usize) -> Result<()> {
    check(what, &format!("{width} values"), format!("{} values", values.len()), values.len() == width)?;
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
    check("mask", &format!("{width} values"), format!("{} values", mask.len()), mask.len() == width)?;
    let bad = mask.iter().find(|v| **v > 1);
    check("mask", "0 or 1", bad.copied().unwrap_or(0), bad.is_none())
}
