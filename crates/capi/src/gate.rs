//! One caller at a time, readers beside it, and nobody after a panic.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use crate::code::{OMIGA_BUSY, OMIGA_PANICKED, OMIGA_POISONED, omiga_code};

const FREE: u8 = 0;
const IN_USE: u8 = 1;
const POISONED: u8 = 2;
const CLOSED: u8 = 3;

/// What an opaque pointer points to: `F` never changes and may be read beside other calls, `T` is for one at a time.
#[derive(Debug)]
pub(crate) struct Handle<F, T> {
    gate: Gate,
    fixed: F,
    inside: UnsafeCell<T>,
}

impl<F: Send + Sync, T: Send> Handle<F, T> {
    pub(crate) const fn new(fixed: F, inside: T) -> Self {
        Self { gate: Gate::new(), fixed, inside: UnsafeCell::new(inside) }
    }

    /// As [`Gate::alone`].
    #[inline]
    pub(crate) fn alone<R>(&self, call: impl FnOnce(&F, &mut T) -> R) -> Result<R, omiga_code> {
        // SAFETY: the gate lets one in at a time, and nothing else touches `inside`.
        self.gate.alone(|| call(&self.fixed, unsafe { &mut *self.inside.get() }))
    }

    /// As [`Gate::beside`].
    pub(crate) fn beside<R>(&self, call: impl FnOnce(&F) -> R) -> Result<R, omiga_code> {
        self.gate.beside(|| call(&self.fixed))
    }

    /// As [`Gate::look`].
    pub(crate) fn look<R>(&self, call: impl FnOnce(&F) -> R) -> Result<R, omiga_code> {
        self.gate.look(|| call(&self.fixed))
    }

    /// As [`Gate::close`].
    pub(crate) fn close(&self) -> Result<(), omiga_code> {
        self.gate.close()
    }
}

/// Of one handle. There is no lock: who comes second is told so and goes away. Readers are counted apart from the one
/// who is alone, so that they never turn it away.
#[derive(Debug)]
struct Gate {
    state: AtomicU8,
    readers: AtomicU32,
}

impl Gate {
    const fn new() -> Self {
        Self { state: AtomicU8::new(FREE), readers: AtomicU32::new(0) }
    }

    /// Run `call` while nobody else runs one.
    ///
    /// # Errors
    /// [`OMIGA_BUSY`], [`OMIGA_POISONED`], or [`OMIGA_PANICKED`] if it is this call that panics.
    #[inline]
    fn alone<T>(&self, call: impl FnOnce() -> T) -> Result<T, omiga_code> {
        let entered = self.state.compare_exchange(FREE, IN_USE, Ordering::Acquire, Ordering::Relaxed);
        entered.map_err(|found| if found == POISONED { OMIGA_POISONED } else { OMIGA_BUSY })?;
        let result = self.guarded(call);
        // Fails only if the handle was poisoned meanwhile, and then stays so.
        let _ = self.state.compare_exchange(IN_USE, FREE, Ordering::Release, Ordering::Relaxed);
        result
    }

    /// Run `call`, which only reads what never changes, beside others.
    ///
    /// # Errors
    /// [`OMIGA_POISONED`], [`OMIGA_PANICKED`], or [`OMIGA_BUSY`] if the handle is being freed.
    fn beside<T>(&self, call: impl FnOnce() -> T) -> Result<T, omiga_code> {
        self.look(|| match self.state.load(Ordering::Acquire) {
            POISONED => Err(OMIGA_POISONED),
            _ => self.guarded(call),
        })?
    }

    /// As [`Self::beside`], of a poisoned handle too: `call` looks at nothing that a panic can have left half done, and
    /// cannot panic itself.
    ///
    /// # Errors
    /// [`OMIGA_BUSY`] if the handle is being freed.
    fn look<T>(&self, call: impl FnOnce() -> T) -> Result<T, omiga_code> {
        // One order of all four accesses, here and in `close`: either the reader sees that the handle is closed, or
        // who closes it sees the reader.
        self.readers.fetch_add(1, Ordering::SeqCst);
        let result = match self.state.load(Ordering::SeqCst) {
            CLOSED => Err(OMIGA_BUSY),
            _ => Ok(call()),
        };
        self.readers.fetch_sub(1, Ordering::Release);
        result
    }

