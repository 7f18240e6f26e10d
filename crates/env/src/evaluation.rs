//! How good a team is, with an interval that says how sure we are.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Error, MultiAgentEnv, Result, TeamPolicy, rollout, seed};

/// Resamples of the bootstrap.
const RESAMPLES: usize = 2000;

/// Returns of several episodes and what they say about the mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The team's return of each episode.
    pub returns: Vec<f64>,
    /// Each episode's number of steps.
    pub lengths: Vec<u32>,
    /// Mean return.
    pub mean: f64,
    /// Standard deviation of the returns (n - 1); 0 for a single episode.
    pub std: f64,
    /// 95 % interval of the mean: percentiles of 2000 bootstrap resamples.
    pub ci95: (f64, f64),
}

impl Evaluation {
    /// From the results of episodes. The bootstrap is drawn from `seed`.
    ///
    /// # Errors
    /// [`Error::NoEpisodes`].
    pub fn from_returns(returns: Vec<f64>, lengths: Vec<u32>, seed: u64) -> Result<Self> {
        if returns.is_empty() {
            return Err(Error::NoEpisodes);
        }
        let n = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / n;
        let squares: f64 = returns.iter().map(|r| (r - mean).powi(2)).sum();
        let std = if returns.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 };
        let ci95 = bootstrap(&returns, seed::bootstrap_seed(seed));
        Ok(Self { returns, lengths, mean, std, ci95 })
    }
}

/// Play `episodes` episodes and summarise them. Episode `i` has the seed [`crate::episode_seed`]`(first_seed, i)`,
/// whatever was played before.
///
/// # Errors
/// As [`rollout`]; [`Error::NoEpisodes`].
///
/// # Determinism
/// Equal arguments give equal results.
pub fn evaluate(
    env: &mut dyn MultiAgentEnv,
    policy: &mut dyn TeamPolicy,
    episodes: u32,
    first_seed: u64,
) -> Result<Evaluation> {
    let (mut returns, mut lengths) = (Vec::new(), Vec::new());
    for i in 0..episodes {
        let result = rollout(env, policy, seed::episode_seed(first_seed, i.into()), &mut |_| Ok(()))?;
        returns.push(result.team_return);
        lengths.push(result.steps);
    }
    Evaluation::from_returns(returns, lengths, first_seed)
}

/// Percentile bootstrap of the mean.
fn bootstrap(values: &[f64], seed: u64) -> (f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || values.get(rng.random_range(0..values.len())).copied().unwrap_or_default();
    let mut mean = || (0..values.len()).map(|_| draw()).sum::<f64>() / values.len() as f64;
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| mean()).collect();
    means.sort_by(f64::total_cmp);
    (percentile(&means, 0.025), percentile(&means, 0.975))
}

/// Of sorted values, interpolated between neighbours.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    match (sorted.get(below), sorted.get(above)) {
        (Some(low), Some(high)) => low + (high - low) * place.fract(),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Quality, behaviour_policy, make_env};

    #[test]
    fn percentiles_interpolate() {
        let values = [0.0, 10.0, 20.0, 30.0];
        let found = [0.0, 0.25, 0.5, 1.0].map(|share| percentile(&values, share));
        assert_eq!(found, [0.0, 7.5, 15.0, 30.0]);
    }

    #[test]
    fn the_summary_is_what_the_returns_say() {
        let e = Evaluation::from_returns(vec![1.0, 2.0, 3.0, 6.0], vec![25; 4], 0).unwrap();
        assert_eq!((e.mean, e.std), (3.0, (14.0_f64 / 3.0).sqrt()));
        assert!(e.ci95.0 >= 1.0 && e.ci95.0 < 3.0 && e.ci95.1 > 3.0 && e.ci95.1 <= 6.0, "{:?}", e.ci95);
        let one = Evaluation::from_returns(vec![4.0], vec![25], 0).unwrap();
        assert_eq!((one.mean, one.std, one.ci95), (4.0, 0.0, (4.0, 4.0)));
        assert!(matches!(Evaluation::from_returns(vec![], vec![], 0), Err(Error::NoEpisodes)));
    }

    #[test]
    fn the_interval_is_as_wide_as_theory_says() {
        let returns: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
        let e = Evaluation::from_returns(returns, vec![], 3).unwrap();
        let expected = 2.0 * 1.96 * e.std / 20.0;
        assert!(((e.ci95.1 - e.ci95.0) / expected - 1.0).abs() < 0.1, "{:?} {expected}", e.ci95);
    }

    #[test]
    fn results_depend_on_the_seed_alone() {
        let mut env = make_env("spread").unwrap();
        let mut policy = behaviour_policy(env.task(), Quality::MediumExpert).unwrap();
        let five = evaluate(&mut *env, &mut *policy, 5, 9).unwrap();
        let ten = evaluate(&mut *env, &mut *policy, 10, 9).unwrap();
        assert_eq!(five.returns, ten.returns[..5]);
        assert_eq!(evaluate(&mut *env, &mut *policy, 10, 9).unwrap(), ten);
        assert_ne!(evaluate(&mut *env, &mut *policy, 10, 10).unwrap().returns, ten.returns);
        assert_eq!(ten.lengths, [25; 10]);
    }
}
