//! Two samples with variances of their own.

use super::mean::{mean, std};
use super::student::two_sided;

/// Welch's t test of "both have the same mean".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Welch {
    /// Difference of the means over its standard error.
    pub t: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// P(a |t| as large, if the means are the same).
    pub p: f64,
}

/// Welch's t test (Welch 1947, Biometrika 34; degrees of freedom of Satterthwaite 1946, Biometrics Bulletin 2) of independent values,
/// e.g. of the mean returns of runs with different seeds. With `v = s^2 / n` of each sample
///
/// ```text
/// t = (mean_a - mean_b) / sqrt(v_a + v_b)
/// df = (v_a + v_b)^2 / (v_a^2 / (n_a - 1) + v_b^2 / (n_b - 1))
/// ```
///
/// Nothing for a sample of less than two values, for values that are not finite, and where neither sample varies.
pub fn welch(ours: &[f64], theirs: &[f64]) -> Option<Welch> {
    let error = |values: &[f64]| Some((std(values)?.powi(2) / values.len() as f64, values.len() as f64 - 1.0));
    let ((a, df_a), (b, df_b)) = (error(ours)?, error(theirs)?);
    let t = (mean(ours) - mean(theirs)) / (a + b).sqrt();
    let df = (a + b).powi(2) / (a.powi(2) / df_a + b.powi(2) / df_b);
    Some(Welch { t, df, p: two_sided(t, df)? }).filter(|found| found.t.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::holm;
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        welch: Vec<Case>,
        holm: Vec<Adjusted>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        ours: Vec<f64>,
        theirs: Vec<f64>,
        t: f64,
        df: f64,
        p: f64,
    }

    #[derive(serde::Deserialize)]
    struct Adjusted {
        p: Vec<f64>,
        adjusted: Vec<f64>,
    }

    /// `tests/golden/comparisons/generate.py`, SciPy 1.17.1 and statsmodels 0.15.0; also what it wrote to the file that
    /// `OMIGA_COMPARISONS` names.
    #[test]
    fn numbers_are_those_of_scipy_and_statsmodels() {
        check(include_str!("../../../../tests/golden/comparisons/comparisons.json"));
        if let Some(file) = std::env::var_os("OMIGA_COMPARISONS") {
            check(&std::fs::read_to_string(file).unwrap());
        }
    }

    fn check(golden: &str) {
        let golden: Golden = serde_json::from_str(golden).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() <= 1e-9 * b.abs(), "{a} {b}");
        assert!(golden.welch.len() > 10 && golden.holm.len() > 5);
        for Case { ours, theirs, t, df, p } in golden.welch {
            let found = welch(&ours, &theirs).unwrap();
            near(found.t, t);
            near(found.df, df);
            near(found.p, p);
        }
        for Adjusted { p, adjusted } in golden.holm {
            let found = holm(&p);
            assert_eq!(found.len(), adjusted.len());
            found.iter().zip(&adjusted).for_each(|(a, b)| near(*a, *b));
        }
    }

    #[test]
    fn what_cannot_be_tested() {
        assert_eq!(welch(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(welch(&[], &[1.0, 2.0]), None);
        assert_eq!(welch(&[3.0, 3.0], &[1.0, 1.0]), None, "nothing varies");
        assert_eq!(welch(&[f64::NAN, 3.0], &[1.0, 2.0]), None);
        assert_eq!(welch(&[f64::INFINITY, 3.0], &[1.0, 2.0]), None);
        // One of them may stand still.
        assert!(welch(&[3.0, 3.0], &[1.0, 2.0]).is_some());
        assert_eq!(welch(&[1.0, 2.0], &[1.0, 2.0]).map(|found| found.p), Some(1.0));
    }

    /// Of equal samples one test in twenty is below 0.05, also if few values vary much more than many others.
    #[test]
    fn false_alarms_are_as_rare_as_promised() {
        use rand::SeedableRng;
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(9);
        for (few, many, scale) in [(3, 3, 1.0), (5, 5, 4.0), (3, 5, 3.0)] {
            let alarm = |_: &u32| {
                let ours = super::super::tests::normal(few, &mut rng);
                let theirs: Vec<f64> = super::super::tests::normal(many, &mut rng).iter().map(|x| x * scale).collect();
                welch(&ours, &theirs).unwrap().p < 0.05
            };
            let share = (0..4000).filter(alarm).count() as f64 / 4000.0;
            assert!((0.02..0.065).contains(&share), "{few} and {many}, {scale} times as wide: {share}");
        }
    }
}
