//! A covariance that can be inverted.

/// The sample covariance (divided by the number of rows), and how far it is to be shrunk.
#[derive(Debug)]
pub(super) struct Estimate {
    /// Symmetric, [P, P].
    covariance: Vec<f64>,
    /// Mean of its diagonal.
    scale: f64,
    /// Weight of the identity times that mean.
    pub(super) shrinkage: f64,
}

impl Estimate {
    /// (1 - s) S + s mean(diag S) I, [P, P].
    pub(super) fn shrunk(&self, s: f64) -> Vec<f64> {
        let p = self.covariance.len().isqrt();
        let diagonal = |at: usize| if at.is_multiple_of(p + 1) { s * self.scale } else { 0.0 };
        self.covariance.iter().enumerate().map(|(at, x)| (1.0 - s) * x + diagonal(at)).collect()
    }
}

/// Take the fields of `rows` [n, P] to mean 0 and standard deviation 1 (ddof 0); back come what they were, each [P].
pub(super) fn correlation(rows: &mut [f64], p: usize) -> (Vec<f64>, Vec<f64>) {
    let n = (rows.len() / p) as f64;
    let (mut mean, mut std) = (vec![0.0; p], vec![0.0; p]);
    rows.chunks_exact(p).for_each(|row| mean.iter_mut().zip(row).for_each(|(m, x)| *m += x / n));
    rows.chunks_exact_mut(p).for_each(|row| row.iter_mut().zip(&mean).for_each(|(x, m)| *x -= m));
    rows.chunks_exact(p).for_each(|row| std.iter_mut().zip(row).for_each(|(s, x)| *s += x * x / n));
    std.iter_mut().for_each(|s| *s = s.sqrt());
    rows.chunks_exact_mut(p).for_each(|row| row.iter_mut().zip(&std).for_each(|(x, s)| *x /= s));
    (mean, std)
}

/// Ledoit and Wolf's estimate (2004, "A well-conditioned estimator for large-dimensional covariance matrices") from rows
/// [n, P] of mean 0:
///
/// S = X'X / n, m = tr(S) / P, d = |S|^2 / P - m^2, b = min(d, (sum_k |x_k|^4 / n - |S|^2) / (n P)), shrinkage b / d.
pub(super) fn ledoit_wolf(rows: &[f64], p: usize) -> Estimate {
    let n = (rows.len() / p) as f64;
    let (mut covariance, mut fourth) = (vec![0.0; p * p], 0.0);
    for row in rows.chunks_exact(p) {
        for (i, x) in row.iter().enumerate() {
            covariance[i * p + i..(i + 1) * p].iter_mut().zip(&row[i..]).for_each(|(s, y)| *s += x * y);
        }
        fourth += row.iter().map(|x| x * x).sum::<f64>().powi(2);
    }
    for i in 0..p {
        for j in i..p {
            covariance[i * p + j] /= n;
            covariance[j * p + i] = covariance[i * p + j];
        }
    }
    let width = p as f64;
    let scale = (0..p).map(|i| covariance[i * p + i]).sum::<f64>() / width;
    let squares = covariance.iter().map(|x| x * x).sum::<f64>();
    let dispersion = squares / width - scale * scale;
    let error = ((fourth / n - squares) / (n * width)).min(dispersion);
    let shrinkage = if error > 0.0 { error / dispersion } else { 0.0 };
    Estimate { covariance, scale, shrinkage }
}

/// The inverse of the Cholesky factor of a positive definite matrix [P, P]: lower triangular, column after column from the
/// diagonal down.
pub(super) fn inverse_cholesky(matrix: &[f64], p: usize) -> Vec<f64> {
    let mut factor = vec![0.0; p * p];
    for i in 0..p {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| factor[i * p + k] * factor[j * p + k]).sum();
            let rest = matrix[i * p + j] - dot;
            factor[i * p + j] = if i == j { rest.sqrt() } else { rest / factor[j * p + j] };
        }
    }
    let mut packed = Vec::with_capacity(p * (p + 1) / 2);
    for j in 0..p {
        let mut column = vec![1.0 / factor[j * p + j]];
        for i in j + 1..p {
            let dot: f64 = column.iter().zip(&factor[i * p + j..]).map(|(x, l)| x * l).sum();
            column.push(-dot / factor[i * p + i]);
        }
        packed.append(&mut column);
    }
    packed
}
