//! Which times are believed.

use crate::Flags;
use crate::recorder::Snapshot;

/// The clock as the steps tell it. A time that cannot follow the last one is not believed, until a second one goes on
/// from it: so one wild time costs a step, a clock that was set costs one, too, and neither needs a reset.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    /// A later step is a jump.
    pub(super) max_gap_ns: u64,
    /// Is a jump believed at once?
    pub(super) jumps: bool,
    /// The last time that was believed.
    last_ns: Option<u64>,
    /// The last time, if it was not.
    doubted_ns: Option<u64>,
}

/// What a step's time comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) now_ns: u64,
    /// Since the step before, as far as is known.
    pub(crate) elapsed_ns: u64,
    /// Is it believed?
    pub(crate) right: bool,
    /// What is said of it; [`Flags::GAP`] if it does not go on from the last one that was believed.
    pub(crate) flags: Flags,
}

impl Clock {
    pub(super) fn new(jumps: bool) -> Self {
        Self { max_gap_ns: u64::MAX, jumps, last_ns: None, doubted_ns: None }
    }

    /// Any time may be next.
    /// What belongs to a snapshot.
    pub(super) fn exchange(&mut self, snapshot: &mut Snapshot<'_>) {
        let Self { max_gap_ns: _, jumps: _, last_ns, doubted_ns } = self;
        snapshot.option(last_ns, Snapshot::u64);
        snapshot.option(doubted_ns, Snapshot::u64);
    }

    pub(super) fn reset(&mut self) {
        (self.last_ns, self.doubted_ns) = (None, None);
    }

    /// Take notice of a step's time.
    pub(super) fn tell(&mut self, now_ns: u64) -> Time {
        let doubted_ns = self.doubted_ns.take();
        let believed = |elapsed_ns, flags| Time { now_ns, elapsed_ns, right: true, flags };
        let since = |before_ns| now_ns.checked_sub(before_ns).filter(|elapsed_ns| *elapsed_ns <= self.max_gap_ns);
        let Some(last_ns) = self.last_ns.replace(now_ns) else { return believed(0, Flags::empty()) };
        if let Some(elapsed_ns) = since(last_ns) {
            return believed(elapsed_ns, if doubted_ns.is_some() { Flags::GAP } else { Flags::empty() });
        }
        if let Some(elapsed_ns) = doubted_ns.and_then(since).filter(|elapsed_ns| *elapsed_ns > 0) {
            return believed(elapsed_ns, Flags::GAP);
        }
        if self.jumps && now_ns > last_ns {
            return believed(now_ns - last_ns, Flags::GAP | Flags::TIME_JUMPED);
        }
        (self.last_ns, self.doubted_ns) = (Some(last_ns), Some(now_ns));
        let flags = if now_ns < last_ns { Flags::TIME_BACKWARDS } else { Flags::TIME_JUMPED };
        Time { now_ns, elapsed_ns: now_ns.saturating_sub(last_ns), right: false, flags }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Flags = Flags::empty();
    const BACK: Flags = Flags::TIME_BACKWARDS;
    const JUMP: Flags = Flags::TIME_JUMPED;
    const GAP: Flags = Flags::GAP;

    /// Times, what is said of them, and how much has passed; the largest gap is 1000.
    fn check(jumps: bool, times: &[(u64, Flags, u64)]) {
        let mut clock = Clock { max_gap_ns: 1000, ..Clock::new(jumps) };
        for (now_ns, flags, elapsed_ns) in times {
            let time = clock.tell(*now_ns);
            assert_eq!((time.flags, time.elapsed_ns), (*flags, *elapsed_ns), "at {now_ns}");
            assert_eq!(time.right, !flags.contains(BACK) && (*flags != JUMP));
        }
    }

    #[test]
    fn a_clock_that_goes_on_is_right() {
        check(false, &[(7, OK, 0), (7, OK, 0), (8, OK, 1), (1008, OK, 1000)]);
    }

    #[test]
    fn one_wild_time_costs_a_step() {
        check(false, &[(50, OK, 0), (49, BACK, 0), (60, GAP, 10), (61, OK, 1)]);
        check(false, &[(50, OK, 0), (u64::MAX / 2, JUMP, u64::MAX / 2 - 50), (51, GAP, 1), (52, OK, 1)]);
        check(false, &[(0, OK, 0), (u64::MAX, JUMP, u64::MAX), (0, GAP, 0), (1, OK, 1)]);
        check(false, &[(2000, OK, 0), (0, BACK, 0), (5000, JUMP, 3000), (2001, GAP, 1)]);
    }

    #[test]
    fn a_clock_that_was_set_is_believed_when_it_goes_on() {
        check(false, &[(5000, OK, 0), (10, BACK, 0), (11, GAP, 1), (12, OK, 1), (5000, JUMP, 4988)]);
        check(false, &[(0, OK, 0), (1001, JUMP, 1001), (2001, GAP, 1000), (2002, OK, 1)]);
        // Standing or still jumping is not going on.
        check(false, &[(5000, OK, 0), (10, BACK, 0), (10, BACK, 0), (9, BACK, 0), (1010, BACK, 0), (1011, GAP, 1)]);
        check(false, &[(0, OK, 0), (2000, JUMP, 2000), (4000, JUMP, 4000), (4001, GAP, 1)]);
    }

    #[test]
    fn jumps_are_believed_if_asked_for() {
        check(true, &[(0, OK, 0), (1001, GAP | JUMP, 1001), (1002, OK, 1), (1001, BACK, 0), (1003, GAP, 1)]);
    }
}
