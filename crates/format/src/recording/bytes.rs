//! Little endian, never past the end.

use alloc::vec::Vec;

/// Fills a slice from its start; what has no room is left out.
pub(super) struct Writer<'a> {
    rest: &'a mut [u8],
}

impl<'a> Writer<'a> {
    pub(super) fn new(rest: &'a mut [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some((place, rest)) = core::mem::take(&mut self.rest).split_first_chunk_mut() {
            *place = bytes;
            self.rest = rest;
        }
    }
}

/// Reads a slice from its start; `None` where it ends too early.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    pub(super) fn slice(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// A length; of no more than fits into memory.
    pub(super) fn len(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }

    /// The width of something that should be `expected` wide, and is at most one too wide.
    pub(super) fn width(&mut self, expected: usize) -> Option<usize> {
        self.len().filter(|found| *found <= expected.saturating_add(1))
    }

    /// `len` of `room` numbers, zeros beyond.
    pub(super) fn numbers(&mut self, room: usize, len: usize) -> Option<Vec<f32>> {
        let (chunks, []) = self.slice(room.checked_mul(4)?)?.as_chunks() else { return None };
        let stored = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes));
        Some(stored.chain(core::iter::repeat(0.0)).take(len).collect())
    }

    /// Bytes that are 0 or 1.
    pub(super) fn flags(&mut self, len: usize) -> Option<impl Iterator<Item = bool> + 'a> {
        let bytes = self.slice(len)?;
        bytes.iter().all(|byte| *byte <= 1).then(|| bytes.iter().map(|byte| *byte == 1))
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }
}
