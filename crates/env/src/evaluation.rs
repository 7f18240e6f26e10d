//! How good a team is, with an interval that says how sure we are.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, ScopedJoinHandle};

use omiga_format::{Measured, Metric};

use crate::statistics::{self, Interval};
use crate::{EpisodeResult, Error, MultiAgentEnv, Result, TeamPolicy, rollout, seed};

/// Returns of several episodes and what they say about the mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The team's return of each episode.
    pub returns: Vec<f64>,
    /// Each episode's number of steps.
    pub lengths: Vec<u32>,
    /// Episodes whose simulation diverged, which ended them.
    pub diverged: u32,
    /// Mean return.
    pub mean: f64,
    /// Standard deviation of the returns (n - 1); 0 for a single episode.
    pub std: f64,
    /// 95 % interval of the mean ([`statistics::interval`]); nothing for a single episode.
    pub ci95: Option<Interval>,
    /// What the episodes are judged by beside their returns, if the environment says so; the values in the order of the episodes.
    pub metrics: Vec<Measured>,
}

impl Evaluation {
    /// From the results of episodes of an environment with these metrics ([`MultiAgentEnv::metrics`]).
    ///
    /// # Errors
    /// [`Error::NoEpisodes`].
    pub fn of(episodes: &[EpisodeResult], metrics: &[Metric]) -> Result<Self> {
        if episodes.is_empty() {
            return Err(Error::NoEpisodes);
        }
        let returns: Vec<f64> = episodes.iter().map(|e| e.team_return).collect();
        let diverged = episodes.iter().map(|e| u32::from(e.diverged)).sum();
        let (mean, std) = (statistics::mean(&returns), statistics::std(&returns).unwrap_or(0.0));
        let ci95 = statistics::interval(&returns);
        let lengths = episodes.iter().map(|e| e.steps).collect();
        let metrics = metrics.iter().enumerate().map(|(i, metric)| measured(metric, i, episodes)).collect();
        Ok(Self { lengths, diverged, mean, std, ci95, metrics, returns })
    }

    /// Mean number of steps.
    pub fn length_mean(&self) -> f64 {
        self.lengths.iter().map(|steps| f64::from(*steps)).sum::<f64>() / self.lengths.len() as f64
    }
}

/// What the episodes had of metric `index`.
fn measured(metric: &Metric, index: usize, episodes: &[EpisodeResult]) -> Measured {
    let values: Vec<f64> = episodes.iter().filter_map(|e| e.metrics.get(index).copied()).collect();
    let (mean, ci95) = (statistics::mean(&values), statistics::rate_interval(&values));
    Measured { metric: metric.clone(), mean, ci95, values }
}

/// Who plays on one thread.
pub struct Player {
    /// The environment.
    pub env: Box<dyn MultiAgentEnv>,
    /// The team in it.
    pub policy: Box<dyn TeamPolicy>,
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
    let play = |i: u32| rollout(env, policy, seed::episode_seed(first_seed, i.into()), &mut |_| Ok(()));
    let played = (0..episodes).map(play).collect::<Result<Vec<_>>>()?;
    Evaluation::of(&played, env.metrics())
}

/// As [`evaluate`], on one thread a player; `seen` is called after every episode, on that thread.
///
/// # Errors
/// As [`evaluate`], that of the first episode that has one; [`Error::NoEpisodes`] also without players.
///
/// # Determinism
/// If all players are made alike, no number depends on how many there are.
pub fn evaluate_on(
    players: &mut [Player],
    episodes: u32,
    first_seed: u64,
    seen: &(dyn Fn() + Sync),
) -> Result<Evaluation> {
    let next = AtomicU32::new(0);
    let play = |player: &mut Player| {
        let mut played = Vec::new();
        loop {
            // At most `players` beyond the end.
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= episodes {
                return played;
            }
            let seed = seed::episode_seed(first_seed, i.into());
            let result = rollout(&mut *player.env, &mut *player.policy, seed, &mut |_| Ok(()));
            if result.is_err() {
                // Earlier episodes are being played already, later ones need not be.
                next.fetch_max(episodes, Ordering::Relaxed);
            }
            played.push((i, result));
            seen();
        }
    };
    let mut played = thread::scope(|scope| {
        let threads: Vec<_> = players.iter_mut().map(|player| scope.spawn(|| play(player))).collect();
        let join = |thread: ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        threads.into_iter().flat_map(join).collect::<Vec<_>>()
    });
    played.sort_by_key(|(i, _)| *i);
    let played = played.into_iter().map(|(_, result)| result).collect::<Result<Vec<_>>>()?;
    Evaluation::of(&played, players.first().map_or(&[], |player| player.env.metrics()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Quality, behaviour_policy, make_env};

    fn played(returns: &[f64]) -> Vec<EpisodeResult> {
        let episode = |team_return: &f64| EpisodeResult { team_return: *team_return, steps: 25, ..Default::default() };
        returns.iter().map(episode).collect()
    }

    #[test]
    fn the_summary_is_what_the_returns_say() {
        let mut episodes = played(&[1.0, 2.0, 3.0, 6.0]);
        (episodes[1].diverged, episodes[1].steps) = (true, 5);
        let e = Evaluation::of(&episodes, &[]).unwrap();
        assert_eq!((e.mean, e.std, e.diverged), (3.0, (14.0_f64 / 3.0).sqrt(), 1));
        assert_eq!((e.length_mean(), e.ci95), (20.0, statistics::interval(&e.returns)));
        let one = Evaluation::of(&played(&[4.0]), &[]).unwrap();
        assert_eq!((one.mean, one.std, one.ci95), (4.0, 0.0, None));
        assert!(matches!(Evaluation::of(&[], &[]), Err(Error::NoEpisodes)));
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

    #[test]
    fn no_number_depends_on_the_threads() {
        let player = || {
            let env = make_env("spread").unwrap();
            Player { policy: behaviour_policy(env.task(), Quality::MediumExpert).unwrap(), env }
        };
        let alone = player();
        let (mut env, mut policy) = (alone.env, alone.policy);
        let expected = evaluate(&mut *env, &mut *policy, 10, 9).unwrap();
        for threads in [1, 3, 16] {
            let seen = AtomicU32::new(0);
            let mut players: Vec<Player> = (0..threads).map(|_| player()).collect();
            let count = || {
                seen.fetch_add(1, Ordering::Relaxed);
            };
            assert_eq!(evaluate_on(&mut players, 10, 9, &count).unwrap(), expected, "{threads}");
            assert_eq!(seen.into_inner(), 10);
        }
        assert!(matches!(evaluate_on(&mut [], 10, 9, &|| ()), Err(Error::NoEpisodes)));
        // A policy that refuses ends all of it.
        let mut wrong = [player(), player()];
        wrong.iter_mut().for_each(|player| player.env = make_env("spread-discrete").unwrap());
        assert!(matches!(evaluate_on(&mut wrong, 10, 9, &|| ()), Err(Error::ActionKind { .. })));
    }
}
