//! What observations are usual: which ones a policy has not learned from, told from the raw fields.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::{MAX_AGENTS, MAX_DIM};
use crate::{Error, Range, Result, bounded};

/// Elements of the largest whitening matrix.
const MAX_ELEMENTS: usize = Mahalanobis::MAX_FIELDS * (Mahalanobis::MAX_FIELDS + 1) / 2;

/// What one agent's raw observations were like in the training data.
///
/// An observation is unusual if a field is outside of its usual range, or if the fields do not go together. It knows no
/// transform: one that standardises each vector hides that a sensor is scaled, and from this it hides nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Novelty {
    /// Usual range of each field, `[O]`, in the contract's units: the quantiles .0005 and .9995, widened.
    #[serde(deserialize_with = "bounded::list::<MAX_DIM, _, _>")]
    pub usual: Vec<Range>,
    /// By which share of their distance the quantiles were moved apart, to either side.
    pub widening: f32,
    /// Whether the fields go together; `None` if none varies, or more than [`Mahalanobis::MAX_FIELDS`] do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mahalanobis: Option<Mahalanobis>,
}

/// Mahalanobis distance from the mean of the training data, of the P fields that vary in them.
///
/// `d = | W (x - mean) / std |`, where `W` is the inverse of the Cholesky factor of the fields' shrunk correlation matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mahalanobis {
    /// The fields that vary, by index, ascending, `[P]`.
    #[serde(deserialize_with = "bounded::list::<{ Mahalanobis::MAX_FIELDS }, _, _>")]
    pub fields: Vec<usize>,
    /// Their means, `[P]`.
    #[serde(deserialize_with = "bounded::list::<{ Mahalanobis::MAX_FIELDS }, _, _>")]
    pub mean: Vec<f32>,
    /// Their standard deviations, `[P]`.
    #[serde(deserialize_with = "bounded::list::<{ Mahalanobis::MAX_FIELDS }, _, _>")]
    pub std: Vec<f32>,
    /// `W`, lower triangular, column after column from the diagonal down, `[P (P + 1) / 2]`.
    #[serde(deserialize_with = "bounded::list::<MAX_ELEMENTS, _, _>")]
    pub whitening: Vec<f32>,
    /// Weight of the identity in the correlation matrix.
    pub shrinkage: f64,
    /// A larger distance is unusual.
    pub threshold: f32,
}

/// What a team's detectors are from, or why there are none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NoveltyOrigin {
    /// Ranges and distance are from the training data, their limits from episodes that nothing was learned from.
    Calibrated {
        /// An episode like those has an unusual observation with at most this probability, of each agent.
        delta: f64,
        /// Rows of the training data that were looked at.
        rows: u64,
        /// Held-out episodes.
        held_out: u64,
    },
    /// There are too few held-out episodes for such a `delta`.
    TooFewEpisodes {
        /// As asked for.
        delta: f64,
        /// Held-out episodes.
        held_out: u64,
        /// So many are needed.
        needed: u64,
    },
    /// The file's observations were standardised vector by vector, and raw values cannot be recovered.
    NotRaw,
}

/// The detectors of a team, as a checkpoint has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamNovelty {
    /// Where they are from.
    pub origin: NoveltyOrigin,
    /// One an agent; empty if there are none.
    #[serde(deserialize_with = "bounded::list::<MAX_AGENTS, _, _>")]
    pub agents: Vec<Novelty>,
}

impl Novelty {
    /// The first field of a raw observation `[O]` that is outside of its usual range; NaN is.
    ///
    /// # Real-time
    /// Allocates nothing and cannot panic.
    pub fn first_outside(&self, obs: &[f32]) -> Option<usize> {
        let is_inside = |(x, range): (&f32, &Range)| (*x >= range.low) & (*x <= range.high);
        // All of them without a way out in between: the compiler takes several at once.
        if obs.iter().zip(&self.usual).fold(true, |all, field| all & is_inside(field)) {
            return None;
        }
        obs.iter().zip(&self.usual).position(|field| !is_inside(field))
    }

    /// Check that it is of an observation of `obs_dim` fields.
    ///
    /// # Errors
    /// [`Error::Manifest`] when widths differ or a number cannot be.
    pub fn validate(&self, obs_dim: usize) -> Result<()> {
        require(self.usual.len() == obs_dim, "number of usual ranges", obs_dim, self.usual.len())?;
        let is_range = |range: &Range| range.low.is_finite() && range.high.is_finite() && range.low <= range.high;
        let wrong = self.usual.iter().position(|range| !is_range(range));
        require(wrong.is_none(), "usual ranges", "finite with low <= high", format!("{wrong:?}"))?;
        require(is_positive_or_zero(self.widening), "widening of the usual ranges", "0 or more", self.widening)?;
        self.mahalanobis.as_ref().map_or(Ok(()), |distance| distance.validate(obs_dim))
    }
}

