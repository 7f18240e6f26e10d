//! How well a score chooses among candidates whose true values are known.

use super::mean::mean;

/// Spearman's rank correlation: Pearson's of the ranks, equal values sharing their mean rank. Nothing for less than two candidates,
/// or where either side has all equal.
pub fn spearman(scores: &[f64], values: &[f64]) -> Option<f64> {
    let (a, b) = (ranks(scores), ranks(values));
    let (of_a, of_b) = (mean(&a), mean(&b));
    let products = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| (x - of_a) * (y - of_b)).sum::<f64>();
    let squares = |x: &[f64], center: f64| x.iter().map(|x| (x - center).powi(2)).sum::<f64>();
    let scale = (squares(&a, of_a) * squares(&b, of_b)).sqrt();
    (scale > 0.0).then(|| products(&a, &b) / scale)
}

/// What taking a candidate of value `chosen` loses: the best value minus that, over the best minus the worst (regret@1). Nothing
/// where all values are equal.
pub fn regret(chosen: f64, values: &[f64]) -> Option<f64> {
    let best = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let worst = values.iter().copied().fold(f64::INFINITY, f64::min);
    (best > worst).then(|| (best - chosen) / (best - worst))
}

/// From 1; equal values share the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |x: f64| values.iter().filter(|y| **y < x).count() as f64;
    let equal = |x: f64| values.iter().filter(|y| **y == x).count() as f64;
    values.iter().map(|x| below(*x) + (equal(*x) + 1.0) / 2.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.spearmanr(a, b).statistic` of SciPy 1.17.1.
    #[test]
    fn correlations_are_those_of_scipy() {
        for (a, b, expected) in [
            (&[1.0, 2.0, 3.0, 4.0, 5.0][..], &[5.0, 6.0, 7.0, 8.0, 7.0][..], 0.8207826816681233),
            (&[1.0, 1.0, 2.0, 0.0], &[3.0, 1.0, 2.0, 2.0], 0.0),
            (&[3.0, 1.0, 2.0], &[-3.0, -1.0, -2.0], -1.0),
            (&[0.3, -1.2, 7.5, 7.5, 2.0, -0.1], &[10.0, 948.0, -3.0, 3235.0, 3235.0, 453.0], 0.014705882352941178),
        ] {
            let found = spearman(a, b).unwrap();
            assert!((found - expected).abs() < 1e-12, "{a:?} {b:?}: {found}");
        }
        assert_eq!(
            (spearman(&[1.0, 1.0], &[1.0, 2.0]), spearman(&[1.0], &[1.0]), spearman(&[], &[])),
            (None, None, None)
        );
    }

    #[test]
    fn what_a_choice_loses() {
        assert_eq!(regret(10.0, &[10.0, 0.0, 20.0]), Some(0.5));
        assert_eq!(regret(20.0, &[10.0, 20.0]), Some(0.0));
        assert_eq!((regret(3.0, &[3.0, 3.0]), regret(1.0, &[])), (None, None));
    }
}
