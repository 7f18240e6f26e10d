//! Memory for large columns, taken from the system and given back to it at once.

use std::alloc::{Layout, handle_alloc_error};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
use memmap2::MmapMut;

/// Elements that are zero until they are written. Pages that nobody touched take no memory; where the system has large ones
/// they are asked for, as batches are drawn from them in three quarters of the time (`docs/performance.md`, "Reading data").
///
/// An allocator would keep what is given back, and fill it with zeros that new pages have.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    /// `None` for no elements.
    map: Option<MmapMut>,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Pod> Pages<T> {
    /// So many zeros; `None` when there is no room for them.
    pub fn zeros(len: usize) -> Option<Self> {
        let map = match len.checked_mul(size_of::<T>())? {
            0 => None,
            bytes => Some(MmapMut::map_anon(bytes).ok()?),
        };
        // A system without large pages has small ones.
        #[cfg(target_os = "linux")]
        map.iter().for_each(|map| drop(map.advise(memmap2::Advice::HugePage)));
        Some(Self { map, len, element: PhantomData })
    }

    /// Keep the first `len` elements, or add zeros. As for a vector, the process ends where there is no room.
    pub fn resize(&mut self, len: usize) {
        self.try_resize(len).unwrap_or_else(|| handle_alloc_error(Layout::new::<T>()));
    }

    /// As [`Self::resize`]; `None`, and all is as it was, when there is no room.
    pub fn try_resize(&mut self, len: usize) -> Option<()> {
        if len > self.len {
            let mut larger = Self::zeros(len)?;
            larger[..self.len].copy_from_slice(self);
            *self = larger;
        }
        self.len = len;
        Some(())
    }
}

impl<T: Pod> Clone for Pages<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.resize(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { map: None, len: 0, element: PhantomData }
    }
}

impl<T: Pod> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.map.as_ref().map_or(&[], |map| bytemuck::cast_slice(&map[..self.len * size_of::<T>()]))
    }
}

impl<T: Pod> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let len = self.len;
        self.map.as_mut().map_or(&mut [], |map| bytemuck::cast_slice_mut(&mut map[..len * size_of::<T>()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stay_where_there_are_more_or_fewer() {
        let mut pages = Pages::<u32>::default();
        assert!(pages.is_empty() && pages.clone().is_empty());
        pages.resize(3000);
        assert!(pages.iter().all(|x| *x == 0));
        pages.iter_mut().zip(1..).for_each(|(x, i)| *x = i);
        let before = pages.clone();
        pages.resize(5000);
        assert!(pages[..3000] == before[..] && pages[3000..].iter().all(|x| *x == 0));
        pages.resize(2);
        assert_eq!((&pages[..], before.len()), (&[1, 2][..], 3000));
        // What was cut off does not come back.
        pages.resize(3);
        assert_eq!(pages[..], [1, 2, 0]);
        assert!(Pages::<f32>::zeros(usize::MAX / 2).is_none() && Pages::<f32>::zeros(1 << 50).is_none());
    }
}
