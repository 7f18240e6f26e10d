//! Columns of rows in memory.

use std::mem;
use std::path::Path;

use memmap2::MmapMut;

use super::pages::Pages;
use crate::reader::window::Widths;
use crate::{Error, Result};

/// Columns in memory, row-major; a part without width is empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    pub obs: Pages<f32>,
    pub state: Pages<f32>,
    pub actions: Pages<f32>,
    pub indices: Pages<u32>,
    pub action_mask: Pages<u8>,
    pub alive: Pages<u8>,
}

impl Columns {
    /// Columns of `rows` rows, all zero.
    ///
    /// # Errors
    /// [`Error::Memory`] when they do not fit.
    pub fn new(path: &Path, widths: &Widths, rows: usize) -> Result<Self> {
        let mut columns = Self::default();
        columns.resize(path, widths, rows)?;
        Ok(columns)
    }

    /// Keep the first `rows` rows, or add zeros, one column after the other: each is held twice only while it is copied.
    ///
    /// # Errors
    /// [`Error::Memory`] when they do not fit.
    pub fn resize(&mut self, path: &Path, widths: &Widths, rows: usize) -> Result<()> {
        // Room for all of them is asked for at once: one after the other the system promises more than it has.
        let has_room = |bytes: &usize| *bytes <= self.bytes() || MmapMut::map_anon(*bytes).is_ok();
        let room = rows.checked_mul(widths.bytes()).filter(has_room);
        room.and_then(|_| self.try_resize(widths, rows)).ok_or_else(|| {
            let bytes = (rows as u64).saturating_mul(widths.bytes() as u64);
            Error::Memory { path: path.to_owned(), bytes }
        })
    }

    fn try_resize(&mut self, widths: &Widths, rows: usize) -> Option<()> {
        self.obs.try_resize(rows * widths.obs)?;
        self.state.try_resize(rows * widths.state)?;
        self.actions.try_resize(rows * widths.actions)?;
        self.indices.try_resize(rows * widths.indices)?;
        self.action_mask.try_resize(rows * widths.action_mask)?;
        self.alive.try_resize(rows * widths.alive)
    }

    /// The first `rows` rows.
    pub fn block(&mut self, widths: Widths, rows: usize) -> Block<'_> {
        Block {
            widths,
            obs: &mut self.obs[..rows * widths.obs],
            state: &mut self.state[..rows * widths.state],
            actions: &mut self.actions[..rows * widths.actions],
            indices: &mut self.indices[..rows * widths.indices],
            action_mask: &mut self.action_mask[..rows * widths.action_mask],
            alive: &mut self.alive[..rows * widths.alive],
        }
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        let floats = [&self.obs, &self.state, &self.actions].into_iter().map(|c| size_of_val(&c[..]));
        floats.sum::<usize>() + size_of_val(&self.indices[..]) + self.action_mask.len() + self.alive.len()
    }
}

/// Some rows in a row.
pub(crate) struct Block<'a> {
    pub widths: Widths,
    pub obs: &'a mut [f32],
    pub state: &'a mut [f32],
    pub actions: &'a mut [f32],
    pub indices: &'a mut [u32],
    pub action_mask: &'a mut [u8],
    pub alive: &'a mut [u8],
}

impl<'a> Block<'a> {
    /// Take the first `rows` rows away from it.
    pub fn take(&mut self, rows: usize) -> Block<'a> {
        let widths = self.widths;
        Block {
            widths,
            obs: front(&mut self.obs, rows * widths.obs),
            state: front(&mut self.state, rows * widths.state),
            actions: front(&mut self.actions, rows * widths.actions),
            indices: front(&mut self.indices, rows * widths.indices),
            action_mask: front(&mut self.action_mask, rows * widths.action_mask),
            alive: front(&mut self.alive, rows * widths.alive),
        }
    }
}

fn front<'a, T>(rest: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    let (taken, left) = mem::take(rest).split_at_mut(n);
    *rest = left;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_taken_from_the_front() {
        let widths = Widths { obs: 3, indices: 2, action_mask: 1, ..Widths::default() };
        let mut columns = Columns::new(Path::new("x"), &widths, 4).unwrap();
        assert!(columns.obs.len() == 12 && columns.state.is_empty());
        assert_eq!((columns.bytes(), widths.bytes()), (4 * 21, 21));
        let mut rest = columns.block(widths, 4);
        let (first, second) = (rest.take(1), rest.take(3));
        first.obs.fill(1.0);
        second.indices[5] = 7;
        assert_eq!((second.obs.len(), rest.obs.len()), (9, 0));
        assert_eq!((&columns.obs[..4], columns.indices[7]), (&[1.0, 1.0, 1.0, 0.0][..], 7));
        // More rows are zeros, fewer are cut off, and where there is no room all is as it was.
        columns.resize(Path::new("x"), &widths, 5).unwrap();
        assert_eq!(
            (&columns.obs[..4], columns.indices[7], &columns.indices[8..]),
            (&[1.0, 1.0, 1.0, 0.0][..], 7, &[0, 0][..])
        );
        assert!(columns.resize(Path::new("x"), &widths, 1 << 60).is_err() && columns.bytes() == 5 * 21);
        columns.resize(Path::new("x"), &widths, 1).unwrap();
        assert_eq!((&columns.obs[..], columns.action_mask.len()), (&[1.0, 1.0, 1.0][..], 1));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let widths = Widths { obs: 1 << 30, ..Widths::default() };
        let error = Columns::new(Path::new("x"), &widths, 1 << 30).unwrap_err().to_string();
        assert!(error.contains("4611686018427387904 bytes"), "{error}");
    }
}
