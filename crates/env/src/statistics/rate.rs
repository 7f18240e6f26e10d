//! How often something happens.

use super::student::Z;
use super::{Interval, interval, mean};

/// 95 % interval of the mean of independent values of something that happens (1) or does not (0); of other values, and of less
/// than two, [`interval`].
///
/// Wilson's score interval (Wilson 1927, Probable inference, the law of succession, and statistical inference, J. Am. Stat. Assoc.
/// 22): all rates `p` that are not `z = 1.96` of their own deviations `sqrt(p (1 - p) / n)` away from the one found. It stays
/// within 0 and 1, and has a width where all values are equal: of 32 battles won the rate is 89 to 100 %.
pub fn rate_interval(values: &[f64]) -> Option<Interval> {
    if values.len() < 2 || values.iter().any(|value| *value != 0.0 && *value != 1.0) {
        return interval(values);
    }
    let (n, p, z2) = (values.len() as f64, mean(values), Z * Z);
    let center = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let end = |x: f64| x.clamp(0.0, 1.0);
    Some((end(center - half), end(center + half)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binomtest(k, n).proportion_ci(method="wilson")` of SciPy 1.17.1.
    #[test]
    fn rates_are_those_of_scipy() {
        for (k, n, expected) in [
            (0, 10, (0.0, 0.27753279986288926)),
            (20, 32, (0.45254407353077447, 0.770661126905458)),
            (32, 32, (0.8928208017449293, 1.0)),
            (1, 2, (0.09453120573423074, 0.9054687942657693)),
            (313, 1000, (0.28502093895360764, 0.34241026871999)),
        ] {
            let values: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i < k))).collect();
            let found = rate_interval(&values).unwrap();
            assert!(
                (found.0 - expected.0).abs() < 1e-9 && (found.1 - expected.1).abs() < 1e-9,
                "{k} of {n}: {found:?}"
            );
        }
    }

    #[test]
    fn other_values_have_the_interval_of_their_mean() {
        for values in [&[0.5, 1.0, 0.0][..], &[1.0], &[]] {
            assert_eq!(rate_interval(values), interval(values));
        }
    }
}
