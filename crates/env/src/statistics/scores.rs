//! Several tasks in one number, as rliable 1.2.0 defines them (Agarwal et al. 2021, Deep Reinforcement Learning at the Edge of the
//! Statistical Precipice). `tasks[m][n]` is the score of run `n` in task `m`; scores of different tasks must have one scale.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Interval;
use super::mean::mean;

/// Resamples of the bootstrap.
const RESAMPLES: usize = 2000;

/// Interquartile mean of the scores of all runs and tasks: a quarter of them, rounded down, is cut off at either end
/// (`aggregate_iqm`). NaN without scores.
pub fn iqm(tasks: &[Vec<f64>]) -> f64 {
    let mut all: Vec<f64> = tasks.concat();
    all.sort_by(f64::total_cmp);
    let cut = all.len() / 4;
    mean(&all[cut..all.len() - cut])
}

/// P(a run of `ours` is better than one of `theirs`), equal ones counted half, averaged over tasks
/// (`probability_of_improvement`: Mann and Whitney's U over the number of pairs). NaN without tasks.
pub fn probability_of_improvement(ours: &[Vec<f64>], theirs: &[Vec<f64>]) -> f64 {
    let wins = |x: f64, y: f64| if x > y { 1.0 } else { 0.5 * f64::from(u8::from(x == y)) };
    let of_task = |(ours, theirs): (&Vec<f64>, &Vec<f64>)| {
        let won: f64 = ours.iter().flat_map(|x| theirs.iter().map(|y| wins(*x, *y))).sum();
        won / (ours.len() * theirs.len()) as f64
    };
    mean(&ours.iter().zip(theirs).map(of_task).collect::<Vec<_>>())
}

/// Share of all runs and tasks with a score above each of `taus` (`create_performance_profile` of score distributions).
pub fn performance_profile(tasks: &[Vec<f64>], taus: &[f64]) -> Vec<f64> {
    let all = tasks.concat();
    let above = |tau: &f64| all.iter().filter(|score| *score > tau).count() as f64 / all.len() as f64;
    taus.iter().map(above).collect()
}

/// 95 % percentile interval of each number that `statistic` makes of the scores, drawing the runs of every task anew, task by
/// task (`StratifiedBootstrap`; for two algorithms give the tasks of both, as `StratifiedIndependentBootstrap` does).
///
/// It takes the tasks as given, and with few runs in few tasks it is too short, as any bootstrap is.
///
/// # Determinism
/// Equal scores and seeds give equal intervals.
pub fn stratified_bootstrap(
    tasks: &[Vec<f64>],
    seed: u64,
    statistic: impl Fn(&[Vec<f64>]) -> Vec<f64>,
) -> Vec<Interval> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = tasks.to_vec();
    let mut found: Vec<Vec<f64>> = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        for (drawn, scores) in drawn.iter_mut().zip(tasks).filter(|(_, scores)| !scores.is_empty()) {
            drawn.iter_mut().for_each(|score| *score = scores[rng.random_range(0..scores.len())]);
        }
        found.push(statistic(&drawn));
    }
    let numbers = found.first().map_or(0, Vec::len);
    let interval = |i: usize| {
        let mut of_one: Vec<f64> = found.iter().map(|numbers| numbers[i]).collect();
        of_one.sort_by(f64::total_cmp);
        (percentile(&of_one, 0.025), percentile(&of_one, 0.975))
    };
    (0..numbers).map(interval).collect()
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

    #[test]
    fn percentiles_interpolate() {
        let values = [0.0, 10.0, 20.0, 30.0];
        let found = [0.0, 0.25, 0.5, 1.0].map(|share| percentile(&values, share));
        assert_eq!(found, [0.0, 7.5, 15.0, 30.0]);
    }

    /// `tests/golden/rliable/generate.py`, rliable 1.2.0; also what it wrote to the file that `OMIGA_RLIABLE_SCORES` names.
    #[test]
    fn numbers_are_those_of_rliable() {
        check(include_str!("../../../../tests/golden/rliable/scores.json"));
        if let Some(file) = std::env::var_os("OMIGA_RLIABLE_SCORES") {
            check(&std::fs::read_to_string(file).unwrap());
        }
    }

    #[derive(serde::Deserialize)]
    struct Golden {
        x: Vec<Vec<f64>>,
        y: Vec<Vec<f64>>,
        taus: Vec<f64>,
        iqm: [f64; 2],
        iqm_ci95: Interval,
        improvement: f64,
        improvement_ci95: Interval,
        profile: Vec<f64>,
    }

    fn check(golden: &str) {
        let golden: Golden = serde_json::from_str(golden).unwrap();
        let near = |a: f64, b: f64, tolerance: f64| assert!((a - b).abs() < tolerance, "{a} {b}");
        let (x, y) = (&golden.x, &golden.y);
        near(iqm(x), golden.iqm[0], 1e-12);
        near(iqm(y), golden.iqm[1], 1e-12);
        near(probability_of_improvement(x, y), golden.improvement, 1e-12);
        let profile = performance_profile(x, &golden.taus);
        profile.iter().zip(&golden.profile).for_each(|(a, b)| near(*a, *b, 1e-12));

        // The two draw other numbers: estimates of the same percentiles, from 2000 and from 5000 or more resamples.
        let found = stratified_bootstrap(x, 0, |tasks| vec![iqm(tasks)]);
        assert_eq!(found, stratified_bootstrap(x, 0, |tasks| vec![iqm(tasks)]));
        near(found[0].0, golden.iqm_ci95.0, 0.03);
        near(found[0].1, golden.iqm_ci95.1, 0.03);
        let both = [x.clone(), y.clone()].concat();
        let found = stratified_bootstrap(&both, 0, |tasks| {
            let (x, y) = tasks.split_at(x.len());
            vec![probability_of_improvement(x, y)]
        });
        near(found[0].0, golden.improvement_ci95.0, 0.03);
        near(found[0].1, golden.improvement_ci95.1, 0.03);
    }

    #[test]
    fn equal_scores_are_no_improvement() {
        let scores = [vec![1.0, 2.0], vec![3.0, 3.0]];
        assert_eq!(probability_of_improvement(&scores, &scores), 0.5);
        assert_eq!(performance_profile(&scores, &[0.0, 2.0, 3.0]), [1.0, 0.5, 0.0]);
        assert!(iqm(&[]).is_nan());
    }
}
