//! What raw observations are usual: ranges and a distance from the rows that are learned from, their limits from episodes
//! that are not.

mod conformal;
mod covariance;
#[cfg(test)]
mod tests;

use omiga_format::{Mahalanobis, Novelty, NoveltyOrigin, Range, TeamNovelty};

use self::covariance::{correlation, inverse_cholesky, ledoit_wolf};
use crate::{Dataset, Episode, Result, StoredObs};

/// Most rows that statistics are from: more hardly tell more.
const ROWS: usize = 1 << 16;
/// Most values of an agent that are held at once, unless that were fewer than [`LEAST_ROWS`].
const VALUES: usize = 1 << 24;
const LEAST_ROWS: usize = 1 << 10;
/// Of the draw of those rows; no run's, so that a detector does not depend on the seed.
const SEED: u64 = 0x0b5e_77ed;
/// Of each field; what is beyond them is not usual.
const QUANTILES: [f64; 2] = [0.0005, 0.9995];
/// The quantiles are moved apart by at least this share of their distance.
const WIDENING: f64 = 0.1;
/// A value more than so many times their distance beyond a field's quantiles is an event, and so is a new one of a field that stands still.
const EVENTS: f64 = 1.0;
/// Least weight of the identity: Ledoit and Wolf's estimate takes rows for independent, and those of an episode are not.
const LEAST_SHRINKAGE: f64 = 1e-3;
/// What is left out of a field that (almost) never changes, as a share of its value.
const STEADY: f64 = 1e-3;
/// Values are exact to this share of them, and to this share of the vector's largest where they were recovered.
const ROUNDING: f64 = 1e-6;
const RECOVERED: f64 = 1e-4;

impl Dataset {
    /// Detectors of unusual raw observations, one an agent, of its own fields. At most a share `delta`, above 0 and below
    /// 1, of the episodes like the held-out ones has an observation that is unusual to an agent.
    ///
    /// Quantiles, means and covariances are those of the rows that are learned from. The two limits are conformal: an
    /// episode's score is its largest, over its steps; of the scores of n held-out episodes, in order, number
    /// ceil((n + 1) (1 - delta / 2)) is the limit. So a new episode from the same source is beyond one of them with a probability of at
    /// most `delta` (Vovk et al. 2005; one half for the ranges and one for the distance). Episodes with another policy in
    /// the loop are not from the same source.
    ///
    /// The covariance is shrunk as Ledoit and Wolf (2004) say, but by at least a thousandth, on fields of mean 0 and
    /// deviation 1: their units do not matter. A field whose quantiles are equal is left out of it, as an agent's id; all
    /// of its values are usual, and a thousandth more. Where rare events are in more held-out episodes than may raise an alarm, all
    /// values of the fields that have any are usual: else no limit would hold, or one that is far too wide for the others.
    ///
    /// # Errors
    /// [`crate::Error::Scratch`] when rows are on disk and cannot be read.
    ///
    /// # Determinism
    /// Depends on the data, the held-out share and `delta` alone.
    pub fn novelty(&self, delta: f64) -> Result<TeamNovelty> {
        let held_out = self.held_out().len() as u64;
        let needed = conformal::episodes_needed(delta / 2.0);
        let has_raw = match self.stored_obs() {
            StoredObs::Raw => true,
            // One agent's id does not tell the scale.
            StoredObs::Standardised { with_id } => with_id && self.n_agents() > 1,
        };
        let none = |origin| Ok(TeamNovelty { origin, agents: Vec::new() });
        if !has_raw {
            return none(NoveltyOrigin::NotRaw);
        }
        if held_out < needed {
            return none(NoveltyOrigin::TooFewEpisodes { delta, held_out, needed });
        }
        let most = ROWS.min((VALUES / self.task().obs_dim()).max(LEAST_ROWS));
        let rows = self.raw_obs_sample(most, SEED);
        let agents = (0..self.n_agents()).map(|agent| self.novelty_of(agent, &rows, delta / 2.0));
        let agents = agents.collect::<Result<_>>()?;
        Ok(TeamNovelty { origin: NoveltyOrigin::Calibrated { delta, rows: rows.len() as u64, held_out }, agents })
    }

