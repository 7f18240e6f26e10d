//! Recording episodes into memory.

use std::path::Path;

use super::form::{Ending, Form, LastRow, Record, Row, StepRow, Stored, check_values};
use crate::reader::window::Widths;
use crate::reader::{End, Span};
use crate::store::columns::Columns;
use crate::{Header, Result};

/// Bytes of the rows that there is room for at first, where nobody said how many come.
const ROOM: usize = 4 << 20;

/// Keeps episodes in memory, for a [`Dataset`](crate::Dataset) without a file: [`Dataset::from_memory`](crate::Dataset::from_memory).
#[derive(Debug)]
pub struct MemoryWriter {
    pub(crate) form: Form,
    pub(crate) widths: Widths,
    /// Bytes of all rows, as far as anybody knows.
    expected: usize,
    /// Of the rows, and zeros behind them: room for more.
    pub(crate) columns: Columns,
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
        let (columns, rewards, spans) = (Columns::default(), Vec::new(), Vec::new());
        Ok(Self { form, widths, expected: ROOM, columns, rewards, spans })
    }

    /// With room for rows of so many bytes, as far as the system has it: what nobody uses takes no memory. Beyond it all rows are copied
    /// to twice the room.
    #[must_use]
    pub fn with_room(self, bytes: usize) -> Self {
        Self { expected: bytes, ..self }
    }

    /// Make room for the first row, or for twice as many.
    fn make_room(&mut self) -> Result<()> {
        let (path, rows) = (Path::new("memory"), self.rewards.len());
        if rows > 0 {
            return self.columns.resize(path, &self.widths, 2 * rows);
        }
        let [mut rows, least] =
            [self.expected, self.expected.min(ROOM)].map(|bytes| (bytes / self.widths.bytes()).max(1));
        self.columns = loop {
            match Columns::new(path, &self.widths, rows) {
                Err(_) if rows > least => rows = (rows / 2).max(least),
                columns => break columns?,
            }
        };
        Ok(())
    }

    fn push(&mut self, row: &Row<'_>) -> Result<()> {
        let at = self.rewards.len();
        if at * self.widths.obs == self.columns.obs.len() {
            self.make_room()?;
        }
        let columns = &mut self.columns;
        put(&mut columns.obs, at, row.obs);
        put(&mut columns.state, at, row.state.unwrap_or(&[]));
        match &row.actions {
            Stored::Commands(values) => put(&mut columns.actions, at, values),
            Stored::Indices(indices) => {
                let to = &mut columns.indices[at * indices.len()..][..indices.len()];
                to.iter_mut().zip(indices).for_each(|(to, index)| *to = index.cast_unsigned());
            }
        }
        put(&mut columns.action_mask, at, row.action_mask.as_deref().unwrap_or(&[]));
        put(&mut columns.alive, at, row.alive.as_deref().unwrap_or(&[]));
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
