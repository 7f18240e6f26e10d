//! What differs from the baseline beyond chance, with all comparisons of a page counted.

use omiga_env::statistics::{Estimate, Interval, holm, mean, probability_of_improvement, stratified_bootstrap, welch};

use super::cell::{Algorithm, Cell, Measure};

/// Chance that a page without any difference has a verdict.
const LEVEL: f64 = 0.05;
/// Seed of the bootstrap of a ratio: nothing else is drawn here.
const SEED: u64 = 0;

/// Every algorithm against the baseline on every dataset.
pub struct Beyond<'a> {
    pub baseline: &'a str,
    pub measure: Measure,
    /// By dataset, then by algorithm.
    pub comparisons: Vec<Comparison<'a>>,
    /// Of an algorithm and a dataset without evaluations in training, where these are what is compared.
    pub missing: usize,
}

/// Two algorithms on one dataset.
pub struct Comparison<'a> {
    pub cell: &'a Cell,
    pub algorithm: &'a Algorithm,
    /// Mean return of each run, of the algorithm and of the baseline.
    pub runs: [Vec<f64>; 2],
    pub difference: Estimate,
    /// Probability that a run of the algorithm is better than one of the baseline.
    pub better: f64,
    /// Welch's, over runs; nothing where one of the two has a single run, or no run differs from another.
    pub p: Option<f64>,
    /// Holm's, over all comparisons of the page that have one.
    pub adjusted: Option<f64>,
    /// Was one of the two tuned on this dataset?
    pub tuned: bool,
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Above,
    Below,
    NotToldApart,
    /// Nothing can be said beyond these runs.
    NoTest,
}

/// How many times the baseline's return, as a mean over datasets.
pub struct Ratio {
    pub mean: f64,
    /// Over runs, drawn anew within each dataset.
    pub ci95: Option<Interval>,
    /// Those where the baseline's mean return is above 0: elsewhere a ratio means nothing.
    pub datasets: usize,
}

impl<'a> Beyond<'a> {
    /// Nothing if there is nothing to compare.
    pub fn of(cells: &'a [Cell], baseline: &'a str, measure: Measure) -> Option<Self> {
        let mut found = Self { baseline, measure, comparisons: Vec::new(), missing: 0 };
        for cell in cells {
            let Some(theirs) = cell.algorithm(baseline) else { continue };
            for ours in cell.algorithms.iter().filter(|ours| ours.name != baseline) {
                match Comparison::of(cell, ours, theirs, measure) {
                    Some(comparison) => found.comparisons.push(comparison),
                    None => found.missing += 1,
                }
            }
        }
        let adjusted = holm(&found.comparisons.iter().filter_map(|c| c.p).collect::<Vec<_>>());
        let tested = found.comparisons.iter_mut().filter(|c| c.p.is_some());
        tested.zip(adjusted).for_each(|(comparison, p)| comparison.adjusted = Some(p));
        (!found.comparisons.is_empty()).then_some(found)
    }

    /// How many tests the correction is for.
    pub fn tests(&self) -> usize {
        self.comparisons.iter().filter(|c| c.p.is_some()).count()
    }

    /// Of one algorithm, in the order of the datasets.
    pub fn of_algorithm(&self, name: &str) -> Vec<&Comparison<'a>> {
        self.comparisons.iter().filter(|c| c.algorithm.name == name).collect()
    }
}

impl<'a> Comparison<'a> {
    fn of(cell: &'a Cell, ours: &'a Algorithm, theirs: &Algorithm, measure: Measure) -> Option<Self> {
        let difference = ours.above(theirs, measure)?;
        let runs = [ours.means(measure)?, theirs.means(measure)?];
        let better = probability_of_improvement(&runs[..1], &runs[1..]);
        let p = welch(&runs[0], &runs[1]).map(|found| found.p);
        let tuned = ours.tuned || theirs.tuned;
        Some(Self { cell, algorithm: ours, runs, difference, better, p, adjusted: None, tuned })
    }

    pub fn finding(&self) -> Finding {
        match self.adjusted {
            None => Finding::NoTest,
            Some(p) if p >= LEVEL => Finding::NotToldApart,
            Some(_) if mean(&self.runs[0]) > mean(&self.runs[1]) => Finding::Above,
            Some(_) => Finding::Below,
        }
    }
}

