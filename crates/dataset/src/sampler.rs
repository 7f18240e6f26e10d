//! Seeded batches.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Result;
use crate::batch::{HostBatch, Room};
use crate::dataset::Dataset;

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

impl HostBatch {
    /// A batch of `size` transitions for this dataset, all zero.
    pub fn new(dataset: &Dataset, size: usize) -> Self {
        let (n, a) = (dataset.n_agents(), dataset.action_dim());
        let obs = size * n * dataset.obs_dim();
        let state = if dataset.shares_state() { 0 } else { size * dataset.state_dim() };
        let (actions, indices) = if dataset.is_discrete() { (0, size * n) } else { (size * n * a, 0) };
        let alive = vec![0; if dataset.has_alive() { size * n } else { 0 }];
        Self {
            size,
            obs: vec![0.0; obs],
            next_obs: vec![0.0; obs],
            state: vec![0.0; state],
            next_state: vec![0.0; state],
            actions: vec![0.0; actions],
            next_actions: vec![0.0; actions],
            action_indices: vec![0; indices],
            rewards: vec![0.0; size],
            bootstrap: vec![0.0; size],
            action_mask: vec![0; if dataset.has_action_mask() { size * n * a } else { 0 }],
            next_alive: alive.clone(),
            alive,
            room: Room::default(),
        }
    }

    /// Copy transition `transition` of `dataset` into place `slot`.
    ///
    /// # Errors
    /// [`crate::Error::Scratch`] when rows are on disk and cannot be read.
    ///
    /// # Panics
    /// When there is no such transition or slot, or the batch was made for another dataset.
    pub fn set(&mut self, slot: usize, dataset: &Dataset, transition: usize) -> Result<()> {
        let row = dataset.row_of(transition);
        let next = dataset.transitions.get(transition + 1);
        self.copy(slot, dataset, row, next.is_none_or(|next| *next as usize != row + 1))
    }

    /// Copy the step in `row` of `dataset` into place `slot`, whether it is learned from or held out (then its next actions
    /// are its own).
    ///
    /// # Errors
    /// As [`Self::set`].
    ///
    /// # Panics
    /// When there is no such slot, `row` or row after it, or the batch was made for another dataset.
    pub fn set_row(&mut self, slot: usize, dataset: &Dataset, row: usize) -> Result<()> {
        let is_next = |step: &u32| (*step as usize).cmp(&(row + 1));
        self.copy(slot, dataset, row, dataset.transitions.binary_search_by(is_next).is_err())
    }

    /// `last`: is no step of its episode learned from after it?
    fn copy(&mut self, slot: usize, dataset: &Dataset, row: usize, last: bool) -> Result<()> {
        self.rewards[slot] = dataset.rewards[row];
        self.bootstrap[slot] = f32::from(1 - dataset.stops[row + 1]);
        dataset.rows.copy(&dataset.about.widths, &dataset.about.obs, row, last, slot, self)
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
