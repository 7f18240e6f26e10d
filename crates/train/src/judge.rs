//! Evaluations beside the updates: one runs, one waits, in the order of steps.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{Builder, Scope};

use omiga_format::Checkpoint;

use crate::observer::{BoxedError, Evaluated, Evaluator};
use crate::{Error, Result, RunFolder};

/// The evaluator's thread, if there is one.
#[derive(Debug, Default)]
pub struct Judge {
    thread: Option<Thread>,
    /// Steps whose evaluation has not ended, ascending.
    pending: VecDeque<u64>,
}

#[derive(Debug)]
struct Thread {
    due: SyncSender<u64>,
    found: Receiver<Found>,
}

/// What came of an evaluation; `None` if it was stopped.
#[derive(Debug)]
pub struct Found {
    pub step: u64,
    pub result: Result<Option<Evaluated>, BoxedError>,
}

impl Judge {
    /// Evaluate the checkpoints in `folder` that are asked for, until `self` goes.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        mut evaluator: Box<dyn Evaluator>,
        folder: RunFolder,
        stop: &'scope AtomicBool,
    ) -> Result<Self> {
        let ((due, steps), (send, found)) = (sync_channel(1), channel());
        let work = move || {
            for step in steps {
                let result = evaluate(&mut *evaluator, &folder, step, stop);
                if send.send(Found { step, result }).is_err() {
                    break;
                }
            }
        };
        Builder::new().name("evaluations".into()).spawn_scoped(scope, work).map_err(Error::Thread)?;
        Ok(Self { thread: Some(Thread { due, found }), pending: VecDeque::new() })
    }

    /// Does anybody judge?
    pub fn is_there(&self) -> bool {
        self.thread.is_some()
    }

    /// Have the stored checkpoint of `step` evaluated. Waits while one is evaluated and another one waits.
    pub fn ask(&mut self, step: u64) {
        if let Some(thread) = &self.thread {
            self.pending.push_back(step);
            // A thread that has ended is noticed where its results are taken.
            thread.due.send(step).unwrap_or(());
        }
    }

    /// Steps whose checkpoints are still needed.
    pub fn pending(&self) -> impl Iterator<Item = u64> {
        self.pending.iter().copied()
    }

    /// The next result, if there is one.
    pub fn found(&mut self) -> Option<Found> {
        let found = self.thread.as_ref()?.found.try_recv().ok()?;
        self.pending.pop_front();
        Some(found)
    }

    /// Wait for all that is left.
    pub fn rest(self) -> impl Iterator<Item = Found> {
        let Self { thread, pending } = self;
        let found = thread.map(|Thread { found, .. }| found);
        let gone = |step| Found { step, result: Err("its thread ended".into()) };
        pending.into_iter().map(move |step| found.as_ref().and_then(|f| f.recv().ok()).unwrap_or_else(|| gone(step)))
    }
}

fn evaluate(
    evaluator: &mut dyn Evaluator,
    folder: &RunFolder,
    step: u64,
    stop: &AtomicBool,
) -> Result<Option<Evaluated>, BoxedError> {
    // What is begun after one that was cut short would stand before it.
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let found = evaluator.evaluate(Checkpoint::read(&folder.checkpoint(step))?, stop)?;
    match found {
        Some(found) if !found.return_mean.is_finite() => Err(format!("its return is {}", found.return_mean).into()),
        found => Ok(found),
    }
}
