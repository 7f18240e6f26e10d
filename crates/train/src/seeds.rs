//! Several runs at once, which differ in their seed.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use crate::{Observer, Outcome, Result, Trainer};

/// Run every trainer to its end on `threads` threads: as many runs at a time as there are threads, each on its share of
/// them. They have nothing in common but the data, so that K cores do K times the updates of one. A run that fails does not
/// stop the others.
///
/// Returns the results in the order of `runs`. Each run is what [`Trainer::fit`] makes of it alone.
pub fn fit_all<O: Observer>(
    runs: &mut [(Trainer, O)],
    threads: NonZeroUsize,
    stop: &AtomicBool,
) -> Vec<Result<Outcome>> {
    let at_a_time = threads.get().min(runs.len());
    let share = NonZeroUsize::new(threads.get() / at_a_time.max(1)).unwrap_or(NonZeroUsize::MIN);
    let mut results: Vec<Result<Outcome>> = runs.iter().map(|_| Ok(Outcome::Interrupted)).collect();
    let queue = Mutex::new(runs.iter_mut().zip(&mut results));
    let work = || {
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some(((trainer, observer), result)) = next() {
            *result = trainer.fit(share, observer, stop);
        }
    };
    std::thread::scope(|scope| (0..at_a_time).for_each(|_| drop(scope.spawn(work))));
    results
}
