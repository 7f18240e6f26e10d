//! The newest value of one thread for another: neither waits for the other, and what was not looked at is written over.
//!
//! A triple buffer: one slot is the writer's, one the reader's, and the third lies between them. Both exchange theirs for
//! it by one atomic operation. No slot is ever anybody else's at the same time, so that its lock is always free; it is
//! there because the compiler cannot see that.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

/// Set while nobody has looked at the slot in between.
const FRESH: u8 = 4;
/// The rest is its index.
const INDEX: u8 = 3;

#[derive(Debug)]
struct Shared<T> {
    slots: [Mutex<T>; 3],
    between: AtomicU8,
}

/// Gives values.
#[derive(Debug)]
pub(crate) struct Writer<T> {
    shared: Arc<Shared<T>>,
    mine: u8,
}

/// Has the newest one.
#[derive(Debug)]
pub(crate) struct Reader<T> {
    shared: Arc<Shared<T>>,
    mine: u8,
}

/// A pair that starts with `value`, which is not fresh.
pub(crate) fn latest<T: Clone>(value: T) -> (Writer<T>, Reader<T>) {
    let slots = [Mutex::new(value.clone()), Mutex::new(value.clone()), Mutex::new(value)];
    let shared = Arc::new(Shared { slots, between: AtomicU8::new(1) });
    (Writer { shared: Arc::clone(&shared), mine: 0 }, Reader { shared, mine: 2 })
}

impl<T> Shared<T> {
    /// Give `mine` for the one in between.
    fn exchange(&self, mine: u8) -> u8 {
        self.between.swap(mine, Ordering::AcqRel)
    }

    fn with<R>(&self, slot: u8, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        // A panic inside `f` on the other side leaves a value behind, not a broken one: there are plain numbers in here.
        let mut value = match self.slots.get(usize::from(slot))?.try_lock() {
            Ok(value) => value,
            Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => return None,
        };
        Some(f(&mut value))
    }
}

impl<T> Writer<T> {
    /// Fill a value in, an older one being there, and make it the newest; what `fill` refuses is not given.
    ///
    /// # Real-time
    /// Allocates nothing and never waits.
    pub(crate) fn try_write<E>(&mut self, fill: impl FnOnce(&mut T) -> Result<(), E>) -> Result<(), E> {
        if let Some(filled) = self.shared.with(self.mine, fill) {
            filled?;
            self.mine = self.shared.exchange(self.mine | FRESH) & INDEX;
        }
        Ok(())
    }

    /// As [`Self::try_write`], of what cannot fail.
    pub(crate) fn write(&mut self, fill: impl FnOnce(&mut T)) {
        let filled = self.try_write(|value| {
            fill(value);
            Ok::<(), std::convert::Infallible>(())
        });
        let Ok(()) = filled;
    }
}

impl<T> Reader<T> {
    /// Look at the newest value; `None` if it was looked at before.
    ///
    /// # Real-time
    /// Allocates nothing and never waits.
    pub(crate) fn fresh<R>(&mut self, look: impl FnOnce(&mut T) -> R) -> Option<R> {
        if self.shared.between.load(Ordering::Relaxed) & FRESH == 0 {
            return None;
        }
        self.mine = self.shared.exchange(self.mine) & INDEX;
        self.shared.with(self.mine, look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_seen_once() {
        let (mut writer, mut reader) = latest(0);
        assert_eq!(reader.fresh(|x| *x), None);
        writer.write(|x| *x = 1);
        writer.write(|x| *x = 2);
        assert_eq!(writer.try_write(|_| Err("refused")), Err("refused"));
        assert_eq!((reader.fresh(|x| *x), reader.fresh(|x| *x)), (Some(2), None));
    }

    #[test]
    fn two_threads_never_see_half_a_value() {
        let (mut writer, mut reader) = latest([0_u64; 64]);
        let last = 200_000;
        let writing = std::thread::spawn(move || (1..=last).for_each(|n| writer.write(|value| value.fill(n))));
        let mut newest = 0;
        while newest < last {
            let seen = reader.fresh(|value| {
                assert!(value.iter().all(|x| *x == value[0]));
                value[0]
            });
            if let Some(seen) = seen {
                assert!(seen > newest);
                newest = seen;
            }
        }
        writing.join().unwrap();
    }
}
