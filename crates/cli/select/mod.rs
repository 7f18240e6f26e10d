//! `omiga select`: which checkpoint of which run, without playing any.

mod candidate;
mod judged;
mod quality;
mod terms;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use omiga_format::Checkpoint;
use omiga_train::fqe::{Fqe, FqeData, FqeEstimate, FqeOptions, TeamActions};

pub use candidate::Candidate;
pub use judged::Judged;
pub use quality::Quality;
pub use terms::Terms;

/// All estimates.
#[derive(Debug)]
pub struct Verdicts {
    /// Of whoever made the data.
    pub data: FqeEstimate,
    /// The best first.
    pub candidates: Vec<Judged>,
}

/// Estimate every candidate. `None` if `stop` was set. `seen` is called after each.
///
/// # Errors
/// Whatever is wrong with a checkpoint or with the data.
pub fn judge(
    candidates: &[Candidate],
    data: &FqeData,
    options: FqeOptions,
    threads: NonZeroUsize,
    stop: &AtomicBool,
    seen: &(dyn Fn() + Sync),
) -> Result<Option<Verdicts>> {
    let Some(fqe) = Fqe::new(data, options, stop)? else { return Ok(None) };
    seen();
    let estimate = |k: usize| -> Result<Option<FqeEstimate>> {
        let path = &candidates[k].path;
        let actions = TeamActions::of_checkpoint(Checkpoint::read(path)?, data.dataset(), stop);
        match actions.with_context(|| format!("`{}`", path.display()))? {
            Some(actions) => Ok(fqe.judge(&actions, stop)?),
            None => Ok(None),
        }
    };
    let found = in_parallel(candidates.len(), threads, stop, seen, &estimate)?;
    let Some(found) = found.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
    let judged = candidates.iter().zip(found).map(|(candidate, estimate)| Judged::new(candidate, estimate));
    let mut judged = judged.collect::<Result<Vec<_>>>()?;
    judged.sort_by(Judged::before);
    Ok(Some(Verdicts { data: fqe.behaviour().clone(), candidates: judged }))
}

/// The results of `work` for 0..count, in this order, whatever the number of threads.
///
/// # Errors
/// The first that occurs ends the others.
fn in_parallel<T: Send>(
    count: usize,
    threads: NonZeroUsize,
    stop: &AtomicBool,
    seen: &(dyn Fn() + Sync),
    work: &(dyn Fn(usize) -> Result<Option<T>> + Sync),
) -> Result<Vec<Option<T>>> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let results: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    let go_on = || -> Result<()> {
        loop {
            let k = next.fetch_add(1, Ordering::Relaxed);
            let Some(result) = results.get(k) else { return Ok(()) };
            let found = work(k)?;
            if found.is_none() || stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            *result.lock().unwrap_or_else(PoisonError::into_inner) = found;
            seen();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.get().min(count) {
            scope.spawn(|| {
                if let Err(error) = go_on() {
                    next.store(count, Ordering::Relaxed);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => {
            Ok(results.into_iter().map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner)).collect())
        }
    }
}
