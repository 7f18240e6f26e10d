//! Seeded batches.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Dataset, HostBatch, Result};

/// Words of the random stream that one draw takes; fixed, so that any draw can be jumped to.
const WORDS_PER_DRAW: u128 = 2;

/// Draws transitions uniformly, with replacement.
///
/// # Determinism
/// The n-th draw depends on the seed, the stream, n and the number of transitions alone: not on batch sizes, machine
/// or threads. [`Sampler::resume`] continues bit for bit in constant time.
#[derive(Clone, Debug)]
pub struct Sampler {
    rng: ChaCha8Rng,
    transitions: u64,
    draws: u64,
}

impl Sampler {
    /// A sampler over `transitions` of them, at its first draw. Different streams of one seed are independent.
    pub fn new(transitions: usize, seed: u64, stream: u64) -> Self {
        Self::resume(transitions, seed, stream, 0)
    }

    /// The sampler of [`Sampler::new`] after `draws` draws.
    pub fn resume(transitions: usize, seed: u64, stream: u64, draws: u64) -> Self {
        // The key is the seed as it is: no expansion that another version of a library could change.
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        rng.set_word_pos(u128::from(draws) * WORDS_PER_DRAW);
        Self { rng, transitions: transitions as u64, draws }
    }

    /// Transitions drawn so far (a batch is as many draws as it is large).
    pub fn draws(&self) -> u64 {
        self.draws
    }

    /// The next transition's index. Off from uniform by less than `transitions` / 2^64.
    pub fn draw(&mut self) -> usize {
        self.draws += 1;
        ((u128::from(self.rng.next_u64()) * u128::from(self.transitions)) >> 64) as usize
    }

    /// Draw as many transitions as the batch holds and copy them into it. Allocates nothing.
    ///
    /// # Errors
    /// [`crate::Error::Scratch`] when rows are on disk and cannot be read; the draws count as made.
    ///
    /// # Panics
    /// When sampler or batch were made for another dataset.
    pub fn fill(&mut self, dataset: &Dataset, batch: &mut HostBatch) -> Result<()> {
        for slot in 0..batch.size {
            let transition = self.draw();
            batch.set(slot, dataset, transition)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(sampler: &mut Sampler, n: usize) -> Vec<usize> {
        (0..n).map(|_| sampler.draw()).collect()
    }

    #[test]
    fn draws_are_uniform() {
        let (bins, n) = (50, 100_000);
        let mut counts = vec![0.0; bins];
        draws(&mut Sampler::new(bins, 1, 0), n).into_iter().for_each(|i| counts[i] += 1.0);
        let expected = (n / bins) as f64;
        let chi2: f64 = counts.iter().map(|c: &f64| (c - expected).powi(2) / expected).sum();
        // 49 degrees of freedom: 99.99 % of fair samplers are below 94.
        assert!(chi2 < 94.0, "{chi2}");
    }

    #[test]
    fn resumes_bit_for_bit() {
        for at in [0, 1, 7, 8, 9, 1000] {
            let mut whole = Sampler::new(1_000_003, 5, 2);
            draws(&mut whole, at);
            let mut resumed = Sampler::resume(1_000_003, 5, 2, at as u64);
            assert_eq!((resumed.draws(), draws(&mut resumed, 40)), (whole.draws(), draws(&mut whole, 40)));
        }
        // Far beyond anything that could be replayed.
        let mut far = Sampler::resume(10, 5, 2, 1 << 50);
        assert!(draws(&mut far, 10).iter().all(|i| *i < 10) && far.draws() == (1 << 50) + 10);
    }

    #[test]
    fn seeds_and_streams_differ() {
        let of = |seed, stream| draws(&mut Sampler::new(1 << 40, seed, stream), 4);
        assert_ne!(of(1, 0), of(2, 0));
        assert_ne!(of(1, 0), of(1, 1));
        // From a separate implementation of ChaCha8. A change here would change every training run.
        assert_eq!(draws(&mut Sampler::new(1000, 1, 0), 4), [381, 294, 798, 916]);
    }
}
