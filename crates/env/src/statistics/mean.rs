//! The mean of values, and how far it may be from the truth.

use super::Interval;
use super::student::t95;

/// Below this the transformation is its own limit.
const NO_SKEW: f64 = 1e-6;

/// How far an end may go, in half widths of Student's interval.
const FURTHEST: f64 = 2.0;

/// Arithmetic mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation of a sample (n - 1); nothing for less than two values.
pub fn std(values: &[f64]) -> Option<f64> {
    let center = mean(values);
    let squares: f64 = values.iter().map(|x| (x - center).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() as f64 - 1.0)).sqrt())
}

/// 95 % interval of the mean of independent values; nothing for less than two.
///
/// Student's interval, corrected for the skewness of the values with Hall's transformation (Hall 1992, On the removal of skewness
/// by transformation, J. R. Statist. Soc. B 54). With `T = sqrt(n) (mean - mu) / s`, the skewness `g` and `l = g / sqrt(n)`
///
/// ```text
/// H(T) = T + l T^2 / 3 + l^2 T^3 / 27 + l / 6
/// ```
///
/// is nearly Student's, and is inverted in closed form. The skewness of a few values is a guess, so neither end goes further than
/// twice Student's distance. Nothing is resampled, so there is no seed.
///
/// What it covers, measured: of normal values 94 to 96 % for any n. Of returns that are 500 in 85 % and 3000 in 15 % of the
/// episodes 48 % for n = 4 and 80 % for n = 10, which is how often the rarer kind is seen at all, so nothing can do better; from
/// n = 20 95 to 98 %. Of log-normal values 87 % for n = 4, 92 % for n = 32. (The percentile bootstrap: 79 % of 4 normal values,
/// 46 and 79 % of 4 and 10 of the two kinds.) Values that are all equal show no spread: the interval is one point.
pub fn interval(values: &[f64]) -> Option<Interval> {
    let (center, s) = (mean(values), std(values)?);
    let n = values.len() as f64;
    let moment = |k: i32| values.iter().map(|x| (x - center).powi(k)).sum::<f64>() / n;
    let skewness = if s > 0.0 { moment(3) / moment(2).powf(1.5) } else { 0.0 };
    let l = if skewness.is_finite() { skewness / n.sqrt() } else { 0.0 };
    let (t, error) = (t95(values.len() - 1), s / n.sqrt());
    let end = |u: f64| center - untransformed(u, l).clamp(-FURTHEST * t, FURTHEST * t) * error;
    Some((end(t), end(-t)))
}

/// T with H(T) = u.
fn untransformed(u: f64, l: f64) -> f64 {
    let shifted = u - l / 6.0;
    if l.abs() < NO_SKEW { shifted } else { ((1.0 + l * shifted).cbrt() - 1.0) * 3.0 / l }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::tests::{coverage, normal, two_kinds};
    use super::*;

    /// The formula in NumPy 2.4.6 with `scipy.stats.t`:
    ///
    /// ```python
    /// def hall(x):
    ///     n, m, sd = len(x), x.mean(), x.std(ddof=1)
    ///     l, t = ((x - m)**3).mean() / x.std()**3 / n**.5, scipy.stats.t.ppf(.975, n - 1)
    ///     inverse = lambda u: np.clip((np.cbrt(1 + l * (u - l / 6)) - 1) * 3 / l, -2 * t, 2 * t)
    ///     return m - inverse(t) * sd / n**.5, m - inverse(-t) * sd / n**.5
    /// ```
    #[test]
    fn the_formula_in_numpy() {
        let many = [vec![500.0; 27], vec![3000.0; 5]].concat();
        for (values, expected) in [
            (&[1.0, 2.0, 3.0, 6.0][..], (0.40440333528349814, 9.874869763716617)),
            (&many, (620.3038926701533, 1375.1129894727253)),
            (&[0.1, -0.4, 2.5, 1.1, 0.3, 0.2, 9.0], (-0.24685554449091462, 7.933220607876413)),
        ] {
            let found = interval(values).unwrap();
            let near = |a: f64, b: f64| (a - b).abs() < 1e-7 * b.abs().max(1.0);
            assert!(near(found.0, expected.0) && near(found.1, expected.1), "{found:?} {expected:?}");
        }
    }

    #[test]
    fn few_values_say_little() {
        assert_eq!((interval(&[]), interval(&[3.0]), std(&[3.0])), (None, None, None));
        assert_eq!((interval(&[3.0; 5]), std(&[3.0; 5])), (Some((3.0, 3.0)), Some(0.0)));
        // Two values have no skewness: half their distance times 12.7.
        let (low, high) = interval(&[1.0, 3.0]).unwrap();
        assert!((low - (2.0 - 12.706204736174694)).abs() < 1e-8 && (high - 14.706204736174694).abs() < 1e-8);
        let (low, high) = interval(&[1e300, -1e300, 1e300]).unwrap();
        assert!(low <= high || low.is_nan() || high.is_nan());
    }

    /// Of normal returns 95 %; of two kinds of returns as much as anything can reach: a sample that has not seen the rarer
    /// kind (0.85^n of all) cannot know of it.
    #[test]
    fn intervals_cover_what_they_promise() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (n, skewed) in [(4, 0.47), (10, 0.79), (32, 0.95), (100, 0.95)] {
            let covered = coverage(1500, 0.0, || interval(&normal(n, &mut rng)));
            assert!((covered - 0.95).abs() < 0.02, "{n} normal values: {covered}");
            let covered = coverage(1500, 875.0, || interval(&two_kinds(n, &mut rng)));
            let reachable = 1.0 - 0.85_f64.powi(n as i32);
            assert!(covered > skewed - 0.02 && covered < reachable + 0.03, "{n} of two kinds: {covered}");
        }
    }
}
