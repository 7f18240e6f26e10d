//! When the policy may act again after a fault.

use crate::recorder::Snapshot;

/// Shut by a fault for which the safe action or nothing was commanded.
#[derive(Clone, Debug)]
pub(super) struct Latch {
    /// Only somebody can open it.
    pub(super) by_hand: bool,
    /// Good samples in a row that open it.
    pub(super) samples: u32,
    shut: bool,
    /// Nobody has opened it yet.
    untold: bool,
    good: u32,
}

impl Latch {
    pub(super) fn new(by_hand: bool, samples: u32) -> Self {
        Self { by_hand, samples, shut: false, untold: false, good: 0 }
    }

    /// What belongs to a snapshot.
    pub(super) fn exchange(&mut self, snapshot: &mut Snapshot<'_>) {
        let Self { by_hand: _, samples: _, shut, untold, good } = self;
        snapshot.bool(shut);
        snapshot.bool(untold);
        snapshot.u32(good);
    }

    pub(super) fn reset(&mut self) {
        (self.shut, self.untold, self.good) = (false, false, 0);
    }

    /// The policy lost the command.
    pub(super) fn shut(&mut self) {
        (self.shut, self.untold) = (true, self.by_hand);
    }

    /// Is somebody to say that the policy may act again?
    pub(super) fn waits(&self) -> bool {
        self.untold
    }

    /// Somebody says that the policy may act.
    pub(super) fn tell(&mut self) {
        self.untold = false;
    }

    /// A sample has a fault.
    pub(super) fn bad(&mut self) {
        self.good = 0;
    }

    /// A sample, perhaps one that was counted before, has no fault: is the policy still shut out?
    pub(super) fn is_shut_for(&mut self, new: bool) -> bool {
        if self.shut {
            self.good = self.good.saturating_add((new || self.good == 0).into());
            self.shut = self.untold || self.good < self.samples;
        }
        self.shut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps: a fault, a good new sample, the same again, somebody; is it shut after each sample?
    fn check(by_hand: bool, samples: u32, steps: &str, shut: &str) {
        let mut latch = Latch::new(by_hand, samples);
        let mut found = String::new();
        for step in steps.chars() {
            match step {
                'f' => {
                    latch.bad();
                    latch.shut();
                }
                't' => latch.tell(),
                _ => found.push(if latch.is_shut_for(step == 'g') { 'x' } else { '.' }),
            }
        }
        assert_eq!(found, shut, "{steps}");
    }

    #[test]
    fn the_policy_is_shut_out_until_all_is_well() {
        check(false, 0, "gfgfs", "...");
        check(false, 1, "gfgfs", "...");
        check(false, 3, "gfgggg", ".xx..");
        check(false, 3, "fgsssgsg", "xxxxxx.");
        check(false, 3, "fggfggg", "xxxx.");
        check(true, 1, "gfgggtg", ".xxx.");
        check(true, 3, "ftgggfggtg", "xx.xx.");
        // Told while it is bad does not count.
        check(true, 1, "ftfgtg", "x.");
    }
}
