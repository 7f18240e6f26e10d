//! Numbers that begin on a cache line.

use alloc::vec::Vec;
use core::fmt;

/// Alignment in bytes: a cache line.
const LINE: usize = 64;

/// Numbers in one piece that begins on a cache line.
pub(super) struct Aligned<T> {
    data: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: PartialEq> PartialEq for Aligned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.all() == other.all()
    }
}

/// A copy of the elements, aligned where it lies.
impl<T: Copy + Default> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        Self::new(self.all().iter().copied(), self.len)
    }
}

impl<T> fmt::Debug for Aligned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aligned({})", self.len)
    }
}

impl<T> Aligned<T> {
    /// The first `len` of `elements`.
    pub(super) fn new(elements: impl Iterator<Item = T>, len: usize) -> Self
    where
        T: Copy + Default,
    {
        let mut data = vec![T::default(); len + LINE / size_of::<T>()];
        let start = data.as_ptr().align_offset(LINE).min(data.len() - len);
        data[start..][..len].iter_mut().zip(elements).for_each(|(place, x)| *place = x);
        Self { data, start, len }
    }

    /// All of them.
    #[inline]
    pub(super) fn all(&self) -> &[T] {
        self.data.get(self.start..).and_then(|data| data.get(..self.len)).unwrap_or_default()
    }

    /// The same, to write to.
    #[inline]
    pub(super) fn all_mut(&mut self) -> &mut [T] {
        self.data.get_mut(self.start..).and_then(|data| data.get_mut(..self.len)).unwrap_or_default()
    }
}
