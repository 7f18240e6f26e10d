//! What returns say, and how sure that is: one method for every table.
//!
//! - [`interval`]: of the mean of independent values, few or many; [`rate_interval`]: of how often something happens.
//! - [`over_runs`] and [`difference`]: of an algorithm's mean over training seeds and episodes, and of the difference of two.
//! - [`welch()`] and [`holm()`]: is a difference of runs beyond chance, and is it when it is one of many.
//! - [`spearman`] and [`regret`]: how well a score chooses among policies.
//! - [`iqm`], [`probability_of_improvement`], [`performance_profile`] and [`stratified_bootstrap`]: over several tasks, as rliable
//!   defines them.
//!
//! An interval covers the truth in 95 % of all repetitions; where that cannot be had, its documentation says what is. The
//! difference of two policies on the same episodes is [`interval`] of the episodes' differences.

mod holm;
mod mean;
mod ranks;
mod rate;
mod runs;
mod scores;
mod student;
mod welch;

pub use holm::holm;
pub use mean::{interval, mean, std};
pub use ranks::{regret, spearman};
pub use rate::rate_interval;
pub use runs::{difference, over_runs};
pub use scores::{iqm, performance_profile, probability_of_improvement, stratified_bootstrap};
pub use welch::{Welch, welch};

/// Lower and upper end.
pub type Interval = (f64, f64);

/// A mean and what is known about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// 95 % interval; nothing if only one value was seen.
    pub ci95: Option<Interval>,
    /// Runs behind it; with one the interval is over its episodes alone.
    pub runs: usize,
}

impl Estimate {
    /// Is it different from 0 beyond chance: does the interval leave 0 out?
    pub fn differs(&self) -> bool {
        self.ci95.is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// How often an interval holds the truth.
    pub(super) fn coverage(trials: u32, truth: f64, mut interval: impl FnMut() -> Option<Interval>) -> f64 {
        let holds = |found: Option<Interval>| found.is_some_and(|(low, high)| low <= truth && truth <= high);
        let covered = (0..trials).filter(|_| holds(interval())).count();
        covered as f64 / f64::from(trials)
    }

    /// Standard normal values (Box and Muller).
    pub(super) fn normal(n: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let mut value = || {
            let (a, b): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
            (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
        };
        (0..n).map(|_| value()).collect()
    }

    /// A robot that mostly falls early: 500 in 85 %, 3000 in 15 % of the episodes; mean 875.
    pub(super) fn two_kinds(n: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
        (0..n).map(|_| if rng.random::<f64>() < 0.15 { 3000.0 } else { 500.0 }).collect()
    }

    #[test]
    fn beyond_chance_is_an_interval_without_zero() {
        let with = |ci95| Estimate { mean: 1.0, ci95, runs: 2 };
        assert!(with(Some((0.1, 2.0))).differs() && with(Some((-2.0, -0.1))).differs());
        assert!(!with(Some((-0.1, 2.0))).differs() && !with(None).differs());
    }
}
