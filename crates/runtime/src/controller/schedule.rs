//! Which tick is which, from the times alone.

use crate::Flags;
use crate::guard::Time;
use crate::recorder::Snapshot;

/// The grid of due times, and where on it the ticks have come.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) period_ns: u64,
    pub(super) max_lateness_ns: u64,
    pub(super) max_jitter_ns: u64,
    pub(super) max_stalled_ticks: u32,
    pub(super) at: Option<At>,
}

/// Where a running schedule is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct At {
    /// The last tick of a period.
    native_ns: u64,
    /// When it was due, and the next one.
    turn_ns: u64,
    pub(super) due_ns: u64,
    /// It gave no action.
    owed: bool,
    /// So many ticks had the time of the one before.
    stalled: u32,
}

/// What a tick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) time: Time,
    pub(super) kind: Kind,
    /// What the time alone says.
    pub(super) flags: Flags,
    pub(super) lateness_ns: u64,
    /// Only between two ticks of periods.
    pub(super) jitter_ns: Option<u64>,
    pub(super) skipped_periods: u64,
}

/// Is it the policy's turn?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Yes.
    Native,
    /// Not by the grid, but there is no action that could be repeated.
    Again,
    /// Not yet.
    Intermediate,
    /// The time is wrong.
    Fault,
}

impl Schedule {
    /// Take notice of a tick. Any times will do: nothing overflows.
    pub(super) fn tick(&mut self, time: Time) -> Tick {
        if !time.right {
            return Tick::new(time, Kind::Fault, time.flags);
        }
        let Some(at) = &mut self.at else { return self.start(time, time.flags) };
        // Nobody knows how much time has really passed while the clock was wrong.
        let stood = at.stalled > self.max_stalled_ticks && time.elapsed_ns > 0;
        if stood || time.flags.contains(Flags::GAP) {
            return self.start(time, time.flags | Flags::GAP);
        }
        at.stalled = if time.elapsed_ns == 0 { at.stalled.saturating_add(1) } else { 0 };
        let still = if at.stalled > 0 { Flags::TIME_STANDS_STILL } else { Flags::empty() };
        if at.stalled > self.max_stalled_ticks {
            return Tick::new(time, Kind::Fault, Flags::CLOCK_STALLED | still | Flags::INTERMEDIATE);
        }
        let at = *at;
        if time.now_ns >= at.due_ns && at.stalled == 0 {
            return self.native(time, at);
        }
        if at.owed {
            let lateness_ns = time.now_ns.saturating_sub(at.turn_ns);
            return Tick { lateness_ns, ..Tick::new(time, Kind::Again, Flags::ASKED_AGAIN | still) };
        }
        Tick::new(time, Kind::Intermediate, Flags::INTERMEDIATE | still)
    }

    /// Did the policy act in a tick that was its turn? If not, the next one is, too.
    pub(super) fn settle(&mut self, acted: bool) {
        if let Some(at) = &mut self.at {
            at.owed = !acted;
        }
    }

    /// The first tick of a new phase.
    fn start(&mut self, time: Time, flags: Flags) -> Tick {
        let now_ns = time.now_ns;
        let due_ns = now_ns.saturating_add(self.period_ns);
        self.at = Some(At { native_ns: now_ns, turn_ns: now_ns, due_ns, owed: false, stalled: 0 });
        Tick::new(time, Kind::Native, flags)
    }

    /// A tick of a period, now or overdue.
    fn native(&mut self, time: Time, at: At) -> Tick {
        let now_ns = time.now_ns;
        let lateness_ns = now_ns - at.due_ns;
        let skipped_periods = lateness_ns.checked_div(self.period_ns).unwrap_or(0);
        let jitter_ns = now_ns.saturating_sub(at.native_ns).abs_diff(self.period_ns);
        let turn_ns = at.due_ns.saturating_add(self.period_ns.saturating_mul(skipped_periods));
        let due_ns = turn_ns.saturating_add(self.period_ns);
        self.at = Some(At { native_ns: now_ns, turn_ns, due_ns, owed: false, stalled: 0 });
        let mut flags = Flags::empty();
        flags.set(Flags::LATE, lateness_ns > self.max_lateness_ns);
        flags.set(Flags::JITTER, jitter_ns > self.max_jitter_ns);
        flags.set(Flags::SKIPPED, skipped_periods > 0);
        Tick { time, kind: Kind::Native, flags, lateness_ns, jitter_ns: Some(jitter_ns), skipped_periods }
    }
}

