//! How well scores choose, where candidates were played.

use omiga_env::statistics::{mean, regret, spearman};
use serde::Serialize;

use super::Judged;

/// How well one way of choosing does among the candidates that were played.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// What chooses.
    pub by: String,
    /// Candidates that it orders.
    pub candidates: usize,
    /// Rank correlation of that order with the played returns.
    pub spearman: Option<f64>,
    /// What its choice loses, of the range from the worst to the best played return.
    pub regret_at_1: Option<f64>,
}

impl Quality {
    /// Of the order that `judged` is in, of single numbers, and of choosing without looking; nothing if no two were played.
    pub fn of(judged: &[Judged]) -> Vec<Self> {
        let all: Vec<&Judged> = judged.iter().filter(|one| one.played.is_some_and(f64::is_finite)).collect();
        if all.len() < 2 {
            return Vec::new();
        }
        let places = (0..all.len()).map(|place| Some(-(place as f64))).collect();
        let gauge =
            |of: fn(&omiga_train::Gauged) -> Option<f64>| all.iter().map(|one| of(one.gauges.as_ref()?)).collect();
        let pessimistic = all.iter().map(|one| Some(one.estimate.mean - one.estimate.std)).collect();
        let mut found = vec![
            Self::by_numbers("the order above", &all, places),
            Self::by_numbers("value - deviation", &all, pessimistic),
            Self::by_numbers("lowest optimism", &all, gauge(|of| Some(-of.optimism?))),
            Self::by_numbers(
                "least |action - data|",
                &all,
                all.iter().map(|one| Some(-one.estimate.distance)).collect(),
            ),
            Self::by_numbers("latest step", &all, all.iter().map(|one| Some(one.step as f64)).collect()),
        ];
        let mut algorithms: Vec<&str> = all.iter().map(|one| one.algorithm.as_str()).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        for algorithm in algorithms {
            let of = |one: &&Judged| one.algorithm == algorithm && is_last(one, &all);
            found.push(Self::at_random(&format!("a run of {algorithm}, its last"), &all, of));
        }
        found.push(Self::at_random("any", &all, |_| true));
        found
    }

    /// The highest number chooses; candidates without one are left out of its order.
    fn by_numbers(by: &str, all: &[&Judged], numbers: Vec<Option<f64>>) -> Self {
        let pairs =
            numbers.into_iter().zip(all).filter_map(|(x, one)| Some((x.filter(|x| x.is_finite())?, one.played?)));
        let (numbers, played): (Vec<f64>, Vec<f64>) = pairs.unzip();
        // The first of equals, as they stand.
        let chosen = numbers.iter().zip(&played).reduce(|best, next| if next.0 > best.0 { next } else { best });
        let chosen = chosen.map(|(_, played)| *played);
        Self {
            by: by.to_owned(),
            candidates: played.len(),
            spearman: spearman(&numbers, &played),
            regret_at_1: chosen.and_then(|chosen| regret(chosen, &returns(all))),
        }
    }

    /// Expected of any one of those.
    fn at_random(by: &str, all: &[&Judged], among: impl Fn(&&Judged) -> bool) -> Self {
        let chosen: Vec<f64> = all.iter().filter(|one| among(one)).filter_map(|one| one.played).collect();
        Self {
            by: by.to_owned(),
            candidates: chosen.len(),
            spearman: None,
            regret_at_1: regret(mean(&chosen), &returns(all)),
        }
    }
}

fn returns(all: &[&Judged]) -> Vec<f64> {
    all.iter().filter_map(|one| one.played).collect()
}

fn is_last(one: &Judged, all: &[&Judged]) -> bool {
    all.iter().all(|other| other.run != one.run || other.step <= one.step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::judged::tests::judged;

    #[test]
    fn ways_of_choosing() {
        let all = [
            judged("rebrac@2", 5.0, false, None),
            judged("rebrac@1", 2.0, false, Some(2.0)),
            judged("bc@1", 1.0, false, Some(3.0)),
            judged("bc@2", 0.0, true, Some(1.0)),
        ];
        let found = Quality::of(&all);
        let of =
            |by: &str| found.iter().find(|one| one.by == by).map(|one| (one.candidates, one.spearman, one.regret_at_1));
        assert_eq!(of("the order above"), Some((3, Some(0.5), Some(0.5))));
        assert_eq!(of("lowest optimism"), Some((3, Some(-0.5), Some(1.0))));
        assert_eq!(of("latest step").unwrap().2, Some(1.0));
        assert_eq!(of("a run of bc, its last"), Some((1, None, Some(1.0))));
        assert_eq!(of("a run of rebrac, its last"), Some((1, None, Some(0.5))));
        assert_eq!(of("any"), Some((3, None, Some(0.5))));
        assert_eq!(of("least |action - data|"), Some((3, Some(-0.5), Some(1.0))));
        assert!(Quality::of(&all[..2]).is_empty());
    }
}
