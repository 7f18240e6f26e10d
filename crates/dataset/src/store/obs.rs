//! Observations: what they went through, and the way back to raw values.

use omiga_format::ObsTransform;

use super::pages::Pages;
use crate::header::StoredObs;
use crate::standardised::{id_of, mean_and_std};

/// What the observations of a dataset are: their width and the transform that made them from raw ones.
#[derive(Clone, Debug)]
pub(crate) struct Obs {
    pub n_agents: usize,
    /// Width O as batches hold them.
    pub dim: usize,
    pub transform: ObsTransform,
    /// The vectors that are kept, where the transform is applied to what is read.
    deferred: Option<Kept>,
    /// Mean and standard deviation of each raw vector [rows, N], kept where nothing else leads back.
    scale: Vec<[f32; 2]>,
}

/// Vectors that go through a transform when they are read.
#[derive(Clone, Copy, Debug)]
struct Kept {
    dim: usize,
    /// Are they standardised with the id, so that the way back to raw ones comes first?
    with_id: bool,
}

impl Obs {
    /// Observations as stored in a file.
    pub fn new(n_agents: usize, dim: usize, stored: StoredObs) -> Self {
        Self { n_agents, dim, transform: stored.transform(), deferred: None, scale: Vec::new() }
    }

    /// Width of the vectors that are kept.
    pub fn kept_dim(&self) -> usize {
        self.deferred.map_or(self.dim, |kept| kept.dim)
    }

    /// A kept vector as batches hold it. What was kept is lost.
    pub fn present(&self, agent: usize, kept: &mut [f32], out: &mut [f32]) {
        match self.deferred {
            Some(Kept { with_id: true, .. }) => self.transform.apply(agent, recover(kept, agent, self.n_agents), out),
            Some(_) => self.transform.apply(agent, kept, out),
            None => out.copy_from_slice(kept),
        }
    }

    /// The raw observation of `agent` in `row`, whose kept vector is `x`, as far as it can be recovered.
    pub fn raw(&self, row: usize, agent: usize, x: &[f32], out: &mut [f32]) {
        let affine = |out: &mut [f32], std: f64, mean: f64| {
            out.iter_mut().zip(x).for_each(|(o, z)| *o = (f64::from(*z) * std + mean) as f32);
        };
        match self.deferred {
            Some(Kept { with_id: true, .. }) => {
                return out.copy_from_slice(recover(&mut x.to_vec(), agent, self.n_agents));
            }
            Some(_) => return out.copy_from_slice(&x[..out.len()]),
            None => {}
        }
        match (&self.transform, self.scale.get(row * self.n_agents + agent)) {
            (_, Some([mean, std])) => affine(out, f64::from(*std), f64::from(*mean)),
            (ObsTransform::Standardise { with_id: true }, None) => {
                out.copy_from_slice(recover(&mut x.to_vec(), agent, self.n_agents));
            }
            (ObsTransform::Dataset { mean, std }, None) => {
                let fields = out.iter_mut().zip(x).zip(mean.iter().zip(std));
                fields.for_each(|((o, z), (m, s))| *o = (f64::from(*z) * f64::from(*s) + f64::from(*m)) as f32);
            }
            _ => out.copy_from_slice(&x[..out.len()]),
        }
    }

    /// Apply `transform` to all raw vectors [rows, N, O], in place where it makes them no wider.
    pub fn apply(&mut self, values: &mut Pages<f32>, transform: &ObsTransform) {
        let (n, dim) = (self.n_agents, self.dim);
        let (width, vectors) = (transform.output_dim(dim, n), values.len() / dim);
        // From two ids and one-hot entries the scale can be read off; otherwise remember it.
        if matches!(transform, ObsTransform::Standardise { with_id } if !with_id || n < 2) {
            let id = width - dim;
            self.scale = values.chunks_exact(dim).map(|x| scale_of(x, id)).collect();
        }
        values.resize(vectors * width);
        let mut raw = vec![0.0; dim];
        // From the last on: a wider vector is only written over those that were read.
        for i in (0..vectors).rev() {
            raw.copy_from_slice(&values[i * dim..(i + 1) * dim]);
            transform.apply(i % n, &raw, &mut values[i * width..(i + 1) * width]);
        }
        (self.dim, self.transform) = (width, transform.clone());
    }

    /// Take vectors that are standardised with the id back to raw ones: `values` [rows, N, O] at once, or without them whatever is
    /// read from now on.
    pub fn recover(&mut self, values: Option<&mut Pages<f32>>) {
        let (n, dim) = (self.n_agents, self.dim);
        let width = dim - n;
        match values {
            Some(values) => {
                for i in 0..values.len() / dim {
                    recover(&mut values[i * dim..(i + 1) * dim], i % n, n);
                    values.copy_within(i * dim..i * dim + width, i * width);
                }
                values.resize(values.len() / dim * width);
            }
            None => self.deferred = Some(Kept { dim, with_id: true }),
        }
        (self.dim, self.transform) = (width, ObsTransform::None);
    }

    /// Apply `transform` to whatever is read from now on.
    pub fn defer(&mut self, transform: &ObsTransform) {
        self.deferred = self.deferred.or(Some(Kept { dim: self.dim, with_id: false }));
        (self.dim, self.transform) = (transform.output_dim(self.dim, self.n_agents), transform.clone());
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.scale.as_slice())
    }
}

