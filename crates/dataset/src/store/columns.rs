//! Columns of rows in memory.

use std::mem;
use std::path::Path;

use memmap2::MmapMut;

use crate::reader::window::Widths;
use crate::{Error, Result};

/// Columns in memory, row-major; a part without width is empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    pub obs: Vec<f32>,
    pub state: Vec<f32>,
    pub actions: Vec<f32>,
    pub indices: Vec<u32>,
    pub action_mask: Vec<u8>,
    pub alive: Vec<u8>,
}

impl Columns {
    /// Columns of `rows` rows, all zero.
    ///
    /// # Errors
    /// [`Error::Memory`] when they do not fit.
    pub fn new(path: &Path, widths: &Widths, rows: usize) -> Result<Self> {
        // Asked of the system, not of the allocator: that would keep the pages, and fill them with zeros that new ones have.
        let room = rows.checked_mul(widths.bytes()).and_then(|bytes| MmapMut::map_anon(bytes).ok());
        if room.is_none() {
            let bytes = (rows as u64).saturating_mul(widths.bytes() as u64);
            return Err(Error::Memory { path: path.to_owned(), bytes });
        }
        drop(room);
        Ok(Self {
            obs: vec![0.0; rows * widths.obs],
            state: vec![0.0; rows * widths.state],
            actions: vec![0.0; rows * widths.actions],
            indices: vec![0; rows * widths.indices],
            action_mask: vec![0; rows * widths.action_mask],
            alive: vec![0; rows * widths.alive],
        })
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
        let floats = [&self.obs, &self.state, &self.actions].into_iter().map(|c| size_of_val(c.as_slice()));
        floats.sum::<usize>() + size_of_val(self.indices.as_slice()) + self.action_mask.len() + self.alive.len()
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
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let widths = Widths { obs: 1 << 30, ..Widths::default() };
        let error = Columns::new(Path::new("x"), &widths, 1 << 30).unwrap_err().to_string();
        assert!(error.contains("4611686018427387904 bytes"), "{error}");
    }
}
