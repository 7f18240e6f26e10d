//! All datasets in one number an algorithm.

use omiga_env::statistics::{Interval, iqm, performance_profile, probability_of_improvement, stratified_bootstrap};

use super::cell::Cell;

/// Points of a performance profile.
const POINTS: u16 = 101;
/// Seed of the bootstrap: nothing else is drawn here.
const SEED: u64 = 0;

/// What several datasets say together.
pub struct Overall {
    /// `<task> <quality>` of those that count.
    pub cells: Vec<String>,
    /// Those that do not, because random actions earn what the dataset does.
    pub left_out: Vec<String>,
    pub algorithms: Vec<Scored>,
    /// Scores at which the profiles are known.
    pub taus: Vec<f64>,
}

/// One algorithm's scores.
pub struct Scored {
    pub name: String,
    /// Interquartile mean.
    pub iqm: f64,
    pub iqm_ci95: Option<Interval>,
    /// Probability that a run of it is better than one of the baseline, which has none.
    pub improvement: Option<(f64, Option<Interval>)>,
    /// Share of runs above each score.
    pub profile: Vec<f64>,
    pub profile_ci95: Option<Vec<Interval>>,
}

impl Overall {
    /// Of the algorithms that every dataset that counts has; nothing with less than two such datasets.
    pub fn of(cells: &[Cell], baseline: &str) -> Option<Self> {
        let (counted, others): (Vec<&Cell>, Vec<&Cell>) = cells.iter().partition(|cell| scale(cell).is_some());
        let names = super::algorithms(&counted);
        let names: Vec<&str> =
            names.into_iter().filter(|name| counted.iter().all(|cell| cell.algorithm(name).is_some())).collect();
        if counted.len() < 2 || names.is_empty() {
            return None;
        }
        let scores: Vec<_> = names.iter().map(|name| counted.iter().map(|cell| scores(cell, name)).collect()).collect();
        let scores: Vec<Vec<Vec<f64>>> = scores;
        let ends = |all: &mut dyn Iterator<Item = f64>| {
            all.fold((0.0_f64, 1.0_f64), |(low, high), score| (low.min(score), high.max(score)))
        };
        let (low, high) = ends(&mut scores.iter().flatten().flatten().copied());
        let tau = |i: u16| low + (high - low) * f64::from(i) / f64::from(POINTS - 1);
        let taus: Vec<f64> = (0..POINTS).map(tau).collect();
        let theirs = names.iter().position(|name| *name == baseline).map(|i| scores[i].as_slice());
        let score =
            |(name, ours): (&&str, &Vec<Vec<f64>>)| Scored::of(name, ours, theirs.filter(|_| *name != baseline), &taus);
        let algorithms = names.iter().zip(&scores).map(score).collect();
        let named = |cells: &[&Cell]| cells.iter().map(|cell| format!("{} {}", cell.task, cell.quality)).collect();
        Some(Self { cells: named(&counted), left_out: named(&others), algorithms, taus })
    }
}

impl Scored {
    fn of(name: &str, ours: &[Vec<f64>], theirs: Option<&[Vec<f64>]>, taus: &[f64]) -> Self {
        // One run a dataset cannot be drawn otherwise.
        let several = |tasks: &[Vec<f64>]| tasks.iter().all(|runs| runs.len() > 1);
        let intervals = several(ours).then(|| {
            stratified_bootstrap(ours, SEED, |tasks| [vec![iqm(tasks)], performance_profile(tasks, taus)].concat())
        });
        let improvement = theirs.map(|theirs| {
            let both = [ours, theirs].concat();
            let found = several(&both).then(|| {
                stratified_bootstrap(&both, SEED, |tasks| {
                    let (ours, theirs) = tasks.split_at(ours.len());
                    vec![probability_of_improvement(ours, theirs)]
                })
            });
            (probability_of_improvement(ours, theirs), found.and_then(|found| found.first().copied()))
        });
        Self {
            name: name.to_owned(),
            iqm: iqm(ours),
            iqm_ci95: intervals.as_ref().and_then(|all| all.first().copied()),
            improvement,
            profile: performance_profile(ours, taus),
            profile_ci95: intervals.map(|all| all[1..].to_vec()),
        }
    }
}

/// Mean returns that count as 0 and as 1: of random actions and of the dataset. Nothing if the two cannot be told apart.
fn scale(cell: &Cell) -> Option<(f64, f64)> {
    let random = cell.others.iter().find(|row| row.name == "random")?;
    let dataset = cell.dataset.as_ref()?;
    (dataset.ci95?.0 > random.ci95?.1).then_some((random.return_mean, dataset.return_mean))
}

fn scores(cell: &Cell, algorithm: &str) -> Vec<f64> {
    let (zero, one) = scale(cell).unwrap_or((0.0, 1.0));
    let runs = cell.algorithm(algorithm).map_or(&[][..], |a| &a.runs);
    runs.iter().map(|run| (run.played.return_mean - zero) / (one - zero)).collect()
}
