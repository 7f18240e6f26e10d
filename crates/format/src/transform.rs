//! What happens to a raw local observation before the first layer.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Smallest standard deviation divided by, so that a constant vector becomes zeros and not NaN.
pub const MIN_STD: f32 = 1e-6;

/// The observation transform: part of the policy, inside every exported graph.
///
/// O is the team's widest observation ([`crate::TaskSpec::obs_dim`]): a narrower one is filled up with zeros before it is
/// transformed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ObsTransform {
    /// The network sees the raw observation.
    None,
    /// `(x - mean(x)) / std(x)` over the vector itself (ddof 0), as OMIGA's MuJoCo benchmark does.
    Standardise {
        /// Is `x` the observation followed by the agent's one-hot id (the benchmark), or the observation alone?
        with_id: bool,
    },
    /// `(obs - mean) / std` per field, with the statistics of the training data.
    Dataset {
        /// Mean of each field, `[O]`.
        mean: Vec<f32>,
        /// Standard deviation of each field, `[O]`; at least [`MIN_STD`].
        std: Vec<f32>,
    },
}

impl ObsTransform {
    /// Width after the transform of an observation of `obs_dim` fields in a team of `n_agents`.
    pub fn output_dim(&self, obs_dim: usize, n_agents: usize) -> usize {
        match self {
            Self::Standardise { with_id: true } => obs_dim + n_agents,
            _ => obs_dim,
        }
    }

    /// The same as far as it concerns the first `obs_dim` fields: those of an agent that observes less than the widest.
    pub fn narrowed(&self, obs_dim: usize) -> Self {
        match self {
            Self::Dataset { mean, std } => {
                let first = |x: &[f32]| x.iter().take(obs_dim).copied().collect();
                Self::Dataset { mean: first(mean), std: first(std) }
            }
            other => other.clone(),
        }
    }

    /// Check that the statistics fit an observation of `obs_dim` fields.
    ///
    /// # Errors
    /// [`Error::Manifest`] when widths differ, or a value is not finite, or a standard deviation is below [`MIN_STD`].
    pub fn validate(&self, obs_dim: usize) -> Result<()> {
        let Self::Dataset { mean, std } = self else { return Ok(()) };
        let wrong = |field: &str, expected: String, found: String| {
            Err(Error::Manifest { field: format!("{field} of the observation transform"), expected, found })
        };
        if mean.len() != obs_dim || std.len() != obs_dim {
            return wrong("width", obs_dim.to_string(), format!("{} means, {} stds", mean.len(), std.len()));
        }
        if let Some(m) = mean.iter().find(|m| !m.is_finite()) {
            return wrong("mean", "finite".into(), m.to_string());
        }
        match std.iter().find(|s| !(s.is_finite() && **s >= MIN_STD)) {
            Some(s) => wrong("std", format!("finite and at least {MIN_STD}"), s.to_string()),
            None => Ok(()),
        }
    }

    /// Transform the raw observation `obs` `[O]` of `agent` into `out` [`Self::output_dim`].
    ///
    /// This is the definition that the trainer, the exported graph and the native engine are held to.
    ///
    /// # Panics
    /// In debug builds, when the widths do not fit.
    pub fn apply(&self, agent: usize, obs: &[f32], out: &mut [f32]) {
        debug_assert!(out.len() >= obs.len(), "output narrower than the observation");
        let (head, id) = out.split_at_mut(obs.len());
        head.copy_from_slice(obs);
        match self {
            Self::None => {}
            Self::Standardise { .. } => {
                id.iter_mut().enumerate().for_each(|(i, x)| *x = f32::from(u8::from(i == agent)));
                standardise(out);
            }
            Self::Dataset { mean, std } => {
                head.iter_mut().zip(mean.iter().zip(std)).for_each(|(x, (m, s))| *x = (*x - m) / s);
            }
        }
    }
}

/// `(x - mean(x)) / max(std(x), MIN_STD)`, ddof 0, computed in f64.
fn standardise(x: &mut [f32]) {
    let n = x.len() as f64;
    let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = x.iter().map(|v| square(f64::from(*v) - mean)).sum::<f64>() / n;
    let std = libm::sqrt(variance).max(f64::from(MIN_STD));
    x.iter_mut().for_each(|v| *v = ((f64::from(*v) - mean) / std) as f32);
}

fn square(x: f64) -> f64 {
    x * x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(transform: &ObsTransform, agent: usize, n_agents: usize, obs: &[f32], expected: &[f32]) {
        let mut out = vec![f32::NAN; transform.output_dim(obs.len(), n_agents)];
        transform.apply(agent, obs, &mut out);
        assert_eq!(out.len(), expected.len());
        for (a, b) in out.iter().zip(expected) {
            assert!((a - b).abs() < 1e-6, "{out:?} != {expected:?}");
        }
    }

    #[test]
    fn by_hand() {
        check(&ObsTransform::None, 0, 2, &[3.0, -1.0], &[3.0, -1.0]);
        check(&ObsTransform::Standardise { with_id: false }, 0, 2, &[1.0, 3.0], &[-1.0, 1.0]);
        // numpy: x = [1, 2, 0, 1]; (x - x.mean()) / x.std()
        let expected = [0.0, std::f32::consts::SQRT_2, -std::f32::consts::SQRT_2, 0.0];
        check(&ObsTransform::Standardise { with_id: true }, 1, 2, &[1.0, 2.0], &expected);
        let dataset = ObsTransform::Dataset { mean: vec![1.0, 2.0], std: vec![2.0, 4.0] };
        check(&dataset, 0, 2, &[3.0, 0.0], &[1.0, -0.5]);
    }

    #[test]
    fn a_constant_vector_is_zero() {
        check(&ObsTransform::Standardise { with_id: false }, 0, 1, &[5.0, 5.0, 5.0], &[0.0; 3]);
    }

    #[test]
    fn statistics_are_checked() {
        let bad = ObsTransform::Dataset { mean: vec![0.0], std: vec![0.0] };
        assert!(bad.validate(1).is_err() && bad.validate(2).is_err());
    }
}
