//! The column of observations: what it went through, and the way back to raw values.

use omiga_format::ObsTransform;

use crate::StoredObs;

/// Rows looked at to tell whether observations are standardised.
const SAMPLE_ROWS: usize = 256;
/// How far from 0 and 1 mean and standard deviation of a standardised vector may be.
const TOLERANCE: f64 = 1e-3;
/// Entries of a standardised id that should be equal may differ by rounding.
const ID_TOLERANCE: f32 = 1e-6;

/// Observations [rows, N, O] and the transform that made them from raw ones.
#[derive(Clone, Debug)]
pub(crate) struct ObsColumn {
    pub n_agents: usize,
    /// Width O.
    pub dim: usize,
    pub values: Vec<f32>,
    pub transform: ObsTransform,
    /// Mean and standard deviation of each raw vector [rows, N], kept where nothing else leads back.
    scale: Vec<[f32; 2]>,
}

impl ObsColumn {
    /// A column as stored in a file.
    pub fn new(n_agents: usize, dim: usize, values: Vec<f32>, stored: StoredObs) -> Self {
        Self { n_agents, dim, values, transform: stored.transform(), scale: Vec::new() }
    }

    fn vectors(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let n = self.n_agents;
        self.values.chunks_exact(self.dim).enumerate().map(move |(i, x)| (i % n, x))
    }

    /// The first vector (row, agent) that does not end with its standardised id.
    pub fn first_without_id(&self) -> Option<(usize, usize)> {
        let n = self.n_agents;
        let mut vectors = self.vectors();
        vectors.position(|(agent, x)| id_of(x, agent, n).is_none()).map(|i| (i / n, i % n))
    }

    /// What the vectors look like: standardised (a sample of rows decides), and with the id (all rows decide).
    pub fn detect(&self) -> StoredObs {
        let row = self.n_agents * self.dim;
        let rows = self.values.len() / row;
        let k = SAMPLE_ROWS.min(rows);
        let sample = (0..k).map(|i| i * (rows - 1) / (k - 1).max(1));
        let mut vectors = sample.flat_map(|r| self.values[r * row..(r + 1) * row].chunks_exact(self.dim));
        if !vectors.all(is_standardised) {
            return StoredObs::Raw;
        }
        let with_id = self.n_agents > 1 && self.dim > self.n_agents && self.first_without_id().is_none();
        StoredObs::Standardised { with_id }
    }

    /// The raw observation of `agent` in `row`, as far as it can be recovered.
    pub fn raw(&self, row: usize, agent: usize, out: &mut [f32]) {
        let i = row * self.n_agents + agent;
        let x = &self.values[i * self.dim..(i + 1) * self.dim];
        let affine = |out: &mut [f32], std: f64, mean: f64| {
            out.iter_mut().zip(x).for_each(|(o, z)| *o = (f64::from(*z) * std + mean) as f32);
        };
        match (&self.transform, self.scale.get(i)) {
            (_, Some([mean, std])) => affine(out, f64::from(*std), f64::from(*mean)),
            (ObsTransform::Standardise { with_id: true }, None) => match id_of(x, agent, self.n_agents) {
                Some((own, other)) => {
                    let std = 1.0 / (f64::from(own) - f64::from(other));
                    affine(out, std, -f64::from(other) * std);
                }
                None => out.copy_from_slice(&x[..out.len()]),
            },
            (ObsTransform::Dataset { mean, std }, None) => {
                let fields = out.iter_mut().zip(x).zip(mean.iter().zip(std));
                fields.for_each(|((o, z), (m, s))| *o = (f64::from(*z) * f64::from(*s) + f64::from(*m)) as f32);
            }
            _ => out.copy_from_slice(&x[..out.len()]),
        }
    }

    /// Apply `transform` to raw observations: in place where the width stays.
    pub fn apply(mut self, transform: &ObsTransform) -> Self {
        let (n, dim) = (self.n_agents, self.dim);
        let width = transform.output_dim(dim, n);
        // From two ids and one-hot entries the scale can be read off; otherwise remember it.
        let keep = matches!(transform, ObsTransform::Standardise { with_id } if !with_id || n < 2);
        let id = if width > dim { n } else { 0 };
        if keep {
            self.scale = self.vectors().map(|(_, x)| scale_of(x, id)).collect();
        }
        if width == dim {
            let mut raw = vec![0.0; dim];
            for (i, x) in self.values.chunks_exact_mut(dim).enumerate() {
                raw.copy_from_slice(x);
                transform.apply(i % n, &raw, x);
            }
        } else {
            let mut values = vec![0.0; self.values.len() / dim * width];
            let vectors = values.chunks_exact_mut(width).zip(self.vectors());
            vectors.for_each(|(out, (agent, x))| transform.apply(agent, x, out));
            self.values = values;
        }
        Self { dim: width, transform: transform.clone(), ..self }
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.values.as_slice()) + size_of_val(self.scale.as_slice())
    }
}

