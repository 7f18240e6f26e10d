//! A few threads for a short time: loading is bound by memory and decompression.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// More threads would each need a window of decoded rows.
const MAX_THREADS: usize = 4;

/// Threads worth starting: as many as this process may use at once, within reason.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS)
}

/// The results of `work` on each item, in their order.
pub(crate) fn map<I: Send, T: Send>(items: Vec<I>, work: impl Fn(I) -> T + Sync) -> Vec<T> {
    let more = threads().min(items.len()).saturating_sub(1);
    let queue = Mutex::new(items.into_iter().enumerate());
    let results = Mutex::new(Vec::new());
    let run = || {
        loop {
            // The lock is not held while working.
            let next = lock(&queue).next();
            let Some((place, item)) = next else { return };
            let result = work(item);
            lock(&results).push((place, result));
        }
    };
    thread::scope(|scope| {
        for _ in 0..more {
            // A thread that cannot be had is made up for by the others.
            drop(thread::Builder::new().spawn_scoped(scope, run));
        }
        run();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Does `found` hold for any item? Stops soon after the first.
pub(crate) fn any<I: Sync>(items: &[I], found: impl Fn(&I) -> bool + Sync) -> bool {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    map((0..threads()).collect(), |_| {
        while !stop.load(Ordering::Relaxed) {
            let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            if found(item) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
    stop.into_inner()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        for n in [0, 1, 2, 100] {
            let found = map((0..n).collect(), |i: usize| i * i);
            assert_eq!(found, (0..n).map(|i| i * i).collect::<Vec<_>>());
        }
    }

    #[test]
    fn any_looks_at_all_until_found() {
        let items: Vec<usize> = (0..1000).collect();
        assert!(any(&items, |i| *i == 999) && !any(&items, |i| *i == 1000) && !any(&items[..0], |_| true));
    }
}
