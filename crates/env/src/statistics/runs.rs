//! What several runs (training seeds) say about an algorithm, each having played several episodes.

use super::mean::{interval, mean, std};
use super::student::t95;
use super::{Estimate, Interval};

/// The mean return of an algorithm over runs and episodes: `runs[s][e]` is the return of run `s` in episode `e`, the same
/// episodes for every run.
///
/// Two things vary: which runs one happens to have, and which episodes. Both are in the interval. With S runs, E episodes and the
/// variances of the mean that come of the runs' means, `A = var(runs) / S`, of the episodes' means, `B = var(episodes) / E`, and of
/// what is left, `R = var(rest) / (S E)`, its half width is
///
/// ```text
/// sqrt(t(S - 1)^2 A + t(E - 1)^2 max(B - R, 0))
/// ```
///
/// with Student's quantiles t: the two half widths, added as variances are (Howe 1974, J. Am. Stat. Assoc. 69). It covers at least
/// 94 %, from two runs on, whichever source is the larger. A bootstrap that resamples runs and episodes covers 57 % with 2 runs
/// that differ, 76 % with 3 and 80 % with 5, because resampled runs vary less than runs do.
///
/// One run says nothing about others: the interval is then that of its episodes, and [`Estimate::runs`] is 1. Runs of a single
/// value, or of different numbers of values, are taken as one value each (their mean).
pub fn over_runs(runs: &[Vec<f64>]) -> Estimate {
    let [run] = runs else {
        let Sources { mean, runs: from_runs, episodes } = Sources::of(runs);
        return Estimate { mean, ci95: Some(around(mean, &[from_runs, episodes])), runs: runs.len() };
    };
    Estimate { mean: mean(run), ci95: interval(run), runs: 1 }
}

/// How much better `ours` is than `theirs`, as [`over_runs`]; the same episodes for all.
///
/// `paired`: run `s` of both belong together (the same seed), so that their differences are what varies. Otherwise the runs of
/// each vary on their own. Episodes are paired either way; if the numbers of values differ, each run's mean is taken. If one of the
/// two is a single run, only episodes vary.
pub fn difference(ours: &[Vec<f64>], theirs: &[Vec<f64>], paired: bool) -> Estimate {
    let episodes = ours.first().map_or(0, Vec::len);
    if ours.iter().chain(theirs).any(|run| run.len() != episodes) {
        // Not the same episodes: what is left are the runs' means.
        let means = |runs: &[Vec<f64>]| runs.iter().map(|run| vec![mean(run)]).collect::<Vec<_>>();
        return difference(&means(ours), &means(theirs), paired);
    }
    if paired && ours.len() == theirs.len() {
        let pairs = ours.iter().zip(theirs);
        return over_runs(&pairs.map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect::<Vec<_>>());
    }
    let (a, b) = (Sources::of(ours), Sources::of(theirs));
    let runs = ours.len().min(theirs.len());
    let differences: Vec<f64> = by_episode(ours).iter().zip(by_episode(theirs)).map(|(a, b)| a - b).collect();
    if runs == 1 {
        return Estimate { mean: a.mean - b.mean, ci95: interval(&differences), runs };
    }
    let rest = residual(ours) + residual(theirs);
    let episodes = Source::of(&differences).less(rest);
    let mean = a.mean - b.mean;
    Estimate { mean, ci95: Some(around(mean, &[a.runs, b.runs, episodes])), runs }
}

/// A variance of the mean, and Student's quantile that belongs to it.
#[derive(Clone, Copy)]
struct Source {
    variance: f64,
    t: f64,
}

impl Source {
    /// Of values that are drawn anew each time; nothing varies if there is one.
    fn of(values: &[f64]) -> Self {
        let variance = std(values).map_or(0.0, |s| s * s / values.len() as f64);
        Self { variance, t: t95(values.len().saturating_sub(1)) }
    }

    fn less(self, rest: f64) -> Self {
        Self { variance: (self.variance - rest).max(0.0), ..self }
    }
}

struct Sources {
    mean: f64,
    runs: Source,
    episodes: Source,
}

impl Sources {
    fn of(runs: &[Vec<f64>]) -> Self {
        let means: Vec<f64> = runs.iter().map(|run| mean(run)).collect();
        let episodes = Source::of(&by_episode(runs)).less(residual(runs));
        Self { mean: mean(&means), runs: Source::of(&means), episodes }
    }
}

/// Mean over runs of every episode; nothing if they did not play equally many.
fn by_episode(runs: &[Vec<f64>]) -> Vec<f64> {
    let episodes = runs.first().map_or(0, Vec::len);
    if runs.iter().any(|run| run.len() != episodes) {
        return Vec::new();
    }
    (0..episodes).map(|e| runs.iter().map(|run| run[e]).sum::<f64>() / runs.len() as f64).collect()
}

