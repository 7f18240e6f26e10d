//! Recording episodes into memory.

use std::path::Path;

use super::form::{Ending, Form, LastRow, Record, Row, StepRow, Stored, check_values};
use crate::reader::window::Widths;
use crate::reader::{End, Span};
use crate::store::columns::Columns;
use crate::{Header, Result};

/// Bytes of the rows that room is made for at once.
const PART: usize = 4 << 20;

/// Keeps episodes in memory, for a [`Dataset`](crate::Dataset) without a file: [`Dataset::from_memory`](crate::Dataset::from_memory).
#[derive(Debug)]
pub struct MemoryWriter {
    pub(crate) form: Form,
    pub(crate) widths: Widths,
    /// Rows of a part.
    pub(crate) part_rows: usize,
    /// The rows, so many a part; the last one may have room left.
    pub(crate) parts: Vec<Columns>,
    pub(crate) rewards: Vec<f32>,
    pub(crate) spans: Vec<Span>,
}

impl MemoryWriter {
    /// A recording of `header.task`. `state_dim` is the width of a state of the whole team; `None` if it is the observations.
    ///
    /// # Errors
    /// [`omiga_format::Error`] for a task that cannot be, [`Error::Record`](crate::Error::Record) for a state without width.
    pub fn new(header: Header, state_dim: Option<usize>) -> Result<Self> {
        let form = Form::new(header, state_dim)?;
        let ((n, a), discrete) = (form.actions(), form.header.task.is_discrete());
        let widths = Widths {
            obs: n * form.header.stored_obs_dim(),
            state: state_dim.unwrap_or(0),
            actions: if discrete { 0 } else { n * a },
            indices: if discrete { n } else { 0 },
            ..Widths::default()
        };
        let (parts, rewards, spans) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { form, widths, part_rows: 1, parts, rewards, spans })
    }

    fn push(&mut self, row: &Row<'_>) -> Result<()> {
        let at = self.rewards.len() % self.part_rows;
        if at == 0 {
            self.parts.push(Columns::new(Path::new("memory"), &self.widths, self.part_rows)?);
        }
        let Some(part) = self.parts.last_mut() else { return Ok(()) };
        put(&mut part.obs, at, row.obs);
        put(&mut part.state, at, row.state.unwrap_or(&[]));
        match &row.actions {
            Stored::Commands(values) => put(&mut part.actions, at, values),
            Stored::Indices(indices) => {
                let to = &mut part.indices[at * indices.len()..][..indices.len()];
                to.iter_mut().zip(indices).for_each(|(to, index)| *to = index.cast_unsigned());
            }
        }
        put(&mut part.action_mask, at, row.action_mask.as_deref().unwrap_or(&[]));
        put(&mut part.alive, at, row.alive.as_deref().unwrap_or(&[]));
        self.rewards.push(row.reward);
        Ok(())
    }
}

impl Record for MemoryWriter {
    /// # Errors
    /// As of the trait; instead of a full disk [`Error::Memory`](crate::Error::Memory).
    fn push_step(&mut self, row: StepRow) -> Result<()> {
        let is_first = self.form.rows == 0;
        let row = self.form.step(row)?;
        if is_first {
            self.widths.action_mask = row.action_mask.as_ref().map_or(0, |mask| mask.len());
            self.widths.alive = row.alive.as_ref().map_or(0, |alive| alive.len());
            self.part_rows = (PART / self.widths.bytes()).max(1);
        }
        self.push(&row)
    }

    fn end_episode(&mut self, last: LastRow, ending: Ending) -> Result<()> {
        check_values("metrics", &[], self.form.header.metrics.len())?;
        let row = self.form.last(last, ending)?;
        self.push(&row)?;
        let first = self.spans.last().map_or(0, |span| span.rows.end);
        let end = if ending == Ending::Truncated { End::Truncated } else { End::Terminated };
        self.spans.push(Span { rows: first..self.rewards.len(), end });
        Ok(())
    }
}

fn put<T: Copy>(column: &mut [T], row: usize, values: &[T]) {
    column[row * values.len()..][..values.len()].copy_from_slice(values);
}
