//! The loop's thread: it ticks on the monotonic clock, whatever comes or does not come.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use omiga_runtime::Observation;

use super::Shared;
use crate::clock::Clock;
use crate::realtime;
use crate::seat::Driver;
use crate::settings::RealTimeSettings;
use crate::ticker::Ticker;
use crate::{Error, Result};

/// The safe action is commanded so often at the end, for networks that lose messages.
const LAST_COMMANDS: u32 = 5;
/// Time between two of them.
const LAST_PAUSE: Duration = Duration::from_millis(10);
/// With rates on the way to the safe action, no longer than this is waited for it.
const LONGEST_RETREAT_NS: u64 = 10_000_000_000;

pub(super) struct Loop {
    pub(super) ticker: Ticker,
    /// Commands the safe action.
    pub(super) parachute: Driver,
    pub(super) clock: Clock,
    pub(super) tick_ns: u64,
    pub(super) shared: Arc<Shared>,
    pub(super) sender: Thread,
}

impl Loop {
    /// Start the thread, once the operating system has given what it is asked for.
    pub(super) fn start(mut self, settings: RealTimeSettings) -> Result<JoinHandle<()>> {
        let (ready, started) = mpsc::channel();
        let run = move || {
            let given = realtime::apply(settings);
            let refused = given.is_err();
            let _ = ready.send(given);
            if refused {
                return;
            }
            // A bug of ours must not leave the machine with its last command.
            let run = catch_unwind(AssertUnwindSafe(|| self.run()));
            self.shared.panicked.store(run.is_err(), Ordering::Relaxed);
            self.retreat();
            self.shared.over.store(true, Ordering::Release);
            self.sender.unpark();
        };
        let thread = thread::Builder::new().name("omiga-loop".to_owned()).spawn(run).map_err(Error::Thread)?;
        started.recv().map_err(|_| Error::Panicked)??;
        Ok(thread)
    }

    fn run(&mut self) {
        // The grid begins with the first tick.
        let mut due_ns = self.clock.ns();
        let mut first = true;
        while self.wait_until(due_ns) {
            let now = self.clock.now();
            due_ns = if std::mem::take(&mut first) { now.ns } else { due_ns };
            if self.ticker.tick(now, due_ns) {
                self.sender.unpark();
            }
            self.shared.ticked_ns.store(now.ns, Ordering::Relaxed);
            self.shared.sequence.store(self.ticker.tally.sequence, Ordering::Relaxed);
            self.ticker.after(now.ns, self.clock.ns().saturating_sub(now.ns));
            due_ns =
                next_due_ns(due_ns, self.clock.ns(), self.tick_ns, self.ticker.seat.driver.controller.next_tick_ns());
        }
    }

    /// False if it is told to stop.
    fn wait_until(&self, due_ns: u64) -> bool {
        loop {
            if self.shared.stop.load(Ordering::Acquire) {
                return false;
            }
            let left = self.clock.until(due_ns);
            if left.is_zero() {
                return true;
            }
            thread::park_timeout(left);
        }
    }

    /// Command the safe action, from where the actuators are, at the rates that were asked for.
    fn retreat(&mut self) {
        let Self { ticker, parachute, clock, sender, shared, .. } = self;
        let (begin_ns, mask) = (clock.ns(), vec![true; ticker.mask.len()]);
        let _ = ticker.seat.commanded && parachute.take_over(&ticker.seat.driver.numbers);
        let (mut last, mut same) = (Box::<[f32]>::default(), 0);
        while same < LAST_COMMANDS && clock.ns().saturating_sub(begin_ns) < LONGEST_RETREAT_NS {
            let now = clock.now();
            // No observation: so it is the fallback's turn.
            let obs = Observation { values: &[], stamp_ns: now.ns, mask: &mask };
            let status = parachute.tick(now.ns, obs);
            ticker.tell(now, &status, parachute);
            shared.sequence.store(ticker.tally.sequence, Ordering::Relaxed);
            sender.unpark();
            same = if last == parachute.numbers { same + 1 } else { 1 };
            last.clone_from(&parachute.numbers);
            thread::sleep(LAST_PAUSE);
        }
        ticker.give_tally();
    }
}

/// The next time on the loop's grid, or the policy's turn if that is about then: the grid of periods may have begun anew.
fn next_due_ns(due_ns: u64, now_ns: u64, tick_ns: u64, turn_ns: Option<u64>) -> u64 {
    let passed = now_ns.saturating_sub(due_ns) / tick_ns + 1;
    let next_ns = due_ns.saturating_add(passed.saturating_mul(tick_ns));
    match turn_ns {
        Some(turn_ns) if turn_ns > now_ns && turn_ns < next_ns.saturating_add(tick_ns / 2) => turn_ns,
        _ => next_ns,
    }
}

#[cfg(test)]
mod tests {
    use super::next_due_ns;

    #[test]
    fn the_grid_stays() {
        for (due, now, tick, turn, next) in [
            (100, 103, 10, None, 110),
            // Late by more than a tick: what was missed is missed.
            (100, 125, 10, None, 130),
            (100, 110, 10, None, 120),
            // The policy's turn is on the grid, or moves it.
            (100, 103, 10, Some(150), 110),
            (140, 143, 10, Some(150), 150),
            (140, 143, 10, Some(152), 152),
            (140, 143, 10, Some(147), 147),
            // It was asked, gave no action, and is asked again in the next tick.
            (140, 143, 10, Some(140), 150),
            (u64::MAX - 1, u64::MAX, 10, None, u64::MAX),
        ] {
            assert_eq!(next_due_ns(due, now, tick, turn), next);
        }
    }
}
