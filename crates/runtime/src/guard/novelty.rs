//! Is the observation one that the policy can have learned from?

use alloc::vec::Vec;

use omiga_format::Novelty;

use crate::recorder::Snapshot;
use crate::{Flags, Status};

/// Looks at observations as a contract's detector says, and remembers which of the last ones were unusual.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// So many unusual ones of so many make a report.
    debounce: (u32, u32),
    /// A bit for each of the last observations: was it unusual? The newest is the lowest.
    recent: u64,
    /// Room for a distance.
    white: Vec<f32>,
}

impl Watch {
    /// Longest memory of a debounce.
    pub(super) const LONGEST: u32 = u64::BITS;

    /// `debounce` was checked: 1 to its second number, which is at most [`Self::LONGEST`].
    pub(super) fn new(detector: &Novelty, debounce: (u32, u32)) -> Self {
        let compared = detector.mahalanobis.as_ref().map_or(0, |distance| distance.fields.len());
        Self { debounce, recent: 0, white: vec![0.0; compared] }
    }

    /// What belongs to a snapshot.
    pub(super) fn exchange(&mut self, snapshot: &mut Snapshot<'_>) {
        // The room is written before it is read.
        let Self { debounce: _, recent, white: _ } = self;
        snapshot.u64(recent);
    }

    pub(super) fn reset(&mut self) {
        self.recent = 0;
    }

    /// Look at a finite observation `[O]`. One that is not `new` counts together with the one before.
    pub(super) fn see(&mut self, detector: &Novelty, values: &[f32], new: bool, status: &mut Status) {
        let outside = detector.first_outside(values);
        let unusual = outside.is_some()
            || detector.mahalanobis.as_ref().is_some_and(|d| d.is_unusual(d.distance(values, &mut self.white)));
        self.recent = self.recent << u32::from(new) | u64::from(unusual);
        let (k, n) = self.debounce;
        let looked_at = u64::MAX >> Self::LONGEST.saturating_sub(n).min(Self::LONGEST - 1);
        if (self.recent & looked_at).count_ones() >= k {
            match outside {
                Some(index) => status.note(Flags::OBS_NOVEL, index),
                None => status.flags |= Flags::OBS_NOVEL,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use omiga_format::Range;

    use super::*;

    /// Observations: usual, unusual, or the same again; is there a report after each?
    fn check(debounce: (u32, u32), steps: &str, reports: &str) {
        let detector = Novelty { usual: vec![Range::new(-1.0, 1.0)], widening: 0.1, mahalanobis: None };
        let mut watch = Watch::new(&detector, debounce);
        let mut found = String::new();
        for step in steps.chars() {
            let mut status = Status::default();
            let value = if step.eq_ignore_ascii_case(&'u') { 2.0 } else { 0.0 };
            watch.see(&detector, &[value], step.is_ascii_lowercase(), &mut status);
            found.push(if status.flags.contains(Flags::OBS_NOVEL) { 'x' } else { '.' });
            assert_eq!(status.index == 0, status.flags.contains(Flags::OBS_NOVEL) && value > 1.0);
        }
        assert_eq!(found, reports, "{steps}");
    }

    #[test]
    fn k_of_the_last_n_make_a_report() {
        check((1, 1), "gugug", ".x.x.");
        check((2, 3), "uguggguu", "..x....x");
        check((3, 3), "uuguuug", ".....x.");
        check((1, 3), "ugggu", "xxx.x");
        // Capitals: the same observation again. It counts once, and as unusual if it ever was.
        check((2, 3), "uUUUu", "....x");
        check((1, 1), "gUGg", ".xx.");
        let long = "u".repeat(64);
        check((64, 64), &long, &format!("{}x", ".".repeat(63)));
    }
}