    /// Enter for ever, poisoned or not: the handle is to be freed.
    ///
    /// # Errors
    /// [`OMIGA_BUSY`], and the gate is as it was, while somebody is inside or reads.
    fn close(&self) -> Result<(), omiga_code> {
        // Asked first, so that a refused `close` turns no call away.
        if self.readers.load(Ordering::SeqCst) != 0 {
            return Err(OMIGA_BUSY);
        }
        let close = |from| self.state.compare_exchange(from, CLOSED, Ordering::SeqCst, Ordering::Relaxed);
        let before = close(FREE).or_else(|_| close(POISONED)).map_err(|_| OMIGA_BUSY)?;
        if self.readers.load(Ordering::SeqCst) != 0 {
            // A reader that panicked in between has poisoned the handle, which stays so.
            let _ = self.state.compare_exchange(CLOSED, before, Ordering::Release, Ordering::Relaxed);
            return Err(OMIGA_BUSY);
        }
        Ok(())
    }

    #[inline]
    fn guarded<T>(&self, call: impl FnOnce() -> T) -> Result<T, omiga_code> {
        // What a panic leaves half done is never seen again: the gate stays shut.
        catch_unwind(AssertUnwindSafe(call)).map_err(|_| {
            self.state.store(POISONED, Ordering::Release);
            OMIGA_PANICKED
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(gate: &Gate, alone: Result<(), omiga_code>, beside: Result<(), omiga_code>, look: Result<(), omiga_code>) {
        assert_eq!((gate.alone(|| ()), gate.beside(|| ()), gate.look(|| ())), (alone, beside, look));
    }

    #[test]
    fn one_at_a_time() {
        let gate = Gate::new();
        check(&gate, Ok(()), Ok(()), Ok(()));
        let inside = gate.alone(|| {
            check(&gate, Err(OMIGA_BUSY), Ok(()), Ok(()));
            assert_eq!(gate.close(), Err(OMIGA_BUSY));
        });
        assert_eq!(inside, Ok(()));
        check(&gate, Ok(()), Ok(()), Ok(()));
        assert_eq!(gate.close(), Ok(()));
        check(&gate, Err(OMIGA_BUSY), Err(OMIGA_BUSY), Err(OMIGA_BUSY));
    }

    /// Nothing is freed under a reader, and a reader turns nobody away.
    #[test]
    fn readers_keep_the_handle() {
        let gate = Gate::new();
        for read in [|gate: &Gate, call: &dyn Fn()| gate.beside(call), |gate: &Gate, call: &dyn Fn()| gate.look(call)] {
            let read = read(&gate, &|| {
                assert_eq!(gate.close(), Err(OMIGA_BUSY));
                check(&gate, Ok(()), Ok(()), Ok(()));
            });
            assert_eq!(read, Ok(()));
        }
        assert_eq!(gate.close(), Ok(()));
    }

    #[test]
    fn nobody_after_a_panic() {
        let gate = Gate::new();
        assert_eq!(gate.alone(|| panic!("on purpose")), Err::<(), _>(OMIGA_PANICKED));
        check(&gate, Err(OMIGA_POISONED), Err(OMIGA_POISONED), Ok(()));
        assert_eq!(gate.look(|| gate.close()), Ok(Err(OMIGA_BUSY)));
        check(&gate, Err(OMIGA_POISONED), Err(OMIGA_POISONED), Ok(()));
        assert_eq!(gate.close(), Ok(()));
    }

    /// A reader's panic is not forgotten when the one inside leaves.
    #[test]
    fn a_panic_beside_poisons_too() {
        let gate = Gate::new();
        let inside = gate.alone(|| assert_eq!(gate.beside(|| panic!("on purpose")), Err::<(), _>(OMIGA_PANICKED)));
        assert_eq!(inside, Ok(()));
        check(&gate, Err(OMIGA_POISONED), Err(OMIGA_POISONED), Ok(()));
    }
}
