//! Two clocks: one for the loop, which only goes on, and one that is shared with other machines.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The loop's clock: UNIX time when the node was started, then monotonic. So it is large, and an old stamp is not cut off at 0.
    pub ns: u64,
    /// The system's: UNIX time in nanoseconds. It may be set, forth and back.
    pub unix_ns: i64,
}

impl Now {
    /// On the loop's clock, what the system's clock would show as `stamp_unix_ns`. It holds for stamps of other machines as far as
    /// their clocks are kept together with this one.
    pub fn from_unix(self, stamp_unix_ns: i64) -> u64 {
        let age_ns = i128::from(self.unix_ns) - i128::from(stamp_unix_ns);
        u64::try_from((i128::from(self.ns) - age_ns).max(0)).unwrap_or(u64::MAX)
    }
}

/// The clocks of this process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_ns: u64,
}

impl Clock {
    /// From now on.
    pub fn start() -> Self {
        Self { start: Instant::now(), start_ns: u64::try_from(unix_ns()).unwrap_or(0) }
    }

    /// What time it is.
    pub fn now(&self) -> Now {
        Now { ns: self.ns(), unix_ns: unix_ns() }
    }

    /// The loop's clock alone.
    pub fn ns(&self) -> u64 {
        self.start_ns.saturating_add(self.start.elapsed().as_nanos().try_into().unwrap_or(u64::MAX))
    }

    /// From now until then; nothing if that is over.
    pub fn until(&self, ns: u64) -> Duration {
        Duration::from_nanos(ns.saturating_sub(self.ns()))
    }
}

#[expect(clippy::disallowed_methods, reason = "stamps of other machines are told in wall-clock time")]
fn unix_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_others_are_as_old_as_they_say() {
        let now = Now { ns: 5_000, unix_ns: 1_000_000 };
        for (stamp, ns) in [(999_000, 4_000), (1_000_000, 5_000), (1_000_700, 5_700), (0, 0), (i64::MIN, 0)] {
            assert_eq!(now.from_unix(stamp), ns);
        }
        assert_eq!(now.from_unix(i64::MAX), 5_000 + i64::MAX as u64 - 1_000_000);
        let clock = Clock::start();
        let (a, b) = (clock.now(), clock.now());
        assert!(a.ns <= b.ns && a.ns.abs_diff(a.unix_ns as u64) < 10_000_000_000);
    }
}
