//! Quantiles of Student's distribution.

use std::f64::consts::FRAC_2_PI;

/// The normal distribution's.
const Z: f64 = 1.959_963_984_540_054;
/// Degrees of freedom from which the expansion is exact to 1e-9.
const MANY: u32 = 60;

/// `t` with P(|T| < t) = 0.95 for Student's T with `df` degrees of freedom, at least one.
///
/// The probability is the finite sum for whole degrees of freedom (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4), inverted by
/// bisection; for many, `t` is the expansion around the normal quantile (26.7.5).
pub fn t95(df: usize) -> f64 {
    let df = u32::try_from(df).unwrap_or(u32::MAX).max(1);
    if df >= MANY {
        return expansion(f64::from(df));
    }
    let (mut low, mut high) = (Z, 13.0);
    while high - low > 1e-13 * high {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if within(middle, df) < 0.95 { low = middle } else { high = middle }
    }
    high
}

/// P(|T| < t).
fn within(t: f64, df: u32) -> f64 {
    let theta = (t / f64::from(df).sqrt()).atan();
    let (sin, cos) = theta.sin_cos();
    let odd = df % 2;
    // Powers of the cosine, each with the factors of the one before and one more.
    let (mut term, mut sum) = if odd == 1 { (cos, 0.0) } else { (1.0, 0.0) };
    let mut k = odd;
    while k + 2 <= df {
        sum += term;
        term *= cos * cos * f64::from(k + 1) / f64::from(k + 2);
        k += 2;
    }
    if odd == 1 { FRAC_2_PI * (theta + sin * sum) } else { sin * sum }
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
