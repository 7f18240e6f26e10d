//! How the ticks went, in numbers.

use super::schedule::{Kind, Tick};
use crate::{Flags, Source, Status};

/// How the ticks since [`crate::Controller::new`] went. Resets do not clear it.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Ticks in which it was the policy's turn.
    pub native_ticks: u64,
    /// Ticks off the grid in which the policy was asked again: [`Flags::ASKED_AGAIN`].
    pub asked_again: u64,
    /// Ticks between two periods, those with the time of the one before too.
    pub intermediate_ticks: u64,
    /// Of the native ticks, those with [`Flags::LATE`].
    pub late_ticks: u64,
    /// Of the native ticks, those with [`Flags::JITTER`].
    pub jitter_ticks: u64,
    /// Whole periods without a tick.
    pub skipped_periods: u64,
    /// Fresh starts, after a gap or a wrong clock.
    pub gaps: u64,
    /// Calls of all kinds with a fault.
    pub faults: u64,
    /// Calls that repeated an action of the policy in place of a new one.
    pub held: u64,
    /// Calls that commanded the safe action.
    pub safe: u64,
    /// Calls that left the buffer as it was.
    pub none: u64,
    /// Largest lateness of a native tick.
    pub max_lateness_ns: u64,
    /// Mean lateness of the native ticks.
    pub mean_lateness_ns: u64,
    /// Largest difference between the period and the time from one native tick to the next.
    pub max_jitter_ns: u64,
    /// Mean of that difference.
    pub mean_jitter_ns: u64,
    /// Calls with [`Flags::OBS_NOVEL`].
    pub novel: u64,
}

/// [`Stats`] in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    stats: Stats,
    lateness_sum_ns: u128,
    jitter_sum_ns: u128,
    intervals: u64,
}

impl Counts {
    pub(super) fn count_tick(&mut self, tick: &Tick) {
        let stats = &mut self.stats;
        if tick.kind == Kind::Native {
            add(&mut stats.native_ticks, 1);
            self.lateness_sum_ns = self.lateness_sum_ns.saturating_add(tick.lateness_ns.into());
            stats.max_lateness_ns = stats.max_lateness_ns.max(tick.lateness_ns);
        }
        add(&mut stats.asked_again, tick.flags.contains(Flags::ASKED_AGAIN).into());
        if let Some(jitter_ns) = tick.jitter_ns {
            add(&mut self.intervals, 1);
            self.jitter_sum_ns = self.jitter_sum_ns.saturating_add(jitter_ns.into());
            stats.max_jitter_ns = stats.max_jitter_ns.max(jitter_ns);
        }
        add(&mut stats.intermediate_ticks, tick.flags.contains(Flags::INTERMEDIATE).into());
        add(&mut stats.late_ticks, tick.flags.contains(Flags::LATE).into());
        add(&mut stats.jitter_ticks, tick.flags.contains(Flags::JITTER).into());
        add(&mut stats.gaps, tick.flags.contains(Flags::GAP).into());
        add(&mut stats.skipped_periods, tick.skipped_periods);
    }

    pub(super) fn count_status(&mut self, status: &Status) {
        add(&mut self.stats.faults, status.flags.is_fault().into());
        add(&mut self.stats.novel, status.flags.contains(Flags::OBS_NOVEL).into());
        match status.source {
            Source::Policy => {}
            Source::Held => add(&mut self.stats.held, 1),
            Source::Safe => add(&mut self.stats.safe, 1),
            Source::None => add(&mut self.stats.none, 1),
        }
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            mean_lateness_ns: mean(self.lateness_sum_ns, self.stats.native_ticks),
            mean_jitter_ns: mean(self.jitter_sum_ns, self.intervals),
            ..self.stats
        }
    }
}

fn add(count: &mut u64, n: u64) {
    *count = count.saturating_add(n);
}

fn mean(sum: u128, n: u64) -> u64 {
    u64::try_from(sum / u128::from(n.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Time;

    fn check(latenesses_ns: &[u64], mean_lateness_ns: u64) {
        let mut counts = Counts::default();
        for lateness_ns in latenesses_ns {
            let (flags, jitter_ns) = (Flags::LATE, Some(*lateness_ns / 2));
            let lateness_ns = *lateness_ns;
            let time = Time { now_ns: 0, elapsed_ns: 0, right: true, flags: Flags::empty() };
            counts.count_tick(&Tick {
                time,
                kind: Kind::Native,
                flags,
                lateness_ns,
                jitter_ns,
                skipped_periods: u64::MAX,
            });
        }
        let stats = counts.stats();
        let n = latenesses_ns.len() as u64;
        assert_eq!((stats.native_ticks, stats.late_ticks, stats.mean_lateness_ns), (n, n, mean_lateness_ns));
        assert_eq!(stats.max_lateness_ns, latenesses_ns.iter().copied().max().unwrap_or(0));
        assert_eq!(stats.skipped_periods, if n > 0 { u64::MAX } else { 0 });
        assert_eq!((stats.mean_jitter_ns, stats.max_jitter_ns), (mean_lateness_ns / 2, stats.max_lateness_ns / 2));
    }

    #[test]
    fn means_do_not_overflow() {
        check(&[], 0);
        check(&[10, 30], 20);
        check(&[u64::MAX - 1, u64::MAX - 1, u64::MAX - 1], u64::MAX - 1);
    }
}
