//! Which episodes each head learns from, and how often.

use omiga_dataset::Dataset;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Stream of the seed.
const STREAM: u64 = 3;

/// Counts of every episode that is learned from: as if episodes had been drawn anew for each head.
#[derive(Debug)]
pub struct Bootstrap {
    /// First row of each episode, ascending.
    firsts: Vec<usize>,
    /// [episodes, K].
    counts: Vec<f32>,
    heads: usize,
    /// Of rows behind the last complete episode.
    once: Vec<f32>,
}

impl Bootstrap {
    pub fn new(dataset: &Dataset, heads: usize, seed: u64) -> Self {
        let firsts: Vec<_> = dataset.learned_from().iter().map(|episode| episode.first).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(STREAM);
        let counts = (0..firsts.len() * heads).map(|_| poisson(rng.random())).collect();
        Self { firsts, counts, heads, once: vec![1.0; heads] }
    }

    /// How often each head learns from a row, `[K]`.
    pub fn of_row(&self, row: usize) -> &[f32] {
        let episode = self.firsts.partition_point(|first| *first <= row);
        let place = episode.checked_sub(1).map(|episode| episode * self.heads);
        place.and_then(|at| self.counts.get(at..at + self.heads)).unwrap_or(&self.once)
    }
}

/// The count of a Poisson variable with mean 1, from a uniform number in [0, 1).
fn poisson(uniform: f64) -> f32 {
    let (mut k, mut probability, mut below) = (0.0, (-1.0_f64).exp(), (-1.0_f64).exp());
    while uniform >= below && k < 20.0 {
        k += 1.0;
        probability /= k;
        below += probability;
    }
    k as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_poissons() {
        // Its distribution function at 0, 1, 2: 0.3679, 0.7358, 0.9197.
        for (uniform, expected) in [(0.0, 0.0), (0.36, 0.0), (0.37, 1.0), (0.73, 1.0), (0.74, 2.0), (0.93, 3.0)] {
            assert_eq!(poisson(uniform), expected, "{uniform}");
        }
        assert!(poisson(1.0 - 1e-17) <= 20.0);
    }
}
