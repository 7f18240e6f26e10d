//! Vectors that were standardised by their own mean and standard deviation, perhaps with an agent's one-hot id behind.

/// How far from 0 and 1 mean and standard deviation of a standardised vector may be.
const TOLERANCE: f64 = 1e-3;
/// Entries of a standardised id that should be equal may differ by rounding.
const ID_TOLERANCE: f32 = 1e-6;

/// The larger entry at `agent`'s place and the `n` - 1 equal smaller ones, if `x` ends with such.
pub(crate) fn id_of(x: &[f32], agent: usize, n: usize) -> Option<(f32, f32)> {
    let id = x.len().checked_sub(n).map(|start| &x[start..])?;
    let own = *id.get(agent)?;
    let other = *id.iter().enumerate().find(|(i, _)| *i != agent)?.1;
    let equal = id.iter().enumerate().all(|(i, v)| i == agent || (v - other).abs() <= ID_TOLERANCE);
    (equal && own > other).then_some((own, other))
}

/// Of some values.
pub(crate) fn mean_and_std(x: impl Iterator<Item = f32> + Clone) -> (f64, f64) {
    let n = x.clone().count() as f64;
    let mean = x.clone().map(f64::from).sum::<f64>() / n;
    (mean, (x.map(|v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// Has `x` mean 0 and standard deviation 1?
pub(crate) fn is_standardised(x: &[f32]) -> bool {
    let (mean, std) = mean_and_std(x.iter().copied());
    mean.abs() <= TOLERANCE && (std - 1.0).abs() <= TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_must_be_in_their_place() {
        assert_eq!(id_of(&[0.5, 2.0, -1.0, -1.0], 0, 3), Some((2.0, -1.0)));
        assert_eq!(id_of(&[0.5, 2.0, -1.0, -1.0], 1, 3), None);
        assert_eq!(id_of(&[0.5, 2.0, -1.0, -1.1], 0, 3), None);
        assert_eq!(id_of(&[2.0], 0, 3), None);
    }
}
