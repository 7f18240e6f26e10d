//! Which tick is which, from the times alone.

use crate::Flags;

/// The grid of due times, and where on it the ticks have come.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) period_ns: u64,
    pub(super) max_lateness_ns: u64,
    pub(super) max_jitter_ns: u64,
    pub(super) max_gap_ns: u64,
    pub(super) max_stalled_ticks: u32,
    pub(super) at: Option<At>,
}

/// Where a running schedule is.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// The latest tick whose time was not before the one before it.
    last_ns: u64,
    /// The last tick of a period.
    native_ns: u64,
    /// The next one.
    pub(super) due_ns: u64,
    /// So many ticks had `last_ns` before.
    stalled: u32,
    /// A tick since then had an earlier time.
    went_back: bool,
}

/// What a tick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
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
    /// Not yet.
    Intermediate,
    /// The time is wrong.
    Fault,
}

impl Schedule {
    /// Take notice of a tick. Any times will do: nothing overflows.
    pub(super) fn tick(&mut self, now_ns: u64) -> Tick {
        let Some(at) = self.at else { return self.start(now_ns, Flags::empty()) };
        if now_ns < at.last_ns || at.went_back && now_ns == at.last_ns {
            self.at = Some(At { went_back: true, ..at });
            return Tick::new(Kind::Fault, Flags::TIME_BACKWARDS);
        }
        // Nobody knows how much time has really passed while the clock was wrong.
        let was_wrong = now_ns > at.last_ns && (at.went_back || at.stalled > self.max_stalled_ticks);
        if was_wrong || now_ns - at.last_ns > self.max_gap_ns {
            return self.start(now_ns, Flags::GAP);
        }
        let stalled = if now_ns == at.last_ns { at.stalled.saturating_add(1) } else { 0 };
        self.at = Some(At { last_ns: now_ns, stalled, ..at });
        if stalled > self.max_stalled_ticks {
            let flags = Flags::CLOCK_STALLED | Flags::TIME_STANDS_STILL | Flags::INTERMEDIATE;
            return Tick::new(Kind::Fault, flags);
        }
        if stalled > 0 {
            return Tick::new(Kind::Intermediate, Flags::TIME_STANDS_STILL | Flags::INTERMEDIATE);
        }
        if now_ns < at.due_ns {
            return Tick::new(Kind::Intermediate, Flags::INTERMEDIATE);
        }
        self.native(now_ns, at)
    }

    /// The first tick of a new phase.
    fn start(&mut self, now_ns: u64, flags: Flags) -> Tick {
        let due_ns = now_ns.saturating_add(self.period_ns);
        self.at = Some(At { last_ns: now_ns, native_ns: now_ns, due_ns, stalled: 0, went_back: false });
        Tick::new(Kind::Native, flags)
    }

    /// A tick of a period, now or overdue.
    fn native(&mut self, now_ns: u64, at: At) -> Tick {
        let lateness_ns = now_ns - at.due_ns;
        let skipped_periods = lateness_ns.checked_div(self.period_ns).unwrap_or(0);
        let jitter_ns = (now_ns - at.native_ns).abs_diff(self.period_ns);
        let to_next_ns = self.period_ns.saturating_mul(skipped_periods.saturating_add(1));
        let due_ns = at.due_ns.saturating_add(to_next_ns);
        self.at = Some(At { last_ns: now_ns, native_ns: now_ns, due_ns, stalled: 0, went_back: false });
        let mut flags = Flags::empty();
        flags.set(Flags::LATE, lateness_ns > self.max_lateness_ns);
        flags.set(Flags::JITTER, jitter_ns > self.max_jitter_ns);
        flags.set(Flags::SKIPPED, skipped_periods > 0);
        Tick { kind: Kind::Native, flags, lateness_ns, jitter_ns: Some(jitter_ns), skipped_periods }
    }
}