/// Variance of the mean that neither runs nor episodes explain.
fn residual(runs: &[Vec<f64>]) -> f64 {
    let episodes = by_episode(runs);
    let (s, e) = (runs.len() as f64, episodes.len() as f64);
    if runs.len() < 2 || episodes.len() < 2 {
        return 0.0;
    }
    let all = mean(&episodes);
    let of_run = |run: &Vec<f64>| {
        let own = mean(run);
        run.iter().zip(&episodes).map(|(x, episode)| (x - own - episode + all).powi(2)).sum::<f64>()
    };
    runs.iter().map(of_run).sum::<f64>() / ((s - 1.0) * (e - 1.0)) / (s * e)
}

fn around(mean: f64, sources: &[Source]) -> Interval {
    let half = sources.iter().map(|source| source.t.powi(2) * source.variance).sum::<f64>().sqrt();
    (mean - half, mean + half)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::tests::{coverage, normal, two_kinds};
    use super::*;

    /// Runs around `shift` whose means, common episodes and remainders deviate by so much.
    fn runs(s: usize, e: usize, (of_run, of_episode): (f64, f64), rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
        let episodes = normal(e, rng);
        let level = normal(s, rng);
        let run = |level: &f64| {
            let rest = normal(e, rng);
            episodes.iter().zip(rest).map(|(x, rest)| of_run * level + of_episode * x + rest).collect()
        };
        level.iter().map(run).collect()
    }

    #[test]
    fn both_sources_are_covered_from_two_runs_on() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for (s, e) in [(2, 100), (3, 10), (5, 100), (10, 10)] {
            // Runs differ; episodes differ; both; neither.
            for kinds in [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0)] {
                let covered = coverage(1000, 0.0, || over_runs(&runs(s, e, kinds, &mut rng)).ci95);
                assert!(covered > 0.93, "{s} runs of {e} episodes, {kinds:?}: {covered}");
                let paired = s % 2 == 1;
                let more = s + usize::from(!paired);
                let two = |rng: &mut ChaCha8Rng| {
                    let all = runs(s + more, e, kinds, rng);
                    difference(&all[..s], &all[s..], paired).ci95
                };
                let covered = coverage(1000, 0.0, || two(&mut rng));
                assert!(covered > 0.93, "difference of {s} and {more} runs of {e} episodes, {kinds:?}: {covered}");
            }
        }
    }

    /// Runs that came out as one of two kinds, as a training that sometimes collapses: 5 runs reach what 5 values can.
    #[test]
    fn runs_that_collapse() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let draw = |rng: &mut ChaCha8Rng| two_kinds(5, rng).into_iter().map(|x| vec![x]).collect::<Vec<_>>();
        let covered = coverage(2000, 875.0, || over_runs(&draw(&mut rng)).ci95);
        assert!((0.5..0.6).contains(&covered), "{covered}, possible {}", 1.0 - 0.85_f64.powi(5));
    }

    #[test]
    fn by_hand() {
        // Means 2 and 4 (A = 1), episodes 2 and 4 (B = 1), nothing left (R = 0): 12.7062^2 * (1 + 1).
        let found = over_runs(&[vec![1.0, 3.0], vec![3.0, 5.0]]);
        let (low, high) = found.ci95.unwrap();
        let half = 12.706204736174694 * 2.0_f64.sqrt();
        assert_eq!((found.mean, found.runs), (3.0, 2));
        assert!((low - 3.0 + half).abs() < 1e-7 && (high - 3.0 - half).abs() < 1e-7, "{found:?}");
        // One run: its episodes alone, as of any values.
        let one = over_runs(&[vec![1.0, 2.0, 3.0, 6.0]]);
        assert_eq!((one.mean, one.ci95, one.runs), (3.0, interval(&[1.0, 2.0, 3.0, 6.0]), 1));
        assert_eq!(over_runs(&[vec![4.0]]).ci95, None);
        // One value a run is Student's interval of these.
        let (low, high) = over_runs(&[vec![1.0], vec![3.0]]).ci95.unwrap();
        assert!((low - (2.0 - 12.706204736174694)).abs() < 1e-7 && (high - 14.706204736174694).abs() < 1e-7);
    }

    /// What all share is no difference.
    #[test]
    fn pairs_cancel_what_they_share() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let ours = runs(3, 20, (1.0, 5.0), &mut rng);
        let theirs: Vec<Vec<f64>> = ours.iter().map(|run| run.iter().map(|x| x - 0.5).collect()).collect();
        let paired = difference(&ours, &theirs, true);
        let (low, high) = paired.ci95.unwrap();
        assert!((paired.mean - 0.5).abs() < 1e-12 && (low - 0.5).abs() < 1e-9 && (high - 0.5).abs() < 1e-9);
        let (low, high) = difference(&ours, &theirs, false).ci95.unwrap();
        assert!(low < 0.0 && high > 1.0, "runs on their own vary");
        let one = difference(&ours[..1], &theirs[..2], false);
        assert_eq!(one.runs, 1);
        assert!(one.ci95.is_some());
        let shorter = [vec![1.0], vec![3.0], vec![8.0]];
        let means: Vec<Vec<f64>> = ours.iter().map(|run| vec![mean(run)]).collect();
        assert_eq!(difference(&ours, &shorter, true), difference(&means, &shorter, true));
    }
}
