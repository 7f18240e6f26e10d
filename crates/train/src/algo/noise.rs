//! Gaussian noise of a run's updates.

use std::f64::consts::TAU;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Stream of the run's seed; networks and sampler have others.
const NOISE_STREAM: u64 = 3;
/// Words of the stream that two numbers take.
const WORDS_PER_PAIR: u128 = 4;

/// Standard normal numbers that depend on the run's seed and the update alone, so that a run can go on anywhere.
#[derive(Clone, Debug)]
pub struct Noise {
    seed: u64,
}

impl Noise {
    /// Of the run with this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The run's seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// `count` numbers for update number `step`, which always asks for so many (Box and Muller 1958).
    pub fn draw(&self, step: u64, count: usize) -> Vec<f64> {
        // The key is the seed as it is, as of the sampler.
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(NOISE_STREAM);
        let pairs = count.div_ceil(2);
        rng.set_word_pos(u128::from(step) * pairs as u128 * WORDS_PER_PAIR);
        // The middle of one of 2^53 parts of (0, 1).
        let mut uniform = || ((rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        let mut numbers = Vec::with_capacity(2 * pairs);
        for _ in 0..pairs {
            let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), TAU * uniform());
            numbers.extend([radius * angle.cos(), radius * angle.sin()]);
        }
        numbers.truncate(count);
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_standard_normal() {
        let numbers = Noise::new(1).draw(7, 100_000);
        let moment = |k: i32| numbers.iter().map(|x| x.powi(k)).sum::<f64>() / numbers.len() as f64;
        // Five standard errors: of the mean 0.0032, the variance 0.0045, the fourth moment 0.031.
        assert!(moment(1).abs() < 0.016 && (moment(2) - 1.0).abs() < 0.023, "{} {}", moment(1), moment(2));
        assert!((moment(4) - 3.0).abs() < 0.16, "{}", moment(4));
        let pairs: f64 = numbers.chunks_exact(2).map(|p| p[0] * p[1]).sum::<f64>() / 50_000.0;
        assert!(pairs.abs() < 0.023, "{pairs}");
    }

    #[test]
    fn updates_and_seeds_differ() {
        let draw = |seed, step| Noise::new(seed).draw(step, 5);
        assert_eq!(draw(0, 3), draw(0, 3));
        assert_ne!(draw(0, 3), draw(0, 4));
        assert_ne!(draw(0, 3), draw(1, 3));
        // One after the other in one stream: an odd count leaves its last half pair out.
        assert_eq!(Noise::new(0).draw(1, 6)[..5], draw(0, 1));
    }
}