impl Mahalanobis {
    /// Most fields that are compared with each other.
    pub const MAX_FIELDS: usize = 256;

    /// Distance of the raw observation `obs` `[O]`; infinite or NaN for values that are, or far too large.
    ///
    /// This is the definition that calibration and guard share. `white` `[P]` is room for the vector whose length it is.
    ///
    /// # Real-time
    /// Allocates nothing and cannot panic; P (P + 1) / 2 multiplications and additions.
    ///
    /// # Determinism
    /// The same bits on every processor.
    pub fn distance(&self, obs: &[f32], white: &mut [f32]) -> f32 {
        white.fill(0.0);
        let mut columns = &self.whitening[..];
        for (j, ((field, mean), std)) in self.fields.iter().zip(&self.mean).zip(&self.std).enumerate() {
            let y = (obs.get(*field).copied().unwrap_or(f32::NAN) - mean) / std;
            let below = white.get_mut(j..).unwrap_or_default();
            let (column, rest) = columns.split_at_checked(below.len()).unwrap_or_default();
            below.iter_mut().zip(column).for_each(|(z, w)| *z += y * w);
            columns = rest;
        }
        libm::sqrtf(white.iter().map(|z| z * z).sum())
    }

    /// Is a distance unusual? NaN is.
    #[inline]
    pub fn is_unusual(&self, distance: f32) -> bool {
        distance.is_nan() || distance > self.threshold
    }

    fn validate(&self, obs_dim: usize) -> Result<()> {
        let p = self.fields.len();
        require((1..=Self::MAX_FIELDS).contains(&p), "number of compared fields", "1 to 256", p)?;
        let ascending = self.fields.is_sorted_by(|a, b| a < b) && self.fields.iter().all(|field| *field < obs_dim);
        require(ascending, "compared fields", format!("ascending and below {obs_dim}"), format!("{:?}", self.fields))?;
        let (means, stds, elements) = (self.mean.len(), self.std.len(), self.whitening.len());
        let widths = (means, stds, elements) == (p, p, p * (p + 1) / 2);
        require(widths, "statistics of the compared fields", p, format!("{means}, {stds}, {elements}"))?;
        let finite = self.mean.iter().chain(&self.whitening).all(|x| x.is_finite());
        require(finite, "means and whitening", "finite", "a number that is not")?;
        let std = self.std.iter().find(|std| !(std.is_finite() && **std > 0.0));
        require(std.is_none(), "standard deviations", "finite and above 0", format!("{std:?}"))?;
        require((0.0..=1.0).contains(&self.shrinkage), "shrinkage", "0 to 1", self.shrinkage)?;
        require(is_positive_or_zero(self.threshold), "threshold of the distance", "0 or more", self.threshold)
    }
}

impl TeamNovelty {
    /// Check that it is of agents that observe so many fields.
    ///
    /// # Errors
    /// [`Error::Manifest`] as in [`Novelty::validate`], or for another number of agents.
    pub fn validate(&self, obs_dims: &[usize]) -> Result<()> {
        let expected = if matches!(self.origin, NoveltyOrigin::Calibrated { .. }) { obs_dims.len() } else { 0 };
        require(self.agents.len() == expected, "number of agents' detectors", expected, self.agents.len())?;
        self.agents.iter().zip(obs_dims).try_for_each(|(novelty, obs_dim)| novelty.validate(*obs_dim))
    }
}

impl fmt::Display for NoveltyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calibrated { delta, rows, held_out } => write!(
                f,
                "each agent calls at most {} % of episodes like the {held_out} held-out ones unusual; statistics of {rows} \
                 other rows",
                percent(*delta)
            ),
            Self::TooFewEpisodes { delta, held_out, needed } => write!(
                f,
                "none: {held_out} held-out episodes, {needed} are needed for false alarms in {} % of episodes; collect more, \
                 or raise data.held_out or data.novelty_delta",
                percent(*delta)
            ),
            Self::NotRaw => {
                f.write_str("none: the file has standardised observations, from which raw values cannot be recovered")
            }
        }
    }
}

/// To two digits behind the point.
fn percent(share: f64) -> f64 {
    libm::round(share * 1e4) / 100.0
}

fn is_positive_or_zero(x: f32) -> bool {
    x.is_finite() && x >= 0.0
}