/// `x`, standardised with the id of `agent` of `n`, taken back in place: the raw fields, which were before the id.
fn recover(x: &mut [f32], agent: usize, n: usize) -> &[f32] {
    let id = id_of(x, agent, n);
    let raw = x.split_at_mut(x.len() - n).0;
    if let Some((own, other)) = id {
        let std = 1.0 / (f64::from(own) - f64::from(other));
        raw.iter_mut().for_each(|z| *z = (f64::from(*z) * std - f64::from(other) * std) as f32);
    }
    raw
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
    use crate::check::scan::Scan;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Raw vectors of very different scales.
    fn raw(n: usize, dim: usize) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut x = || 10.0_f32.powi(rng.random_range(-2..3)) * (rng.random::<f32>() - 0.3);
        (0..40 * n * dim).map(|_| x()).collect()
    }

    fn applied(n: usize, values: &[f32], dim: usize, transform: &ObsTransform) -> (Obs, Pages<f32>) {
        let (mut obs, mut pages) = (Obs::new(n, dim, StoredObs::Raw), Pages::default());
        pages.resize(values.len());
        pages.copy_from_slice(values);
        obs.apply(&mut pages, transform);
        (obs, pages)
    }

    /// What vectors look like, seen in two parts.
    fn detect(n: usize, dim: usize, values: &[f32]) -> Scan {
        let rows = values.len() / (n * dim);
        let (mut first, half) = (Scan::new(n, dim, rows, None), rows / 2);
        let mut second = first.clone();
        let (a, b) = values.split_at(half * n * dim);
        assert_eq!((first.see(0, a), second.see(half, b)), (None, None));
        first.join(&second);
        first
    }

    /// Transforming and going back gives the raw vectors; so does forgetting how it was made, where `id` says so.
    fn check(n: usize, dim: usize, transform: &ObsTransform, detected: StoredObs, recovered_from_file: bool) {
        let before = raw(n, dim);
        let (obs, after) = applied(n, &before, dim, transform);
        assert_eq!(detect(n, obs.dim, &after).stored(), detected, "{transform:?}");
        let stored = Obs::new(n, obs.dim, detected);
        let mut later = Obs::new(n, dim, StoredObs::Raw);
        later.defer(transform);
        let (mut found, mut from_file, mut kept) = (vec![0.0; dim], vec![0.0; dim], vec![0.0; dim]);
        let mut presented = vec![0.0; obs.dim];
        for (i, (expected, x)) in before.chunks_exact(dim).zip(after.chunks_exact(obs.dim)).enumerate() {
            obs.raw(i / n, i % n, x, &mut found);
            stored.raw(i / n, i % n, x, &mut from_file);
            let scale = expected.iter().fold(0.1_f32, |m, v| m.max(v.abs()));
            let close = |a: &[f32]| a.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-4 * scale);
            assert!(close(&found), "{found:?} != {expected:?}");
            assert_eq!(close(&from_file), recovered_from_file, "{from_file:?} != {expected:?}");
            // Applied when read: the same bits, and the raw vector itself is there.
            later.present(i % n, &mut expected.to_vec(), &mut presented);
            later.raw(i / n, i % n, expected, &mut kept);
            assert!(presented == x && kept == expected && later.kept_dim() == dim);
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

    /// At once or when they are read, to the same bits; agents with raw fields of very different scales.
    #[test]
    fn standardised_observations_are_recovered() {
        let (n, dim) = (3, 6);
        let before = raw(n, dim);
        let (_, stored) = applied(n, &before, dim, &ObsTransform::Standardise { with_id: true });
        let fields = ObsTransform::Dataset { mean: vec![1.0; dim], std: vec![3.0; dim] };
        let of_file = || Obs::new(n, dim + n, StoredObs::Standardised { with_id: true });
        let (mut at_once, mut values) = (of_file(), stored.clone());
        at_once.recover(Some(&mut values));
        assert_eq!((values.len(), at_once.dim, &at_once.transform), (before.len(), dim, &ObsTransform::None));
        let scale = |i: usize| before[i / dim * dim..][..dim].iter().fold(0.1_f32, |m, v| m.max(v.abs()));
        let recovered = values.clone();
        assert!((0..before.len()).all(|i| (values[i] - before[i]).abs() <= 1e-4 * scale(i)));
        at_once.apply(&mut values, &fields);

        let mut later = of_file();
        later.recover(None);
        later.defer(&fields);
        assert_eq!((later.kept_dim(), later.dim), (dim + n, dim));
        let (mut presented, mut raw) = (vec![0.0; dim], vec![0.0; dim]);
        for (i, kept) in stored.chunks_exact(dim + n).enumerate() {
            later.present(i % n, &mut kept.to_vec(), &mut presented);
            assert_eq!(presented, values[i * dim..(i + 1) * dim]);
            later.raw(i / n, i % n, kept, &mut raw);
            assert_eq!(raw, recovered[i * dim..(i + 1) * dim]);
        }
    }

    #[test]
    fn ids_must_be_in_their_place() {
        let (_, mut values) = applied(2, &raw(2, 4), 4, &ObsTransform::Standardise { with_id: true });
        values.swap(27 * 6 + 4, 27 * 6 + 5);
        let found = detect(2, 6, &values);
        assert_eq!((found.no_id, found.stored()), (Some((13, 1)), StoredObs::Standardised { with_id: false }));
        values.swap(61 * 6 + 4, 61 * 6 + 5);
        assert_eq!(detect(2, 6, &values).no_id, Some((13, 1)));
    }

    #[test]
    fn constant_vectors_survive() {
        let (obs, values) = applied(1, &[5.0; 4], 2, &ObsTransform::Standardise { with_id: false });
        let mut out = [0.0; 2];
        obs.raw(1, 0, &values[2..], &mut out);
        assert_eq!((&values[..], out), (&[0.0; 4][..], [5.0; 2]));
    }
}
