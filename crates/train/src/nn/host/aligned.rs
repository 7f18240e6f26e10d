//! Buffers that begin with a cache line.

use std::ops::{Deref, DerefMut};

use super::real::Real;

/// Bytes of a cache line, and of the widest vector: one that lies across two lines takes twice as long to load.
const LINE: usize = 64;

/// Numbers in a buffer of their own, the first of which begins a cache line.
#[derive(Debug, Default)]
pub struct Aligned<T> {
    room: Vec<T>,
    begin: usize,
    len: usize,
}

impl<T: Real> Aligned<T> {
    /// So many zeros.
    pub fn zeros(len: usize) -> Self {
        let spare = LINE / size_of::<T>();
        let room = vec![T::of(0.0); len + spare];
        // Where the place of a buffer is not known it may lie anywhere: only speed depends on it.
        let begin = room.as_ptr().align_offset(LINE).min(spare);
        Self { room, begin, len }
    }

    /// A copy of `numbers`.
    pub fn of(numbers: &[T]) -> Self {
        let mut copy = Self::zeros(numbers.len());
        copy.copy_from_slice(numbers);
        copy
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.room[self.begin..][..self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.room[self.begin..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_a_line() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let numbers: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let (single, double) = (Aligned::of(&numbers), Aligned::<f64>::zeros(len));
            assert_eq!((&*single, double.len()), (&*numbers, len));
            assert_eq!((single.as_ptr() as usize % LINE, double.as_ptr() as usize % LINE), (0, 0));
        }
    }
}