fn require(holds: bool, field: &str, expected: impl ToString, found: impl ToString) -> Result<()> {
    if holds {
        return Ok(());
    }
    let (expected, found) = (expected.to_string(), found.to_string());
    Err(Error::Manifest { field: format!("{field} of the novelty detector"), expected, found })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field 1 is constant. The correlation of the other two is 0.6, so W = [[1, 0], [-0.75, 1.25]].
    fn novelty() -> Novelty {
        let usual = vec![Range::new(-1.0, 3.0), Range::new(5.0, 5.0), Range::new(-8.0, 8.0)];
        let mahalanobis = Mahalanobis {
            fields: vec![0, 2],
            mean: vec![1.0, 0.0],
            std: vec![0.5, 2.0],
            whitening: vec![1.0, -0.75, 1.25],
            shrinkage: 0.001,
            threshold: 3.0,
        };
        Novelty { usual, widening: 0.1, mahalanobis: Some(mahalanobis) }
    }

    #[test]
    fn distances_by_hand() {
        let check = |obs: [f32; 3], expected: f32| {
            let (novelty, mut white) = (novelty(), [f32::NAN; 2]);
            let found = novelty.mahalanobis.unwrap().distance(&obs, &mut white);
            assert!((found - expected).abs() < 1e-6, "{found} != {expected}");
        };
        check([1.0, 5.0, 0.0], 0.0);
        // y = (2, 1): z = (2, -1.5 + 1.25).
        check([2.0, 5.0, 2.0], (4.0_f32 + 0.0625).sqrt());
        // The same lengths, against the correlation: z = (2, -1.5 - 1.25).
        check([2.0, 9.0, -2.0], (4.0_f32 + 7.5625).sqrt());
    }

    /// Whatever is in an observation: an answer, and not "usual".
    #[test]
    fn what_is_no_number_is_unusual() {
        let novelty = novelty();
        let distance = novelty.mahalanobis.as_ref().unwrap();
        assert_eq!(novelty.first_outside(&[0.0, 5.0, 0.0]), None);
        assert_eq!(novelty.first_outside(&[0.0, 5.1, 9.0]), Some(1));
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN] {
            assert_eq!(novelty.first_outside(&[0.0, 5.0, x]), Some(2));
            assert!(distance.is_unusual(distance.distance(&[x, 5.0, x], &mut [0.0; 2])), "{x}");
        }
        // Nothing fits: no panic.
        assert!(distance.is_unusual(distance.distance(&[], &mut [0.0; 2])));
        assert_eq!(distance.distance(&[], &mut []), 0.0);
    }

    #[test]
    fn an_origin_is_a_line() {
        let check = |origin: NoveltyOrigin, text: &str| assert_eq!(origin.to_string(), text);
        check(
            NoveltyOrigin::Calibrated { delta: 0.07, rows: 900, held_out: 99 },
            "each agent calls at most 7 % of episodes like the 99 held-out ones unusual; statistics of 900 other rows",
        );
        check(
            NoveltyOrigin::TooFewEpisodes { delta: 0.005, held_out: 2, needed: 399 },
            "none: 2 held-out episodes, 399 are needed for false alarms in 0.5 % of episodes; collect more, or raise \
             data.held_out or data.novelty_delta",
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let check = |change: fn(&mut Novelty, &mut Mahalanobis), message: &str| {
            let mut novelty = novelty();
            let mut distance = novelty.mahalanobis.take().unwrap();
            change(&mut novelty, &mut distance);
            novelty.mahalanobis = Some(distance);
            let error = novelty.validate(3).unwrap_err().to_string();
            assert!(error.contains(message), "`{error}` lacks `{message}`");
        };
        novelty().validate(3).unwrap();
        check(|n, _| n.usual.truncate(2), "number of usual ranges of the novelty detector is 2, expected 3");
        check(|n, _| n.usual[1].low = 6.0, "low <= high");
        check(|n, _| n.usual[1].high = f32::INFINITY, "low <= high");
        check(|n, _| n.widening = f32::NAN, "widening");
        check(|_, d| d.fields[1] = 3, "ascending and below 3");
        check(|_, d| d.fields[1] = 0, "ascending and below 3");
        check(|_, d| d.fields.clear(), "number of compared fields");
        check(|_, d| d.whitening.truncate(d.whitening.len() - 1), "is 2, 2, 2, expected 2");
        check(|_, d| d.mean[0] = f32::NAN, "expected finite");
        check(|_, d| d.std[0] = 0.0, "above 0");
        check(|_, d| d.shrinkage = f64::NAN, "shrinkage");
        check(|_, d| d.threshold = -1.0, "threshold");
        let team = |origin, agents| TeamNovelty { origin, agents }.validate(&[3, 3]).is_ok();
        let calibrated = NoveltyOrigin::Calibrated { delta: 0.05, rows: 9, held_out: 99 };
        assert!(team(calibrated, vec![novelty(), novelty()]) && team(NoveltyOrigin::NotRaw, vec![]));
        assert!(!team(calibrated, vec![novelty()]) && !team(NoveltyOrigin::NotRaw, vec![novelty(), novelty()]));
    }
}
