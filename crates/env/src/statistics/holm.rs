//! Many comparisons at once.

/// Adjusted p values of `p`, in its order (Holm 1979, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6):
/// with p_(k) the k-th smallest of m, the largest of min(1, (m - j + 1) p_(j)) over j <= k.
///
/// Call those below 0.05 real, and the chance that even one of them is a false alarm is at most 5 %, however the comparisons depend
/// on each other.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let (mut adjusted, mut largest) = (vec![0.0; p.len()], 0.0_f64);
    for (rank, place) in order.into_iter().enumerate() {
        largest = largest.max((p[place] * (p.len() - rank) as f64).min(1.0));
        adjusted[place] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert!(holm(&[]).is_empty());
        assert_eq!(holm(&[0.25]), [0.25]);
        // 2 * 0.0625; the larger one is never below the smaller one; no probability is above 1.
        assert_eq!(holm(&[0.0625, 0.0625]), [0.125, 0.125]);
        assert_eq!(holm(&[0.75, 0.25, 0.5]), [1.0, 0.75, 1.0]);
    }
}
