//! Means, spreads and histograms.

use serde::Serialize;

/// Mean, standard deviation (ddof 0) and extremes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Distribution {
    /// Mean.
    pub mean: f64,
    /// Standard deviation, divided by the number of values.
    pub std: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

impl Distribution {
    /// Of some values, at least one.
    pub(crate) fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let std = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { mean, std, min, max }
    }
}

/// How values are spread from the smallest to the largest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// Left end of the first bin.
    pub low: f64,
    /// Right end of the last bin.
    pub high: f64,
    /// Values in each of [`Histogram::BINS`] equal bins; one bin if all values are equal.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Number of bins.
    pub const BINS: usize = 20;

    /// Of some values, at least one.
    pub(crate) fn of(values: &[f64]) -> Self {
        let Distribution { min: low, max: high, .. } = Distribution::of(values);
        let bins = if high > low { Self::BINS } else { 1 };
        let mut counts = vec![0; bins];
        for v in values {
            // A float becomes the nearest index it can be, so the largest value falls into the last bin.
            let bin = ((v - low) / (high - low) * bins as f64) as usize;
            counts[bin.min(bins - 1)] += 1;
        }
        Self { low, high, counts }
    }
}

/// First pass over vectors: sums and extremes of each field.
pub(crate) struct Sums {
    n: u64,
    sums: Vec<f64>,
    min: Vec<f32>,
    max: Vec<f32>,
}

/// Second pass over the same vectors in the same order: squared distances from the means.
pub(crate) struct Squares {
    first: Sums,
    means: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    /// Of vectors of `dim` fields.
    pub fn new(dim: usize) -> Self {
        Self { n: 0, sums: vec![0.0; dim], min: vec![f32::INFINITY; dim], max: vec![f32::NEG_INFINITY; dim] }
    }

    /// Add a vector.
    pub fn see(&mut self, x: &[f32]) {
        self.n += 1;
        self.sums.iter_mut().zip(x).for_each(|(s, v)| *s += f64::from(*v));
        self.min.iter_mut().zip(x).for_each(|(m, v)| *m = m.min(*v));
        self.max.iter_mut().zip(x).for_each(|(m, v)| *m = m.max(*v));
    }

    /// Ready for the second pass.
    pub fn squares(self) -> Squares {
        let means = self.sums.iter().map(|s| s / self.n as f64).collect();
        Squares { squares: vec![0.0; self.sums.len()], means, first: self }
    }
}

impl Squares {
    /// Add a vector.
    pub fn see(&mut self, x: &[f32]) {
        let fields = self.squares.iter_mut().zip(x.iter().zip(&self.means));
        fields.for_each(|(s, (v, m))| *s += (f64::from(*v) - m).powi(2));
    }

    /// Statistics of each field.
    pub fn fields(&self) -> Vec<Distribution> {
        let field = |i: usize| Distribution {
            mean: self.means[i],
            std: (self.squares[i] / self.first.n as f64).sqrt(),
            min: f64::from(self.first.min[i]),
            max: f64::from(self.first.max[i]),
        };
        (0..self.means.len()).map(field).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], counts: &[(usize, u64)]) {
        let histogram = Histogram::of(values);
        let found: Vec<_> = histogram.counts.iter().copied().enumerate().filter(|(_, c)| *c > 0).collect();
        assert_eq!(found, counts);
    }

    #[test]
    fn histograms_hold_every_value() {
        check(&[3.0; 4], &[(0, 4)]);
        check(&[0.0, 1.0, 0.5, 0.49], &[(0, 1), (9, 1), (10, 1), (19, 1)]);
        check(&[-2.0, 2.0], &[(0, 1), (19, 1)]);
        assert_eq!(Histogram::of(&[0.0, 1.0]).counts.len(), Histogram::BINS);
    }

    #[test]
    fn fields_by_hand() {
        // Field 0 has 1, 3, 1, 3 and field 1 has 0, 0, 4, 4.
        let vectors = [[1.0, 0.0], [3.0, 0.0], [1.0, 4.0], [3.0, 4.0]];
        let expected = |mean, std, min, max| Distribution { mean, std, min, max };
        let mut sums = Sums::new(2);
        vectors.iter().for_each(|x| sums.see(x));
        let mut squares = sums.squares();
        vectors.iter().for_each(|x| squares.see(x));
        let found = squares.fields();
        assert_eq!(found, [expected(2.0, 1.0, 1.0, 3.0), expected(2.0, 2.0, 0.0, 4.0)]);
        assert_eq!(Distribution::of(&[1.0, 3.0]), expected(2.0, 1.0, 1.0, 3.0));
    }
}
