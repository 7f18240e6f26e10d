//! What is left to chance in a battle.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Chance: drawn, or replayed in tests.
pub trait Draws {
    /// Seconds, in [-1/16, 1/8), that a shot's cooldown takes longer.
    fn cooldown_noise(&mut self, world_step: usize, unit: usize) -> f32;

    /// Which of the `visible` allies, in the order in which an enemy lists them, this enemy walks to.
    fn goal(&mut self, enemy: usize, visible: usize) -> usize;
}

impl Draws for ChaCha8Rng {
    fn cooldown_noise(&mut self, _world_step: usize, _unit: usize) -> f32 {
        (self.random::<f32>() * 3.0 - 1.0) / 16.0
    }

    fn goal(&mut self, _enemy: usize, visible: usize) -> usize {
        self.random_range(0..visible)
    }
}