/// The larger entry at `agent`'s place and the `n` - 1 equal smaller ones, if `x` ends with such.
fn id_of(x: &[f32], agent: usize, n: usize) -> Option<(f32, f32)> {
    let id = x.len().checked_sub(n).map(|start| &x[start..])?;
    let own = *id.get(agent)?;
    let other = *id.iter().enumerate().find(|(i, _)| *i != agent)?.1;
    let equal = id.iter().enumerate().all(|(i, v)| i == agent || (v - other).abs() <= ID_TOLERANCE);
    (equal && own > other).then_some((own, other))
}

fn mean_and_std(x: impl Iterator<Item = f32> + Clone) -> (f64, f64) {
    let n = x.clone().count() as f64;
    let mean = x.clone().map(f64::from).sum::<f64>() / n;
    (mean, (x.map(|v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt())
}

fn is_standardised(x: &[f32]) -> bool {
    let (mean, std) = mean_and_std(x.iter().copied());
    mean.abs() <= TOLERANCE && (std - 1.0).abs() <= TOLERANCE
}

/// Mean and standard deviation that the transform takes from `x` followed by an id of `id` entries.
fn scale_of(x: &[f32], id: usize) -> [f32; 2] {
    let one_hot = (0..id).map(|i| f32::from(u8::from(i == 0)));
    let (mean, std) = mean_and_std(x.iter().copied().chain(one_hot));
    [mean as f32, (std as f32).max(omiga_format::MIN_STD)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Raw vectors of very different scales.
    fn raw(n: usize, dim: usize) -> ObsColumn {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut x = || 10.0_f32.powi(rng.random_range(-2..3)) * (rng.random::<f32>() - 0.3);
        ObsColumn::new(n, dim, (0..40 * n * dim).map(|_| x()).collect(), StoredObs::Raw)
    }

    /// Transforming and going back gives the raw vectors; so does forgetting how it was made, where `id` says so.
    fn check(n: usize, dim: usize, transform: &ObsTransform, detected: StoredObs, recovered_from_file: bool) {
        let before = raw(n, dim);
        let after = before.clone().apply(transform);
        assert_eq!(after.detect(), detected, "{transform:?}");
        let stored = ObsColumn::new(n, after.dim, after.values.clone(), detected);
        let (mut found, mut from_file) = (vec![0.0; dim], vec![0.0; dim]);
        for (i, expected) in before.values.chunks_exact(dim).enumerate() {
            after.raw(i / n, i % n, &mut found);
            stored.raw(i / n, i % n, &mut from_file);
            let scale = expected.iter().fold(0.1_f32, |m, v| m.max(v.abs()));
            let close = |a: &[f32]| a.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-4 * scale);
            assert!(close(&found), "{found:?} != {expected:?}");
            assert_eq!(close(&from_file), recovered_from_file, "{from_file:?} != {expected:?}");
        }
    }

    #[test]
    fn raw_observations_come_back() {
        let statistics = ObsTransform::Dataset { mean: vec![1.0; 6], std: vec![3.0; 6] };
        check(3, 6, &ObsTransform::None, StoredObs::Raw, true);
        check(3, 6, &statistics, StoredObs::Raw, false);
        let with_id = |with_id| ObsTransform::Standardise { with_id };
        check(3, 6, &with_id(true), StoredObs::Standardised { with_id: true }, true);
        check(3, 6, &with_id(false), StoredObs::Standardised { with_id: false }, false);
        // One agent's id cannot be told from an observation that happens to be large.
        check(1, 6, &with_id(true), StoredObs::Standardised { with_id: false }, false);
    }

    #[test]
    fn ids_must_be_in_their_place() {
        assert_eq!(id_of(&[0.5, 2.0, -1.0, -1.0], 0, 3), Some((2.0, -1.0)));
        assert_eq!(id_of(&[0.5, 2.0, -1.0, -1.0], 1, 3), None);
        assert_eq!(id_of(&[0.5, 2.0, -1.0, -1.1], 0, 3), None);
        assert_eq!(id_of(&[2.0], 0, 3), None);
        let mut column = raw(2, 4).apply(&ObsTransform::Standardise { with_id: true });
        column.values.swap(7 * 6 + 4, 7 * 6 + 5);
        assert_eq!(column.first_without_id(), Some((3, 1)));
        assert_eq!(column.detect(), StoredObs::Standardised { with_id: false });
    }

    #[test]
    fn constant_vectors_survive() {
        let column = ObsColumn::new(1, 2, vec![5.0; 4], StoredObs::Raw);
        let after = column.apply(&ObsTransform::Standardise { with_id: false });
        let mut out = [0.0; 2];
        after.raw(1, 0, &mut out);
        assert_eq!((&after.values[..], out), (&[0.0; 4][..], [5.0; 2]));
    }
}
