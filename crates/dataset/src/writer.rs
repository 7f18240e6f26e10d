//! Recording episodes: into a file, or into memory.

mod checksum;
mod column;
pub(crate) mod form;
pub(crate) mod memory;
mod structures;
pub(crate) mod vault;

use std::path::Path;

use omiga_format::atomic::Pending;

use crate::header::HEADER_KEY;
use crate::{Header, Result};
use column::{Column, Output};
use form::{Ending, Form, LastRow, Record, Row, StepRow, Stored, check, check_values};
use structures::Element;

/// Writes episodes to a file in OMIGA's layout, readable by h5py and the official loader, as they come: what it holds does
/// not grow with them. The file is there once it is whole; until then a hidden one beside it grows.
///
/// # Determinism
/// The same content gives the same bytes.
#[derive(Debug)]
pub struct Writer {
    form: Form,
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

impl Writer {
    /// A recording of `header.task`, to be found at `path` once it is finished. `state_dim` is the width of one agent's global
    /// state; `None` when that is its observation.
    ///
    /// # Errors
    /// [`omiga_format::Error`] for a task that cannot be or where no file can be, [`Error::Record`](crate::Error::Record) for a
    /// state without width.
    pub fn create(path: &Path, header: Header, state_dim: Option<usize>) -> Result<Self> {
        let n = header.task.n_agents();
        Self::begin(path, header, state_dim.map(|width| vec![n, width]))
    }

    /// As [`Self::create`], with one state of the whole team, `state_dim` wide, instead of one an agent.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_with_team_state(path: &Path, header: Header, state_dim: usize) -> Result<Self> {
        Self::begin(path, header, Some(vec![state_dim]))
    }

    /// `state` is the shape of a row's state, if it has one of its own.
    fn begin(path: &Path, header: Header, state: Option<Vec<usize>>) -> Result<Self> {
        let form = Form::new(header, state.as_ref().map(|shape| shape.iter().product()))?;
        let columns = Columns::new(&form.header, state);
        Ok(Self { form, out: Output::new(Pending::create(path)?), broken: false, columns })
    }

    /// Rows so far: steps and last states.
    pub fn rows(&self) -> usize {
        self.form.rows
    }

    /// As [`Record::push_step`].
    ///
    /// # Errors
    /// As [`Record::push_step`].
    pub fn push_step(&mut self, row: StepRow) -> Result<()> {
        let is_first = self.form.rows == 0;
        let row = self.form.step(row)?;
        if is_first {
            let (n, a) = self.form.actions();
            self.columns.action_mask = row.action_mask.as_ref().map(|_| Column::new(Element::U8, &[n, a]));
            self.columns.alive = row.alive.as_ref().map(|_| Column::new(Element::U8, &[n]));
        }
        self.push(&row)
    }

    /// As [`Record::end_episode`].
    ///
    /// # Errors
    /// As [`Record::end_episode`].
    pub fn end_episode(&mut self, last: LastRow, ending: Ending) -> Result<()> {
        self.end_judged_episode(last, ending, &[])
    }

    /// The same of an episode with a value for each of the header's metrics.
    ///
    /// # Errors
    /// As [`Self::end_episode`]; also for other than the metrics' number of values.
    pub fn end_judged_episode(&mut self, last: LastRow, ending: Ending, metrics: &[f32]) -> Result<()> {
        check_values("metrics", metrics, self.form.header.metrics.len())?;
        let row = self.form.last(last, ending)?;
        self.push(&row)?;
        let judged = self.columns.judge(&mut self.out, metrics);
        self.broken |= judged.is_err();
        judged
    }

    /// Complete the file and give it its name. An earlier one is replaced. Without this nothing is left of a recording.
    ///
    /// # Errors
    /// [`Error::Record`](crate::Error::Record) without any episode, with one that has not ended, or after a write that failed;
    /// [`omiga_format::Error::Io`].
    pub fn finish(mut self) -> Result<()> {
        self.form.finish()?;
        check("an earlier write", "done", "failed", !self.broken)?;
        let links = self.columns.finish(&mut self.out)?;
        let header = self.form.header.to_json()?;
        let (root, heap) = structures::root(&links, HEADER_KEY, &header, self.out.end());
        self.out.append(&heap)?;
        let root = self.out.append(&root)?;
        self.out.finish(root)
    }

    fn push(&mut self, row: &Row<'_>) -> Result<()> {
        let pushed = self.columns.push(&mut self.out, row);
        self.broken |= pushed.is_err();
        pushed
    }
}

impl Record for Writer {
    fn push_step(&mut self, row: StepRow) -> Result<()> {
        Self::push_step(self, row)
    }

    fn end_episode(&mut self, last: LastRow, ending: Ending) -> Result<()> {
        Self::end_episode(self, last, ending)
    }
}

impl Columns {
    fn new(header: &Header, state: Option<Vec<usize>>) -> Self {
        let (n, a) = (header.task.n_agents(), header.task.action_dim());
        let number = || Column::new(Element::F32, &[1]);
        Self {
            obs: Column::new(Element::F32, &[n, header.stored_obs_dim()]),
            state: state.map(|state| Column::new(Element::F32, &state)),
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
        for (column, mask) in [(&mut self.action_mask, &row.action_mask), (&mut self.alive, &row.alive)] {
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