    fn novelty_of(&self, agent: usize, rows: &[usize], level: f64) -> Result<Novelty> {
        let width = self.task().agents[agent].obs.len();
        let mut sample = Vec::with_capacity(rows.len() * width);
        self.each_raw_obs(agent, rows.iter().copied(), |obs| sample.extend_from_slice(obs))?;
        let mut fields = fields_of(&sample, width, self.stored_obs() != StoredObs::Raw);
        let has_events = |(f, field): (usize, &Field)| {
            field.changes() || sample.iter().skip(f).step_by(width).any(|x| field.excess(*x) > EVENTS)
        };
        let mut events: Vec<bool> = fields.iter().enumerate().map(has_events).collect();
        let (mut excesses, learned) = (Vec::new(), fields.clone());
        for Episode { first, last, .. } in self.held_out() {
            let mut own = vec![0.0_f64; width];
            self.each_raw_obs(agent, *first..*last, |obs| {
                let each = own.iter_mut().zip(&learned).zip(fields.iter_mut().zip(obs));
                each.for_each(|((most, learned), (field, x))| {
                    *most = most.max(learned.excess(*x));
                    field.see(*x);
                });
            })?;
            excesses.push(own);
        }
        let of_all = |excesses: &[Vec<f64>]| {
            let most = |own: &Vec<f64>| own.iter().copied().fold(0.0, f64::max);
            conformal::limit(&mut excesses.iter().map(most).collect::<Vec<_>>(), level)
        };
        let mut widening = of_all(&excesses);
        if widening > EVENTS {
            for own in &excesses {
                events.iter_mut().zip(own).for_each(|(has_events, excess)| *has_events |= *excess > EVENTS);
            }
            for f in (0..width).filter(|f| events[*f]) {
                fields[f] = Field::Free;
                excesses.iter_mut().for_each(|own| own[f] = 0.0);
            }
            widening = of_all(&excesses);
        }
        let widening = widening.max(WIDENING);
        let mut distance = distance_of(&sample, &fields);
        drop(sample);
        if let Some(distance) = &mut distance {
            let (mut white, mut distances) = (vec![0.0; distance.fields.len()], Vec::new());
            for Episode { first, last, .. } in self.held_out() {
                let mut far = 0.0_f32;
                self.each_raw_obs(agent, *first..*last, |obs| far = far.max(distance.distance(obs, &mut white)))?;
                distances.push(f64::from(far));
            }
            distance.threshold = conformal::limit(&mut distances, level) as f32;
        }
        let usual = fields.iter().map(|field| field.range(widening)).collect();
        Ok(Novelty { usual, widening: widening as f32, mahalanobis: distance })
    }

    /// The agent's own raw fields in these rows.
    fn each_raw_obs(&self, agent: usize, rows: impl Iterator<Item = usize>, mut see: impl FnMut(&[f32])) -> Result<()> {
        let (mut filled, width) = (vec![0.0; self.task().obs_dim()], self.task().agents[agent].obs.len());
        for row in rows {
            self.raw_obs(row, agent, &mut filled)?;
            see(&filled[..width]);
        }
        Ok(())
    }
}

/// How a field is spread.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Field {
    /// Between two quantiles.
    Varies { low: f64, high: f64 },
    /// It (almost) never changes: all values that were seen, with a tolerance on both sides.
    Steady { low: f64, high: f64, tolerance: f64 },
    /// It has events too often for an alarm each time: all values are usual.
    Free,
}

impl Field {
    /// How far a value is outside of the quantiles, as a share of their distance; without end for one that a steady field never had.
    fn excess(&self, x: f32) -> f64 {
        match *self {
            Self::Varies { low, high } => ((low - f64::from(x)).max(f64::from(x) - high) / (high - low)).max(0.0),
            Self::Steady { .. } => {
                let usual = self.range(0.0);
                if (usual.low..=usual.high).contains(&x) { 0.0 } else { f64::INFINITY }
            }
            Self::Free => 0.0,
        }
    }

    /// A value of a steady field becomes usual.
    fn see(&mut self, x: f32) {
        if let Self::Steady { low, high, .. } = self {
            (*low, *high) = (low.min(x.into()), high.max(x.into()));
        }
    }

