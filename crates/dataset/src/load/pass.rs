//! One pass over the wide columns of a recording: every value is decoded, checked and put where it stays, a few rows at
//! a time.

use std::ops::Range;
use std::path::Path;

use crate::check::{Check, Found};
use crate::reader::window::{Widths, Window};
use crate::reader::{Recording, Rows};
use crate::store::columns::{Block, Columns};
use crate::store::pages::Pages;
use crate::store::scratch::Scratch;
use crate::{Result, parallel};

/// Bytes of the rows that are worked on at once: they stay in a core's cache.
const BLOCK: usize = 128 << 10;
/// Rows of less than this are not worth a thread.
const PART: usize = 4 << 20;

/// A recording, and what is expected of it.
pub(crate) struct Pass<'a> {
    pub recording: &'a dyn Recording,
    pub check: Check<'a>,
    /// The state may be the observations bit for bit: it is compared on the way.
    pub twin: bool,
}

/// Rows being read, and what of them is not kept.
struct Reading<'a> {
    rows: Box<dyn Rows + 'a>,
    choices: Vec<i64>,
    /// The state where it may be the observations.
    twin: Vec<f32>,
}

impl Pass<'_> {
    fn rows(&self) -> usize {
        self.recording.layout().rows
    }

    fn widths(&self) -> Widths {
        self.check.widths
    }

    /// Keep the rows in memory.
    pub fn in_memory(&self) -> Result<(Columns, Found)> {
        let mut columns = match self.recording.columns() {
            Some(columns) => columns,
            None => Columns::new(self.recording.layout().path(), &self.widths(), self.rows())?,
        };
        let mut rest = columns.block(self.widths(), self.rows());
        let parts = self.parts().into_iter().map(|rows| (rest.take(rows.len()), rows)).collect();
        let found = parallel::map(parts, |(block, rows)| self.part(rows, Some(block), |_, _| Ok(())));
        Ok((columns, self.check.together(found)?))
    }

    /// The states of all rows, `width` elements each, where they turned out to be others than the observations.
    pub fn states(&self, width: usize) -> Result<Pages<f32>> {
        let widths = Widths { state: width, ..Widths::default() };
        let mut columns = Columns::new(self.recording.layout().path(), &widths, self.rows())?;
        let mut rest = columns.block(widths, self.rows());
        let parts = self.parts().into_iter().map(|rows| (rest.take(rows.len()).state, rows)).collect();
        let size = block_rows(4 * width, self.rows());
        let done = parallel::map(parts, |(states, rows): (&mut [f32], Range<usize>)| {
            let mut reader = self.recording.rows(rows.clone(), &widths)?;
            for (i, block) in states.chunks_mut(size * width).enumerate() {
                let first = rows.start + i * size;
                reader.fill(first, &mut Window { state: block, ..Window::default() })?;
                self.check.states(first, block, width)?;
            }
            Ok(())
        });
        done.into_iter().collect::<Result<()>>()?;
        Ok(columns.state)
    }

    /// Keep the rows in a scratch file in `folder`.
    pub fn on_disk(&self, folder: &Path) -> Result<(Scratch, Found)> {
        let scratch = Scratch::create(folder, self.widths(), self.rows())?;
        let found = parallel::map(self.parts(), |rows| {
            let mut bytes = Vec::new();
            self.part(rows, None, |row, block| scratch.write(row, block, &mut bytes))
        });
        Ok((scratch, self.check.together(found)?))
    }

    /// Keep nothing; `see` gets the rows in order: the first row, and what it and the following hold.
    pub fn past(&self, see: impl FnMut(usize, &Block) -> Result<()>) -> Result<Found> {
        self.part(0..self.rows(), None, see)
    }

    /// The observations again, in order.
    pub fn obs_again(&self, mut see: impl FnMut(usize, &[f32])) -> Result<()> {
        let widths = Widths { obs: self.widths().obs, ..Widths::default() };
        let mut reader = self.recording.rows(0..self.rows(), &widths)?;
        let size = block_rows(widths.obs * 4, self.rows());
        let mut values = vec![0.0; size * widths.obs];
        for row in (0..self.rows()).step_by(size) {
            let values = &mut values[..size.min(self.rows() - row) * widths.obs];
            reader.fill(row, &mut Window { obs: values, ..Window::default() })?;
            see(row, values);
        }
        Ok(())
    }

    /// Rows for each thread; none decodes what another does.
    fn parts(&self) -> Vec<Range<usize>> {
        let (rows, window) = (self.rows(), self.recording.layout().window.max(1));
        let bytes = rows.saturating_mul(self.widths().bytes());
        // More parts than threads, so that all end at about the same time.
        let most = if parallel::threads() > 1 { parallel::threads() * 4 } else { 1 };
        let size = rows.div_ceil(most.min(bytes / PART).max(1)).next_multiple_of(window);
        (0..rows).step_by(size).map(|first| first..(first + size).min(rows)).collect()
    }

    /// Read `rows` into `target`, or into a buffer; `done` sees them block by block.
    fn part(
        &self,
        rows: Range<usize>,
        mut target: Option<Block<'_>>,
        mut done: impl FnMut(usize, &Block) -> Result<()>,
    ) -> Result<Found> {
        let mut wanted = self.widths();
        if self.twin {
            wanted.state = wanted.obs;
        }
        let reader = self.recording.rows(rows.clone(), &wanted)?;
        let mut reading = Reading { rows: reader, choices: Vec::new(), twin: Vec::new() };
        let mut found = self.check.nothing();
        let size = block_rows(self.widths().bytes(), rows.len());
        let mut buffer = match target {
            Some(_) => Columns::default(),
            None => Columns::new(self.recording.layout().path(), &self.widths(), size)?,
        };
        for row in rows.clone().step_by(size) {
            let n = size.min(rows.end - row);
            let mut block = match &mut target {
                Some(target) => target.take(n),
                None => buffer.block(self.widths(), n),
            };
            self.read(&mut reading, row, &mut block, &mut found)?;
            done(row, &block)?;
        }
        found.digits = reading.rows.digits().cloned();
        Ok(found)
    }

    /// Read and check the rows from `row` on.
    fn read(&self, reading: &mut Reading, row: usize, block: &mut Block, found: &mut Found) -> Result<()> {
        reading.choices.clear();
        reading.choices.extend(block.indices.iter().map(|index| i64::from(*index)));
        reading.twin.resize(if self.twin { block.obs.len() } else { 0 }, 0.0);
        let mut window = Window {
            obs: block.obs,
            // Nobody asks further once they differ.
            state: if !self.twin {
                block.state
            } else if found.differs {
                &mut []
            } else {
                &mut reading.twin
            },
            actions: block.actions,
            indices: &mut reading.choices,
            action_mask: block.action_mask,
            alive: block.alive,
        };
        reading.rows.fill(row, &mut window)?;
        if self.twin && !found.differs {
            found.differs = !same_bits(window.state, window.obs);
            window.state = &mut [];
        }
        self.check.see(row, &mut window, block.indices, found)
    }
}

/// Are state and observations of all rows the same bits? Stops at the first block that differs.
pub(crate) fn same_values(recording: &dyn Recording) -> Result<bool> {
    let (rows, width) = (recording.layout().rows, recording.layout().state_width());
    let both = Widths { obs: width, state: width, ..Widths::default() };
    let mut reader = recording.rows(0..rows, &both)?;
    let size = block_rows(width * 4, rows);
    let mut values = [vec![0.0; size * width], vec![0.0; size * width]];
    for row in (0..rows).step_by(size) {
        let n = size.min(rows - row) * width;
        let [obs, state] = &mut values;
        let (obs, state) = (&mut obs[..n], &mut state[..n]);
        reader.fill(row, &mut Window { obs, state, ..Window::default() })?;
        if !same_bits(&values[0][..n], &values[1][..n]) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Without an early way out, so that it goes through vector instructions.
fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).fold(0, |bits, (a, b)| bits | (a.to_bits() ^ b.to_bits())) == 0
}

fn block_rows(row_bytes: usize, rows: usize) -> usize {
    (BLOCK / row_bytes.max(1)).clamp(1, rows.max(1))
}
