//! A value that one writes and anybody reads, without either waiting for the other.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// `N` words in two copies, written in turns (the Linux kernel's `seqcount_latch`). While one copy is written, readers
/// have the other: a writer that is interrupted half way holds nobody up, and it never learns of readers. A reader
/// begins again only after a whole write has gone by.
#[derive(Debug)]
pub(crate) struct Latch<const N: usize> {
    /// Whole writes so far; its last bit says which copy is the last one written.
    writes: AtomicU32,
    copies: [[AtomicU64; N]; 2],
}

impl<const N: usize> Latch<N> {
    pub(crate) fn new(value: [u64; N]) -> Self {
        Self { writes: AtomicU32::new(0), copies: [value.map(AtomicU64::new), value.map(AtomicU64::new)] }
    }

    /// One writer at a time.
    #[inline]
    pub(crate) fn write(&self, value: [u64; N]) {
        let next = self.writes.load(Ordering::Relaxed).wrapping_add(1);
        // Who sees a word of this write sees that the one before is whole, and so that its own copy is written again.
        fence(Ordering::Release);
        self.copy(next).iter().zip(value).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        self.writes.store(next, Ordering::Release);
    }

    /// The last value that was written whole.
    pub(crate) fn read(&self) -> [u64; N] {
        loop {
            let writes = self.writes.load(Ordering::Acquire);
            let value = self.copy(writes).each_ref().map(|word| word.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if self.writes.load(Ordering::Relaxed) == writes {
                return value;
            }
        }
    }

    #[inline]
    fn copy(&self, writes: u32) -> &[AtomicU64; N] {
        let [even, odd] = &self.copies;
        if writes.is_multiple_of(2) { even } else { odd }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    /// Readers see whole values, and never an earlier one after a later one.
    #[test]
    fn values_are_whole() {
        const WRITES: u64 = 300_000;
        let (latch, done) = (Latch::new([0; 15]), AtomicBool::new(false));
        let read = || {
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let value = latch.read();
                assert!(value.iter().all(|word| *word == value[0]), "torn: {value:?}");
                assert!(value[0] >= last, "{} after {last}", value[0]);
                last = value[0];
            }
        };
        thread::scope(|scope| {
            let readers = [scope.spawn(read), scope.spawn(read)];
            (1..=WRITES).for_each(|i| latch.write([i; 15]));
            done.store(true, Ordering::Relaxed);
            readers.into_iter().for_each(|reader| reader.join().unwrap());
        });
        assert_eq!(latch.read(), [WRITES; 15]);
    }

    /// What a reader of a higher priority finds when the writer is interrupted: the value before, at once.
    #[test]
    fn a_writer_half_way_holds_nobody_up() {
        let latch = Latch::new([7; 3]);
        latch.write([8; 3]);
        latch.copy(2)[0].store(9, Ordering::Relaxed);
        assert_eq!(latch.read(), [8; 3]);
    }
}