impl At {
    /// What belongs to a snapshot.
    pub(super) fn exchange(&mut self, snapshot: &mut Snapshot<'_>) {
        let Self { native_ns, turn_ns, due_ns, owed, stalled } = self;
        [native_ns, turn_ns, due_ns].into_iter().for_each(|ns| snapshot.u64(ns));
        snapshot.bool(owed);
        snapshot.u32(stalled);
    }
}

impl Tick {
    fn new(time: Time, kind: Kind, flags: Flags) -> Self {
        Self { time, kind, flags, lateness_ns: 0, jitter_ns: None, skipped_periods: 0 }
    }

    /// The same tick, with the policy asked though it is not its turn.
    pub(super) fn again(self) -> Self {
        let flags = self.flags.difference(Flags::INTERMEDIATE) | Flags::ASKED_AGAIN;
        Self { kind: Kind::Again, flags, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    const OK: Flags = Flags::empty();

    fn schedule() -> Schedule {
        let (max_lateness_ns, max_jitter_ns) = (20, 30);
        Schedule { period_ns: 100, max_lateness_ns, max_jitter_ns, max_stalled_ticks: 2, at: None }
    }

    /// A time that is believed.
    fn at(now_ns: u64, before_ns: u64) -> Time {
        Time { now_ns, elapsed_ns: now_ns.saturating_sub(before_ns), right: true, flags: OK }
    }

    /// Ticks at these times, of these kinds (native, intermediate, asked again, fault) and flags, late by so much. The
    /// policy acts in a native tick (n) or not (x), and when it is asked again.
    fn check(ticks: &[(u64, char, Flags, u64)]) {
        let (mut schedule, mut before_ns) = (schedule(), 0);
        for (now_ns, kind, flags, lateness_ns) in ticks {
            let tick = schedule.tick(at(*now_ns, before_ns));
            before_ns = *now_ns;
            let expected = match kind {
                'n' | 'x' => (Kind::Native, *flags),
                'i' => (Kind::Intermediate, *flags | Flags::INTERMEDIATE),
                'a' => (Kind::Again, *flags | Flags::ASKED_AGAIN),
                _ => (Kind::Fault, *flags | Flags::INTERMEDIATE),
            };
            assert_eq!((tick.kind, tick.flags), expected, "at {now_ns}");
            assert_eq!(tick.lateness_ns, *lateness_ns, "at {now_ns}");
            if matches!(kind, 'n' | 'x' | 'a') {
                schedule.settle(*kind != 'x');
            }
        }
    }

    #[test]
    fn the_phase_is_kept() {
        check(&[(5, 'n', OK, 0), (60, 'i', OK, 0), (104, 'i', OK, 0), (105, 'n', OK, 0), (204, 'i', OK, 0)]);
        check(&[(5, 'n', OK, 0), (115, 'n', OK, 10), (206, 'n', OK, 1), (305, 'n', OK, 0)]);
    }

    #[test]
    fn lateness_and_jitter_are_reported() {
        check(&[(1, 'n', OK, 0), (121, 'n', OK, 20), (222, 'n', Flags::LATE, 21), (301, 'n', OK, 0)]);
        check(&[(1, 'n', OK, 0), (132, 'n', Flags::LATE | Flags::JITTER, 31), (201, 'n', Flags::JITTER, 0)]);
    }

    #[test]
    fn missed_periods_are_counted_and_the_grid_stays() {
        let missed = Flags::SKIPPED | Flags::LATE | Flags::JITTER;
        check(&[(1, 'n', OK, 0), (200, 'n', Flags::LATE | Flags::JITTER, 99), (201, 'n', Flags::JITTER, 0)]);
        check(&[(1, 'n', OK, 0), (201, 'n', missed, 100), (300, 'i', OK, 0), (301, 'n', OK, 0)]);
        check(&[(1, 'n', OK, 0), (351, 'n', missed, 250), (400, 'i', OK, 0), (401, 'n', Flags::JITTER, 0)]);
        let mut late = schedule();
        let _ = late.tick(at(1, 0));
        assert_eq!((late.tick(at(351, 1)).skipped_periods, late.at.unwrap().due_ns), (2, 401));
    }

    /// Its lateness counts from when it was due, and says nothing of the loop.
    #[test]
    fn a_tick_without_an_action_stays_due_and_the_grid_stays() {
        check(&[(1, 'x', OK, 0), (2, 'a', OK, 1), (3, 'i', OK, 0), (101, 'n', OK, 0)]);
        check(&[(1, 'n', OK, 0), (111, 'x', OK, 10), (190, 'a', OK, 89), (200, 'i', OK, 0), (201, 'n', OK, 0)]);
        check(&[(1, 'x', OK, 0), (101, 'x', OK, 0), (101, 'a', Flags::TIME_STANDS_STILL, 0), (102, 'i', OK, 0)]);
        let missed = Flags::SKIPPED | Flags::LATE | Flags::JITTER;
        check(&[(1, 'n', OK, 0), (251, 'x', missed, 150), (252, 'a', OK, 51), (301, 'n', Flags::JITTER, 0)]);
    }

    #[test]
    fn time_that_stands_is_seen() {
        let (still, stalled) = (Flags::TIME_STANDS_STILL, Flags::TIME_STANDS_STILL | Flags::CLOCK_STALLED);
        check(&[(7, 'n', OK, 0), (7, 'i', still, 0), (7, 'i', still, 0), (7, 'f', stalled, 0), (7, 'f', stalled, 0)]);
        check(&[(7, 'n', OK, 0), (7, 'i', still, 0), (8, 'i', OK, 0), (8, 'i', still, 0), (107, 'n', OK, 0)]);
        // However little the clock moves then: what was decided before may be an hour old.
        let standing = [(7, 'n', OK, 0), (7, 'i', still, 0), (7, 'i', still, 0), (7, 'f', stalled, 0)];
        check(&[&standing[..], &[(8, 'n', Flags::GAP, 0), (107, 'i', OK, 0), (108, 'n', OK, 0)]].concat());
    }

    #[test]
    fn a_wrong_time_moves_nothing_and_a_gap_starts_anew() {
        let mut schedule = schedule();
        let _ = schedule.tick(at(50, 0));
        let wrong = Time { right: false, flags: Flags::TIME_BACKWARDS, ..at(49, 49) };
        let tick = schedule.tick(wrong);
        assert_eq!((tick.kind, tick.flags, schedule.at.unwrap().due_ns), (Kind::Fault, Flags::TIME_BACKWARDS, 150));
        let tick = schedule.tick(Time { flags: Flags::GAP, ..at(60, 50) });
        assert_eq!((tick.kind, tick.flags, schedule.at.unwrap().due_ns), (Kind::Native, Flags::GAP, 160));
    }

    #[test]
    fn any_times_will_do() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let extreme = |rng: &mut ChaCha8Rng| match rng.random_range(0..4) {
            0 => rng.random_range(0..3),
            1 => u64::MAX - rng.random_range(0..3),
            2 => rng.random_range(0..2000),
            _ => rng.random_range(0..=u64::MAX),
        };
        for _ in 0..20_000 {
            let mut schedule = schedule();
            (schedule.period_ns, schedule.max_stalled_ticks) = (extreme(&mut rng).max(1), rng.random_range(0..3));
            let mut now_ns = 0;
            for _ in 0..10 {
                let (before_ns, gap) = (now_ns, rng.random_bool(0.2));
                now_ns = if gap { extreme(&mut rng) } else { extreme(&mut rng).max(now_ns) };
                let flags = if gap { Flags::GAP } else { OK };
                let tick = schedule.tick(Time { flags, ..at(now_ns, before_ns) });
                assert_eq!(tick.kind == Kind::Fault, tick.flags.is_fault());
                let due_ns = schedule.at.unwrap().due_ns;
                assert!(tick.kind != Kind::Native || due_ns > now_ns || due_ns == u64::MAX, "{schedule:?}");
                schedule.settle(rng.random_bool(0.5));
            }
        }
    }
}
