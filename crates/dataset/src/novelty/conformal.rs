//! A limit that a share of new scores stays below, from scores of the same source.

/// Number ceil((n + 1) (1 - level)) of n scores in ascending order: a new one from the same source is larger with a
/// probability of at most `level`. Infinite where n is below [`episodes_needed`].
pub(super) fn limit(scores: &mut [f64], level: f64) -> f64 {
    scores.sort_unstable_by(f64::total_cmp);
    // A product that should be whole may be a rounding above.
    let rank = ((scores.len() + 1) as f64 * (1.0 - level) - 1e-9).ceil() as usize;
    rank.checked_sub(1).and_then(|place| scores.get(place).copied()).unwrap_or(f64::INFINITY)
}

/// The fewest scores that have a limit.
pub(super) fn episodes_needed(level: f64) -> u64 {
    (1.0 / level - 1.0 - 1e-9).ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_by_hand() {
        let check = |n: u32, level: f64, expected: f64| {
            let mut scores: Vec<f64> = (1..=n).rev().map(f64::from).collect();
            assert_eq!(limit(&mut scores, level), expected, "{n}, {level}");
            assert_eq!(u64::from(n) >= episodes_needed(level), expected.is_finite(), "{n}, {level}");
        };
        // ceil(100 x 0.95) = 95; ceil(40 x 0.975) = 39, and one less is too few.
        check(99, 0.05, 95.0);
        check(39, 0.025, 39.0);
        check(38, 0.025, f64::INFINITY);
        check(199, 0.025, 195.0);
        check(1, 0.5, 1.0);
        check(0, 0.5, f64::INFINITY);
        check(9, 0.1, 9.0);
        check(10, 0.1, 10.0);
    }
}
