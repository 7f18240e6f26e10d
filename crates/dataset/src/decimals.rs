//! How many decimals numbers are shown with.

/// Decimals of numbers up to this size: two, and as many more as the largest has zeros in front, so that small returns do not all
/// look like 0.
pub fn decimals(sizes: impl IntoIterator<Item = f64>) -> usize {
    let largest = sizes.into_iter().map(f64::abs).filter(|size| size.is_finite()).fold(0.0, f64::max);
    let zeros = if largest > 0.0 { (-largest.log10()).ceil().clamp(0.0, 12.0) } else { 0.0 };
    2 + zeros as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_show_digits() {
        let cases = [
            (&[1234.5, 0.001][..], 2),
            (&[1.0], 2),
            (&[-0.5, f64::NAN], 3),
            (&[0.02], 4),
            (&[3e-4], 6),
            (&[1e-300], 14),
            (&[0.0], 2),
            (&[], 2),
        ];
        for (sizes, expected) in cases {
            assert_eq!(decimals(sizes.iter().copied()), expected, "{sizes:?}");
        }
    }
}