impl Ratio {
    /// Nothing if no dataset counts.
    pub fn of(comparisons: &[&Comparison<'_>]) -> Option<Self> {
        let counted: Vec<_> = comparisons.iter().filter(|c| mean(&c.runs[1]) > 0.0).collect();
        let side = |i: usize| counted.iter().map(|c| c.runs[i].clone()).collect::<Vec<_>>();
        let both = [side(0), side(1)].concat();
        let of = |runs: &[Vec<f64>]| {
            let (ours, theirs) = runs.split_at(counted.len());
            mean(&ours.iter().zip(theirs).map(|(a, b)| mean(a) / mean(b)).collect::<Vec<_>>())
        };
        let several = both.iter().all(|runs| runs.len() > 1);
        let ci95 = several
            .then(|| stratified_bootstrap(&both, SEED, |runs| vec![of(runs)]))
            .and_then(|found| found.first().copied());
        (!counted.is_empty()).then(|| Self { mean: of(&both), ci95, datasets: counted.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::cell::Run;
    use crate::scores::Row;

    fn algorithm(name: &str, tuned: bool, runs: &[f64]) -> Algorithm {
        let run = |(seed, mean): (usize, &f64)| Run {
            name: format!("seed-{seed}"),
            folder: "runs".into(),
            played: Row { return_mean: *mean, returns: vec![mean - 1.0, mean + 1.0], ..Row::default() },
            best: None,
            curve: vec![(10, 2.0 * mean)],
            updates: 10,
        };
        Algorithm { name: name.to_owned(), runs: runs.iter().enumerate().map(run).collect(), tuned }
    }

    fn cell(quality: &str, algorithms: Vec<Algorithm>) -> Cell {
        Cell {
            folder: "runs".into(),
            task: "task".to_owned(),
            quality: quality.to_owned(),
            simulator: None,
            engine: None,
            episodes: (0, 2),
            dataset: None,
            others: Vec::new(),
            algorithms,
            failed: Vec::new(),
        }
    }

    fn cells() -> Vec<Cell> {
        let bc = || algorithm("bc", false, &[10.0, 11.0, 12.0]);
        vec![
            cell("a", vec![bc(), algorithm("one", false, &[30.0, 31.0, 32.0]), algorithm("two", false, &[10.0, 13.0])]),
            cell("b", vec![bc(), algorithm("one", true, &[1.0, 2.0, 3.0]), algorithm("two", false, &[10.5])]),
            cell("c", vec![algorithm("one", false, &[1.0, 2.0])]),
        ]
    }

    #[test]
    fn every_comparison_of_the_page_is_counted() {
        let cells = cells();
        let found = Beyond::of(&cells, "bc", Measure::LastCheckpoint).unwrap();
        assert_eq!((found.comparisons.len(), found.tests(), found.missing), (4, 3, 0));
        let findings: Vec<_> = found.comparisons.iter().map(Comparison::finding).collect();
        assert_eq!(findings, [Finding::Above, Finding::NotToldApart, Finding::Below, Finding::NoTest]);
        // Three tests: the smallest p counts three times, which Welch's is with t = 20 / sqrt(2 / 3) and 4 degrees of freedom.
        let [first, _, second, one_run] = &found.comparisons[..] else { panic!("four") };
        let p = welch(&[30.0, 31.0, 32.0], &[10.0, 11.0, 12.0]).unwrap().p;
        assert_eq!((first.p, first.adjusted), (Some(p), Some(3.0 * p)));
        assert_eq!((first.tuned, second.tuned), (false, true));
        assert_eq!((one_run.p, one_run.adjusted, one_run.better), (None, None, 1.0 / 3.0));
        assert_eq!(found.of_algorithm("two").len(), 2);
        assert!(Beyond::of(&cells, "nobody", Measure::LastCheckpoint).is_none());
    }

    /// One difference alone is beyond chance, and is not as one of many.
    #[test]
    fn many_comparisons_ask_for_more() {
        let pair = |quality| {
            cell(quality, vec![algorithm("bc", false, &[1.0, 2.0, 3.0]), algorithm("x", false, &[4.0, 5.0, 6.0])])
        };
        let alone = [pair("a")];
        let found = Beyond::of(&alone, "bc", Measure::LastCheckpoint).unwrap();
        assert_eq!(found.comparisons[0].finding(), Finding::Above);
        let many = ["a", "b", "c"].map(pair);
        let found = Beyond::of(&many, "bc", Measure::LastCheckpoint).unwrap();
        assert!(found.comparisons.iter().all(|c| c.finding() == Finding::NotToldApart));
    }

    #[test]
    fn evaluations_in_training_can_be_what_is_compared() {
        let mut cells = cells();
        cells[0].algorithms[2].runs[1].curve.clear();
        let found = Beyond::of(&cells, "bc", Measure::LastEvaluations).unwrap();
        assert_eq!((found.comparisons.len(), found.missing), (3, 1));
        assert_eq!(found.comparisons[0].runs, [vec![60.0, 62.0, 64.0], vec![20.0, 22.0, 24.0]]);
        assert_eq!(found.comparisons[0].difference.mean, 40.0);
    }

    #[test]
    fn a_ratio_is_a_mean_over_datasets_with_a_baseline_above_zero() {
        let mut cells = cells();
        cells[2].algorithms.push(algorithm("bc", false, &[-5.0, -4.0]));
        let found = Beyond::of(&cells, "bc", Measure::LastCheckpoint).unwrap();
        let ratio = Ratio::of(&found.of_algorithm("one")).unwrap();
        assert_eq!((ratio.mean, ratio.datasets), ((31.0 / 11.0 + 2.0 / 11.0) / 2.0, 2));
        let (low, high) = ratio.ci95.unwrap();
        assert!(low < ratio.mean && ratio.mean < high);
        // A single run somewhere: no interval.
        assert!(Ratio::of(&found.of_algorithm("two")).unwrap().ci95.is_none());
        assert!(Ratio::of(&found.of_algorithm("one")[2..]).is_none());
    }
}