    /// Is it steady, but for a few rows?
    fn changes(&self) -> bool {
        matches!(self, Self::Steady { low, high, tolerance } if high - low > *tolerance)
    }

    /// Rounded outwards, so that no value that decided on the widening falls out of it.
    fn range(self, widening: f64) -> Range {
        let (low, high, more) = match self {
            Self::Varies { low, high } => (low, high, widening * (high - low)),
            Self::Steady { low, high, tolerance } => (low, high, tolerance.max(STEADY * low.abs().max(high.abs()))),
            Self::Free => (f32::MIN.into(), f32::MAX.into(), 0.0),
        };
        let finite = |x: f64| x.clamp(f32::MIN.into(), f32::MAX.into()) as f32;
        let (low, high) = (finite(low - more), finite(high + more));
        let (down, up) = (low.next_down().max(f32::MIN), high.next_up().min(f32::MAX));
        if more > 0.0 { Range::new(down, up) } else { Range::new(low, high) }
    }
}

/// How each field of vectors [rows, width] is spread.
fn fields_of(sample: &[f32], width: usize, recovered: bool) -> Vec<Field> {
    let mut column = Vec::with_capacity(sample.len() / width);
    let mut spread = |field: usize| {
        column.clear();
        column.extend(sample.iter().skip(field).step_by(width));
        let [low, high] = QUANTILES.map(|q| quantile(&mut column, q));
        let ends = |f: fn(f32, f32) -> f32| column.iter().copied().reduce(f).map_or(0.0, f64::from);
        (low, high, ends(f32::min), ends(f32::max))
    };
    let spreads: Vec<_> = (0..width).map(&mut spread).collect();
    let largest = spreads.iter().fold(0.0_f64, |most, (low, high, ..)| most.max(low.abs()).max(high.abs()));
    let field = |(low, high, least, most): (f64, f64, f64, f64)| {
        let rounding = if recovered { RECOVERED * largest } else { ROUNDING * low.abs().max(high.abs()) };
        match high - low > rounding {
            true => Field::Varies { low, high },
            false => Field::Steady { low: least, high: most, tolerance: if recovered { rounding } else { 0.0 } },
        }
    };
    spreads.into_iter().map(field).collect()
}

/// The quantile `q` of values, at least one, in any order: between two of them in proportion (numpy's default).
fn quantile(values: &mut [f32], q: f64) -> f64 {
    let place = q * (values.len() - 1) as f64;
    let (_, below, above) = values.select_nth_unstable_by(place.floor() as usize, f32::total_cmp);
    let below = f64::from(*below);
    let above = above.iter().copied().reduce(f32::min).map_or(below, f64::from);
    below + (above - below) * place.fract()
}

/// The distance of the fields that vary, without a threshold.
fn distance_of(sample: &[f32], fields: &[Field]) -> Option<Mahalanobis> {
    let varying = fields.iter().enumerate().filter(|(_, field)| matches!(field, Field::Varies { .. }));
    let varying: Vec<usize> = varying.map(|(index, _)| index).collect();
    if !(1..=Mahalanobis::MAX_FIELDS).contains(&varying.len()) {
        return None;
    }
    let picked = |row: &[f32], out: &mut Vec<f64>| out.extend(varying.iter().map(|field| f64::from(row[*field])));
    let mut rows = Vec::with_capacity(sample.len() / fields.len() * varying.len());
    sample.chunks_exact(fields.len()).for_each(|row| picked(row, &mut rows));
    let (mean, std) = correlation(&mut rows, varying.len());
    let estimate = ledoit_wolf(&rows, varying.len());
    let shrinkage = estimate.shrinkage.max(LEAST_SHRINKAGE);
    let whitening = inverse_cholesky(&estimate.shrunk(shrinkage), varying.len());
    let rounded = |x: Vec<f64>| x.into_iter().map(|x| x as f32).collect();
    Some(Mahalanobis {
        fields: varying,
        mean: rounded(mean),
        std: rounded(std),
        whitening: rounded(whitening),
        shrinkage,
        threshold: 0.0,
    })
}
