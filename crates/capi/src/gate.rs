//! One caller at a time, and nobody after a panic.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::code::{OMIGA_BUSY, OMIGA_PANICKED, OMIGA_POISONED, omiga_code};

const FREE: u8 = 0;
const IN_USE: u8 = 1;
const POISONED: u8 = 2;

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

    /// As [`Gate::close`].
    pub(crate) fn close(&self) -> Result<(), omiga_code> {
        self.gate.close()
    }
}

/// Of one handle. There is no lock: who comes second is told so and goes away.
#[derive(Debug)]
struct Gate(AtomicU8);

impl Gate {
    const fn new() -> Self {
        Self(AtomicU8::new(FREE))
    }

    /// Run `call` while nobody else runs one.
    ///
    /// # Errors
    /// [`OMIGA_BUSY`], [`OMIGA_POISONED`], or [`OMIGA_PANICKED`] if it is this call that panics.
    #[inline]
    fn alone<T>(&self, call: impl FnOnce() -> T) -> Result<T, omiga_code> {
        let entered = self.0.compare_exchange(FREE, IN_USE, Ordering::Acquire, Ordering::Relaxed);
        entered.map_err(|found| if found == POISONED { OMIGA_POISONED } else { OMIGA_BUSY })?;
        let result = self.guarded(call);
        // Fails only if the handle was poisoned meanwhile, and then stays so.
        let _ = self.0.compare_exchange(IN_USE, FREE, Ordering::Release, Ordering::Relaxed);
        result
    }

    /// Run `call`, which only reads what never changes, beside others.
    ///
    /// # Errors
    /// [`OMIGA_POISONED`] or [`OMIGA_PANICKED`].
    fn beside<T>(&self, call: impl FnOnce() -> T) -> Result<T, omiga_code> {
        match self.0.load(Ordering::Acquire) {
            POISONED => Err(OMIGA_POISONED),
            _ => self.guarded(call),
        }
    }

    /// Enter for ever, poisoned or not: the handle is to be freed.
    ///
    /// # Errors
    /// [`OMIGA_BUSY`].
    fn close(&self) -> Result<(), omiga_code> {
        let enter = |from| self.0.compare_exchange(from, IN_USE, Ordering::Acquire, Ordering::Relaxed);
        enter(FREE).or_else(|_| enter(POISONED)).map(drop).map_err(|_| OMIGA_BUSY)
    }

    #[inline]
    fn guarded<T>(&self, call: impl FnOnce() -> T) -> Result<T, omiga_code> {
        // What a panic leaves half done is never seen again: the gate stays shut.
        catch_unwind(AssertUnwindSafe(call)).map_err(|_| {
            self.0.store(POISONED, Ordering::Release);
            OMIGA_PANICKED
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(gate: &Gate, alone: Result<(), omiga_code>, beside: Result<(), omiga_code>) {
        assert_eq!((gate.alone(|| ()), gate.beside(|| ())), (alone, beside));
    }

    #[test]
    fn one_at_a_time() {
        let gate = Gate::new();
        check(&gate, Ok(()), Ok(()));
        let inside = gate.alone(|| {
            check(&gate, Err(OMIGA_BUSY), Ok(()));
            assert_eq!(gate.close(), Err(OMIGA_BUSY));
        });
        assert_eq!(inside, Ok(()));
        check(&gate, Ok(()), Ok(()));
        assert_eq!(gate.close(), Ok(()));
        check(&gate, Err(OMIGA_BUSY), Ok(()));
    }

    #[test]
    fn nobody_after_a_panic() {
        let gate = Gate::new();
        assert_eq!(gate.alone(|| panic!("on purpose")), Err::<(), _>(OMIGA_PANICKED));
        check(&gate, Err(OMIGA_POISONED), Err(OMIGA_POISONED));
        assert_eq!(gate.close(), Ok(()));
    }

    /// A reader's panic is not forgotten when the one inside leaves.
    #[test]
    fn a_panic_beside_poisons_too() {
        let gate = Gate::new();
        let inside = gate.alone(|| assert_eq!(gate.beside(|| panic!("on purpose")), Err::<(), _>(OMIGA_PANICKED)));
        assert_eq!(inside, Ok(()));
        check(&gate, Err(OMIGA_POISONED), Err(OMIGA_POISONED));
    }
}
