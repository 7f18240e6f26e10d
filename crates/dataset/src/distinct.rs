//! Seeded choices without repetition.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `k` different numbers below `n` (or all, if there are fewer), by Floyd's algorithm: k draws, all distinct.
pub(crate) fn distinct(n: usize, k: usize, seed: u64) -> BTreeSet<usize> {
    let (mut rng, mut chosen) = (ChaCha8Rng::seed_from_u64(seed), BTreeSet::new());
    for last in n.saturating_sub(k)..n {
        let candidate = rng.random_range(0..=last as u64) as usize;
        if !chosen.insert(candidate) {
            chosen.insert(last);
        }
    }
    chosen
}
