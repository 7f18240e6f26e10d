//! As many jobs at a time as threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, anyhow};

use super::data::SharedData;
use super::job::{Ended, Job};
use crate::cores;

/// Threads of one run among several, and of a program that is not told how many, at most: an update is some twenty
/// independent pieces of work.
const MOST_A_RUN: NonZeroUsize = match NonZeroUsize::new(8) {
    Some(most) => most,
    None => NonZeroUsize::MIN,
};

/// Threads for so many jobs if nobody says: one a core.
pub fn default_threads(jobs: usize) -> NonZeroUsize {
    let cores = cores::threads(None);
    if jobs > 1 { cores } else { cores.min(MOST_A_RUN) }
}

/// Run all jobs on `threads` threads, as many at a time as there are threads. A job's networks and buffers are there only
/// while it runs, and data only while a job that reads it has not ended. A job that fails does not stop the others. When
/// `stop` is set, those that run store their state, and no other begins.
///
/// `on_end` is called right after each job, on its thread. Returns what became of the jobs, in their order.
pub fn run_all(
    jobs: &[Job],
    threads: NonZeroUsize,
    stop: &AtomicBool,
    on_end: &(dyn Fn(&Job, &Result<Ended>) + Sync),
) -> Vec<Result<Ended>> {
    let (data, places) = SharedData::of(jobs);
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<_>> =
        Mutex::new(jobs.iter().map(|job| Err(anyhow!("`{}` did not end", job.name))).collect());
    let work = || loop {
        let i = next.fetch_add(1, Ordering::Relaxed);
        let Some((job, data)) = jobs.get(i).zip(places.get(i).and_then(|place| data.get(*place))) else { break };
        let result = job.run(data, share(i, jobs.len(), threads), jobs.len() > 1, stop);
        data.leave();
        on_end(job, &result);
        results.lock().unwrap_or_else(PoisonError::into_inner)[i] = result;
    };
    std::thread::scope(|scope| (0..threads.get().min(jobs.len())).for_each(|_| drop(scope.spawn(work))));
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Threads of job `i` of `jobs`: one, but the last ones, too few to occupy all threads, share them; and while the last ones end one
/// after the other, each has two, so that a core whose run is over helps another.
fn share(i: usize, jobs: usize, threads: NonZeroUsize) -> NonZeroUsize {
    let (threads, tail) = (threads.get(), jobs % threads.get());
    let alone = match (i + tail).checked_sub(jobs) {
        Some(place) => threads / tail + usize::from(place < threads % tail),
        None => 1,
    };
    let is_last = i + threads >= jobs;
    let share = NonZeroUsize::new(if is_last { alone.max(threads.min(2)) } else { alone });
    let share = share.unwrap_or(NonZeroUsize::MIN);
    if jobs > 1 { share.min(MOST_A_RUN) } else { share }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(jobs: usize, threads: usize, expected: &[usize]) {
        let threads = NonZeroUsize::new(threads).unwrap();
        let found: Vec<_> = (0..jobs).map(|i| share(i, jobs, threads).get()).collect();
        assert_eq!(found, expected, "{jobs} jobs on {threads} threads");
    }

    #[test]
    fn the_last_jobs_share_what_is_left() {
        check(1, 16, &[16]);
        check(1, 1, &[1]);
        check(2, 2, &[2, 2]);
        check(3, 2, &[1, 2, 2]);
        check(3, 8, &[3, 3, 2]);
        check(10, 4, &[1, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
        check(2, 64, &[8, 8]);
    }
}