impl Tick {
    fn new(kind: Kind, flags: Flags) -> Self {
        Self { kind, flags, lateness_ns: 0, jitter_ns: None, skipped_periods: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    fn schedule() -> Schedule {
        let (max_lateness_ns, max_jitter_ns, max_gap_ns) = (20, 30, 1000);
        Schedule { period_ns: 100, max_lateness_ns, max_jitter_ns, max_gap_ns, max_stalled_ticks: 2, at: None }
    }

    /// Ticks at these times, of these kinds (native, intermediate, fault) and flags, late by so much.
    fn check(ticks: &[(u64, char, Flags, u64)]) {
        let mut schedule = schedule();
        for (now_ns, kind, flags, lateness_ns) in ticks {
            let tick = schedule.tick(*now_ns);
            let kind = match kind {
                'n' => Kind::Native,
                'i' => Kind::Intermediate,
                _ => Kind::Fault,
            };
            let mut expected = *flags;
            expected.set(Flags::INTERMEDIATE, kind == Kind::Intermediate || flags.contains(Flags::CLOCK_STALLED));
            assert_eq!((tick.kind, tick.flags, tick.lateness_ns), (kind, expected, *lateness_ns), "at {now_ns}");
        }
    }

    const OK: Flags = Flags::empty();

    #[test]
    fn the_phase_is_kept() {
        check(&[(5, 'n', OK, 0), (60, 'i', OK, 0), (104, 'i', OK, 0), (105, 'n', OK, 0), (204, 'i', OK, 0)]);
        check(&[(5, 'n', OK, 0), (115, 'n', OK, 10), (206, 'n', OK, 1), (305, 'n', OK, 0)]);
    }

    #[test]
    fn lateness_and_jitter_are_reported() {
        check(&[(0, 'n', OK, 0), (120, 'n', OK, 20), (221, 'n', Flags::LATE, 21), (300, 'n', OK, 0)]);
        check(&[(0, 'n', OK, 0), (131, 'n', Flags::LATE | Flags::JITTER, 31), (200, 'n', Flags::JITTER, 0)]);
    }

    #[test]
    fn missed_periods_are_counted_and_the_grid_stays() {
        let missed = Flags::SKIPPED | Flags::LATE | Flags::JITTER;
        check(&[(0, 'n', OK, 0), (199, 'n', Flags::LATE | Flags::JITTER, 99), (200, 'n', Flags::JITTER, 0)]);
        check(&[(0, 'n', OK, 0), (200, 'n', missed, 100), (299, 'i', OK, 0), (300, 'n', OK, 0)]);
        check(&[(0, 'n', OK, 0), (350, 'n', missed, 250), (399, 'i', OK, 0), (400, 'n', Flags::JITTER, 0)]);
        let mut late = schedule();
        let _ = late.tick(0);
        assert_eq!((late.tick(350).skipped_periods, late.at.unwrap().due_ns), (2, 400));
    }

    #[test]
    fn a_gap_starts_anew() {
        let missed = Flags::SKIPPED | Flags::LATE | Flags::JITTER;
        check(&[(0, 'n', OK, 0), (1000, 'n', missed, 900), (1100, 'n', OK, 0)]);
        check(&[(0, 'n', OK, 0), (1001, 'n', Flags::GAP, 0), (1100, 'i', OK, 0), (1101, 'n', OK, 0)]);
    }

    #[test]
    fn time_that_stands_or_goes_back_is_seen() {
        let (still, stalled) = (Flags::TIME_STANDS_STILL, Flags::TIME_STANDS_STILL | Flags::CLOCK_STALLED);
        let back = Flags::TIME_BACKWARDS;
        check(&[(7, 'n', OK, 0), (7, 'i', still, 0), (7, 'i', still, 0), (7, 'f', stalled, 0), (7, 'f', stalled, 0)]);
        check(&[(7, 'n', OK, 0), (7, 'i', still, 0), (8, 'i', OK, 0), (8, 'i', still, 0), (107, 'n', OK, 0)]);
        check(&[(50, 'n', OK, 0), (49, 'f', back, 0), (0, 'f', back, 0), (50, 'f', back, 0), (49, 'f', back, 0)]);
    }

    /// However little the clock moved: what was decided before may be an hour old.
    #[test]
    fn a_clock_that_was_wrong_starts_anew() {
        let (still, stalled) = (Flags::TIME_STANDS_STILL, Flags::TIME_STANDS_STILL | Flags::CLOCK_STALLED);
        let (back, gap) = (Flags::TIME_BACKWARDS, Flags::GAP);
        check(&[(50, 'n', OK, 0), (49, 'f', back, 0), (51, 'n', gap, 0), (150, 'i', OK, 0), (151, 'n', OK, 0)]);
        check(&[(50, 'n', OK, 0), (49, 'f', back, 0), (50, 'f', back, 0), (60, 'n', gap, 0), (60, 'i', still, 0)]);
        let standing = [(7, 'n', OK, 0), (7, 'i', still, 0), (7, 'i', still, 0), (7, 'f', stalled, 0)];
        check(&[&standing[..], &[(8, 'n', gap, 0), (107, 'i', OK, 0), (108, 'n', OK, 0)]].concat());
        check(&[&standing[..], &[(6, 'f', back, 0), (7, 'f', back, 0), (9, 'n', gap, 0)]].concat());
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
            schedule.period_ns = extreme(&mut rng).max(1);
            (schedule.max_gap_ns, schedule.max_stalled_ticks) = (extreme(&mut rng), rng.random_range(0..3));
            for _ in 0..10 {
                let now_ns = extreme(&mut rng);
                let tick = schedule.tick(now_ns);
                assert_eq!(tick.kind == Kind::Fault, tick.flags.is_fault());
                let due_ns = schedule.at.unwrap().due_ns;
                assert!(tick.kind != Kind::Native || due_ns > now_ns || due_ns == u64::MAX, "{schedule:?}");
            }
        }
    }
}
