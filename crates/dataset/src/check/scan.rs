//! What observations look like, and which of them cannot be.

use crate::header::StoredObs;
use crate::limits::MAX_OBS;
use crate::standardised::{id_of, is_standardised};

/// Rows looked at to tell whether observations are standardised.
const SAMPLE_ROWS: usize = 256;

/// What the vectors of a file look like, told from some rows after the other.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    n_agents: usize,
    dim: usize,
    /// Rows that tell whether vectors are standardised, ascending.
    sample: Vec<usize>,
    ids: bool,
    standardised: bool,
    /// The first vector (row, agent) that does not end with its standardised id.
    pub no_id: Option<(usize, usize)>,
}

impl Scan {
    /// For a file of `rows` rows, of which it may be known what they hold.
    pub fn new(n_agents: usize, dim: usize, rows: usize, declared: Option<StoredObs>) -> Self {
        let k = SAMPLE_ROWS.min(rows);
        let sample = (0..k).map(|i| i * (rows - 1) / (k - 1).max(1)).collect();
        let (sample, ids) = match declared {
            Some(stored) => (Vec::new(), stored == StoredObs::Standardised { with_id: true }),
            None => (sample, n_agents > 1 && dim > n_agents),
        };
        Self { n_agents, dim, sample, ids, standardised: true, no_id: None }
    }

    /// Look at the rows from `first` on; row and place in it of the first value that is no measurement, if there is one.
    pub fn see(&mut self, first: usize, values: &[f32]) -> Option<(usize, usize)> {
        let width = self.n_agents * self.dim;
        if let Some((row, place)) = first_absurd(values, width) {
            return Some((first + row, place));
        }
        let rows = first..first + values.len() / width;
        let from = self.sample.partition_point(|row| *row < rows.start);
        let to = self.sample.partition_point(|row| *row < rows.end);
        for row in &self.sample[from..to] {
            let row = &values[(row - first) * width..][..width];
            self.standardised &= row.chunks_exact(self.dim).all(is_standardised);
        }
        if self.ids && self.standardised && self.no_id.is_none() {
            let agents = values.chunks_exact(self.dim).zip((0..self.n_agents).cycle());
            let no_id = agents.enumerate().find(|(_, (x, agent))| id_of(x, *agent, self.n_agents).is_none());
            self.no_id = no_id.map(|(i, (_, agent))| (first + i / self.n_agents, agent));
        }
        None
    }

    /// Together with what was seen of later rows.
    pub fn join(&mut self, later: &Self) {
        self.standardised &= later.standardised;
        self.no_id = self.no_id.or(later.no_id);
    }

    /// Standardised (the sample decides), and with the id (all rows decide)?
    pub fn stored(&self) -> StoredObs {
        match self.standardised {
            true => StoredObs::Standardised { with_id: self.ids && self.no_id.is_none() },
            false => StoredObs::Raw,
        }
    }
}

/// Row, and place in the row, of the first value that is not finite, or larger than any that a controller accepts.
pub(crate) fn first_absurd(values: &[f32], width: usize) -> Option<(usize, usize)> {
    // Everything without an early way out goes through vector instructions; NaN is not below anything.
    let sound = |v: &f32| v.abs() <= MAX_OBS;
    if values.iter().fold(true, |all, v| all & sound(v)) {
        return None;
    }
    let i = values.iter().position(|v| !sound(v))?;
    Some((i / width, i % width))
}

/// Number and value of the first vector of `width` that has something other than zeros behind its agent's `own` fields.
pub(crate) fn first_not_filled_up(obs: &[f32], width: usize, own: impl Iterator<Item = usize>) -> Option<(usize, f32)> {
    let behind = |(x, own): (&[f32], usize)| x.iter().skip(own).copied().find(|x| *x != 0.0);
    obs.chunks_exact(width).zip(own).map(behind).enumerate().find_map(|(i, found)| Some((i, found?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_that_is_no_measurement_is_found() {
        assert_eq!(first_absurd(&[0.0; 6], 3), None);
        assert_eq!(first_absurd(&[0.0, 0.0, 0.0, 0.0, f32::NAN, f32::INFINITY], 3), Some((1, 1)));
        assert_eq!(first_absurd(&[0.0, -9.969_21e36, 0.0], 3), Some((0, 1)));
        let mut scan = Scan::new(1, 3, 90, None);
        assert_eq!(scan.see(50, &[0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0]), Some((51, 1)));
    }
}
