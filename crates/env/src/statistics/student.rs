//! Student's distribution.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The normal distribution's.
pub const Z: f64 = 1.959_963_984_540_054;
/// Degrees of freedom from which the expansion is exact to 1e-9.
const MANY: usize = 60;

/// `t` with P(|T| < t) = 0.95 for Student's T with `df` degrees of freedom, at least one.
///
/// For many it is the expansion around the normal quantile (Abramowitz and Stegun 1964, 26.7.5): the library's is off for millions
/// (statrs 0.19.1 has 1.83 for 10^7).
pub fn t95(df: usize) -> f64 {
    let df = df.max(1);
    match StudentsT::new(0.0, 1.0, df as f64) {
        Ok(student) if df < MANY => student.inverse_cdf(0.975),
        _ => expansion(df as f64),
    }
}

/// P(|T| >= |t|) for Student's T with `df` degrees of freedom, which need not be a whole number; nothing for `df` not above 0.
pub fn two_sided(t: f64, df: f64) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, df).ok()?;
    Some(2.0 * student.cdf(-t.abs()))
}

fn expansion(df: f64) -> f64 {
    let z2 = Z * Z;
    let terms = [
        (z2 + 1.0) / 4.0,
        ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0,
        (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0,
        ((((79.0 * z2 + 776.0) * z2 + 1482.0) * z2 - 1920.0) * z2 - 945.0) / 92160.0,
    ];
    let series = terms.iter().rev().fold(0.0, |rest, term| (rest + term) / df);
    Z * (1.0 + series)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.t.ppf(0.975, df)` of SciPy 1.17.1.
    #[test]
    fn quantiles_are_those_of_scipy() {
        for (df, expected) in [
            (1, 12.706204736174694),
            (2, 4.302652729749462),
            (3, 3.1824463052837078),
            (4, 2.7764451051977934),
            (9, 2.262157162798205),
            (10, 2.228138851986274),
            (30, 2.0422724563012378),
            (59, 2.000995378088267),
            (60, 2.0002978220142604),
            (99, 1.9842169515864174),
            (999, 1.9623414611334493),
            (10_000, 1.960201239890626),
            (usize::MAX, Z),
        ] {
            assert!((t95(df) - expected).abs() < 1e-8, "{df}: {} {expected}", t95(df));
        }
    }
}
